"""Every map method as its paper's formula reads, slowly: one image, one prompt, one patch, one head at a time, on
:mod:`reference.towers`. Each function takes the tower's record and all texts ``[K, D]`` and returns
``[K, rows, columns]``. Shares no code with ``core``."""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

from .relevancy import relevancy_matrix
from .towers import Attend, Heads, Tower, pool_open_clip, pool_timm

Reference = Callable[[Tower, torch.Tensor], torch.Tensor]
REFERENCES: dict[str, Reference] = {}


def method(function: Reference) -> Reference:
    """Enter the method in the list; what it found is kept with the tower, for methods that are made of others."""

    @functools.wraps(function)
    def once(tower: Tower, texts: torch.Tensor) -> torch.Tensor:
        key = (function.__name__, texts)
        if key not in tower.found:
            tower.found[key] = function(tower, texts)
        return tower.found[key]

    REFERENCES[function.__name__] = once
    return once


def one_by_one(function: Callable[[Tower, torch.Tensor], torch.Tensor]) -> Reference:
    """A method whose formula knows one text ``[D]`` and gives ``[rows, columns]``."""

    @functools.wraps(function)
    def maps(tower: Tower, texts: torch.Tensor) -> torch.Tensor:
        return torch.stack([function(tower, text) for text in texts])

    return method(maps)


def last_layer(tower: Tower) -> tuple[Heads, Heads, Heads]:
    """q, k, v of the last self-attention; in a ResNet of the pooling."""
    return (tower.pool.q, tower.pool.k, tower.pool.v) if tower.kind == "resnet" else tower.blocks[-1].qkv()


def merge(heads: Heads) -> torch.Tensor:
    return heads.transpose(0, 1).flatten(1)


def whole_last_block(tower: Tower, attend: Attend) -> torch.Tensor:
    if tower.kind == "dense":  # no attention: each place already sees itself alone
        return places(tower)
    return resnet_rows(tower, attend) if tower.kind == "resnet" else tower.blocks[-1].whole(attend)


def only_last_attention(tower: Tower, attend: Attend) -> torch.Tensor:
    return resnet_rows(tower, attend) if tower.kind == "resnet" else tower.blocks[-1].branch(attend)


def places(tower: Tower) -> torch.Tensor:
    return tower.feature_map[0].flatten(0, 1)


def resnet_rows(tower: Tower, attend: Attend) -> torch.Tensor:
    q, k, v = last_layer(tower)
    return merge(attend(q, k, v, q.shape[-1] ** -0.5))


def self_attention(x: Heads, scale: float) -> torch.Tensor:
    return torch.stack([(x[h] @ x[h].T * scale).softmax(-1) for h in range(len(x))])


@one_by_one
def relevancy(tower: Tower, text: torch.Tensor) -> torch.Tensor:
    score = tower.feature @ text
    attentions = [block.attention for block in tower.blocks]
    tokens = len(tower.blocks[0].x) if tower.blocks else tower.pool.attention.shape[-1]
    r = relevancy_matrix(score, attentions) if attentions else torch.eye(tokens, dtype=torch.double)
    if tower.pool is not None:
        gradient = torch.autograd.grad(score, tower.pool.attention, retain_graph=True)[0]
        row = (gradient * tower.pool.attention).clamp(min=0).mean(0)[0]
        row = torch.cat([torch.zeros(tokens - len(row), dtype=row.dtype), row]) @ r
    elif pooled_by_mean(tower):
        row = tower.patches(r - torch.eye(tokens, dtype=r.dtype)).mean(0)
    else:
        row = r[0]
    return tower.patches(row).reshape(tower.grid)


def pooled_by_mean(tower: Tower) -> bool:
    return getattr(tower.visual, "pool_type", "") == "avg"


@method
def itsm(tower: Tower, texts: torch.Tensor) -> torch.Tensor:
    if tower.kind == "dense":
        return tower.cosines(places(tower), texts)
    tokens = merge(tower.pool.o) if tower.kind == "resnet" else tower.blocks[-1].output
    return tower.cosines(tokens, texts)


@method
def rclip(tower: Tower, texts: torch.Tensor) -> torch.Tensor:
    return -itsm(tower, texts)


