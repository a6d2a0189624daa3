"""What the page says about a rectification: settings, plain sentences, no markup."""

from collections.abc import Sequence

from eftclip.config import LONGEST_OWN, RectifyConfig
from eftclip.errors import ConfigError
from eftclip.pipeline import METHODS, Plan
from eftclip.types import Evaluation, Identification, Rate, RunRecord, Status, measure_names
from eftclip.ui.components.settings import Choices, Lines, Rows
from eftclip.ui.components.texts import Message, percentage, quoted_labels
from eftclip.ui.components.validation import one_of, quoted

SETTINGS: Rows = {
    "steps": ("Steps", 1, 500, 1, "at most; it ends earlier when there is nothing left to win"),
    "batch": ("Batch", 2, 128, 1, "clean pictures in each step; for methods that see triggers as many again carry one"),
    "learning_rate": ("Learning rate", 1e-6, 1e-3, 1e-6, "of AdamW, at its highest"),
    "keep_weight": ("Hold on to the rest (λ)", 0.0, 50.0, 0.5, "of Realign; higher: clean pictures move less"),
    "check_every": ("Look every", 1, 100, 1, "steps between two points of the curve"),
    "agreement": (
        "Agreement",
        0.5,
        1.0,
        0.005,
        "share of held-out clean pictures that must read as before, for an early end",
    ),
    "at_once": ("Pictures at once", 1, 64, 1, "fewer need less memory"),
}
MEASURE_SETTINGS: Rows = {
    "measured": ("Pictures to measure on", 40, 2000, 10, "before and after; fewer than 200 leave wide intervals"),
}
PRECISION: Choices = {
    "precision": (
        "Precision",
        {"auto": "auto", "fp32": "fp32", "bf16": "bf16"},
        "auto takes bf16 on a GPU and fp32 elsewhere",
    ),
}
LINES: Lines = {
    "own": ("Numbers that only this method has", LONGEST_OWN, "name=number, with commas between; empty: as published"),
}
BROUGHT_ALONG = ("steps", "batch", "learning_rate", "own")
NO_SCAN = "No scan yet"
OTHER_SCAN = "The last scan was of another checkpoint, or with other settings in step 1"
EMPTY_SCAN = "The last scan found no trigger"
BY_ITSELF = (
    "{}: bundled photographs are scanned, then the weights are audited, that is, a patch and a faint pattern are grown "
    "that would take over any photograph."
)
STAGES = {
    "scan": "scan",
    "invert": "audit of the weights",
    "curate": "choosing the fine-tuning set",
    "measure before": "measuring before",
    "rectify": "fine-tuning",
    "write": "writing",
    "measure after": "measuring after",
}
GONE = 0.05  # an ASR up to here, and certainly lower than before, counts as gone
PRICE = 0.05  # a clean accuracy lower by more than this, and certainly so, is a price worth a word


def choices() -> Choices:
    """What can be chosen, once the page is built: installed packages may bring methods, too."""
    *others, last = (method.title for method in METHODS.values() if method.sees_triggers)
    told = f"{', '.join(others)} and {last} work with what the scan found; the others are shown clean pictures alone"
    menu = {
        name: f"{method.title}: {method.about}{from_outside(METHODS.origin(name))}" for name, method in METHODS.items()
    }
    return {"method": ("Method", menu, told), **PRECISION}


def from_outside(origin: str) -> str:
    """What is said of a method that is not ours."""
    return f" (not EftCLIP's own, but of {origin})" if origin else ""


def usable_method(method: object) -> str:
    """A method that was asked for over the network, where the log is not to be shown.

    Raises:
        ConfigError: it is unknown, or cannot be used here.
    """
    if isinstance(method, str) and METHODS.fault(method) and method not in METHODS:
        raise ConfigError(f"The method {quoted(method)} is installed here and broken; the log of the server says how.")
    return one_of("method", method, tuple(METHODS))


def brought_along(method: str) -> list[int | float | str]:
    """What a method brings along, in the order of `BROUGHT_ALONG`; nothing to choose is left for another value.

    Raises:
        ConfigError: the method is unknown.
    """
    settled = Plan(rectify=RectifyConfig(method=usable_method(method))).rectify
    return [getattr(settled, name) for name in BROUGHT_ALONG]


