"""What a checkpoint is, from its tensors' names, where it is not the CLIP that it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ..errors import InputError

_FITS = (
    "choose a whole CLIP with both towers (open_clip's open_clip_model.safetensors, or model.safetensors of a Hugging "
    "Face CLIP)"
)


def _begins(*prefixes: str) -> Callable[[str], bool]:
    return lambda key: key.startswith(prefixes)


# The first that fits any tensor is named: a file of several parts before its parts.
_OTHERS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("is a LoRA", lambda key: key.startswith("lora_") or ".lora_" in key),
    ("is a ControlNet", _begins("control_model.", "controlnet_")),
    ("is a checkpoint of a diffusion model", _begins("model.diffusion_model.")),
    (
        "is a diffusion model without its text encoder",
        _begins(
            "down_blocks.", "input_blocks.", "double_blocks.", "joint_blocks.", "transformer_blocks.",
            "diffusion_model.",
        ),
    ),
    ("is the autoencoder (VAE) of a diffusion model", _begins("first_stage_model.", "decoder.conv_in.")),
    ("is a T5 text encoder", _begins("shared.weight", "encoder.block.0.")),
    ("is an image tower of another kind than CLIP's", _begins("cls_token", "blocks.0.", "patch_embed.")),
)  # fmt: skip


def require_clip(keys: Iterable[str], file_name: str) -> None:
    """Raise :class:`InputError`, which says what the file is and what fits, unless it holds both towers of a CLIP.

    Args:
        keys: names of its tensors, in open_clip's format.
    """
    names = sorted(keys)
    has_image = any(map(_begins("visual."), names))
    has_text = any(map(_begins("token_embedding.weight", "text."), names))
    if not has_image or not has_text:
        raise InputError(f"checkpoint {file_name or 'given'} {_what(names, has_image, has_text)}; {_FITS}")


def _what(names: list[str], has_image: bool, has_text: bool) -> str:
    image = has_image or any(map(_begins("vision_model."), names))
    text = has_text or any(map(_begins("text_model."), names))
    if image and text:
        return "has two towers under names that are not a CLIP's (a SigLIP in Hugging Face's format?)"
    if image:
        return "has an image tower but no text tower (a CLIP Vision file?)"
    if text:
        return "has a text tower but no image tower (a text encoder of a diffusion model?)"
    if not names:
        return "is empty"
    kind = next((kind for kind, fits in _OTHERS if any(map(fits, names))), "has no CLIP in it")
    return f"{kind}; its first tensors are {', '.join(name[:60] for name in names[:3])}"


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Around work that trusts a file to be what it looks like: where it is not, an :class:`InputError` says so.

    Args:
        what: of which file, for the message.
    """
    try:
        yield
    except InputError:
        raise
    except KeyError as error:
        raise InputError(f"{what} lacks {error}, which every CLIP has; it is damaged or pruned: {_FITS}") from error
    except (ArithmeticError, AssertionError, AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
        detail = (str(error).splitlines() or [""])[0][:200]
        raise InputError(f"{what} makes no CLIP ({type(error).__name__}: {detail}); {_FITS}") from error
