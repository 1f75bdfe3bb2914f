"""The pack's nodes in a real server: what it lists, runs, reports, stops and gives back."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest
from clip_explainability.nodes import NODE_CLASS_MAPPINGS
from host_client import ComfyClient, Message, Prompt, PromptRejected
from host_server import ComfyServer
from PIL import Image
from workflow_api import ObjectInfo

INTERRUPT_SECONDS = 5.0


def relevancy(source: str, *, batch: int = 1, **settings: Any) -> Prompt:
    """An empty picture, explained."""
    size = settings.pop("size", 96)
    inputs = {
        "clip": ["clip", 0],
        "image": ["image", 0],
        "text": "a cat\na dog",
        "method": "relevancy",
        "last_blocks": 0,
        "score": "cosine",
        "fit": "stretch",
        "threshold": 0.2,
        "colormap": "turbo",
        "opacity": 0.5,
        "layout": "one per prompt",
    }
    empty = {"width": size, "height": size, "batch_size": batch, "color": 0x336699}
    return {
        "clip": {"class_type": "LoadExplainableCLIP", "inputs": {"source": source, "download": False}},
        "image": {"class_type": "EmptyImage", "inputs": empty},
        "map": {"class_type": "CLIPRelevancyMap", "inputs": {**inputs, **settings}},
        "shown": {"class_type": "PreviewImage", "inputs": {"images": ["map", 0]}},
    }


@pytest.mark.parametrize("node_id", NODE_CLASS_MAPPINGS)
def test_the_server_lists_every_node_with_its_explanations(node_id: str, object_info: ObjectInfo) -> None:
    info = object_info[node_id]
    assert info["description"] == NODE_CLASS_MAPPINGS[node_id].DESCRIPTION
    for group in ("required", "optional"):
        for name, spec in info["input"].get(group, {}).items():
            assert spec[1]["tooltip"], name
    if "output_tooltips" in info:  # hosts older than August 2024 don't pass them on
        assert len(info["output_tooltips"]) == len(info["output"])


def test_a_checkpoint_file_is_explained_with_progress(client: ComfyClient, tiny_clip: str) -> None:
    run = client.run(relevancy(tiny_clip, batch=3))
    assert run.error is None
    pictures = [Image.open(io.BytesIO(client.view(image))) for image in run.outputs["shown"]["images"]]
    assert [picture.size for picture in pictures] == [(96, 96)] * 6  # two prompts x three images
    assert run.outputs["map"]["images"]  # the preview on the node itself
    done = [done for done, _ in run.progress]
    assert len(done) >= 2
    assert done == sorted(done)
    assert run.progress[-1][0] == run.progress[-1][1]


def test_a_new_colour_does_not_recompute_the_map(client: ComfyClient, tiny_clip: str) -> None:
    assert client.run(relevancy(tiny_clip, text="a tree")).progress
    recoloured = client.run(relevancy(tiny_clip, text="a tree", opacity=0.9, colormap="viridis", threshold=0.4))
    assert recoloured.executed_nodes == ["map", "shown"]
    assert recoloured.progress == []


def test_cancel_ends_a_long_run_promptly(client: ComfyClient, tiny_clip: str) -> None:
    cancelled: list[float] = []

    def cancel_at_first_progress(message: Message) -> None:
        if message["type"] == "progress" and not cancelled:
            client.interrupt()
            cancelled.append(time.monotonic())

    long = relevancy(tiny_clip, batch=64, size=512, fit="tile", text="\n".join(f"thing {i}" for i in range(16)))
    run = client.run(long, cancel_at_first_progress)
    assert run.interrupted
    assert time.monotonic() - cancelled[0] < INTERRUPT_SECONDS
    assert client.run(relevancy(tiny_clip, text="afterwards")).error is None


@pytest.mark.parametrize(
    ("change", "named"),
    [({"text": " \n "}, "text"), ({"method": "no such method"}, "method"), ({"threshold": 2.0}, "threshold")],
)
def test_a_bad_value_is_refused_before_anything_runs(
    change: dict[str, Any], named: str, client: ComfyClient, tiny_clip: str
) -> None:
    with pytest.raises(PromptRejected) as refusal:
        client.queue(relevancy(tiny_clip, **change))
    assert named in str(refusal.value)


def test_a_missing_checkpoint_is_refused_with_its_folder(client: ComfyClient) -> None:
    with pytest.raises(PromptRejected) as refusal:
        client.queue(relevancy("gone.safetensors"))
    assert "models/open_clip" in str(refusal.value)


def test_a_broken_checkpoint_is_a_clear_error(client: ComfyClient, server: ComfyServer) -> None:
    (server.base / "models" / "open_clip" / "broken.safetensors").write_bytes(b"not a checkpoint")
    run = client.run(relevancy("broken.safetensors"))
    assert run.error is not None
    assert run.error["node_type"] == "LoadExplainableCLIP"
    assert "broken.safetensors" in run.error["exception_message"]


def test_a_pretrained_model_is_not_downloaded_unasked(client: ComfyClient) -> None:
    run = client.run(relevancy("open_clip: ViT-B-32/laion2b_s34b_b79k"))
    assert run.error is not None
    assert "download" in run.error["exception_message"]


def test_memory_comes_back(client: ComfyClient, server: ComfyServer, tiny_clip: str) -> None:
    """Run after run, with other prompts each time, the server must not grow."""
    psutil = pytest.importorskip("psutil")
    process = psutil.Process(server.pid)
    resident = []
    for turn in range(6):
        run = client.run(relevancy(tiny_clip, batch=8, size=256, text=f"turn {turn}\nanother"))
        assert run.error is None
        client.free_memory()
        time.sleep(0.3)
        resident.append(process.memory_info().rss / 2**20)
    assert resident[-1] - resident[2] < 60, resident
