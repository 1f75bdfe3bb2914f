"""Train the ECLIP projection that is shipped for the demo CLIP: ``python training/train_demo_eclip.py``.

Image-caption pairs only: no masks, no boxes. Scenes use the art that the demo CLIP itself was trained on; a few
hundred more of them, never shown in training, report what came of it. Takes some minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import pack  # noqa: E402

pack.load()

import torch  # noqa: E402
from clip_explainability.core.clip import ExplainableCLIP  # noqa: E402
from clip_explainability.core.datasets.demo import read_demo  # noqa: E402
from clip_explainability.core.demo.clip import load_demo  # noqa: E402
from clip_explainability.core.demo.scenes import draw_scene  # noqa: E402
from clip_explainability.core.eclip.projection import SHIPPED, EclipProjection, save_projection  # noqa: E402
from clip_explainability.core.eclip.training import TrainingSettings, encode_pairs, train_projection  # noqa: E402
from clip_explainability.core.evaluation import metrics  # noqa: E402
from clip_explainability.core.explain import explain  # noqa: E402
from clip_explainability.core.methods import MapOptions  # noqa: E402

VENDOR = "noto"


def draw_pairs(clip: ExplainableCLIP, count: int, seed: int) -> tuple[list[torch.Tensor], list[str]]:
    """``count`` scenes of one to three objects at the tower's size, and their captions."""
    images, captions = [], []
    for index in range(count):
        scene = draw_scene(10_000_019 * (seed + 1) + index, clip.image_size[0], vendor=VENDOR)
        images.append(torch.from_numpy(scene.image).movedim(-1, 0))
        captions.append(scene.caption)
    return images, captions


def report(clip: ExplainableCLIP, projection: EclipProjection, scenes: int) -> str:
    """mSC, pointing and AUC of ITSM and ECLIP on scenes that were not trained on."""
    lines = []
    for method in ("itsm", "eclip"):
        found = []
        for shown in read_demo(scenes, vendor=VENDOR, size=clip.image_size[0], seed=5):
            prompts = [f"a photo of a {entry.label}" for entry in shown.objects]
            maps = explain(clip, shown.image[None], prompts, method, MapOptions(projection=projection)).maps[:, 0]
            found.append(metrics.score_maps(maps, torch.stack([entry.mask for entry in shown.objects]).float(), 0.6))
        numbers = {
            name: float(torch.cat([getattr(scores, name) for scores in found]).nanmean())
            for name in ("contrast", "pointing", "auc", "iou")
        }
        lines.append(f"{method:6} " + "  ".join(f"{name} {value:.3f}" for name, value in numbers.items()))
    return "\n".join(lines)


def main() -> None:
    """Train and save."""
    defaults = TrainingSettings()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=defaults.epochs)
    parser.add_argument("--learning-rate", type=float, default=defaults.learning_rate)
    parser.add_argument("--attention-mass", type=float, default=defaults.attention_mass)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    options = parser.parse_args()
    clip = load_demo()
    images, captions = draw_pairs(clip, options.pairs, seed=0)
    pairs = encode_pairs(clip, images, captions, lambda done: print(f"\r{done} pairs encoded", end="", flush=True))
    settings = TrainingSettings(
        epochs=options.epochs, learning_rate=options.learning_rate, attention_mass=options.attention_mass
    )
    projection = train_projection(
        clip, pairs, settings, lambda history: print("epoch {} of {}: loss {:.4f}, {:.1%}".format(*history[-1]))
    )
    print(save_projection(projection, options.out))
    print(report(clip, projection, scenes=100))


if __name__ == "__main__":
    main()
