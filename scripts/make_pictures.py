"""Make all pictures of the pack anew: ``python scripts/make_pictures.py [--host HOST:PORT] [NAME ...]``.

On a running ComfyUI with the pack (or one that is started for it) it runs the example workflows that need no download
and composes their thumbnails of what they show; draws the other examples' graphs; and builds, runs and photographs a
small graph for each node's help page, in the newest frontend. NAMEs are files to make, without their ending.
Runs in the pack's test environment (``scripts/environment.py --tests``) and needs Chromium.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import chromium
from console import say
from doc_wirings import WIRINGS
from environment import ENV, ROOT, Environment
from example_files import EXAMPLES, FOLDER, WITHOUT_DOWNLOAD, example
from frontend_server import FrontendServer
from graph_page import CHROMIUM_FLAGS, PAGE_SETTINGS, GraphPage
from host_client import ComfyClient
from host_server import ComfyServer
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import sync_playwright
from workflow_api import read_workflow, to_api

IMAGES = ROOT / "web" / "docs" / "images"
QUALITY = 80  # of JPEG
LARGEST_THUMBNAIL = 1280  # pixels, longer side
LARGEST_PICTURE = 1000
PAPER, INK = (250, 250, 248), (60, 60, 66)
GAP = 16

# What a thumbnail shows, row by row: nodes by their numbers, each with a label where one is needed.
THUMBNAILS: dict[str, list[list[tuple[int, str]]]] = {
    "01": [[(3, "")], [(5, "")]],
    "02": [[(3, "")]],
    "03": [[(3, "")]],
    "04": [[(6, "class names alone"), (5, "learned from one picture a class")]],
    "05": [[(14, "unguided")], [(9, "guided, same seeds")]],
    "06": [[(15, "unguided")], [(10, "guided")], [(18, "the best")]],
    "07": [[(16, "before"), (7, "optimized"), (15, "drawn over")]],
}
RELEVANCY_PICTURE = "relevancy_map"  # the first example's, also on its node's help page
BOX_EDITOR = "box_editor"


def main() -> int:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="make only these (default: all)")
    parser.add_argument("--host", help="HOST:PORT of a running ComfyUI with the pack (default: start PyPI's)")
    options = parser.parse_args()
    made = 0
    with running_host(options.host) as address, ComfyClient(address) as client:
        for file in EXAMPLES:
            if wanted(file.stem, options.names) and file.stem[:2] in THUMBNAILS:
                picture = thumbnail(client, file)
                save(captioned(picture, file), FOLDER / f"{file.stem}.jpg", LARGEST_THUMBNAIL)
                if file == EXAMPLES[0]:
                    save(picture, IMAGES / f"{RELEVANCY_PICTURE}.jpg", LARGEST_THUMBNAIL)
                made += 1
        with graph_page(client, missing_files(client)) as page:
            for file in EXAMPLES:
                if wanted(file.stem, options.names) and file.stem[:2] not in THUMBNAILS:
                    save(captioned(graph_of(page, file), file), FOLDER / f"{file.stem}.jpg", LARGEST_THUMBNAIL)
                    made += 1
            for name, wiring in WIRINGS.items():
                if wanted(name, options.names):
                    ids = page.build(wiring)
                    if wiring.runs:
                        page.run()
                        page.arrange([[ids[node] for node, _, _ in column] for column in wiring.columns])
                    save(page.picture(), IMAGES / f"{name}.jpg", LARGEST_PICTURE)
                    made += 1
            if wanted(BOX_EDITOR, options.names):
                save(box_editor(page), IMAGES / f"{BOX_EDITOR}.jpg", LARGEST_PICTURE)
                made += 1
    say(f"{made} pictures; {sum(file.stat().st_size for file in IMAGES.iterdir()) / 1e6:.2f} MB in {IMAGES}")
    return 0 if made else 1


def wanted(name: str, names: Sequence[str]) -> bool:
    """Whether a picture was asked for."""
    return not names or name in names


@contextmanager
def running_host(address: str | None) -> Iterator[str]:
    """The host that was named, or one of our own."""
    if address:
        yield address
        return
    with ComfyServer(Environment(Path(sys.executable)), ENV / "pictures") as server:
        yield server.address


@contextmanager
def editor(
    client: ComfyClient, files: dict[tuple[str, str], set[str]], settings: dict[str, Any]
) -> Iterator[tuple[Any, str]]:
    """A browser, and where the newest frontend stands before the host; it takes the host to have these files."""
    program = chromium.find()
    if program is None:
        raise SystemExit(chromium.ADVICE)
    pictures = {name: stand_in() for (node, _), names in files.items() if node == "LoadImage" for name in names}
    server = FrontendServer(client.address, settings, choices=files, pictures=pictures)
    with server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(program), args=CHROMIUM_FLAGS)
        yield browser, server.address
        browser.close()


@contextmanager
def graph_page(client: ComfyClient, files: dict[tuple[str, str], set[str]]) -> Iterator[GraphPage]:
    """A page of that editor for graphs."""
    with editor(client, files, PAGE_SETTINGS) as (browser, address):
        yield GraphPage(browser, address, client)


def missing_files(client: ComfyClient) -> dict[tuple[str, str], set[str]]:
    """Names of models and pictures that examples ask of their user, by (node, input): else the page marks them red."""
    info = client.object_info()
    found: dict[tuple[str, str], set[str]] = {}
    for file in set(EXAMPLES) - set(WITHOUT_DOWNLOAD):
        for node in to_api(read_workflow(file), info).values():
            specs = {name: spec for group in info[node["class_type"]]["input"].values() for name, spec in group.items()}
            for name, value in node["inputs"].items():
                if isinstance(value, str) and isinstance(specs[name][0], list) and value not in specs[name][0]:
                    found.setdefault((node["class_type"], name), set()).add(value)
    for _, kind, values in (node for wiring in WIRINGS.values() for column in wiring.columns for node in column):
        for name in values.keys() & {"clip_name", "clip_name1", "clip_name2"}:
            found.setdefault((kind, name), set()).add(values[name])
    return found


def stand_in() -> bytes:
    """A picture for the place of the user's."""
    png = io.BytesIO()
    Image.open(ROOT / "web" / "brand" / "icon.png").save(png, "PNG")
    return png.getvalue()


