"""Image towers run by hand, one image at a time, attention head by head, everything kept. Shares no code with ``core``:
norms, feed-forwards and projections are the model's own modules; what happens between them is written out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F

Heads = torch.Tensor  # [heads, N, d]
Attend = Callable[[Heads, Heads, Heads, float], Heads]


def ordinary_attention(kept: list[torch.Tensor], bias: torch.Tensor | None = None) -> Attend:
    """softmax(q kᵀ · scale + bias) v, the probabilities appended to ``kept`` as a leaf or node that gradients reach."""

    def attend(q: Heads, k: Heads, v: Heads, scale: float) -> Heads:
        logits = torch.stack([q[h] @ k[h].T * scale for h in range(len(q))])
        probabilities = (logits if bias is None else logits + bias).softmax(-1)
        if not probabilities.requires_grad:
            probabilities.requires_grad_()
        kept.append(probabilities)
        return torch.stack([probabilities[h] @ v[h] for h in range(len(q))])

    return attend


@dataclass
class Block:
    """One self-attention layer and what passed through it."""

    module: Any
    rope: torch.Tensor | None
    prefix: int
    x: torch.Tensor  # [N, C] entering
    attention: torch.Tensor | None = None  # [heads, N, N]
    output: torch.Tensor | None = None  # [N, C] leaving

    def attention_input(self) -> torch.Tensor:
        norm = self.module.ln_1 if hasattr(self.module, "ln_1") else self.module.norm1
        return norm(self.x)

    def qkv(self) -> tuple[Heads, Heads, Heads]:
        attn, x = self.module.attn, self.attention_input()
        if hasattr(attn, "in_proj_weight"):
            parts = [
                F.linear(x, w, b) for w, b in zip(attn.in_proj_weight.chunk(3), attn.in_proj_bias.chunk(3), strict=True)
            ]
        elif getattr(attn, "q_proj", None) is not None:
            parts = [attn.q_proj(x), attn.k_proj(x), attn.v_proj(x)]
        elif getattr(attn, "q_bias", None) is not None:
            bias = torch.cat([attn.q_bias, attn.k_bias, attn.v_bias])
            parts = list(F.linear(x, attn.qkv.weight, bias).chunk(3, dim=-1))
        else:
            parts = list(attn.qkv(x).chunk(3, dim=-1))
        q, k, v = (p.reshape(len(x), attn.num_heads, -1).transpose(0, 1) for p in parts)
        for name in ("ln_q", "q_norm"):
            q = getattr(attn, name)(q) if hasattr(attn, name) else q
        for name in ("ln_k", "k_norm"):
            k = getattr(attn, name)(k) if hasattr(attn, name) else k
        return self.rotate(q), self.rotate(k), v

    def bias(self) -> torch.Tensor | None:
        """What relative positions add to each pair of patches ``[heads, N, N]``; nothing where CLS takes part."""
        module = getattr(self.module.attn, "rel_pos", None)
        if module is None:
            return None
        side = math.isqrt(len(self.x) - self.prefix)
        table = module.mlp(module.rel_coords_log)  # [2 * side - 1, 2 * side - 1, heads], by offset
        bias = self.x.new_zeros(table.shape[-1], len(self.x), len(self.x))
        for i in range(side * side):
            for j in range(side * side):
                offset = (i // side - j // side + side - 1, i % side - j % side + side - 1)
                bias[:, self.prefix + i, self.prefix + j] = table[offset]
        return bias

    def rotate(self, x: Heads) -> Heads:
        if self.rope is None:
            return x
        sine, cosine = self.rope.chunk(2, dim=-1)
        placed = torch.view_as_complex(x[:, self.prefix :].unflatten(-1, (-1, 2)).contiguous())
        turned = placed * torch.complex(cosine[:, ::2].to(x), sine[:, ::2].to(x))
        return torch.cat([x[:, : self.prefix], torch.view_as_real(turned).flatten(-2)], dim=1)

    def branch(self, attend: Attend) -> torch.Tensor:
        """What attention adds to the residual stream."""
        q, k, v = self.qkv()
        merged = attend(q, k, v, q.shape[-1] ** -0.5).transpose(0, 1).flatten(1)
        attn, module = self.module.attn, self.module
        if isinstance(getattr(attn, "norm", None), torch.nn.Module):
            merged = attn.norm(merged)
        added = attn.out_proj(merged) if hasattr(attn, "out_proj") else attn.proj(merged)
        for name in ("ln_attn", "ls_1", "ls1"):
            added = getattr(module, name)(added) if hasattr(module, name) else added
        return added * module.gamma_1 if getattr(module, "gamma_1", None) is not None else added

    def whole(self, attend: Attend) -> torch.Tensor:
        module, x = self.module, self.x + self.branch(attend)
        norm = module.ln_2 if hasattr(module, "ln_2") else module.norm2
        added = module.mlp(norm(x))
        for name in ("ls_2", "ls2"):
            added = getattr(module, name)(added) if hasattr(module, name) else added
        return x + (added * module.gamma_2 if getattr(module, "gamma_2", None) is not None else added)


@dataclass
class Pool:
    """An attention pooling: q, k, v ``[heads, N, d]``, attention, output before and after the output projection."""

    q: Heads
    k: Heads
    v: Heads
    attention: torch.Tensor
    o: Heads
    feature: torch.Tensor


@dataclass
class Tower:
    """An image tower run on one image ``[3, h, w]`` (already normalised)."""

    visual: Any
    kind: str  # "open_clip", "timm", "resnet", "dense"
    grid: tuple[int, int]
    blocks: list[Block]
    pool: Pool | None
    feature: torch.Tensor  # L2-normalised [D]
    feature_map: torch.Tensor | None = None
    found: dict[Any, torch.Tensor] = field(init=False, default_factory=dict)

    def patches(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens[len(tokens) - self.grid[0] * self.grid[1] :]

    def say(self, tokens: torch.Tensor) -> torch.Tensor:
        """What the tower's head makes of tokens ``[n, C]``, each the only token of its sequence: L2-normalised
        ``[n, D]``."""
        if self.kind == "resnet":
            return F.normalize(self.visual.attnpool.c_proj(tokens), dim=-1)
        if self.kind == "dense":
            return F.normalize(self.visual.head(pooled_map(self.visual.trunk, tokens)), dim=-1)
        alone = tokens.unsqueeze(1)
        if self.kind == "timm":
            trunk = self.visual.trunk
            alone = trunk.norm(alone)
            alone = trunk.attn_pool(alone) if has_pool(trunk) else alone[:, 0]
            return F.normalize(self.visual.head(trunk.head(trunk.fc_norm(alone))), dim=-1)
        if self.visual.attn_pool is not None:
            alone = self.visual.attn_pool(alone)[:, :1]
        return F.normalize(self.visual.ln_post(alone)[:, 0] @ self.visual.proj, dim=-1)

    def cosines(self, tokens: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        """cos(what each patch says, text) over the grid, for each text: ``[K, rows, columns]``."""
        return (texts @ self.say(self.patches(tokens)).T).reshape(len(texts), *self.grid)


def run(visual: Any, image: torch.Tensor) -> Tower:
    if hasattr(visual, "attnpool"):
        return _run_resnet(visual, image)
    if hasattr(visual, "trunk"):
        return _run_timm(visual, image) if hasattr(visual.trunk, "blocks") else _run_dense(visual, image)
    x, blocks = visual._embeds(image[None])[0], []
    for module in visual.transformer.resblocks:
        x = _pass(Block(module, None, 1, x), blocks)
    pool = None if visual.attn_pool is None else pool_open_clip(visual, x)
    if pool is not None:
        feature = pool.feature
    elif visual.pool_type == "avg":
        feature = F.normalize(visual.ln_post(x)[1:].mean(0) @ visual.proj, dim=-1)
    else:
        feature = F.normalize(visual.ln_post(x[0]) @ visual.proj, dim=-1)
    return Tower(visual, "open_clip", tuple(visual.grid_size), blocks, pool, feature)


def _pass(block: Block, blocks: list[Block]) -> torch.Tensor:
    kept: list[torch.Tensor] = []
    block.output = block.whole(ordinary_attention(kept, block.bias()))
    block.attention = kept[0]
    blocks.append(block)
    return block.output


def _run_timm(visual: Any, image: torch.Tensor) -> Tower:
    trunk, blocks = visual.trunk, []
    x, rope = trunk.patch_embed(image[None]), None
    if hasattr(trunk, "_pos_embed"):
        x = trunk._pos_embed(x)
        if isinstance(x, tuple):
            x, rope = x
        x = trunk.norm_pre(x)[0]
    else:  # relative positions only
        x = torch.cat([trunk.cls_token[0], x[0]])
    for module in trunk.blocks:
        x = _pass(Block(module, rope, trunk.num_prefix_tokens, x), blocks)
    if has_pool(trunk):
        pool = pool_timm(visual, x)
        feature = pool.feature
    else:
        pool, x = None, trunk.norm(x)
        pooled = x[0] if trunk.global_pool == "token" else x[trunk.num_prefix_tokens :].mean(0)
        feature = F.normalize(visual.head(trunk.head(trunk.fc_norm(pooled))), dim=-1)
    return Tower(visual, "timm", tuple(trunk.patch_embed.grid_size), blocks, pool, feature)


def has_pool(trunk: Any) -> bool:
    return getattr(trunk, "attn_pool", None) is not None


def pooled_map(trunk: Any, places: torch.Tensor) -> torch.Tensor:
    """The head's part in the trunk on ``[n, C]``, each row the mean of a map."""
    if type(trunk).__name__ == "ConvNeXt":
        norm = trunk.head.norm
        return F.layer_norm(places, places.shape[-1:], norm.weight, norm.bias, norm.eps)
    return trunk.head.fc(places)


