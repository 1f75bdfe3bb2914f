"""Guidance inside the sampler of a real host, in the host's own Python: prints one JSON object for each check.

    python tests/host/guidance_probe.py [--comfyui CHECKOUT] [--only NAME ...] [--runs 50]

Models are the host's own classes with random weights (tiny_diffusion.py), the sampler is its KSampler.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import itertools
import json
import resource
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--comfyui", type=Path)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--without", nargs="*", default=[])
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--families", nargs="*")
    arguments = parser.parse_args()
    sys.argv = sys.argv[:1]  # the host reads them as well
    return arguments


def start_host(comfyui: Path | None) -> Any:
    """Import the host on the CPU; returns the module with its nodes."""
    if comfyui is not None:
        sys.path.insert(0, str(comfyui))
    from comfy.cli_args import args

    args.cpu = True
    if comfyui is not None:
        import nodes

        return nodes
    from comfy.cmd import folder_paths
    from comfy.nodes import base_nodes

    sys.modules["folder_paths"] = folder_paths  # as the host's own start does
    return base_nodes


ARGUMENTS = parse()
NODES = start_host(ARGUMENTS.comfyui)
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests" / "core"), str(HERE)]

import pack  # noqa: E402

pack.load()

import tiny_families  # noqa: E402
import torch  # noqa: E402
from clip_explainability.core.boxes.constraint import from_box  # noqa: E402
from clip_explainability.core.errors import InputError  # noqa: E402
from clip_explainability.core.grad_mode import gradients, normal  # noqa: E402
from clip_explainability.core.guidance import guide as guide_module  # noqa: E402
from clip_explainability.core.guidance.objective import Objective  # noqa: E402
from clip_explainability.nodes import host  # noqa: E402
from clip_explainability.nodes.explainability_guidance import ExplainabilityGuidance  # noqa: E402
from clip_explainability.nodes.host import guidance, prediction  # noqa: E402
from clip_explainability.nodes.hosted_clip import HostedClip  # noqa: E402
from comfy import model_management  # noqa: E402
from tiny_clips import tiny_clip  # noqa: E402
from tiny_diffusion import CHANNELS, KINDS, conditioning, tiny_model, tiny_vae  # noqa: E402

torch.set_num_threads(1)
CPU = torch.device("cpu")
_CLIP = tiny_clip("vit-cls")
CLIP = HostedClip(_CLIP, (host.wrap_model(_CLIP.model, CPU, CPU),))
BOXES = (
    from_box("dog", (0.0, 0.0, 0.5, 0.5), 64, 64, prompt="a photo of a dog"),
    from_box("cat", (0.5, 0.4, 1.0, 1.0), 64, 64, prompt="a photo of a cat"),
)
SETTINGS: dict[str, Any] = {
    "clip": CLIP,
    "prompt": "a dog and a cat near the bench",
    "strength": 0.2,
    "words": "neglected",
    "word_weight": 0.1,
    "box_weight": 1.0,
    "start_percent": 0.0,
    "end_percent": 1.0,
    "every_nth_step": 1,
    "cutouts": 2,
    "decode": "fast",
    "seed": 1,
    "constraints": BOXES,
}
Check = Callable[[], Iterator[dict[str, Any]]]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    CHECKS[function.__name__] = function
    return function


def guided(model: Any, **changes: Any) -> tuple[Any, Any]:
    return ExplainabilityGuidance().patch(model, **{**SETTINGS, **changes})


def latent(channels: int = 4, batch: int = 1, **others: Any) -> dict[str, Any]:
    return {"samples": torch.zeros(batch, channels, 8, 8), **others}


def sample(
    model: Any,
    start: dict[str, Any] | None = None,
    seed: int = 3,
    steps: int = 3,
    cfg: float = 4.0,
    sampler: str = "euler",
    denoise: float = 1.0,
) -> torch.Tensor:
    start = start or latent()
    return NODES.KSampler().sample(
        model, seed, steps, cfg, sampler, "normal", conditioning(), conditioning(seed=5), start, denoise
    )[0]["samples"]


@check
def table() -> Iterator[dict[str, Any]]:
    """{eps, v, flow} x {4, 16 channels} x {cheap, full}.

    Random networks make no pictures, so what can be asked of the loss is that an update lowers it: each call is guided
    twice, and the second update sees what the first one did, through the same window.
    """
    for kind, channels in itertools.product(KINDS, CHANNELS):
        model, start = tiny_model(kind, channels), latent(channels)
        unguided = sample(model, start)
        measured, _ = guided(model, strength=0.0)
        zero_is_unguided = torch.equal(sample(measured, start), unguided)
        for route in ("cheap", "full"):
            small = 0.02 if route == "cheap" else 0.004  # a random denoiser is far from linear
            patched, record = guided(
                model, route=route, strength=small, repeats=2, cutouts=1, constraints=BOXES[:1], words="all"
            )
            first, again = sample(patched, start), sample(patched, start)
            pairs = list(zip(record.steps[::2], record.steps[1::2], strict=True))
            before, after = ([pair[place].total[0] for pair in pairs] for place in (0, 1))
            yield {
                "case": f"{kind} {channels} {route}",
                "loss_before": round(sum(before) / len(pairs), 4),
                "loss_after": round(sum(after) / len(pairs), 4),
                "calls_that_fell": f"{sum(y < x for x, y in zip(before, after, strict=True))} of {len(pairs)}",
                "falls": sum(after) < sum(before),
                "same_seed_same_image": torch.equal(first, again),
                "changes_the_image": not torch.equal(first, unguided),
                "strength_0_is_unguided": zero_is_unguided,
                "unpatched_identical": torch.equal(sample(model, start), unguided),
            }


@check
def full_route_gradient() -> Iterator[dict[str, Any]]:
    """The gradient through the checkpointed denoiser against finite differences."""
    for kind in KINDS:
        found: list[float] = []

        def compare(args: dict[str, Any], found: list[float] = found) -> torch.Tensor:
            if prediction.is_passive():
                return args["denoised"]
            call = prediction.of_hook(args, compare)
            denoise = call.again
            with gradients(), guidance.gradient_scope([], call.networks):
                x = normal(args["input"]).clone().requires_grad_()
                y = denoise(x)
                weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
                (gradient,) = torch.autograd.grad((y * weights).sum(), x)
                step = 1e-2 * gradient / gradient.norm()
                with torch.no_grad():
                    slope = ((denoise(x + step) - denoise(x - step)) * weights).sum() / 2e-2
            found.append(abs(float(slope / gradient.norm()) - 1))
            found.append(float((y.detach() - args["denoised"]).abs().max()))
            return args["denoised"]

        patched = tiny_model(kind).clone()
        patched.set_model_sampler_post_cfg_function(compare)
        sample(patched, steps=2)
        yield {"case": kind, "relative_error": max(found[::2]), "same_prediction": max(found[1::2])}


@check
def vae_decode() -> Iterator[dict[str, Any]]:
    """Through the host's VAE, whose weights are inference tensors."""
    for channels in CHANNELS:
        with torch.inference_mode():
            model, vae = tiny_model("eps", channels), tiny_vae(channels)
        weights = dict(vae.first_stage_model.state_dict(keep_vars=True))
        _, without = found = guided(model, decode="vae", vae=vae, cutouts=1, strength=0.0)
        sample(found[0], latent(channels))
        patched, record = guided(model, decode="vae", vae=vae, cutouts=1)
        sample(patched, latent(channels))
        after = vae.first_stage_model.state_dict(keep_vars=True)
        yield {
            "case": channels,
            "falls": record.steps[-1].total[0] < without.steps[-1].total[0],
            "weights_put_back": all(after[name] is weight for name, weight in weights.items()),
        }


