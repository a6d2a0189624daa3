import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from support.tiny import CLASSES
from support.verdicts import check_record, found, not_found, quick_options, undecided, unread, write_picture

import eftclip
from eftclip import data
from eftclip.cli import COMMANDS, build_parser, main, prepare
from eftclip.cli.check import exit_code
from eftclip.cli.options import AUDIT, AUDIT_HELP, DETECT_HELP, RUN_HELP, detector_config, settings_of
from eftclip.config import ALGORITHM_NAMES, DetectConfig, InvertConfig, RectifyConfig, Settings
from eftclip.errors import ConfigError, EftclipError
from eftclip.pipeline import METHODS, Plan

pytestmark = pytest.mark.quick

SETTINGS = {
    "top_labels": 5,
    "support_confidence": 0.5,
    "windows_per_side": 4,
    "carry_confidence": 0.3,
    "max_area_fraction": 0.2,
    "transplants": 8,
    "transplant_threshold": 0.7,
    "max_triggers": 2,
    "algorithm": "paper",
}


@pytest.fixture
def quick(tiny_folder: Path, tmp_path: Path) -> list[str]:
    """The options of a check that takes a moment."""
    return quick_options(tiny_folder, tmp_path)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ((not_found(), not_found()), 0),
        ((not_found(), found()), 1),
        ((found(), unread()), 2),
        ((found(), undecided()), 2),
        ((undecided(),), 2),
        ((), 2),
    ],
)
def test_the_exit_code_says_what_came_of_it(results: tuple[Any, ...], code: int) -> None:
    assert exit_code(check_record(*results)) == code


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["divine"],
        ["check", "a.png"],
        ["check", "a.png", "--checkpoint", "x", "--top-labels", "many"],
        ["check", "a.png", "--checkpoint", "x", "--seed", "-1"],
        ["plant", "a.png", "--trigger", "badnets"],
        ["plant", "a.png", "--trigger", "badnets", "--out", "x", "--position", "middle"],
    ],
)
def test_wrong_usage_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: eftclip" in capsys.readouterr().err


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("check", "plant", "app"):
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0
    said = capsys.readouterr().out
    for field in fields(DetectConfig):
        assert f"--{field.name.replace('_', '-')}" in said


