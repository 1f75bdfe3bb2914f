"""What a checkpoint is, from its tensors' names, where it is not the CLIP that it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ..errors import InputError

_FITS = (
    "choose a whole CLIP with both towers (open_clip's open_clip_model.safetensors, or model.safetensors of a Hugging "
    "Face CLIP)"
)
_FROM_PARTS = ", or make a CLIP of {} with the node Explainable CLIP from Parts"


def _begins(*prefixes: str) -> Callable[[str], bool]:
    return lambda key: key.startswith(prefixes)


def _has(*parts: str) -> Callable[[str], bool]:
    return lambda key: any(part in key for part in parts)


# The first that fits any tensor is named: a file of several parts before its parts.
_OTHERS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("is a LoRA", lambda key: key.startswith(("lora_", "lycoris_")) or _has(".lora_", ".hada_w", ".lokr_w")(key)),
    ("is a ControlNet", _begins("control_model.", "controlnet_")),
    ("is an IP-Adapter", _begins("ip_adapter.", "image_proj.")),
    ("is a checkpoint of a diffusion model", _begins("model.diffusion_model.")),
    (
        "is a diffusion model without its text encoder",
        _begins(
            "down_blocks.", "input_blocks.", "double_blocks.", "joint_blocks.", "transformer_blocks.",
            "diffusion_model.",
        ),
    ),
    ("is the autoencoder (VAE) of a diffusion model", _begins("first_stage_model.", "decoder.conv_in.")),
    ("is a textual inversion embedding", lambda key: key in ("emb_params", "clip_l", "clip_g", "string_to_param")),
    ("is a CLIPSeg, a CLIP with a decoder of its own", _begins("decoder.film_", "decoder.reduces.")),
    (
        "is a BLIP, which compares pictures and texts in another way",
        _begins("visual_encoder.", "text_decoder.bert.", "qformer.", "Qformer.", "query_tokens"),
    ),
    (
        "is a language model that reads pictures",
        _has("language_model.", "multi_modal_projector.", "visual.merger.", "model.layers.0.self_attn."),
    ),
    (
        "is an EVA CLIP in its authors' own format; the same model is in open_clip's format as timm/eva02_… or "
        "timm/eva_… with 'clip' in its name",
        _begins("visual.blocks.", "visual.cls_token"),
    ),
    (
        "is a CLIP whose text tower is another language model's (Chinese CLIP, AltCLIP and the like), which can't be "
        "explained",
        _begins("bert.", "text_model.roberta.", "text_model.encoder.layer.", "text_model.embeddings.word_embeddings."),
    ),
    ("is a T5 text encoder", _begins("shared.weight", "encoder.block.0.")),
    (
        "is an image tower of another kind than CLIP's",
        _begins("cls_token", "blocks.0.", "patch_embed.", "embeddings.cls_token", "embeddings.patch_embeddings."),
    ),
)  # fmt: skip


def require_clip(keys: Iterable[str], file_name: str) -> None:
    """Raise :class:`InputError`, which says what the file is and what fits, unless it holds both towers of a CLIP.

    Args:
        keys: names of its tensors, in open_clip's format.
    """
    names = sorted(keys)
    has_image = any(map(_begins("visual."), names)) and not any(map(_begins("visual.blocks."), names))
    has_text = any(map(_begins("token_embedding.weight", "text."), names))
    if not has_image or not has_text:
        raise InputError(f"checkpoint {file_name or 'given'} {_what(names, has_image, has_text)}")


def _what(names: list[str], has_image: bool, has_text: bool) -> str:
    if not names:
        return f"is empty; {_FITS}"
    first = f"its first tensors are {', '.join(name[:60] for name in names[:3])}"
    kind = next((kind for kind, fits in _OTHERS if any(map(fits, names))), None)
    if kind is not None:
        return f"{kind}; {first}; {_FITS}"
    image = has_image or any(map(_begins("vision_model."), names))
    text = has_text or any(map(_begins("text_model.", "transformer.resblocks."), names))
    if image and text:
        return f"has two towers that are no CLIP's (a SigLIP in Hugging Face's format, cut?); {first}; {_FITS}"
    if image:
        if any("head.probe" in name or name.endswith("patch_embedding.bias") for name in names):
            return f"has an image tower but no text tower (a SigLIP Vision file); {_FITS}"
        return (
            f"has an image tower but no text tower (a CLIP Vision file?); {_FITS}"
            f"{_FROM_PARTS.format('this file and a text encoder')}"
        )
    if text:
        return (
            f"has a text tower but no image tower (a text encoder of a diffusion model, a fine-tune's TE-only file?); "
            f"{_FITS}{_FROM_PARTS.format('this file and a CLIP Vision file')}"
        )
    return f"has no CLIP in it; {first}; {_FITS}"


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
