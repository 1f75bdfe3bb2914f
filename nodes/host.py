"""The only place that touches ComfyUI: folders, devices and memory, progress, interrupts, previews.

Every import of the host happens inside a function, so that the nodes can be imported and run without a ComfyUI:
there are then no model folders, no previews and no progress bar. Works alike on the PyPI host of June 2024 and on
current ComfyUI.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_PREVIEW_SIZE = 512  # longest side, pixels

CLIP_FOLDER = "open_clip"
CLIP_FILE_EXTENSIONS = frozenset({".safetensors", ".pt", ".bin"})


def running() -> bool:
    """Whether this process is a ComfyUI (both hosts have ``folder_paths`` at the top level, and only they do)."""
    return importlib.util.find_spec("folder_paths") is not None


def _folder_paths() -> Any:
    import folder_paths

    return folder_paths


def register_model_folder(name: str = CLIP_FOLDER, extensions: frozenset[str] = CLIP_FILE_EXTENSIONS) -> None:
    """Add ``models/<name>`` to the host's model folders, keeping what extra_model_paths.yaml says of it.

    The host's own ``add_model_folder_path`` registers an empty extension set, under which no file is listed;
    so the entry is set here, and an entry that is already there only gains our folder and extensions.
    """
    if not running():
        return
    folder_paths = _folder_paths()
    default = os.path.join(folder_paths.models_dir, name)
    registered = folder_paths.folder_names_and_paths
    known: list[str] = list(registered[name][0]) if name in registered else []
    paths = known if default in known else [*known, default]
    known_extensions = set(registered[name][1]) if name in registered else set()
    registered[name] = (paths, known_extensions | extensions)


def model_files(folder: str = CLIP_FOLDER) -> list[str]:
    """Names of the files in a model folder, as the host lists them (empty outside a host)."""
    return list(_folder_paths().get_filename_list(folder)) if running() else []


def model_file_path(name: str, folder: str = CLIP_FOLDER) -> str | None:
    """Full path of a listed model file, or None where the host knows none by that name."""
    return _folder_paths().get_full_path(folder, name)


def model_folder(folder: str = CLIP_FOLDER) -> str:
    """The first folder the host keeps such models in: where a new file is written."""
    return _folder_paths().get_folder_paths(folder)[0]


def input_path(name: str) -> Path:
    """A file or folder that a user named: absolute, or inside the host's input folder."""
    return Path(_folder_paths().get_input_directory(), name) if running() else Path(name)


def compute_device() -> torch.device:
    """Device that the host computes on (the CPU outside a host)."""
    if not running():
        import torch

        return torch.device("cpu")
    from comfy import model_management

    return model_management.get_torch_device()


def offload_device() -> torch.device:
    """Device on which the host keeps text encoders that are not in use."""
    from comfy import model_management

    return model_management.text_encoder_offload_device()


def intermediate_device() -> torch.device:
    """Device for what travels between nodes."""
    from comfy import model_management

    return model_management.intermediate_device()


def wrap_model(model: torch.nn.Module, load_device: torch.device, offload: torch.device) -> Any:
    """Give a module to the host's memory management (a ModelPatcher); None outside a host."""
    if not running():
        return None
    from comfy.model_patcher import ModelPatcher

    return ModelPatcher(model, load_device=load_device, offload_device=offload)


def load_models(patchers: list[Any], extra_bytes: int = 0) -> None:
    """Have the host bring these models to their device, freeing others and ``extra_bytes`` where it must."""
    if not patchers:
        return
    import torch
    from comfy import model_management

    # Weights that the host moves under inference mode become inference tensors, which autograd refuses.
    with torch.inference_mode(False):
        model_management.load_models_gpu(patchers, memory_required=extra_bytes)


