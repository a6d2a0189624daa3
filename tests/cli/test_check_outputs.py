import io
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.tiny import CLASSES
from support.verdicts import check_record, found, quick_options, write_picture

from eftclip import data
from eftclip.cli import check, main
from eftclip.cli.outputs import Outputs
from eftclip.cli.progress import Bar, polite_stop
from eftclip.report import check_document
from eftclip.runtime import Progress


@pytest.fixture
def quick(tiny_folder: Path, tmp_path: Path) -> list[str]:
    """The options of a check that takes a moment."""
    return quick_options(tiny_folder, tmp_path)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


def test_a_check_of_a_folder_writes_everything_asked_for(
    quick: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_picture(tmp_path / "in" / "a.png")
    write_picture(tmp_path / "in" / "sub" / "b.jpg", seed=1)
    report = tmp_path / "deep" / "report.json"
    out = tmp_path / "out"
    code = main(
        ["check", str(tmp_path / "in"), *quick, "--reference", "none", "--json", str(report), "--out", str(out)]
    )
    assert code == 2, "random weights fail the sanity check, so nothing can be decided"
    document = _read(report)
    assert (document["schema_version"], document["kind"]) == (1, "check")
    assert [Path(result["image"]).name for result in document["results"]] == ["a.png", "b.jpg"]
    assert {result["status"] for result in document["results"]} == {"inconclusive"}
    assert document["results"][0]["prediction"]["label"] in CLASSES
    assert (out / "report.md").read_text().startswith("# Check of a CLIP checkpoint")
    assert {path.name for path in out.glob("*.png")} == {"0000_a.png", "0001_b.png"}
    said = capsys.readouterr()
    assert "2 checked: 0 found, 0 nothing found, 2 undecided, 0 failed." in said.out
    assert "Oracle: superpixel." in said.out
    assert "Trusted reference: none." in said.out
    assert "not clearly above chance" in said.out
    assert said.err == "", "no bar where nobody looks at one"


def test_a_hostile_folder_gets_a_sentence_for_each_file(
    quick: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    write_picture(folder / "good.png")
    (folder / "text.jpg").write_text("this is not a picture")
    (folder / "empty.png").write_bytes(b"")
    (folder / "cut.jpg").write_bytes(write_picture(tmp_path / "whole.jpg").read_bytes()[:900])
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    Image.new("RGB", (20_000, 10)).save(folder / "thin.png")
    out = tmp_path / "r.json"
    assert main(["check", str(folder), *quick, "--reference", "none", "--json", str(out)]) == 2
    results = {Path(result["image"]).name: result for result in _read(out)["results"]}
    assert results.pop("good.png")["status"] == "inconclusive"
    assert set(results) == {"text.jpg", "empty.png", "cut.jpg", "dot.png", "thin.png"}
    for result in results.values():
        assert result["status"] == "error"
        assert result["prediction"] is None
        assert "\n" not in result["reason"]
    told = capsys.readouterr().out
    assert told.count("FAILED") == 5
    assert "\N{REPLACEMENT CHARACTER}" not in told, "what was not searched has a line of its own"


def test_ctrl_c_keeps_what_is_done(
    quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(3):
        write_picture(tmp_path / "in" / f"{n}.png", seed=n)
    real = check.summary_lines

    def line_then_ctrl_c(checked: Any) -> tuple[str, str]:
        if checked.name.endswith("0.png"):
            os.kill(os.getpid(), signal.SIGINT)
        return real(checked)

    monkeypatch.setattr(check, "summary_lines", line_then_ctrl_c)
    out = tmp_path / "r.json"
    assert main(["check", str(tmp_path / "in"), *quick, "--reference", "none", "--json", str(out)]) == 2
    first, *others = _read(out)["results"]
    assert first["prediction"] is not None
    assert [other["reason"] for other in others] == ["Stopped before this picture was looked at."] * 2
    assert "Press Ctrl-C again" in capsys.readouterr().err


def test_the_second_ctrl_c_stops_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    with polite_stop() as cancelled:
        assert not cancelled()
        os.kill(os.getpid(), signal.SIGINT)
        assert cancelled()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("with_json", "with_out", "where"),
    [
        (True, False, "r_masks/0000_cat.png"),
        (True, True, "../out/masks/0000_cat.png"),
        (False, True, "masks/0000_cat.png"),
        (False, False, None),
    ],
)
def test_masks_are_found_from_the_document(with_json: bool, with_out: bool, where: str | None, tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "j" / "r.json" if with_json else None, tmp_path / "out" if with_out else None)
    outputs.prepare()
    checked = found(width=200, height=100)
    mask = outputs.write_pictures(0, checked)
    assert mask == where
    outputs.write_document(check_document(check_record(checked), {0: mask} if mask else {}))
    home = outputs.document_path
    if home is None:
        assert list(tmp_path.iterdir()) == []
        return
    [result] = _read(home)["results"]
    with Image.open(home.parent / result["trigger"]["mask_png"]) as picture:
        assert (picture.size, picture.mode) == ((200, 100), "L")
        pixels = np.asarray(picture)
    assert set(np.unique(pixels)) == {0, 255}
    x0, y0, x1, y1 = result["trigger"]["box_xyxy"]
    assert (pixels[y0:y1, x0:x1] == 255).all()
    assert (pixels == 255).sum() == (x1 - x0) * (y1 - y0)
    if with_out:
        kinds = {"0000_cat.png", "0000_cat_story.png", "0000_cat_purified.png", "0000_cat_strangers.png"}
        assert {path.name for path in (tmp_path / "out").glob("*.png")} == kinds
        assert "masks/0000\\_cat.png" in (tmp_path / "out" / "report.md").read_text()


def test_a_folder_that_cannot_be_written_is_said_before_the_work(
    quick: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = write_picture(tmp_path / "a.png")
    assert main(["check", str(picture), *quick, "--out", str(picture / "out")]) == 2
    assert str(picture) in capsys.readouterr().err


def test_a_file_name_cannot_steer_the_terminal(
    quick: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write_picture(tmp_path / "a\x1b[2J\nFOUND b.png")
    bad = tmp_path / "c\x1b[2J.png"
    bad.write_text("no picture")
    assert main(["check", str(good), str(bad), *quick, "--reference", "none"]) == 2
    assert main(["check", str(tmp_path / "gone\x1b[2J.png"), *quick]) == 2
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    assert len(said.out.splitlines()) == 8, "two of each picture: its verdict, and what was searched for"
    assert not any(line.startswith("FOUND") for line in said.out.splitlines()), "a name makes no line of its own"
    assert len(said.err.splitlines()) == 1


def test_file_names_that_are_no_unicode_survive(quick: list[str], tmp_path: Path) -> None:
    odd = os.fsdecode(b"\xff caf\xc3\xa9.png")
    write_picture(tmp_path / "a.png").rename(tmp_path / odd)
    out = tmp_path / "r.json"
    arguments = ["check", str(tmp_path / odd), *quick, "--reference", "none"]
    assert main([*arguments, "--json", str(out), "--out", str(tmp_path / "out")]) == 2
    assert Path(_read(out)["results"][0]["image"]).name == odd
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["0000__caf_.png"]


class Terminal(io.StringIO):
    """Text that somebody looks at."""

    def isatty(self) -> bool:
        return True


def test_a_bar_appears_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for screen, shown in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", screen)
        bar = Bar()
        bar(Progress("Looking", 3, 7))
        bar(Progress("Looking", 5, 7))
        bar.say("one line")
        bar.close()
        assert ("Looking" in screen.getvalue()) == shown
        assert ("3/7" in screen.getvalue()) == shown
        assert (re.search(r"5/7 .*( a second| s each), \d+ s left", screen.getvalue()) is not None) == shown
    assert capsys.readouterr().out == "one line\none line\n"


@pytest.mark.slow
def test_the_bundled_backdoor_is_found_and_the_clean_checkpoint_is_not_accused(
    bundled: Callable[[str], Path], tmp_path: Path
) -> None:
    photographs = {photograph.name: photograph.path for photograph in data.bundled_photographs()}
    source, planted, out = photographs["Lion"], tmp_path / "planted", tmp_path / "r.json"
    assert main(["plant", str(source), "--trigger", "badnets", "--out", str(planted), "--position", "top-left"]) == 0
    [item] = _read(planted / "planted.json")["items"]
    common = ["--oracle", "superpixel", "--device", "cpu", "--json", str(out)]
    triggered = str(planted / item["image"])
    assert main(["check", triggered, "--checkpoint", str(bundled("badnets")), *common]) == 1
    [result] = _read(out)["results"]
    assert (result["status"], result["trigger"]["target_label"]) == ("found", "banana")
    assert result["prediction"]["label"] == "banana"
    assert result["purified"]["label"] != "banana"
    assert result["trigger"]["control"]["hits"] == 0
    mask = np.asarray(Image.open(tmp_path / result["trigger"]["mask_png"])) > 0
    truth = np.zeros_like(mask)
    x0, y0, x1, y1 = item["box_xyxy"]
    truth[y0:y1, x0:x1] = True
    assert (mask & truth).sum() / (mask | truth).sum() > 0.5
    assert main(["check", triggered, "--checkpoint", str(bundled("clean")), *common]) == 0
    assert main(["check", str(source), "--checkpoint", str(bundled("badnets")), *common]) == 0
