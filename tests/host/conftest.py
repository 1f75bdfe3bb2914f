"""A real ComfyUI for the tests of this folder: one server for the whole session, one client for each test."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from environment import ROOT, Environment
from host_client import ComfyClient, Prompt
from host_server import ComfyServer
from workflow_api import ObjectInfo, read_workflow, to_api

HERE = Path(__file__).parent
TINY_NODES = HERE / "tiny_nodes"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.host)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyServer]:
    """The server: the ComfyUI of COMFYUI_PATH, or the one from PyPI."""
    path = os.environ.get("COMFYUI_PATH")
    if not path and importlib.util.find_spec("comfy") is None:
        pytest.skip("this Python has no ComfyUI: run scripts/test.py, or set COMFYUI_PATH")
    environment = Environment(Path(sys.executable), Path(path).resolve() if path else None)
    os.environ["TINY_DIFFUSION"] = str(HERE)
    # The space is on purpose: paths with spaces must work.
    with ComfyServer(environment, tmp_path_factory.mktemp("a ComfyUI"), packs=(TINY_NODES,)) as server:
        yield server


@pytest.fixture
def client(server: ComfyServer) -> Iterator[ComfyClient]:
    """A browser tab's worth of connection; the server must outlive every test."""
    with ComfyClient(server.address) as client:
        yield client
    assert server.alive(), server.log_end()


@pytest.fixture(scope="session")
def object_info(server: ComfyServer) -> ObjectInfo:
    """What the server says of its nodes."""
    with ComfyClient(server.address) as client:
        return client.object_info()


@pytest.fixture(scope="session")
def example(object_info: ObjectInfo) -> Callable[[str], Prompt]:
    """Load an example workflow by its file's name, in API form."""

    def load(name: str) -> dict[str, dict[str, Any]]:
        return to_api(read_workflow(ROOT / "example_workflows" / name), object_info)

    return load


@pytest.fixture(scope="session")
def tiny_clip(server: ComfyServer) -> str:
    """Name, in the loader's list, of a small CLIP with random weights in the server's model folder."""
    name = "tiny.safetensors"
    _write_tiny_clip(server.base / "models" / "open_clip" / name)
    return name


def _write_tiny_clip(path: Path) -> None:
    """Write it as open_clip would: the server reads the architecture from the tensors."""
    import torch
    from open_clip import CLIP
    from safetensors.torch import save_file

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = CLIP(
            embed_dim=64,
            vision_cfg={"image_size": 64, "patch_size": 16, "width": 128, "layers": 2},
            text_cfg={"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2},
        )
    # A copy of each tensor: the format refuses tensors that share memory.
    save_file({name: tensor.clone().contiguous() for name, tensor in model.state_dict().items()}, path)
