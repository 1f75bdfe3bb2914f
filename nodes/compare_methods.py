"""Compare Methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import core
from . import host, map_inputs
from .category import MAPS
from .eclip_projection import ECLIP_PROJECTION, projection_for
from .hosted_clip import HostedClip
from .tensors import image_to_core

if TYPE_CHECKING:
    import torch

    from ..core.eclip.projection import EclipProjection


class CompareMethods:
    """Shows what every map method makes of the same images and prompts."""

    NODE_ID = "CompareMethods"
    DISPLAY_NAME = "Compare Methods"
    DESCRIPTION = (
        "Runs several map methods on the same images and prompts and draws a labelled grid, one row a method, to see "
        "at a glance which of them to trust with this CLIP."
    )
    SEARCH_ALIASES: ClassVar = ["benchmark maps", "compare heatmaps", "grad-cam", "legrad", "clip surgery", "rollout"]
    CATEGORY = MAPS
    FUNCTION = "compare"
    OUTPUT_NODE = True  # it shows a picture of its own
    RETURN_TYPES = ("IMAGE", "MASK", "STRING")
    RETURN_NAMES = ("grid", "heatmaps", "report")
    OUTPUT_TOOLTIPS = (
        "One grid for each image: methods down, prompts across, with each method's time.",
        "Heat in 0..1: all maps of the first method (all images for the first prompt, then for the second...), then "
        "of the second method, and so on.",
        "JSON: the methods that ran and their times, those left out and why, similarity of every prompt and image.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "clip": map_inputs.CLIP,
                "image": map_inputs.IMAGE,
                "text": map_inputs.TEXT,
                "methods": (
                    "STRING",
                    {
                        "multiline": True,
                        "default": "\n".join(core.methods.METHODS),
                        "tooltip": "Which methods, one a line or separated by commas; empty: all. The help page says "
                        "what each of them does and costs.",
                    },
                ),
                "last_blocks": map_inputs.LAST_BLOCKS,
                "fit": map_inputs.FIT,
                "colormap": map_inputs.colormap(),
                "opacity": map_inputs.OPACITY,
            },
            "optional": {
                "eclip_projection": (
                    ECLIP_PROJECTION,
                    {
                        "tooltip": "For method 'eclip', from Train ECLIP Projection. Not connected: the newest one in "
                        "models/clip_explainability that was trained for this CLIP."
                    },
                ),
                "shifted_grids": map_inputs.SHIFTED,
                "follow_edges": map_inputs.FOLLOW_EDGES,
            },
        }

    @classmethod
    def VALIDATE_INPUTS(cls, text: str | None = None, methods: str | None = None) -> bool | str:
        try:
            core.evaluation.method_comparison.parse_methods(methods or "")
        except core.errors.InputError as error:
            return str(error)
        return map_inputs.missing_text(text) or True

    def compare(
        self,
        clip: HostedClip,
        image: torch.Tensor,
        text: str,
        methods: str,
        last_blocks: int,
        fit: str,
        colormap: str,
        opacity: float,
        eclip_projection: EclipProjection | None = None,
        shifted_grids: bool = False,
        follow_edges: bool = False,
    ) -> dict[str, Any]:
        import torch

        names = core.evaluation.method_comparison.parse_methods(methods)
        prompts = map_inputs.prompts_of(text)
        images = core.explain.check_images(image_to_core(image))
        height, width = images.shape[-2:]
        wanted = 32 * len(names) * len(prompts) * len(images) * height * width
        host.require_memory(wanted, "methods, text and image: keeping and drawing this many maps")
        projection = projection_for(clip.clip, eclip_projection)
        options = core.methods.MapOptions(blocks=last_blocks or None, projection=projection)
        with host.progress(len(names)) as report:
            found = core.evaluation.method_comparison.compare(
                clip.ready(), images, prompts, names, options, fit, shifted_grids, follow_edges, report
            )
        pictures = images.movedim(1, -1).cpu()
        grid = torch.stack(
            [
                core.evaluation.method_comparison.comparison_grid(
                    picture, found.heat[:, :, index], found, prompts, colormap, opacity
                )
                for index, picture in enumerate(pictures)
            ]
        )
        seconds = dict(zip(found.methods, (round(value, 4) for value in found.seconds), strict=True))
        summary = {
            "clip": clip.clip.name,
            "seconds": seconds,
            "left_out": found.left_out,
            "prompts": prompts,
            "scores": [[round(value, 5) for value in row] for row in found.scores.tolist()],
        }
        result = (grid, found.heat.flatten(0, 2), core.report.to_json(summary))
        view = {"threshold": 0.2, "colormap": colormap, "opacity": opacity}
        lens = host.show_lens(lambda: core.lens.methods_lens(images, prompts, found, view))
        return {"ui": {**host.preview_images(grid), **lens}, "result": result}