@check
def families() -> Iterator[dict[str, Any]]:
    """Every family of the host, shrunken: both routes, batches, CFG 1, after an error and after Cancel."""
    tried: dict[Any, dict[str, Any]] = {}
    for family in tiny_families.families():
        if ARGUMENTS.families and family.__name__ not in ARGUMENTS.families:
            continue
        if not tiny_families.makes_pictures(family):
            continue
        began = time.process_time()
        try:
            found = tiny_families.ready(family, run_family)
        except tiny_families.NotShrunken as reason:
            yield {"case": family.__name__, "not_shrunken": str(reason)[:300]}
            continue
        base, start = found[0].model, found[2]
        shapes = tuple((name, tuple(each.shape)) for name, each in base.state_dict().items())
        network = (type(base), base.model_type, shapes, start["samples"].shape)
        if network not in tried:  # shrunken, SDXL and its distilled kinds are one network
            tried[network] = {"like": family.__name__, **try_family(*found)}
        yield {"case": family.__name__, **tried[network], "seconds": round(time.process_time() - began, 1)}


def run_family(model: Any, given: Any, start: dict[str, Any]) -> torch.Tensor:
    return NODES.KSampler().sample(model, 3, 1, 1.0, "euler", "simple", given, given, start, 1.0)[0]["samples"]


