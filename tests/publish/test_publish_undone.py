"""Uploads that break, a Hub that dies, wrong bytes: what is left, what the user is told of it, and how to go on."""

import shutil
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from huggingface_hub import constants
from support import publishing
from support.hub_faults import Fault
from support.hub_writing import WritableHub, Written
from support.publishing import LEFT, REPO, STEPS, TOKEN, failed, files_of, succeeds

from eftclip.checkpoint import load_clip
from eftclip.errors import CheckpointError, PublishError
from eftclip.publish import Staged, publish
from eftclip.publish.hub import STEPS as TOLD
from eftclip.runtime import Progress

hub, home, document, staged = publishing.hub, publishing.home, publishing.document, publishing.staged  # fixtures
impatient = publishing.impatient


# --- A dropped upload --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hub", ["lfs"], indirect=True)
@pytest.mark.parametrize("taken", [0, 1_000_000, 3_000_000])
def test_an_upload_that_is_dropped_once_is_sent_again(
    hub: WritableHub, staged: Staged, impatient: None, taken: int
) -> None:
    weights = rf"PUT /_lfs/{staged.weights_sha256}"
    hub.faults.append(Fault(weights, taken=taken))
    done = publish(staged, token=TOKEN)
    assert done.sha256 == staged.weights_sha256
    assert len([line for line in hub.requests if line == weights]) == 2


@pytest.mark.parametrize("hub", ["lfs"], indirect=True)
def test_an_upload_that_is_dropped_every_time_leaves_nothing(hub: WritableHub, staged: Staged, impatient: None) -> None:
    hub.faults.append(Fault(rf"PUT /_lfs/{staged.weights_sha256}", taken=1_000_000, times=99))
    sentence = failed(hub, staged)
    assert "The connection to the Hub broke off" in sentence
    assert sentence.endswith("Nothing is left on the Hub; try again.")
    assert hub.faults[0].times == 99 - 6, "the client tried as often as it does"
    succeeds(hub, staged)


@pytest.mark.parametrize("hub", ["xet"], indirect=True)
def test_a_store_that_goes_away_in_the_middle_leaves_nothing(hub: WritableHub, staged: Staged) -> None:
    """The nearest to a dropped upload that a store without a server allows."""
    store = hub.store
    assert store is not None

    def lose(progress: Progress) -> None:
        if progress.stage == TOLD[2]:
            shutil.rmtree(store)
            store.write_bytes(b"")

    sentence = failed(hub, staged, on_progress=lose)
    assert "The connection to the Hub broke off" in sentence
    assert REPO not in hub.repositories
    store.unlink()
    store.mkdir()
    succeeds(hub, staged)


