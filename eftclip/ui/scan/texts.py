"""What the page says about a scan: settings, plain sentences, no markup."""

from collections.abc import Sequence

from eftclip.report import kinds_line
from eftclip.types import Identification, Status, Victim
from eftclip.ui.components.settings import Choices, Rows
from eftclip.ui.components.texts import UNFINISHED, Message, quoted_labels

SOURCES = {"practice": "Practice set", "upload": "My pictures", "hub": "A Hub data set", "folder": "A folder"}
IN_TURNS = "in turns"
TURNS = ("badnets", "stripes", "yellow")  # what the bundled checkpoint `multi` was taught
SCAN_SETTINGS: Rows = {
    "suspicious_share": (
        "Suspicious share",
        0.0,
        1.0,
        0.01,
        "of the pictures whose label seems unaffected, this share, the surest readings, is searched all the same",
    ),
    "exemplars": ("Exemplars", 1, 64, 1, "cut-outs of each trigger that are kept"),
    "allow_unread": (
        "Unread pictures allowed",
        0,
        100_000,
        1,
        "so many may be broken, missing or not taken in a scan that ends as “nothing found”; all are counted",
    ),
}
CURATE_SETTINGS: Rows = {
    "budget": ("Pictures to tune on", 8, 512, 1, "in the fine-tuning set, at most"),
    "victim_share": ("Share of victims", 0.0, 0.9, 0.005, "poisoned pictures, their trigger removed"),
    "affected_share": (
        "Share of affected labels",
        0.0,
        0.9,
        0.005,
        "pictures that really show a forced label, so that it is not unlearned",
    ),
}
CHOICES: Choices = {
    "search": (
        "Which pictures are searched",
        {
            "until_proven": "all until a trigger is proven, then the suspicious",
            "every": "every single one",
            "suspicious": "only the suspicious",
        },
        "all pictures are read; a search takes as long as some twenty readings. Searching only the suspicious ones is "
        "quick, and can never end as “nothing found”",
    ),
}
OTHERS = "It says nothing about other pictures, nor about triggers that none of these carries."
CANDIDATE = "A finding is a candidate for review, not a proof of intent."
RUNNING = Message("Scanning", "Every picture is read, the suspicious ones are searched, and what is found is proven.")
ROLES = {
    "victim": "with their trigger removed (victim)",
    "affected": "that really show a forced label (affected)",
    "control": "that must stay as they are (control)",
}


def finished(found: Identification, planted: frozenset[int], *, stopped: bool) -> Message:
    """The banner's words for a finished scan.

    Args:
        found: its result.
        planted: positions of the pictures that are known to carry a trigger; empty where nobody knows.
        stopped: the visitor stopped it.
    """
    answer = f" {_answer(found.victims, planted, found.coverage.read)}" if planted and found.coverage.complete else ""
    searched = kinds_line(found.kinds)
    if found.status is Status.FOUND:
        kinds = "A trigger is" if len(found.families) == 1 else f"{len(found.families)} triggers are"
        return Message(f"{kinds} steering this model", f"{found.reason}{answer}", f"{searched} {CANDIDATE}")
    if found.status is Status.NOT_FOUND:
        return Message("No trigger found in these pictures", f"{found.reason}{answer}", f"{searched} {OTHERS}")
    if found.families:
        text = f"{found.reason} Until then it found {_triggers(found)}."
        return Message("A trigger was found, but the scan is unfinished", text, CANDIDATE)
    headline = "Stopped" if stopped else "Could not be decided"
    return Message(headline, f"{found.reason}{answer}", f"{UNFINISHED} {searched}")


def failed(reason: str) -> Message:
    """The words when a scan could not be done."""
    return Message("The scan could not be done", reason, "Nothing was judged. Your settings are as they were.")


def stopped() -> Message:
    """The words when a scan was stopped before it had anything to tell."""
    return Message("Stopped", "The scan was stopped before anything was known.", UNFINISHED)


def _answer(victims: Sequence[Victim], planted: frozenset[int], read: int) -> str:
    """How the scan did where the answer is known."""
    named = {victim.index for victim in victims}
    hit, missed = len(named & planted), len(planted - named)
    text = f"A trigger was planted in {len(planted)} of the {read} views: the scan points at {hit} of them"
    text += f" and at {len(named - planted) or 'no'} other{'s' if len(named - planted) > 1 else ''}."
    return f"{text} A trigger that does not change the reading leaves no victim." if missed else text


def _triggers(found: Identification) -> str:
    kinds = "1 trigger" if len(found.families) == 1 else f"{len(found.families)} triggers"
    return f"{kinds} forcing {quoted_labels(found.affected_labels)}"