def eclip(tower: Tower, texts: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """ITSM through another projection, put into the model's own place for it."""
    visual = copy.deepcopy(tower.visual)
    if tower.kind == "resnet":
        visual.attnpool.c_proj.weight.data, visual.attnpool.c_proj.bias.data[:] = weight, 0
    elif tower.kind == "open_clip":
        visual.proj.data = weight.T
    elif hasattr(visual.head, "proj"):
        visual.head.proj.weight.data = weight
    elif tower.kind == "dense" and isinstance(visual.trunk.get_classifier(), torch.nn.Linear):
        visual.trunk.get_classifier().weight.data, visual.trunk.get_classifier().bias.data[:] = weight, 0
    else:  # nothing there to replace: multiply behind it
        tokens = places(tower) if tower.kind == "dense" else tower.patches(tower.blocks[-1].output)
        said = F.normalize(tower.say(tokens) @ weight.T, dim=-1)
        return (texts @ said.T).reshape(len(texts), *tower.grid)
    return itsm(dataclasses.replace(tower, visual=visual), texts)


@method
def maskclip(tower: Tower, texts: torch.Tensor) -> torch.Tensor:
    return tower.cosines(whole_last_block(tower, lambda q, k, v, scale: v), texts)


@method
def sclip(tower: Tower, texts: torch.Tensor) -> torch.Tensor:
    def attend(q: Heads, k: Heads, v: Heads, scale: float) -> Heads:
        return (self_attention(q, scale) + self_attention(k, scale)) @ v

    return tower.cosines(whole_last_block(tower, attend), texts)


@method
def clearclip(tower: Tower, texts: torch.Tensor) -> torch.Tensor:
    def attend(q: Heads, k: Heads, v: Heads, scale: float) -> Heads:
        return self_attention(q, scale) @ v

    return tower.cosines(only_last_attention(tower, attend), texts)


@method
def naclip(tower: Tower, texts: torch.Tensor) -> torch.Tensor:
    rows, columns = tower.grid

    def attend(q: Heads, k: Heads, v: Heads, scale: float) -> Heads:
        tokens = k.shape[1]
        first = tokens - rows * columns
        omega = torch.zeros(tokens, tokens, dtype=k.dtype)
        for i in range(rows * columns):
            for j in range(rows * columns):
                distance = (i // columns - j // columns) ** 2 + (i % columns - j % columns) ** 2
                omega[first + i, first + j] = math.exp(-distance / (2 * 5.0**2))
        return torch.stack([(k[h] @ k[h].T * scale + omega).softmax(-1) @ v[h] for h in range(len(k))])

    return tower.cosines(only_last_attention(tower, attend), texts)


def parallel(tower: Tower, attend_of: Callable[[torch.Tensor], Attend]) -> torch.Tensor:
    """The parallel stream of CLIP Surgery and GEM over the last 6 blocks."""
    if tower.kind == "dense":
        return places(tower)
    if tower.kind == "resnet":
        pool, x = tower.visual.attnpool, tower.feature_map[0].flatten(1).T
        entering = torch.cat([x.mean(0, keepdim=True), x]) + pool.positional_embedding
        return resnet_rows(tower, attend_of(entering))
    count = min(6, len(tower.blocks))
    stream = tower.blocks[-count].x
    for block in tower.blocks[-count:]:
        stream = stream + block.branch(attend_of(block.attention_input()))
    return stream


@method
def gem(tower: Tower, texts: torch.Tensor) -> torch.Tensor:
    def attend_of(entering: torch.Tensor) -> Attend:
        def attend(q: Heads, k: Heads, v: Heads, scale: float) -> Heads:
            inverse_temperature = scale * sum(x.norm() for x in entering) / len(entering)
            total = torch.zeros_like(v)
            for p in (q, k, v):
                for h in range(len(p)):
                    y = p[h] / p[h].norm(dim=-1, keepdim=True)
                    y = (y @ y.T * inverse_temperature).softmax(-1) @ y
                    y = y / y.norm(dim=-1, keepdim=True)
                    total[h] += (y @ y.T * inverse_temperature).softmax(-1) @ v[h] / 3
            return total

        return attend

    return tower.cosines(parallel(tower, attend_of), texts)


@method
def surgery(tower: Tower, texts: torch.Tensor) -> torch.Tensor:
    def attend(q: Heads, k: Heads, v: Heads, scale: float) -> Heads:
        if tower.kind == "resnet":
            normalised = v / v.norm(dim=-1, keepdim=True)
            return self_attention(normalised, 8 * scale) @ v
        return self_attention(v, scale) @ v

    tokens = tower.patches(parallel(tower, lambda entering: attend))
    weights = torch.stack([2 * (tower.feature @ text) for text in texts]).softmax(0)
    weights = weights / weights.mean()
    heat = []
    for f in tower.say(tokens):
        per_class = [f * texts[c] * weights[c] for c in range(len(texts))]
        common = sum(per_class) / len(texts)
        heat.append(torch.stack([(own - common).sum() for own in per_class]))
    return torch.stack(heat, dim=1).reshape(len(texts), *tower.grid)


@one_by_one
def legrad(tower: Tower, text: torch.Tensor) -> torch.Tensor:
    heat = []
    if tower.kind == "resnet":
        gradient = torch.autograd.grad(tower.feature @ text, tower.pool.attention, retain_graph=True)[0]
        heat.append(gradient.clamp(min=0).mean(0)[0])
    elif tower.pool is not None:
        for block in tower.blocks:
            pool = (pool_timm if tower.kind == "timm" else pool_open_clip)(tower.visual, block.output)
            gradient = torch.autograd.grad(pool.feature @ text, pool.attention, retain_graph=True)[0]
            heat.append(gradient.clamp(min=0).mean(0)[0])
    else:
        for block in tower.blocks:
            score = tower.say(block.output.mean(0, keepdim=True))[0] @ text
            gradient = torch.autograd.grad(score, block.attention, retain_graph=True)[0]
            heat.append(gradient.clamp(min=0).mean(0).mean(0))
    return tower.patches(sum(heat) / len(heat)).reshape(tower.grid)


@one_by_one
def grad_eclip(tower: Tower, text: torch.Tensor) -> torch.Tensor:
    if tower.pool is not None:
        q, key, v, attention = tower.pool.q, tower.pool.k, tower.pool.v, tower.pool.attention
    else:
        (q, key, v), attention = tower.blocks[-1].qkv(), tower.blocks[-1].attention
    # ∂s/∂A = ∂s/∂o vᵀ: solved for ∂s/∂o per head and query, so that the model need not be run again.
    gradient = torch.autograd.grad(tower.feature @ text, attention, retain_graph=True)[0]
    queries = range(q.shape[1]) if pooled_by_mean(tower) and tower.pool is None else range(1)
    merged_k, count = tower.patches(merge(key)), tower.grid[0] * tower.grid[1]
    total = torch.zeros(count, dtype=v.dtype)
    for row in queries:
        cosine = torch.stack([F.cosine_similarity(merge(q)[row], merged_k[i], dim=0) for i in range(count)])
        closeness = (cosine - cosine.min()) / (cosine.max() - cosine.min())
        weighted = sum(tower.patches(gradient[h, row]) for h in range(len(v)))  # Σ_d ∂s/∂o_d v_id, over all heads
        total = total + closeness * weighted
    return total.clamp(min=0).reshape(tower.grid)


@one_by_one
def grad_cam(tower: Tower, text: torch.Tensor) -> torch.Tensor:
    score = tower.feature @ text
    if tower.kind == "dense":
        gradient = torch.autograd.grad(score, tower.feature_map, retain_graph=True)[0]
        x, gradient = places(tower), gradient[0].flatten(0, 1)
    elif tower.kind == "resnet":
        x = tower.feature_map
        gradient = torch.autograd.grad(score, x, retain_graph=True)[0]
        x, gradient = x[0].flatten(1).T, gradient[0].flatten(1).T
    else:
        x = tower.blocks[-1].x if tower.pool is None else tower.blocks[-1].output
        gradient = torch.autograd.grad(score, x, retain_graph=True)[0]
        if tower.pool is not None and tower.kind == "timm":  # read behind the last norm
            x = tower.visual.trunk.norm(x).detach().requires_grad_()
            tail = pool_behind_norm(tower, x)
            gradient = torch.autograd.grad(tail @ text, x)[0]
        x, gradient = tower.patches(x), tower.patches(gradient)
    alpha = [gradient[:, c].mean() for c in range(gradient.shape[1])]
    return (x @ torch.stack(alpha)).clamp(min=0).reshape(tower.grid)


def pool_behind_norm(tower: Tower, x: torch.Tensor) -> torch.Tensor:
    trunk = tower.visual.trunk
    pooled = trunk.attn_pool(x[None, trunk.num_prefix_tokens :])
    return F.normalize(tower.visual.head(trunk.head(trunk.fc_norm(pooled)))[0], dim=-1)


@one_by_one
def rollout(tower: Tower, text: torch.Tensor) -> torch.Tensor:
    tokens = len(tower.blocks[0].x) if tower.blocks else tower.pool.attention.shape[-1]
    result = torch.eye(tokens, dtype=tower.feature.dtype)
    for block in tower.blocks:
        result = (0.5 * block.attention.mean(0) + 0.5 * torch.eye(tokens, dtype=result.dtype)) @ result
    if tower.pool is not None:
        row = tower.pool.attention.mean(0)[0]
        row = torch.cat([torch.zeros(tokens - len(row), dtype=row.dtype), row]) @ result
    else:
        row = tower.patches(result).mean(0) if pooled_by_mean(tower) else result[0]
    return tower.patches(row).reshape(tower.grid)


@one_by_one
def raw_attention(tower: Tower, text: torch.Tensor) -> torch.Tensor:
    if tower.pool is not None:
        row = tower.pool.attention.mean(0)[0]
    else:
        last = tower.blocks[-1].attention.mean(0)
        row = tower.patches(last).mean(0) if pooled_by_mean(tower) else last[0]
    return tower.patches(row).reshape(tower.grid)


@method
def agreement(tower: Tower, texts: torch.Tensor) -> torch.Tensor:
    return (relevancy(tower, texts) * grad_eclip(tower, texts)).sqrt()