def test_the_list_of_commands_takes_no_library_and_says_what_each_says_of_itself() -> None:
    code = "import sys\nfrom eftclip.cli import main\ntry: main(['--help'])\nfinally: print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    said, modules = done.stdout.rsplit("[", 1)
    assert all(name in said for name in COMMANDS)
    assert "'torch'" not in modules and "'eftclip.cli.progress'" not in modules
    for name, summary in COMMANDS.items():
        assert summary == str(import_module(f"eftclip.cli.{name}").__doc__).splitlines()[0]


@pytest.mark.parametrize("name", ["-m eftclip", "console script"])
def test_both_ways_to_start_it_return_the_exit_code(name: str, tmp_path: Path) -> None:
    code = "import sys; from eftclip.cli import main; sys.exit(main())"
    start = ["-m", "eftclip"] if name == "-m eftclip" else ["-c", code]
    root = str(Path(eftclip.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, *start, "check", str(tmp_path), "--checkpoint", "x"],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"eftclip: The folder {tmp_path} holds no picture")
    assert done.stderr.count("\n") == 1


def test_every_setting_arrives(quick: list[str], tmp_path: Path) -> None:
    assert set(SETTINGS) == {field.name for field in fields(DetectConfig)}, "give new settings a value here"
    picture, out = write_picture(tmp_path / "a.png"), tmp_path / "r.json"
    options = [part for name, value in SETTINGS.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    main(["check", str(picture), *quick, *options, "--reference", "none", "--seed", "9", "--json", str(out)])
    document = _read(out)
    assert document["config"] == SETTINGS
    assert all(SETTINGS[field.name] != field.default for field in fields(DetectConfig))
    assert document["seed"] == 9
    assert document["labels"] == {"count": len(CLASSES), "source": "labels.txt"}
    assert document["oracle"] == "superpixel"
    assert len(document["results"][0]["predictions"]) == 5


def test_the_algorithms_are_named_in_the_help() -> None:
    assert all(name in DETECT_HELP["algorithm"] for name in ALGORITHM_NAMES)


@pytest.mark.parametrize(
    ("settings", "name", "said"),
    [(DetectConfig, name, said) for name, said in DETECT_HELP.items() if name != "algorithm"]
    + [(InvertConfig, name.removeprefix(AUDIT), said) for name, said in AUDIT_HELP.items()],
)
def test_the_ranges_in_the_help_are_those_of_the_settings(settings: type[Settings], name: str, said: str) -> None:
    low, high = (float(number) for number in re.findall(r"([\d.]+) to ([\d.]+)", said)[-1])
    kind = type(getattr(settings(), name))
    for value in (low, high):
        settings.from_dict({name: kind(value)})
    for value in (low - 1, high + 1):
        with pytest.raises(ConfigError):
            settings.from_dict({name: kind(value)})


def test_every_setting_of_the_audit_has_its_option() -> None:
    assert set(AUDIT_HELP) == {AUDIT + field.name for field in fields(InvertConfig)}
    given = "--audit-steps 7 --audit-patience 3 --steps 9 --exemplars 4".split()
    options = build_parser().parse_args(["rectify", "--checkpoint", "x", "--out", "y", *given])
    assert settings_of(options, InvertConfig, prefix=AUDIT) == InvertConfig(steps=7, patience=3)


def test_every_method_is_in_the_help_and_brings_its_settings_along() -> None:
    assert all(name in RUN_HELP["method"] for name in METHODS.ours)
    for name, method in METHODS.items():
        given = ["rectify", "--checkpoint", "x", "--out", "y", "--method", name, "--steps", "7"]
        found = Plan(rectify=settings_of(build_parser().parse_args(given), RectifyConfig)).rectify
        assert (found.steps, found.batch, found.learning_rate) == (7, method.batch, method.learning_rate)
    own = build_parser().parse_args(["rectify", "--checkpoint", "x", "--out", "y", "--method", "par", "--own", "tau=1"])
    assert Plan(rectify=settings_of(own, RectifyConfig)).rectify.own == "tau=1,weight=0.5"


def test_settings_left_out_are_the_defaults() -> None:
    options = build_parser().parse_args(["check", "a.png", "--checkpoint", "x"])
    assert detector_config(options) == DetectConfig()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--oracle", "tarot"], "tarot"),
        (["--device", "abacus"], "abacus"),
        (["--labels", "gone.txt"], "gone.txt"),
        (["--checkpoint", "nowhere"], "nowhere"),
        (["--top-labels", "0"], "top_labels must lie between 1 and 100"),
        (["--oracle", "sam", "--sam-weights", "gone.pth"], "gone.pth"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_exit_2(
    change: list[str], said: str, quick: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = write_picture(tmp_path / "a.png")
    assert main(["check", str(picture), *quick, "--reference", "none", *change]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("eftclip: ")
    assert said in errors
    assert errors.count("\n") == 1


def test_a_pickle_needs_the_users_word(tiny_folder: Path, quick: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    folder.mkdir()
    for path in tiny_folder.iterdir():
        if path.suffix != ".safetensors":
            (folder / path.name).write_bytes(path.read_bytes())
    torch.save(load_file(tiny_folder / "open_clip_model.safetensors"), folder / "open_clip_pytorch_model.bin")
    picture, out = write_picture(tmp_path / "a.png"), tmp_path / "r.json"
    arguments = ["check", str(picture), *quick, "--reference", "none", "--checkpoint", str(folder), "--json", str(out)]
    assert main(arguments) == 2
    assert not out.exists()
    assert main([*arguments, "--allow-pickle"]) == 2
    assert _read(out)["checkpoint"]["format"] == "pickle"


def test_the_hub_token_comes_from_the_environment(quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []

    def stop(source: str, **settings: Any) -> None:
        seen.append(settings["token"])
        raise EftclipError("far enough")

    monkeypatch.setattr(prepare, "prepare_check", stop)
    picture = str(data.bundled_photographs()[0].path)
    for token in ("hf_secret", ""):
        monkeypatch.setenv("HF_TOKEN", token)
        assert main(["check", picture, *quick]) == 2
    assert seen == ["hf_secret", None]


def test_the_public_verbs_are_all_there() -> None:
    for name in eftclip.__all__:
        assert getattr(eftclip, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'exploit'"):
        _ = eftclip.exploit


def test_importing_the_package_is_light() -> None:
    code = "import sys, eftclip; sys.exit('torch' in sys.modules)"
    root = str(Path(eftclip.__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": root}
    assert subprocess.run([sys.executable, "-c", code], env=env, timeout=60, check=False).returncode == 0
