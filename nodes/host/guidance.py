"""Steering what a sampler of the host predicts."""

from __future__ import annotations

import logging
import math
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from .decoding import recomputes_blocks
from .execution import check_interrupt
from .memory import free_bytes, give_back, is_out_of_memory, load_models, require_device_memory
from .prediction import OWN_KEY, Prediction, is_passive, of_guider, of_hook

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)
_FAR_LESS = 1 / 8


def guide_model(
    model: Any,
    guide: Any,
    decode: Callable[..., torch.Tensor],
    companions: list[Any],
    modules: list[torch.nn.Module],
    needed_bytes: Callable[[tuple[int, ...]], int],
    remedy: str,
    check: Callable[[Any, torch.Tensor], None] = lambda base, latents: None,
    route: str = "auto",
    decoder: str = "",
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
        route: a ``core.guidance.route.Wanted``.
        decoder: its name, for the log.
    """
    from ...core.guidance.thrift import Thrift

    patched = model.clone()
    router = _Router(guide, route, decoder, needed_bytes, modules)
    thrift = Thrift(guide, is_out_of_memory, give_back, _log.warning)

    def make_ready(base: Any, shape: tuple[int, ...]) -> None:
        require_device_memory(companions, needed_bytes(shape), remedy)
        load_models([*_loaded_patchers(base), *companions], needed_bytes(shape))

    def steer(prediction: Prediction) -> torch.Tensor:
        check_interrupt()
        streams = _Streams(prediction)
        base = prediction.base
        call = streams.sampler_call(decode=partial(decode, base), scope=partial(gradient_scope, modules))
        if guide.starts_run(call):
            make_ready(base, tuple(call.denoised.shape))
            check(base, call.denoised)
            thrift.begin()
            router.choose(prediction, streams, call)

        def call_for(measure: str) -> Any:
            through = router.full and measure != "cheap"
            networks = prediction.networks if through else []
            return streams.sampler_call(
                decode=call.decode,
                denoise=streams.denoise if through else None,
                scope=partial(gradient_scope, modules, networks, _copies_needed(base), measure != "as asked"),
            )

        return streams.joined(thrift.steer(call_for, router.full))

    def hook(args: dict[str, Any]) -> torch.Tensor:
        if is_passive():  # the wrapper below has it, or a gradient is being taken
            return args["denoised"]
        return steer(of_hook(args, hook))

    def wrapper(
        executor: Any, x: torch.Tensor, timestep: torch.Tensor, model_options: Any = None, seed: Any = None
    ) -> torch.Tensor:
        if is_passive():
            return executor(x, timestep, model_options, seed)
        return steer(of_guider(executor, x, timestep, model_options or {}, seed))

    hook.guides = True  # type: ignore[attr-defined]
    patched.set_model_sampler_post_cfg_function(hook)
    _wrap(patched, "PREDICT_NOISE", wrapper)
    _announce_memory(patched, lambda shape: require_device_memory(companions, needed_bytes(shape), remedy))
    return patched


class _Streams:
    """The latents of a call. Models of several kinds of latents (video with sound) pack them into one tensor; the first
    of them, which has the pictures, is what guidance sees."""

    def __init__(self, prediction: Prediction) -> None:
        self._prediction = prediction
        shapes = getattr(prediction.base, "latent_shapes", None) or []
        self._shapes = [tuple(shape[1:]) for shape in shapes] if len(shapes) > 1 else []
        self.noisy, *_ = self._split(prediction.noisy)
        self.denoised, *self._others = self._split(prediction.denoised)

    def _split(self, packed: torch.Tensor) -> list[torch.Tensor]:
        if not self._shapes:
            return [packed]
        parts = packed.split([math.prod(shape) for shape in self._shapes], dim=-1)
        return [part.unflatten(-1, shape).squeeze(1) for part, shape in zip(parts, self._shapes, strict=True)]

    def _pack(self, parts: list[torch.Tensor]) -> torch.Tensor:
        import torch

        return torch.cat([part.flatten(1).unsqueeze(1) for part in parts], dim=-1)

    def denoise(self, latents: torch.Tensor) -> torch.Tensor:
        """The prediction for other noisy latents; what does not belong to the picture stays as it is."""
        if not self._shapes:
            return self._prediction.again(latents)
        _, *others = self._split(self._prediction.noisy)
        return self._split(self._prediction.again(self._pack([latents, *others])))[0]

    def joined(self, denoised: torch.Tensor) -> torch.Tensor:
        """The whole prediction with this for its picture."""
        return self._pack([denoised, *self._others]) if self._shapes else denoised

    def sampler_call(self, **others: Any) -> Any:
        from ...core.guidance.guide import SamplerCall

        base, options = self._prediction.base, self._prediction.options
        return SamplerCall(
            denoised=self.denoised,
            noisy=self.noisy,
            sigma=float(self._prediction.sigma.max()),
            run_key=self._prediction.run_key,
            schedule=_sampler_schedule(options),
            percent_to_sigma=lambda percent: float(base.model_sampling.percent_to_sigma(percent)),
            **others,
        )


class _Router:
    """Decides at the start of a run which way its gradients take.

    The gradient through the denoiser is tried once for a model, its patches and a size; after that it is known.
    """

    def __init__(
        self,
        guide: Any,
        wanted: str,
        decoder: str,
        needed_bytes: Callable[[tuple[int, ...]], int],
        decoders: list[torch.nn.Module],
    ) -> None:
        self._guide = guide
        self._wanted = wanted
        self._decoder = decoder
        self._needed_bytes = needed_bytes
        self._decoders = decoders
        self._known: tuple[Any, Any] | None = None
        self.full = False
        self.full_bytes = 0

    def choose(self, prediction: Prediction, streams: _Streams, call: Any) -> None:
        """Choose, and say what was chosen in log and record.

        Raises:
            InputError: the full route is wanted and does not work.
        """
        from ...core.errors import InputError

        choice = self._choice(prediction, streams, call)
        self.full = choice.full
        if self._wanted == "full" and not choice.full and self._guide.settings.strength:
            raise InputError(
                f"route is 'full', but it can't go through {_family(prediction.base)} as it is used here: "
                f"{choice.reason}; choose 'auto' or 'cheap', or take away what stands in its way"
            )
        self._say(prediction, streams, choice)

    def _choice(self, prediction: Prediction, streams: _Streams, call: Any) -> Any:
        from ...core.guidance.route import Choice, try_full

        if not self._guide.settings.strength:
            return Choice(False, "strength is 0: it only measures")
        if self._wanted == "cheap":
            return Choice(False, "as chosen")
        key = _fingerprint(prediction, streams)
        if self._known is None or self._known[0] != key:
            scope = partial(gradient_scope, [], prediction.networks, _copies_needed(prediction.base))
            free = free_bytes(streams.noisy.device)
            self.full_bytes = self._bytes_through(streams, call, prediction, free)
            if self._wanted == "auto" and self.full_bytes > free:
                sizes = f"about {self.full_bytes / 2**30:.1f} GB beside the weights and {free / 2**30:.1f} GB are free"
                return Choice(False, f"full needs {sizes}")
            compared = None if prediction.guided_before else streams.denoised
            self._known = key, try_full(streams.denoise, streams.noisy, compared, scope)
        return self._known[1]

    def _bytes_through(self, streams: _Streams, call: Any, prediction: Prediction, free: int) -> int:
        """What a step of the full route takes beside the weights; a rough figure where far more is free, for the exact
        one takes seconds."""
        from ...core.guidance.frames import decode_frames, frames_read
        from ...core.guidance.memory import BACKWARD, bytes_of_gradient, bytes_of_views
        from ...core.guidance.route import FAILURES

        guide, shape = self._guide, tuple(streams.noisy.shape)
        frames = frames_read(streams.noisy, guide.settings.frames)
        views = bytes_of_views(guide, shape[0] * len(frames))
        sampling = int(prediction.base.memory_required([2 * shape[0], *shape[1:]]))
        rough = max(self._needed_bytes(shape), BACKWARD * sampling + views)
        if rough < _FAR_LESS * free:
            return rough

        def pictures(x: torch.Tensor) -> torch.Tensor:
            return decode_frames(call.decode, streams.denoise(x), frames)

        scope = partial(gradient_scope, self._decoders, prediction.networks)
        try:
            return bytes_of_gradient(pictures, streams.noisy, views, scope)
        except FAILURES as error:
            _log.debug("memory of the full route is estimated from that of sampling: %s", error)
        return rough

    def _say(self, prediction: Prediction, streams: _Streams, choice: Any) -> None:
        guide = self._guide
        windows = guide.objective.views(guide.settings.cutouts)
        evaluations = guide.settings.repeats * 3 if choice.full else 0  # forward, blocks again, backward
        needed = (self.full_bytes if choice.full else self._needed_bytes(tuple(streams.denoised.shape))) / 2**30
        guide.record.route = {
            "model": _family(prediction.base),
            "route": choice.route,
            "reason": choice.reason,
            "gradient_error": choice.error,
            "decoder": self._decoder,
            "evaluations_a_step": evaluations,
            "windows_a_step": windows * guide.settings.repeats,
            "estimated_gigabytes": round(needed, 2),
        }
        _log.info(
            "Explainability Guidance: %s, %s route (%s), decode %s, a guided step takes about %s more evaluations of "
            "the model and %s windows, %.1f GB beside the weights",
            _family(prediction.base),
            choice.route,
            choice.reason,
            self._decoder,
            evaluations,
            windows * guide.settings.repeats,
            needed,
        )


def _family(base: Any) -> str:
    """What the host calls a kind of model."""
    config = getattr(base, "model_config", None)
    found = type(base) if config is None else type(config)
    return (type(base) if found.__name__ in ("BASE", "Config") else found).__name__


def _fingerprint(prediction: Prediction, streams: _Streams) -> Any:
    """What the gradient through the denoiser depends on, beside numbers."""
    patcher = getattr(prediction.base, "current_patcher", None)
    conditions = [
        sorted((key, type(value).__name__) for key, value in each.items())
        for given in prediction.conditions
        for each in given
    ]
    return (
        tuple(streams.denoised.shape),
        str(getattr(patcher, "patches_uuid", "")),
        str(conditions),
        _structure(prediction.options),
    )


def _structure(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(sorted((str(key), _structure(each)) for key, each in value.items() if key != "sample_sigmas"))
    if isinstance(value, list | tuple):
        return tuple(_structure(each) for each in value)
    return str(value) if isinstance(value, str | int | float | bool | None) else f"{type(value).__name__} {id(value)}"


def _copies_needed(base: Any) -> bool:
    """Whether weights come and go through memory that others use before a backward pass has read them: dynamic memory,
    and models that are loaded in part."""
    patcher = getattr(base, "current_patcher", None)
    dynamic = getattr(patcher, "is_dynamic", None)
    return bool(getattr(base, "model_lowvram", False)) or (dynamic is not None and bool(dynamic()))


def _loaded_patchers(base: Any) -> list[Any]:
    """The patcher of a model that is in use: named in a load, it is not pushed out by what is loaded beside it."""
    from comfy import model_management

    patchers = [loaded.model for loaded in model_management.current_loaded_models]
    return [patcher for patcher in patchers if patcher is not None and patcher.model is base]


def _wrap(patched: Any, kind: str, wrapper: Callable[..., Any]) -> bool:
    """Have ``wrapper`` called around a part of the host's sampling; False on hosts before 2025, which can't."""
    try:
        from comfy.patcher_extension import WrappersMP, add_wrapper_with_key
    except ImportError:
        return False
    add_wrapper_with_key(getattr(WrappersMP, kind), OWN_KEY, wrapper, patched.model_options, is_model_options=True)
    return True


def _announce_memory(patched: Any, require: Callable[[tuple[int, ...]], None]) -> None:
    """Have ``require`` called with the latents' shape before sampling starts."""

    def prepare(executor: Any, model: Any, noise_shape: Any, *args: Any, **kwargs: Any) -> Any:
        require(tuple(noise_shape))
        return executor(model, noise_shape, *args, **kwargs)

    if _wrap(patched, "PREPARE_SAMPLING", prepare):
        return
    # Hosts before 2025 ask the patcher itself, before they load the model. They also unload a model only once nothing
    # but their list refers to its patcher, so it must not refer to itself.
    owner = weakref.ref(patched)

    def memory_required(input_shape: Any) -> Any:
        require((max(1, input_shape[0] // 2), *input_shape[1:]))  # asked for both halves of guidance at once
        patcher = owner()
        assert patcher is not None, "asked by the patcher itself"
        return type(patcher).memory_required(patcher, input_shape)

    patched.memory_required = memory_required


def _sampler_schedule(model_options: dict[str, Any]) -> tuple[float, ...] | None:
    sigmas = model_options.get("transformer_options", {}).get("sample_sigmas")
    return None if sigmas is None else tuple(sigmas.tolist())


@contextmanager
def gradient_scope(
    decoders: list[torch.nn.Module],
    denoisers: list[torch.nn.Module] | None = None,
    copies: bool = False,
    finer: bool = False,
) -> Iterator[None]:
    """What gradients through the host's networks need: usable weights, plain operations, and checkpointed blocks.

    Denoisers always are, which also bears their writing over activations; decoders where that gives the right gradient.

    Args:
        copies, finer: see ``checkpointed_blocks``.
    """
    from ...core.guidance.borrowed_weights import borrowed_weights
    from ...core.guidance.checkpointing import checkpointed_blocks
    from ...core.guidance.differentiable import Differentiable, saved_copies

    denoisers = denoisers or []
    blocks = [*(decoder for decoder in decoders if recomputes_blocks(decoder)), *denoisers]
    with (
        borrowed_weights(*decoders, *denoisers),
        checkpointed_blocks(*blocks, around=Differentiable, copies=copies, finer=finer),
        _host_trains(),
        Differentiable(),
        saved_copies(),
    ):
        yield


@contextmanager
def _host_trains() -> Iterator[None]:
    """The host's own switch for operations with a derivative, where it has one."""
    from comfy import model_management

    before = getattr(model_management, "in_training", None)
    if before is None:
        yield
        return
    model_management.in_training = True
    try:
        yield
    finally:
        model_management.in_training = before
