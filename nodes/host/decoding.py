"""The host's decoders with gradients: from latents to pixels, or to the colours of its linear preview."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .memory import is_out_of_memory

if TYPE_CHECKING:
    import torch

_TINY_NETWORK = 12_000_000  # weights of a decoder; TAESD's has 1.2 million, TAEHV's 10, that of SD 1.5 49 million
_TRIAL_SIDE, _TRIAL_FRAMES = 4, 3

# How gradients go through a decoder, the thriftiest first: its blocks computed again in the backward pass; everything
# kept (for decoders whose blocks hand state to each other); and past what it detaches between frames.
_WAYS = ("again", "kept", "carried")
_chosen_ways: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


def latent_colours(model: Any) -> tuple[Any, Any, Any] | None:
    """Factors ``[C][3]``, bias and reshape of the model's linear latent preview, or None where the host has none."""
    latent_format = model.model.latent_format
    factors = getattr(latent_format, "latent_rgb_factors", None)
    reshape = getattr(latent_format, "latent_rgb_factors_reshape", None)
    if factors is None or (reshape is None and len(factors) != latent_format.latent_channels):
        return None
    return factors, getattr(latent_format, "latent_rgb_factors_bias", None), reshape


def is_tiny_vae(vae: Any) -> bool:
    """Whether decoding costs little beside a sampling step, as with TAESD; full autoencoders are ten times larger."""
    return is_tiny(vae.first_stage_model)


def is_tiny(network: torch.nn.Module) -> bool:
    """Whether all that a decoder computes on the way may be kept for gradients: what is larger is checkpointed."""
    weights = {name: weight.numel() for name, weight in network.named_parameters() if "encoder" not in name}
    return sum(weights.values()) <= _TINY_NETWORK


def decode_bytes(vae: Any, latent_shape: tuple[int, ...], frames: int = 1) -> int:
    """The host's own estimate of what decoding such latents takes; of a video so many frames, each in its clip."""
    from ...core.guidance.frames import CLIP_LENGTH

    if len(latent_shape) == 5:
        latent_shape = (*latent_shape[:2], min(CLIP_LENGTH, latent_shape[2]), *latent_shape[3:])
    elif getattr(vae, "latent_dim", 2) == 3:
        latent_shape = (*latent_shape[:2], 1, *latent_shape[2:])
    return frames * int(vae.memory_used_decode(tuple(latent_shape), vae.vae_dtype))


def recomputes_blocks(decoder: torch.nn.Module) -> bool:
    """Whether a decoder's blocks are checkpointed."""
    return way_of(decoder) == "again"


def way_of(decoder: torch.nn.Module) -> str:
    return _chosen_ways.get(decoder, "kept" if is_tiny(decoder) else "again")


@contextmanager
def _same_state(network: torch.nn.Module) -> Iterator[None]:
    """What a network's modules remember from call to call (LTXV's do, a backward pass amid it leaves it half done) is
    afterwards what it was."""
    kept = [
        (state, dict(state))
        for module in network.modules()
        for name, state in vars(module).items()
        if type(state) is dict and not name.startswith("_")
    ]
    try:
        yield
    finally:
        for state, before in kept:
            state.clear()
            state.update(before)


@contextmanager
def _precise(vae: Any, way: str) -> Iterator[int]:
    """Inside, a small decoder's copy in fp32 stands for it: differences in half precision drown in rounding. Yields the
    bytes of an element."""
    import copy

    import torch

    network, dtype = vae.first_stage_model, vae.vae_dtype
    if dtype.itemsize >= 4 or not is_tiny(network):
        yield min(4, max(2, dtype.itemsize))
        return
    twin = copy.deepcopy(network).float()
    _chosen_ways[twin] = way
    vae.first_stage_model, vae.vae_dtype = twin, torch.float32
    try:
        yield 4
    finally:
        vae.first_stage_model, vae.vae_dtype = network, dtype


@contextmanager
def _gradient_way(decoder: torch.nn.Module, device: torch.device) -> Iterator[None]:
    """What a decoder's way needs while it runs forward."""
    import contextlib

    import torch

    from ...core.guidance.gradient_check import through_detach

    with contextlib.ExitStack() as stack:
        way = way_of(decoder)
        if way == "carried":
            stack.enter_context(through_detach())
        if way != "again" and not is_tiny(decoder) and device.type == "cuda" and torch.is_grad_enabled():
            stack.enter_context(torch.autograd.graph.save_on_cpu())  # large and kept whole: in main memory
        yield


