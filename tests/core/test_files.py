"""What is written is there whole or not at all, whatever the disk, the folder or the process meets with."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clip_explainability.core.errors import InputError
from clip_explainability.core.files import require_room, write_whole

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """A disk that is full after so many bytes, as far as this process can tell."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_is_written_with_its_folder_and_the_usual_permissions(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "new" / "a.bin", b"abc")
    assert path.read_bytes() == b"abc"
    beside = tmp_path / "new" / "b.bin"
    beside.write_bytes(b"")
    assert path.stat().st_mode == beside.stat().st_mode  # others on the machine may read it


def test_a_full_disk_is_an_error_and_leaves_what_was_there(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "a.bin", b"before")
    with files_no_larger_than(1000), pytest.raises(InputError, match=r"a\.bin can't be written .*free some space"):
        write_whole(path, bytes(2000))
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_room_is_asked_for_before_the_work(tmp_path: Path) -> None:
    require_room(tmp_path / "a.bin", 2000)
    with files_no_larger_than(1000), pytest.raises(InputError, match="free some space"):
        require_room(tmp_path / "a.bin", 2000)
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_folder_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):  # root may write anywhere but into the kernel
        folder = Path("/sys/kernel")
    if not folder.is_dir():
        pytest.skip("no folder here that this user can't write to")
    for attempt in (lambda path: write_whole(path, b"x"), lambda path: require_room(path, 1)):
        with pytest.raises(InputError, match=r"a\.bin can't be written .*make the folder writable"):
            attempt(folder / "a.bin")


@pytest.mark.parametrize("name", ["n" * 300, "in a file/a.bin"])
def test_a_place_that_can_t_be_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "in a file").write_bytes(b"")
    with pytest.raises(InputError, match="can't be written"):
        write_whole(tmp_path / name, b"x")


def test_a_kill_amid_the_writing_leaves_what_was_there(tmp_path: Path) -> None:
    """A process that is killed when it has written all and is about to put it in its place."""
    path = write_whole(tmp_path / "a.bin", b"before")
    program = (
        "import os, sys, time; sys.path.insert(0, sys.argv[1]); import pack; pack.load();"
        "from clip_explainability.core.files import write_whole;"
        "os.replace = lambda *_: print('now', flush=True) or time.sleep(60);"
        "write_whole(sys.argv[2], b'after')"
    )
    command = [sys.executable, "-c", program, str(SCRIPTS), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"now\n"
        process.kill()
    assert path.read_bytes() == b"before"
    (left,) = (each for each in tmp_path.iterdir() if each != path)
    assert left.name.startswith(".a.bin.")  # hidden, and of no kind that a host lists
    assert left.suffix != ".bin"
