"""README tells the truth: its code runs, its links lead somewhere, its numbers are those of the committed results.

A measured number is followed by a comment that names its file in `examples/results/` and the key in
it; GitHub and the Hub do not show comments:

    | found | 158 of 160<!-- check_quality.json badnets.found --> | 98.8 %<!-- check_quality.json badnets.found --> |
    | time  | 1.25 s<!-- bench_check.json fast.seconds -->        | 1,920<!-- bench_check.json fast.forwards -->    |

Keys are joined by dots, list positions are numbers (`results.0.seconds`). Written as `H of T`, the key must lead to an
object with `hits` and `total`, and both must be equal. Otherwise the key leads to a number, or to such an object, which
then stands for hits / total; a `%` behind the number multiplies by a hundred. The file's value, rounded to the decimals
written, must be the number written; thousands may be set off by commas. The unit may stand before or behind the
comment, but `%` stands before it. In a table with one such comment every number must have one, except in the header and
in the first column; a number that is a setting and not a measurement goes into `code` or into those. Numbers in running
text may be marked too.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import SpaceCard
from support.openid import SCOPES

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "examples" / "results"
README = ROOT / "README.md"
NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
MARKED = re.compile(
    rf"(?P<first>{NUMBER})(?: of (?P<total>{NUMBER}))?(?P<unit>[^\d|<\n]{{0,20}})"
    r"<!--\s*(?P<file>[\w.-]+\.json)\s+(?P<key>\S+)\s*-->"
)
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def _text() -> str:
    return README.read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return [code for name, code in FENCE.findall(_text()) if name == language]


def _look_up(file: str, key: str) -> Any:
    value = json.loads((RESULTS / file).read_text(encoding="utf-8"))
    for part in key.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def _as_written(match: re.Match[str]) -> str:
    """What the file says, in the form and with the decimals that the README chose."""
    value = _look_up(match["file"], match["key"])
    if match["total"]:
        return f"{value['hits']:,} of {value['total']:,}"
    if isinstance(value, dict):
        value = value["hits"] / value["total"]
    decimals = len(match["first"].partition(".")[2])
    return f"{value * (100 if '%' in match['unit'] else 1):,.{decimals}f}"


def _wrong_numbers(text: str) -> list[str]:
    wrong = []
    for match in MARKED.finditer(text):
        written = match["first"] + (f" of {match['total']}" if match["total"] else "")
        if written.replace(",", "") != (expected := _as_written(match)).replace(",", ""):
            wrong.append(f"README says {written}, {match['file']} {match['key']} says {expected}")
    return wrong


def _tables(text: str) -> Iterator[list[str]]:
    """Body rows of every table."""
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        yield table.splitlines()[2:]


def _unmarked_numbers(text: str) -> list[str]:
    """Numbers without a comment in tables that have at least one comment."""
    bare = []
    for rows in _tables(text):
        if any(MARKED.search(row) for row in rows):
            for row in rows:
                rest = "|".join(re.sub(r"`[^`]*`", "", MARKED.sub("", row)).split("|")[2:])
                bare += [f"{number} in {row}" for number in re.findall(NUMBER, rest)]
    return bare


def _targets() -> set[str]:
    """Local targets of links and pictures, and paths of the repository wherever they are mentioned."""
    text = _text()
    linked = re.findall(r"\]\(([^)\s]+)[^)]*\)", text) + re.findall(r"(?:src|href)=[\"']([^\"']+)", text)
    local = {target.split("#")[0] for target in linked if not re.match(r"[a-z]+:|#", target)}
    mentioned = re.findall(r"(?<![\w/.-])(?:examples|tests|eftclip|\.ci)/[\w./-]*[\w/]", text)
    return local | set(mentioned)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One working folder for all blocks: `examples/` is where the README says, what a block writes stays here."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "examples").symlink_to(ROOT / "examples", target_is_directory=True)
    return folder


def test_there_is_python_to_run() -> None:
    assert _blocks("python")


@pytest.mark.parametrize("code", _blocks("python") if README.exists() else [])
def test_python_blocks_run(code: str, folder: Path) -> None:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,  # a rectification on a busy machine
        check=False,
    )
    assert done.returncode == 0, f"{code}\n{done.stderr}"


def test_every_path_mentioned_exists() -> None:
    targets = _targets()
    assert targets, "a README without a single local link or picture?"
    assert sorted(t for t in targets if not (ROOT / t).exists()) == []


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


def test_ci_runs_the_test_command_of_the_readme() -> None:
    commands = [line.split("  #")[0].strip() for block in _blocks("bash") for line in block.splitlines()]
    tests = [command for command in commands if re.search(r"\bpytest\b", command)]
    assert any("requirements.txt" in command and "app.py" in command for command in commands)
    assert len(tests) == 1, "the README gives one command for the tests"
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert tests[0] in map(str.strip, script)


def test_numbers_are_those_of_the_result_files() -> None:
    assert MARKED.search(_text()), "mark measured numbers as the docstring of this file says"
    assert _wrong_numbers(_text()) == []
    comments = re.findall(r"<!--[^>]*\.json[^>]*-->", _text())
    assert len(comments) == len(list(MARKED.finditer(_text()))), "a comment without a number before it"
    assert _unmarked_numbers(_text()) == []


def test_the_number_check_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "r.json").write_text(
        '{"a": {"found": {"hits": 1580, "total": 1600}}, "t": [{"s": 1.2512}], "n": 0.834}'
    )
    monkeypatch.setattr(sys.modules[__name__], "RESULTS", tmp_path)
    rate, seconds = "<!-- r.json a.found -->", "<!-- r.json t.0.s -->"
    good = [f"1,580 of 1,600{rate}", f"98.8 %{rate}", f"**98.75**%{rate}", f"99 % {rate}", f"1.25 s{seconds}"]
    good += [f"**1.3**{seconds} s", "0.83<!-- r.json n -->"]
    bad = [f"1579 of 1600{rate}", f"98.7 %{rate}", f"0.98{rate}", f"1.26{seconds}"]
    for text in good + bad:
        assert bool(_wrong_numbers(text)) == (text in bad), text
        assert MARKED.search(text), text
    table = f"| a | b |\n|---|---|\n| 16 px | 98.8 %{rate} |\n"
    assert _unmarked_numbers(table) == []
    assert _unmarked_numbers(table + "| 8 px | `24` and 7 |\n") == ["7 in | 8 px | `24` and 7 |"]
    with pytest.raises(KeyError):
        _wrong_numbers("1<!-- r.json a.lost -->")