def basis(found: Identification | None, *, other: bool) -> str:
    """What a rectification would work with.

    Args:
        found: what the last scan of this page found; None without one.
        other: that scan was of another checkpoint, or made with other settings.
    """
    if found is None:
        return BY_ITSELF.format(NO_SCAN)
    if other:
        return BY_ITSELF.format(OTHER_SCAN)
    if not found.families:
        return BY_ITSELF.format(EMPTY_SCAN)
    return f"Uses the triggers that the scan found: {quoted_labels(found.affected_labels)}."


def running(text: str, labels: Sequence[str]) -> Message:
    """The words while it goes on.

    Args:
        text: what it works with, from `basis`.
        labels: that are known to be forced by now.
    """
    known = f"Triggers force {quoted_labels(labels)}. " if labels else ""
    return Message("Rectifying a copy", f"{known or text + ' '}The checkpoint itself stays as it is.")


def finished(record: RunRecord) -> tuple[str, Message]:
    """Status and words of the banner for a finished rectification."""
    found, before, after = record.identification, record.before, record.after
    unchanged = "Nothing was changed, nothing was written."
    if record.rectified is not None and record.rectified.stopped == "cancelled":
        return "inconclusive", stopped()
    if before is None or after is None:
        none = found is not None and found.status is Status.NOT_FOUND
        headline = "Nothing to rectify" if none else "Nothing was rectified"
        return ("not_found" if none else "inconclusive"), Message(headline, record.conclusion, unchanged)
    lower = after.attack.interval()[1] < before.attack.interval()[0]
    text = f"{_attacked(before.attack, after.attack)} {_kept(before, after)}"
    if lower and after.attack.value <= GONE:
        price = ", at a price" if _costly(before.clean, after.clean) or after.disturbed else ""
        return "mended", Message(f"The trigger has lost its power{price}", text, _limits(record))
    headline = "The trigger is weaker, but still works" if lower else "The trigger still works"
    return "inconclusive", Message(headline, text, "More steps, or more pictures in the fine-tuning set, may help.")


def failed(reason: str) -> Message:
    """The words when a rectification could not be done."""
    return Message("The rectification could not be done", reason, "Nothing was changed.")


def stopped() -> Message:
    """The words when a rectification was stopped."""
    return Message("Stopped", "The checkpoint was not changed, and nothing was written.")


def measure_texts(evaluation: Evaluation) -> tuple[tuple[str, str, str], ...]:
    """Attribute of `Evaluation`, name and meaning of the three measures; what “right” is depends on the set."""
    right = "as before" if evaluation.truth == "readings" else "as their label"
    told = {
        "attack": "pictures with the trigger that it takes over; lower is better",
        "clean": f"untouched pictures that read {right}; higher is better",
        "poisoned": f"pictures with the trigger that read {right}; higher is better",
    }
    names = {"ASR": "ASR, attack success rate", "CA": "CA, clean accuracy", "PA": "PA, poisoned accuracy"}
    return tuple((key, names.get(short, short), told[key]) for key, short, _ in measure_names(evaluation.truth))


def _attacked(before: Rate, after: Rate) -> str:
    return f"Of {before.total} pictures with the trigger it took over {before.hits} before, and {after.hits} now."


def _kept(before: Evaluation, after: Evaluation) -> str:
    """What became of clean pictures."""
    text = f"Clean accuracy went from {percentage(before.clean.value)} to {percentage(after.clean.value)}"
    if after.truth == "readings":
        text = f"Of {after.clean.total} clean pictures {after.clean.hits} read as before"
    if after.disturbed:
        text += f"; of {after.poisoned.total} with the trigger only {after.poisoned.hits} are read rightly"
    if not _costly(before.clean, after.clean):
        return f"{text}."
    return f"{text}: more pictures to tune on, more steps, a smaller learning rate or a larger λ keep more of it."


def _costly(before: Rate, after: Rate) -> bool:
    return after.value < before.value - PRICE and after.interval()[1] < before.interval()[0]


def _limits(record: RunRecord) -> str:
    """What was not looked for stays unknown."""
    found = record.identification
    labels = found.affected_labels if found else ()
    limits = f"Only the triggers that force {quoted_labels(labels)} were removed. What was not found is still there."
    if found and found.families and all(family.origin == "inverted" for family in found.families):
        limits += " It was measured with what was grown out of the weights: what was planted may still work."
    return limits
