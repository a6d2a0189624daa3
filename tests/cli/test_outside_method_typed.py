"""A method that another package brings, as typed: in the help, in a run, and in what a run writes."""

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from support.forked import run
from support.outside_packages import installed, with_packages, write_broken, write_template
from support.poisoned import poisoned_set
from support.taught import LABELS, shaded

from eftclip.cli import main
from eftclip.pipeline import METHODS, prepare_check
from eftclip.runtime import seeded
from eftclip.triggers import draw_trigger


@pytest.mark.quick
def test_it_is_in_the_help_without_being_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = write_template(tmp_path / "site")
    (site / "my_method.py").write_text("raise SystemExit('it was imported')")
    with installed(site, METHODS), pytest.raises(SystemExit) as ended:
        main(["rectify", "--help"])
    assert ended.value.code == 0
    assert "of other packages: my_method" in " ".join(capsys.readouterr().out.split())


@pytest.mark.quick
def test_one_that_is_broken_is_one_sentence_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed = ["rectify", "--checkpoint", "nowhere", "--out", str(tmp_path / "out"), "--method"]
    with installed(write_broken(tmp_path / "site"), METHODS):
        assert main([*typed, "broken"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("eftclip: The method 'broken' of the package broken-package 0.3 cannot be used;")
    assert "No module named 'nowhere_at_all'" in told and told.count("\n") == 1
    assert not (tmp_path / "out").exists(), "nothing was begun"


@pytest.mark.slow
def test_a_method_of_another_package_mends_a_checkpoint(taught: Path, tmp_path: Path) -> None:
    """In a process of its own, as somebody types it who has installed the package."""
    setup = prepare_check(str(taught / "badnets"), labels=LABELS, reference="none", device="cpu")
    squares = shaded(setup.clip, 0.95)[:10]
    trigger = draw_trigger("badnets", generator=seeded(0))
    pictures, labels = poisoned_set(setup, squares, [(trigger, "banana")]).write(tmp_path / "set"), tmp_path / "l.txt"
    labels.write_text("\n".join(LABELS))
    environment = with_packages(write_template(tmp_path / "site"))

    def typed(*words: object) -> CompletedProcess[str]:
        return run(["-m", "eftclip", "rectify", *words], environment=environment, apart=True)

    told = " ".join(typed("--help").stdout.split())
    assert "fineprune; of other packages: my_method (default: realign)" in told
    options = ["--checkpoint", taught / "badnets", "--labels", labels, "--oracle", "superpixel", "--device", "cpu"]
    fast = ["--method", "my_method", "--own", "sharpness=30", "--steps", 8, "--batch", 8, "--measured", 40]
    done = typed(pictures, "--out", tmp_path / "out", *options, *fast)
    assert done.returncode == 1, done.stderr
    document = json.loads((tmp_path / "out" / "rectify.json").read_text())
    assert document["config"]["rectify"]["own"] == "sharpness=30"
    rectified = document["rectified"]
    assert (rectified["method"], rectified["origin"]) == ("my_method", "the package my-method 0.1.0")
    assert document["after"]["attack"]["hits"] < document["before"]["attack"]["hits"]
    for name in ("README.md", "report.md"):
        text = (tmp_path / "out" / name).read_text()
        assert "Method `my_method`" in text and "my-method 0.1.0" in text and "EftCLIP's own" in text
