"""The server and the client themselves, with ComfyUI's own nodes: what the other tests of this folder stand on."""

from __future__ import annotations

import io

import pytest
from host_client import ComfyClient, PromptRejected
from PIL import Image

EMPTY = {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 48, "batch_size": 2, "color": 0xFF0000}}
PICTURES = {"image": EMPTY, "shown": {"class_type": "PreviewImage", "inputs": {"images": ["image", 0]}}}


def test_a_workflow_yields_pictures(client: ComfyClient) -> None:
    run = client.run(PICTURES)
    assert run.error is None
    pictures = [Image.open(io.BytesIO(client.view(image))) for image in run.images()]
    assert [picture.size for picture in pictures] == [(64, 48), (64, 48)]
    assert pictures[0].getpixel((5, 5))[:3] == (255, 0, 0)


def test_what_did_not_change_is_not_run_again(client: ComfyClient) -> None:
    prompt = {**PICTURES, "image": {**EMPTY, "inputs": {**EMPTY["inputs"], "color": 1}}}
    assert client.run(prompt).executed_nodes == ["image", "shown"]
    again = client.run(prompt)
    assert again.executed_nodes == []
    assert len(again.images()) == 2


def test_a_workflow_with_a_missing_input_is_refused(client: ComfyClient) -> None:
    with pytest.raises(PromptRejected) as refusal:
        client.queue({"shown": {"class_type": "PreviewImage", "inputs": {}}})
    assert "images" in str(refusal.value)
