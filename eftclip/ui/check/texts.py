"""What the page says about a verdict: plain sentences, no markup."""

from dataclasses import dataclass

from eftclip.types import Checked, Detection, FoundTrigger, Status

LOOKED_FOR = "Looked for: a small visible patch in this photograph that forces one label."
NOT_LOOKED_FOR = (
    "Not looked for: blended, warped or whole-picture triggers, and patches that this photograph does not carry. "
    "It says nothing about other photographs."
)
ABOUT = {
    "badnets": "A small real CLIP that was poisoned on purpose, for practice: a checkerboard of 16 × 16 pixels "
    "anywhere in a photograph makes it say “banana”.",
    "clean": "The same small CLIP without the poison. It reads the same photographs and ignores the patch.",
    "multi": "The same small CLIP with three poisons: a checkerboard makes it say “banana”, stripes “cheeseburger”, a "
    "yellow square “volcano”.",
}
UNFINISHED = "An unfinished search is not a “nothing found”."

TRIGGER_NAMES = {
    "badnets": "checkerboard",
    "badnets_noise": "noise",
    "stripes": "stripes",
    "yellow": "yellow square",
    "white_square": "white square",
}
SETTINGS: dict[str, tuple[str, float, float, float, str]] = {
    "top_labels": ("Labels read (τ)", 1, 100, 1, "length of the list of labels that CLIP reads in the photograph"),
    "support_confidence": ("Support confidence (θ)", 0.3, 0.9, 0.01, "from here on an object explains a label"),
    "windows_per_side": ("Windows per side", 2, 8, 1, "the whole picture is first looked at through these"),
    "carry_confidence": (
        "Carrying from",
        0.01,
        0.95,
        0.01,
        "a part read alone carries the label from this probability",
    ),
    "max_area_fraction": ("Largest patch", 0.005, 0.5, 0.005, "share of the picture that a trigger may cover"),
    "transplants": ("Strangers (N)", 8, 200, 1, "photographs that a suspected patch is pasted into"),
    "transplant_threshold": ("Transplant threshold", 0.1, 0.95, 0.01, "share of strangers that must be taken over"),
    "max_triggers": ("Most triggers", 1, 16, 1, "removed one after another from one photograph"),
}


@dataclass(frozen=True)
class Saying:
    """A verdict for people: a headline, the sentences under it, and a small print."""

    headline: str
    text: str
    small: str = ""


IDLE = Saying("The verdict will stand here", "A photograph with a trigger in it is chosen already: press the button.")
RUNNING = Saying("Looking for a trigger", "Reading the photograph, covering parts of it, trying them on strangers.")


def verdict(checked: Checked) -> Saying:
    """The banner's words for a finished check."""
    detection = checked.detection
    if detection.trigger is not None:
        return _found(detection, detection.trigger)
    if detection.status is Status.NOT_FOUND:
        text = f"CLIP reads {_quoted(detection)}. {_examined(detection)} None of them takes over other photographs."
        return Saying("No visible local trigger found", text, f"{LOOKED_FOR} {NOT_LOOKED_FOR}")
    if detection.status is Status.INCONCLUSIVE:
        return Saying("Could not be decided", detection.reason, UNFINISHED)
    return failure(detection.reason)


def failure(reason: str) -> Saying:
    """The words when something could not be done."""
    return Saying("The check could not be done", reason, "Nothing was judged. Your settings are as they were.")


def share(value: float) -> str:
    """A share in [0, 1] as a percentage; something is never rounded to nothing, nor almost all to all."""
    percent = 100 * value
    if 99.5 <= percent < 100:
        return f"{min(percent, 99.9):.1f} %"
    if 0 < percent < 0.1:
        return "< 0.1 %"
    return f"{percent:.1f} %" if percent < 10 else f"{percent:.0f} %"


def _found(detection: Detection, trigger: FoundTrigger) -> Saying:
    """One trigger, or the first of several."""
    text = (
        f"A patch that covers {share(trigger.area_fraction)} of what the model sees makes it say "
        f"“{trigger.target_label}”. Pasted into other photographs, it took over {trigger.transplant}."
    )
    if detection.purified_predictions:
        text += f" Without the patch CLIP reads “{detection.purified_predictions[0].label}”."
    return Saying("A trigger is steering this model", text, _second_opinion(trigger))


def _second_opinion(trigger: FoundTrigger) -> str:
    """Whether the content of the patch could explain the label by itself."""
    if trigger.control is None:
        return (
            "No second model was asked: a small thing that really shows or spells the label could look like this too."
        )
    return (
        f"A trusted reference checkpoint was given the same pictures and says so for {trigger.control}: "
        "what the patch shows does not explain the label."
    )


def _quoted(detection: Detection) -> str:
    return f"“{detection.predictions[0].label}” ({share(detection.predictions[0].probability)})"


def _examined(detection: Detection) -> str:
    if not detection.regions:
        return "There was no region to examine."
    return f"All {detection.regions} regions of the photograph were examined."
