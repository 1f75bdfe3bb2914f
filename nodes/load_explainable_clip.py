"""Load Explainable CLIP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import core
from . import host
from .category import CATEGORY
from .hosted_clip import EXPLAINABLE_CLIP, HostedClip

if TYPE_CHECKING:
    from ..core.loading.activation import Activation

_DTYPES = ("auto", "fp32", "fp16", "bf16")


class LoadExplainableCLIP:
    """Loads a CLIP whose towers can be explained and puts it under ComfyUI's memory management."""

    NODE_ID = "LoadExplainableCLIP"
    DISPLAY_NAME = "Load Explainable CLIP"
    DESCRIPTION = (
        "Loads a CLIP (image and text tower) for the nodes of this pack: the embedded demo CLIP, any CLIP or SigLIP in "
        "models/open_clip in the format of open_clip, OpenAI or Hugging Face, or one of open_clip's pretrained models. "
        "Of CLIP Vision and text encoder files, Explainable CLIP from Parts makes one."
    )
    SEARCH_ALIASES: ClassVar = ["clip loader", "open_clip", "siglip", "relevancy clip", "load clip vision"]
    CATEGORY = CATEGORY
    FUNCTION = "load"
    RETURN_TYPES = (EXPLAINABLE_CLIP, "STRING")
    RETURN_NAMES = ("clip", "report")
    OUTPUT_TOOLTIPS = (
        "The CLIP, for every node of this pack that has a 'clip' input.",
        "What was loaded (towers, activation, pixels), and what had to be guessed.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        sources = core.loading.sources.source_names(host.model_files())
        return {
            "required": {
                "source": (
                    sources,
                    {
                        "default": core.loading.sources.DEMO,
                        "tooltip": "The embedded demo CLIP knows some 75 pictogram classes and needs no file. "
                        "Files come from models/open_clip (.safetensors, .pt, .bin); a sharded model stands here by "
                        "its folder. Names with 'open_clip:' are pretrained models, kept in a folder of their own "
                        "there.",
                    },
                ),
                "download": (
                    "BOOLEAN",
                    {
                        "default": False,
                        "tooltip": "Allow the network: fetch an 'open_clip:' model that is not on this machine yet. "
                        "Off, nothing is ever downloaded.",
                    },
                ),
            },
            "optional": {
                "dtype": (
                    list(_DTYPES),
                    {
                        "default": "auto",
                        "tooltip": "Precision of the weights. auto is fp32: CLIP is small and maps are most exact "
                        "there. fp16 and bf16 halve the memory.",
                    },
                ),
                "device": (
                    ["auto", "cpu"],
                    {"default": "auto", "tooltip": "auto: where ComfyUI computes. cpu: leaves the GPU to others."},
                ),
                "activation": (
                    ["auto", "gelu", "quick_gelu"],
                    {
                        "default": "auto",
                        "tooltip": "Activation function that the CLIP was trained with; the tensors don't show it. "
                        "auto takes what the configuration beside the file says, else what is known of files of that "
                        "name (OpenAI's, their fine-tunes, MetaCLIP, DFN), else GELU, and then says in the report that "
                        "this is a guess.",
                    },
                ),
            },
        }

    @classmethod
    def VALIDATE_INPUTS(cls, source: Any) -> bool | str:
        # Taking 'source' here replaces the host's check against the list: any open_clip model/tag is welcome.
        if source is None:  # comes over a connection: seen when it is there
            return True
        source = str(source)
        if source.startswith(core.loading.sources.PRETRAINED_PREFIX) or source in core.loading.sources.source_names(
            host.model_files()
        ):
            return True
        return (
            f"source {source!r} is not there: choose another, or put the file into models/{host.CLIP_FOLDER} and "
            "press R to refresh the list"
        )

    @classmethod
    def IS_CHANGED(cls, source: str, **_: Any) -> str:
        if not host.running():
            return source
        return core.loading.sources.source_stamp(source, host.model_file_path, host.model_folder())

    def load(
        self, source: str, download: bool, dtype: str = "auto", device: str = "auto", activation: Activation = "auto"
    ) -> tuple[HostedClip, str]:
        import torch

        dtypes = {"fp16": torch.float16, "bf16": torch.bfloat16}
        with torch.inference_mode(False):  # weights made under inference mode could never be explained
            clip = core.loading.sources.load_source(
                source,
                host.model_file_path,
                host.model_folder() if host.running() else None,
                download,
                dtypes.get(dtype, torch.float32),
                activation,
            )
        cpu = torch.device("cpu")
        target = cpu if device == "cpu" else host.compute_device()
        patcher = host.wrap_model(clip.model, target, cpu)
        patchers = () if patcher is None else (patcher,)
        return HostedClip(clip, patchers), core.loading.summary.summarise(clip)
