"""Requests to the Hub: how long they may take, whose they are, and one sentence for whatever goes wrong."""

from dataclasses import dataclass

import httpx2
from huggingface_hub import HfApi, get_token, set_client_factory
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.utils._http import default_client_factory  # the only way to a time limit on every request

from eftclip.errors import PublishError

TIMEOUT_S = 60.0  # without any answer or any byte; huggingface_hub itself waits for ever
# HfHubHTTPError is an OSError, but httpx2's connection errors are neither OSError nor HfHubHTTPError.
HUB_ERRORS = (HfHubHTTPError, httpx2.HTTPError, OSError, ValueError, RuntimeError)
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
    """Ask the Hub whose token this is; before hours of work that are to be published.

    Raises:
        PublishError: there is none, the Hub does not know it, or does not answer.
    """
    if not token:
        raise PublishError(NO_TOKEN)
    try:
        found = HfApi(token=token).whoami()
    except HUB_ERRORS as error:
        raise explained(error, "you") from None
    role = ((found.get("auth") or {}).get("accessToken") or {}).get("role")
    names = tuple(str(org["name"]) for org in found.get("orgs") or [])
    return Account(str(found["name"]), names, role != "read")


def bound_requests(seconds: float = TIMEOUT_S) -> None:
    """Let no request to the Hub wait for ever; for whoever owns the process, once, before the first request."""

    def client() -> httpx2.Client:
        made = default_client_factory()
        made.timeout = httpx2.Timeout(seconds)
        return made

    set_client_factory(client)


def explained(error: Exception, name: str) -> PublishError:
    """One sentence for whatever the Hub client raised; never the client's own, which may quote a request."""
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    place = name.partition("/")[0]
    said = {
        401: "The Hub does not know this token: sign in again, or give a valid one.",
        403: f"This token may not write to {place}: give one with write access, or choose another name.",
        404: f"The Hub shows no repository {name} to this token.",
        409: f"{name} exists, and this token may not see it: choose another name.",
        412: f"{name} was changed by somebody else in this moment: publish again.",
        429: "The Hub asks to wait (too many requests): try again in a few minutes.",
    }
    if status is not None:
        text = said.get(status, f"The Hub answered {status}: try again later.")
    elif isinstance(error, OfflineModeIsEnabled):
        text = "The Hub is switched off here (HF_HUB_OFFLINE): go online to publish."
    elif isinstance(error, httpx2.TimeoutException):
        text = f"The Hub did not answer within {TIMEOUT_S:.0f} s: try again later."
    else:
        text = f"The upload broke off ({type(error).__name__}): check the connection and try again."
    return PublishError(text)
