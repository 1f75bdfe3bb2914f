"""core.towers.score_gradients, and the bound on memory that relevancy builds on it."""

from __future__ import annotations

import weakref

import pytest
import torch
import torch.nn.functional as F
from clip_explainability.core import relevancy
from clip_explainability.core.grad_mode import gradients
from clip_explainability.core.towers.score_gradients import score_gradients
from tiny_clips import tiny_clip


@pytest.mark.parametrize("partners", [1, 4])
def test_every_score_has_its_own_gradient(partners: int) -> None:
    x = torch.randn(3, 5, requires_grad=True)
    weights = torch.randn(5, 7)
    features = F.normalize((x @ weights).tanh(), dim=-1)
    others = F.normalize(torch.randn(partners, 7), dim=-1)
    found = score_gradients(features, [x], others, scale=2.5)[0]
    assert found.shape == (partners, 3, 5)
    for j, other in enumerate(others):
        for i in range(3):
            single = torch.autograd.grad(2.5 * features[i] @ other, x, retain_graph=True)[0][i]
            torch.testing.assert_close(found[j, i], single)


def test_gradients_of_gradients_exist_only_where_asked() -> None:
    x = torch.randn(2, 5, requires_grad=True)
    features, others = F.normalize(x.tanh(), dim=-1), F.normalize(torch.randn(3, 5), dim=-1)
    assert not score_gradients(features, [x], others)[0].requires_grad
    assert score_gradients(features, [x], others, create_graph=True)[0].requires_grad


def test_relevancy_never_holds_more_gradients_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = tiny_clip("vit-cls")
    alive: list[weakref.ref] = []
    most = 0

    def watched(*args, **options):
        nonlocal most
        found = score_gradients(*args, **options)
        alive.extend(weakref.ref(gradient) for gradient in found)
        held = [reference() for reference in alive]
        most = max(most, sum(gradient.numel() * 4 for gradient in held if gradient is not None))
        return found

    monkeypatch.setattr(relevancy, "score_gradients", lambda *args: watched(*args))
    pixels = torch.rand(1, 3, *clip.image_size)
    with gradients():
        trace = relevancy.trace_images(clip, pixels)
        one_text = sum(attention.numel() * 4 for attention in trace.attention)
        for bound in (one_text, 3 * one_text, 10 * one_text):
            most = 0
            maps = relevancy.image_relevancy(trace, torch.randn(10, 48), pass_bytes=bound)
            assert maps.shape[0] == 10
            assert not maps.requires_grad
            assert most == bound