@pytest.mark.parametrize("hub", ["xet"], indirect=True)
def test_a_download_in_chunks_that_is_incomplete_leaves_nothing_half(
    hub: WritableHub, staged: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = publish(staged, token=TOKEN)
    assert hub.store is not None
    for chunks in hub.store.rglob("*"):
        if chunks.is_file() and chunks.suffix != ".mdb":
            chunks.unlink()
    with pytest.raises(CheckpointError, match=r"broke off on its way from the Hub \(.*\); nothing half is kept"):
        load_clip(f"hf:{REPO}@{done.revision}")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    assert load_clip(f"hf:{REPO}@{done.revision}").ref.sha256 == done.sha256


# --- A Hub that dies, and a token that does ----------------------------------------------------------------------


def _listens(hub: WritableHub) -> bool:
    address = urlsplit(hub.url)
    try:
        socket.create_connection((str(address.hostname), address.port or 0), timeout=1).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize(
    ("hub", "step"),
    [("lfs", "make"), ("lfs", "modes"), ("lfs", "batch"), ("xet", "modes"), ("xet", "chunks")],
    indirect=["hub"],
)
def test_a_hub_that_dies_between_making_and_committing(
    hub: WritableHub, staged: Staged, impatient: None, step: str
) -> None:
    """Nobody listens any more, so nothing can be taken back; when it is up again, the same call goes on."""
    hub.faults.append(Fault(STEPS[step], dies=True))
    sentence = failed(hub, staged)
    assert "The connection to the Hub broke off (" in sentence
    assert sentence.endswith(f"{LEFT}{hub.url}/{REPO}/settings.")
    assert not _listens(hub)
    assert files_of(hub) == set(), "nothing half"
    hub.listen()
    succeeds(hub, staged)


def test_a_hub_that_dies_after_the_commit(hub: WritableHub, staged: Staged, impatient: None) -> None:
    hub.faults.append(Fault(STEPS["commit"], dies=True))
    sentence = failed(hub, staged)
    assert f"A repository {REPO} may be left on the Hub: publish to it again, which fills or compares it" in sentence
    hub.listen()
    commits = len(hub.repositories[REPO].commits)
    succeeds(hub, staged)
    assert len(hub.repositories[REPO].commits) == commits, "it was there already, and is only compared"


def test_a_token_that_is_revoked_in_the_middle(hub: WritableHub, staged: Staged, impatient: None) -> None:
    def revoke(progress: Progress) -> None:
        if progress.stage == TOLD[2]:
            hub.faults.append(Fault("^(?!PUT)", status=401, times=99))

    sentence = failed(hub, staged, on_progress=revoke)
    assert sentence.startswith(
        "The Hub does not know this token, or no longer: log out and sign in again, or give a valid one."
    )
    assert f"{LEFT}{hub.url}/{REPO}/settings." in sentence
    assert files_of(hub) == set()
    succeeds(hub, staged)


# --- Lost answers and wrong bytes --------------------------------------------------------------------------------


def test_an_answer_that_is_lost_is_asked_for(hub: WritableHub, staged: Staged) -> None:
    hub.faults.append(Fault(STEPS["commit"], lost=True))
    assert publish(staged, token=TOKEN).sha256 == staged.weights_sha256
    assert "README.md" in files_of(hub)


def test_a_repository_whose_making_was_not_answered_is_taken_away(hub: WritableHub, staged: Staged) -> None:
    hub.faults.append(Fault(STEPS["make"], lost=True))
    assert "broke off" in (sentence := failed(hub, staged))
    assert "Nothing is left" in sentence


def test_wrong_bytes_of_the_right_length_are_noticed(hub: WritableHub, staged: Staged) -> None:
    for name in ("open_clip_model.safetensors", "rectify.json"):
        hub.spoil = {name}
        assert f"not what was sent ({name}). Nothing is left" in failed(hub, staged)
        assert REPO not in hub.repositories


def test_wrong_bytes_are_taken_out_of_a_repository_that_was_empty(hub: WritableHub, staged: Staged) -> None:
    hub.repositories[REPO] = Written({"a" * 40: {".gitattributes": b""}}, {"main": "a" * 40})
    hub.spoil = {"rectify.json"}
    with pytest.raises(PublishError, match=rf"The files were taken out of {REPO} again; try again\."):
        publish(staged, token=TOKEN)
    assert files_of(hub) == set()
    hub.faults += [Fault(STEPS["commit"], times=1), Fault(STEPS["commit"], dead=True, times=9)]
    with pytest.raises(PublishError, match=rf"The commit [0-9a-f]{{12}} of {REPO} must not be relied on: delete it"):
        publish(staged, token=TOKEN)


# --- Somebody else's repository ----------------------------------------------------------------------------------


@pytest.fixture
def theirs(hub: WritableHub, tmp_path: Path) -> Written:
    """A repository that holds something."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "README.md").write_text("Theirs.")
    hub.push(REPO, tmp_path / "theirs")
    hub.repositories[REPO] = written = Written(**vars(hub.repositories[REPO]))
    return written


def test_a_spoiled_pull_request_is_closed(hub: WritableHub, staged: Staged, theirs: Written) -> None:
    hub.spoil = {"open_clip_model.safetensors"}
    with pytest.raises(PublishError, match="The pull request was closed; friends/mended is as it was"):
        publish(staged, token=TOKEN)
    assert [one.status for one in theirs.pulls] == ["closed"]


@pytest.mark.parametrize(
    ("step", "how", "says"),
    [
        ("modes", Fault("", status=403, times=99), f"{REPO} is as it was."),
        ("commit", Fault("", status=412, times=99), f"{REPO} is as it was."),
        ("commit", Fault("", dies=True), "/discussions/1 is still open: do not merge it."),
        ("commit", Fault("", dead=True), f"{REPO} is as it was, unless the Hub still goes on with it"),
    ],
)
def test_what_is_there_stays_as_it_was(
    hub: WritableHub, staged: Staged, theirs: Written, impatient: None, step: str, how: Fault, says: str
) -> None:
    before = theirs.refs["main"]
    hub.faults.append(Fault(**{**vars(how), "what": STEPS[step]}))
    with pytest.raises(PublishError) as caught:
        publish(staged, token=TOKEN)
    assert says in str(caught.value)
    assert theirs.refs["main"] == before
    hub.faults.clear()
    if not _listens(hub):
        hub.listen()
    done = publish(staged, token=TOKEN)
    assert done.pull_request
    assert len([one for one in theirs.pulls if one.status == "open"]) == 1
