"""Train the demo diffusion model: a UNet on latents of the demo autoencoder, and its text encoder, on CPU cores.

    COMFYUI_PATH=/path/to/ComfyUI python training/train_demo_diffusion.py --autoencoder /tmp/autoencoder.pt --out /tmp/d
    echo 60000 > /tmp/d/decay      # start the cool-down now and let it take 60 000 scenes

Samples, not time, drive the schedule. Run again with the same --out to resume. Every report draws a sheet of pictures.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusion_world import CLASSES, ScenePainter, caption
from host_networks import TOKENS, build_autoencoder, build_text_encoder, build_unet, decode, encode
from muon import Muon
from PIL import Image

LINEAR = (0.00085, 0.012)
"""Ends of the noise schedule, linear in the square root of beta, as Stable Diffusion's."""
WITHOUT_TEXT = 0.12
UNKNOWN_WORDS = 0.02
END = 49407


def alphas_cumprod() -> torch.Tensor:
    """float32 [1000], the share of the signal's variance left at each time."""
    betas = torch.linspace(LINEAR[0] ** 0.5, LINEAR[1] ** 0.5, 1000, dtype=torch.float64) ** 2
    return (1 - betas).cumprod(0).float()


class Words:
    """Captions to ids [B, 16] padded with the end token, and to rows of a small table of the ids that occur."""

    def __init__(self) -> None:
        from open_clip.tokenizer import SimpleTokenizer

        self.tokenizer = SimpleTokenizer(context_length=TOKENS)
        rng = np.random.default_rng(0)
        seen = [caption(rng, [a, b]) for a in CLASSES for b in CLASSES for _ in range(4)]
        seen += [caption(rng, [a]) for a in CLASSES for _ in range(8)]
        self.known = torch.unique(torch.cat([self.ids(seen).flatten(), self.ids([""]).flatten()]))

    def ids(self, texts: list[str]) -> torch.Tensor:
        found = self.tokenizer(texts)
        ends = (found == END).int().argmax(1, keepdim=True)
        return found.masked_fill(torch.arange(TOKENS) > ends, END)

    def rows(self, ids: torch.Tensor) -> torch.Tensor:
        """Rows of the table; the last one stands for all other words."""
        found = torch.searchsorted(self.known, ids).clamp(max=len(self.known) - 1)
        return torch.where(self.known[found] == ids, found, len(self.known))


class TextEncoder(torch.nn.Module):
    """A CLIP text model over a small table of word embeddings."""

    def __init__(self, words: Words) -> None:
        super().__init__()
        self.words = words
        self.model = build_text_encoder(len(words.known) + 1)

    def forward(self, texts: list[str], unknown: float = 0.0) -> torch.Tensor:
        ids = self.words.ids(texts)
        rows = self.words.rows(ids)
        inner = (ids != END) & (torch.arange(TOKENS) > 0)
        rows = rows.masked_fill(inner & (torch.rand(rows.shape) < unknown), len(self.words.known))
        return self.model(input_ids=rows).last_hidden_state


