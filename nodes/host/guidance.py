"""Steering what a sampler of the host predicts."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from .decoding import recomputes_blocks
from .execution import check_interrupt
from .memory import load_models, require_device_memory

if TYPE_CHECKING:
    import torch


def guide_model(
    model: Any,
    guide: Any,
    decode: Callable[..., torch.Tensor],
    companions: list[Any],
    modules: list[torch.nn.Module],
    needed_bytes: Callable[[tuple[int, ...]], int],
    remedy: str,
    check: Callable[[Any, torch.Tensor], None] = lambda base, latents: None,
) -> Any:
    """A clone of a MODEL whose predictions are steered; the MODEL itself is left alone.

    Args:
        guide: a ``core.guidance.guide.Guide``.
        decode: takes the host's inner model, then what a ``core.guidance.frames.Decode`` takes.
        companions: model patchers to be loaded beside the diffusion model.
        modules: networks that gradients go through, beside the diffusion model on the full route.
        needed_bytes: from the latents' shape to the memory that guidance takes beside the weights.
        remedy: what to do where memory is short.
        check: called with the host's inner model and its latents when a run begins and all is loaded; raises to stop.
    """
    from ...core.guidance.guide import SamplerCall

    patched = model.clone()

    def make_ready(base: Any, shape: tuple[int, ...]) -> None:
        require_device_memory(companions, needed_bytes(shape), remedy)
        load_models([*_loaded_patchers(base), *companions], needed_bytes(shape))

    def steer(args: dict[str, Any]) -> torch.Tensor:
        base, denoised, sigma = args["model"], args["denoised"], args["sigma"]
        check_interrupt()
        call = SamplerCall(
            denoised=denoised,
            noisy=args["input"],
            sigma=float(sigma.max()),
            run_key=id(args["cond"]),
            schedule=_sampler_schedule(args["model_options"]),
            percent_to_sigma=lambda percent: float(base.model_sampling.percent_to_sigma(percent)),
            decode=partial(decode, base),
            denoise=denoiser(args) if guide.settings.full else None,
            scope=lambda: gradient_scope(modules, denoiser_networks(args) if guide.settings.full else []),
        )
        if guide.starts_run(call):
            make_ready(base, tuple(denoised.shape))
            check(base, denoised)
        return guide.steer(call)

    patched.set_model_sampler_post_cfg_function(steer)
    _announce_memory(patched, lambda shape: require_device_memory(companions, needed_bytes(shape), remedy))
    return patched


def _loaded_patchers(base: Any) -> list[Any]:
    """The patcher of a model that is in use: named in a load, it is not pushed out by what is loaded beside it."""
    from comfy import model_management

    patchers = [loaded.model for loaded in model_management.current_loaded_models]
    return [patcher for patcher in patchers if patcher is not None and patcher.model is base]


def _announce_memory(patched: Any, require: Callable[[tuple[int, ...]], None]) -> None:
    """Have ``require`` called with the latents' shape before sampling starts."""
    try:
        from comfy.patcher_extension import WrappersMP, add_wrapper
    except ImportError:  # hosts before 2025 ask the patcher itself, before they load the model
        # They also unload a model only once nothing but their list refers to its patcher, so it must not refer to
        # itself.
        owner = weakref.ref(patched)

        def memory_required(input_shape: Any) -> Any:
            require((max(1, input_shape[0] // 2), *input_shape[1:]))  # asked for both halves of guidance at once
            patcher = owner()
            assert patcher is not None, "asked by the patcher itself"
            return type(patcher).memory_required(patcher, input_shape)

        patched.memory_required = memory_required
        return

    def prepare(executor: Any, model: Any, noise_shape: Any, *args: Any, **kwargs: Any) -> Any:
        require(tuple(noise_shape))
        return executor(model, noise_shape, *args, **kwargs)

    add_wrapper(WrappersMP.PREPARE_SAMPLING, prepare, patched.model_options, is_model_options=True)


def _sampler_schedule(model_options: dict[str, Any]) -> tuple[float, ...] | None:
    sigmas = model_options.get("transformer_options", {}).get("sample_sigmas")
    return None if sigmas is None else tuple(sigmas.tolist())


def denoiser(args: dict[str, Any]) -> Callable[[torch.Tensor], torch.Tensor]:
    """The model's prediction after classifier-free guidance as a function of the noisy latents, with gradients."""
    from comfy import samplers

    conditions, options, base = [args["cond"], args["uncond"]], args["model_options"], args["model"]
    sigma = args["sigma"].clone()
    if args["uncond"] is None:
        return lambda x: samplers.calc_cond_batch(base, conditions, x, sigma, options)[0]
    scale = args.get("cond_scale")
    if scale is None:  # hosts of 2024 don't say: the prediction lies on the line through both
        away = (args["cond_denoised"] - args["uncond_denoised"]).float()
        scale = float(
            ((args["denoised"] - args["uncond_denoised"]) * away).sum() / away.square().sum().clamp(min=1e-12)
        )

    def denoise(x: torch.Tensor) -> torch.Tensor:
        positive, negative = samplers.calc_cond_batch(base, conditions, x, sigma, options)[:2]
        return negative + (positive - negative) * scale

    return denoise


@contextmanager
def gradient_scope(decoders: list[torch.nn.Module], denoisers: list[torch.nn.Module] | None = None) -> Iterator[None]:
    """What gradients through the host's networks need: usable weights, and checkpointed blocks.

    Decoders that keep all on the way are not checkpointed. Denoisers always are, which also bears their writing over activations.
    """
    from ...core.guidance.borrowed_weights import borrowed_weights
    from ...core.guidance.checkpointing import checkpointed_blocks

    denoisers = denoisers or []
    large = [decoder for decoder in decoders if recomputes_blocks(decoder)]
    with checkpointed_blocks(*large, *denoisers), borrowed_weights(*decoders, *denoisers):
        yield


def denoiser_networks(args: dict[str, Any]) -> list[torch.nn.Module]:
    """The diffusion model and the ControlNets that run with it."""
    conditions = [*(args["cond"] or []), *(args["uncond"] or [])]
    controls = [condition["control"] for condition in conditions if condition.get("control") is not None]
    return [args["model"], *(patcher.model for control in controls for patcher in control.get_models())]
