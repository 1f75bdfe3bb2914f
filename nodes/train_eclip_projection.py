"""Train ECLIP Projection."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, ClassVar

from .. import core
from . import host
from .category import MAPS
from .eclip_projection import ECLIP_FOLDER, ECLIP_PROJECTION
from .hosted_clip import EXPLAINABLE_CLIP, HostedClip
from .tensors import image_to_core
from .trained_files import file_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch

    from ..core.clip import ExplainableCLIP
    from ..core.eclip.projection import EclipProjection
    from ..core.eclip.training import Epoch, FrozenPairs, TrainingSettings
    from ..core.left_out import LeftOut


class TrainECLIPProjection:
    """Trains the projection that map method "eclip" needs, from images with captions alone."""

    NODE_ID = "TrainECLIPProjection"
    DISPLAY_NAME = "Train ECLIP Projection"
    DESCRIPTION = (
        "Trains the projection that the map method 'eclip' needs: the image tower stays frozen and its last layer is "
        "relearned so that patches agree with the text, from images with captions, without masks or boxes."
    )
    SEARCH_ALIASES: ClassVar = ["eclip", "masked max pooling", "train projection", "explainable clip training"]
    CATEGORY = MAPS
    FUNCTION = "train"
    OUTPUT_NODE = True
    RETURN_TYPES = (ECLIP_PROJECTION, "IMAGE", "STRING")
    RETURN_NAMES = ("eclip_projection", "chart", "report")
    OUTPUT_TOOLTIPS = (
        "For Compare Methods, with the same CLIP; CLIP Relevancy Map finds the saved file by itself.",
        "Loss, and how often an image's own caption wins within its batch, epoch by epoch.",
        "JSON: settings, number of pairs, loss and accuracy of every epoch, and the file if one was saved.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "clip": (EXPLAINABLE_CLIP, {"tooltip": "From Load Explainable CLIP. It is not changed."}),
                "epochs": ("INT", {"default": 20, "min": 1, "max": 1000, "tooltip": "Passes over the pairs."}),
                "batch_size": (
                    "INT",
                    {
                        "default": 64,
                        "min": 2,
                        "max": 4096,
                        "tooltip": "Pairs a step. Each image has to tell its own caption from the others of its batch.",
                    },
                ),
                "learning_rate": (
                    "FLOAT",
                    {
                        "default": 0.001,
                        "min": 0.000001,
                        "max": 1.0,
                        "step": 0.0001,
                        "round": False,
                        "tooltip": "Of AdamW; falls to 0 along a cosine.",
                    },
                ),
                "attention_mass": (
                    "FLOAT",
                    {
                        "default": 0.95,
                        "min": 0.01,
                        "max": 1.0,
                        "step": 0.01,
                        "tooltip": "Share of CLIP's own attention that the mask of the pooling keeps. 1 pools over "
                        "the whole image.",
                    },
                ),
                "seed": (
                    "INT",
                    {
                        "default": 0,
                        "min": 0,
                        "max": 0xFFFFFFFFFFFFFFFF,
                        "tooltip": "Of the order of the pairs: the same seed trains the same projection.",
                    },
                ),
                "save_as": (
                    "STRING",
                    {
                        "default": "eclip",
                        "tooltip": "File name in models/clip_explainability, where method 'eclip' finds it by itself; "
                        "empty: not saved.",
                    },
                ),
            },
            "optional": {
                "image": ("IMAGE", {"tooltip": "Images as a batch, with 'captions'; or give a folder, or both."}),
                "captions": (
                    "STRING",
                    {
                        "multiline": True,
                        "default": "",
                        "tooltip": "The caption of each image of the batch, one a line.",
                    },
                ),
                "folder": (
                    "STRING",
                    {
                        "default": "",
                        "tooltip": "A folder of images, each with a text file of the same name beside it; absolute, or "
                        "inside ComfyUI's input folder. What can't be read is left out and listed in the report.",
                    },
                ),
            },
        }

    @classmethod
    def IS_CHANGED(cls, folder: str | None = "", **_: Any) -> str:
        """A folder's files may change without any widget doing so."""
        return host.folder_state(folder)

    def train(
        self,
        clip: HostedClip,
        epochs: int,
        batch_size: int,
        learning_rate: float,
        attention_mass: float,
        seed: int,
        save_as: str,
        image: torch.Tensor | None = None,
        captions: str = "",
        folder: str = "",
    ) -> dict[str, Any]:
        settings = core.eclip.training.TrainingSettings(epochs, batch_size, learning_rate, attention_mass, seed)
        settings.check()
        file = file_for(save_as, ECLIP_FOLDER)
        pairs, left_out = _encode(clip.ready(), image, captions, folder)
        projection = _train(clip.clip, pairs, settings)
        if file is not None:
            core.eclip.projection.save_projection(projection, file)
        chart = core.drawing.learning_chart.learning_chart(projection.history).unsqueeze(0)
        report = {
            "clip": projection.clip_name,
            "settings": projection.settings,
            "history": [{"epoch": row[0], "loss": row[2], "accuracy": row[3]} for row in projection.history],
            "left_out": core.left_out.report(left_out),
            "file": None if file is None else file.name,
        }
        return {"ui": host.preview_images(chart), "result": (projection, chart, core.report.to_json(report))}


def _encode(
    clip: ExplainableCLIP, image: torch.Tensor | None, captions: str, folder: str
) -> tuple[FrozenPairs, list[LeftOut]]:
    """Both frozen towers, once over all pairs of batch and folder; and what of the folder was left out."""
    sources: list[Iterable[torch.Tensor | None]] = []
    texts: list[str] = []
    left_out: list[LeftOut] = []
    size = clip.image_size
    if image is not None:
        images = core.explain.check_images(image_to_core(image))
        texts += core.eclip.image_captions.split_captions(captions, len(images))
        sources.append(core.eclip.image_captions.batch_for_tower(images, size))
    path = host.input_path(folder)
    if path is not None:
        found = core.eclip.image_captions.list_captioned_images(path)
        texts += found.captions
        left_out += found.left_out
        sources.append(core.eclip.image_captions.files_for_tower(found.paths, size, left_out))
    if not sources:
        raise core.errors.InputError("image and folder are both empty; connect images with captions or name a folder")
    rows, columns = clip.vision.grid
    host.require_memory(len(texts) * rows * columns * 2 * 2048, "image and folder: keeping this many encoded images")
    with host.progress(len(texts)) as report:
        try:
            pairs = core.eclip.training.encode_pairs(
                clip, itertools.chain(*sources), texts, lambda done: report(done, len(texts))
            )
        except core.errors.InputError as error:
            if not left_out:
                raise
            raise core.errors.InputError(f"{error}; left out {core.left_out.summary(left_out)}") from error
    core.left_out.warn("Train ECLIP Projection", left_out)
    return pairs, left_out


def _train(clip: ExplainableCLIP, pairs: FrozenPairs, settings: TrainingSettings) -> EclipProjection:
    draw = core.drawing.learning_chart.draw_learning
    with host.progress(settings.epochs) as report:

        def after_epoch(history: list[Epoch]) -> None:
            report(len(history), settings.epochs, lambda: draw(history))

        return core.eclip.training.train_projection(clip, pairs, settings, after_epoch)
