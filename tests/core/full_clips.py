"""CLIPs with random weights and image towers of full size; their text towers, which map methods don't use, are tiny."""

from __future__ import annotations

import copy
import functools

import open_clip
import torch
from clip_explainability.core.clip import ExplainableCLIP
from tiny_clips import TEXT

NAMES = ["ViT-B-32", "ViT-B-16", "RN50", "ViT-B-16-SigLIP"]


@functools.lru_cache(maxsize=1)
def full_clip(name: str) -> ExplainableCLIP:
    """The random CLIP of an open_clip configuration; the same weights on every call."""
    config = copy.deepcopy(open_clip.get_model_config(name))
    siglip = config.pop("custom_text", False)
    config["text_cfg"] = {**TEXT, "proj_bias": True} if siglip else TEXT
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = (open_clip.CustomTextCLIP if siglip else open_clip.CLIP)(**config)
        for parameter in model.visual.parameters():
            if parameter.dim() >= 2:
                torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
        if name.startswith("RN"):
            for module_name, parameter in model.visual.named_parameters():
                if "bn3.weight" in module_name:
                    torch.nn.init.uniform_(parameter, 0.5, 1.5)
    return ExplainableCLIP(model, open_clip.SimpleTokenizer(context_length=20), name)
