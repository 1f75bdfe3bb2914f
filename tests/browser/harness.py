"""The newest ComfyUI frontend on a server of our own: the few routes it needs, and a record of what it queued."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import comfyui_frontend_package
import numpy as np
from aiohttp import WSMsgType, web
from clip_explainability import nodes
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
FRONTEND = Path(comfyui_frontend_package.__file__).parent / "static"
WEB = ROOT / "web"
EXTENSION = "/extensions/clip-explainability"  # the pack's folder may have any name

SHOWN = (
    "BoxSpatialConstraint",
    "PickSpatialConstraint",
    "CLIPRelevancyMap",
    "CompareMethods",
    "PromptEnsembleClassifier",
    "GuidanceReport",
)
BACKGROUNDS = {
    "wide.png": (320, 160, "#2f6d8f"),
    "tall.png": (120, 240, "#8f4f2f"),
    "result.png": (256, 256, "#3f7f4f"),
}


def node_info(cls: Any) -> dict[str, Any]:
    """What ComfyUI's /object_info says of a V1 node class."""
    inputs = cls.INPUT_TYPES()
    return {
        "input": inputs,
        "input_order": {group: list(specs) for group, specs in inputs.items()},
        "output": list(cls.RETURN_TYPES),
        "output_is_list": list(getattr(cls, "OUTPUT_IS_LIST", [False] * len(cls.RETURN_TYPES))),
        "output_name": list(getattr(cls, "RETURN_NAMES", cls.RETURN_TYPES)),
        "output_tooltips": list(getattr(cls, "OUTPUT_TOOLTIPS", ())),
        "name": cls.NODE_ID,
        "display_name": cls.DISPLAY_NAME,
        "description": cls.DESCRIPTION,
        "python_module": "custom_nodes.clip-explainability",
        "category": cls.CATEGORY,
        "output_node": getattr(cls, "OUTPUT_NODE", False),
        "search_aliases": list(getattr(cls, "SEARCH_ALIASES", ())),
    }


def _core_node(name: str, inputs: dict[str, Any], outputs: tuple[str, ...], output_node: bool = False) -> Any:
    members = {
        "NODE_ID": name,
        "DISPLAY_NAME": name,
        "DESCRIPTION": "",
        "CATEGORY": "core",
        "RETURN_TYPES": outputs,
        "OUTPUT_NODE": output_node,
        "INPUT_TYPES": classmethod(lambda cls: {"required": inputs}),
    }
    return type(name, (), members)


_SIDE = ("INT", {"default": 512, "min": 16, "max": 16384, "step": 8})
CORE_NODES = (
    _core_node("LoadImage", {"image": (list(BACKGROUNDS), {"image_upload": True})}, ("IMAGE", "MASK")),
    _core_node(
        "EmptyLatentImage", {"width": _SIDE, "height": _SIDE, "batch_size": ("INT", {"default": 1})}, ("LATENT",)
    ),
    _core_node("PreviewImage", {"images": ("IMAGE",)}, (), output_node=True),
)