def check_decoder(vae: Any, decode: Callable[[torch.Tensor], torch.Tensor], latents: torch.Tensor) -> None:
    """Find a way in which a VAE's gradients are right, by trying it on a small random latent; once a network.

    Args:
        decode: latents to pictures, not clamped, through :func:`decode_latents`.
        latents: such as will be decoded; their shape counts.

    Raises:
        InputError: there is none.
    """
    import torch

    from ...core.errors import InputError
    from ...core.grad_mode import gradients
    from ...core.guidance.gradient_check import gradient_error, is_right
    from .guidance import gradient_scope

    network = vae.first_stage_model
    if network in _chosen_ways:
        return
    sides = tuple(min(side, _TRIAL_SIDE) for side in latents.shape[-2:])
    shape = (1, latents.shape[1], *(min(each, _TRIAL_FRAMES) for each in latents.shape[2:-2]), *sides)
    sample = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(latents.device)
    errors = {}
    for way in _WAYS[1 if is_tiny(network) else 0 :]:
        _chosen_ways[network] = way
        try:
            with (
                _same_state(network),
                _own_noise(sample.device),
                gradients(),
                _precise(vae, way) as element,
                gradient_scope([vae.first_stage_model]),
            ):
                errors[way] = gradient_error(decode, sample.clone(), element)
        except (RuntimeError, TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
            if is_out_of_memory(error):
                del _chosen_ways[network]
                raise
            errors[way] = float("inf")
        if is_right(errors[way], element):
            return
    del _chosen_ways[network]
    best = min(errors.values())
    found = "it can't be computed" if best == float("inf") else f"it is {100 * best:.0f} % off"
    raise InputError(
        f"vae: the gradient through {type(network).__name__} is not right ({found}); choose decode 'fast', or connect "
        "another VAE of the same latents (Load VAE's taesd kinds work)"
    )


def decode_latents(vae: Any, latents: torch.Tensor, frames: tuple[int, ...] = (0,)) -> torch.Tensor:
    """Latents as a VAE takes them to pixels ``[B * frames, 3, H, W]``, not clamped and with gradients.

    The host's own ``decode`` clamps (which stops gradients) and falls back to tiles, which have none. The frames of a
    video are decoded one after the other, each with its neighbours where the decoder is one of video.
    """
    import torch

    from ...core.guidance.frames import clip_around

    of_video = getattr(vae, "latent_dim", 2) == 3
    latents = latents.to(vae.device, vae.vae_dtype)
    if latents.dim() == 4:
        pictures = _decode(vae, latents.unsqueeze(2) if of_video else latents).unsqueeze(1)
    elif not of_video:
        chosen = latents[:, :, list(frames)].transpose(1, 2)
        pictures = _decode(vae, chosen.flatten(0, 1)).unflatten(0, chosen.shape[:2])
    else:
        clips = [clip_around(frame, latents.shape[2]) for frame in frames]
        pictures = torch.stack([_decode(vae, latents[:, :, part], place) for part, place in clips], dim=1)
    pictures = pictures.flatten(0, 1).float()
    # process_output is linear between its clamps; two points tell which line.
    low, high = (float(vae.process_output(torch.tensor([value]))) for value in (0.25, 0.75))
    return low + (pictures - 0.25) * (high - low) * 2


@contextmanager
def _own_noise(device: torch.device) -> Iterator[None]:
    """Some decoders draw noise: neither shall the sampler's depend on it, nor the picture on chance."""
    import torch

    on_gpu = device.type == "cuda"
    with torch.random.fork_rng([device] if on_gpu else []):
        torch.default_generator.manual_seed(0)
        if on_gpu:
            torch.cuda.manual_seed(0)
        yield


def _decode(vae: Any, latents: torch.Tensor, place: int = 0) -> torch.Tensor:
    """Pixels ``[B, 3, H, W]``, of a clip those that belong to its latent frame ``place``."""

    decoder = vae.first_stage_model
    with _gradient_way(decoder, latents.device), _own_noise(latents.device):
        pixels = decoder.decode(latents)
    if pixels.dim() == 5:
        last, length = pixels.shape[2] - 1, latents.shape[2]
        pixels = pixels[:, :, round(place * last / (length - 1)) if length > 1 else 0]
    return pixels[:, :3]  # a fourth channel is opacity
