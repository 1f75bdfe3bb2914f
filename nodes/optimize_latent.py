"""Optimize Latent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import core
from . import host
from .category import GUIDANCE
from .explainability_guidance import GUIDANCE_RECORD
from .guidance_inputs import (
    BOX_BLOCKS,
    BOX_CONTRAST,
    BOX_FILL,
    BOX_WEIGHT,
    CLIP,
    CONSTRAINTS,
    CUTOUTS,
    NEGLECT_THRESHOLD,
    PROMPT,
    SEED,
    VIDEO_FRAMES,
    WORD_WEIGHT,
    WORDS,
)
from .hosted_clip import HostedClip

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from ..core.boxes.constraint import Constraints
    from ..core.guidance.record import GuidanceRecord

_REMEDY = "use fewer cutouts, a smaller latent or batch, or put the CLIP on the CPU"


class OptimizeLatent:
    """Optimises latents through a VAE against the same losses as guidance: no diffusion model at all."""

    NODE_ID = "OptimizeLatent"
    DISPLAY_NAME = "Optimize Latent"
    DESCRIPTION = (
        "Moves a latent, step by step, until CLIP sees the whole prompt in its picture and each object in its box. "
        "Uses a VAE but no diffusion model. The preset 'manipulate' starts from a picture and stays close to it."
    )
    SEARCH_ALIASES: ClassVar = ["vqgan clip", "latent optimization", "clip optimization", "image manipulation"]
    CATEGORY = GUIDANCE
    FUNCTION = "optimize"
    RETURN_TYPES = ("LATENT", GUIDANCE_RECORD)
    RETURN_NAMES = ("latent", "record")
    OUTPUT_TOOLTIPS = ("The optimised latents, for VAE Decode.", "Loss curves and previews, for Guidance Report.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "clip": CLIP,
                "vae": ("VAE", {"tooltip": "Makes pictures of the latents; gradients go through its decoder."}),
                "latent": (
                    "LATENT",
                    {"tooltip": "Where to start: VAE Encode for a picture, Empty Latent Image for none."},
                ),
                "prompt": PROMPT,
                "preset": (
                    ["generate", "manipulate"],
                    {
                        "default": "generate",
                        "tooltip": "generate: spherical similarity, free to go anywhere; 'stay' is ignored. "
                        "manipulate: the paper's editing loss, 1 - cosine plus 'stay' x the distance to the start; use "
                        "it with marked [words] and word_weight 1.",
                    },
                ),
                "steps": ("INT", {"default": 100, "min": 1, "max": 10000, "tooltip": "Steps of Adam, at most."}),
                "learning_rate": (
                    "FLOAT",
                    {
                        "default": 0.05,
                        "min": 0.0001,
                        "max": 1.0,
                        "step": 0.001,
                        "tooltip": "Size of Adam's steps, in units of the start's spread.",
                    },
                ),
                "words": WORDS,
                "word_weight": WORD_WEIGHT,
                "box_weight": BOX_WEIGHT,
                "cutouts": CUTOUTS,
                "seed": SEED,
            },
            "optional": {
                "constraints": CONSTRAINTS,
                "stay": (
                    "FLOAT",
                    {
                        "default": 0.5,
                        "min": 0.0,
                        "max": 100.0,
                        "step": 0.05,
                        "tooltip": "With 'manipulate': how strongly the picture is held to the start.",
                    },
                ),
                "patience": (
                    "INT",
                    {
                        "default": 20,
                        "min": 0,
                        "max": 1000,
                        "advanced": True,
                        "tooltip": "Stop early when the loss has not fallen over so many steps; 0: never.",
                    },
                ),
                "picture_noise": (
                    "FLOAT",
                    {
                        "default": 0.02,
                        "min": 0.0,
                        "max": 1.0,
                        "step": 0.01,
                        "advanced": True,
                        "tooltip": "Noise added to what CLIP sees at each step, against adversarial texture.",
                    },
                ),
                "neglect_threshold": NEGLECT_THRESHOLD,
                "box_fill": BOX_FILL,
                "box_blocks": BOX_BLOCKS,
                "box_contrast": BOX_CONTRAST,
                "video_frames": VIDEO_FRAMES,
            },
        }

    def optimize(
        self,
        clip: HostedClip,
        vae: Any,
        latent: dict[str, Any],
        prompt: str,
        preset: str,
        steps: int,
        learning_rate: float,
        words: str,
        word_weight: float,
        box_weight: float,
        cutouts: int,
        seed: int,
        constraints: Constraints = (),
        stay: float = 0.5,
        patience: int = 20,
        picture_noise: float = 0.02,
        neglect_threshold: float = 0.7,
        box_fill: float = 0.0,
        box_blocks: int = 1,
        box_contrast: float = 0.0,
        video_frames: int = 3,
    ) -> tuple[dict[str, Any], GuidanceRecord]:
        manipulate = preset == "manipulate"
        weights = core.guidance.objective.Weights(
            words=word_weight,
            boxes=box_weight,
            fill=box_fill,
            box_blocks=box_blocks,
            contrast=box_contrast,
            threshold=neglect_threshold,
            manipulation=manipulate,
        )
        objective = core.guidance.objective.Objective(clip.clip, prompt, constraints or (), weights, words)
        settings = core.guidance.latent_optimization.OptimizationSettings(
            steps=steps,
            learning_rate=learning_rate,
            cutouts=cutouts,
            noise=picture_noise,
            stay=stay if manipulate else 0.0,
            patience=patience,
            seed=seed,
            frames=video_frames,
        )
        samples = latent["samples"]
        companions = [each for each in (*clip.patchers, vae.patcher) if each is not None]
        frames = min(video_frames, samples.shape[2]) if samples.ndim == 5 else 1
        pictures = len(samples) * frames * objective.views(cutouts)
        needed = core.guidance.memory.bytes_of_pass(clip.clip, pictures)
        needed += core.guidance.memory.BACKWARD * host.decode_bytes(vae, tuple(samples.shape), frames)
        host.require_device_memory(companions, needed, _REMEDY)
        host.load_models(companions, needed)

        def decode(latents: torch.Tensor, frames: tuple[int, ...] = (0,)) -> torch.Tensor:
            return core.guidance.decode.clamp_pixels(host.decode_latents(vae, latents, frames))

        host.check_decoder(vae, lambda x: host.decode_latents(vae, x), samples.to(vae.device))

        with host.progress(steps) as bar, host.gradient_scope([vae.first_stage_model]):
            result, record = core.guidance.latent_optimization.optimize_latents(
                samples.to(vae.device),
                decode,
                objective,
                settings,
                lambda done, total, images: bar(done, total, lambda: _to_pil(images[0])),
            )
        return {**latent, "samples": result.to(samples.device, samples.dtype)}, record


def _to_pil(image: torch.Tensor) -> Image.Image:
    """``[3, H, W]`` in 0..1."""
    from PIL import Image

    return Image.fromarray((image.clamp(0, 1) * 255).round().byte().movedim(0, -1).cpu().numpy())
