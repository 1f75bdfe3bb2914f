"""Shards and folders as pieces of work; what is damaged is said and spoils nothing else."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from clip_explainability.core.errors import InputError
from clip_explainability.core.shards import cut_into_pieces, pictures_of

CONTENT = bytes(range(256)) * 8


def shard(
    path: Path, names: tuple[str, ...] = ("a.png", "a.txt", "b.JPG", "._b.jpg", "c.webp"), mode: str = "w"
) -> Path:
    with tarfile.open(path, mode) as file:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = len(CONTENT)
            file.addfile(entry, io.BytesIO(CONTENT))
    return path


def read(path: Path) -> tuple[list[str], list[str]]:
    """Names of what was given, and errors."""
    found = list(pictures_of(path.parent, (path.name,)))
    assert all(isinstance(file, InputError) or file.read() == CONTENT for _, file in found)  # type: ignore[union-attr]
    errors = [str(file) for _, file in found if isinstance(file, InputError)]
    return [name for name, file in found if not isinstance(file, InputError)], errors


@pytest.mark.parametrize(("name", "mode"), [("0.tar", "w"), ("0.TAR", "w"), ("0.tar.gz", "w:gz"), ("0.tgz", "w:gz")])
def test_the_pictures_of_a_whole_shard(tmp_path: Path, name: str, mode: str) -> None:
    path = shard(tmp_path / name, mode=mode)
    assert read(path) == ([f"{name}/a.png", f"{name}/b.JPG", f"{name}/c.webp"], [])
    assert cut_into_pieces(tmp_path, 5, []) == [(name,)]


# A shard of five files of 512 + 2048 bytes and an end of zeros.
@pytest.mark.parametrize(
    ("damage", "given"),
    [
        (lambda data: b"", 0),
        (lambda data: b"no shard at all", 0),
        (lambda data: data[:300], 0),
        (lambda data: data[:1000], 0),  # within the first picture
        (lambda data: data[:2560], 1),  # between two files
        (lambda data: data[:6000], 1),  # within the second picture
        (lambda data: data[:2700], 1),  # within a header
        (lambda data: data[:2560] + b"\xff" * 512 + data[3072:], 1),  # a header of nonsense
        (lambda data: data[:12800], 3),  # without its end
    ],
)
def test_a_damaged_shard_gives_what_it_has_and_says_so(tmp_path: Path, damage, given: int) -> None:
    path = shard(tmp_path / "0.tar")
    path.write_bytes(damage(path.read_bytes()))
    names, errors = read(path)
    assert len(names) == given
    (error,) = errors
    assert error.startswith(f"'0.tar' is damaged after {given} images")
    assert "0x" not in error


def test_a_damaged_compressed_shard_too(tmp_path: Path) -> None:
    path = shard(tmp_path / "0.tar.gz", mode="w:gz")
    data = path.read_bytes()
    for broken in (data[: len(data) // 2], data[:40] + b"\xff" * 40 + data[80:]):
        path.write_bytes(broken)
        assert len(read(path)[1]) == 1
    path.unlink()
    assert "no such file" in read(path)[1][0]


def test_shards_and_loose_pictures_are_both_work(tmp_path: Path) -> None:
    shard(tmp_path / "1.tar")
    for name in ("b.png", "a.png", "deep/c.png", ".d.png", "._1.tar"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert cut_into_pieces(tmp_path, 2, []) == [("1.tar",), ("a.png", "b.png"), ("deep/c.png",)]
    assert [name for name, _ in pictures_of(tmp_path, ("a.png", "b.png"))] == ["a.png", "b.png"]


def test_nothing_to_do_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither images nor shards"):
        cut_into_pieces(tmp_path, 2, [])
    with pytest.raises(InputError, match="does not exist"):
        cut_into_pieces(tmp_path / "nowhere", 2, [])
