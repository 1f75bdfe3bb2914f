"""A sampler's prediction as a function of its noisy latents, to be computed again with gradients."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

OWN_KEY = "explainability_guidance"

# Wrappers that are left out while gradients are taken: caches answer with the result of another step, whose gradient is
# an identity, and compiled networks don't look at the modes that make gradients possible.
_SET_ASIDE = ("easycache", "lazycache", "torch.compile", OWN_KEY)

_passive = threading.local()


@contextmanager
def passive() -> Iterator[None]:
    """Inside, guidance on this thread hands predictions on as they are."""
    before = is_passive()
    _passive.value = True
    try:
        yield
    finally:
        _passive.value = before


def is_passive() -> bool:
    return getattr(_passive, "value", False)


@dataclass(frozen=True)
class Prediction:
    """One call of a sampler to its model.

    Attributes:
        base: the host's inner model.
        noisy, sigma, denoised: the latents, their noise levels ``[B]`` and what was predicted.
        conditions: the lists of conditions that took part.
        options: the host's model options.
        again: from noisy latents to the prediction, computed as the sampler's was, differentiable.
        run_key: identity of something that lives as long as the sampling run.
        networks: those that gradients go through.
        guided_before: whether ``denoised`` has been steered by another guidance already.
    """

    base: Any
    noisy: torch.Tensor
    sigma: torch.Tensor
    denoised: torch.Tensor
    conditions: list[list[dict[str, Any]]]
    options: dict[str, Any]
    again: Callable[[torch.Tensor], torch.Tensor]
    run_key: int
    networks: list[torch.nn.Module]
    guided_before: bool = False


class RandomState:
    """The host's random numbers as they stand, to be drawn again (some patches draw inside the network)."""

    def __init__(self, device: torch.device) -> None:
        import torch

        self._devices = [device] if device.type == "cuda" else []
        self._cpu = torch.get_rng_state()
        self._device_states = [torch.cuda.get_rng_state(each) for each in self._devices]

    @contextmanager
    def again(self) -> Iterator[None]:
        """Inside, they come again; afterwards they go on as if nothing had been drawn."""
        import torch

        with torch.random.fork_rng(devices=self._devices):
            torch.set_rng_state(self._cpu)
            for device, state in zip(self._devices, self._device_states, strict=True):
                torch.cuda.set_rng_state(state, device)
            yield


def of_guider(
    executor: Any, x: torch.Tensor, timestep: torch.Tensor, options: dict[str, Any], seed: int | None
) -> Prediction:
    """The prediction of a guider of the host (2025 and later), whatever it combines.

    Args:
        executor: what the host gives to a ``PREDICT_NOISE`` wrapper.
    """
    guider = executor.class_obj
    random = RandomState(x.device)
    with passive():
        denoised = executor(x, timestep, options, seed)
    later = executor.wrappers[executor.idx + 1 :]
    set_aside = [each for key in _SET_ASIDE for each in _wrappers(guider.model_options, "predict_noise").get(key, [])]
    ours = _wrappers(guider.model_options, "predict_noise").get(OWN_KEY, [])
    chain = type(executor).new_class_executor(
        executor.original, guider, [each for each in later if each not in set_aside]
    )
    # A sampler's own hooks note what they see (CFG++); those of the model belong to the prediction.
    hooks = list(guider.model_options.get("sampler_post_cfg_function", []))

    def again(latents: torch.Tensor) -> torch.Tensor:
        with passive(), random.again():
            return chain.execute(latents, timestep.clone(), gradient_options(options, hooks), seed)

    modules = [each for each in vars(guider).values() if hasattr(each, "diffusion_model")]
    return Prediction(
        base=guider.inner_model,
        noisy=x,
        sigma=timestep,
        denoised=denoised,
        conditions=list(guider.conds.values()),
        options=options,
        again=again,
        run_key=id(guider.conds),
        networks=_networks(modules, list(guider.conds.values())),
        guided_before=any(each in ours for each in later),
    )


