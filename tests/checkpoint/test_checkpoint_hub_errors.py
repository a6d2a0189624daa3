"""Everything that can go wrong on the way from the Hub, and what the user reads: one sentence that says what to do."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import constants
from support import pulling
from support.hub import GOOD_TOKEN, Hub
from support.hub_faults import Fault
from support.pulling import REPO, WEIGHTS, load, refused, snapshot

from eftclip.checkpoint import inspect, source
from eftclip.checkpoint.hub import download
from eftclip.cli import main

hub, folder = pulling.hub, pulling.folder  # fixtures
Trouble = Callable[[Hub, pytest.MonkeyPatch], object]
ASKED = "GET /api/models/"


def _fault(*, status: int | None = None, headers: dict[str, str] | None = None, **how: object) -> Trouble:
    fault = Fault(ASKED, status=status, headers=headers or {}, times=9, **how)  # type: ignore[arg-type]
    return lambda hub, patch: hub.faults.append(fault)


def _private(hub: Hub, patch: pytest.MonkeyPatch) -> None:
    hub.repositories[REPO].private = True


def _gated(hub: Hub, patch: pytest.MonkeyPatch) -> None:
    hub.repositories[REPO].gated = True


def _offline(hub: Hub, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(constants, "HF_HUB_OFFLINE", True)


def _bad_token(hub: Hub, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("HF_TOKEN", "hf_revoked")


TROUBLES: dict[str, tuple[Trouble, str]] = {
    "gated": (
        _gated,
        "is gated: accept its conditions on the Hub, then give a token that has access (HF_TOKEN)",
    ),
    "private": (
        _private,
        f"shows no model repository {REPO}: check the name; if it is private, give a token (HF_TOKEN)",
    ),
    "missing": (
        lambda hub, patch: hub.repositories.clear(),
        f"The Hub shows no model repository {REPO}: check the name",
    ),
    "closed": (
        _fault(status=403, headers={"X-Error-Message": "Access to this resource is disabled."}),
        f"The Hub has closed the repository {REPO}: choose another",
    ),
    "a revoked token": (_bad_token, f"The Hub refused the token for {REPO} (401): give a valid one that may read it"),
    "a token for something else": (_fault(status=403), f"The Hub refused the token for {REPO} (403)"),
    "offline": (_offline, f"switched off here (HF_HUB_OFFLINE), and {REPO}@main is not all on this machine: go online"),
    "gone": (
        lambda hub, patch: hub.close(),
        f"{REPO}@main could not be had from the Hub ([Errno 111] Connection refused)",
    ),
    "rate-limited": (_fault(status=429, headers={"Retry-After": "90"}), "(429, too many requests): try again in 90 s"),
    "out of budget": (_fault(status=429, headers={"RateLimit": '"api";r=0;t=255'}), "try again in 4 minutes"),
    "rate-limited without a word": (_fault(status=429), "too many requests): try again in a few minutes"),
    "broken": (_fault(status=500), f"The Hub answered 500 for {REPO}@main: try again later"),
    "closed for a while": (_fault(status=503, headers={"Retry-After": "3600"}), "@main: try again in 60 minutes"),
    "a dead line": (_fault(dead=True), "could not be had from the Hub"),
    "a dead line in the middle of the answer": (_fault(sent=20), "could not be had from the Hub"),
    "hanging": (_fault(hang_s=60), f"The Hub stopped answering while it was asked for {REPO}@main: try again later"),
    "hanging in the middle of the answer": (_fault(sent=20, hang_s=60), "The Hub stopped answering"),
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time limits for tests."""
    monkeypatch.setattr(source, "HUB_TIMEOUT_S", 2.0)
    monkeypatch.setattr(download, "HUB_TIMEOUT_S", 2.0)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 2.0)


