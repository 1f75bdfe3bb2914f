"""The newest ComfyUI frontend before any ComfyUI: the page is comfyui-frontend-package's, all else the host's.

For screenshots and browser tests. What a host of 2024 does not answer yet (blueprints, translations) is answered here
as current hosts do, from the pack's own folders. Needs aiohttp and comfyui-frontend-package (requirements-test.txt).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import comfyui_frontend_package
from aiohttp import ClientSession, ClientTimeout, WSMsgType, web
from environment import ROOT

CATEGORY = "CLIP Explainability"  # of the pack's nodes
FRONTEND = Path(comfyui_frontend_package.__file__).parent / "static"
# Nothing that asks, greets, hides or animates; the graph is drawn by the processor here.
QUIET_SETTINGS: dict[str, Any] = {
    "Comfy.TutorialCompleted": True,
    "Comfy.Workflow.Persist": False,
    "Comfy.Workflow.ConfirmDelete": False,
    "Comfy.Workflow.WarnUnsaved": False,
    "Comfy.Minimap.Visible": False,
    "Comfy.Graph.CanvasInfo": False,
    "LiteGraph.Canvas.MaximumFps": 20,
}
_HOP_HEADERS = {"content-encoding", "content-length", "transfer-encoding", "connection", "host", "origin"}


class FrontendServer:
    """Serves on a free loopback port, in a thread of its own; a context manager."""

    def __init__(
        self,
        host: str,
        settings: dict[str, Any] | None = None,
        pack: str = "clip-explainability",
        choices: dict[tuple[str, str], set[str]] | None = None,
        pictures: dict[str, bytes] | None = None,
    ) -> None:
        """
        Args:
            host: the ComfyUI's "address:port".
            settings: of the frontend, besides the quiet ones.
            pack: the pack's folder on the host.
            choices: for (node, input) names that the page shall find in the list, though the host has no such file.
            pictures: PNGs by the names of input files that the host lacks.
        """
        self.settings = {**QUIET_SETTINGS, **(settings or {})}
        self.queued: list[dict[str, Any]] = []  # what the page sent to /prompt
        self._host = host
        self._pack = pack
        self._choices = choices or {}
        self._pictures = pictures or {}
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> FrontendServer:
        self._thread.start()
        if not self._started.wait(20):
            raise RuntimeError("the frontend server did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def address(self) -> str:
        """Where a browser finds the page."""
        return f"http://127.0.0.1:{self.port}"

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._stop())

    async def _start(self) -> None:
        self._session = ClientSession(timeout=ClientTimeout(total=600))
        app = web.Application(client_max_size=2**28)
        app.router.add_get("/", self._index)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port: int = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _index(self, _: web.Request) -> web.StreamResponse:
        return web.FileResponse(FRONTEND / "index.html")

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = "/" + request.match_info["path"]
        if path == "/ws":
            return await self._socket(request)
        route = path.removeprefix("/api")
        own = self._own_routes().get(route) if request.method == "GET" else None
        if own is not None:
            return web.json_response(await own())
        if route.startswith("/settings/"):
            return web.json_response({})
        file = (FRONTEND / path.lstrip("/")).resolve()
        if request.method == "GET" and FRONTEND.resolve() in file.parents and file.is_file():
            return web.FileResponse(file)
        return await self._pass_on(request, route)

    def _own_routes(self) -> dict[str, Callable[[], Awaitable[Any]]]:
        return {
            "/settings": self._settings,
            "/users": self._users,
            "/extensions": self._extensions,
            "/object_info": self._object_info,
            "/system_stats": self._system_stats,
        }

    async def _settings(self) -> dict[str, Any]:
        return self.settings

    async def _users(self) -> dict[str, Any]:
        return {"storage": "server", "migrated": True}

    async def _extensions(self) -> list[str]:
        """The pack's scripts alone: the frontend has its own, newer than those that the host lists."""
        listed: list[str] = await self._json("/extensions")
        return [script for script in listed if script.startswith(f"/extensions/{self._pack}/")]

    async def _object_info(self) -> dict[str, dict[str, Any]]:
        """The host's nodes; hosts of 2024 don't say where a node is from."""
        nodes: dict[str, dict[str, Any]] = await self._json("/object_info")
        for node in nodes.values():
            ours = node["category"].startswith(CATEGORY)
            node.setdefault("python_module", f"custom_nodes.{self._pack}" if ours else "nodes")
        for (name, key), files in self._choices.items():
            for group in nodes[name]["input"].values():
                if key in group:
                    options = _options(group[key])
                    options += sorted(files - set(options))
        return nodes

    async def _system_stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = await self._json("/system_stats")
        stats["system"].setdefault("argv", [])
        stats["system"].setdefault("comfyui_version", "unknown")
        return stats

    async def _json(self, path: str) -> Any:
        async with self._session.get(f"http://{self._host}{path}") as answer:
            return await answer.json()

    async def _pass_on(self, request: web.Request, route: str) -> web.StreamResponse:
        body = await request.read()
        if route == "/prompt" and request.method == "POST":
            self.queued.append(json.loads(body))
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_HEADERS}
        # Hosts of 2024 know some routes only without /api; pictures' names may hold encoded slashes.
        for start in ("", "/api"):
            url = f"http://{self._host}{start}{route}" + (f"?{request.query_string}" if request.query_string else "")
            async with self._session.request(request.method, url, data=body, headers=headers) as answer:
                content = await answer.read()
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_HEADERS}
                if answer.status not in (404, 405):
                    return web.Response(status=answer.status, body=content, headers=kept)
        if route == "/view" and request.query.get("filename") in self._pictures:
            return web.Response(body=self._pictures[request.query["filename"]], content_type="image/png")
        newer = _newer_routes(route)
        return web.json_response(newer, status=404 if newer is None else 200)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        page = web.WebSocketResponse(max_msg_size=0)
        await page.prepare(request)
        url = f"http://{self._host}/ws?{request.query_string}"
        async with self._session.ws_connect(url, max_msg_size=0) as host:

            async def to_host() -> None:
                async for message in page:
                    if message.type == WSMsgType.TEXT:
                        await host.send_str(message.data)
                await host.close()

            listening = asyncio.create_task(to_host())
            async for message in host:
                if page.closed:
                    break
                if message.type == WSMsgType.TEXT:
                    await page.send_str(message.data)
                elif message.type == WSMsgType.BINARY:
                    await page.send_bytes(message.data)
            listening.cancel()
        return page