def try_family(model: Any, given: Any, start: dict[str, Any]) -> dict[str, Any]:
    plain = run_family(model, given, start)
    base = model.model
    weights = {name: id(each) for name, each in base.state_dict(keep_vars=True).items()}

    def decode(inner: Any, latents: torch.Tensor, frames: tuple[int, ...] = (0,)) -> torch.Tensor:
        if latents.dim() == 5:
            latents = latents[:, :, list(frames)].transpose(1, 2).flatten(0, 1)
        return torch.nn.functional.interpolate((latents[:, :3].float() * 0.3 + 0.5).clamp(0, 1), size=(32, 32))

    def patched(route: str) -> tuple[Any, Any]:
        guide = guide_module.Guide(
            Objective(CLIP.clip, "a dog and a cat"), guide_module.GuideSettings(cutouts=1, end=1.0, strength=0.1)
        )
        arguments = {"companions": [], "modules": [], "needed_bytes": lambda shape: 0, "remedy": "none"}
        return host.guide_model(model, guide, decode, route=route, **arguments), guide.record

    result: dict[str, Any] = {}
    for route in ("cheap", "auto"):
        guided_model, record = patched(route)
        try:
            changed = run_family(guided_model, given, start)
        except Exception as error:
            result[route] = f"{type(error).__name__}: {error}"[:200]
            continue
        result[route] = record.route["route"]
        result[f"{route}_ok"] = bool(changed.isfinite().all()) and not torch.equal(changed, plain)
        if route == "auto":
            result |= {"reason": record.route["reason"], "gradient_error": record.route["gradient_error"]}
    stop = patched("auto")[0].clone()
    calls: list[int] = []

    def cancel(args: dict[str, Any]) -> torch.Tensor:
        calls.append(1)
        if len(calls) > 5:  # the sampler's call, four without gradients, then the one whose gradient is taken
            raise KeyboardInterrupt
        return args["denoised"]

    stop.set_model_sampler_post_cfg_function(cancel)
    with contextlib.suppress(KeyboardInterrupt):
        run_family(stop, given, start)
    after = {name: id(each) for name, each in base.state_dict(keep_vars=True).items()}
    result["modules_unchanged"] = after == weights and all("forward" not in vars(each) for each in base.modules())
    result["modes_left"] = torch.overrides._len_torch_function_stack()
    result["unpatched_identical"] = torch.equal(run_family(model, given, start), plain)
    return result


def extra(module: str, name: str) -> Any:
    """A node of the host's extras, or None where the host has none of that name."""
    for package in ("comfy_extras", "comfy_extras.nodes"):
        with contextlib.suppress(ImportError):
            return getattr(importlib.import_module(f"{package}.{module}"), name, None)
    return None


def applied(node: Any, model: Any, *args: Any) -> Any:
    call = node.execute if hasattr(node, "execute") else getattr(node(), node.FUNCTION)
    return call(model, *args)[0]