def thumbnail(client: ComfyClient, file: Path) -> Image.Image:
    """What an example shows when it is run."""
    workflow = read_workflow(file)
    prompt = to_api(workflow, client.object_info())
    result = client.run(prompt)
    if result.error:
        raise SystemExit(f"{file.name}: {result.error['node_type']}: {result.error['exception_message']}")
    rows = []
    for nodes in THUMBNAILS[file.stem[:2]]:
        row = []
        for number, label in nodes:
            pictures = shown(client, result.outputs[str(number)])
            row += [labelled(picture, label and (" " if place else label)) for place, picture in enumerate(pictures)]
        rows.append(beside(row))
    return below(rows)


def captioned(picture: Image.Image, file: Path) -> Image.Image:
    """With what the example needs written below it, as its name says it."""
    needs = file.stem.split(" - ")[-1]
    size = max(22, picture.width // 26)
    sheet = Image.new("RGB", (picture.width, picture.height + 2 * size), PAPER)
    sheet.paste(picture, (0, 0))
    place = (picture.width // 2, picture.height + size)
    ImageDraw.Draw(sheet).text(place, needs, INK, ImageFont.load_default(size), anchor="mm")
    return sheet


def shown(client: ComfyClient, outputs: dict[str, Any]) -> list[Image.Image]:
    """A node's pictures; small ones enlarged by a whole number, so that their pixels stay what they are."""
    pictures = [Image.open(io.BytesIO(client.view(image))).convert("RGB") for image in outputs["images"]]
    factors = [max(1, 400 // max(picture.size)) for picture in pictures]
    return [
        picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
        for picture, factor in zip(pictures, factors, strict=True)
    ]


def labelled(picture: Image.Image, title: str) -> Image.Image:
    """With its title above (a blank one keeps the room for it)."""
    if not title:
        return picture
    height = 30
    sheet = Image.new("RGB", (picture.width, picture.height + height), PAPER)
    sheet.paste(picture, (0, height))
    ImageDraw.Draw(sheet).text((4, 4), title, INK, ImageFont.load_default(18))
    return sheet


def beside(pictures: list[Image.Image]) -> Image.Image:
    """In a row."""
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
    sheet = Image.new("RGB", (width, max(picture.height for picture in pictures)), PAPER)
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + GAP
    return sheet


def below(rows: list[Image.Image]) -> Image.Image:
    """One under the other, none wider than the first."""
    width = rows[0].width
    rows = [row if row.width <= width else row.resize((width, row.height * width // row.width)) for row in rows]
    sheet = Image.new("RGB", (width, sum(row.height for row in rows) + GAP * (len(rows) - 1)), PAPER)
    top = 0
    for row in rows:
        sheet.paste(row, ((width - row.width) // 2, top))
        top += row.height + GAP
    return sheet


def graph_of(page: GraphPage, file: Path) -> Image.Image:
    """An example that needs a model of the user's: its graph as the editor shows it."""
    assert file not in WITHOUT_DOWNLOAD, f"{file.name} runs without a download: name its pictures in THUMBNAILS"
    page.load(read_workflow(file))
    overlaps = page.overlaps()
    assert not overlaps, f"{file.name}: nodes lie on one another: {overlaps}"
    return page.picture(0.8)


def box_editor(page: GraphPage) -> Image.Image:
    """The editor with its picture and boxes, from the example."""
    workflow = read_workflow(example("02"))
    page.load(workflow)
    page.run()
    (node,) = [str(node["id"]) for node in workflow["nodes"] if node["type"] == "BoxSpatialConstraint"]
    return page.picture(1.4, [node])


def save(picture: Image.Image, file: Path, largest: int) -> None:
    """As a JPEG, shrunk where it is larger than that."""
    picture.thumbnail((largest, largest), Image.Resampling.LANCZOS)
    picture.save(file, quality=QUALITY, optimize=True)
    say(f"  {file.relative_to(ROOT)}  {picture.width} x {picture.height}, {file.stat().st_size // 1000} KB")


if __name__ == "__main__":
    raise SystemExit(main())
