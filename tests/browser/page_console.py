"""A page's size and patience, and what it says on its console."""

from __future__ import annotations

from typing import Any

BOOT_MS = 300_000  # 5 s on an idle machine
VIEWPORT = {"width": 1280, "height": 860}

TRACE = """
Error.stackTraceLimit = 100;
for (const kind of ["warn", "error"]) {
  const report = console[kind];
  console[kind] = (...said) => report.call(console, ...said, "\\nsaid at " + new Error().stack);
}
"""


class Console:
    """What the page complained about: warnings and errors with our scripts on the stack, and uncaught errors."""

    def __init__(self, page: Any) -> None:
        self.complaints: list[str] = []
        page.add_init_script(TRACE)
        page.on("console", self._message)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))

    def _message(self, message: Any) -> None:
        ours = "/extensions/" in message.text or "/extensions/" in (message.location or {}).get("url", "")
        if ours and message.type in ("warning", "error"):
            self.complaints.append(f"{message.type}: {message.text}")
