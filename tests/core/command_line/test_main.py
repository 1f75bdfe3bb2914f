"""``clip-explain`` as it is typed: what is printed, what is written, and which exit code follows."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from clip_explainability.core.command_line import pictures
from clip_explainability.core.command_line.main import main
from clip_explainability.core.demo.batch import draw_batch
from clip_explainability.core.demo.clip import load_demo
from clip_explainability.core.explain import explain
from clip_explainability.core.maps import normalize_map
from PIL import Image


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three scenes of a cat and a car (one of another size) and a file that is no picture, in a new working folder."""
    folder = tmp_path / "my photos"
    for number, size in enumerate([(96, 96), (96, 96), (64, 80)]):
        scene = draw_batch(["cat", "car"], 0, size, 1, 0.0, number).images[0]
        pictures.write_picture(folder / f"scene {number}.png", scene)
    (folder / "broken.PNG").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("not looked at")
    monkeypatch.chdir(tmp_path)
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main([*arguments, "--device", "cpu"] if arguments[0] != "methods" else list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


class TestMap:
    def test_writes_pictures_and_a_report(self, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, err = run(capsys, "map", str(photos), "--text", "a cat", "--text", "a <car>", "--json")
        assert code == 1  # one of the pictures could not be read
        assert "broken.PNG" in err
        report = json.loads(out)
        assert [Path(each["image"]).name for each in report["images"]] == [f"scene {n}.png" for n in range(3)]
        assert [Path(each["image"]).name for each in report["left_out"]] == ["broken.PNG"]
        for image in report["images"]:
            with Image.open(image["image"]) as picture:
                size = picture.size
            for prompt in image["prompts"]:
                assert {Image.open(prompt["files"][kind]).size for kind in ("overlay", "heat", "mask")} == {size}

    def test_the_heat_is_the_librarys_in_16_bits(self, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
        _, out, _ = run(capsys, "map", str(photos / "scene 2.png"), "--text", "a cat", "--method", "maskclip", "--json")
        (image,) = json.loads(out)["images"]
        with Image.open(image["prompts"][0]["files"]["heat"]) as picture:
            assert picture.mode.startswith("I")
            written = torch.from_numpy(np.asarray(picture).astype(np.float64)) / 65535
        pixels = pictures.read_image(photos / "scene 2.png")
        expected = normalize_map(explain(load_demo(), pixels, ["a cat"], "maskclip").maps)[0, 0]
        assert (written - expected).abs().max() <= 0.51 / 65535

    def test_pictures_of_one_name_keep_apart(self, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
        other = photos / "deeper"
        other.mkdir()
        (other / "scene 0.png").write_bytes((photos / "scene 0.png").read_bytes())
        code, out, _ = run(capsys, "map", str(photos / "**" / "scene 0.png"), "--text", "cat", "--json")
        files = [image["prompts"][0]["files"]["heat"] for image in json.loads(out)["images"]]
        assert code == 0
        assert len(set(files)) == len(files) == 2


class TestOtherCommands:
    def test_words_from_standard_input(
        self, photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        paths = f"{photos / 'scene 0.png'}\n\n{photos / 'scene 1.png'}\n".encode()
        picture = (photos / "scene 0.png").read_bytes()
        reports = []
        for data in (paths, picture):
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
            code, out, _ = run(capsys, "words", "-", "--text", "a cat beside a car", "--json")
            assert code == 0
            reports.append(json.loads(out)["images"])
        assert [len(report) for report in reports] == [2, 1]
        assert reports[0][0]["prompts"] == reports[1][0]["prompts"]
        assert [word["word"] for word in reports[1][0]["prompts"][0]["words"]] == ["a", "cat", "beside", "a", "car"]

    def test_classify(self, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "classes.txt").write_text("car\nbee = wasp\n")
        for classes in ("classes.txt", "car,bee"):
            code, out, _ = run(capsys, "classify", str(photos / "scene*.png"), "--classes", classes, "--top-k", "2")
            assert code == 0
            assert out.count(": car ") == 3

    def test_compare_draws_a_row_a_method(self, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = ["compare", str(photos / "scene 0.png"), "--text", "a cat", "--methods", "maskclip,itsm", "--json"]
        code, out, _ = run(capsys, *arguments)
        report = json.loads(out)
        assert code == 0
        assert report["methods"] == ["maskclip", "itsm"]
        with Image.open(report["images"][0]["file"]) as picture:
            assert picture.height > 96

    def test_methods_needs_no_picture(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, _ = run(capsys, "methods", "--json")
        assert code == 0
        assert json.loads(out)[0]["name"] == "relevancy"


class TestRefusals:
    """Before any work, with exit code 2 and a sentence that names the value."""

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            (["map", "missing.png", "--text", "a cat"], "missing.png"),
            (["map", "nothing-*.png", "--text", "a cat"], "nothing-*.png"),
            (["map", "{photo}", "--text", " "], "text"),
            (["map", "{photo}", "--text", "a cat", "--method", "magic"], "magic"),
            (["map", "{photo}", "--text", "a cat", "--clip", "no.safetensors"], "no.safetensors"),
            (["map", "{photo}", "--text", "a cat", "--colormap", "mud"], "mud"),
            (["compare", "{photo}", "--text", "a cat", "--methods", "relevancy,magic"], "magic"),
            (["classify", "{photo}", "--classes", ","], "classes"),
        ],
    )
    def test_a_sentence(
        self, arguments: list[str], named: str, photos: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code, out, err = run(capsys, *(part.replace("{photo}", str(photos / "scene 0.png")) for part in arguments))
        assert code == 2
        assert out == ""
        assert named in err

    def test_only_unreadable_pictures(self, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
        code, _, err = run(capsys, "words", str(photos / "broken.PNG"), "--text", "a cat")
        assert code == 2
        assert "none of the 1 pictures" in err

    @pytest.mark.parametrize("threshold", ["1.5", "-1", "much"])
    def test_numbers_out_of_range(self, threshold: str, photos: Path) -> None:
        with pytest.raises(SystemExit) as ended:
            main(["map", str(photos), "--text", "a cat", "--threshold", threshold])
        assert ended.value.code == 2
