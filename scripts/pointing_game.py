"""Where does the map point? Played on a running server, on scenes of art that the demo CLIP never saw.

``python pointing_game.py HOST:PORT [SCENES]`` has the server draw scenes of two objects, explain a prompt for each
object, and counts how often the hottest pixel lies on the object named. Runs in the pack's environment.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass

import numpy as np
from console import Heartbeat
from host_client import ComfyClient, Prompt, Run
from PIL import Image


@dataclass
class Tally:
    """How often the map pointed at the object that the prompt names."""

    hits: int = 0
    tries: int = 0

    @property
    def share(self) -> float:
        """Hits among the tries, 0 to 1."""
        return self.hits / max(self.tries, 1)

    def __str__(self) -> str:
        return f"{self.hits} of {self.tries} prompts point at the object they name ({self.share:.1%})"


def play(client: ComfyClient, scenes: int) -> Tally:
    """Play on this many scenes, one seed each."""
    tally = Tally()
    heartbeat = Heartbeat(lambda: f"{seed + 1} of {scenes} scenes: {tally}", seconds=4)
    for seed in range(scenes):
        run = client.run(scene_prompt(seed))
        if run.error:
            raise SystemExit(f"{run.error['node_type']}: {run.error['exception_message']}")
        for heat, truth in zip(pictures(client, run, "heat"), pictures(client, run, "truth"), strict=True):
            tally.hits += bool(truth.flat[heat.argmax()] > 127)
            tally.tries += 1
        heartbeat.tick()
    return tally


def pictures(client: ComfyClient, run: Run, node: str) -> list[np.ndarray]:
    """What a preview node shows, as grey pictures [H, W]."""
    images = [Image.open(io.BytesIO(client.view(image))) for image in run.outputs[node]["images"]]
    return [np.asarray(image.convert("L")) for image in images]


def scene_prompt(seed: int) -> Prompt:
    """The workflow: a scene with its masks, the embedded CLIP, and the heat of each object's prompt."""
    scene = {"objects": "", "random_objects": 2, "width": 512, "height": 512, "scenes": 1, "clutter": 0.3, "seed": seed}
    settings = {"method": "relevancy", "last_blocks": 0, "score": "cosine", "fit": "stretch", "threshold": 0.2}
    drawing = {"colormap": "turbo", "opacity": 0.5, "layout": "one per prompt"}
    finer = {"shifted_grids": True, "follow_edges": True}
    links = {"clip": ["clip", 0], "image": ["scene", 0], "text": ["scene", 2]}
    loader = {"source": "demo (embedded)", "download": False}
    return {
        "scene": {"class_type": "DemoScene", "inputs": scene},
        "clip": {"class_type": "LoadExplainableCLIP", "inputs": loader},
        "map": {"class_type": "CLIPRelevancyMap", "inputs": {**links, **settings, **drawing, **finer}},
        "heat image": {"class_type": "MaskToImage", "inputs": {"mask": ["map", 1]}},
        "heat": {"class_type": "PreviewImage", "inputs": {"images": ["heat image", 0]}},
        "truth image": {"class_type": "MaskToImage", "inputs": {"mask": ["scene", 1]}},
        "truth": {"class_type": "PreviewImage", "inputs": {"images": ["truth image", 0]}},
    }


def main() -> None:
    """Play, and print the figure."""
    with ComfyClient(sys.argv[1]) as client:
        print(play(client, int(sys.argv[2]) if len(sys.argv) > 2 else 40), flush=True)


if __name__ == "__main__":
    main()
