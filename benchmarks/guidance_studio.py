"""The demo diffusion model in ComfyUI's own sampler, in this process: pictures by prompt, seed and kind of guidance."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import Any, Literal

import benchmark_pack  # noqa: F401  (makes clip_explainability importable)
import torch

SIDE = 96
Ranked = Literal["similarity", "words", "boxes"]


def start_host() -> Any:
    """Import ComfyUI on the CPU, the checkout in COMFYUI_PATH or else the package; the module of its own nodes."""
    checkout = os.environ.get("COMFYUI_PATH")
    if checkout:
        sys.path.insert(0, checkout)
    arguments, sys.argv = sys.argv, sys.argv[:1]  # the host reads them as well
    try:
        from comfy.cli_args import args
    finally:
        sys.argv = arguments
    args.cpu = True
    if checkout:
        import nodes

        return nodes
    from comfy.cmd import folder_paths
    from comfy.nodes import base_nodes

    sys.modules["folder_paths"] = folder_paths  # as the host's own start does
    return base_nodes


@dataclass(frozen=True)
class Task:
    """One picture to draw: what it should show, and where.

    Attributes:
        names: the objects, as the demo diffusion model knows them.
        boxes: for each object (x0, y0, x1, y1) in 0..1.
        seed: of the sampler's noise.
    """

    names: tuple[str, ...]
    boxes: tuple[tuple[float, float, float, float], ...]
    seed: int

    @property
    def prompt(self) -> str:
        from clip_explainability.core.demo.scenes import plain_caption

        return str(plain_caption(self.names))


@dataclass(frozen=True)
class Guidance:
    """How one variant of the benchmark guides: changes to the defaults of Explainability Guidance.

    Attributes:
        boxes: whether the node gets the task's boxes.
        changes: its widgets that are not at their default.
    """

    boxes: bool = False
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sampling:
    """The sampler's settings; `text` off draws without the diffusion model's own text."""

    steps: int = 20
    cfg: float = 3.0
    sampler: str = "euler_ancestral"
    scheduler: str = "normal"
    text: bool = True


class Studio:
    """Loads everything once and draws."""

    def __init__(self) -> None:
        self.nodes = start_host()
        from clip_explainability.nodes import host
        from clip_explainability.nodes.load_demo_diffusion import LoadDemoDiffusion
        from clip_explainability.nodes.load_explainable_clip import LoadExplainableCLIP

        host.register_model_folder()  # the pack may have been imported before there was a host
        torch.set_num_threads(1)
        with torch.inference_mode():
            self.model, self.text, self.vae, self.latent = LoadDemoDiffusion().load(batch_size=1)
            self.clip = LoadExplainableCLIP().load("demo (embedded)", False)[0]
            self.empty = self.encode("")

    def encode(self, text: str) -> Any:
        """CONDITIONING of a prompt."""
        return self.nodes.CLIPTextEncode().encode(self.text, text)[0]

    def guided(self, task: Task, guidance: Guidance) -> Any:
        """The guided MODEL."""
        from clip_explainability.nodes.explainability_guidance import ExplainabilityGuidance

        settings = {**node_defaults(ExplainabilityGuidance), "vae": self.vae, **guidance.changes}
        settings |= {"prompt": task.prompt, "clip": self.clip, "seed": task.seed}
        constraints = constraints_of(task) if guidance.boxes else ()
        return ExplainabilityGuidance().patch(self.model, **settings, constraints=constraints)[0]

    def draw(self, task: Task, guidance: Guidance | None, sampling: Sampling, count: int = 1) -> torch.Tensor:
        """A batch of pictures [count, 3, 96, 96] in 0..1, by the host's KSampler and VAE Decode."""
        with torch.inference_mode():
            model = self.model if guidance is None else self.guided(task, guidance)
            positive = self.encode(task.prompt) if sampling.text else self.empty
            latents = self.nodes.RepeatLatentBatch().repeat(self.latent, count)[0]
            drawn = self.nodes.KSampler().sample(
                model, task.seed, sampling.steps, sampling.cfg if sampling.text else 1.0, sampling.sampler,
                sampling.scheduler, positive, self.empty, latents, 1.0,
            )[0]  # fmt: skip
            return self.nodes.VAEDecode().decode(self.vae, drawn)[0].permute(0, 3, 1, 2).float().clone()

    def pick(self, task: Task, images: torch.Tensor, by: Ranked) -> int:
        """Index of the best of pictures ``[n, 3, 96, 96]``, as Pick Best Explained ranks them without and with the
        boxes, or by CLIP's similarity alone."""
        from clip_explainability.core.ranking import rank_images

        with torch.inference_mode():
            constraints = constraints_of(task) if by == "boxes" else ()
            ranking = rank_images(self.clip.ready(), images, task.prompt, constraints)
        return int(ranking.words.similarity.argmax()) if by == "similarity" else ranking.order[0]


def constraints_of(task: Task) -> Any:
    """The task's boxes, as Box Spatial Constraint gives them."""
    from clip_explainability.core.boxes.constraint import from_box
    from clip_explainability.core.demo.captions import fill

    return tuple(
        from_box(name, box, SIDE, SIDE, prompt=fill("a photo of a {}", name))
        for name, box in zip(task.names, task.boxes, strict=True)
    )


def node_defaults(node: type) -> dict[str, Any]:
    """The default of every widget of a node, as the frontend fills it in."""
    inputs = node.INPUT_TYPES()  # type: ignore[attr-defined]
    chosen = {}
    for name, (kind, *options) in {**inputs["required"], **inputs.get("optional", {})}.items():
        settings = options[0] if options else {}
        if "default" in settings:
            chosen[name] = settings["default"]
        elif isinstance(kind, list):
            chosen[name] = kind[0]
    return chosen
