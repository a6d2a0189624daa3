"""Every line of code in the README and the guides runs, document by document, from top to bottom in one folder.

A shell line ends with `# exit code 1` where it is meant to end so, and with 0 otherwise. Lines that cannot run here are
in `support.documents.ELSEWHERE`, each with the test that covers it.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from support.documents import ELSEWHERE, GUIDES, README, ROOT, blocks

from eftclip.cli import main

LANGUAGES = {"bash", "python"}
COVERED = {line for lines in ELSEWHERE.values() for line in lines}
REGISTERS = "your_method.md"  # a method, in the registry of its process
EXIT_CODE = re.compile(r"\s+# exit code (\d)$")
WITH_CODE = [path for path in (README, *GUIDES) if blocks(path)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a document: `examples/` is where it says, what a line writes stays here."""
    (tmp_path / "examples").symlink_to(ROOT / "examples", target_is_directory=True)
    (tmp_path / "tests").symlink_to(ROOT / "tests", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(command: list[str], folder: Path) -> int:
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900, check=False
    )
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)  # pytest shows it when the test fails
    return done.returncode


def _run_line(line: str, folder: Path) -> None:
    """Run a shell line; the command line itself in this process, which has read the labels already."""
    expected = int(found[1]) if (found := EXIT_CODE.search(line)) else 0
    words = shlex.split(line, comments=True)
    if words[0] == "eftclip":
        code = main(words[1:])
    elif words[0] == "pytest":
        code = _run([sys.executable, "-m", *words, "-p", "no:cacheprovider", f"--rootdir={ROOT}"], ROOT)
    else:
        code = _run(["bash", "-ec", line], folder)
    assert code == expected, line


def _run_python(code: str, document: str, folder: Path) -> None:
    """Run a block of Python in this process, where all is imported already, unless it would leave something behind."""
    if document == REGISTERS:
        assert _run([sys.executable, "-c", code], folder) == 0, code
    else:
        exec(compile(code, document, "exec"), {"__name__": "__main__"})


@pytest.mark.slow
@pytest.mark.parametrize("document", WITH_CODE, ids=lambda path: os.path.relpath(path, ROOT))
def test_its_code_runs(document: Path, folder: Path) -> None:
    for block in blocks(document):
        if block.language == "python":
            _run_python(block.code, document.name, folder)
            continue
        for line in block.lines:
            if line not in COVERED:
                _run_line(line, folder)


def test_all_code_is_of_a_kind_that_is_run() -> None:
    assert {block.language for path in WITH_CODE for block in blocks(path)} == LANGUAGES
    assert len(WITH_CODE) > 5


def test_what_runs_elsewhere_is_in_a_document_and_has_its_test() -> None:
    shown = {line for path in WITH_CODE for block in blocks(path) if block.language == "bash" for line in block.lines}
    assert COVERED - shown == set(), "no document shows these any more"
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert [test for test in ELSEWHERE if f"def {test}(" not in tests] == []
