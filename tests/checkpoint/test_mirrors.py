"""A mirror of the Hub, named by HF_ENDPOINT: what it leaves out is asked for, and what fails names it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from support import pulling
from support.hub import Hub, lead_to
from support.mirror import Mirror
from support.pulling import REPO, WEIGHTS, load, refused

hub, folder = pulling.hub, pulling.folder  # fixtures


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Mirror]:
    server = Mirror()
    lead_to(server, monkeypatch, tmp_path / "home")
    yield server
    server.close()


@pytest.mark.situation("machines", "read")
def test_sizes_that_its_summary_leaves_out_are_asked_for(mirror: Mirror, folder: Path) -> None:
    commit = mirror.push(REPO, folder)
    assert load().ref.revision == commit
    assert load().ref.sha256 == load(str(folder)).ref.sha256


def test_what_it_lists_is_held_against_what_arrives(mirror: Mirror, folder: Path) -> None:
    mirror.push(REPO, folder)
    mirror.spoiled.add("open_clip_config.json")
    sentence = refused()
    assert sentence.startswith(f"Asked of the mirror {mirror.url} (HF_ENDPOINT): ")
    assert "is not the file that the Hub announced; try again later" in sentence
    mirror.spoiled = {WEIGHTS}
    assert f"{WEIGHTS} is not the file that the Hub announced" in refused()


@pytest.mark.situation("machines", "refused")
def test_sizes_that_it_never_says_are_missed_with_its_name(mirror: Mirror, folder: Path) -> None:
    mirror.push(REPO, folder)
    mirror.lists = False
    sentence = refused()
    assert f"did not say how large the files of {REPO} are" in sentence
    assert sentence.startswith(f"Asked of the mirror {mirror.url} (HF_ENDPOINT): ")


@pytest.mark.situation("machines", "refused")
def test_one_that_leads_on_to_nobody_is_named(mirror: Mirror, folder: Path) -> None:
    mirror.push(REPO, folder)
    mirror.leads_to = "http://127.0.0.1:9"
    sentence = refused()
    assert "could not be had from the Hub" in sentence
    assert sentence.startswith(f"Asked of the mirror {mirror.url} (HF_ENDPOINT): ")


@pytest.mark.parametrize("says_what", [True, False])
def test_one_that_leads_on_to_the_hub_works_or_is_named(
    hub: Hub, mirror: Mirror, folder: Path, monkeypatch: pytest.MonkeyPatch, says_what: bool
) -> None:
    commit = hub.push(REPO, folder)
    assert mirror.push(REPO, folder) == commit
    mirror.leads_to, mirror.says_what = hub.url, says_what
    if says_what:
        assert load().ref.revision == commit
        return
    sentence = refused()
    assert "'X-Repo-Commit'" in sentence
    assert sentence.startswith(f"Asked of the mirror {mirror.url} (HF_ENDPOINT): ")


def test_its_password_and_on_a_public_page_its_name_are_nobodys(
    mirror: Mirror, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.push(REPO, folder)
    mirror.lists = False
    inside = mirror.url.removeprefix("http://")
    monkeypatch.setattr(constants, "ENDPOINT", f"http://ann:secret@{inside}")
    sentence = refused()
    assert f"http://{inside} (HF_ENDPOINT)" in sentence
    assert "secret" not in sentence
    public = refused(token=False)  # type: ignore[arg-type]
    assert "Asked of a mirror (HF_ENDPOINT): " in public
    assert inside not in public


def test_one_that_is_no_address_is_shown_as_it_was_set(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "mirror.example")
    assert "Asked of the mirror mirror.example (HF_ENDPOINT)" in refused()
