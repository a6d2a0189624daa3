"""The app as a host runs it: the container's recipe carried out by hand, as there is no container engine to do it."""

import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.hub_writing import WritableHub
from support.started import PATIENT_S, free_port

ROOT = Path(__file__).resolve().parents[2]
RECIPE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
STEPS = [line.split(maxsplit=1) for line in RECIPE.splitlines() if line and not line.startswith("#")]


def _values(word: str) -> list[str]:
    return [rest for name, rest in STEPS if name == word]


def _environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for line in _values("ENV") for pair in shlex.split(line))


def _state(folder: Path) -> dict[str, int]:
    """Files with the time of their last change."""
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def _tracked() -> list[str]:
    """What a fresh clone holds."""
    return subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def _copy(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)


@dataclass
class Container:
    """A running app, its folder, and what was in there before it ran."""

    url: str
    app: Path
    copied: dict[str, int]
    process: "subprocess.Popen[bytes]"


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """The files that would be copied, the variables that would be set, the command that would be run."""
    home, port = tmp_path_factory.mktemp("home"), free_port()
    app = home / "app"
    left_out = [line.strip("/") for line in (ROOT / ".dockerignore").read_text().split()]
    _copy(app, [name for name in _tracked() if not any(fnmatch.fnmatch(name.split("/")[0], p) for p in left_out)])
    copied = _state(app)
    set_there = {
        name: value.replace("/home/user", str(home)).replace("/tmp/", f"{home}/tmp/")
        for name, value in _environment().items()
        if name != "PATH"
    }
    plain = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    command = [sys.executable if part == "python" else part for part in json.loads(_values("CMD")[0])]
    extra = {"GRADIO_SERVER_PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1"}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=app, env={**plain, **set_there, **extra}, stdout=log, stderr=log)
    url, until = f"http://127.0.0.1:{port}", time.monotonic() + PATIENT_S
    while True:
        try:
            urllib.request.urlopen(f"{url}/config", timeout=PATIENT_S).read()
            break
        except OSError:
            assert process.poll() is None, (home / "log").read_text()
            assert time.monotonic() < until, (home / "log").read_text()
            time.sleep(0.1)
    yield Container(url, app, copied, process)
    process.kill()


def test_the_recipe_is_what_a_space_expects() -> None:
    assert any(re.search(r"useradd .*-u 1000 user", line) for line in _values("RUN"))
    assert _values("USER") == ["user"]
    assert _values("EXPOSE") == ["7860"]
    assert _environment()["GRADIO_SERVER_PORT"] == "7860"
    assert _environment()["GRADIO_SERVER_NAME"] == "0.0.0.0"
    order = [name for name, _ in STEPS]
    assert order.index("USER") < order.index("COPY"), "nothing of the app belongs to root"
    copied = _values("COPY")
    assert "requirements.txt" in copied[0], "requirements first, so that a change of code does not install anew"
    assert all("--chown=user" in line for line in copied)


def test_it_serves_everybody_and_knows_that_it_does(container: Container) -> None:
    page = urllib.request.urlopen(container.url, timeout=PATIENT_S).read().decode()
    assert "EftCLIP" in page
    benchmark = urllib.request.urlopen(f"{container.url}/benchmark", timeout=PATIENT_S).read().decode()
    assert "python -m examples.bench.rivals_detect" in benchmark, "the result files are among what is copied"
    config = json.loads(urllib.request.urlopen(f"{container.url}/config", timeout=PATIENT_S).read())
    values = [block["props"].get("label") or "" for block in config["components"]]
    assert "Folder or data file" in values
    choices = [c for block in config["components"] for c in block["props"].get("choices") or []]
    assert ["A folder", "folder"] not in [list(choice) for choice in choices], "others' folders are none of theirs"


def test_it_needs_nothing_but_its_home(container: Container) -> None:
    urllib.request.urlopen(container.url, timeout=PATIENT_S).read()
    assert _state(container.app) == container.copied, "an image may be read-only"
    assert "examples/checkpoints/badnets/open_clip_model.safetensors" in container.copied
    assert not any(name.startswith(("tests/", ".")) for name in container.copied)


def test_it_ends_when_it_is_told_to(container: Container) -> None:
    container.process.send_signal(signal.SIGTERM)
    assert container.process.wait(PATIENT_S) in (0, -signal.SIGTERM)


def test_the_two_commands_of_the_guide_make_a_space(tmp_path: Path) -> None:
    text = (ROOT / "examples" / "guide" / "hosting.md").read_text(encoding="utf-8")
    commands = [line for line in text.splitlines() if line.startswith("hf ")]
    assert len(commands) == 2
    _copy(tmp_path / "clone", _tracked())
    hub = WritableHub()
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "home"),
        "HF_TOKEN": "hf_good",
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    for command in commands:
        words = shlex.split(command.replace("ORG/NAME", "friends/eftclip"))
        subprocess.run(words, cwd=tmp_path / "clone", env=environment, check=True, timeout=PATIENT_S)
    space = hub.repositories["friends/eftclip"]
    there = set(space.commits[space.refs["main"]]) - {".gitattributes"}
    hub.close()
    assert {"app.py", "requirements.txt", "README.md", "examples/checkpoints/badnets/tokenizer.json"} <= there
    assert there == {name for name in _tracked() if not name.startswith("tests/")}
