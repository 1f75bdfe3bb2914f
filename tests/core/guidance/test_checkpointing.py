from __future__ import annotations

import torch
from clip_explainability.core.guidance.checkpointing import checkpointed_blocks
from torch import nn


class Overwriting(nn.Module):
    """A block like ComfyUI's of 2024: writes into its argument, and into what autograd has saved."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.ModuleList([nn.Linear(width, width), nn.Linear(width, width)])

    def forward(self, x: torch.Tensor, context: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        x *= 2
        h = self.inner[0](x).exp() * 0.1
        y = h.sin()
        h += self.inner[1](h) + context["shift"]
        return y + h, y


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Overwriting(4), Overwriting(4)])
        self.double()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        context = {"shift": x.mean(dim=-1, keepdim=True)}
        for block in self.blocks:
            x, extra = block(x.clone(), context)
        return x + extra


def test_blocks_that_overwrite_get_the_right_gradient() -> None:
    torch.manual_seed(0)
    network = Network()
    x = torch.rand(3, 4, dtype=torch.float64, requires_grad=True)
    with checkpointed_blocks(network):
        assert torch.autograd.gradcheck(network, x)


def test_activations_are_not_kept_and_modules_are_put_back() -> None:
    network = nn.Sequential(*[nn.Sequential(nn.Linear(64, 64), nn.GELU()) for _ in range(6)])
    x = torch.rand(8, 64, requires_grad=True)

    def saved_by(run: nn.Module) -> int:
        kept: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
            run(x)
        return sum(kept)

    plain, expected = saved_by(network), network(x)
    with checkpointed_blocks(network):
        assert torch.equal(network(x), expected)
        assert saved_by(network) < plain / 3
    assert all("forward" not in vars(module) for module in network.modules())


def test_without_gradients_nothing_is_run_twice() -> None:
    calls = []
    block = nn.Linear(2, 2)
    block.register_forward_hook(lambda *_: calls.append(1))
    network = nn.Sequential(block)
    with checkpointed_blocks(network), torch.no_grad():
        network(torch.rand(1, 2))
    assert len(calls) == 1


def test_nothing_is_left_behind() -> None:
    import gc

    network = Network()

    def count() -> int:
        x = torch.rand(3, 4, dtype=torch.float64, requires_grad=True)
        with checkpointed_blocks(network):
            torch.autograd.grad(network(x).sum(), x)
        del x
        gc.collect()
        return sum(type(each) is torch.Tensor for each in gc.get_objects())

    count()
    assert count() == count()