@pytest.mark.parametrize("name", TROUBLES)
@pytest.mark.parametrize("command", ["inspect", "check"])
def test_every_trouble_is_one_sentence_on_the_command_line(
    hub: Hub,
    folder: Path,
    quick: None,
    name: str,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.push(REPO, folder)
    trouble, says = TROUBLES[name]
    trouble(hub, monkeypatch)
    (folder / "photo.png").write_bytes(b"never looked at")
    photo = [str(folder / "photo.png"), "--checkpoint"] if command == "check" else []
    assert main([command, *photo, f"hf:{REPO}"]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.startswith("eftclip: ")
    assert said.count("\n") == 1
    assert len(said) < 400


def test_a_token_opens_what_is_closed(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.push(REPO, folder)
    hub.repositories[REPO].private = hub.repositories[REPO].gated = True
    assert "shows no model repository" in refused()
    assert load(token=GOOD_TOKEN).ref.repo_id == REPO
    assert inspect(f"hf:{REPO}", token=GOOD_TOKEN).problems == ()


def test_a_gated_copy_of_somebody_with_a_token_is_not_everybodys(hub: Hub, folder: Path) -> None:
    commit = hub.push(REPO, folder)
    hub.repositories[REPO].gated = True
    load(token=GOOD_TOKEN)
    for name in (f"hf:{REPO}", f"hf:{REPO}@{commit}"):
        assert "is gated" in refused(name, token=False)  # type: ignore[arg-type]
    assert load(token=GOOD_TOKEN).ref.revision == commit


# --- A file on its way -------------------------------------------------------------------------------------------


def _left_in_cache() -> list[str]:
    """What a broken download left; locks apart."""
    return [path.name for path in Path(constants.HF_HUB_CACHE).rglob("*.incomplete")]


def test_weights_that_break_off_once_arrive_all_the_same(hub: Hub, folder: Path) -> None:
    hub.push(REPO, folder)
    hub.faults.append(Fault(f"GET .*{WEIGHTS}", sent=100_000))
    assert load().ref.sha256 == load(str(folder)).ref.sha256
    assert hub.faults[0].times == 0


def test_weights_that_break_off_again_and_again_leave_nothing_half(hub: Hub, folder: Path) -> None:
    commit = hub.push(REPO, folder)
    hub.faults.append(Fault(f"GET .*{WEIGHTS}", sent=100_000, times=99))
    sentence = refused()
    assert f"{WEIGHTS} broke off on its way from the Hub (" in sentence
    assert sentence.endswith("nothing half is kept, so try again.")
    assert not (snapshot(commit) / WEIGHTS).exists()
    assert _left_in_cache() == []
    hub.faults.clear()
    asked = len(hub.requests)
    assert load().ref.revision == commit
    assert not [line for line in hub.requests[asked:] if "tokenizer" in line], (
        "what arrived before is not asked for again"
    )


def test_weights_that_hang_in_the_middle_are_asked_for_again(hub: Hub, folder: Path, quick: None) -> None:
    hub.push(REPO, folder)
    hub.faults.append(Fault(f"GET .*{WEIGHTS}", sent=100_000, hang_s=60))
    assert load().ref.sha256 == load(str(folder)).ref.sha256


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault(f"HEAD .*{WEIGHTS}", hang_s=60, times=99), f"stopped answering while it was asked for {REPO}@"),
        (Fault(f"HEAD .*{WEIGHTS}", status=429, headers={"Retry-After": "900"}, times=99), "try again in 15 minutes"),
        (Fault(f"GET .*{WEIGHTS}", status=500, times=99), "The Hub answered 500"),
        (Fault(f"GET .*{WEIGHTS}", status=404, times=99), "The Hub answered 404"),
        (
            Fault("HEAD .*tokenizer.json", status=404, headers={"X-Error-Code": "EntryNotFound"}, times=99),
            "does not have it",
        ),
        (Fault("HEAD .*tokenizer.json", status=401, headers={"X-Error-Code": "GatedRepo"}, times=99), "is gated"),
    ],
)
def test_a_file_that_cannot_be_had_is_told_at_once(
    hub: Hub, folder: Path, quick: None, fault: Fault, says: str
) -> None:
    """Left alone, the client would ask a hanging Hub for six minutes, and sleep for an hour where one asks it to."""
    hub.push(REPO, folder)
    hub.faults.append(fault)
    assert says in refused()
    assert fault.times >= 96


