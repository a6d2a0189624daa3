"""Whatever breaks on the way to the Hub: the user reads one sentence, and it tells the truth about what is left.

Every fault is tried at every step of both ways. After it, the next attempt succeeds.
"""

from collections.abc import Iterator

import pytest
from huggingface_hub.utils._http import http_backoff
from support import publishing
from support.hub_faults import Fault
from support.hub_writing import WritableHub
from support.publishing import REPO, STEPS, TOKEN, failed, succeeds

from eftclip.publish import Staged, bound_requests, publish
from eftclip.publish import hub as publish_hub

hub, home, document, staged = publishing.hub, publishing.home, publishing.document, publishing.staged  # fixtures
impatient, bounded = publishing.impatient, publishing.bounded
LFS = [("lfs", step) for step in STEPS if step != "chunks"]
XET = [("xet", step) for step in ("chunks", "commit", "compare")]  # what comes before is the same
STORAGE = ("bytes", "verify")
LINES = {
    "the line is dead": (Fault("", dead=True), "broke off"),
    "the answer breaks off": (Fault("", sent=2), "broke off"),
    "it hangs": (Fault("", hang_s=60), "did not answer within"),
    "the question breaks off": (Fault("", taken=10), "broke off"),
}
STATUSES = {
    401: "does not know this token",
    403: "may not write to friends",
    404: f"shows no repository {REPO}",
    409: "was changed by somebody else",
    412: "was changed by somebody else",
    429: "asks to wait (too many requests): try again in ",
    500: "The Hub answered 500: try again ",
}


@pytest.fixture
def quick(impatient: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Time limits for tests, and one more attempt instead of five."""
    bound_requests(1.5)
    monkeypatch.setattr(publish_hub, "TIMEOUT_S", 1.5)
    monkeypatch.setitem(http_backoff.__kwdefaults__ or {}, "max_retries", 1)
    yield
    bound_requests()


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(("hub", "step"), LFS + XET, indirect=["hub"])
def test_a_refusal(hub: WritableHub, staged: Staged, bounded: None, step: str, status: int) -> None:
    hub.faults.append(Fault(STEPS[step], status=status, headers={"Retry-After": "900"}, times=99))
    sentence = failed(hub, staged)
    if step in STORAGE and status != 429:
        assert f"storage answered {status} in the middle of the upload" in sentence
    elif (step, status) == ("make", 409):
        assert f"{REPO} exists, and this token may not see it: choose another name" in sentence
    else:
        assert STATUSES[status] in sentence
    if status in (429, 500) and step != "chunks":  # hf_xet tells no headers
        assert "try again in 15 minutes" in sentence
    assert REPO not in hub.repositories
    assert ("Nothing was changed" if step in ("look", "make") and status != 500 else "Nothing") in sentence
    succeeds(hub, staged)


@pytest.mark.parametrize("bad", LINES)
@pytest.mark.parametrize(("hub", "step"), LFS + XET, indirect=["hub"])
def test_a_bad_line(hub: WritableHub, staged: Staged, quick: None, step: str, bad: str) -> None:
    how, says = LINES[bad]
    if how.taken is not None and STEPS[step].startswith("^GET"):
        how = LINES["the line is dead"][0]  # it has no body that could break off
    hub.faults.append(Fault(**{**vars(how), "what": STEPS[step], "times": 99}))
    if how.sent is not None and step in ("bytes", "verify", "commit"):  # nobody reads it, or the Hub is asked again
        assert publish(staged, token=TOKEN).sha256 == staged.weights_sha256
        return
    sentence = failed(hub, staged)
    assert says in sentence or (step == "chunks" and "broke off" in sentence)
    assert REPO not in hub.repositories
    assert "Nothing" in sentence
    succeeds(hub, staged)


@pytest.mark.parametrize(
    ("hub", "step"),
    [("lfs", "modes"), ("lfs", "batch"), ("lfs", "bytes"), ("lfs", "verify"), ("xet", "chunks")],
    indirect=["hub"],
)
def test_what_goes_wrong_once_is_tried_again(hub: WritableHub, staged: Staged, impatient: None, step: str) -> None:
    hub.faults += [Fault(STEPS[step], status=503), Fault(STEPS[step], dead=True)]
    assert publish(staged, token=TOKEN).sha256 == staged.weights_sha256
    assert [fault.times for fault in hub.faults] == [0, 0]
