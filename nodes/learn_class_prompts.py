"""Learn Class Prompts."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from .. import core
from . import host
from .category import CLASSIFICATION
from .class_prompts import CLASS_PROMPTS, CLASS_PROMPTS_FOLDER
from .hosted_clip import EXPLAINABLE_CLIP, HostedClip
from .tensors import image_to_core
from .trained_files import file_for

if TYPE_CHECKING:
    import torch

    from ..core.classification.class_prompts import ClassPrompts, LearningSettings
    from ..core.classification.prompt_learning import PromptLearner
    from ..core.classification.support import SupportSet

_log = logging.getLogger(__name__)
_CANCELLED = "cancelled"


class LearnClassPrompts:
    """Learns prompts for your own classes from one labelled picture of each."""

    NODE_ID = "LearnClassPrompts"
    DISPLAY_NAME = "Learn Class Prompts"
    DESCRIPTION = (
        "Learns the words around class names from a few labelled images, one a class is enough (CoOp), with a loss "
        "that keeps the text resting on the class's own name (No Token Left Behind). CLIP itself stays as it is."
    )
    SEARCH_ALIASES: ClassVar = ["few-shot", "one-shot", "coop", "prompt tuning", "prompt learning", "train classifier"]
    CATEGORY = CLASSIFICATION
    FUNCTION = "learn"
    OUTPUT_NODE = True  # it shows a picture of its own
    RETURN_TYPES = (CLASS_PROMPTS, "IMAGE", "STRING")
    RETURN_NAMES = ("class_prompts", "chart", "report")
    OUTPUT_TOOLTIPS = (
        "For the 'class_prompts' input of Prompt Ensemble Classifier.",
        "Loss and accuracy on the labelled images, epoch by epoch.",
        "JSON: classes, settings, loss and accuracy of every epoch, and the file if one was saved.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        prompts = core.classification.class_prompts
        return {
            "required": {
                "clip": (EXPLAINABLE_CLIP, {"tooltip": "From Load Explainable CLIP. A causal text tower is needed."}),
                "n_ctx": (
                    "INT",
                    {"default": 16, "min": 1, "max": 64, "tooltip": "Learned context vectors, shared by all classes."},
                ),
                "class_position": (
                    list(prompts.POSITIONS),
                    {
                        "default": "middle",
                        "tooltip": "Where the class name stands: amid the context, at the end after it, or in front.",
                    },
                ),
                "explainability_weight": (
                    "FLOAT",
                    {
                        "default": prompts.LearningSettings.explainability_weight,
                        "min": 0.0,
                        "max": 1000.0,
                        "step": 0.01,
                        "tooltip": "Lambda: how much the loss asks that the class's own words carry the relevancy. "
                        "0 is plain CoOp, and faster.",
                    },
                ),
                "also_minimise": (
                    "BOOLEAN",
                    {
                        "default": True,
                        "tooltip": "Also push down the relevancy of class names that are not the image's.",
                    },
                ),
                "derivative": (
                    list(prompts.DERIVATIVES),
                    {
                        "default": "first order",
                        "tooltip": "first order: the gradients inside relevancy count as constants, as in the paper's "
                        "code. full: differentiated as well; slower.",
                    },
                ),
                "epochs": ("INT", {"default": 50, "min": 1, "max": 2000, "tooltip": "Passes over the images."}),
                "learning_rate": (
                    "FLOAT",
                    {
                        "default": 0.002,
                        "min": 0.000001,
                        "max": 10.0,
                        "step": 0.0001,
                        "round": False,
                        "tooltip": "Of SGD, after one epoch of warm-up; falls to 0 along a cosine.",
                    },
                ),
                "batch_size": ("INT", {"default": 32, "min": 1, "max": 1024, "tooltip": "Images a step."}),
                "seed": (
                    "INT",
                    {
                        "default": 0,
                        "min": 0,
                        "max": 0xFFFFFFFFFFFFFFFF,
                        "tooltip": "Of the first context and the order of the images: the same seed learns the same.",
                    },
                ),
            },
            "optional": {
                "image": ("IMAGE", {"tooltip": "Labelled images as a batch; or give a folder, or both."}),
                "labels": (
                    "STRING",
                    {
                        "multiline": True,
                        "default": "",
                        "tooltip": "The class name of each image of the batch, one a line. Names are words: they go "
                        "into the prompt.",
                    },
                ),
                "folder": (
                    "STRING",
                    {
                        "default": "",
                        "tooltip": "A folder with one sub-folder a class, whose names are the class names; absolute, "
                        "or inside ComfyUI's input folder. Images that can't be read are left out and listed in the "
                        "report.",
                    },
                ),
                "save_as": (
                    "STRING",
                    {
                        "default": "",
                        "tooltip": "File name in models/clip_explainability to keep the prompts under; empty: not "
                        "saved. Cancelling a run keeps the best so far there, or in cancelled.safetensors.",
                    },
                ),
            },
        }

    @classmethod
    def IS_CHANGED(cls, folder: str | None = "", **_: Any) -> str:
        """A folder's images may change without any widget doing so."""
        return host.folder_state(folder)

    def learn(
        self,
        clip: HostedClip,
        n_ctx: int,
        class_position: str,
        explainability_weight: float,
        also_minimise: bool,
        derivative: str,
        epochs: int,
        learning_rate: float,
        batch_size: int,
        seed: int,
        image: torch.Tensor | None = None,
        labels: str = "",
        folder: str = "",
        save_as: str = "",
    ) -> dict[str, Any]:
        settings = core.classification.class_prompts.LearningSettings(
            context_tokens=n_ctx,
            position=class_position,
            explainability_weight=explainability_weight,
            minimise_others=also_minimise,
            derivative=derivative,
            epochs=epochs,
            learning_rate=learning_rate,
            batch_size=batch_size,
            seed=seed,
        )
        settings.check()
        file = file_for(save_as, CLASS_PROMPTS_FOLDER)
        support = self._support(clip, image, labels, folder)
        learner = core.classification.prompt_learning.PromptLearner(
            clip.ready(), support.classes, support.features, support.labels, settings
        )
        self._train(learner, file)
        learned = learner.prompts()
        if file is not None:
            core.classification.class_prompts.save_class_prompts(learned, file)
        chart = core.drawing.learning_chart.learning_chart(learned.history).unsqueeze(0)
        report = core.report.to_json(_report(learned, settings, support, file))
        return {"ui": host.preview_images(chart), "result": (learned, chart, report)}

    def _support(self, clip: HostedClip, image: torch.Tensor | None, labels: str, folder: str) -> SupportSet:
        support = core.classification.support
        sets = []
        with host.progress() as report:
            if image is not None:
                images = core.explain.check_images(image_to_core(image))
                names = support.parse_labels(labels, len(images))
                sets.append(support.support_from_batch(clip.ready(), images, names, report=report))
            path = host.input_path(folder)
            if path is not None:
                sets.append(support.support_from_folder(clip.ready(), path, report=report))
        if not sets:
            raise core.errors.InputError("image and folder are both empty; connect labelled images or name a folder")
        return sets[0] if len(sets) == 1 else support.join_support(*sets)

    def _train(self, learner: PromptLearner, file: Path | None) -> None:
        """Train to the end; a cancelled run leaves the best so far in a file."""
        draw = core.drawing.learning_chart.draw_learning
        history: list[Any] = []
        with host.progress() as report:
            try:
                for epoch in learner.epochs():
                    history.append(epoch)
                    _log.debug("epoch %d: loss %.4f, accuracy %.1f %%", epoch.epoch, epoch.loss, 100 * epoch.accuracy)
                    report(epoch.epoch, epoch.epochs, lambda: draw(history))
            except BaseException as error:
                if history and host.is_interrupt(error):
                    _keep(learner.prompts(), file)
                raise


def _keep(prompts: ClassPrompts, file: Path | None) -> None:
    """Save what a cancelled run has learned; where that can't be done, it is cancelled all the same."""
    try:
        kept = file or file_for(_CANCELLED, CLASS_PROMPTS_FOLDER)
        assert kept is not None
        core.classification.class_prompts.save_class_prompts(prompts, kept)
    except core.errors.InputError as error:
        _log.warning("Learn Class Prompts was cancelled, and the prompts so far could not be kept: %s", error)
    else:
        _log.warning("Learn Class Prompts was cancelled; the best prompts so far are in %s", kept)


def _report(
    learned: ClassPrompts, settings: LearningSettings, support: SupportSet, file: Path | None
) -> dict[str, Any]:
    return {
        "clip": learned.clip_name,
        "classes": list(learned.classes),
        "settings": asdict(settings),
        "history": [{"epoch": row[0], "loss": row[2], "accuracy": row[3]} for row in learned.history],
        "left_out": core.left_out.report(support.left_out),
        "file": None if file is None else file.name,
    }