def test_a_busy_hub_is_not_waited_for_in_silence(hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The client sleeps as long as it is told, between five attempts; on the command line the user is told instead."""
    hub.push(REPO, folder)
    hub.faults.append(Fault("GET .*open_clip_config.json", status=429, headers={"Retry-After": "600"}, times=99))
    assert main(["inspect", f"hf:{REPO}"]) == 2
    assert "try again in 10 minutes" in capsys.readouterr().err


def test_a_restless_hub_is_asked_again(hub: Hub, folder: Path) -> None:
    hub.push(REPO, folder)
    hub.faults += [Fault("HEAD .*tokenizer.json", status=503), Fault(f"GET .*{WEIGHTS}", dead=True)]
    assert load().ref.repo_id == REPO
    assert [fault.times for fault in hub.faults] == [0, 0]


# --- Other bytes than were announced -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [WEIGHTS, "open_clip_config.json", "tokenizer.json"])
def test_wrong_bytes_of_the_right_length_are_noticed_and_not_kept(hub: Hub, folder: Path, name: str) -> None:
    commit = hub.push(REPO, folder)
    hub.spoiled.add(name)
    assert f"{name} is not the file that the Hub announced" in refused()
    assert not (snapshot(commit) / name).exists()
    hub.spoiled.clear()
    assert load().ref.revision == commit


@pytest.mark.parametrize("name", [WEIGHTS, "open_clip_config.json"])
def test_a_file_of_another_size_than_announced_is_not_downloaded(hub: Hub, folder: Path, name: str) -> None:
    hub.push(REPO, folder)
    hub.claimed[name] = 700
    assert f"{name} is not the file that the Hub announced; try again later" in refused()
    assert not [line for line in hub.requests if line.startswith("GET") and line.endswith(name)]


def test_sizes_that_are_not_announced_bound_nothing(hub: Hub, folder: Path) -> None:
    hub.push(REPO, folder)
    hub.claimed[WEIGHTS] = None
    assert f"did not say how large the files of {REPO} are" in refused()


@pytest.mark.parametrize("name", [WEIGHTS, "tokenizer.json"])
@pytest.mark.parametrize("how", ["cut short", "changed"])
def test_a_copy_that_went_bad_on_this_machine_is_replaced(hub: Hub, folder: Path, name: str, how: str) -> None:
    """As after a power failure: the cache has the name of a whole file for what is none."""
    commit = hub.push(REPO, folder)
    load()
    path = snapshot(commit) / name
    body = path.read_bytes()
    path.write_bytes(body[:-100] if how == "cut short" else body[:-1] + bytes([body[-1] ^ 1]))
    if name == WEIGHTS and how == "changed":  # weights are too large to be read twice
        assert refused().endswith("the copy on this machine was deleted, so try again.")
    assert load().ref.revision == commit
    assert path.read_bytes() == body


@pytest.mark.parametrize("name", [WEIGHTS, "tokenizer.json"])
def test_a_copy_that_went_bad_is_not_used_offline_either(
    hub: Hub, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = hub.push(REPO, folder)
    load()
    path = snapshot(commit) / name
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    sentence = refused(f"hf:{REPO}@{commit}")
    assert "is not the file that the Hub announced" in sentence or "go online" in sentence
    assert not path.exists()


def test_what_an_earlier_download_left_is_never_taken_for_the_file(hub: Hub, folder: Path) -> None:
    commit = hub.push(REPO, folder)
    load()
    blob = Path(os.path.realpath(snapshot(commit) / WEIGHTS))
    whole = blob.read_bytes()
    blob.unlink()
    (snapshot(commit) / WEIGHTS).unlink()
    for name in (f"{blob.name}.incomplete", f"{blob.name}.0123abcd.incomplete"):
        (blob.parent / name).write_bytes(whole[:1000])
    assert load().ref.sha256 == blob.name
    assert blob.read_bytes() == whole


def test_a_look_tells_what_is_there_as_json(hub: Hub, folder: Path, tmp_path: Path) -> None:
    commit = hub.push(REPO, folder)
    assert main(["inspect", f"hf:{REPO}", "--json", str(tmp_path / "seen.json")]) == 0
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert (seen["revision"], seen["licence"], seen["weight_file"], seen["format"]) == (
        commit,
        "apache-2.0",
        WEIGHTS,
        "safetensors",
    )
    assert (seen["files_left_out"], seen["problems"]) == (0, [])