def kernel_without_autograd(model: Any) -> Any:
    """As the patches that put SageAttention into a model."""

    def override(func: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        with torch.no_grad():
            return func(*(x.detach() if torch.is_tensor(x) else x for x in args), **kwargs)

    model = model.clone()
    model.model_options["transformer_options"]["optimized_attention_override"] = override
    return model


PATCHES = {
    "FreeU": ("nodes_freelunch", "FreeU", 1.1, 1.2, 0.9, 0.2),
    "FreeU_V2": ("nodes_freelunch", "FreeU_V2", 1.3, 1.4, 0.9, 0.2),
    "HyperTile": ("nodes_hypertile", "HyperTile", 32, 2, 2, False),
    "ToMe": ("nodes_tomesd", "TomePatchModel", 0.3),
    "PAG": ("nodes_pag", "PerturbedAttentionGuidance", 3.0),
    "SAG": ("nodes_sag", "SelfAttentionGuidance", 0.5, 2.0),
    "RescaleCFG": ("nodes_model_advanced", "RescaleCFG", 0.7),
    "CFG-Zero*": ("nodes_cfg", "CFGZeroStar"),
    "CFGNorm": ("nodes_cfg", "CFGNorm", 1.0),
    "TCFG": ("nodes_tcfg", "TCFG"),
    "APG": ("nodes_apg", "APG", 1.0, 5.0, 0.0),
    "EasyCache": ("nodes_easycache", "EasyCacheNode", 0.2, 0.15, 0.95, False),
    "LazyCache": ("nodes_easycache", "LazyCacheNode", 0.2, 0.15, 0.95, False),
}


@check
def patches() -> Iterator[dict[str, Any]]:
    """Patches before and after guidance: which route, and whether the result is finite and guided."""
    for name, (module, node_name, *arguments) in PATCHES.items():
        node = extra(module, node_name)
        if node is None:
            continue
        yield try_patch(name, lambda model, node=node, arguments=arguments: applied(node, model, *arguments))
    if extra("nodes_easycache", "EasyCacheNode"):
        yield try_patch("attention without autograd", kernel_without_autograd)


def try_patch(name: str, patch: Callable[[Any], Any]) -> dict[str, Any]:
    result: dict[str, Any] = {"case": name}
    for place in ("before", "after"):
        base = tiny_model()
        plain = sample(patch(base), latent())
        model, record = guided(patch(base) if place == "before" else base, cutouts=1, constraints=())
        try:
            found = sample(patch(model) if place == "after" else model, latent())
        except Exception as error:
            result[place] = f"{type(error).__name__}: {error}"[:200]
            continue
        result[place] = record.route["route"]
        result[f"{place}_reason"] = record.route["reason"]
        result[f"{place}_ok"] = bool(found.isfinite().all()) and not torch.equal(found, plain)
    return result


@check
def guiders() -> Iterator[dict[str, Any]]:
    """Guiders of SamplerCustomAdvanced: the prediction that is guided is the guider's."""
    custom = "nodes_custom_sampler"
    one, two, three = conditioning(), conditioning(seed=5), conditioning(seed=7)
    cases: dict[str, Callable[[Any], Any]] = {}
    if basic := extra(custom, "BasicGuider"):
        cases["BasicGuider"] = lambda model: applied(basic, model, one)
    if cfg := extra(custom, "CFGGuider"):
        cases["CFGGuider"] = lambda model: applied(cfg, model, one, two, 4.0)
    dual = extra(custom, "DualCFGGuider")
    for style in ("regular", "nested") if hasattr(dual, "execute") else ():
        cases[f"DualCFG, {style}"] = lambda model, style=style: applied(dual, model, one, two, three, 3.0, 2.0, style)
    if negative := extra("nodes_perpneg", "PerpNegGuider"):
        cases["PerpNeg"] = lambda model: applied(negative, model, one, two, three, 4.0, 1.0)
    for name, build in cases.items():
        model, record = guided(tiny_model(), cutouts=1, constraints=())
        guider = build(model)
        sigmas = torch.tensor([5.0, 2.0, 0.5, 0.0])
        from comfy import samplers as host_samplers

        noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))
        found = guider.sample(noise, torch.zeros_like(noise), host_samplers.sampler_object("euler"), sigmas, seed=1)
        yield {
            "case": name,
            "route": record.route["route"],
            "reason": record.route["reason"],
            "ok": bool(found.isfinite().all()) and len(record.steps) == 3,
        }


