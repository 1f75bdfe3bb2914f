"""core.relevancy against the formulas taken literally (tests/core/reference/relevancy.py)."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from clip_explainability.core import relevancy
from clip_explainability.core.grad_mode import gradients
from clip_explainability.core.towers import tokens
from clip_explainability.core.towers.attention import AttentionTap
from reference.relevancy import relevancy_matrix
from tiny_clips import FAMILIES, tiny_clip

PROMPTS = ["a red cat", "two dogs and one supercalifragilistic bird"]
TOLERANCE = 1e-5


def relative_difference(ours: torch.Tensor, reference: torch.Tensor) -> float:
    return float(((ours - reference).abs().max() / reference.abs().max()).detach())


def random_pixels(clip, count=2, seed=0):
    return torch.rand(count, 3, *clip.image_size, generator=torch.Generator().manual_seed(seed))


def literal_image_map(clip, pixels, b, text_feature, blocks, scale):
    """Image b of a batch, one text: R from N x N products, then the map by the family's rule.

    Encodes the same batch as ours: with these sharp random weights the fp32 noise between batch sizes is close to 1e-5.
    """
    with AttentionTap() as tap:
        feature = F.normalize(clip.model.encode_image(clip.normalize_pixels(pixels), normalize=False), dim=-1)
    score = scale * (feature[b] * text_feature).sum()
    probs = [call.probs for call in tap.calls]
    pooling = probs.pop() if clip.vision.pooling == "attention" else None
    if blocks is not None:
        probs = probs[len(probs) - blocks :]
    attentions = [_Sliced(p, b) for p in probs]
    tower = clip.vision
    count = tower.prefix + tower.grid[0] * tower.grid[1]
    r = relevancy_matrix(score, attentions) if attentions else torch.eye(count, dtype=torch.double)
    if pooling is not None:
        gradient = torch.autograd.grad(score, pooling, retain_graph=True)[0][b]
        pool = (gradient * pooling[b]).clamp(min=0).mean(0)
        row = pool[0] if tower.pool_queries == "first" else pool.mean(0)
        full = torch.zeros(count, dtype=torch.double)
        full[count - len(row) :] = row
        row = full @ r
    elif tower.pooling == "cls":
        row = r[0]
    else:
        row = r[tower.prefix :].mean(0) - torch.cat([torch.zeros(tower.prefix), torch.full((16,), 1 / 16)]).double()
    return row[tower.prefix :].reshape(tower.grid)


class _Sliced:
    """Looks like attention [heads, N, N] of one image to the reference.

    Autograd knows no gradient with respect to a slice: it is taken of the batch and sliced then.
    """

    def __init__(self, probs, index):
        self.probs = probs
        self.index = index
        self.shape = probs.shape[1:]
        self.dtype = probs.dtype

    def __getitem__(self, head):
        return self.probs[self.index, head]


@pytest.fixture(autouse=True)
def _unwrap_sliced_gradients(monkeypatch):
    grad = torch.autograd.grad

    def unwrapping(outputs, inputs, *args, **kwargs):
        if not isinstance(inputs, list) or not isinstance(inputs[0], _Sliced):
            return grad(outputs, inputs, *args, **kwargs)
        whole = grad(outputs, [each.probs for each in inputs], *args, **kwargs)
        return [gradient[each.index] for gradient, each in zip(whole, inputs, strict=True)]

    monkeypatch.setattr(torch.autograd, "grad", unwrapping)


@pytest.mark.parametrize("scale", [1.0, 14.0], ids=["cosine", "logit"])
@pytest.mark.parametrize("blocks", [None, 1, 2], ids=["all", "last", "last2"])
@pytest.mark.parametrize("family", FAMILIES)
def test_image_relevancy_is_the_literal_formula(family, blocks, scale):
    clip = tiny_clip(family)
    pixels = random_pixels(clip)
    with gradients():
        texts = relevancy.trace_texts(clip, tokens.tokenize(clip, PROMPTS)).features.detach()
        trace = relevancy.trace_images(clip, pixels, blocks)
        ours = relevancy.image_relevancy(trace, texts, scale)
        for k, text in enumerate(texts):
            for b in range(len(pixels)):
                literal = literal_image_map(clip, pixels, b, text, blocks, scale)
                assert relative_difference(ours[k, b], literal) <= TOLERANCE


@pytest.mark.parametrize("scale", [1.0, 14.0], ids=["cosine", "logit"])
@pytest.mark.parametrize("family", FAMILIES)
def test_word_relevancy_is_the_literal_formula(family, scale):
    clip = tiny_clip(family)
    batch = tokens.tokenize(clip, PROMPTS)
    with gradients():
        images = relevancy.trace_images(clip, random_pixels(clip)).features.detach()
        trace = relevancy.trace_texts(clip, batch)
        ours = relevancy.word_relevancy(trace, images, scale)
        for k in range(len(PROMPTS)):
            for b, image in enumerate(images):
                with AttentionTap() as tap:  # untrimmed, one prompt at a time
                    feature = F.normalize(clip.model.encode_text(batch.ids[k : k + 1], normalize=False), dim=-1)[0]
                r = relevancy_matrix(scale * (feature * image).sum(), [_Sliced(c.probs, 0) for c in tap.calls])
                row = r[trace.pooled[k]][: ours.shape[-1]]
                assert relative_difference(ours[b, k], row) <= TOLERANCE


@pytest.mark.parametrize("family", FAMILIES)
def test_features_are_the_untouched_models_features(family):
    clip = tiny_clip(family)
    pixels, batch = random_pixels(clip), tokens.tokenize(clip, PROMPTS)
    with torch.no_grad():
        image = F.normalize(clip.model.encode_image(clip.normalize_pixels(pixels), normalize=False), dim=-1)
        text = F.normalize(clip.model.encode_text(batch.ids, normalize=False), dim=-1)
    with gradients():
        torch.testing.assert_close(relevancy.trace_images(clip, pixels).features, image, atol=2e-6, rtol=0)
        torch.testing.assert_close(relevancy.trace_texts(clip, batch).features, text, atol=2e-6, rtol=0)


def test_chunked_passes_change_nothing():
    clip = tiny_clip("vit-cls")
    texts = F.normalize(torch.randn(7, 48, generator=torch.Generator().manual_seed(0)), dim=-1)
    with gradients():
        trace = relevancy.trace_images(clip, random_pixels(clip))
        whole = relevancy.image_relevancy(trace, texts)
        chunked = relevancy.image_relevancy(trace, texts, pass_bytes=1)
    assert relative_difference(chunked, whole) <= TOLERANCE


@pytest.mark.parametrize("family", ["vit-cls", "siglip", "resnet"])
def test_batch_of_images_equals_single_images(family):
    clip = tiny_clip(family)
    pixels, texts = (
        random_pixels(clip, 3),
        F.normalize(torch.randn(2, clip.model.visual(random_pixels(clip)).shape[1]), dim=-1),
    )
    with gradients():
        together = relevancy.image_relevancy(relevancy.trace_images(clip, pixels), texts)
        alone = [relevancy.image_relevancy(relevancy.trace_images(clip, p[None]), texts) for p in pixels]
    torch.testing.assert_close(together, torch.cat(alone, dim=1), rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_maps_resemble_full_precision(dtype):
    import copy

    clip = tiny_clip("vit-cls")
    half = type(clip)(copy.deepcopy(clip.model).to(dtype), clip.tokenizer, "half")
    texts = F.normalize(torch.randn(2, 48, generator=torch.Generator().manual_seed(1)), dim=-1)
    with gradients():
        exact = relevancy.image_relevancy(relevancy.trace_images(clip, random_pixels(clip)), texts)
        rough = relevancy.image_relevancy(relevancy.trace_images(half, random_pixels(clip)), texts)
    assert rough.dtype == torch.float32
    similarity = F.cosine_similarity(exact.flatten(2), rough.flatten(2), dim=-1)
    assert similarity.min() > 0.99


def test_works_under_inference_mode_on_inference_tensors():
    from clip_explainability.core.explain import explain

    clip = tiny_clip("vit-cls")
    with torch.inference_mode():
        images = torch.rand(1, 3, 50, 50)
        assert images.is_inference()
        found = explain(clip, images, PROMPTS)
    assert found.maps.shape == (2, 1, 50, 50)
    assert found.maps.std() > 0


def double_clip():
    import copy

    clip = tiny_clip("vit-cls")
    model = copy.deepcopy(clip.model).double()
    return type(clip)(model, clip.tokenizer, "double")


class _DoublePixels:
    """normalize_pixels computes in fp32; gradient checks need fp64 all the way."""

    @staticmethod
    def trace(clip, pixels):
        with AttentionTap(keep=clip.vision.attention_calls(1)) as tap:
            feature = F.normalize(clip.model.encode_image(pixels, normalize=False), dim=-1)
        return relevancy.ImageTrace(feature, tuple(c.probs for c in tap.calls), None, clip.vision)


def test_image_relevancy_has_the_right_second_derivative():
    """The gradient of the map with respect to the image (a second derivative of the score) by finite differences."""
    clip = double_clip()
    generator = torch.Generator().manual_seed(3)
    base = torch.rand(1, 3, 64, 64, dtype=torch.double, generator=generator)
    directions = torch.randn(3, 3, 64, 64, dtype=torch.double, generator=generator)
    text = F.normalize(torch.randn(1, 48, dtype=torch.double, generator=generator), dim=-1)

    def relevancy_along(step):
        pixels = base + (step.view(-1, 1, 1, 1) * directions).sum(0, keepdim=True)
        return relevancy.image_relevancy(_DoublePixels.trace(clip, pixels), text, create_graph=True)

    step = torch.zeros(3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(relevancy_along, (step,), eps=1e-6, atol=1e-6, rtol=1e-4)


def test_propagation_is_gradgradcheck_clean():
    generator = torch.Generator().manual_seed(0)
    attention = torch.rand(2, 5, 5, dtype=torch.double, generator=generator).requires_grad_()
    gradient = torch.randn(2, 5, 5, dtype=torch.double, generator=generator).requires_grad_()
    row = torch.rand(5, dtype=torch.double, generator=generator).requires_grad_()

    def propagate(attention, gradient, row):
        contribution = (attention * gradient).clamp(min=0).mean(dim=-3)
        return relevancy.propagate_row(row, [contribution, contribution])

    assert torch.autograd.gradgradcheck(propagate, (attention, gradient, row))


def test_word_relevancy_carries_gradients_to_the_image():
    clip = tiny_clip("vit-cls")
    with gradients():
        pixels = random_pixels(clip, 1).requires_grad_()
        texts = relevancy.trace_texts(clip, tokens.tokenize(clip, PROMPTS))
        image = relevancy.trace_images(clip, pixels).features
        relevancy.word_relevancy(texts, image, create_graph=True)[0, 0, 2].backward()
    assert pixels.grad is not None
    assert pixels.grad.abs().max() > 0