def require_memory(wanted_bytes: int, what: str) -> None:
    """Raise an InputError before the work if ``what`` needs more main memory than the machine has left."""
    if not running():
        return
    import psutil

    from ..core.errors import InputError

    available = psutil.virtual_memory().available
    if wanted_bytes > available:
        raise InputError(
            f"{what} needs about {wanted_bytes / 2**30:.1f} GB of memory and {available / 2**30:.1f} GB are free; "
            "use fewer prompts, a smaller batch or smaller images"
        )


def check_interrupt() -> None:
    """Raise the host's own exception if the user pressed Cancel."""
    if not running():
        return
    from comfy import model_management

    model_management.throw_exception_if_processing_interrupted()


def is_interrupt(error: BaseException) -> bool:
    """Whether this is the host's own exception for Cancel."""
    if not running():
        return False
    try:
        from comfy.model_management import InterruptProcessingException
    except ImportError:  # the PyPI host
        from comfy.interruption import InterruptProcessingException
    return isinstance(error, InterruptProcessingException)


def nothing(stand_in: Any) -> Any:
    """What stands on an output that has nothing to give: nodes after it don't run.

    Hosts before August 2024 can't say so; there ``stand_in`` is given.
    """
    try:
        from comfy_execution.graph_utils import ExecutionBlocker
    except ImportError:
        return stand_in
    return ExecutionBlocker(None)


@contextmanager
def progress(total: int = 1) -> Iterator[Callable[..., None]]:
    """ComfyUI's progress bar.

    Yields ``report(done, total=None, draw=None)``: moves the bar to ``done`` of ``total`` steps (the total may be
    learned on the way), shows the PIL image that ``draw()`` gives, and raises the host's exception if the user
    pressed Cancel.
    """
    if not running():
        yield lambda done, total=None, draw=None: None
        return
    from comfy.utils import ProgressBar

    bar = ProgressBar(max(total, 1))

    def report(done: int, total: int | None = None, draw: Callable[[], Any] | None = None) -> None:
        check_interrupt()
        preview = None if draw is None else ("JPEG", draw(), _PREVIEW_SIZE)
        bar.update_absolute(done, total, preview)

    yield report


def preview_images(images: torch.Tensor, key: str = "images", prefix: str = "clip_explainability") -> dict[str, Any]:
    """Write IMAGE [B, H, W, 3] as temporary PNGs and return the ``ui`` part that shows them on the node."""
    if not running():
        return {}
    import uuid

    from PIL import Image

    folder = _folder_paths().get_temp_directory()
    os.makedirs(folder, exist_ok=True)
    entries = []
    for index, image in enumerate((images.clamp(0, 1) * 255).round().byte().cpu().numpy()):
        name = f"{prefix}_{uuid.uuid4().hex[:12]}_{index:03}.png"
        Image.fromarray(image).save(os.path.join(folder, name), compress_level=1)
        entries.append({"filename": name, "subfolder": "", "type": "temp"})
    return {key: entries}


# --- Guidance: what a sampler predicts, and decoders with gradients -------------------------------------------------

_TINY_NETWORK = 10_000_000  # weights; TAESD has 2.4 million, the autoencoder of SD 1.5 84 million


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
    return _parameters(vae.first_stage_model) <= _TINY_NETWORK


