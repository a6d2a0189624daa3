"""A console that has few letters, ASCII or latin-1: everything is said in those that it has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.verdicts import quick_options, write_picture

from eftclip.cli import COMMANDS

ENCODINGS = ["ascii", "latin-1"]
# The help of every command, one after another, each with streams as they were at the start; then two checks, each as it
# would end.
ALL_THAT_IS_SAID = """
import contextlib, sys
from eftclip.cli import COMMANDS, main
for name in ("", *COMMANDS):
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="strict")
    with contextlib.suppress(SystemExit):
        main([*name.split(), "--help"])
for stream in (sys.stdout, sys.stderr):
    stream.reconfigure(errors="strict")
    print("no more help", file=stream, flush=True)
for picture in sys.argv[1:3]:
    print(f"code {main(['check', picture, *sys.argv[3:]])}", file=sys.stderr, flush=True)
"""


def _said(arguments: list[str], encoding: str) -> tuple[int, str, str]:
    """Exit code, what was printed, and what of errors."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.situation("machines", "read")
def test_help_results_and_errors_are_text(tiny_folder: Path, tmp_path: Path, encoding: str) -> None:
    options = quick_options(tiny_folder, tmp_path)
    pictures = [str(write_picture(tmp_path / "\u00dcbung \u72d7.png")), str(tmp_path / "\u72d7.png")]
    code, *streams = _said(["-c", ALL_THAT_IS_SAID, *pictures, *options], encoding)
    assert code == 0, streams
    (help_said, printed), (not_help, errors) = (stream.split("no more help\n") for stream in streams)
    assert help_said.count("usage: eftclip") == len(COMMANDS) + 1
    assert "cpu, cuda, mps ... (default" in help_said
    assert "\\u" not in help_said
    assert not not_help
    assert errors.count("code 2\n") == 2, "the tiny one knows nothing, and of the second there is nothing to know"
    assert "bung \\u72d7.png" in printed
    assert "1 checked: " in printed
    assert "Traceback" not in printed + errors
    assert errors.endswith("\\u72d7.png does not exist; give a picture file or a folder of pictures.\ncode 2\n")


def test_signs_of_our_sentences_become_plain_ones() -> None:
    said = "\u201cbanana\u201d \u00d7 2 \u00b7 \u2026 \u2192 \xe9\u72d7"
    code = f"from eftclip.console import fit_streams; fit_streams(); print({said!r})"
    assert _said(["-c", code], "ascii") == (0, '"banana" x 2 - ... -> \\xe9\\u72d7\n', "")
    assert _said(["-c", code], "latin-1") == (0, '"banana" \xd7 2 \xb7 ... -> \xe9\\u72d7\n', "")
    assert _said(["-c", code], "utf-8")[1] == f"{said}\n"


def test_a_locale_without_letters_does_no_harm(tiny_folder: Path) -> None:
    names = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "eftclip", "inspect", str(tiny_folder)],
        env={**os.environ, **names},
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
