"""The only place that touches ComfyUI: folders, memory, progress and previews, decoders, samplers.

Every import of the host happens inside a function, so that the nodes can be imported and run without a ComfyUI:
there are then no model folders, no previews and no progress bar. Works alike on the PyPI host of June 2024 and on
current ComfyUI. Nodes use what is listed here, as ``host.<name>``.
"""

from .clip_parts import clip_parts
from .decoding import check_decoder, decode_bytes, decode_latents, is_tiny_vae, latent_colours
from .demo_diffusion import build_diffusion
from .execution import check_interrupt, is_interrupt, nothing, preview_images, progress, show_lens
from .folders import (
    CLIP_FOLDER,
    folder_state,
    input_path,
    model_file_path,
    model_files,
    model_folder,
    register_model_folder,
    running,
)
from .guidance import gradient_scope, guide_model
from .memory import compute_device, load_models, require_device_memory, require_memory, wrap_model

__all__ = [
    "CLIP_FOLDER",
    "build_diffusion",
    "check_decoder",
    "check_interrupt",
    "clip_parts",
    "compute_device",
    "decode_bytes",
    "decode_latents",
    "folder_state",
    "gradient_scope",
    "guide_model",
    "input_path",
    "is_interrupt",
    "is_tiny_vae",
    "latent_colours",
    "load_models",
    "model_file_path",
    "model_files",
    "model_folder",
    "nothing",
    "preview_images",
    "progress",
    "register_model_folder",
    "require_device_memory",
    "require_memory",
    "running",
    "show_lens",
    "wrap_model",
]
