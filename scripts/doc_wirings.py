"""The graphs on the help pages: what each node is wired to. ``make_pictures.py`` builds and photographs them."""

from __future__ import annotations

import json
from typing import Any

from graph_page import Wiring

Node = tuple[str, str, dict[str, Any]]

CLIP: Node = ("clip", "LoadExplainableCLIP", {})
SCENE: Node = ("scene", "DemoScene", {"objects": "cat, guitar", "seed": 3})
DIFFUSION: Node = ("diffusion", "LoadDemoDiffusion", {})
PROMPT = "a photo of a frog and a donut"
POSITIVE: Node = ("positive", "CLIPTextEncode", {"text": PROMPT})
NEGATIVE: Node = ("negative", "CLIPTextEncode", {"text": ""})
SAMPLER: Node = ("sampler", "KSampler", {"seed": 7, "steps": 20, "cfg": 3, "sampler_name": "euler_ancestral"})
DECODE: Node = ("decode", "VAEDecode", {})
GUIDE: Node = (
    "guide",
    "ExplainabilityGuidance",
    {"prompt": PROMPT, "box_blocks": 0},
)
BOXES = json.dumps(
    {
        "version": 1,
        "boxes": [
            {"label": "a cat", "x": 0.05, "y": 0.35, "width": 0.4, "height": 0.55},
            {"label": "a house", "x": 0.55, "y": 0.15, "width": 0.4, "height": 0.7},
        ],
    }
)
SAMPLING = [
    "diffusion.CLIP > positive.clip",
    "diffusion.CLIP > negative.clip",
    "positive.CONDITIONING > sampler.positive",
    "negative.CONDITIONING > sampler.negative",
    "diffusion.LATENT > sampler.latent_image",
    "sampler.LATENT > decode.samples",
    "diffusion.VAE > decode.vae",
]
GUIDED = ["diffusion.MODEL > guide.model", "diffusion.VAE > guide.vae", "clip.clip > guide.clip",
          "guide.model > sampler.model", *SAMPLING]  # fmt: skip
CLASSES = "cat\ndog\nfish\ncar\nhouse\ntree"
APART: Node = ("scene", "DemoScene", {"objects": "cat, dog, fish, car, house, tree", "apart": True, "seed": 5})


def preview(name: str) -> Node:
    """A node that shows pictures."""
    return name, "PreviewImage", {}


