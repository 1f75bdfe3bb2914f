"""The embedded demo CLIP in a real server, measured against the ground truth of scenes that it never saw."""

from __future__ import annotations

import pointing_game
from host_client import ComfyClient

# 95 % on these scenes, as scripts/demo.py prints it.
LEAST_SHARE = 0.9


def test_the_map_points_at_the_object_that_the_prompt_names(client: ComfyClient) -> None:
    tally = pointing_game.play(client, scenes=40)
    assert tally.tries == 80
    assert tally.share >= LEAST_SHARE, tally
