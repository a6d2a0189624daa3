"""What `pre-commit` runs is what CI runs, with the versions that the project pins."""

import re
import tomllib

import yaml
from support.documents import ROOT

CONFIGURATION = ROOT / ".pre-commit-config.yaml"


def test_it_runs_what_ci_runs() -> None:
    hooks = [hook for repo in yaml.safe_load(CONFIGURATION.read_text())["repos"] for hook in repo["hooks"]]
    script = [line.strip() for line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()]
    assert [hook["entry"] for hook in hooks] == [line for line in script if re.match(r"(ruff|mypy)\b", line)]
    for hook in hooks:
        assert hook["language"] == "system", "the tools of the environment, so the versions of pyproject.toml"
        assert hook["pass_filenames"] is False, "all files, as in CI"


def test_the_tools_are_pinned_exactly() -> None:
    test = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["test"]
    pinned = {line.split("==")[0] for line in test if re.fullmatch(r"[\w-]+==[\d.]+", line)}
    assert len(pinned) == len(test)
    assert {"ruff", "mypy"} <= pinned
