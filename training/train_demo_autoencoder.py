"""Train the autoencoder of the demo diffusion model on one CPU core.

COMFYUI_PATH=/path/to/ComfyUI python training/train_demo_autoencoder.py --out /tmp/autoencoder.pt
"""

from __future__ import annotations

import argparse
import json
import math
import time

import torch
import torch.nn.functional as F
from diffusion_world import SIDE, ScenePainter
from host_networks import build_autoencoder, decode, encode
from muon import Muon

WINDOW = 48
NOISE = 0.15
"""Noise on unit latents in training, so that the decoder forgives what a diffusion model gets slightly wrong."""


def windows(images: torch.Tensor, boxes: list, generator: torch.Generator) -> torch.Tensor:
    """A window of WINDOW pixels from each image, in three of four cases around an object: [B, 3, W, W]."""
    cut = []
    for image, objects in zip(images, boxes, strict=True):
        y, x = torch.randint(SIDE - WINDOW + 1, (2,), generator=generator).tolist()
        if torch.rand((), generator=generator) < 0.75:
            x0, y0, x1, y1 = objects[torch.randint(len(objects), (), generator=generator)] * SIDE
            wobble = torch.randint(-12, 13, (2,), generator=generator).tolist()
            x = min(max(round((x0 + x1 - WINDOW) / 2) + wobble[0], 0), SIDE - WINDOW)
            y = min(max(round((y0 + y1 - WINDOW) / 2) + wobble[1], 0), SIDE - WINDOW)
        cut.append(image[:, y : y + WINDOW, x : x + WINDOW])
    return torch.stack(cut)


def edges(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return images.diff(dim=2), images.diff(dim=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    network, painter = build_autoencoder(), ScenePainter(options.seed)
    kernels = [p for n, p in network.named_parameters() if p.ndim == 4 and not n.endswith("conv_out.weight")]
    others = [p for p in network.parameters() if not any(p is k for k in kernels)]
    muon, adam = Muon(kernels, decay=0.0), torch.optim.AdamW(others, lr=options.lr, betas=(0.9, 0.98), weight_decay=0)
    test = ScenePainter(10_000).batch(24).images * 2 - 1
    began = time.time()
    for step in range(options.steps):
        scenes = painter.batch(options.batch)
        images = windows(scenes.images, scenes.boxes, generator) * 2 - 1
        latents = encode(network, images)
        drawn = decode(network, latents + NOISE * torch.randn_like(latents))
        loss = (drawn - images).abs().mean() + 2 * F.mse_loss(drawn, images)
        loss = loss + sum((a - b).abs().mean() for a, b in zip(edges(drawn), edges(images), strict=True))
        # Unit latents on average: without a price the noise would be outgrown.
        spread = latents.square().mean((0, 2, 3))
        (loss + 0.02 * (spread - 1).square().mean() + 0.02 * latents.mean((0, 2, 3)).square().mean()).backward()
        rate = options.lr * min(1, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * step / options.steps))
        adam.param_groups[0]["lr"] = rate
        muon.step(5 * rate)
        adam.step()
        network.zero_grad()
        if (step + 1) % 200 == 0 or step + 1 == options.steps:
            with torch.no_grad():
                latents = encode(network, test)
                error = F.mse_loss(decode(network, latents), test) / 4
            torch.save(network.state_dict(), options.out)
            report = {"step": step + 1, "loss": round(loss.item(), 4), "psnr": round(-10 * math.log10(error), 2),
                      "latent_std": round(latents.std().item(), 3), "seconds": round(time.time() - began)}  # fmt: skip
            print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
