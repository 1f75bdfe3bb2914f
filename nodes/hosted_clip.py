"""What travels on an EXPLAINABLE_CLIP connection: a CLIP and the host's handle on its memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import host

if TYPE_CHECKING:
    from ..core.clip import ExplainableCLIP

EXPLAINABLE_CLIP = "EXPLAINABLE_CLIP"


@dataclass(frozen=True, eq=False)
class HostedClip:
    """An explainable CLIP under ComfyUI's memory management.

    Attributes:
        clip: the library's object; its weights may be offloaded.
        patcher: the host's model patcher, or None outside a host.
    """

    clip: ExplainableCLIP
    patcher: Any = None

    def ready(self, extra_bytes: int = 0) -> ExplainableCLIP:
        """Have the host load the weights (and free ``extra_bytes`` beside them); returns the CLIP."""
        if self.patcher is not None:
            host.load_models([self.patcher], extra_bytes)
        return self.clip
