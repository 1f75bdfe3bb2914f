"""Fetch the art of the demo world: pinned icon sets from npm, licences checked, one JSON file a vendor.

    python training/fetch_art.py            # all vendors, to training/.cache/art
    python training/fetch_art.py --ship     # and write the shipped vendors to core/demo/assets

Needs `npm` on the path (it does the downloading and checks the packages' integrity).
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

from art_table import (
    ALLOWED_LICENCES,
    COLOUR_VENDORS,
    EMOJI_VENDORS,
    FILLER,
    ICON_NAMES,
    MAX_PER_CLASS,
    MONOCHROME_VENDORS,
    REJECTED,
    SHIPPED_VENDORS,
    TEST_VENDOR,
    VALIDATION_VENDOR,
)

HERE = Path(__file__).resolve().parent
CACHE = HERE / ".cache"
ASSETS = HERE.parent / "core" / "demo" / "assets"


def download(vendor: str, version: str) -> dict[str, dict]:
    """The `icons`, `info` and `package` JSON of one `@iconify-json` package, from the cache or from npm."""
    tarball = CACHE / "npm" / f"iconify-json-{vendor}-{version}.tgz"
    if not tarball.exists():
        tarball.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=tarball.parent) as scratch:
            subprocess.run(
                ["npm", "pack", "--silent", f"@iconify-json/{vendor}@{version}"],
                cwd=scratch, check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            next(Path(scratch).glob("*.tgz")).rename(tarball)
    with tarfile.open(tarball) as archive:
        return {
            name: json.load(archive.extractfile(f"package/{name}.json"))  # type: ignore[arg-type]
            for name in ("icons", "info", "package")
        }


def plain_name(name: str) -> str:
    """`animal-dog-16-filled` -> `dog`: the icon's name without numbers and words of style."""
    words = [word for word in name.split("-") if not word.isdigit() and word not in FILLER]
    return "-".join(words)


def as_svg(icons: dict, name: str) -> str:
    """One icon of an Iconify set as a standalone SVG document."""
    icon = icons["icons"][name]
    left, top = icon.get("left", 0), icon.get("top", 0)
    width = icon.get("width", icons.get("width", 16))
    height = icon.get("height", icons.get("height", 16))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}">{icon["body"]}</svg>'
    )


def art_of(vendor: str, icons: dict) -> dict[str, list[str]]:
    """Class -> SVG documents of one vendor: `MAX_PER_CLASS` at most, no drawing twice."""
    by_plain_name: dict[str, list[str]] = {}
    for name in sorted(icons["icons"], key=lambda n: (len(n), n)):
        if not icons["icons"][name].get("hidden") and (vendor, name) not in REJECTED:
            by_plain_name.setdefault(plain_name(name), []).append(name)
    art = {}
    for label, names in ICON_NAMES.items():
        candidates = [by_plain_name.get(name, []) for name in names]
        # Round robin over the names first, so that five line weights of one don't crowd out the others.
        order = [c[i] for i in range(MAX_PER_CLASS) for c in candidates if i < len(c)]
        documents = list(dict.fromkeys(as_svg(icons, name) for name in order))[:MAX_PER_CLASS]
        if documents:
            art[label] = documents
    return art


def write_shipped(vendor: str, art: dict[str, list[str]]) -> Path:
    """Write a vendor's art as gzipped JSON; the same art gives the same bytes."""
    path = ASSETS / f"art_{vendor.replace('-', '_')}.json.gz"
    art = {label: [re.sub(r"(\.\d\d)\d+", r"\1", svg) for svg in svgs] for label, svgs in art.items()}
    path.write_bytes(gzip.compress(json.dumps(art, separators=(",", ":")).encode(), 9, mtime=0))
    return path


def write_attribution(records: dict[str, dict]) -> None:
    """Say whose art was used for what, in the folder that ships the weights made from it."""
    uses = {TEST_VENDOR: "shipped; shown to the CLIP in no way before its test", VALIDATION_VENDOR: "validation only"}
    lines = [
        "# Whose art this is",
        "",
        "The drawings in `art_*.json.gz` are icons of the sets marked *shipped*, coordinates rounded to two decimals,",
        "otherwise unchanged. `demo_clip.safetensors` was trained on pictures made from the sets marked *training*:",
        "recoloured, bent and put on backgrounds. All come from the npm packages `@iconify-json/<set>` at the version",
        "given.",
        "",
        "| set | version | author | licence | use |",
        "|---|---|---|---|---|",
    ]
    for vendor, record in records.items():
        use = uses.get(vendor, "training, shipped" if vendor in SHIPPED_VENDORS else "training")
        author = f"[{record['author']}]({record['url']})" if record["url"] else record["author"]
        licence = f"[{record['licence']}]({record['licence_url']})" if record["licence_url"] else record["licence"]
        lines.append(f"| {vendor} | {record['version']} | {author} | {licence} | {use} |")
    (ASSETS / "ATTRIBUTION.md").write_text("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--ship", action="store_true", help="also write core/demo/assets/art_*.json.gz")
    args = parser.parse_args()
    records: dict[str, dict] = {}
    (CACHE / "art").mkdir(parents=True, exist_ok=True)
    for vendor, version in {**EMOJI_VENDORS, **COLOUR_VENDORS, **MONOCHROME_VENDORS}.items():
        package = download(vendor, version)
        licence = package["info"]["license"].get("spdx", "unknown")
        if licence not in ALLOWED_LICENCES:
            raise SystemExit(f"{vendor} {version}: licence {licence} is not one of {sorted(ALLOWED_LICENCES)}")
        art = art_of(vendor, package["icons"])
        record = {"version": version, "licence": licence, "author": package["info"]["author"]["name"],
                  "url": package["info"]["author"].get("url", ""),
                  "licence_url": package["info"]["license"].get("url", ""), "art": art}  # fmt: skip
        records[vendor] = record
        (CACHE / "art" / f"{vendor}.json").write_text(json.dumps(record))
        print(
            f"{vendor:28s} {version:9s} {licence:11s} {len(art):3d} classes, {sum(map(len, art.values())):4d} drawings"
        )
        if args.ship and vendor in SHIPPED_VENDORS:
            print("  ->", write_shipped(vendor, art).relative_to(HERE.parent))
    if args.ship:
        write_attribution(records)


if __name__ == "__main__":
    main()
