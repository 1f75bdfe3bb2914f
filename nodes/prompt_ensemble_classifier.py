"""Prompt Ensemble Classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import core
from . import host
from .category import CLASSIFICATION
from .class_prompts import CLASS_PROMPTS
from .eclip_projection import projection_for
from .hosted_clip import EXPLAINABLE_CLIP, HostedClip
from .tensors import image_to_core

if TYPE_CHECKING:
    import torch

    from ..core.classification.cache import FeatureCache
    from ..core.classification.class_prompts import ClassPrompts
    from ..core.classification.classify import Classification, Prompting

_NO_MAPS = "off"


class PromptEnsembleClassifier:
    """Sorts images into classes by what CLIP makes of many phrasings at once, and shows why."""

    NODE_ID = "PromptEnsembleClassifier"
    DISPLAY_NAME = "Prompt Ensemble Classifier"
    DESCRIPTION = (
        "Classifies a batch of images by class names, with no training. Each name is put into many prompt templates, "
        "so that the answer does not hang on one lucky phrasing; a map shows what spoke for the winning class."
    )
    SEARCH_ALIASES: ClassVar = ["zero-shot", "classification", "image tagging", "label images", "sort images", "clip"]
    CATEGORY = CLASSIFICATION
    FUNCTION = "classify"
    OUTPUT_NODE = True  # it shows a picture of its own
    RETURN_TYPES = ("STRING", "STRING", "STRING", "IMAGE", "MASK", "STRING")
    RETURN_NAMES = ("labels", "top_label", "scores", "chart", "maps", "selected")
    OUTPUT_IS_LIST = (True, False, False, False, False, False)
    OUTPUT_TOOLTIPS = (
        "The class of each image, as a list: nodes after it run once an image.",
        "The class of the first image.",
        "JSON: for each image its probabilities, the margin to the second class, and how many templates agree.",
        "Each image with its best classes as bars.",
        "For each image the relevancy map of its class, in 0..1 (all 0 where maps are off).",
        "JSON: indices of the images of each class, for Route Images by Class; those below the threshold are 'unsure'.",
    )

    def __init__(self) -> None:
        self._cache: FeatureCache | None = None

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        templates = core.classification.templates
        return {
            "required": {
                "clip": (EXPLAINABLE_CLIP, {"tooltip": "From Load Explainable CLIP."}),
                "image": ("IMAGE", {"tooltip": "One image or a batch, any size."}),
                "classes": (
                    "STRING",
                    {
                        "multiline": True,
                        "default": "dog\ncat\nguitar = electric guitar",
                        "tooltip": "One class a line; other words for it after '=', separated by commas. May be empty "
                        "where class prompts are connected: their own classes are then taken.",
                    },
                ),
                "templates": (
                    list(templates.PRESETS),
                    {
                        "default": "imagenet 80",
                        "tooltip": "Phrasings that each class name is put into. none: the name alone. imagenet 80: "
                        "those that CLIP was evaluated with. photo, painting, sketch: for such pictures. custom: your "
                        "own, below.",
                    },
                ),
                "custom_templates": (
                    "STRING",
                    {
                        "multiline": True,
                        "default": "a photo of a {}\na picture of a {}\na drawing of a {}",
                        "tooltip": "Your own templates, one a line, for 'custom'; the pair of braces takes the class "
                        "name.",
                    },
                ),
                "ensemble": (
                    list(core.classification.ensembles.ENSEMBLES),
                    {
                        "default": "mean of embeddings",
                        "tooltip": "How templates become one answer. mean of embeddings: open_clip's way. mean of "
                        "logits: classes that templates disagree on score lower. majority vote: one vote a template. "
                        "zpe weights: templates that tell these images apart count more (wants a batch). "
                        "explainability-weighted: templates that rest on the class's own words count more.",
                    },
                ),
                "temperature": (
                    "FLOAT",
                    {
                        "default": 1.0,
                        "min": 0.01,
                        "max": 100.0,
                        "step": 0.01,
                        "tooltip": "Above 1 flattens the probabilities, below 1 sharpens them; the order stays. A "
                        "changed temperature encodes nothing again.",
                    },
                ),
                "top_k": (
                    "INT",
                    {"default": 5, "min": 1, "max": 20, "tooltip": "Best classes an image in chart and scores."},
                ),
                "threshold": (
                    "FLOAT",
                    {
                        "default": 0.0,
                        "min": 0.0,
                        "max": 1.0,
                        "step": 0.01,
                        "tooltip": "Images whose best probability is lower count as unsure in 'selected'. A changed "
                        "threshold encodes nothing again.",
                    },
                ),
                "fit": (
                    ["crop", "stretch"],
                    {
                        "default": "crop",
                        "tooltip": "How an image that is not square meets CLIP: its centre, as in CLIP's training, or "
                        "stretched whole.",
                    },
                ),
                "maps": (
                    [*core.methods.METHODS, _NO_MAPS],
                    {
                        "default": "relevancy",
                        "tooltip": "Method of the maps (as in CLIP Relevancy Map), or off, which saves their time.",
                    },
                ),
            },
            "optional": {
                "class_prompts": (
                    CLASS_PROMPTS,
                    {
                        "tooltip": "From Learn Class Prompts or Load Class Prompts; they take the templates' place. "
                        "They must have been learned on this CLIP.",
                    },
                ),
                "maps_of_classes": (
                    "INT",
                    {
                        "default": 2,
                        "min": 1,
                        "max": 20,
                        "tooltip": "How many of each image's best classes get a map in the viewer below. Methods with "
                        "a backward pass take one more for each.",
                    },
                ),
            },
        }

    @classmethod
    def VALIDATE_INPUTS(cls, templates: Any = None, custom_templates: Any = None) -> bool | str:
        try:
            if templates is not None and custom_templates is not None:
                core.classification.templates.choose_templates(str(templates), str(custom_templates))
        except core.errors.InputError as error:
            return str(error)
        return True

    def classify(
        self,
        clip: HostedClip,
        image: torch.Tensor,
        classes: str,
        templates: str,
        custom_templates: str,
        ensemble: str,
        temperature: float,
        top_k: int,
        threshold: float,
        fit: str,
        maps: str,
        class_prompts: ClassPrompts | None = None,
        maps_of_classes: int = 2,
    ) -> dict[str, Any]:
        parts = core.classification
        self._cache = self._cache or parts.cache.FeatureCache()
        prompting = _read_prompting(classes, templates, custom_templates, class_prompts)
        images = core.explain.check_images(image_to_core(image))
        with host.progress() as report:
            found = parts.classify.classify(
                clip.ready(), images, prompting, ensemble, temperature, fit, self._cache, image, report
            )
            heat, coarse = self._maps(clip, image, images, found, maps, maps_of_classes, fit, report)
        chart = core.drawing.class_chart.class_chart(images.movedim(1, -1).cpu(), found, top_k).unsqueeze(0)
        labels = [found.names[index] for index in found.scores.top.tolist()]
        scores = {
            "clip": clip.clip.name,
            "ensemble": ensemble,
            "temperature": temperature,
            "templates": "learned" if class_prompts else len(prompting.templates),
            **parts.results.scores_report(found, top_k),
        }
        selected = parts.results.select_images(found, threshold)
        texts = (core.report.to_json(data) for data in (scores, selected))
        result = (labels, labels[0], next(texts), chart, heat, next(texts))
        lens = host.show_lens(lambda: core.lens.classes_lens(images, found, top_k, coarse))
        return {"ui": {**host.preview_images(chart), **lens}, "result": result}

    def _maps(
        self,
        clip: HostedClip,
        image: torch.Tensor,
        images: torch.Tensor,
        found: Classification,
        method: str,
        most: int,
        fit: str,
        report: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Heat of each image's class ``[B, H, W]`` in 0..1, and coarse maps of its best classes; made anew only where
        these are others or their directions changed."""
        import torch

        if method == _NO_MAPS:
            return torch.zeros(len(images), *images.shape[-2:]), None
        assert self._cache is not None
        scores = found.scores
        classes = scores.ranking[:, :most]
        vectors = scores.class_vectors[classes]
        projection = projection_for(clip.clip) if method == "eclip" else None
        options = core.methods.MapOptions(projection=projection)
        key = ("maps", method, repr(options), fit, vectors.numpy().tobytes())

        def make() -> tuple[torch.Tensor, torch.Tensor]:
            maps, coarse = core.classification.winning_maps.class_maps(
                clip.clip, images, classes, scores.class_vectors, method, options, fit, report
            )
            return core.maps.normalize_map(maps), coarse

        return self._cache.of_images(clip.clip, image, key, make)


def _read_prompting(classes: str, preset: str, custom: str, learned: ClassPrompts | None) -> Prompting:
    parts = core.classification
    if learned is not None and not classes.strip():
        listed = parts.classes.from_names(learned.classes)
    else:
        listed = parts.classes.parse_classes(classes)
    return parts.classify.Prompting(listed, parts.templates.choose_templates(preset, custom), learned)
