"""Suggestions while the name of a Hub repository is typed: CLIP repositories, few questions, and never an error."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from support.hub import GOOD_TOKEN, SEARCH, Hub, lead_to
from support.hub_answers import Repository

from eftclip.checkpoint import search_hub
from eftclip.ui.checkpoint import hub_search
from eftclip.ui.checkpoint.hub_search import HubSearch
from eftclip.ui.serving.loading import NO_TOKEN

TASK, LIBRARY = ("zero-shot-image-classification",), ("open_clip",)
FOUND = ("laion/CLIP-ViT-B", "ann/clip-of-birds", "bob/own-clip")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    server = Hub()
    server.repositories |= {
        "laion/CLIP-ViT-B": Repository(filed=(*TASK, *LIBRARY)),
        "ann/clip-of-birds": Repository(filed=TASK),
        "bob/own-clip": Repository(filed=LIBRARY),
        "ann/secret-clip": Repository(filed=TASK, private=True),
        "ann/paper-clip-prices": Repository(filed=("text-generation",)),
        "datasets/ann/clip-pictures": Repository(filed=TASK),
    }
    lead_to(server, monkeypatch, tmp_path)
    yield server
    server.close()


def _asked(hub: Hub) -> int:
    return sum(line == f"GET {SEARCH}" for line in hub.requests)


def test_clip_repositories_are_suggested_and_nobodys_private_ones(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", GOOD_TOKEN)  # the machine's own
    assert HubSearch(NO_TOKEN).suggestions("Clip") == FOUND
    assert "ann/secret-clip" in HubSearch(None).suggestions("clip"), "at home the owner finds his own"
    assert HubSearch(NO_TOKEN).suggestions("hf:ann/c") == ("ann/clip-of-birds",)


def test_an_answer_is_good_for_minutes(hub: Hub) -> None:
    now = [0.0]
    search = HubSearch(NO_TOKEN, clock=lambda: now[0])
    for typed in ("clip", " CLIP", "hf:clip"):
        assert search.suggestions(typed) == FOUND
    assert _asked(hub) == 2  # by task, and by library
    now[0] = hub_search.KEPT_S + 1
    search.suggestions("clip")
    assert _asked(hub) == 4


@pytest.mark.parametrize("typed", ["", "cl", "x" * 81, "a/b@main", "https://huggingface.co/a/b", None, 3, "a\nb c"])
def test_what_is_no_part_of_a_name_is_not_asked(hub: Hub, typed: object) -> None:
    assert HubSearch(NO_TOKEN).suggestions(typed) == ()
    assert not _asked(hub)


def test_a_hub_that_does_not_answer_gives_nothing_and_is_left_alone_for_a_while(hub: Hub) -> None:
    now = [0.0]
    search = HubSearch(NO_TOKEN, clock=lambda: now[0])
    hub.broken = 503
    assert search.suggestions("clip") == search.suggestions("clip-") == ()
    assert _asked(hub) == 1
    hub.broken, now[0] = None, hub_search.FAILED_S + 1
    assert search.suggestions("clip") == FOUND


def test_offline_nothing_is_asked(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert HubSearch(NO_TOKEN).suggestions("clip") == ()
    assert not hub.requests


@pytest.mark.parametrize("named", ["<script>", "a/b c", "../..", "a/" + "b" * 300, "no-owner"])
def test_what_cannot_be_a_repository_is_not_suggested(hub: Hub, named: str) -> None:
    hub.repositories = {f"{named}clip": Repository(filed=TASK)}
    assert not search_hub("clip")


def test_the_hub_gets_one_question_at_a_time() -> None:
    now, most, guard, go = [0], [0], threading.Lock(), threading.Event()

    def slow(text: str, *, token: object) -> tuple[str, ...]:
        with guard:
            now[0] += 1
            most[0] = max(most[0], now[0])
        go.wait(0.05)
        with guard:
            now[0] -= 1
        return (f"a/{text}",)

    search = HubSearch(NO_TOKEN, search=slow)
    threads = [threading.Thread(target=search.suggestions, args=(f"clip{k}",)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1
