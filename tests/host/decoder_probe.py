"""Gradients of the host's decoders, in the host's own Python: prints one JSON object for each kind.

python tests/host/decoder_probe.py [--comfyui CHECKOUT] [--dtype float16] [KIND ...]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

parser = argparse.ArgumentParser()
parser.add_argument("--comfyui", type=Path)
parser.add_argument("--dtype", default="float32")
parser.add_argument("kinds", nargs="*")
ARGUMENTS = parser.parse_args()
sys.argv = sys.argv[:1]  # the host reads them as well
if ARGUMENTS.comfyui is not None:
    sys.path.insert(0, str(ARGUMENTS.comfyui))
from comfy.cli_args import args  # noqa: E402

args.cpu = True
sys.path[:0] = [str(ROOT / "scripts"), str(HERE)]

import pack  # noqa: E402

pack.load()

import torch  # noqa: E402
from clip_explainability.core.errors import InputError  # noqa: E402
from clip_explainability.core.grad_mode import gradients  # noqa: E402
from clip_explainability.core.guidance.gradient_check import gradient_error  # noqa: E402
from clip_explainability.nodes.host import decoding, guidance  # noqa: E402
from tiny_decoders import KINDS, tiny_decoder  # noqa: E402

torch.set_num_threads(1)
decoding._TINY_NETWORK = -1 if ARGUMENTS.dtype == "float32" else decoding._TINY_NETWORK  # as of their full size


def refusal_if_cut(vae: Any, latents: torch.Tensor) -> str:
    """What is said where half of the gradient is lost."""
    cut = type("Cut", (torch.nn.Module,), {"decode": lambda self, x: x + torch.tanh(x).detach().numpy().sum()})
    broken = type("Vae", (), {**vars(vae), "first_stage_model": cut()})
    broken.process_output = staticmethod(vae.process_output)
    try:
        decoding.check_decoder(broken, lambda x: decoding.decode_latents(broken, x), latents)
    except InputError as error:
        return str(error)
    return ""


def probe(kind: str) -> dict[str, Any] | None:
    with torch.inference_mode():
        vae = tiny_decoder(kind, getattr(torch, ARGUMENTS.dtype))
    if vae is None:
        return None
    shape = (1, vae.latent_channels, *((3,) if vae.latent_dim == 3 else ()), 4, 4)
    latents = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    frames = (0, 2) if vae.latent_dim == 3 else (0,)
    with torch.no_grad():
        plain = decoding.decode_latents(vae, latents, frames)
    state = torch.random.get_rng_state()
    try:
        decoding.check_decoder(vae, lambda x: decoding.decode_latents(vae, x), latents)
    except InputError as error:
        return {"kind": kind, "way": "refused", "error": None, "message": str(error)}
    network = vae.first_stage_model
    way = decoding.way_of(network)
    with gradients(), decoding._precise(vae, way) as element, guidance.gradient_scope([vae.first_stage_model]):
        error = gradient_error(lambda x: decoding.decode_latents(vae, x, frames), latents, element)
    with gradients(), guidance.gradient_scope([network]):
        again = decoding.decode_latents(vae, latents.clone().requires_grad_(), frames).detach()
    return {
        "kind": kind,
        "way": way,
        "error": error,
        "same_pixels": float((again - plain).norm() / plain.norm()),
        "random_numbers_left_alone": torch.equal(state, torch.random.get_rng_state()),
        "refusal_if_cut": refusal_if_cut(vae, latents) if kind == "AutoencoderKL" else "",
    }


for each in ARGUMENTS.kinds or KINDS:
    if (result := probe(each)) is not None:
        print("PROBE", json.dumps(result), flush=True)
