"""Requests to the Hub: how long they may take, whose they are, and one sentence for whatever goes wrong."""

import re
from dataclasses import dataclass

import httpx2
from huggingface_hub import HfApi, get_token, set_client_factory
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.utils._http import (  # the only way to a time limit on every request
    default_client_factory,
    hf_raise_for_status,
)

from eftclip.errors import PublishError
from eftclip.retry_after import wait_s, when

TIMEOUT_S = 60.0  # without any answer or any byte; huggingface_hub itself waits for ever
LONGEST_WAIT_S = 30  # that the client may sleep, up to five times, before it asks a busy Hub again
# HfHubHTTPError is an OSError, but httpx2's connection errors are neither OSError nor HfHubHTTPError.
HUB_ERRORS = (HfHubHTTPError, httpx2.HTTPError, OSError, ValueError, RuntimeError)
TOLD_STATUS = re.compile(r"HTTP status \w+ error \((\d{3}) ")
ABOUT_NOBODY = {
    401: "The Hub does not know this token, or no longer: log out and sign in again, or give a valid one.",
    403: "The Hub does not say whose token this is: sign in again, or give another one.",
}
NO_TOKEN = "Publishing needs your token for the Hub: sign in, or set HF_TOKEN (one that may write)."


@dataclass(frozen=True)
class Account:
    """Whose token it is, and what may be written with it.

    Attributes:
        name: of the user.
        organisations: whose members may write there too, as far as their roles allow.
        writes: False for a token that only reads; a fine-grained one may still be refused somewhere.
    """

    name: str
    organisations: tuple[str, ...]
    writes: bool


def own_token() -> str:
    """The token of whoever owns this machine; empty where there is none."""
    return get_token() or ""


def account(token: str) -> Account:
    """Ask the Hub whose token this is.

    Raises:
        PublishError: there is none, the Hub does not know it, or does not answer.
    """
    if not token:
        raise PublishError(NO_TOKEN)
    try:
        found = HfApi(token=token).whoami()
    except HUB_ERRORS as error:
        raise explain_hub_error(error, "") from None
    role = ((found.get("auth") or {}).get("accessToken") or {}).get("role")
    names = tuple(str(org["name"]) for org in found.get("orgs") or [])
    return Account(str(found["name"]), names, role != "read")


def writer(token: str) -> Account:
    """The account behind a token that may write; asked before hours of work that are to be published.

    Raises:
        PublishError: as for `account`, or it only reads.
    """
    who = account(token)
    if not who.writes:
        raise PublishError(f"The token of {who.name} only reads: give one that may write.")
    return who


def bound_requests(seconds: float = TIMEOUT_S) -> None:
    """Let no request to the Hub wait for ever; for whoever owns the process, once, before the first request.

    Nor does the client sleep for as long as a busy Hub asks it to, which may be hours, without a word to anybody.
    """

    def client() -> httpx2.Client:
        made = default_client_factory()
        made.timeout = httpx2.Timeout(seconds)
        made.event_hooks["response"] = [_refuse_long_waits]
        return made

    set_client_factory(client)


def _refuse_long_waits(response: httpx2.Response) -> None:
    """Raise what the client would raise after its last attempt; shorter waits are left to it."""
    if response.status_code >= 400 and (wait_s(response.headers) or 0) > LONGEST_WAIT_S:
        response.read()
        hf_raise_for_status(response)


def explain_hub_error(error: Exception, name: str) -> PublishError:
    """One sentence for whatever the Hub client raised; never the client's own, which may quote a request.

    Args:
        error: what it raised.
        name: `org/name` of the repository; empty when the question was only whose token it is.
    """
    cause = error.__cause__
    stored = isinstance(error, RuntimeError | ValueError) and isinstance(cause, Exception)  # on the way to the storage
    error = cause if stored and isinstance(cause, Exception) else error
    status = _status(error)
    response = error.response if isinstance(error, HfHubHTTPError) else None
    headers = response.headers if response is not None else {}
    making = response is not None and response.url.path.endswith("/repos/create")
    if status == 429:
        text = f"The Hub asks to wait (too many requests): try again {when(headers)}."
    elif stored and status is not None:  # there, 403 means that an address is too old, and 404 that nothing arrived
        text = f"The Hub's storage answered {status} in the middle of the upload: try again {when(headers, 'later')}."
    elif status is not None:
        said = _about(name, making) if name else ABOUT_NOBODY
        text = said.get(status, f"The Hub answered {status}: try again {when(headers, 'later')}.")
    elif isinstance(error, OfflineModeIsEnabled):
        text = "The Hub is switched off here (HF_HUB_OFFLINE): go online to publish."
    elif isinstance(error, httpx2.TimeoutException):
        text = f"The Hub did not answer within {TIMEOUT_S:.0f} s: try again later."
    else:
        text = f"The connection to the Hub broke off ({type(error).__name__}): try again."
    return PublishError(text)


def _about(name: str, making: bool) -> dict[int, str]:
    """What the Hub's refusals mean for a repository."""
    changed = f"{name} was changed by somebody else in this moment: publish again."
    return {
        **ABOUT_NOBODY,
        # A sign-in reaches the organisations that were ticked in it, and none by itself.
        403: f"This token may not write to {name.partition('/')[0]}: choose another name, or give one with write "
        "access; an organisation has to be ticked when you sign in.",
        404: f"The Hub shows no repository {name} to this token.",
        409: f"{name} exists, and this token may not see it: choose another name." if making else changed,
        412: changed,
    }


def may_have_arrived(error: Exception) -> bool:
    """A request that reached the Hub and was not refused may have been done, although its answer never came."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= 500
    return isinstance(error, httpx2.HTTPError) and not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)


def _status(error: Exception) -> int | None:
    """The status that the Hub answered, also to hf_xet, which only tells it in its text; None where it did not."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code
    told = TOLD_STATUS.search(str(error)) if isinstance(error, ConnectionError) else None
    return int(told[1]) if told else None
