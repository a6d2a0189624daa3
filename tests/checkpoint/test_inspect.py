"""A look at a checkpoint before anything of it is loaded: on the command line and on the page."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from safetensors.torch import load_file, save_file
from support import browsing
from support.browsing import choose, needs_a_browser
from support.hub import Hub, lead_to

from eftclip.checkpoint import KNOWN_BACKDOORS, inspect, pin
from eftclip.cli import main
from eftclip.report import size
from eftclip.types import BLURRED_KIND, SEARCHED_KINDS, SHARED_KIND
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


def _asked_of_the_weights(hub: Hub) -> list[str]:
    """The part of the weights that each request asks for."""
    return [extent for line, extent in hub.extents if "resolve" in line and "safetensors" in line]


def _header_alone(home: Path) -> list[str]:
    """Names and shapes, and no value."""
    weights = (home / "repository" / "open_clip_model.safetensors").read_bytes()
    return ["bytes=0-7", f"bytes=8-{7 + int.from_bytes(weights[:8], 'little')}"]


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
    assert _asked_of_the_weights(hub) == _header_alone(tmp_path)


def test_weights_of_the_hub_that_do_not_fit_are_seen_without_their_values(hub: Hub, tiny_copy: Path) -> None:
    file = tiny_copy / "open_clip_model.safetensors"
    state = load_file(file)
    whole, name = file.read_bytes(), max(state, key=lambda name: state[name].numel())
    save_file({**state, name: state[name][:-1].contiguous()}, file)
    for raw, says in (
        (file.read_bytes(), name),
        (b"\xff" * 8 + whole[8:], "does not begin as safetensors do"),
        (whole[:8] + b"x" + whole[9:], "damaged"),
    ):
        file.write_bytes(raw)
        hub.push("friends/odd", tiny_copy)
        problems = inspect("hf:friends/odd").problems
        assert len(problems) == 1
        assert says in problems[0]
    file.write_bytes(whole)
    hub.push("friends/odd", tiny_copy)
    assert inspect("hf:friends/odd").problems == ()


def test_a_hub_that_sends_whole_files_only_is_not_listened_to(
    hub: Hub, tiny_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tiny_copy / "open_clip_model.safetensors").write_bytes(b"no such thing" * 1000)
    hub.push("friends/odd", tiny_copy)
    monkeypatch.setattr("support.hub.RANGE", re.compile("nothing"))
    assert inspect("hf:friends/odd").problems == (), "the loading will tell"


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


def test_of_every_known_backdoor_it_is_said_what_looks_for_it() -> None:
    reach = {one.trigger: one.within_reach for one in KNOWN_BACKDOORS}
    assert reach["badnets"] == reach["clean_label"] == reach["nashville"] == "looked for in every picture"
    assert reach["sig"] == reach["blend"] == "looked for in a scan only"
    assert reach["wanet"] == "looked for in every picture, where it scatters the pixels"
    for one in KNOWN_BACKDOORS:
        searched = one.kind in (*SEARCHED_KINDS, SHARED_KIND, BLURRED_KIND)
        assert ("not looked for" in one.within_reach) == (not searched), "as the line of kinds under a verdict says"


@needs_a_browser[0]
@needs_a_browser[1]
def test_the_page_looks_before_it_loads(hub: Hub, page: Page, tmp_path: Path) -> None:
    page.get_by_label("From the Hub").click()
    field = page.locator("#hub textarea, #hub input").first
    choose(page, "Known backdoored checkpoints", "rn50_redcaps_badnets: badnets → banana, looked for in every picture")
    expect(field).to_have_value("hanxunh/clip_backdoor_rn50_redcaps_badnets")
    field.fill(REPO)
    page.get_by_role("button", name="Look first").click()
    expect(page.locator("#facts")).to_contain_text("Looked at, not loaded. Nothing speaks against loading it.")
    expect(page.locator("#facts")).to_contain_text("open_clip_model.safetensors (safetensors)")
    expect(page.locator("#facts")).to_contain_text("mit")
    assert _asked_of_the_weights(hub) == _header_alone(tmp_path)
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