WIRINGS: dict[str, Wiring] = {
    "LoadExplainableCLIP": Wiring(
        [[CLIP, SCENE], [("map", "CLIPRelevancyMap", {"text": "a photo of a cat\na photo of a guitar"})]],
        ["clip.clip > map.clip", "scene.image > map.image"],
        {"map": (400, 10)},
        runs=False,
    ),
    "ExplainableCLIPFromParts": Wiring(
        [
            [
                ("vision", "CLIPVisionLoader", {"clip_name": "CLIP-ViT-bigG-14-laion2B-39B-b160k.safetensors"}),
                (
                    "encoders",
                    "DualCLIPLoader",
                    {"clip_name1": "clip_l.safetensors", "clip_name2": "clip_g.safetensors"},
                ),
            ],
            [("join", "ExplainableCLIPFromParts", {}), SCENE],
            [("map", "CLIPRelevancyMap", {"text": "a photo of a cat\na photo of a guitar"})],
        ],
        [
            "vision.CLIP_VISION > join.clip_vision",
            "encoders.CLIP > join.clip",
            "join.clip > map.clip",
            "scene.image > map.image",
        ],
        {"map": (400, 10)},
        runs=False,
    ),
    "CLIPRelevancyMap": Wiring(
        [
            [CLIP, SCENE],
            [("map", "CLIPRelevancyMap", {})],
            [preview("words"), ("to image", "MaskToImage", {})],
            [preview("mask")],
        ],
        [
            "clip.clip > map.clip",
            "scene.image > map.image",
            "scene.prompts > map.text",
            "map.words > words.images",
            "map.mask > to image.mask",
            "to image.IMAGE > mask.images",
        ],
        {"map": (420, 10)},
    ),
    "CompareMethods": Wiring(
        [
            [CLIP, SCENE],
            [("compare", "CompareMethods", {"methods": "relevancy\nlegrad\ngrad_eclip\nsurgery\neclip"})],
            [preview("grid")],
        ],
        [
            "clip.clip > compare.clip",
            "scene.image > compare.image",
            "scene.prompts > compare.text",
            "compare.grid > grid.images",
        ],
        {"compare": (340, 10), "grid": (340, 560)},
    ),
    "MapMetrics": Wiring(
        [
            [CLIP, SCENE],
            [("map", "CLIPRelevancyMap", {})],
            [("metrics", "MapMetrics", {}), preview("overlay")],
        ],
        [
            "clip.clip > map.clip",
            "scene.image > map.image",
            "scene.prompts > map.text",
            "map.heatmap > metrics.maps",
            "scene.masks > metrics.masks",
            "map.overlay > overlay.images",
        ],
        {"map": (360, 10)},
    ),
    "TrainECLIPProjection": Wiring(
        [
            [CLIP, ("scene", "DemoScene", {"objects": "", "scenes": 64, "seed": 9, "width": 96, "height": 96})],
            [("train", "TrainECLIPProjection", {"save_as": "", "batch_size": 16, "epochs": 30})],
            [("compare", "CompareMethods", {"methods": "itsm\neclip"})],
        ],
        [
            "clip.clip > train.clip",
            "scene.image > train.image",
            "scene.captions > train.captions",
            "train.eclip_projection > compare.eclip_projection",
            "clip.clip > compare.clip",
            "scene.image > compare.image",
        ],
        {"train": (380, 10)},
    ),
    "PickSpatialConstraint": Wiring(
        [
            [("boxes", "BoxSpatialConstraint", {"boxes": BOXES})],
            [("pick", "PickSpatialConstraint", {}), DIFFUSION],
            [("encode", "CLIPTextEncode", {})],
            [("region", "ConditioningSetMask", {})],
        ],
        [
            "boxes.constraints > pick.constraints",
            "pick.prompt > encode.text",
            "diffusion.CLIP > encode.clip",
            "encode.CONDITIONING > region.conditioning",
            "pick.mask > region.mask",
        ],
        {"boxes": (480, 10)},
        runs=False,
    ),
    "ExplainabilityGuidance": Wiring(
        [[DIFFUSION, POSITIVE, NEGATIVE], [CLIP, GUIDE], [SAMPLER], [DECODE, preview("shown")]],
        [*GUIDED, "decode.IMAGE > shown.images"],
        {"guide": (340, 10), "shown": (240, 300), "decode": (240, 10)},
    ),
    "GuidanceReport": Wiring(
        [
            [DIFFUSION, POSITIVE, NEGATIVE],
            [CLIP, GUIDE],
            [SAMPLER, DECODE],
            [("report", "GuidanceReport", {}), preview("steps")],
        ],
        [
            *GUIDED,
            "guide.record > report.record",
            "decode.IMAGE > report.image",
            "report.steps > steps.images",
        ],
        {"guide": (320, 10), "report": (420, 10), "steps": (420, 360)},
    ),
    "OptimizeLatent": Wiring(
        [
            [DIFFUSION, CLIP],
            [("optimize", "OptimizeLatent", {"prompt": "a photo of a donut"})],
            [DECODE, ("report", "GuidanceReport", {})],
            [preview("shown")],
        ],
        [
            "clip.clip > optimize.clip",
            "diffusion.VAE > optimize.vae",
            "diffusion.LATENT > optimize.latent",
            "optimize.latent > decode.samples",
            "diffusion.VAE > decode.vae",
            "decode.IMAGE > shown.images",
            "optimize.record > report.record",
            "decode.IMAGE > report.image",
        ],
        {"optimize": (320, 10), "shown": (220, 10)},
        runs=False,
    ),
    "FindNeglectedWords": Wiring(
        [
            [CLIP, SCENE],
            [("find", "FindNeglectedWords", {"prompt": "a cat beside a guitar and a tree"})],
            [preview("words")],
        ],
        ["clip.clip > find.clip", "scene.image > find.image", "find.words > words.images"],
        {"find": (420, 10), "words": (420, 10)},
    ),
    "PickBestExplained": Wiring(
        [
            [CLIP, ("scene", "DemoScene", {"objects": "", "random_objects": 2, "scenes": 4, "seed": 2})],
            [("pick", "PickBestExplained", {"prompt": "a photo of a camera and an apple"}), preview("all")],
            [preview("best")],
        ],
        [
            "clip.clip > pick.clip",
            "scene.image > pick.images",
            "scene.image > all.images",
            "pick.best > best.images",
        ],
        {"pick": (360, 10), "all": (360, 340), "best": (360, 340)},
    ),
    "DemoScene": Wiring(
        [
            [("scene", "DemoScene", {"objects": "house, cat, guitar", "scenes": 2, "seed": 1})],
            [preview("scenes"), ("to image", "MaskToImage", {})],
            [preview("masks")],
        ],
        ["scene.image > scenes.images", "scene.masks > to image.mask", "to image.IMAGE > masks.images"],
        {"scenes": (340, 10), "masks": (300, 10)},
    ),
    "LoadDemoDiffusion": Wiring(
        [[DIFFUSION], [POSITIVE, NEGATIVE], [SAMPLER], [DECODE, preview("shown")]],
        ["diffusion.MODEL > sampler.model", *SAMPLING, "decode.IMAGE > shown.images"],
        {"shown": (240, 300), "decode": (240, 10)},
    ),
    "PromptEnsembleClassifier": Wiring(
        [[CLIP, APART], [("classify", "PromptEnsembleClassifier", {"classes": CLASSES})], [preview("chart")]],
        ["clip.clip > classify.clip", "scene.image > classify.image", "classify.chart > chart.images"],
        {"classify": (380, 10), "chart": (480, 10)},
    ),
    "RouteImagesByClass": Wiring(
        [
            [CLIP, APART],
            [("classify", "PromptEnsembleClassifier", {"classes": CLASSES, "maps": "off"})],
            [("route", "RouteImagesByClass", {"class_name": "house"})],
            [preview("matching"), preview("others")],
        ],
        [
            "clip.clip > classify.clip",
            "scene.image > classify.image",
            "scene.image > route.image",
            "classify.selected > route.selected",
            "route.matching > matching.images",
            "route.others > others.images",
        ],
        {"classify": (360, 10)},
    ),
    "LearnClassPrompts": Wiring(
        [
            [CLIP, APART],
            [("learn", "LearnClassPrompts", {"labels": CLASSES, "epochs": 20})],
            [("classify", "PromptEnsembleClassifier", {"classes": "", "maps": "off"})],
            [preview("chart")],
        ],
        [
            "clip.clip > learn.clip",
            "scene.image > learn.image",
            "learn.class_prompts > classify.class_prompts",
            "clip.clip > classify.clip",
            "scene.image > classify.image",
            "classify.chart > chart.images",
        ],
        {"learn": (380, 10)},
    ),
    "LoadClassPrompts": Wiring(
        [
            [("load", "LoadClassPrompts", {}), CLIP, ("pictures", "LoadImage", {})],
            [("classify", "PromptEnsembleClassifier", {"classes": "", "maps": "off"})],
            [preview("chart")],
        ],
        [
            "load.class_prompts > classify.class_prompts",
            "clip.clip > classify.clip",
            "pictures.IMAGE > classify.image",
            "classify.chart > chart.images",
        ],
        {"classify": (360, 10)},
        runs=False,
    ),
}