def _run_dense(visual: Any, image: torch.Tensor) -> Tower:
    """ConvNeXt, FastViT, Swin: a feature map ``[1, rows, columns, C]``, its mean, the head."""
    trunk, x = visual.trunk, image[None]
    if type(trunk).__name__ == "SwinTransformer":
        x = trunk.norm(trunk.layers(trunk.patch_embed(x)))
    elif type(trunk).__name__ == "ConvNeXt":
        x = trunk.stages(trunk.stem(x)).permute(0, 2, 3, 1)
    else:
        x = trunk.final_conv(trunk.stages(trunk.stem(x))).permute(0, 2, 3, 1)
    if not x.requires_grad:
        x.requires_grad_()
    mean = sum(place for row in x[0] for place in row) / (x.shape[1] * x.shape[2])
    feature = F.normalize(visual.head(pooled_map(trunk, mean[None]))[0], dim=-1)
    return Tower(visual, "dense", (x.shape[1], x.shape[2]), [], None, feature, feature_map=x)


def pool_timm(visual: Any, tokens: torch.Tensor) -> Pool:
    trunk = visual.trunk
    layer, x = trunk.attn_pool, trunk.norm(tokens)[trunk.num_prefix_tokens :]
    heads = layer.num_heads
    q = layer.q_norm(layer.q(layer.latent[0]).reshape(1, heads, -1).transpose(0, 1))
    k, v = (part.reshape(len(x), heads, -1).transpose(0, 1) for part in layer.kv(x).chunk(2, dim=-1))
    kept: list[torch.Tensor] = []
    o = ordinary_attention(kept)(q, layer.k_norm(k), v, q.shape[-1] ** -0.5)
    y = layer.proj(o.transpose(0, 1).flatten(1))
    y = y if layer.mlp is None else y + layer.mlp(layer.norm(y))
    feature = visual.head(trunk.head(trunk.fc_norm(y[0])))
    return Pool(q, k, v, kept[0], o, F.normalize(feature, dim=-1))


