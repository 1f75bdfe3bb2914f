"""A CLIP from files in open_clip's, OpenAI's or Hugging Face's format, its architecture found out."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import torch

from ..clip import ExplainableCLIP
from ..errors import InputError
from . import hugging_face, siglip
from .activation import Activation, known_activation
from .architecture import build_model, infer_config
from .kinds import require_clip, understood
from .places import Place, is_generic, locate
from .preprocessing import read_json, read_preprocessing
from .tokenizer import find_tokenizer, token_rows
from .weights import OPENAI_MARKS, StateDict, fingerprint, read_weights

_log = logging.getLogger(__name__)
_GUESS = (
    "neither a configuration beside it nor its name says whether it was trained with GELU or QuickGELU, so GELU is a "
    "guess, and a wrong one gives worse scores; set the 'activation' widget, or put its config.json beside it"
)


def load_checkpoint(
    path: str | os.PathLike[str],
    activation: Activation = "auto",
    model_name: str | None = None,
    dtype: torch.dtype = torch.float32,
    tokenizer: Any = None,
) -> ExplainableCLIP:
    """Load a CLIP from a local file, the shards of a sharded one, or a folder; never touches the network.

    The architecture comes from ``model_name`` (one of open_clip's), or a configuration beside the file
    (``<file's stem>.json``, ``open_clip_config.json`` or Hugging Face's ``config.json``), or the tensors themselves.

    Args:
        activation: "auto" takes what the configuration says, else the names under which such weights go around, else
            GELU, which the result's ``notes`` call a guess; the tensors don't show it.
        tokenizer: overrides the tokenizer that belongs to the architecture.

    Raises:
        InputError: the file can't be read, is no CLIP, does not fit its configuration, or its tokenizer's files are
            missing.
    """
    place = locate(path)
    state = read_weights(path)
    name_of_weights = fingerprint(state)
    what = f"checkpoint {place.file}"
    with understood(what):
        is_hugging_face = hugging_face.is_hugging_face(state)
        if is_siglip := is_hugging_face and siglip.is_siglip(state):
            siglip.require_fixed_resolution(state, place.file)
        config, preprocess = _find_config(place.own_config, model_name, state)
        if config is None and is_siglip:
            config = siglip.configuration(state, {})
        by_openai = state.keys() >= OPENAI_MARKS
        state = hugging_face.convert(state) if is_hugging_face else _openai_style(state)
        require_clip(state, place.file)
    notes: list[str] = []
    with understood(what):
        if config is None:
            known = "quick_gelu" if by_openai else known_activation(_names(place))
            config = infer_config(state, place.file, known or "gelu")
            if known is None and activation == "auto" and _has_choice(config):
                notes.append(_GUESS)
        elif model_name is not None and known_activation(_names(place)) == "quick_gelu":
            config["quick_gelu"] = True
        if activation != "auto":
            config["quick_gelu"] = activation == "quick_gelu"
            config.pop("activations", None)
    with understood(f"the configuration of {what}"):
        model = build_model(config, place.folder)
    with understood(what):
        _load_into(model, state, place.file)
    with understood(f"the configuration of {what}"):
        pixels = read_preprocessing(preprocess, place.folder, "logit_bias" in state, is_hugging_face)
    for note in notes:
        _log.warning("%s: %s", place.file, note)
    return ExplainableCLIP(
        model=model.to(dtype),
        tokenizer=tokenizer or find_tokenizer(config, place.folder, place.file, token_rows(model)),
        name=place.name if model_name is None else model_name,
        image_mean=pixels.mean,
        image_std=pixels.std,
        interpolation=pixels.interpolation,
        fingerprint=name_of_weights,
        notes=tuple(notes),
    )


def _find_config(
    path: Path, model_name: str | None, state: StateDict | None = None
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Configuration and preprocessing section, from open_clip's list or from a file beside the checkpoint."""
    if model_name is not None:
        import open_clip

        config = open_clip.get_model_config(model_name)
        if config is None:
            raise InputError(f"model name is {model_name!r}, which open_clip does not know")
        return config, {}
    for candidate in (path.with_suffix(".json"), path.parent / "open_clip_config.json", path.parent / "config.json"):
        content = read_json(candidate)
        with understood(f"configuration {candidate}"):
            if content.get("model_cfg"):
                return content["model_cfg"], content.get("preprocess_cfg", {})
            if "vision_cfg" in content and "text_cfg" in content:
                return content, {}
            if (converted := hugging_face.convert_config(content, state)) is not None:
                return converted, {}
    return None, {}


def _has_choice(config: dict[str, Any]) -> bool:
    """Whether CLIPs of this architecture come with either activation."""
    return not config["vision_cfg"].get("timm_model_name") and "multimodal_cfg" not in config


def _names(place: Place) -> list[str]:
    """What the checkpoint is called: its file, unless thousands are called so, then its folder."""
    return ([] if is_generic(place.file) else [Path(place.file).stem]) + [place.folder.name]


def _openai_style(state: StateDict) -> StateDict:
    """Without the numbers that OpenAI's archives keep among the tensors, and with Long-CLIP's two tables in one."""
    state = {key: value for key, value in state.items() if key not in OPENAI_MARKS}
    state = {key: value for key, value in state.items() if not key.endswith("position_ids")}
    stretched = state.pop("positional_embedding_res", None)
    if stretched is not None:
        # Long-CLIP keeps CLIP's first 20 places as they were trained and learns the others in a table of its own.
        state["positional_embedding"] = torch.cat([state["positional_embedding"][:20], stretched[20:]])
    return state


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
