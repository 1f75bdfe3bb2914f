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
        patchers: the host's model patchers that own the weights; none outside a host.
    """

    clip: ExplainableCLIP
    patchers: tuple[Any, ...] = ()

    def ready(self, extra_bytes: int = 0) -> ExplainableCLIP:
        """Have the host load the weights (and free ``extra_bytes`` beside them); returns the CLIP."""
        host.load_models(list(self.patchers), extra_bytes)
        return self.clip
