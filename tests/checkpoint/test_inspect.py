"""A look at a checkpoint before anything of it is loaded: on the command line and on the page."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support import browsing
from support.browsing import choose, needs_a_browser
from support.hub import Hub, lead_to

from eftclip.checkpoint import KNOWN_BACKDOORS, pin
from eftclip.cli import main
from eftclip.report import size
from eftclip.ui.backend import Backend
from eftclip.ui.checkpoint.request import CheckpointRequest

browser, context, page = browsing.browser, browsing.context, browsing.page  # fixtures
REPO = "friends/tiny"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_folder: Path) -> Iterator[Hub]:
    """A Hub with a checkpoint whose card holds markup."""
    server = Hub()
    lead_to(server, monkeypatch, tmp_path)
    shutil.copytree(tiny_folder, tmp_path / "repository")
    (tmp_path / "repository" / "README.md").write_text("---\nlicense: mit\n---\n<img src=x onerror=alert(1)>")
    server.push(REPO, tmp_path / "repository")
    yield server
    server.close()


def test_a_look_downloads_no_weights(hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", f"hf:{REPO}", "--json", str(tmp_path / "seen.json")]) == 0
    said = capsys.readouterr().out
    assert "open_clip_model.safetensors" in said
    assert "MB" in said
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert len(seen["revision"]) == 40
    assert seen["licence"] == "mit"
    assert seen["format"] == "safetensors"
    assert seen["architecture"]["image_px"] == 64
    assert not any("resolve" in line and "safetensors" in line for line in hub.requests)


def test_what_is_wrong_is_said(tiny_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tiny_copy / "open_clip_model.safetensors").unlink()
    (tiny_copy / "open_clip_pytorch_model.bin").write_bytes(b"x")
    assert main(["inspect", str(tiny_copy)]) == 2
    assert "only as a pickle" in capsys.readouterr().out
    assert main(["inspect", "hf:nobody/nothing"]) == 2
    assert "nobody/nothing" in capsys.readouterr().err


def test_known_backdoors_are_named_once_each() -> None:
    names = [one.repo_id for one in KNOWN_BACKDOORS]
    assert len(set(names)) == len(names) >= 14
    assert {one.target_label for one in KNOWN_BACKDOORS} == {"banana"}
    assert [one.trigger for one in KNOWN_BACKDOORS if one.local].count("badnets") == 2


@needs_a_browser[0]
@needs_a_browser[1]
def test_the_page_looks_before_it_loads(hub: Hub, page: Page) -> None:
    page.get_by_label("From the Hub").click()
    field = page.locator("#hub textarea, #hub input").first
    choose(page, "Known backdoored checkpoints", "rn50_redcaps_badnets: badnets → banana")
    expect(field).to_have_value("hanxunh/clip_backdoor_rn50_redcaps_badnets")
    field.fill(REPO)
    page.get_by_role("button", name="Look first").click()
    expect(page.locator("#facts")).to_contain_text("Looked at, not loaded. Nothing speaks against loading it.")
    expect(page.locator("#facts")).to_contain_text("open_clip_model.safetensors (safetensors)")
    expect(page.locator("#facts")).to_contain_text("mit")
    assert not any("resolve" in line and "safetensors" in line for line in hub.requests)
    field.fill("nobody/nothing")
    page.get_by_role("button", name="Look first").click()
    expect(page.locator("#facts [role=alert]")).to_contain_text("shows no model repository nobody/nothing")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (261_321, "261 kB"),
        (14_496_800, "14.5 MB"),
        (1_710_000_000, "1.71 GB"),
    ],
)
def test_sizes_are_for_people(count: int, text: str) -> None:
    assert size(count) == text


def test_a_branch_that_moved_on_is_loaded_anew_and_one_that_did_not_is_kept(hub: Hub, tmp_path: Path) -> None:
    checkpoints = Backend(tmp_path / "files", tmp_path / "results").checkpoints
    request = CheckpointRequest(f"hf:{REPO}", ("cat", "dog"), reference="none")
    first = hub.repositories[REPO].refs["main"]
    assert first in checkpoints.provenance(request)
    weights = [line for line in hub.requests if "safetensors" in line]
    assert first in checkpoints.provenance(request)
    assert [line for line in hub.requests if "safetensors" in line] == weights, "it was loaded once"
    (tmp_path / "repository" / "README.md").write_text("Another commit.")
    second = hub.push(REPO, tmp_path / "repository")
    assert second != first
    assert second in checkpoints.provenance(request)
    hub.broken = 503
    assert "answered 503" in checkpoints.provenance(request), "what is loaded is not passed off as what is there now"
    assert second in checkpoints.provenance(CheckpointRequest(f"hf:{REPO}@{second}", request.labels, reference="none"))


def test_a_source_is_pinned_only_where_that_means_something(hub: Hub) -> None:
    commit = hub.repositories[REPO].refs["main"]
    assert pin(f"hf:{REPO}") == pin(f"hf:{REPO}@main") == f"hf:{REPO}@{commit}"
    asked = len(hub.requests)
    assert pin(f"hf:{REPO}@{commit}") == f"hf:{REPO}@{commit}"
    assert pin("badnets") == "badnets"
    assert len(hub.requests) == asked
