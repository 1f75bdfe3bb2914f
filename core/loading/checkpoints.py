"""A CLIP from a checkpoint file, in open_clip's or Hugging Face's format, its architecture found out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch

from ..clip import OPENAI_MEAN, OPENAI_STD, ExplainableCLIP
from ..errors import InputError
from . import hugging_face
from .architecture import Activation, build_model, infer_config, wants_quick_gelu
from .kinds import require_clip, understood
from .tokenizer import find_tokenizer, token_rows
from .weights import StateDict, fingerprint, read_weights

_HALF = (0.5, 0.5, 0.5)


def load_checkpoint(
    path: str | os.PathLike[str],
    activation: Activation = "auto",
    model_name: str | None = None,
    dtype: torch.dtype = torch.float32,
    tokenizer: Any = None,
) -> ExplainableCLIP:
    """Load a CLIP from a local file; never touches the network.

    The architecture comes from ``model_name`` (one of open_clip's), or a configuration beside the file
    (``<file's stem>.json``, ``open_clip_config.json`` or Hugging Face's ``config.json``), or the tensors themselves.

    Args:
        activation: "auto" takes what the configuration or the file's name says ("openai", "dfn", "metaclip" and
            "quickgelu" mean QuickGELU), else GELU; the tensors don't show it.
        tokenizer: overrides the tokenizer that belongs to the architecture.

    Raises:
        InputError: the file can't be read, is no CLIP, does not fit its configuration, or its tokenizer's files are
            missing.
    """
    path = Path(path)
    state = read_weights(path)
    name_of_weights = fingerprint(state)
    config, preprocess = _find_config(path, model_name)
    with understood(f"checkpoint {path.name}"):
        if hugging_face.is_hugging_face_clip(state):
            state = hugging_face.convert(state)
        require_clip(state, path.name)
        if config is None:
            config = infer_config(state, path.name, activation)
        if activation != "auto":
            config["quick_gelu"] = activation == "quick_gelu"
    with understood(f"the configuration of checkpoint {path.name}"):
        model = build_model(config)
    with understood(f"checkpoint {path.name}"):
        _load_into(model, state, path.name)
    with understood(f"the configuration of checkpoint {path.name}"):
        mean, std = _pixel_statistics(preprocess, state)
    return ExplainableCLIP(
        model=model.to(dtype),
        tokenizer=tokenizer or find_tokenizer(config, path.parent, path.name, token_rows(model)),
        name=path.stem if model_name is None else model_name,
        image_mean=mean,
        image_std=std,
        fingerprint=name_of_weights,
    )


def _find_config(path: Path, model_name: str | None) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Configuration and preprocessing section, from open_clip's list or from a file beside the checkpoint."""
    if model_name is not None:
        import open_clip

        config = open_clip.get_model_config(model_name)
        if config is None:
            raise InputError(f"model name is {model_name!r}, which open_clip does not know")
        if wants_quick_gelu(path.name):
            config["quick_gelu"] = True
        return config, {}
    for candidate in (path.with_suffix(".json"), path.parent / "open_clip_config.json", path.parent / "config.json"):
        if not candidate.is_file():
            continue
        try:
            content = json.loads(candidate.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"configuration {candidate} can't be read ({error}); mend or remove it") from error
        if not isinstance(content, dict):
            raise InputError(f"configuration {candidate} is no JSON object; mend or remove it")
        with understood(f"configuration {candidate}"):
            if content.get("model_cfg"):
                return content["model_cfg"], content.get("preprocess_cfg", {})
            if "vision_cfg" in content and "text_cfg" in content:
                return content, {}
            if content.get("model_type") == "clip":
                return hugging_face.convert_config(content), {}
    return None, {}


def _load_into(model: torch.nn.Module, state: StateDict, file_name: str) -> None:
    expected = model.state_dict()
    if "token_embedding.weight" in state and "text.token_embedding.weight" in expected:
        state = {key if _is_top_level(key) else f"text.{key}": value for key, value in state.items()}
    elif "text.token_embedding.weight" in state and "token_embedding.weight" in expected:
        state = {key.removeprefix("text."): value for key, value in state.items()}
    state = {key: value for key, value in state.items() if not key.endswith("attn_mask")}
    for key in ("logit_scale", "logit_bias"):
        if key in state and key in expected:
            state[key] = state[key].reshape(expected[key].shape)
    missing = [key for key in expected if key not in state and key != "logit_bias"]
    wrong = [key for key, value in state.items() if key in expected and value.shape != expected[key].shape]
    unknown = [key for key in state if key not in expected]
    if missing or wrong or unknown:
        parts = [f"{what}: {', '.join(keys[:3])}" for what, keys in _named(missing, wrong, unknown) if keys]
        raise InputError(
            f"checkpoint {file_name} does not fit its configuration ({'; '.join(parts)}); mend or remove the .json "
            "beside it, or, where there is none, download the checkpoint again"
        )
    whole = [key for key, value in state.items() if not value.is_floating_point() and expected[key].is_floating_point()]
    if whole:
        kind = str(state[whole[0]].dtype).removeprefix("torch.")
        raise InputError(f"checkpoint {file_name} is quantised ({whole[0]} is {kind}); take the fp16 or fp32 file")
    model.load_state_dict(state, strict=False)


def _named(missing: list[str], wrong: list[str], unknown: list[str]) -> list[tuple[str, list[str]]]:
    return [
        (f"{len(missing)} tensors missing", missing),
        (f"{len(wrong)} of another shape", wrong),
        (f"{len(unknown)} unknown", unknown),
    ]


def _is_top_level(key: str) -> bool:
    return key.startswith(("visual.", "text.", "text_decoder.", "logit_"))


def _pixel_statistics(preprocess: dict[str, Any], state: StateDict) -> tuple[Any, Any]:
    # SigLIP models, and they alone, have a logit bias; they were trained on pixels in -1..1.
    default = (_HALF, _HALF) if "logit_bias" in state else (OPENAI_MEAN, OPENAI_STD)
    mean, std = (preprocess.get(key, value) for key, value in zip(("mean", "std"), default, strict=True))
    if len(mean) != 3 or len(std) != 3:
        raise ValueError(f"mean {mean} and std {std} should be three numbers each")
    return tuple(map(float, mean)), tuple(map(float, std))
