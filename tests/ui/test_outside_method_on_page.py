"""A method that another package brings is on the page, marked as not ours, and programs can ask for it."""

from pathlib import Path

import gradio as gr
import pytest
from support.outside_packages import installed, write_broken, write_template

from eftclip.errors import ConfigError
from eftclip.pipeline import METHODS
from eftclip.ui import build_demo
from eftclip.ui.api import arguments
from eftclip.ui.rectify import request, texts

pytestmark = pytest.mark.quick


def _menu(demo: gr.Blocks) -> dict[str, str]:
    """What the picker of methods offers: text by value."""
    [picker] = [block for block in demo.blocks.values() if isinstance(block, gr.Radio) and block.label == "Method"]
    return {str(value): str(text) for text, value in picker.choices}


def test_it_can_be_picked_and_says_that_it_is_not_ours(tmp_path: Path) -> None:
    with installed(write_template(tmp_path / "site"), METHODS):
        menu = _menu(build_demo())
        assert list(menu) == [*METHODS.ours, "my_method"]
        assert menu["my_method"].startswith("Distilled readings: pictures must read as the original reads them")
        assert menu["my_method"].endswith("(not EftCLIP's own, but of the package my-method 0.1.0)")
        assert not any("EftCLIP's own" in menu[name] for name in METHODS.ours)
        assert (
            "Realign, Contrastive and Distilled readings work with what the scan found" in texts.choices()["method"][2]
        )
        brought = dict(zip(texts.BROUGHT_ALONG, texts.brought_along("my_method"), strict=True))
        assert brought == {"steps": 50, "batch": 32, "learning_rate": 3e-4, "own": "sharpness=20"}
        assert request.plan({"method": "my_method", **brought}) == request.plan({"method": "my_method"})
    assert list(_menu(build_demo())) == list(METHODS.ours)


def test_programs_can_ask_for_it(tmp_path: Path) -> None:
    settings = arguments.read_settings('{"method": "my_method", "own": "sharpness=30", "steps": 4}')
    with installed(write_template(tmp_path / "site"), METHODS):
        asked = arguments.plan(settings).rectify
        assert (asked.method, asked.own, asked.steps, asked.batch) == ("my_method", "sharpness=30", 4, 32)
    with pytest.raises(ConfigError, match="Unknown method 'my_method'; choose one of realign"):
        arguments.plan(settings)


def test_one_that_is_broken_is_in_the_log_and_nobody_else_sees_how(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with installed(write_broken(tmp_path / "site"), METHODS):
        assert list(_menu(build_demo())) == list(METHODS.ours)
        assert sum("nowhere_at_all" in told for told in caplog.messages) == 1
        assert sum("'realign' of the package broken-package" in told for told in caplog.messages) == 1
        for ask in (lambda: arguments.plan({"method": "broken"}), lambda: texts.brought_along("broken")):
            with pytest.raises(
                ConfigError, match="'broken' is installed here and broken; the log of the server"
            ) as said:
                ask()
            assert "nowhere_at_all" not in str(said.value)
