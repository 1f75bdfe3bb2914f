"""Files that a user may put where a CLIP is expected: damaged, dangerous, or something else."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def hostile_checkpoints(traces: Path) -> Iterator[tuple[str, bytes, str]]:
    """Name, content, and what a message about it has to say.

    Args:
        traces: folder into which the pickle bombs would write if they went off.
    """
    import torch
    from safetensors.torch import save

    def pickled(value: Any) -> bytes:
        buffer = io.BytesIO()
        torch.save(value, buffer)
        return buffer.getvalue()

    weights = {f"visual.transformer.resblocks.{n}.attn.in_proj_weight": torch.zeros(96, 32) for n in range(12)}
    weights["token_embedding.weight"] = torch.zeros(600, 32)
    whole, old_whole = save(weights), pickled(weights)
    yield "empty.safetensors", b"", "damaged or incomplete"
    yield "page.safetensors", b"<!DOCTYPE html><html>not found</html>" * 99, "is a web page"
    yield "pointer.pt", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "pointer of Git LFS"
    yield "model.gguf.safetensors", b"GGUF\x03\x00\x00\x00" * 9, "is a GGUF file"
    yield "model-00001-of-00002.safetensors", whole, "is one part of a model in 2 shards"
    for share in (0.01, 0.5, 0.999):
        yield f"cut at {share}.safetensors", whole[: int(len(whole) * share)], "damaged or incomplete"
        yield f"cut at {share}.pt", old_whole[: int(len(old_whole) * share)], "damaged"
    yield "bomb.pt", pickle.dumps({"a": Bomb(traces / "bomb.pt")}), "refused because it could run code"
    yield "zipped bomb.bin", pickled({"state_dict": {"a": Bomb(traces / "bomb.bin")}}), "refused because it could run"
    yield "list.pt", pickled([1, 2, 3]), "not a model's state dict"
    yield "half a clip.safetensors", whole, "lacks"
    for name, key, says in _OTHER_KINDS:
        yield f"{name}.safetensors", save({key: torch.zeros(4, 4)}), says


_OTHER_KINDS = (
    ("diffusion", "model.diffusion_model.input_blocks.0.0.weight", "is a checkpoint of a diffusion model"),
    ("unet", "down_blocks.0.resnets.0.conv1.weight", "is a diffusion model without its text encoder"),
    ("vae", "first_stage_model.decoder.conv_in.weight", "is the autoencoder"),
    ("lora", "lora_unet_down_blocks_0.lora_up.weight", "is a LoRA"),
    ("t5", "shared.weight", "is a T5 text encoder"),
    ("image tower", "vision_model.encoder.layers.0.mlp.fc1.weight", "no text tower"),
    ("text tower", "text_model.encoder.layers.0.mlp.fc1.weight", "no image tower"),
    ("projection", "weight", "has no CLIP in it"),
)


class Bomb:
    """Unpickled without care, it makes a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = str(trace)

    def __reduce__(self) -> Any:
        return open, (self.trace, "w")
