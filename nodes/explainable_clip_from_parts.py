"""Explainable CLIP from Parts."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import core
from . import host
from .category import CATEGORY
from .hosted_clip import EXPLAINABLE_CLIP, HostedClip


class ExplainableCLIPFromParts:
    """Makes one CLIP of the host's own image tower and text encoder, whose weights it shares."""

    NODE_ID = "ExplainableCLIPFromParts"
    DISPLAY_NAME = "Explainable CLIP from Parts"
    DESCRIPTION = (
        "Makes a CLIP for the nodes of this pack of two files that you may have already: the image tower that Load "
        "CLIP Vision loads (of IPAdapter, say) and a text encoder of the same CLIP (CLIP-L, or CLIP-G of SDXL). "
        "Their weights are shared, not copied."
    )
    SEARCH_ALIASES: ClassVar = ["clip vision", "text encoder", "clip_l", "clip_g", "ipadapter", "combine clip", "sdxl"]
    CATEGORY = CATEGORY
    FUNCTION = "join"
    RETURN_TYPES = (EXPLAINABLE_CLIP, "STRING")
    RETURN_NAMES = ("clip", "report")
    OUTPUT_TOOLTIPS = (
        "The CLIP, for every node of this pack that has a 'clip' input.",
        "What the parts make: towers, activation, pixels.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "clip_vision": (
                    "CLIP_VISION",
                    {
                        "tooltip": "From Load CLIP Vision: the image tower of a CLIP (ViT-L/14, ViT-H/14 or "
                        "ViT-bigG/14), not SigLIP's or DINO's."
                    },
                ),
                "clip": (
                    "CLIP",
                    {
                        "tooltip": "The text encoder of the same CLIP with its projection: CLIP-G of SDXL goes with "
                        "ViT-bigG/14, a full CLIP-L text encoder file with ViT-L/14. Of several encoders the one that "
                        "fits is taken."
                    },
                ),
            }
        }

    def join(self, clip_vision: Any, clip: Any) -> tuple[HostedClip, str]:
        parts, patchers = host.clip_parts(clip_vision, clip)
        joined = core.loading.parts.join(parts, "CLIP from parts")
        return HostedClip(joined, tuple(patchers)), core.loading.summary.summarise(joined)