def _options(spec: list[Any]) -> list[str]:
    """The list behind a combo, in the old form and in the new one."""
    options: list[str] = spec[0] if isinstance(spec[0], list) else spec[1].setdefault("options", [])
    return options


def blueprints(pack: str = "clip-explainability") -> dict[str, dict[str, Any]]:
    """What current hosts list at /global_subgraphs for the pack, by an id of their own, with the files' content."""
    return {
        hashlib.sha256(file.name.encode()).hexdigest(): {
            "source": "custom_node",
            "name": file.stem,
            "info": {"node_pack": f"custom_nodes.{pack}"},
            "data": file.read_text("utf-8"),
        }
        for file in sorted((ROOT / "subgraphs").glob("*.json"))
    }


def translations() -> dict[str, dict[str, Any]]:
    """What current hosts answer at /i18n: main.json of each language, the other files under their names."""
    found: dict[str, dict[str, Any]] = {}
    for folder in sorted((ROOT / "locales").glob("*/")):
        texts = json.loads((folder / "main.json").read_text("utf-8"))
        for name in ("nodeDefs", "commands", "settings"):
            file = folder / f"{name}.json"
            if file.is_file():
                texts[name] = json.loads(file.read_text("utf-8"))
        found[folder.name] = texts
    return found


def _newer_routes(route: str) -> Any:
    """The answer of a current host where the host behind does not know the route; None for "not found"."""
    if route == "/i18n":
        return translations()
    if route == "/global_subgraphs":
        return {key: {**entry, "data": ""} for key, entry in blueprints().items()}
    if route.startswith("/global_subgraphs/"):
        return blueprints().get(route.rpartition("/")[2])
    if route == "/jobs":
        return {"jobs": [], "pagination": {"offset": 0, "limit": 200, "total": 0, "has_more": False}}
    return None
