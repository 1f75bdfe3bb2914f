"""``clip-explain words``."""

from __future__ import annotations

import argparse

from ..explain import check_prompts
from ..words.neglected import judge_words
from .session import begin


def run_words(given: argparse.Namespace) -> int:
    """Which words of each prompt count for each picture, and which it neglects."""
    prompts = check_prompts(given.text)
    session = begin(given)
    for batch in session.batches():
        judged = judge_words(session.clip, batch.images, prompts, given.threshold)
        for b, name in enumerate(batch.names):
            entries, lines = [], []
            for found in judged:
                words = [
                    {"word": word, "relevancy": round(float(found.scores[b, w]), 4), "content": found.content[w],
                     "neglected": bool(found.neglected[b, w])}
                    for w, word in enumerate(found.words)
                ]  # fmt: skip
                similarity = round(float(found.similarity[b]), 5)
                warnings = [found.warning] if found.warning else []
                entries.append({"prompt": found.prompt, "similarity": similarity, "words": words, "warnings": warnings})
                shown = "  ".join(
                    f"{word['word']} {word['relevancy']:.2f}{'!' if word['neglected'] else ''}" for word in words
                )
                lines.append(f"{name}: similarity {similarity:.3f}:  {shown}")
            session.add({"image": name, "prompts": entries}, "\n".join(lines))
    return session.finish(neglected_below=given.threshold)