def _parameters(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def decode_bytes(vae: Any, latent_shape: tuple[int, ...]) -> int:
    """The host's own estimate of what decoding such latents takes."""
    return int(vae.memory_used_decode(tuple(latent_shape), vae.vae_dtype))


def decode_latents(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Latents as a VAE takes them to pixels ``[B, 3, H, W]``, not clamped and with gradients.

    The host's own ``decode`` clamps (which stops gradients) and falls back to tiles, which have none. Of a video the
    first frame is decoded.
    """
    import torch

    dimensions = getattr(vae, "latent_dim", 2)
    if latents.dim() == 5:
        latents = latents[:, :, :1] if dimensions == 3 else latents[:, :, 0]
    elif dimensions == 3:
        latents = latents.unsqueeze(2)
    pixels = vae.first_stage_model.decode(latents.to(vae.device, vae.vae_dtype)).float()
    if pixels.dim() == 5:
        pixels = pixels[:, :, 0]
    # process_output is linear between its clamps; two points tell which line.
    low, high = (float(vae.process_output(torch.tensor([value]))) for value in (-0.5, 0.5))
    return pixels * (high - low) + (high + low) / 2


def require_device_memory(patchers: list[Any], extra_bytes: int, remedy: str) -> None:
    """Raise an InputError where models and work can't fit on the device, whatever else the host unloads."""
    if not patchers:
        return
    from comfy import model_management

    from ..core.errors import InputError

    device = patchers[0].load_device
    total = model_management.get_total_memory(device)
    wanted = extra_bytes + sum(patcher.model_size() for patcher in patchers if patcher.load_device == device)
    if wanted > total:
        raise InputError(
            f"guidance needs about {wanted / 2**30:.1f} GB on {device} and it has {total / 2**30:.1f} GB; {remedy}"
        )


def guide_model(
    model: Any,
    guide: Any,
    decode: Callable[[Any, torch.Tensor], torch.Tensor],
    companions: list[Any],
    modules: list[torch.nn.Module],
    needed_bytes: Callable[[tuple[int, ...]], int],
    remedy: str,
) -> Any:
    """A clone of a MODEL whose predictions are steered; the MODEL itself is left alone.

    Args:
        guide: a ``core.guidance.guide.Guide``.
        decode: takes the host's inner model and its latents, returns pictures ``[B, 3, H, W]`` in 0..1.
        companions: model patchers to be loaded beside the diffusion model.
        modules: networks that gradients go through, beside the diffusion model on the full route.
        needed_bytes: from the latents' shape to the memory that guidance takes beside the weights.
        remedy: what to do where memory is short.
    """
    from ..core.guidance.guide import SamplerCall

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
            decode=lambda latents: decode(base, latents),
            denoise=_denoiser(args) if guide.settings.full else None,
            scope=lambda: gradient_scope(modules, _denoiser_networks(args) if guide.settings.full else []),
        )
        if guide.starts_run(call):
            make_ready(base, tuple(denoised.shape))
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
        estimate = patched.memory_required

        def memory_required(input_shape: Any) -> Any:
            require((max(1, input_shape[0] // 2), *input_shape[1:]))  # asked for both halves of guidance at once
            return estimate(input_shape)

        patched.memory_required = memory_required
        return

    def prepare(executor: Any, model: Any, noise_shape: Any, *args: Any, **kwargs: Any) -> Any:
        require(tuple(noise_shape))
        return executor(model, noise_shape, *args, **kwargs)

    add_wrapper(WrappersMP.PREPARE_SAMPLING, prepare, patched.model_options, is_model_options=True)


def _sampler_schedule(model_options: dict[str, Any]) -> tuple[float, ...] | None:
    sigmas = model_options.get("transformer_options", {}).get("sample_sigmas")
    return None if sigmas is None else tuple(sigmas.tolist())


def _denoiser(args: dict[str, Any]) -> Callable[[torch.Tensor], torch.Tensor]:
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

    Tiny decoders are not checkpointed. Denoisers always are, which also bears their writing over activations.
    """
    from ..core.guidance.borrowed_weights import borrowed_weights
    from ..core.guidance.checkpointing import checkpointed_blocks

    denoisers = denoisers or []
    large = [decoder for decoder in decoders if _parameters(decoder) > _TINY_NETWORK]
    with checkpointed_blocks(*large, *denoisers), borrowed_weights(*decoders, *denoisers):
        yield


def _denoiser_networks(args: dict[str, Any]) -> list[torch.nn.Module]:
    """The diffusion model and the ControlNets that run with it."""
    conditions = [*(args["cond"] or []), *(args["uncond"] or [])]
    controls = [condition["control"] for condition in conditions if condition.get("control") is not None]
    return [args["model"], *(patcher.model for control in controls for patcher in control.get_models())]
