"""The README is a Space's front matter and a newcomer's first screen; its figures are those of the result files."""

import re
import subprocess
import sys
import tomllib

import pytest
from huggingface_hub import SpaceCard
from support.documents import README, ROOT, blocks
from support.openid import SCOPES

from examples.build.results_page.headline import BEGIN, END, headline, with_headline

pytestmark = pytest.mark.quick

COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
MOST_LINES, MOST_ROWS, MOST_PYTHON = 150, 10, 12


def _text() -> str:
    return README.read_text(encoding="utf-8")


def _commands() -> list[str]:
    return [line for block in blocks(README) if block.language == "bash" for line in block.lines]


def test_front_matter_makes_a_space() -> None:
    card = SpaceCard(_text()).data.to_dict()
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pins = {re.split(r"\[|==", line)[0]: line.rpartition("==")[2] for line in lines if "==" in line}
    assert card["title"]
    assert card["sdk"] == "gradio"
    assert card["sdk_version"] == pins["gradio"]
    assert card["app_file"] == "app.py"
    assert (ROOT / card["app_file"]).is_file()
    assert card["license"] == "apache-2.0"
    assert card["hf_oauth"] is True
    assert SCOPES.split() == ["openid", "profile", *card["hf_oauth_scopes"]], "the sign-in is tested with these"
    assert isinstance(card.get("python_version"), str), "quote it, or YAML reads 3.10 as 3.1"
    assert {card.get("colorFrom"), card.get("colorTo")} <= COLOURS


def test_the_picture_and_the_code_come_first() -> None:
    lines = SpaceCard(_text()).text.strip().splitlines()
    assert any(re.search(r"!\[|<img|<picture", line) for line in lines[:15]), "picture by line 15"
    assert any(line.startswith("```") for line in lines[:25]), "commands by line 25"


def test_the_version_of_python_is_said_before_it_is_needed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest = re.fullmatch(r">=(3\.\d+)", project["requires-python"])
    assert oldest
    named = [kind.rpartition(" ")[2] for kind in project["classifiers"] if "Python :: 3." in kind]
    assert min(named, key=_minor) == oldest[1]
    assert SpaceCard(_text()).data.to_dict()["python_version"] in named
    assert (ROOT / "Dockerfile").read_text(encoding="utf-8").startswith(f"FROM python:{oldest[1]}")
    assert f"Python {oldest[1]} or newer" in _text().split("pip install")[0]
    assert f"Python {oldest[1]} or newer" in (ROOT / "requirements.txt").read_text(encoding="utf-8").split("==")[0]


def _minor(version: str) -> int:
    return int(version.split(".")[1])


@pytest.mark.parametrize("start", ["runpy.run_path('app.py', run_name='__main__')", "runpy.run_module('eftclip')"])
def test_an_older_python_is_told_so(start: str) -> None:
    older = f"import runpy, sys; sys.version_info = (3, 9, 18); sys.path.insert(0, '.'); {start}"
    done = subprocess.run([sys.executable, "-c", older], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "eftclip: Python 3.11 or newer is needed, and this is 3.9.\n")


def test_it_is_short_and_readable_raw() -> None:
    assert _text().count("\n") <= MOST_LINES
    comments = re.findall(r"<!--.*?-->", _text(), re.DOTALL)
    assert comments == [BEGIN, END], "nothing hidden but the two marks around the table"
    python = [block.code.count("\n") for block in blocks(README) if block.language == "python"]
    assert python
    assert max(python) <= MOST_PYTHON


def test_its_figures_are_those_of_the_result_files() -> None:
    assert with_headline(_text()) == _text(), "run python -m examples.build.results_page"
    table = [line for line in headline().splitlines() if line.startswith("|")]
    assert 0 < len(table) - 2 <= MOST_ROWS
    others = _text().replace(headline(), "")
    assert not re.search(r"\d of \d|\d %", others), "measured numbers stand in the table, where they are made"


def test_ci_runs_the_test_command() -> None:
    tests = [command for command in _commands() if command.endswith("pytest")]
    assert any("requirements.txt" in command and "app.py" in command for command in _commands())
    assert len(tests) == 1, "the README gives one command for all tests"
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert tests[0] in map(str.strip, script)
    assert "pytest -m quick" in _commands()
