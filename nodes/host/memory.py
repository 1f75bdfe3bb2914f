"""The host's devices, and its management of their memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .folders import running

if TYPE_CHECKING:
    import torch


def compute_device() -> torch.device:
    """Device that the host computes on (the CPU outside a host)."""
    if not running():
        import torch

        return torch.device("cpu")
    from comfy import model_management

    return model_management.get_torch_device()


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


def give_back() -> None:
    """Hand memory that nothing holds any more back to the device."""
    import gc

    gc.collect()
    if running():
        from comfy import model_management

        model_management.soft_empty_cache()


def free_bytes(device: torch.device) -> int:
    """What is free on a device at the moment."""
    from comfy import model_management

    return int(model_management.get_free_memory(device))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this says that the device, or the machine, has no memory left."""
    import torch

    if isinstance(error, torch.cuda.OutOfMemoryError | MemoryError):
        return True
    if running():
        from comfy import model_management

        if isinstance(error, model_management.OOM_EXCEPTION) and model_management.OOM_EXCEPTION is not Exception:
            return True
    # MPS, the CPU's allocator, and CUDA errors that arrive late have no class of their own.
    return isinstance(error, RuntimeError) and (
        "out of memory" in str(error).lower() or "not enough memory" in str(error).lower()
    )


def require_memory(wanted_bytes: int, what: str) -> None:
    """Raise an InputError before the work if ``what`` needs more main memory than the machine has left."""
    if not running():
        return
    import psutil

    from ...core.errors import InputError

    available = psutil.virtual_memory().available
    if wanted_bytes > available:
        raise InputError(
            f"{what} needs about {wanted_bytes / 2**30:.1f} GB of memory and {available / 2**30:.1f} GB are free; "
            "use fewer prompts, a smaller batch or smaller images"
        )


def require_device_memory(patchers: list[Any], extra_bytes: int, remedy: str) -> None:
    """Raise an InputError where models and work can't fit on the device, whatever else the host unloads."""
    if not patchers:
        return
    from comfy import model_management

    from ...core.errors import InputError

    device = patchers[0].load_device
    total = model_management.get_total_memory(device)
    wanted = extra_bytes + sum(patcher.model_size() for patcher in patchers if patcher.load_device == device)
    if wanted > total:
        raise InputError(
            f"guidance needs about {wanted / 2**30:.1f} GB on {device} and it has {total / 2**30:.1f} GB; {remedy}"
        )
