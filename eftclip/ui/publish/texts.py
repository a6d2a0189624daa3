"""What the page says about publishing: plain sentences, no markup."""

from collections.abc import Sequence

from eftclip.publish import Account, Published
from eftclip.ui.components.texts import Message

RUNNING = Message(
    "Publishing", "One commit carries everything; what arrived is compared with what was sent before it is announced."
)
NOTHING = "There is no mended checkpoint to publish: nothing was found, or the rectification did not come to its end."


def not_signed_in(*, private: bool, can_sign_in: bool) -> str:
    """Nobody is signed in: what to do."""
    if can_sign_in:
        return "Sign in with Hugging Face to publish. The page is opened anew for that; what was found stays."
    if private:
        return "No token of yours is on this machine: set HF_TOKEN, or run hf auth login, and reload this page."
    return (
        "Nobody can sign in to this page. On a Space with hf_oauth one can; elsewhere download the mended checkpoint "
        "and publish it with eftclip publish."
    )


def signed_in(account: Account) -> str:
    """Who is signed in, and what may be written."""
    places = ", ".join((account.name, *account.organisations))
    if not account.writes:
        return f"Signed in as {account.name}, with a token that only reads: nothing can be published with it."
    return f"Signed in as {account.name}; may publish as far as the Hub lets you: {places}."


def doubted(against: Sequence[str]) -> Message:
    """Something speaks against it."""
    return Message("Not published", f"{' '.join(against)} If you want to publish it all the same, tick the box below.")


def published(done: Published) -> Message:
    """It is there."""
    what = "A pull request waits to be merged" if done.pull_request else "It is on the Hub"
    return Message(
        "Published", f"{what}: commit {done.revision[:12]}. Every file there is the one here, by its digest."
    )


def link_text(done: Published) -> str:
    """The words of the link."""
    return f"Open the pull request to {done.repo_id}" if done.pull_request else f"Open {done.repo_id} on the Hub"


def failed(reason: str) -> Message:
    """Nothing was published."""
    return Message("Not published", reason or "It was stopped.")
