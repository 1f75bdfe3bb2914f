"""Write a training run's averaged weights, with the autoencoder's, as the shipped fp16 file.

COMFYUI_PATH=/path/to/ComfyUI python training/export_demo_diffusion.py /tmp/d --autoencoder /tmp/autoencoder.pt
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from diffusion_world import CLASSES, SIDE, ScenePainter
from host_networks import TEXT_CONFIG, TOKENS, UNET_CONFIG, VAE_PARAMS, build_autoencoder, encode
from safetensors.torch import save_file
from train_demo_diffusion import LINEAR

TARGET = Path(__file__).resolve().parent.parent / "core" / "demo" / "assets" / "demo_diffusion.safetensors"


@torch.no_grad()
def linear_preview(autoencoder: torch.nn.Module, shift: float, scale: float) -> tuple[list[list[float]], list[float]]:
    """Least-squares colours, -1..1, of the UNet's latents: factors [C][3] and bias [3]."""
    images = ScenePainter(77).batch(96).images * 2 - 1
    latents = (encode(autoencoder, images) - shift) * scale
    colours = torch.nn.functional.avg_pool2d(images, 8).permute(0, 2, 3, 1).flatten(0, 2)
    rows = latents.permute(0, 2, 3, 1).flatten(0, 2)
    rows = torch.cat([rows, torch.ones(len(rows), 1)], 1)
    found = torch.linalg.lstsq(rows, colours).solution
    left = 1 - (rows @ found - colours).square().mean() / colours.var(0).mean()
    print(f"linear preview explains {left:.1%} of the colours' variance")
    return [[round(v, 4) for v in row] for row in found[:-1].tolist()], [round(v, 4) for v in found[-1].tolist()]


def host_name(name: str) -> str:
    """Names as the host has them: Transformers 5 dropped a level of the text model's."""
    return name.replace("text.model.text_model.", "text.model.").replace("text.model.", "text.text_model.")


def export(run: Path, autoencoder_file: Path, target: Path = TARGET) -> None:
    """Store UNet, text encoder and autoencoder, half precision, with all that the host needs to build them."""
    stored = torch.load(run / "average.pt", weights_only=True)
    autoencoder = build_autoencoder()
    autoencoder.load_state_dict(torch.load(autoencoder_file, weights_only=True))
    facts = stored["facts"]
    shift, scale = facts.pop("shift"), facts.pop("scale")
    factors, bias = linear_preview(autoencoder, shift, scale)
    config = {
        "classes": CLASSES,
        "side": SIDE,
        "unet": UNET_CONFIG,
        "vae": VAE_PARAMS,
        "text": TEXT_CONFIG,
        "tokens": TOKENS,
        "prediction": "v",
        "beta_ends": LINEAR,
        "latent_shift": shift,
        "latent_scale": scale,
        "rgb_factors": factors,
        "rgb_bias": bias,
        "training": facts,
    }
    tensors = {host_name(name): weight.half().contiguous() for name, weight in stored["weights"].items()}
    tensors |= {f"vae.{name}": weight.half().contiguous() for name, weight in autoencoder.state_dict().items()}
    tensors["token_ids"] = stored["token_ids"].int()
    save_file(tensors, str(target), {"config": json.dumps(config)})
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB, {facts['samples']} scenes seen")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path, help="the --out folder of train_demo_diffusion.py")
    parser.add_argument("--autoencoder", type=Path, required=True)
    options = parser.parse_args()
    export(options.run, options.autoencoder)
