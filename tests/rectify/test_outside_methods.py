"""A method that another package brings is a method like ours, and says wherever it is named that it is not ours."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.curated import curated_of, family
from support.documents import ROOT
from support.forked import run
from support.outside_packages import TEMPLATE, installed, with_packages, write_broken, write_template

from eftclip.config import RectifyConfig
from eftclip.errors import ConfigError, DataError
from eftclip.pipeline import Plan
from eftclip.rectify import METHODS, rectify, settled
from eftclip.types import ClassMatrix, ClipModel, TriggerFamily

FEW = RectifyConfig(method="my_method", steps=2, batch=4, check_every=1)
MOST_LINES = 40


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """The template, installed."""
    with installed(write_template(tmp_path / "site"), METHODS) as place:
        yield place


@pytest.mark.quick
def test_the_template_is_short_and_brings_its_settings_along(site: Path) -> None:
    assert (TEMPLATE / "my_method.py").read_text(encoding="utf-8").count("\n") <= MOST_LINES
    assert list(METHODS) == [*METHODS.ours, "my_method"]
    plan = Plan(rectify=RectifyConfig(method="my_method", own="sharpness=30")).rectify
    assert (plan.steps, plan.batch, plan.own) == (50, 32, "sharpness=30")
    assert settled(RectifyConfig(method="my_method")).own == "sharpness=20"
    with pytest.raises(ConfigError, match="sharpness of my_method must lie between 1 and 100"):
        settled(RectifyConfig(method="my_method", own="sharpness=0"))


@pytest.mark.quick
def test_its_run_says_where_it_comes_from(site: Path, tiny_clip: ClipModel, tiny_classes: ClassMatrix) -> None:
    curated, families = curated_of(tiny_clip), [family()]
    _, done = rectify(tiny_clip, curated, families, tiny_classes, FEW)
    assert (done.method, done.origin) == ("my_method", "the package my-method 0.1.0")
    assert done.image_steps == 2 * 4 * 2
    _, ours = rectify(tiny_clip, curated, families, tiny_classes, replace(FEW, method="realign"))
    assert ours.origin == ""


@pytest.mark.quick
def test_a_run_is_not_taken_up_with_another_version_of_the_package(
    tmp_path: Path, tiny_clip: ClipModel, tiny_classes: ClassMatrix
) -> None:
    site, work, curated = write_template(tmp_path / "site"), tmp_path / "work", curated_of(tiny_clip)
    work.mkdir()
    families: list[TriggerFamily] = [family()]
    stop = iter([False, False, True, True])
    with installed(site, METHODS):
        more = replace(FEW, steps=4)
        _, done = rectify(
            tiny_clip, curated, families, tiny_classes, more, folder=work, cancelled=lambda: next(stop, True)
        )
        assert done.stopped == "cancelled" and 0 < done.steps < 4
    (site / "my_method-0.1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: my-method\nVersion: 0.2\n"
    )
    with installed(site, METHODS), pytest.raises(DataError):
        rectify(tiny_clip, curated, families, tiny_classes, more, folder=work)


@pytest.mark.quick
def test_a_broken_package_leaves_all_of_ours_and_is_named_when_it_is_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with installed(write_broken(tmp_path / "site"), METHODS):
        assert settled(RectifyConfig()).method == "realign"
        [told] = caplog.messages
        assert "'realign' of the package broken-package 0.3 has the name of one of EftCLIP's own, which is used" in told
        assert list(METHODS) == list(METHODS.ours)
        with pytest.raises(ConfigError, match=r"'broken' of the package broken-package 0\.3 .*nowhere_at_all"):
            settled(RectifyConfig(method="broken"))
        assert len(caplog.messages) == 2


@pytest.mark.slow
def test_the_template_passes_what_every_method_must_pass(tmp_path: Path) -> None:
    """As an author holds his own method to it: the tests of all methods find what is installed."""
    words = "-m pytest -n 0 -p no:cacheprovider tests/rectify/test_methods.py -k my_method".split()
    done = run(words, folder=ROOT, environment=with_packages(write_template(tmp_path / "site")))
    assert done.returncode == 0, done.stdout
    tests = (ROOT / "tests" / "rectify" / "test_methods.py").read_text(encoding="utf-8").count("\n@every_method\n")
    assert re.search(rf"\b{tests} passed", done.stdout) and tests > 5, done.stdout
