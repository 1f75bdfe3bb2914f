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


def test_quantised_weights_stay_quantised() -> None:
    """As ComfyUI loads fp8 checkpoints: a tensor subclass around the numbers and their scale."""
    from comfy_kitchen.tensor import QuantizedTensor

    network = nn.Linear(16, 16, bias=False)
    with torch.inference_mode():
        weight = QuantizedTensor.from_float(torch.randn(16, 16), "TensorCoreFP8Layout")
    network.weight = nn.Parameter(weight, requires_grad=False)
    expected = weight.dequantize()
    with borrowed_weights(network):
        lent = network.weight
        assert isinstance(lent, QuantizedTensor)
        assert not any(each.is_inference() for each in (lent, lent._qdata, lent._params.scale))
        assert lent._qdata.data_ptr() == weight._qdata.data_ptr()
        x = torch.rand(2, 16, requires_grad=True)
        (gradient,) = torch.autograd.grad((x @ lent.dequantize().T).sum(), x)
    assert torch.allclose(gradient, expected.sum(dim=0).expand_as(gradient))


class Packed(torch.Tensor):
    """As loaders of GGUF have it: bytes, with their kind and the weight's shape as attributes."""

    kind: str
    weight_shape: tuple[int, ...]


def test_attributes_of_a_subclass_are_kept() -> None:
    with torch.inference_mode():
        packed = torch.arange(4, dtype=torch.uint8).as_subclass(Packed)
    packed.kind, packed.weight_shape = "Q8_0", (2, 2)
    network = nn.Module()
    network.register_buffer("packed", packed)
    with borrowed_weights(network):
        assert type(network.packed) is Packed
        assert not network.packed.is_inference()
        assert (network.packed.kind, network.packed.weight_shape) == ("Q8_0", (2, 2))
    assert network.packed is packed
