"""CLIP Relevancy Map."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from .. import core
from . import host, map_inputs
from .category import MAPS
from .eclip_projection import projection_for
from .hosted_clip import HostedClip
from .tensors import image_to_core, maps_to_mask

if TYPE_CHECKING:
    import torch

    from ..core.explain import Explanation
    from ..core.methods import MapOptions
    from ..core.views import Fit
    from ..core.words.maps import WordMaps

NEGLECTED_BELOW = 0.7  # NTLB, section 4.2


class CLIPRelevancyMap:
    """Shows which patches of an image, and which words of a prompt, CLIP's similarity listens to."""

    NODE_ID = "CLIPRelevancyMap"
    DISPLAY_NAME = "CLIP Relevancy Map"
    DESCRIPTION = (
        "Shows where CLIP sees each prompt in the image and which words of the prompt count. One prompt a line; all "
        "of them share one pass over the image. The heat and mask outputs work as region and inpainting masks."
    )
    SEARCH_ALIASES: ClassVar = [
        "clip heatmap",
        "heatmap",
        "attention",
        "attention map",
        "clip attention",
        "saliency",
        "saliency map",
        "interpret",
        "interpretability",
        "clip explain",
        "relevance",
        "text to mask",
        "mask from text",
        "mask by text",
        "prompt to mask",
        "segment by text",
        "text segmentation",
        "segmentation",
        "clipseg",
        "grounding",
        "daam",
    ]
    CATEGORY = MAPS
    FUNCTION = "explain"
    OUTPUT_NODE = True  # it shows a picture of its own
    RETURN_TYPES = ("IMAGE", "MASK", "MASK", "IMAGE", "STRING")
    RETURN_NAMES = ("overlay", "heatmap", "mask", "words", "report")
    OUTPUT_TOOLTIPS = (
        "The heat laid over the image: one labelled grid for each image, outlined at the threshold, or one plain "
        "picture for each prompt and image.",
        "Heat in 0..1 at the image's size: all images for the first prompt, then all for the second, and so on.",
        "1 where the heat reaches the threshold, in the same order; usable for inpainting at once.",
        "The words of each prompt, tinted by how much each counts; dashed frames mark neglected ones (below 0.7).",
        "JSON: similarity of every prompt and image, word relevancies, coverage of the mask, hottest point, warnings.",
    )

    def __init__(self) -> None:
        self._last: tuple[str, Explanation] | None = None

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "clip": map_inputs.CLIP,
                "image": map_inputs.IMAGE,
                "text": map_inputs.TEXT,
                "method": (
                    list(core.methods.METHODS),
                    {
                        "default": "relevancy",
                        "tooltip": "How the map is made; relevancy is the papers' own. All apply to every family of "
                        "CLIP and are differentiable. relevancy, legrad, grad_eclip and grad_cam take a backward pass "
                        "a prompt, agreement two; the others forward passes alone. eclip needs a trained projection; "
                        "rollout and raw_attention ignore the text. The help page has the table.",
                    },
                ),
                "last_blocks": map_inputs.LAST_BLOCKS,
                "score": (
                    ["cosine", "logit"],
                    {
                        "default": "cosine",
                        "tooltip": "What is explained: the cosine similarity, or the logit (cosine x CLIP's learned "
                        "scale), which weights higher-order interactions more.",
                    },
                ),
                "fit": map_inputs.FIT,
                "threshold": (
                    "FLOAT",
                    {
                        "default": 0.2,
                        "min": 0.0,
                        "max": 1.0,
                        "step": 0.01,
                        "tooltip": "Heat from which a pixel belongs to the mask. Relevancy maps are peaky: 0.1 to 0.3 "
                        "covers an object.",
                    },
                ),
                "colormap": map_inputs.colormap(),
                "opacity": map_inputs.OPACITY,
                "layout": (
                    ["grid", "one per prompt"],
                    {
                        "default": "grid",
                        "tooltip": "grid: for each image one picture with all prompts, labelled. one per prompt: plain "
                        "pictures at the image's size, in the order of the heatmap.",
                    },
                ),
            },
            "optional": {
                "shifted_grids": map_inputs.SHIFTED,
                "follow_edges": map_inputs.FOLLOW_EDGES,
                "maps_of_words": (
                    list(core.words.maps.CHOICES),
                    {
                        "default": "auto",
                        "tooltip": "Which words get a map of their own in the viewer below. auto: as many as keep the "
                        "run below one and a half times its time (about a dozen with methods of forward passes "
                        "alone). all: up to 96. off: none.",
                    },
                ),
            },
        }

    @classmethod
    def VALIDATE_INPUTS(cls, text: str | None = None) -> bool | str:
        return map_inputs.missing_text(text) or True

    def explain(
        self,
        clip: HostedClip,
        image: torch.Tensor,
        text: str,
        method: str,
        last_blocks: int,
        score: Literal["cosine", "logit"],
        fit: Fit,
        threshold: float,
        colormap: str,
        opacity: float,
        layout: str,
        shifted_grids: bool = False,
        follow_edges: bool = False,
        maps_of_words: WordMaps = "auto",
    ) -> dict[str, Any]:
        prompts = map_inputs.prompts_of(text)
        images = core.explain.check_images(image_to_core(image))
        height, width = images.shape[-2:]
        host.require_memory(32 * len(prompts) * len(images) * height * width, "text and image: drawing this many maps")
        projection = projection_for(clip.clip) if method == "eclip" else None
        options = core.methods.MapOptions(blocks=last_blocks or None, score=score, projection=projection)
        found = self._explain(clip, images, prompts, method, options, fit, shifted_grids, follow_edges, maps_of_words)

        heat = core.maps.normalize_map(found.maps)
        mask = core.maps.threshold_map(heat, threshold)
        pictures = core.drawing.colormap.overlay(images.movedim(1, -1).cpu(), heat, colormap, opacity)
        if layout == "grid":
            if opacity:
                pictures = core.drawing.colormap.outline(pictures, mask)
            overlay = core.drawing.explanation.overlay_grids(
                images.movedim(1, -1).cpu(), pictures, found, colormap, threshold
            )
        else:
            overlay = pictures.flatten(0, 1)
        words = core.drawing.explanation.words_pictures(found, NEGLECTED_BELOW)
        report = core.report.build_report(found, heat, mask, clip.clip.name, method, NEGLECTED_BELOW)
        result = (overlay, maps_to_mask(heat), maps_to_mask(mask), words, core.report.to_json(report))
        view = {"threshold": threshold, "colormap": colormap, "opacity": opacity}
        lens = host.show_lens(lambda: core.lens.prompts_lens(images, found, view))
        return {"ui": {**host.preview_images(overlay), **lens}, "result": result}

    def _explain(
        self,
        clip: HostedClip,
        images: torch.Tensor,
        prompts: list[str],
        method: str,
        options: MapOptions,
        fit: Fit,
        shifted: bool,
        along_edges: bool,
        maps_of_words: WordMaps,
    ) -> Explanation:
        """Explain, or return the last explanation where only threshold, colours or layout changed."""
        words = core.words.maps.most_words(maps_of_words, method, options, len(prompts), clip.clip.vision.blocks)
        digest = hashlib.blake2b(images.contiguous().cpu().numpy().tobytes(), digest_size=16).hexdigest()
        key = repr(
            (id(clip.clip), digest, tuple(images.shape), prompts, method, options, fit, shifted, along_edges, words)
        )
        if self._last is None or self._last[0] != key:
            self._last = None  # give the memory back before the next result takes its own
            with host.progress() as report:
                found = core.explain.explain(
                    clip.ready(), images, prompts, method, options, fit, shifted, along_edges, report, words
                )
            self._last = (key, found)
        return self._last[1]