@check
def weights() -> Iterator[dict[str, Any]]:
    """Weights as people have them."""

    def quantized(layout: str, form: str) -> Any:
        from comfy import ops, quant_ops

        model = tiny_model(operations=ops.mixed_precision_ops(compute_dtype=torch.float32))
        model.model.load_state_dict(tiny_model().model.state_dict(), strict=False)
        for layer in model.model.modules():
            if type(layer).__name__ == "Linear" and min(layer.weight.shape) >= 32:
                weight = quant_ops.QuantizedTensor.from_float(layer.weight.detach().clone(), layout)
                layer.weight = torch.nn.Parameter(weight, requires_grad=False)
                layer.layout_type, layer.quant_format = layout, form
        return model

    def cast(dtype: torch.dtype) -> Any:
        from comfy import ops

        model = tiny_model(operations=ops.manual_cast)
        model.model.diffusion_model.to(dtype)
        model.model.manual_cast_dtype = torch.float32
        return model

    def with_lora() -> Any:
        model = tiny_model().clone()
        weights = model.model.state_dict()
        name = next(key for key in weights if "to_q.weight" in key)
        model.add_patches({name: (torch.randn(weights[name].shape) * 0.1,)}, 0.7)
        return model

    cases: dict[str, Callable[[], Any]] = {
        "fp32": tiny_model,
        "bf16": lambda: cast(torch.bfloat16),
        "fp8 cast": lambda: cast(torch.float8_e4m3fn),
        "LoRA patched in": with_lora,
    }
    with contextlib.suppress(ImportError):
        from comfy import quant_ops

        for form, algorithm in quant_ops.QUANT_ALGOS.items():
            layout = algorithm["comfy_tensor_layout"]
            cases[form] = lambda layout=layout, form=form: quantized(layout, form)
    for name, build in cases.items():
        try:
            with torch.inference_mode():
                model = build()
            plain = sample(model)
        except Exception as error:
            yield {"case": name, "not_built": f"{type(error).__name__}: {error}"[:150]}
            continue
        patched, record = guided(model, cutouts=1, constraints=())
        try:
            found = sample(patched)
        except Exception as error:
            yield {"case": name, "route": f"{type(error).__name__}: {error}"[:200], "ok": False}
            continue
        yield {
            "case": name,
            "route": record.route["route"],
            "reason": record.route["reason"],
            "gradient_error": record.route["gradient_error"],
            "ok": bool(found.isfinite().all()) and not torch.equal(found, plain),
            "unpatched_identical": torch.equal(sample(model), plain),
        }


@check
def samplers() -> Iterator[dict[str, Any]]:
    """Samplers that call the model once, twice or adaptively often a step, with noise of their own."""
    model = tiny_model()
    for name in ("heun", "dpm_2_ancestral", "dpm_adaptive", "dpmpp_2m_sde", "uni_pc", "lcm", "ddim"):
        patched, record = guided(model, route="cheap", cutouts=1, constraints=())
        first, calls = sample(patched, sampler=name), len(record.steps)
        yield {
            "case": name,
            "calls": calls,
            "finite": bool(first.isfinite().all()),
            "same_seed_same_image": torch.equal(first, sample(patched, sampler=name)),
            "same_calls": len(record.steps) == calls,
        }


@check
def settings() -> Iterator[dict[str, Any]]:
    """CFG 1, image to image, inpainting, batches, every n-th step, other patches."""
    model = tiny_model()
    start = latent(batch=2)
    start["samples"] = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 64, 64)
    mask[:, :32] = 1

    patched, record = guided(model)
    yield {"case": "CFG 1", "ok": bool(sample(patched, cfg=1.0).isfinite().all()) and len(record.steps) == 3}
    patched_full, _ = guided(model, route="full")
    yield {"case": "CFG 1, full route", "ok": bool(sample(patched_full, cfg=1.0).isfinite().all())}

    changed = sample(patched, start, denoise=0.5, steps=4)
    yield {"case": "image to image", "ok": changed.shape == (2, 4, 8, 8) and len(record.steps) == 4}

    inpainted = sample(patched, {**start, "noise_mask": mask})
    plain = sample(model, {**start, "noise_mask": mask})
    kept = torch.allclose(inpainted[..., 4:, :], start["samples"][..., 4:, :], atol=1e-4)
    yield {"case": "inpainting", "ok": kept and not torch.equal(inpainted, plain)}

    patched, record = guided(model, every_nth_step=2, start_percent=0.0)
    sample(patched, steps=4)
    yield {"case": "every second step", "ok": [step.step for step in record.steps] == [0, 2]}

    patched, record = guided(model, end_percent=0.5)
    sample(patched, steps=6)
    yield {"case": "until half of the schedule", "ok": 0 < len(record.steps) < 6, "calls": len(record.steps)}

    doubled, other_record = guided(patched, seed=9)
    doubled.set_model_sampler_post_cfg_function(lambda args: args["denoised"] * 0.9)
    sample(doubled)
    yield {"case": "two guidances and another patch", "ok": bool(record.steps) and bool(other_record.steps)}

    repeated, record = guided(model, repeats=3)
    sample(repeated)
    yield {"case": "three repeats a step", "ok": len(record.steps) == 9}

    with torch.inference_mode():
        ours = sample(guided(model)[0])
    yield {"case": "inference mode", "ok": torch.equal(ours, sample(guided(model)[0]))}


