"""ComfyUI nodes: sockets, widgets and tensor conversion around one call into ``core`` each."""

from __future__ import annotations

from . import host
from .box_spatial_constraint import BoxSpatialConstraint
from .class_prompts import CLASS_PROMPTS_EXTENSIONS, CLASS_PROMPTS_FOLDER
from .clip_relevancy_map import CLIPRelevancyMap
from .compare_methods import CompareMethods
from .demo_scene import DemoScene
from .explainability_guidance import ExplainabilityGuidance
from .explainable_clip_from_parts import ExplainableCLIPFromParts
from .find_neglected_words import FindNeglectedWords
from .guidance_report import GuidanceReport
from .input_checks import check_inputs
from .learn_class_prompts import LearnClassPrompts
from .load_class_prompts import LoadClassPrompts
from .load_demo_diffusion import LoadDemoDiffusion
from .load_explainable_clip import LoadExplainableCLIP
from .map_metrics import MapMetrics
from .optimize_latent import OptimizeLatent
from .pick_best_explained import PickBestExplained
from .pick_spatial_constraint import PickSpatialConstraint
from .prompt_ensemble_classifier import PromptEnsembleClassifier
from .route_images_by_class import RouteImagesByClass
from .train_eclip_projection import TrainECLIPProjection

host.register_model_folder()
host.register_model_folder(CLASS_PROMPTS_FOLDER, CLASS_PROMPTS_EXTENSIONS)

NODE_CLASSES: tuple[type, ...] = (
    LoadExplainableCLIP,
    ExplainableCLIPFromParts,
    CLIPRelevancyMap,
    CompareMethods,
    MapMetrics,
    TrainECLIPProjection,
    BoxSpatialConstraint,
    PickSpatialConstraint,
    ExplainabilityGuidance,
    GuidanceReport,
    OptimizeLatent,
    FindNeglectedWords,
    PickBestExplained,
    DemoScene,
    LoadDemoDiffusion,
    PromptEnsembleClassifier,
    RouteImagesByClass,
    LearnClassPrompts,
    LoadClassPrompts,
)

for node_class in NODE_CLASSES:
    check_inputs(node_class)

NODE_CLASS_MAPPINGS = {cls.NODE_ID: cls for cls in NODE_CLASSES}  # type: ignore[attr-defined]
NODE_DISPLAY_NAME_MAPPINGS = {cls.NODE_ID: cls.DISPLAY_NAME for cls in NODE_CLASSES}  # type: ignore[attr-defined]
