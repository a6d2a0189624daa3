"""`pytest -m quick` is short, and still touches every part of the package."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.documents import ROOT

pytestmark = pytest.mark.quick
PACKAGE, TESTS = ROOT / "eftclip", ROOT / "tests"
NOT_QUICK = {"product", "scripts", "support"}  # whole runs on the bundled checkpoints; scripts; no tests


def _marks(node: ast.AST) -> set[str]:
    """Names that follow `pytest.mark.` somewhere in it."""
    return {
        part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Attribute) and part.value.attr == "mark"
    }


def _module_marks(tree: ast.Module) -> set[str]:
    marks: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            marks |= _marks(node.value)
            if "needs_a_browser" in ast.unparse(node.value):
                marks.add("browser")
    return marks


def _tests() -> Iterator[tuple[Path, ast.Module, str, set[str]]]:
    """Every test function with its file and its marks."""
    for path in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                own = set().union(*(_marks(decorator) for decorator in node.decorator_list))
                yield path, tree, node.name, own | _module_marks(tree)


QUICK = [test for test in _tests() if "quick" in test[3]]


def _imported(tree: ast.Module) -> set[str]:
    """Parts of the package that a test file imports."""
    parts = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("eftclip."):
            parts.add(node.module.split(".")[1])
    return parts


def test_the_quick_tests_touch_every_part() -> None:
    folders = {path.relative_to(TESTS).parts[0] for path in TESTS.glob("*/test_*.py")}
    assert folders - {path.relative_to(TESTS).parts[0] for path, *_ in QUICK} <= NOT_QUICK
    parts = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    parts |= {"zeroshot", "runtime", "config", "errors"}
    touched = set().union(*(_imported(tree) for _, tree, *_ in QUICK))
    assert parts - touched == set()


def test_one_of_them_drives_a_browser() -> None:
    assert [name for _, _, name, marks in QUICK if "browser" in marks]


def test_none_of_them_is_slow_and_most_tests_are_not_among_them() -> None:
    assert [name for _, _, name, marks in QUICK if "slow" in marks] == []
    assert 50 < len(QUICK) < sum(1 for _ in _tests()) / 2


def test_the_mark_is_declared() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert any(mark.startswith("quick:") for mark in options["markers"])