class Trainer:
    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.out = args, Path(args.out)
        self.out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(args.seed)
        self.unet, self.text = build_unet(), TextEncoder(Words())
        self.named = {f"unet.{n}": p for n, p in self.unet.named_parameters()}
        self.named |= {f"text.{n}": p for n, p in self.text.named_parameters() if p.requires_grad}
        outer = ("input_blocks.0.", "unet.out.", "time_embed", "token_embedding", "position_embedding")
        inner = [p for n, p in self.named.items() if p.ndim >= 2 and not any(part in n for part in outer)]
        rest = [p for p in self.named.values() if not any(p is q for q in inner)]
        self.muon = Muon(inner, decay=0.01)
        self.adam = torch.optim.AdamW(rest, lr=args.lr, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
        self.average = [p.detach().clone() for p in self.named.values()]
        self.samples, self.step, self.decay = 0, 0, None
        if (self.out / "checkpoint.pt").exists():
            self.load()
        self.autoencoder = build_autoencoder()
        self.autoencoder.load_state_dict(torch.load(args.autoencoder, weights_only=True))
        self.signal = alphas_cumprod()
        self.prepare()
        torch.manual_seed(args.seed + 1 + self.samples)

    @torch.no_grad()
    def prepare(self) -> None:
        """Encode the scenes that training draws on, once."""
        path = self.out / f"latents_{self.args.scenes}.pt"
        if not path.exists():
            painter, latents, labels = ScenePainter(self.args.seed + 1), [], []
            while len(labels) < self.args.scenes:
                scenes = painter.batch(64)
                latents.append(encode(self.autoencoder, scenes.images * 2 - 1).half())
                labels += scenes.labels
            torch.save({"latents": torch.cat(latents), "labels": labels}, path)
        stored = torch.load(path, weights_only=True)
        self.latents, self.labels = stored["latents"], stored["labels"]
        sample = self.latents[:2000].float()
        self.shift, self.scale = sample.mean().item(), 1 / sample.std().item()
        self.painter = ScenePainter(self.args.seed + 2 + self.samples)

    def load(self) -> None:
        state = torch.load(self.out / "checkpoint.pt", weights_only=True)
        for parameter, value in zip(self.named.values(), state["parameters"], strict=True):
            parameter.data.copy_(value)
        self.adam.load_state_dict(state["adam"])
        self.muon.buffers, self.average = state["muon"], state["average"]
        self.samples, self.step, self.decay = state["samples"], state["step"], state["decay"]

    def save(self) -> None:
        state = {
            "parameters": [p.detach() for p in self.named.values()],
            "adam": self.adam.state_dict(),
            "muon": self.muon.buffers,
            "average": self.average,
            "samples": self.samples,
            "step": self.step,
            "decay": self.decay,
        }
        torch.save(state, self.out / "next.pt")
        (self.out / "next.pt").rename(self.out / "checkpoint.pt")
        facts = {"samples": self.samples, "seed": self.args.seed, "lr": self.args.lr, "batch": self.args.batch,
                 "shift": self.shift, "scale": self.scale, "decay": self.decay}  # fmt: skip
        weights = dict(zip(self.named, self.average, strict=True))
        torch.save({"weights": weights, "facts": facts, "token_ids": self.text.words.known}, self.out / "average.pt")

    def rate(self) -> float:
        warm = min(1.0, (self.step + 1) / 200)
        left = 1.0 if self.decay is None else 1 - (self.samples - self.decay[0]) / self.decay[1]
        return self.args.lr * warm * max(left, 0.0)

    def told(self, labels: list[tuple[int, ...]]) -> list[str]:
        """A caption for each scene: none, one object of two, or all."""
        rng, texts = self.painter.rng, []
        for these in labels:
            names = [CLASSES[c] for c in these]
            if len(names) == 2 and rng.random() < self.painter.partial:
                names = [names[rng.integers(2)]]
            texts.append("" if rng.random() < WITHOUT_TEXT else caption(rng, names))
        return texts

    def train_step(self) -> float:
        index = torch.randint(len(self.labels), (self.args.batch,))
        clean = (self.latents[index].float() - self.shift) * self.scale
        context = self.text(self.told([self.labels[i] for i in index.tolist()]), UNKNOWN_WORDS)
        time_index = torch.randint(1000, (self.args.batch,))
        signal = self.signal[time_index].view(-1, 1, 1, 1)
        noise = torch.randn_like(clean)
        noisy = signal.sqrt() * clean + (1 - signal).sqrt() * noise
        target = signal.sqrt() * noise - (1 - signal).sqrt() * clean
        loss = F.mse_loss(self.unet(noisy, time_index.float(), context=context), target)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(self.named.values()), 1.0)
        self.adam.param_groups[0]["lr"] = self.rate()
        self.adam.step()
        self.muon.step(self.rate() * self.args.muon)
        for parameter in self.named.values():
            parameter.grad = None
        self.step += 1
        self.samples += self.args.batch
        keep = min(0.998, 1 - 1 / (1 + self.step / 20))
        torch._foreach_lerp_(self.average, [p.detach() for p in self.named.values()], 1 - keep)
        return loss.item()

    @torch.no_grad()
    def draw(self, texts: list[str], seed: int = 0, steps: int = 20, guidance: float = 3.0) -> torch.Tensor:
        """Pictures [B, 3, 96, 96] in 0..1 by DDIM with the averaged weights."""
        held = [p.detach().clone() for p in self.named.values()]
        for parameter, mean in zip(self.named.values(), self.average, strict=True):
            parameter.data.copy_(mean)
        x = torch.randn(len(texts), 8, 12, 12, generator=torch.Generator().manual_seed(seed))
        context = self.text(texts + [""] * len(texts))
        times = torch.linspace(999, 0, steps + 1).round().long()
        for now, then in itertools.pairwise(times):
            signal, later = self.signal[now], self.signal[then]
            v = self.unet(torch.cat([x, x]), now.float().expand(2 * len(x)), context=context)
            with_text, without = v.chunk(2)
            v = without + guidance * (with_text - without)
            clean = signal.sqrt() * x - (1 - signal).sqrt() * v
            noise = signal.sqrt() * v + (1 - signal).sqrt() * x
            x = later.sqrt() * clean + (1 - later).sqrt() * noise
        for parameter, own in zip(self.named.values(), held, strict=True):
            parameter.data.copy_(own)
        return (decode(self.autoencoder, x / self.scale + self.shift) / 2 + 0.5).clamp(0, 1)

    def sheet(self) -> None:
        rng = np.random.default_rng(5)
        texts = [f"a photo of {a} and {b}" for a, b in
                 ([f"a {CLASSES[c]}" for c in rng.permutation(16)[:2]] for _ in range(12))] + [""] * 4  # fmt: skip
        pictures = self.draw(texts).view(2, 8, 3, 96, 96).permute(0, 3, 1, 4, 2).reshape(192, 768, 3)
        Image.fromarray((pictures * 255).byte().numpy()).save(self.out / "sheet.png")

    def run(self) -> None:
        began, before, losses, count = time.time(), self.samples, 0.0, 0
        while self.decay is None or self.samples < sum(self.decay):
            if self.decay is None and (self.out / "decay").exists():
                self.decay = (self.samples, int((self.out / "decay").read_text()))
            losses, count = losses + self.train_step(), count + 1
            last = self.decay is not None and self.samples >= sum(self.decay)
            if time.time() - began > self.args.report_every or last:
                self.save()
                self.sheet()
                line: dict[str, Any] = {"samples": self.samples, "loss": round(losses / count, 4), "lr": self.rate()}
                line |= {"per_second": round((self.samples - before) / (time.time() - began), 1)}
                print(json.dumps(line | {"clock": time.strftime("%H:%M:%S")}), flush=True)
                began, before, losses, count = time.time(), self.samples, 0.0, 0
        print("finished", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True)
    parser.add_argument("--autoencoder", required=True)
    parser.add_argument("--scenes", type=int, default=16_384)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--muon", type=float, default=6.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--report-every", type=float, default=120)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    Trainer(args).run()


if __name__ == "__main__":
    main()
