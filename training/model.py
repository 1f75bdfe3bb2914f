"""The demo CLIP's architecture, and a forward pass made for training it on CPU cores.

The forward computes what `open_clip.CLIP.encode_image` and `encode_text` do, with explicit
attention, on windows smaller than the image, and with patches dropped.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

IMAGE_SIZE, PATCH = 96, 8
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)

COMPUTE = torch.float32

EMBED_DIM = 128
VISION_CFG: dict[str, Any] = {
    "image_size": IMAGE_SIZE,
    "patch_size": PATCH,
    "width": 192,
    "layers": 6,
    "head_width": 64,
    "mlp_ratio": 2.0,
}
TEXT_CFG: dict[str, Any] = {"context_length": 32, "vocab_size": 49408, "width": 128, "heads": 2, "layers": 3}


def build_model(vocabulary: int) -> nn.Module:
    """A fresh `open_clip.model.CLIP` whose token table has `vocabulary` rows only."""
    from open_clip.model import CLIP

    model = CLIP(EMBED_DIM, VISION_CFG, {**TEXT_CFG, "vocab_size": vocabulary})
    with torch.no_grad():
        # Learnt positions start as waves: what is near is alike from the first step on.
        model.visual.positional_embedding[1:] = 0.5 * _wave_positions(IMAGE_SIZE // PATCH, VISION_CFG["width"])
    return model


def _wave_positions(grid: int, width: int) -> torch.Tensor:
    """Sine and cosine position embeddings [grid * grid, width]."""
    rates = 10.0 ** torch.linspace(0, -2, width // 4)
    angles = torch.arange(grid)[:, None] * rates
    waves = torch.cat([angles.sin(), angles.cos()], 1)
    return torch.cat([waves.repeat_interleave(grid, 0), waves.repeat(grid, 1)], 1)


@torch.no_grad()
def start_patches_whitened(model: nn.Module, images: torch.Tensor) -> None:
    """Let the patch embedding start with the principal components of patches, evened out.

    A random one sees hardly more than a patch's mean colour, which is most of its variance; shape is in the rest.
    """
    mean, std = images.new_tensor(MEAN).view(3, 1, 1), images.new_tensor(STD).view(3, 1, 1)
    patches = ((images - mean) / std).unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH)
    patches = patches.permute(0, 2, 3, 1, 4, 5).flatten(0, 2).flatten(1)
    variances, directions = torch.linalg.eigh(patches.T.cov())
    embedding = directions.T * variances.clamp(min=1e-3 * variances.max().item()).pow(-0.4)[:, None]
    embedding = torch.linalg.qr(torch.randn(len(embedding), len(embedding))).Q @ embedding
    embedding *= 0.7 / (patches @ embedding.T).std()
    model.visual.conv1.weight.copy_(embedding.view_as(model.visual.conv1.weight))


class Seen(NamedTuple):
    """What the vision tower makes of images.

    Attributes:
        features: [B, D], normalised.
        kept: [B, K], the numbers of the patches not left out, row by row from the top.
        read: [B, K, C], what a probe reads from each patch token two blocks before the end; None without a probe.
        values: [B, K, D], normalised: what each patch would add to the features by the last block's value path, which
            is what the gradient of a score by the attention to the patch is made of.
    """

    features: torch.Tensor
    kept: torch.Tensor
    read: torch.Tensor | None
    values: torch.Tensor


def _low(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to(COMPUTE)


def _norm(x: torch.Tensor, norm: nn.LayerNorm) -> torch.Tensor:
    return F.layer_norm(x, norm.normalized_shape, _low(norm.weight), _low(norm.bias), norm.eps)


def _linear(x: torch.Tensor, layer: nn.Linear) -> torch.Tensor:
    return F.linear(x, _low(layer.weight), _low(layer.bias))


def _block(x: torch.Tensor, block: nn.Module, mask: torch.Tensor | None) -> torch.Tensor:
    n, length, width = x.shape
    heads = block.attn.num_heads
    qkv = F.linear(_norm(x, block.ln_1), _low(block.attn.in_proj_weight), _low(block.attn.in_proj_bias))
    q, k, v = qkv.view(n, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
    scores = (q * (width // heads) ** -0.5) @ k.transpose(-2, -1)
    if mask is not None:
        scores = scores + mask[:length, :length]
    mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, length, width)
    x = x + _linear(mixed, block.attn.out_proj)
    return x + _linear(F.gelu(_linear(_norm(x, block.ln_2), block.mlp.c_fc)), block.mlp.c_proj)


def image_features(
    model: nn.Module,
    images: torch.Tensor,
    probe: nn.Linear | None = None,
    keep: torch.Tensor | None = None,
) -> Seen:
    """What the tower sees in images [B, 3, S, S] in 0..1, in all patches or those numbered `keep` [B, K].

    Images smaller than the model's are taken for windows cut out of larger ones, and put somewhere in its grid.
    """
    visual = model.visual
    mean, std = images.new_tensor(MEAN).view(3, 1, 1), images.new_tensor(STD).view(3, 1, 1)
    n, _, side, _ = images.shape
    grid = side // PATCH
    patches = ((images - mean) / std).unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH)
    patches = patches.permute(0, 2, 3, 1, 4, 5).reshape(n, grid * grid, -1)
    positions = visual.positional_embedding
    spatial = positions[1:]
    full = math.isqrt(len(spatial))
    if grid < full:
        top, left = torch.randint(full - grid + 1, (2,)).tolist()
        spatial = spatial.view(full, full, -1)[top : top + grid, left : left + grid].flatten(0, 1)
    if keep is None:
        keep = torch.arange(grid * grid).expand(n, -1)
    if keep.shape[1] < grid * grid:
        patches = patches.gather(1, keep.unsqueeze(-1).expand(-1, -1, patches.shape[-1]))
        spatial = spatial[keep]
    x = F.linear(_low(patches), _low(visual.conv1.weight.flatten(1))) + _low(spatial)
    first = _low(visual.class_embedding + positions[0]).expand(n, 1, -1)
    x = _norm(torch.cat([first, x], 1), visual.ln_pre)
    read = None
    blocks = visual.transformer.resblocks
    for left, block in zip(reversed(range(len(blocks))), blocks, strict=True):
        if left == 0:
            values = _by_values(visual, x[:, 1:])
        x = _block(x, block, None)
        if probe is not None and left == 2:
            read = probe(F.layer_norm(x[:, 1:], x.shape[-1:]).float())
    return Seen(_project(visual, x[:, 0]), keep, read, values)


def choose_patches(images: int, patches: int, drop: float) -> torch.Tensor:
    """Numbers [images, K] of the patches left when a share is dropped, in order."""
    kept = round(patches * (1 - drop))
    return torch.rand(images, patches).argsort(1)[:, :kept].sort(1).values


def _by_values(visual: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """Patch tokens [B, K, W] before the last block -> [B, K, D], each by the block's value path alone."""
    last = visual.transformer.resblocks[-1]
    weight, bias = (part.chunk(3)[2] for part in (last.attn.in_proj_weight, last.attn.in_proj_bias))
    values = F.linear(_norm(tokens, last.ln_1), _low(weight), _low(bias))
    return _project(visual, _linear(values, last.attn.out_proj))


def _project(visual: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    return F.normalize((_norm(tokens, visual.ln_post) @ _low(visual.proj)).float(), dim=-1)


def text_features(model: nn.Module, rows: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """Normalised features [N, D] of token rows [N, T] whose end-of-text tokens are at `ends` [N]."""
    x = _low(model.token_embedding(rows) + model.positional_embedding[: rows.shape[1]])
    mask = _low(model.attn_mask)
    for block in model.transformer.resblocks:
        x = _block(x, block, mask)
    pooled = _norm(x[torch.arange(len(x)), ends], model.ln_final)
    return F.normalize((pooled @ _low(model.text_projection)).float(), dim=-1)
