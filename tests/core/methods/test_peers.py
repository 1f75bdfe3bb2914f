"""Agreement with other packages where they are installed and right. Both of these permute tokens for an open_clip older
than 2.25 and give wrong maps of whole images with a newer one; the parts compared here are not touched by that."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from clip_explainability.core.grad_mode import gradients
from clip_explainability.core.methods.gem import _self_self
from clip_explainability.core.methods.surgery import feature_surgery
from clip_explainability.core.towers.patch_tokens import run_tower
from tiny_clips import tiny_clip


def test_gems_attention_is_the_peers() -> None:
    peer = pytest.importorskip("gem.gem_utils", reason="gem-torch is not installed")
    clip = tiny_clip("vit-cls")
    pixels = torch.rand(2, 3, *clip.image_size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        block = run_tower(clip, pixels).blocks[-1]
        ours = block.attention_branch(_self_self(block))
        attention = block.block.attn
        theirs = peer.SelfSelfAttention(attention.embed_dim, attention.num_heads, qkv_bias=True)
        theirs.qkv.weight.data, theirs.qkv.bias.data = attention.in_proj_weight, attention.in_proj_bias
        theirs.proj.weight.data, theirs.proj.bias.data = attention.out_proj.weight, attention.out_proj.bias
        found = theirs(block.attention_input.transpose(0, 1))[0].transpose(0, 1)
    torch.testing.assert_close(ours, found, rtol=0, atol=float(1e-5 * found.abs().max()))


def test_the_peers_whole_tower_is_not_to_be_trusted() -> None:
    """Why the pack depends on none of them. Should this fail one day, the peer was mended: compare whole maps then."""
    peer = pytest.importorskip("gem.gem_wrapper", reason="gem-torch is not installed")
    import copy

    clip = tiny_clip("vit-cls")
    pixels = torch.rand(1, 3, *clip.image_size, generator=torch.Generator().manual_seed(0))
    with gradients():
        features = run_tower(clip, pixels).features.detach()
    wrapped = peer.GEMWrapper(copy.deepcopy(clip.model), clip.tokenizer, depth=2)
    with torch.no_grad():
        original = F.normalize(wrapped.model.visual(clip.normalize_pixels(pixels))[1][:, 0], dim=-1)
    assert (original * features).sum() < 0.99


def test_feature_surgery_of_two_opposite_prompts_is_antisymmetric() -> None:
    """A value that needs no peer: with two prompts the common part is their mean, so the maps are opposites."""
    patches, texts = F.normalize(torch.randn(1, 9, 8), dim=-1), F.normalize(torch.randn(2, 8), dim=-1)
    first, second = feature_surgery(patches, texts, F.normalize(torch.randn(1, 8), dim=-1))
    torch.testing.assert_close(first, -second)
