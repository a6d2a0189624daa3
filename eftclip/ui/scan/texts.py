"""What the page says about a scan and a rectification: settings, plain sentences, no markup."""

from collections.abc import Sequence

from eftclip.pipeline import METHODS
from eftclip.types import Evaluation, Identification, Rate, RunRecord, Status, Victim, measure_names
from eftclip.ui.check.texts import UNFINISHED, Saying, share

SOURCES = {"practice": "Practice set", "upload": "My pictures", "hub": "A Hub data set", "folder": "A folder"}
IN_TURNS = "in turns"
TURNS = ("badnets", "stripes", "yellow")  # what the bundled checkpoint `multi` was taught
Rows = dict[str, tuple[str, float, float, float, str]]  # label, lowest, highest, step, what it means
Choices = dict[str, tuple[str, dict[str, str], str]]  # label, what each value is called, what it means
SCAN_SETTINGS: Rows = {
    "suspicious_share": (
        "Suspicious share",
        0.0,
        1.0,
        0.01,
        "of the pictures whose label seems unaffected, this share, the surest readings, is searched all the same",
    ),
    "exemplars": ("Exemplars", 1, 64, 1, "cut-outs of each trigger that are kept"),
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
RECTIFY_SETTINGS: Rows = {
    "steps": ("Steps", 1, 500, 1, "at most; it ends earlier when there is nothing left to win"),
    "batch": ("Batch", 2, 128, 1, "clean pictures in each step; as many again carry a trigger"),
    "learning_rate": ("Learning rate", 1e-6, 1e-3, 1e-6, "of AdamW, at its highest"),
    "keep_weight": ("Hold on to the rest (λ)", 0.0, 10.0, 0.1, "higher: clean pictures move less"),
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
SCAN_CHOICES: Choices = {
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
RECTIFY_CHOICES: Choices = {
    "method": (
        "Method",
        {name: f"{name.capitalize()}: {method.about}" for name, method in METHODS.items()},
        "",
    ),
    "precision": (
        "Precision",
        {"auto": "auto", "fp32": "fp32", "bf16": "bf16"},
        "auto takes bf16 on a GPU and fp32 elsewhere",
    ),
}
SEVERAL = "Looked for: small visible patches in these pictures that force one label."
NOT_SEVERAL = (
    "Not looked for: blended, warped or whole-picture triggers, and patches that none of these pictures carries. It "
    "says nothing about other pictures."
)
CANDIDATE = "A finding is a candidate for review, not a proof of intent."
WAITING = "Waiting for another visitor's work to end"
SCANNING = Saying("Scanning", "Every picture is read, the suspicious ones are searched, and what is found is proven.")
NO_SCAN = "No scan yet"
OTHER_SCAN = "The last scan was of another checkpoint, or with other settings in step 1"
EMPTY_SCAN = "The last scan found no trigger"
BY_ITSELF = (
    "{}: bundled photographs are scanned, then the weights are audited, that is, a patch is grown that would take over "
    "any photograph."
)
ROLES = {
    "victim": "with their trigger removed (victim)",
    "affected": "that really show a forced label (affected)",
    "control": "that must stay as they are (control)",
}
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


def came_back(age_s: float) -> str:
    """A greeting for whoever has results here."""
    minutes = int(age_s // 60)
    ago = "just now" if minutes < 2 else f"{minutes} minutes ago" if minutes < 120 else f"{minutes // 60} hours ago"
    return f"Welcome back. What you found {ago} is shown again below; it is kept for a day, for this browser alone."


def waiting(before: int) -> str:
    """How long the line is."""
    return f"{WAITING} ({before} before you)"


def scanned(found: Identification, planted: frozenset[int], *, stopped: bool) -> Saying:
    """The banner's words for a finished scan.

    Args:
        found: its result.
        planted: positions of the pictures that are known to carry a trigger; empty where nobody knows.
        stopped: the visitor stopped it.
    """
    answer = f" {_answer(found.victims, planted, found.coverage.read)}" if planted and found.coverage.complete else ""
    if found.status is Status.FOUND:
        kinds = "A trigger is" if len(found.families) == 1 else f"{len(found.families)} triggers are"
        return Saying(f"{kinds} steering this model", f"{found.reason}{answer}", CANDIDATE)
    if found.status is Status.NOT_FOUND:
        headline = "No visible local trigger found in these pictures"
        return Saying(headline, f"{found.reason}{answer}", f"{SEVERAL} {NOT_SEVERAL}")
    if found.families:
        text = f"{found.reason} Until then it found {_triggers(found)}."
        return Saying("A trigger was found, but the scan is unfinished", text, CANDIDATE)
    headline = "Stopped" if stopped else "Could not be decided"
    return Saying(headline, f"{found.reason}{answer}", UNFINISHED)


def failed_scan(reason: str) -> Saying:
    """The words when a scan could not be done."""
    return Saying("The scan could not be done", reason, "Nothing was judged. Your settings are as they were.")


def stopped_scan() -> Saying:
    """The words when a scan was stopped before it had anything to tell."""
    return Saying("Stopped", "The scan was stopped before anything was known.", UNFINISHED)


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
    return f"Uses the triggers that the scan found: {_labels(found.affected_labels)}."


def rectifying(text: str, labels: Sequence[str]) -> Saying:
    """The words while it goes on.

    Args:
        text: what it works with, from `basis`.
        labels: that are known to be forced by now.
    """
    known = f"Triggers force {_labels(labels)}. " if labels else ""
    return Saying("Rectifying a copy", f"{known or text + ' '}The checkpoint itself stays as it is.")


def rectified(record: RunRecord) -> tuple[str, Saying]:
    """Status and words of the banner for a finished rectification."""
    found, before, after = record.identification, record.before, record.after
    unchanged = "Nothing was changed, nothing was written."
    if record.rectified is not None and record.rectified.stopped == "cancelled":
        return "inconclusive", stopped_rectification()
    if before is None or after is None:
        none = found is not None and found.status is Status.NOT_FOUND
        headline = "Nothing to rectify" if none else "Nothing was rectified"
        return ("not_found" if none else "inconclusive"), Saying(headline, record.conclusion, unchanged)
    lower = after.attack.interval()[1] < before.attack.interval()[0]
    text = f"{_attacked(before.attack, after.attack)} {_kept(before, after)}"
    if lower and after.attack.value <= GONE:
        price = ", at a price" if _costly(before.clean, after.clean) else ""
        return "mended", Saying(f"The trigger has lost its power{price}", text, _limits(record))
    headline = "The trigger is weaker, but still works" if lower else "The trigger still works"
    return "inconclusive", Saying(headline, text, "More steps, or more pictures in the fine-tuning set, may help.")


def failed_rectification(reason: str) -> Saying:
    """The words when a rectification could not be done."""
    return Saying("The rectification could not be done", reason, "Nothing was changed.")


def stopped_rectification() -> Saying:
    """The words when a rectification was stopped."""
    return Saying("Stopped", "The checkpoint was not changed, and nothing was written.")


def measures(evaluation: Evaluation) -> tuple[tuple[str, str, str], ...]:
    """Attribute of `Evaluation`, name and meaning of the three measures; what “right” is depends on the set."""
    right = "as before" if evaluation.truth == "readings" else "as their label"
    told = {
        "attack": "pictures with the trigger that it takes over; lower is better",
        "clean": f"untouched pictures that read {right}; higher is better",
        "poisoned": f"pictures with the trigger that read {right}; higher is better",
    }
    names = {"ASR": "ASR, attack success rate", "CA": "CA, clean accuracy", "PA": "PA, poisoned accuracy"}
    return tuple((key, names.get(short, short), told[key]) for key, short, _ in measure_names(evaluation.truth))


def _answer(victims: Sequence[Victim], planted: frozenset[int], read: int) -> str:
    """How the scan did where the answer is known."""
    named = {victim.index for victim in victims}
    hit, missed = len(named & planted), len(planted - named)
    text = f"A trigger was planted in {len(planted)} of the {read} views: the scan points at {hit} of them"
    text += f" and at {len(named - planted) or 'no'} other{'s' if len(named - planted) > 1 else ''}."
    return f"{text} A trigger that does not change the reading leaves no victim." if missed else text


def _attacked(before: Rate, after: Rate) -> str:
    return f"Of {before.total} pictures with the trigger it took over {before.hits} before, and {after.hits} now."


def _kept(before: Evaluation, after: Evaluation) -> str:
    """What became of clean pictures."""
    text = f"Clean accuracy went from {share(before.clean.value)} to {share(after.clean.value)}"
    if after.truth == "readings":
        text = f"Of {after.clean.total} clean pictures {after.clean.hits} read as before"
    if not _costly(before.clean, after.clean):
        return f"{text}."
    return f"{text}: more pictures to tune on, more steps, a smaller learning rate or a larger λ keep more of it."


def _costly(before: Rate, after: Rate) -> bool:
    return after.value < before.value - PRICE and after.interval()[1] < before.interval()[0]


def _limits(record: RunRecord) -> str:
    """What was not looked for stays unknown."""
    labels = record.identification.affected_labels if record.identification else ()
    return f"Only the triggers that force {_labels(labels)} were removed. What was not found is still there."


def _triggers(found: Identification) -> str:
    kinds = "1 trigger" if len(found.families) == 1 else f"{len(found.families)} triggers"
    return f"{kinds} forcing {_labels(found.affected_labels)}"


def _labels(labels: Sequence[str]) -> str:
    return ", ".join(f"“{label}”" for label in labels)
