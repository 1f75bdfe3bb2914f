"""Talk to a running ComfyUI the way its own web page does: queue, follow, look at the results, interrupt."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from host_socket import TEXT, WebSocket

Prompt = dict[str, dict[str, Any]]  # node id -> {"class_type", "inputs"}: ComfyUI's API form
Message = dict[str, Any]  # {"type": "progress" | "executed" | ..., "data": {...}}


class PromptRejected(RuntimeError):
    """The server refused a workflow before running it; ``answer`` is what it said."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(json.dumps(answer, indent=1))
        self.answer = answer


@dataclass
class Run:
    """What came of one workflow."""

    prompt_id: str
    seconds: float
    messages: list[Message]
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def error(self) -> dict[str, Any] | None:
        """The node error that ended the run: node_id, node_type, exception_type, exception_message."""
        return next((message["data"] for message in self.messages if message["type"] == "execution_error"), None)

    @property
    def interrupted(self) -> bool:
        """Whether the run was cancelled."""
        return any(message["type"] == "execution_interrupted" for message in self.messages)

    @property
    def executed_nodes(self) -> list[str]:
        """Ids of the nodes that ran, in order: those whose results were cached are not among them."""
        messages = (message["data"] for message in self.messages if message["type"] == "executing")
        return [data["node"] for data in messages if data.get("node") is not None]

    @property
    def progress(self) -> list[tuple[int, int]]:
        """(done, total) of every progress message."""
        messages = (message["data"] for message in self.messages if message["type"] == "progress")
        return [(int(data["value"]), int(data["max"])) for data in messages]

    def images(self) -> list[dict[str, str]]:
        """Every picture written (filename, subfolder, type), in the order of the node ids."""
        return [image for node in sorted(self.outputs) for image in self.outputs[node].get("images", [])]


class ComfyClient:
    """One browser tab's worth of connection to a server at ``host:port``."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.client_id = uuid.uuid4().hex
        host, _, port = address.partition(":")
        self._socket = WebSocket(host, int(port), f"/ws?clientId={self.client_id}")

    def __enter__(self) -> ComfyClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the server."""
        self._socket.close()

    def get(self, path: str, **query: str) -> bytes:
        """The body of a GET request."""
        return self._request(path + ("?" + urllib.parse.urlencode(query) if query else ""), None)

    def get_json(self, path: str, **query: str) -> Any:
        """The JSON answer to a GET request."""
        return json.loads(self.get(path, **query))

    def post_json(self, path: str, body: Any) -> Any:
        """The JSON answer to a POST request (None where the answer is empty)."""
        answer = self._request(path, json.dumps(body).encode())
        return json.loads(answer) if answer.strip() else None

    def object_info(self) -> dict[str, dict[str, Any]]:
        """Every node that the server knows, as the frontend sees it."""
        info: dict[str, dict[str, Any]] = self.get_json("/object_info")
        return info

    def queue(self, prompt: Prompt) -> str:
        """Queue a workflow in API form; its prompt id. Raises PromptRejected where the server refuses it."""
        try:
            answer = self.post_json("/prompt", {"prompt": prompt, "client_id": self.client_id})
        except urllib.error.HTTPError as error:
            raise PromptRejected(json.loads(error.read())) from None
        if answer.get("node_errors"):
            raise PromptRejected(answer)
        prompt_id: str = answer["prompt_id"]
        return prompt_id

    def wait(self, prompt_id: str, on_message: Callable[[Message], None] | None = None, timeout: float = 600) -> Run:
        """Follow a queued workflow to its end; ``on_message`` sees each message (and a ``tick`` every second)."""
        start = time.monotonic()
        messages: list[Message] = []
        while time.monotonic() - start < timeout:
            message = self.next_message(timeout=1.0)
            if message is None:
                message = {"type": "tick", "data": {}}
            elif message["data"].get("prompt_id", prompt_id) == prompt_id:
                messages.append(message)
            if on_message is not None:
                on_message(message)
            if _ends(message, prompt_id):
                return Run(prompt_id, time.monotonic() - start, messages, self.outputs(prompt_id))
        raise TimeoutError(f"the workflow did not end within {timeout:.0f} s")

    def run(self, prompt: Prompt, on_message: Callable[[Message], None] | None = None, timeout: float = 600) -> Run:
        """Queue a workflow and follow it to its end."""
        return self.wait(self.queue(prompt), on_message, timeout)

    def next_message(self, timeout: float) -> Message | None:
        """The next JSON message (binary previews are passed over), or None when none came in time."""
        deadline = time.monotonic() + timeout
        while True:
            received = self._socket.receive(max(deadline - time.monotonic(), 0.01))
            if received is None:
                return None
            kind, payload = received
            if kind == TEXT:
                message: Message = json.loads(payload)
                return message

    def outputs(self, prompt_id: str) -> dict[str, dict[str, Any]]:
        """What the nodes of a finished workflow showed: node id -> ``ui`` values."""
        # The history is written a moment after the last message is sent.
        for _ in range(20):
            entry = self.get_json(f"/history/{prompt_id}").get(prompt_id)
            if entry is not None:
                outputs: dict[str, dict[str, Any]] = entry["outputs"]
                return outputs
            time.sleep(0.1)
        return {}

    def view(self, image: dict[str, str]) -> bytes:
        """The file of a picture listed in a run's outputs."""
        return self.get("/view", **{key: image[key] for key in ("filename", "subfolder", "type")})

    def interrupt(self) -> None:
        """Press Cancel."""
        self.post_json("/interrupt", {})

    def free_memory(self) -> None:
        """Have the server unload its models and drop its cached results."""
        self.post_json("/free", {"unload_models": True, "free_memory": True})

    def _request(self, path: str, body: bytes | None) -> bytes:
        headers = {} if body is None else {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://{self.address}{path}", data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=120) as answer:
            content: bytes = answer.read()
            return content


def _ends(message: Message, prompt_id: str) -> bool:
    data = message["data"]
    if message["type"] in ("execution_success", "execution_error", "execution_interrupted"):
        return data.get("prompt_id") == prompt_id
    return message["type"] == "executing" and data.get("node") is None and data.get("prompt_id", prompt_id) == prompt_id