def pool_open_clip(visual: Any, tokens: torch.Tensor) -> Pool:
    layer = visual.attn_pool
    attn, x, queries = layer.attn, layer.ln_k(tokens), layer.ln_q(layer.query)
    if attn.in_proj_weight is None:
        weights = [attn.q_proj_weight, attn.k_proj_weight, attn.v_proj_weight]
    else:
        weights = list(attn.in_proj_weight.chunk(3))
    parts = [F.linear(y, w, b) for y, w, b in zip((queries, x, x), weights, attn.in_proj_bias.chunk(3), strict=True)]
    q, k, v = (part.reshape(len(part), attn.num_heads, -1).transpose(0, 1) for part in parts)
    kept: list[torch.Tensor] = []
    o = ordinary_attention(kept)(q, k, v, q.shape[-1] ** -0.5)
    pooled = visual.ln_post(attn.out_proj(o.transpose(0, 1).flatten(1)))
    return Pool(q, k, v, kept[0], o, F.normalize(pooled[0] @ visual.proj, dim=-1))


def _run_resnet(visual: Any, image: torch.Tensor) -> Tower:
    x = visual.layer4(visual.layer3(visual.layer2(visual.layer1(visual.stem(image[None])))))
    if not x.requires_grad:
        x.requires_grad_()
    pool, grid = visual.attnpool, (x.shape[2], x.shape[3])
    tokens = x[0].flatten(1).T
    tokens = torch.cat([tokens.mean(0, keepdim=True), tokens]) + pool.positional_embedding
    q, k, v = (
        layer(tokens).reshape(len(tokens), pool.num_heads, -1).transpose(0, 1)
        for layer in (pool.q_proj, pool.k_proj, pool.v_proj)
    )
    kept: list[torch.Tensor] = []
    o = ordinary_attention(kept)(q, k, v, q.shape[-1] ** -0.5)
    feature = F.normalize(pool.c_proj(o.transpose(0, 1).flatten(1))[0], dim=-1)
    record = Pool(q, k, v, kept[0], o, feature)
    return Tower(visual, "resnet", grid, [], record, feature, feature_map=x)