@check
def interrupt() -> Iterator[dict[str, Any]]:
    """Cancel pressed while the second step is guided: no further step is."""
    for route in ("cheap", "full"):
        calls: list[float] = []

        def press(args: dict[str, Any], calls: list[float] = calls) -> torch.Tensor:
            if prediction.is_passive() and torch.is_grad_enabled():  # the full route computes the prediction again
                return args["denoised"]
            known = len(set(calls))
            calls.append(float(args["sigma"].max()))
            if (known, len(set(calls))) == (1, 2):  # once: the run afterwards must not be cancelled
                model_management.interrupt_current_processing(True)
            return args["denoised"]

        model = tiny_model().clone()
        model.set_model_sampler_post_cfg_function(press)  # called before guidance, in the same step
        patched, record = guided(model, route=route)
        raised = ""
        try:
            sample(patched, steps=8)
        except BaseException as error:
            raised = type(error).__name__
        guided_calls, model_calls = len(record.steps), len(set(calls))
        model_management.interrupt_current_processing(False)
        after = sample(patched, steps=8)
        yield {
            "case": route,
            "raised": raised,
            "guided": guided_calls,
            "calls": model_calls,
            "runs_again": bool(after.isfinite().all()),
        }


@check
def memory_is_checked() -> Iterator[dict[str, Any]]:
    """A run that can't fit fails before sampling, with advice."""
    calls = []
    model = tiny_model().clone()
    model.set_model_sampler_post_cfg_function(lambda args: calls.append(1) or args["denoised"])
    patched, _ = guided(model)
    total = model_management.get_total_memory
    model_management.get_total_memory = lambda *args, **kwargs: 1000
    message = ""
    try:
        sample(patched)
    except InputError as error:
        message = str(error)
    finally:
        model_management.get_total_memory = total
    yield {"case": "too little memory", "message": message, "model_calls": len(calls)}


@check
def growth() -> Iterator[dict[str, Any]]:
    """Memory over many runs of one patched model, both routes."""
    model = tiny_model()
    patched = [guided(model, route=route)[0] for route in ("cheap", "full")]
    peaks, tensors, began = [], [], time.perf_counter()
    for index in range(ARGUMENTS.runs):
        sample(patched[index % 2], steps=2, seed=index)
        gc.collect()
        tensors.append(sum(type(each) is torch.Tensor for each in gc.get_objects()))
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    settled = min(10, len(peaks) // 2)
    yield {
        "case": f"{ARGUMENTS.runs} runs",
        "tensors_after_warm_up": tensors[settled],
        "tensors_at_the_end": tensors[-1],
        "peak_mib_after_warm_up": peaks[settled],
        "peak_mib_at_the_end": peaks[-1],
        "seconds": round(time.perf_counter() - began, 1),
    }


@check
def release() -> Iterator[dict[str, Any]]:
    """A model that is loaded, guided and forgotten is not kept by the host's list of loaded models."""
    for route in ("cheap", "full"):
        model = tiny_model()
        network = weakref.ref(model.model)
        patched, record = guided(model, route=route)
        sample(patched, steps=2)
        sample(tiny_model(), steps=2)
        del model, patched, record
        gc.collect()
        model_management.cleanup_models()  # the host does both after each prompt
        gc.collect()
        yield {"case": route, "released": network() is None}


def main() -> None:
    for name in [each for each in ARGUMENTS.only or CHECKS if each not in ARGUMENTS.without]:
        with torch.inference_mode():  # as the host runs nodes
            for result in CHECKS[name]():
                print("PROBE", json.dumps({"check": name, **result}), flush=True)


main()
