"""Write a training run's averaged weights as the shipped fp16 file.

python training/export_demo_clip.py /tmp/run
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
import vocabulary
from art_table import (
    COLOUR_VENDORS,
    EMOJI_VENDORS,
    ICON_NAMES,
    MONOCHROME_VENDORS,
    TEST_VENDOR,
    VALIDATION_VENDOR,
)
from model import EMBED_DIM, MEAN, STD, TEXT_CFG, VISION_CFG
from safetensors.torch import save_file

TARGET = Path(__file__).resolve().parent.parent / "core" / "demo" / "assets" / "demo_clip.safetensors"


def export(run: Path, target: Path = TARGET) -> None:
    """Store the averaged weights of `run`, half precision, with the token rows in use and all facts."""
    stored = torch.load(run / "average.pt", weights_only=True)
    vendors = {**EMOJI_VENDORS, **COLOUR_VENDORS, **MONOCHROME_VENDORS}
    config = {
        "embed_dim": EMBED_DIM,
        "vision_cfg": VISION_CFG,
        "text_cfg": TEXT_CFG,
        "image_mean": MEAN,
        "image_std": STD,
        "training": {
            **stored["facts"],
            "classes": list(ICON_NAMES),
            "vendors": {v: n for v, n in vendors.items() if v not in (TEST_VENDOR, VALIDATION_VENDOR)},
            "validation_vendor": VALIDATION_VENDOR,
            "test_vendor": TEST_VENDOR,
        },
    }
    tensors = {name: weight.half().contiguous() for name, weight in stored["weights"].items()}
    # Runs begun before token ids were stored with the weights had today's vocabulary.
    tensors["token_ids"] = stored.get("token_ids", torch.tensor(vocabulary.known_ids(), dtype=torch.int32))
    save_file(tensors, str(target), {"config": json.dumps(config)})
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB, {stored['facts']['samples']} scenes seen")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path, help="the --out folder of train_demo_clip.py")
    export(parser.parse_args().run)
