from __future__ import annotations

import pytest
import torch
from clip_explainability.core.guidance.borrowed_weights import borrowed_weights
from torch import nn


def inference_network() -> nn.Module:
    with torch.inference_mode():
        return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 1)).eval()


def test_gradients_flow_through_weights_made_in_inference_mode() -> None:
    network = inference_network()
    x = torch.rand(1, 1, 4, 4, requires_grad=True)
    with pytest.raises(RuntimeError, match="nference"):
        network(x).sum().backward()
    with borrowed_weights(network):
        network(x).sum().backward()
    assert x.grad is not None


def test_weights_are_the_same_memory_inside_and_the_same_objects_afterwards() -> None:
    network = inference_network()
    before = {name: (weight, weight.data_ptr()) for name, weight in network.state_dict(keep_vars=True).items()}

    def fail() -> None:
        with borrowed_weights(network):
            for name, weight in network.state_dict(keep_vars=True).items():
                assert not weight.is_inference()
                assert weight.data_ptr() == before[name][1]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    after = network.state_dict(keep_vars=True)
    assert all(after[name] is weight for name, (weight, _) in before.items())


def test_ordinary_weights_are_left_alone() -> None:
    network = nn.Linear(2, 2)
    with borrowed_weights(network):
        assert network.weight.requires_grad
