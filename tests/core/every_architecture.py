"""Every configuration of the installed open_clip, shrunk: which map methods explain its image tower.

``python tests/core/every_architecture.py`` walks through them all and prints a table; the test takes one of each
structure. Text towers are tiny throughout: map methods don't read them.
"""

from __future__ import annotations

import copy
import functools
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

if __name__ == "__main__":  # in tests the conftest does it
    sys.path[:0] = [str(Path(__file__).parents[2] / "scripts"), str(Path(__file__).parent)]
    import pack

    pack.load()

import open_clip
import timm
import torch
import torch.nn.functional as F
from clip_explainability.core.clip import ExplainableCLIP
from clip_explainability.core.eclip.projection import EclipProjection, initial_projection
from clip_explainability.core.errors import UnsupportedFamilyError
from clip_explainability.core.grad_mode import gradients
from clip_explainability.core.loading.architecture import build_model
from clip_explainability.core.methods import METHODS, MapOptions
from clip_explainability.core.towers.patch_features import head_input
from clip_explainability.core.towers.patch_tokens import run_tower
from tiny_clips import TEXT

SIZES = {"image_size", "patch_size", "width", "layers", "head_width", "mlp_ratio", "timm_drop", "timm_drop_path"}


def narrow(arguments: dict[str, Any]) -> dict[str, Any]:
    """What a timm trunk is built with, of the same structure but of few and narrow layers."""
    small = dict(arguments)
    widths = {"dims": 16, "embed_dims": 32, "depths": 1, "layers": 1}
    small |= {key: (value,) * len(arguments[key]) for key, value in widths.items() if key in arguments}
    if "depth" in small:
        patch = 16 if "embed_layer" in small else small.get("patch_size", 16)  # convolutions stand before a patch of 1
        small |= {"depth": 2, "img_size": (3 * patch, 4 * patch)}
    if isinstance(small.get("num_heads"), tuple):  # Swin: widths double from stage to stage
        small |= {"embed_dim": 32, "num_heads": (1, 2, 4, 8)}
    elif "embed_dim" in small and "embed_layer" not in small:  # a stem of convolutions gives the width
        small |= {"embed_dim": 64, "num_heads": 2}
        if "attn_pool_num_heads" in small:
            small["attn_pool_num_heads"] = 2
    return small


@contextmanager
def trunks_built_by(build: Callable[..., Any]) -> Iterator[None]:
    """timm's models come from ``build(original, class, name, pretrained, **arguments)``."""
    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            original = vars(module).get("build_model_with_cfg") if name.startswith("timm.models.") else None
            if original is not None and not name.endswith("_builder"):
                stack.enter_context(
                    mock.patch.object(module, "build_model_with_cfg", functools.partial(build, original))
                )
        yield


def shrunken(name: str) -> ExplainableCLIP:
    """The configuration's CLIP with random weights, of few narrow layers."""
    config = copy.deepcopy(open_clip.get_model_config(name))
    config |= {"embed_dim": 32, "text_cfg": dict(TEXT)}
    vision = config["vision_cfg"]
    if "multimodal_cfg" in config:
        config["multimodal_cfg"] = {**TEXT, "layers": 1}
        config["text_cfg"] |= {"embed_cls": True, "output_tokens": True}
    if isinstance(vision.get("layers"), list):
        vision |= {"layers": [1, 1, 1, 1], "width": 16, "image_size": 64}
    elif "timm_model_name" not in vision:
        vision |= {"layers": 2, "width": 64, "head_width": 32, "patch_size": 16, "image_size": 64}
        vision |= {"attn_pooler_heads": 4, "attn_pooler_queries": 4}

    def build(original: Any, cls: Any, variant: str, pretrained: bool, **arguments: Any) -> Any:
        return original(cls, variant, False, **narrow(arguments))

    with torch.inference_mode(False), torch.random.fork_rng(), trunks_built_by(build):
        torch.manual_seed(0)
        model = build_model(config)
    return ExplainableCLIP(model, open_clip.SimpleTokenizer(context_length=20), name)


def structures() -> dict[str, list[str]]:
    """Configurations whose image towers differ in nothing but sizes, by the first of their names."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in open_clip.list_models():
        config = open_clip.get_model_config(name)
        vision = {key: value for key, value in config["vision_cfg"].items() if key not in SIZES}
        trunk = vision.pop("timm_model_name", None)
        kind = isinstance(config["vision_cfg"].get("layers"), list), "multimodal_cfg" in config
        groups[repr((sorted(vision.items()), trunk and _trunk(trunk), kind))].append(name)
    return {names[0]: names for names in groups.values()}


@functools.cache
def _trunk(name: str) -> str:
    """Class and arguments of a timm trunk without its sizes."""

    def build(original: Any, cls: Any, variant: str, pretrained: bool, **arguments: Any) -> Any:
        kept = {key: value for key, value in arguments.items() if not _is_size(value) and key != "embed_cfg"}
        return cls.__name__, sorted(kept)

    with trunks_built_by(build), torch.device("meta"):
        return repr(timm.model_entrypoint(name)())


def _is_size(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_size, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def explained(clip: ExplainableCLIP) -> dict[str, str]:
    """What each method says of the CLIP: "map", "refused" with the names of those that apply, or what went wrong."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(1, 3, *clip.image_size, generator=generator)
    with torch.no_grad():
        tower = run_tower(clip, pixels)
        width = head_input(clip, tower.tokens[:, -1:]).shape[-1]
    texts = F.normalize(torch.randn(2, tower.features.shape[-1], generator=generator), dim=-1)
    projection = EclipProjection(*initial_projection(clip, width), clip.fingerprint, clip.name, {})
    options = MapOptions(projection=projection)
    said = {}
    for name, method in METHODS.items():
        try:
            method.require(clip, options)
            with gradients():
                maps = method.patch_maps(clip, pixels, texts, options).maps
            fine = maps.shape == (2, 1, *clip.vision.grid) and bool(maps.isfinite().all())
            said[name] = "map" if fine else f"maps of shape {tuple(maps.shape)}, or not finite"
        except UnsupportedFamilyError as error:
            able = [other for other, each in METHODS.items() if each.applies_to(clip.vision)]
            named = str(error).endswith(f"methods that do: {', '.join(able)}")
            said[name] = "refused" if named and able and name not in able else str(error)
        except Exception as error:  # whatever it is, the table shows it
            said[name] = f"{type(error).__name__}: {error}"
    return said


def main() -> None:
    rows: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for name in open_clip.list_models():
        try:
            clip = shrunken(name)
        except UnsupportedFamilyError as error:
            print(f"{name}: refused ({error})")
            rows["refused", ""]["configurations"] += 1
            continue
        row = rows[clip.vision.family, clip.vision.architecture]
        row["configurations"] += 1
        for method, found in explained(clip).items():
            row[method] += found == "map"
            if found not in ("map", "refused"):
                print(f"{name}: {method} is broken: {found}")
                row["broken"] += 1
    print("| family | architecture | configurations | broken |", " | ".join(METHODS), "|")
    for (family, architecture), row in sorted(rows.items()):
        cells = (row["configurations"], row["broken"], *(row[method] for method in METHODS))
        print(f"| {family} | {architecture} |", " | ".join(map(str, cells)), "|")
    print("configurations", sum(row["configurations"] for row in rows.values()))


if __name__ == "__main__":
    main()
