"""Find a Chromium-like browser for the browser tests, or install Debian's where that is asked for."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from console import run, say

VARIABLE = "CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge", "microsoft-edge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
ADVICE = (
    "The browser tests need Chromium, Chrome or Edge and will be skipped. On Debian and Ubuntu: "
    f"sudo apt install chromium; elsewhere install Chrome, or set {VARIABLE} to the program."
)


def find() -> Path | None:
    """The browser to use: the one that CHROMIUM names, or the first that is installed."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    return next((Path(place) for place in PLACES if Path(place).is_file()), None)


def find_or_install() -> Path | None:
    """The browser to use; in CI and for root on Debian and Ubuntu it is installed where there is none."""
    browser = find()
    if browser is None and _may_install():
        say("    No browser found: installing chromium with apt-get")
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update", "-qq"], env=quiet)
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"], env=quiet, hide=("",))
        browser = find()
    say(f"    {browser}" if browser else f"    {ADVICE}")
    return browser


def _may_install() -> bool:
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return is_root and shutil.which("apt-get") is not None
