"""Where does the map point? Played on a running server with scenes of art that the demo CLIP never saw.

``python pointing_game.py HOST:PORT [SCENES]`` draws scenes of two objects, has the server explain one prompt for
each object, and counts how often the hottest pixel lies on the object named. Runs in the pack's environment.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pack
from console import Heartbeat
from host_client import ComfyClient, Prompt
from PIL import Image

if TYPE_CHECKING:
    from clip_explainability.core.demo.scenes import Scene

PICTURE_SIZE = 512


@dataclass
class Tally:
    """How often the map pointed at the object that the prompt names."""

    hits: int = 0
    tries: int = 0

    def __str__(self) -> str:
        share = self.hits / max(self.tries, 1)
        return f"{self.hits} of {self.tries} prompts point at the object they name ({share:.1%})"


def play(client: ComfyClient, scenes: int) -> Tally:
    """Play on this many scenes of the unseen vendor."""
    pack.load()
    from clip_explainability.core.demo.scenes import draw_scene

    tally = Tally()
    heartbeat = Heartbeat(lambda: f"so far {tally}")
    for seed in range(scenes):
        scene = draw_scene(seed, PICTURE_SIZE, n_objects=2)
        for found, thing in zip(heat_maps(client, scene, f"pointing_game_{seed}.png"), scene.objects, strict=True):
            row, column = np.unravel_index(int(found.argmax()), found.shape)
            tally.hits += bool(thing.mask[row, column])
            tally.tries += 1
        heartbeat.tick()
    return tally


def heat_maps(client: ComfyClient, scene: Scene, name: str) -> list[np.ndarray]:
    """One map [H, W] for each object of the scene, made by the CLIP Relevancy Map node in the server."""
    buffer = io.BytesIO()
    Image.fromarray((scene.image * 255).round().astype(np.uint8)).save(buffer, "PNG")
    client.upload_image(name, buffer.getvalue())
    run = client.run(heat_prompt(name, [f"a photo of a {thing.label}" for thing in scene.objects]))
    if run.error:
        raise SystemExit(f"{run.error['node_type']}: {run.error['exception_message']}")
    pictures = [Image.open(io.BytesIO(client.view(image))) for image in run.outputs["shown"]["images"]]
    return [np.asarray(picture.convert("L")) for picture in pictures]


def heat_prompt(image: str, texts: list[str]) -> Prompt:
    """The workflow: a picture, the embedded CLIP, and the heat of every text as a grey picture."""
    settings = {"method": "relevancy", "last_blocks": 0, "score": "cosine", "fit": "stretch", "threshold": 0.2}
    drawing = {"colormap": "turbo", "opacity": 0.5, "layout": "one per prompt"}
    links = {"clip": ["clip", 0], "image": ["image", 0], "text": "\n".join(texts)}
    loader = {"source": "demo (embedded)", "download": False}
    return {
        "clip": {"class_type": "LoadExplainableCLIP", "inputs": loader},
        "image": {"class_type": "LoadImage", "inputs": {"image": image}},
        "map": {"class_type": "CLIPRelevancyMap", "inputs": {**links, **settings, **drawing}},
        "heat": {"class_type": "MaskToImage", "inputs": {"mask": ["map", 1]}},
        "shown": {"class_type": "PreviewImage", "inputs": {"images": ["heat", 0]}},
    }


def main() -> None:
    """Play, and print the figure."""
    with ComfyClient(sys.argv[1]) as client:
        print(play(client, int(sys.argv[2]) if len(sys.argv) > 2 else 40), flush=True)


if __name__ == "__main__":
    main()
