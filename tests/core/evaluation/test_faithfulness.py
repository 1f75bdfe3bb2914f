"""core.evaluation.faithfulness: maps that name what the score depends on beat maps that don't."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from clip_explainability.core.evaluation import faithfulness
from tiny_clips import tiny_clip


def occlusion_map(clip, pixels, text):
    """How much the similarity falls when one patch shows the image's mean colour: the truth for one patch."""
    rows, columns = clip.vision.grid
    step = pixels.shape[-1] // columns
    plain = pixels.mean(dim=(-2, -1), keepdim=True)

    def similarity(images):
        with torch.no_grad():
            return F.normalize(clip.model.encode_image(clip.normalize_pixels(images)), dim=-1) @ text

    falls = torch.zeros(rows, columns)
    for y in range(rows):
        for x in range(columns):
            covered = pixels.clone()
            covered[..., y * step : (y + 1) * step, x * step : (x + 1) * step] = plain
            falls[y, x] = similarity(pixels) - similarity(covered)
    return falls


def test_the_true_order_beats_its_reverse():
    clip = tiny_clip("vit-cls")
    generator = torch.Generator().manual_seed(5)
    better = 0
    for _ in range(6):
        pixels = torch.rand(1, 3, *clip.image_size, generator=generator)
        text = F.normalize(torch.randn(48, generator=generator), dim=-1)
        truth = occlusion_map(clip, pixels, text)[None]
        good = faithfulness.deletion_and_insertion(clip, pixels, truth, text[None])
        bad = faithfulness.deletion_and_insertion(clip, pixels, -truth, text[None])
        better += int(good.deletion < bad.deletion) + int(good.insertion > bad.insertion)
    assert better >= 10


def test_both_start_and_end_at_the_whole_and_the_empty_image():
    clip = tiny_clip("vit-cls")
    pixels = torch.rand(2, 3, *clip.image_size)
    texts = F.normalize(torch.randn(2, 48), dim=-1)
    maps = torch.rand(2, *clip.vision.grid)
    found = faithfulness.deletion_and_insertion(clip, pixels, maps, texts, steps=1)
    with torch.no_grad():
        images = torch.cat([pixels, pixels.mean(dim=(-2, -1), keepdim=True).expand_as(pixels)])
        features = F.normalize(clip.model.encode_image(clip.normalize_pixels(images)), dim=-1)
    whole, empty = ((features[i : i + 2] * texts).sum(-1) for i in (0, 2))
    torch.testing.assert_close(found.deletion, (whole + empty) / 2, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.insertion, (whole + empty) / 2, rtol=0, atol=1e-5)


def test_all_zero_maps_are_scored_too():
    clip = tiny_clip("resnet")
    pixels, texts = torch.rand(3, 3, *clip.image_size), F.normalize(torch.randn(3, 48), dim=-1)
    found = faithfulness.deletion_and_insertion(clip, pixels, torch.zeros(3, *clip.vision.grid), texts)
    assert found.deletion.isfinite().all()
    assert found.insertion.shape == (3,)