class Harness:
    """A server on a free loopback port, in a thread of its own."""

    def __init__(self, *, vue_nodes: bool) -> None:
        self.settings: dict[str, Any] = {
            "Comfy.TutorialCompleted": True,
            "Comfy.Workflow.Persist": False,
            "Comfy.VueNodes.Enabled": vue_nodes,
            "Comfy.Workflow.ConfirmDelete": False,
            "Comfy.Workflow.WarnUnsaved": False,
            "Comfy.Minimap.Visible": False,
            "Comfy.Graph.CanvasInfo": False,
            "LiteGraph.Canvas.MaximumFps": 20,  # the graph is drawn by the processor here
        }
        self.queued: list[dict[str, Any]] = []
        self.temporary = Path(tempfile.mkdtemp(prefix="clip-lens-"))
        self._sockets: set[web.WebSocketResponse] = set()
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._started.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        shutil.rmtree(self.temporary, ignore_errors=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def last_prompt(self) -> dict[str, Any]:
        """The workflow last queued, in API form."""
        return self.queued[-1]["prompt"]

    def executed(self, node_id: str, output: dict[str, Any]) -> None:
        """Tell the page that a node has run."""
        self._tell("executed", {"node": node_id, "display_node": node_id, "output": output, "prompt_id": "p1"})

    def failed(self, node_id: str, sentence: str) -> None:
        """Tell the page that a node's work ended with this error."""
        data = {
            "node_id": node_id,
            "node_type": "BoxSpatialConstraint",
            "exception_type": "InputError",
            "prompt_id": "p1",
        }
        more = {
            "exception_message": sentence,
            "traceback": [],
            "executed": [],
            "current_inputs": {},
            "current_outputs": [],
        }
        self._tell("execution_error", {**data, **more})

    def _tell(self, kind: str, data: dict[str, Any]) -> None:
        message = json.dumps({"type": kind, "data": data})

        async def send() -> None:
            for socket in self._sockets:
                await socket.send_str(message)

        asyncio.run_coroutine_threadsafe(send(), self._loop).result(5)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application(client_max_size=2**26)
        app.add_routes(
            [
                web.get("/ws", self._socket),
                *[
                    web.get(prefix + "/users", self._json({"storage": "server", "migrated": True}))
                    for prefix in _PREFIXES
                ],
                *[web.get(prefix + "/settings", self._settings) for prefix in _PREFIXES],
                *[web.post(prefix + "/settings/{name}", self._ok) for prefix in _PREFIXES],
                *[web.get(prefix + "/extensions", self._json(_extensions())) for prefix in _PREFIXES],
                *[web.get(prefix + "/object_info", self._json(_object_info())) for prefix in _PREFIXES],
                *[web.post(prefix + "/prompt", self._prompt) for prefix in _PREFIXES],
                *[
                    web.get(prefix + "/queue", self._json({"queue_running": [], "queue_pending": []}))
                    for prefix in _PREFIXES
                ],
                *[web.get(prefix + "/view", self._view) for prefix in _PREFIXES],
                *[
                    web.get(prefix + path, self._json(answer))
                    for prefix in _PREFIXES
                    for path, answer in _ANSWERS.items()
                ],
                *[web.get(prefix + "/{path:.*}", self._nothing) for prefix in _PREFIXES[1:]],
                web.get(EXTENSION + "/{path:.*}", self._extension_file),
                web.get("/", self._index),
                web.static("/", FRONTEND),
            ]
        )
        runner = web.AppRunner(app)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.port = runner.addresses[0][1]
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())

    async def _index(self, _: web.Request) -> web.StreamResponse:
        return web.FileResponse(FRONTEND / "index.html")

    async def _extension_file(self, request: web.Request) -> web.StreamResponse:
        file = (WEB / request.match_info["path"]).resolve()
        if WEB not in file.parents or not file.is_file():
            return web.Response(status=404)
        return web.FileResponse(file, headers={"Cache-Control": "no-store"})

    async def _settings(self, _: web.Request) -> web.StreamResponse:
        return web.json_response(self.settings)

    async def _prompt(self, request: web.Request) -> web.StreamResponse:
        self.queued.append(await request.json())
        return web.json_response({"prompt_id": f"p{len(self.queued)}", "number": len(self.queued), "node_errors": {}})

    async def _view(self, request: web.Request) -> web.StreamResponse:
        name = request.query.get("filename", "")
        if request.query.get("subfolder") == "clip_lens" and (self.temporary / "clip_lens" / name).is_file():
            return web.FileResponse(self.temporary / "clip_lens" / name)
        background = BACKGROUNDS.get(name)
        if background is None:
            return web.Response(status=404)
        width, height, color = background
        shade = np.linspace(0.5, 1.0, height)[:, None, None]
        base = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
        pixels = np.broadcast_to(shade * base, (height, width, 3)).astype(np.uint8)
        png = io.BytesIO()
        Image.fromarray(pixels).save(png, "PNG")
        return web.Response(body=png.getvalue(), content_type="image/png")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.add(socket)
        status = {"status": {"exec_info": {"queue_remaining": 0}}, "sid": "tests"}
        await socket.send_str(json.dumps({"type": "status", "data": status}))
        async for message in socket:
            if message.type == WSMsgType.ERROR:
                break
        self._sockets.discard(socket)
        return socket

    async def _ok(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({})

    async def _nothing(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=404)

    def _json(self, value: Any) -> Any:
        async def answer(_: web.Request) -> web.StreamResponse:
            return web.json_response(value)

        return answer


_PREFIXES = ("", "/api")
_ANSWERS = {
    "/jobs": {"jobs": [], "pagination": {"offset": 0, "limit": 200, "total": 0, "has_more": False}},
    "/system_stats": {"system": {"argv": [], "os": "posix", "comfyui_version": "0"}, "devices": []},
}


def _extensions() -> list[str]:
    """Every script below web/, as ComfyUI lists them."""
    return [f"{EXTENSION}/{file.relative_to(WEB).as_posix()}" for file in sorted(WEB.rglob("*.js"))]


def _object_info() -> dict[str, Any]:
    ours = [cls for cls in nodes.NODE_CLASSES if cls.NODE_ID in SHOWN]
    return {cls.NODE_ID: node_info(cls) for cls in (*ours, *CORE_NODES)}
