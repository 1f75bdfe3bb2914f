from __future__ import annotations

import pytest
import torch
from clip_explainability.core.grad_mode import gradients
from clip_explainability.core.guidance.checkpointing import checkpointed_blocks
from clip_explainability.core.guidance.memory import LiveBytes, bytes_of_gradient

SIDE = 256
ONE = SIDE * SIDE * 4


class Deep(torch.nn.Module):
    """Blocks of two layers, one of which multiplies what it is given by something it has made: it keeps both."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        block = lambda: torch.nn.Sequential(torch.nn.Linear(SIDE, SIDE), torch.nn.SiLU())  # noqa: E731
        self.blocks = torch.nn.ModuleList(block() for _ in range(depth)).requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        return x


def really_taken(network: torch.nn.Module) -> int:
    """What PyTorch's allocator has handed out at once, as its profiler saw it."""
    x = torch.randn(SIDE, SIDE)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        leaf = x.clone().requires_grad_()
        result = network(leaf)
        torch.autograd.grad(result, leaf, torch.ones_like(result))
        del result, leaf
    now = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            peak = max(peak, now)
    return peak


@pytest.mark.parametrize("checkpointed", [False, True])
def test_the_estimate_is_what_is_taken(checkpointed: bool) -> None:
    network = Deep(12)
    with checkpointed_blocks(*([network] if checkpointed else [])), gradients():
        estimate = bytes_of_gradient(network, torch.randn(SIDE, SIDE))
        assert estimate == pytest.approx(really_taken(network), rel=0.15)


def test_what_is_taken_between_the_passes_counts_beside_the_graph() -> None:
    network, x = Deep(6), torch.randn(SIDE, SIDE)
    plain, beside = (bytes_of_gradient(network, x, between) for between in (0, 100 * ONE))
    assert plain < 30 * ONE
    assert 100 * ONE < beside < 100 * ONE + plain


def test_nothing_is_computed_and_weights_are_not_counted() -> None:
    with torch.device("meta"):
        network = torch.nn.Linear(100_000, 100_000)  # 40 GB
    assert bytes_of_gradient(network.requires_grad_(False), torch.empty(1, 100_000, device="meta")) < 10 * 2**20


def test_tensors_that_die_no_longer_count() -> None:
    with LiveBytes() as live:
        for _ in range(5):
            torch.empty(1000, dtype=torch.float32)
        kept = torch.empty(500, dtype=torch.float32)
        view = kept[:10]
    assert (live.now, live.peak) == (2000, 4000)
    assert view.shape == (10,)
