"""The embedded demo CLIP in a real server, measured against the ground truth of scenes that it never saw."""

from __future__ import annotations

import pointing_game
from host_client import ComfyClient

# The embedded weights reach 0.88 on more scenes (training/README.md); the goal, with longer training, is 0.9.
# This bound only tells a broken map (chance is about 0.1) or worse weights from the ones that are shipped.
LEAST_SHARE = 0.78


def test_the_map_points_at_the_object_that_the_prompt_names(client: ComfyClient) -> None:
    tally = pointing_game.play(client, scenes=40)
    assert tally.tries == 80
    assert tally.share >= LEAST_SHARE, tally
