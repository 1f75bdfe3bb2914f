"""open_clip's pretrained models, kept in plain folders, downloaded only when the user asks.

A model's files live in ``<folder>/<model>.<tag>/``, where a user can put them by hand as well.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..clip import ExplainableCLIP
from ..errors import InputError
from .checkpoints import load_checkpoint

WEIGHT_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")
_SIDE_FILES = ("open_clip_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")

# The models that are offered in the list; any other "model/tag" of open_clip works through the API as well.
PRETRAINED: tuple[tuple[str, str], ...] = (
    ("ViT-B-32", "openai"),
    ("ViT-B-32", "laion2b_s34b_b79k"),
    ("ViT-B-32", "datacomp_xl_s13b_b90k"),
    ("ViT-B-32-256", "datacomp_s34b_b86k"),
    ("ViT-B-16", "openai"),
    ("ViT-B-16", "laion2b_s34b_b88k"),
    ("ViT-B-16", "datacomp_xl_s13b_b90k"),
    ("ViT-B-16-quickgelu", "dfn2b"),
    ("ViT-B-16-quickgelu", "metaclip_fullcc"),
    ("ViT-L-14", "openai"),
    ("ViT-L-14", "laion2b_s32b_b82k"),
    ("ViT-L-14", "datacomp_xl_s13b_b90k"),
    ("ViT-L-14-336", "openai"),
    ("ViT-H-14", "laion2b_s32b_b79k"),
    ("ViT-H-14-quickgelu", "dfn5b"),
    ("ViT-g-14", "laion2b_s34b_b88k"),
    ("ViT-bigG-14", "laion2b_s39b_b160k"),
    ("ViT-B-16-SigLIP", "webli"),
    ("ViT-L-16-SigLIP-256", "webli"),
    ("ViT-SO400M-14-SigLIP", "webli"),
    ("ViT-B-16-SigLIP2", "webli"),
    ("ViT-L-16-SigLIP2-256", "webli"),
    ("ViT-SO400M-14-SigLIP2", "webli"),
    ("RN50", "openai"),
    ("RN101", "openai"),
    ("RN50x4", "openai"),
    ("coca_ViT-B-32", "laion2b_s13b_b90k"),
    ("coca_ViT-L-14", "laion2b_s13b_b90k"),
    ("EVA02-B-16", "merged2b_s8b_b131k"),
    ("EVA02-L-14", "merged2b_s4b_b131k"),
)


def load_pretrained(
    model: str, tag: str, folder: Path, download: bool = False, dtype: torch.dtype = torch.float32
) -> ExplainableCLIP:
    """Load an open_clip pretrained model from its folder, downloading it there first if allowed and needed.

    Raises:
        InputError: open_clip has no such model, or its files are absent and ``download`` is False, or the download
            failed.
    """
    import open_clip

    entry = open_clip.pretrained.get_pretrained_cfg(model, tag)
    if not entry:
        raise InputError(f"open_clip has no pretrained model {model}/{tag}; see open_clip.list_pretrained()")
    home = home_of(model, tag, folder)
    weights = _weights_in(home)
    if weights is None:
        if not download:
            raise InputError(
                f"{model}/{tag} is not on this machine: put {WEIGHT_FILES[0]} of {_where(entry)} into {home}, "
                "or switch the 'download' widget on to have it fetched there"
            )
        weights = _download(entry, home)
    loaded = load_checkpoint(weights, "quick_gelu" if entry.get("quick_gelu") else "auto", model, dtype)
    mean, std = (
        tuple(entry.get(key) or value) for key, value in (("mean", loaded.image_mean), ("std", loaded.image_std))
    )
    return replace(loaded, name=f"{model}/{tag}", image_mean=mean, image_std=std)


def home_of(model: str, tag: str, folder: Path) -> Path:
    """The folder of a pretrained model; it need not exist."""
    return folder / f"{model}.{tag}"


def _weights_in(home: Path) -> Path | None:
    return next((home / name for name in WEIGHT_FILES if (home / name).is_file()), None)


def _where(entry: dict[str, Any]) -> str:
    return f"huggingface.co/{entry['hf_hub'].strip('/')}" if entry.get("hf_hub") else str(entry.get("url"))


def _download(entry: dict[str, Any], home: Path) -> Path:
    """Fetch the weights, and configuration and tokenizer where the repository has them, into ``home``."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import EntryNotFoundError

    if not entry.get("hf_hub"):
        import open_clip

        return Path(open_clip.download_pretrained(entry, cache_dir=str(home)))
    repository = entry["hf_hub"].strip("/")

    def fetch(name: str) -> Path | None:
        try:
            return Path(hf_hub_download(repository, name, local_dir=home))
        except EntryNotFoundError:
            return None
        except Exception as error:  # the hub's client raises many types: no network, no space, no permission …
            raise InputError(f"download of {name} from huggingface.co/{repository} failed: {error}") from error

    weights = next((path for path in map(fetch, WEIGHT_FILES) if path), None)
    if weights is None:
        raise InputError(f"huggingface.co/{repository} has none of {', '.join(WEIGHT_FILES)}")
    for name in _SIDE_FILES:
        fetch(name)
    return weights
