"""ComfyUI nodes: sockets, widgets and tensor conversion around one call into ``core`` each."""

from __future__ import annotations

from . import host
from .box_spatial_constraint import BoxSpatialConstraint
from .clip_relevancy_map import CLIPRelevancyMap
from .demo_scene import DemoScene
from .load_explainable_clip import LoadExplainableCLIP
from .pick_spatial_constraint import PickSpatialConstraint

host.register_model_folder()

NODE_CLASSES: tuple[type, ...] = (
    LoadExplainableCLIP,
    CLIPRelevancyMap,
    BoxSpatialConstraint,
    PickSpatialConstraint,
    DemoScene,
)

NODE_CLASS_MAPPINGS = {cls.NODE_ID: cls for cls in NODE_CLASSES}  # type: ignore[attr-defined]
NODE_DISPLAY_NAME_MAPPINGS = {cls.NODE_ID: cls.DISPLAY_NAME for cls in NODE_CLASSES}  # type: ignore[attr-defined]
