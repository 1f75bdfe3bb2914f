from __future__ import annotations

import torch
from clip_explainability.core.guidance.gradient_check import gradient_error, is_right, through_detach


def smooth(x: torch.Tensor) -> torch.Tensor:
    return torch.tanh(x).cumsum(dim=-1)


def hands_on_detached(x: torch.Tensor) -> torch.Tensor:
    """As decoders of video do from frame to frame."""
    state, frames = torch.zeros_like(x[:, :, 0]), []
    for frame in x.unbind(dim=2):
        frames.append(torch.tanh(frame + state))
        state = frame.detach().clone()
    return torch.stack(frames, dim=2)


def test_a_right_gradient_passes_in_full_and_in_half_precision() -> None:
    x = torch.randn(2, 3, 16, 16)
    assert is_right(gradient_error(smooth, x))
    assert is_right(gradient_error(lambda x: smooth(x.bfloat16()), x, element=2), element=2)


def test_what_is_handed_on_detached_is_found_and_mended() -> None:
    x = torch.randn(1, 3, 5, 8, 8)
    assert not is_right(gradient_error(hands_on_detached, x))

    def mended(x: torch.Tensor) -> torch.Tensor:
        with through_detach():
            return hands_on_detached(x)

    assert is_right(gradient_error(mended, x))


def test_another_result_while_gradients_are_recorded_is_found() -> None:
    """As of a network that answers from a cache, or is computed again with another state."""
    assert gradient_error(lambda x: smooth(x) + torch.is_grad_enabled(), torch.randn(2, 3, 16, 16)) > 0.1


def test_no_gradient_at_all_is_found() -> None:
    assert gradient_error(lambda x: smooth(x).detach(), torch.randn(1, 3, 8, 8)) == float("inf")
