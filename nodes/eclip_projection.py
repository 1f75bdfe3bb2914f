"""What travels on an ECLIP_PROJECTION connection, and the model folder where trained ones are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import core
from . import host

if TYPE_CHECKING:
    from ..core.clip import ExplainableCLIP
    from ..core.eclip.projection import EclipProjection

ECLIP_PROJECTION = "ECLIP_PROJECTION"  # core.eclip.projection.EclipProjection
ECLIP_FOLDER = "clip_explainability"


def projection_for(clip: ExplainableCLIP, connected: EclipProjection | None = None) -> EclipProjection | None:
    """The connected projection, or the newest one in the model folder that was trained for this CLIP, or the one
    shipped for the demo CLIP, or None."""
    if connected is not None:
        connected.require_clip(clip)
        return connected
    paths = [host.model_file_path(name, ECLIP_FOLDER) for name in host.model_files(ECLIP_FOLDER)]
    return core.eclip.projection.find_projection(clip, [path for path in paths if path is not None])
