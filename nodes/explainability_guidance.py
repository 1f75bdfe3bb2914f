"""Explainability Guidance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import core
from . import host
from .category import GUIDANCE
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
    with_default,
)
from .hosted_clip import HostedClip

if TYPE_CHECKING:
    import torch

    from ..core.boxes.constraint import Constraints
    from ..core.guidance.guide import Guide
    from ..core.guidance.record import GuidanceRecord

GUIDANCE_RECORD = "GUIDANCE_RECORD"
_REMEDY = (
    "use fewer cutouts, decode 'fast' or with TAESD (Load VAE), the cheap route, a smaller batch or picture, or put "
    "the CLIP on the CPU"
)


class ExplainabilityGuidance:
    """Steers any sampler so that no word of the prompt is left behind and each object stays in its box."""

    NODE_ID = "ExplainabilityGuidance"
    DISPLAY_NAME = "Explainability Guidance"
    DESCRIPTION = (
        "Patches a MODEL so that, while it samples, CLIP's explanations steer it: words of the prompt that the picture "
        "neglects are strengthened and each object is drawn into its box. Works with any sampler, with epsilon, v and "
        "flow models, and beside other patches. The MODEL itself is not changed."
    )
    SEARCH_ALIASES: ClassVar = [
        "clip guidance",
        "no token left behind",
        "layout",
        "regional",
        "boxes",
        "guided sampling",
    ]
    CATEGORY = GUIDANCE
    FUNCTION = "patch"
    RETURN_TYPES = ("MODEL", GUIDANCE_RECORD)
    RETURN_NAMES = ("model", "record")
    OUTPUT_TOOLTIPS = (
        "A guided copy of the model, for any sampler.",
        "What guidance saw and did in the last run, for Guidance Report.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "model": ("MODEL", {"tooltip": "The diffusion model to guide; patches before and after are kept."}),
                "clip": CLIP,
                "prompt": PROMPT,
                "strength": (
                    "FLOAT",
                    {
                        "default": 0.3,
                        "min": 0.0,
                        "max": 5.0,
                        "step": 0.01,
                        "tooltip": "How far each guided call shifts the predicted noise, as a share of its size. 0.3 "
                        "nudges, 0.5 moves objects towards their boxes, 1 and more break objects (seen on the demo "
                        "models). 0 only measures (for the report).",
                    },
                ),
                "words": WORDS,
                "word_weight": with_default(WORD_WEIGHT, 1.0),
                "box_weight": BOX_WEIGHT,
                "start_percent": (
                    "FLOAT",
                    {
                        "default": 0.0,
                        "min": 0.0,
                        "max": 1.0,
                        "step": 0.01,
                        "tooltip": "Guide from this share of the noise schedule on. Layout is decided early: boxes "
                        "want 0.",
                    },
                ),
                "end_percent": (
                    "FLOAT",
                    {
                        "default": 0.5,
                        "min": 0.0,
                        "max": 1.0,
                        "step": 0.01,
                        "tooltip": "Guide up to this share of the schedule: what is shown, and where, is decided by "
                        "then. The rest adds detail, and is cheaper and cleaner without.",
                    },
                ),
                "every_nth_step": (
                    "INT",
                    {
                        "default": 1,
                        "min": 1,
                        "max": 100,
                        "tooltip": "Guide every n-th step only: 2 halves the cost of guidance.",
                    },
                ),
                "cutouts": with_default(CUTOUTS, 4),
                "decode": (
                    ["auto", "fast", "vae"],
                    {
                        "default": "auto",
                        "tooltip": "How latents become the picture that CLIP sees. fast: the linear preview of the "
                        "latent format, 1-10 % of a step. vae: through the connected VAE; a full one costs up to three "
                        "steps each time and gigabytes, TAESD (Load VAE) 20-30 %. auto: a connected VAE if it is a "
                        "small one, else fast, else vae.",
                    },
                ),
                "seed": SEED,
            },
            "optional": {
                "vae": ("VAE", {"tooltip": "For decode 'vae'. Load VAE's taesd is the best value."}),
                "constraints": CONSTRAINTS,
                "neglect_threshold": NEGLECT_THRESHOLD,
                "box_fill": BOX_FILL,
                "route": (
                    ["auto", "full", "cheap"],
                    {
                        "default": "auto",
                        "advanced": True,
                        "tooltip": "full: the gradient goes through decoder, CLIP and the diffusion model to the noisy "
                        "latents; another 1.5 to 3.5 steps of time each guided step and, although checkpointed, "
                        "gigabytes. cheap: it stops at the predicted picture; no extra call of the model. auto: full "
                        "where it fits and a trial at the first step shows its gradient to be right, else cheap; log "
                        "and report say which.",
                    },
                ),
                "normalize_gradient": (
                    "BOOLEAN",
                    {
                        "default": True,
                        "advanced": True,
                        "tooltip": "Give every update the size that 'strength' says. Off, its size follows the "
                        "gradient, which differs by orders of magnitude between models: raise the strength then.",
                    },
                ),
                "gradient_clamp": (
                    "FLOAT",
                    {
                        "default": 3.0,
                        "min": 0.0,
                        "max": 100.0,
                        "step": 0.1,
                        "advanced": True,
                        "tooltip": "Bound on single latent values of the gradient, as a multiple of their rms: tames "
                        "bright spots. 0: no bound.",
                    },
                ),
                "repeats": (
                    "INT",
                    {
                        "default": 1,
                        "min": 1,
                        "max": 20,
                        "advanced": True,
                        "tooltip": "How many updates each guided call makes, each with other cutouts. Costs that many "
                        "times as much; stronger and less noisy than one update of the same total strength.",
                    },
                ),
                "box_blocks": BOX_BLOCKS,
                "box_contrast": BOX_CONTRAST,
                "video_frames": VIDEO_FRAMES,
            },
        }

    @classmethod
    def VALIDATE_INPUTS(cls, prompt: str | None = None) -> bool | str:
        if prompt is not None and not prompt.strip():
            return "prompt is empty; write what the picture shall show"
        return True

    def patch(
        self,
        model: Any,
        clip: HostedClip,
        prompt: str,
        strength: float,
        words: str,
        word_weight: float,
        box_weight: float,
        start_percent: float,
        end_percent: float,
        every_nth_step: int,
        cutouts: int,
        decode: str,
        seed: int,
        vae: Any = None,
        constraints: Constraints = (),
        neglect_threshold: float = 0.7,
        box_fill: float = 0.0,
        route: str = "auto",
        normalize_gradient: bool = True,
        gradient_clamp: float = 3.0,
        repeats: int = 1,
        box_blocks: int = 1,
        box_contrast: float = 0.0,
        video_frames: int = 3,
    ) -> tuple[Any, GuidanceRecord]:
        if start_percent > end_percent:
            raise core.errors.InputError(
                f"start_percent is {start_percent:g}, after end_percent {end_percent:g}: nothing would be guided; "
                "lower the one or raise the other"
            )
        vae = vae if decoder_for(decode, model, vae) == "vae" else None
        weights = core.guidance.objective.Weights(
            words=word_weight,
            boxes=box_weight,
            fill=box_fill,
            box_blocks=box_blocks,
            contrast=box_contrast,
            threshold=neglect_threshold,
        )
        objective = core.guidance.objective.Objective(clip.clip, prompt, constraints or (), weights, words)
        settings = core.guidance.guide.GuideSettings(
            strength=strength,
            start=start_percent,
            end=end_percent,
            every=every_nth_step,
            cutouts=cutouts,
            normalize=normalize_gradient,
            clamp=gradient_clamp,
            repeats=repeats,
            full=route != "cheap",
            seed=seed,
            frames=video_frames,
        )
        guide = core.guidance.guide.Guide(objective, settings, host.check_interrupt)
        return self._patched(model, clip, vae, guide, route), guide.record

    def _patched(self, model: Any, clip: HostedClip, vae: Any, guide: Guide, route: str) -> Any:
        if vae is None:
            colours = host.latent_colours(model)
            assert colours is not None  # decoder_for has looked

            def check(base: Any, latents: torch.Tensor) -> None:
                pass

            def decode(base: Any, latents: torch.Tensor, frames: tuple[int, ...] = (0,)) -> torch.Tensor:
                return core.guidance.decode.latents_to_rgb(latents, *colours, frames)
        else:

            def decode(base: Any, latents: torch.Tensor, frames: tuple[int, ...] = (0,)) -> torch.Tensor:
                pixels = host.decode_latents(vae, base.process_latent_out(latents), frames)
                return core.guidance.decode.clamp_pixels(pixels)

            def check(base: Any, latents: torch.Tensor) -> None:
                host.check_decoder(vae, lambda x: host.decode_latents(vae, base.process_latent_out(x)), latents)

        def needed_bytes(shape: tuple[int, ...]) -> int:
            frames = min(guide.settings.frames, shape[2]) if len(shape) == 5 else 1
            bytes_for_clip = core.guidance.memory.bytes_of_views(guide, shape[0] * frames)
            if vae is None:
                return bytes_for_clip
            return bytes_for_clip + core.guidance.memory.BACKWARD * host.decode_bytes(vae, shape, frames)

        return host.guide_model(
            model,
            guide,
            decode,
            companions=[each for each in (*clip.patchers, vae and vae.patcher) if each is not None],
            modules=[] if vae is None else [vae.first_stage_model],
            needed_bytes=needed_bytes,
            remedy=_REMEDY,
            check=check,
            route=route,
            decoder="fast" if vae is None else f"vae ({type(vae.first_stage_model).__name__})",
        )


def decoder_for(decode: str, model: Any, vae: Any) -> str:
    """Resolve ``"auto"`` and check that the decoder is there: ``"fast"`` or ``"vae"``.

    Raises:
        InputError: it is not.
    """
    fast = host.latent_colours(model) is not None
    if decode == "auto":
        decode = "vae" if vae is not None and (not fast or host.is_tiny_vae(vae)) else "fast"
    if decode == "vae" and vae is None:
        raise core.errors.InputError("decode is 'vae' but no vae is connected; connect one, or choose 'fast'")
    if decode == "fast" and not fast:
        name = type(model.model.latent_format).__name__
        raise core.errors.InputError(
            f"decode is 'fast', but ComfyUI has no latent-to-RGB table for this model's latents ({name}); connect a "
            "vae and choose 'vae' (Load VAE's taesd is the cheapest)"
        )
    return decode
