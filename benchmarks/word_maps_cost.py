"""What the words' own maps add to a run: ``python benchmarks/word_maps_cost.py``.

Interleaved pairs of runs on one image of 512 pixels, with and without the words that ``auto`` gives, in processor time
of one thread; the median of their ratios. ViT-B/32 with random weights, and the demo CLIP.
"""

from __future__ import annotations

import statistics
import time

import benchmark_pack  # noqa: F401
import open_clip
import torch
from clip_explainability.core.clip import ExplainableCLIP
from clip_explainability.core.demo.clip import load_demo
from clip_explainability.core.explain import explain
from clip_explainability.core.methods import MapOptions
from clip_explainability.core.words.maps import most_words

PAIRS = 9
PROMPTS = ["a red cat on green grass", "a photo of a big dog", "a wooden boat in the sea", "an old house by the road"]


def main() -> int:
    """Measure and print a line a setting."""
    torch.set_num_threads(1)
    vit = ExplainableCLIP(open_clip.create_model("ViT-B-32"), open_clip.get_tokenizer("ViT-B-32"), "ViT-B/32")
    image = torch.rand(1, 3, 512, 512)
    for clip in (vit, load_demo()):
        for blocks in (None, 1):
            for count in (1, 2, 4):
                options = MapOptions(blocks=blocks)
                words = most_words("auto", "relevancy", options, count, clip.vision.blocks)
                ratios = []
                for _ in range(PAIRS):
                    plain, with_words = (_seconds(clip, image, PROMPTS[:count], options, most) for most in (0, words))
                    ratios.append(with_words / plain)
                read = "all blocks" if blocks is None else "last block"
                print(f"{clip.name}, {read}, {count} prompts: {words} words at most, x {statistics.median(ratios):.2f}")
    return 0


def _seconds(clip: ExplainableCLIP, image: torch.Tensor, prompts: list[str], options: MapOptions, most: int) -> float:
    start = time.process_time()
    explain(clip, image, prompts, "relevancy", options, most_words=most)
    return time.process_time() - start


if __name__ == "__main__":
    raise SystemExit(main())