def of_hook(args: dict[str, Any], own_hook: Callable[..., Any]) -> Prediction:
    """The prediction as a hook after classifier-free guidance sees it, on hosts without wrappers.

    Args:
        args: what the host gives to the hook.
        own_hook: the hook; what comes before it in the list belongs to the prediction.
    """
    from comfy import samplers

    base, options, sigma = args["model"], args["model_options"], args["sigma"]
    hooks = list(options.get("sampler_post_cfg_function", []))
    before = hooks[: hooks.index(own_hook)] if own_hook in hooks else hooks
    random, scale = RandomState(args["input"].device), _scale(args)

    def again(latents: torch.Tensor) -> torch.Tensor:
        with passive(), random.again():
            return samplers.sampling_function(
                base,
                latents,
                sigma.clone(),
                args["uncond"],
                args["cond"],
                scale,
                model_options=gradient_options(options, before),
            )

    conditions = [each for each in (args["cond"], args["uncond"]) if each is not None]
    return Prediction(
        base=base,
        noisy=args["input"],
        sigma=sigma,
        denoised=args["denoised"],
        conditions=conditions,
        options=options,
        again=again,
        run_key=id(args["cond"]),
        networks=_networks([base], conditions),
        guided_before=any(getattr(each, "guides", False) for each in before),
    )


def _scale(args: dict[str, Any]) -> float:
    """The scale of classifier-free guidance. Hosts of 2024 don't say it: the prediction lies on the line through both
    halves (where a patch has bent that line, the prediction computed again shows it)."""
    if args["uncond"] is None:
        return 1.0
    if args.get("cond_scale") is not None:
        return float(args["cond_scale"])
    away = (args["cond_denoised"] - args["uncond_denoised"]).float()
    along = ((args["denoised"] - args["uncond_denoised"]) * away).sum()
    return float(along / away.square().sum().clamp(min=1e-12))


def gradient_options(options: dict[str, Any], hooks: list[Any]) -> dict[str, Any]:
    """Model options for a call whose gradient is taken: with these hooks after classifier-free guidance, without caches
    and compiled networks, and with attention that has a derivative."""
    inner = dict(options.get("transformer_options", {}))
    if "wrappers" in inner:
        inner["wrappers"] = {
            kind: {key: found for key, found in keyed.items() if key not in _SET_ASIDE}
            for kind, keyed in inner["wrappers"].items()
        }
    inner["optimized_attention_override"] = _attention(inner.get("optimized_attention_override"))
    return {**options, "transformer_options": inner, "sampler_post_cfg_function": hooks}


def _attention(override: Any) -> Callable[..., torch.Tensor]:
    """Attention as the host, or a patch, would compute it, and by PyTorch where that has no derivative."""

    def attend(func: Callable[..., torch.Tensor], *args: Any, **kwargs: Any) -> torch.Tensor:
        import torch
        from comfy.ldm.modules.attention import attention_pytorch

        from ...core.guidance.route import FAILURES

        def usual() -> torch.Tensor:
            return func(*args, **kwargs) if override is None else override(func, *args, **kwargs)

        if not torch.is_grad_enabled() or not any(x.requires_grad for x in args[:3]):
            return usual()
        try:
            found = usual()
        except FAILURES as error:
            if "out of memory" in str(error).lower():
                raise
        else:
            if found.requires_grad:
                return found
        return attention_pytorch(*args, **kwargs)

    return attend


def _wrappers(options: dict[str, Any], kind: str) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = options.get("transformer_options", {}).get("wrappers", {}).get(kind, {})
    return found


def _networks(models: list[torch.nn.Module], conditions: list[list[dict[str, Any]]]) -> list[torch.nn.Module]:
    """Diffusion models and the ControlNets that run with them."""
    controls = {
        id(condition["control"]): condition["control"]
        for each in conditions
        for condition in each
        if condition.get("control") is not None
    }
    return [*models, *(patcher.model for control in controls.values() for patcher in control.get_models())]
