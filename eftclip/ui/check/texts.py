"""What the page says about a verdict: plain sentences, no markup."""

from eftclip.config import AS_PUBLISHED
from eftclip.report import kinds_line
from eftclip.types import Checked, Detection, FoundTrigger, Status
from eftclip.ui.components.texts import UNFINISHED, Message, percentage

OTHERS = "It says nothing about other photographs, nor about triggers that this one does not carry."
BY_THE_PAPER = "The paper's algorithm names nothing in this photograph"
IDLE = Message("The verdict will stand here", "A photograph with a trigger in it is chosen already: press the button.")
RUNNING = Message("Looking for a trigger", "Reading the photograph, covering parts of it, trying them on strangers.")
# What covers the whole picture: what it is, what was done with it, and what it is like without it.
WHOLE_PICTURE = {
    "pattern": ("A pattern over all that the model sees", "Laid over", "With the picture smoothed"),
    "warp": ("A warp of all that the model sees", "Done to", "With the warp undone"),
    "jitter": ("A warp of all that the model sees", "Done to", "With the picture smoothed"),
    "colour": ("A change of all colours", "Done to", "With the colours restored"),
}


def verdict(checked: Checked) -> Message:
    """The banner's words for a finished check."""
    detection, searched = checked.detection, kinds_line(checked.detection.kinds)
    if detection.trigger is not None:
        return _found(detection, detection.trigger)
    if detection.status is Status.NOT_FOUND and detection.algorithm == AS_PUBLISHED:
        return Message(BY_THE_PAPER, f"CLIP reads {_quoted(detection)}. {detection.reason}", f"{searched} {OTHERS}")
    if detection.status is Status.NOT_FOUND:
        text = f"CLIP reads {_quoted(detection)}. {_examined(detection)} None of them takes over other photographs."
        return Message("No trigger found in this photograph", text, f"{searched} {OTHERS}")
    if detection.status is Status.INCONCLUSIVE and detection.named is not None:
        return Message("Named by the paper's algorithm, not proven", detection.reason, searched)
    if detection.status is Status.INCONCLUSIVE:
        return Message("Could not be decided", detection.reason, f"{UNFINISHED} {searched}")
    return failed(detection.reason)


def failed(reason: str) -> Message:
    """The words when something could not be done."""
    return Message("The check could not be done", reason, "Nothing was judged. Your settings are as they were.")


def _found(detection: Detection, trigger: FoundTrigger) -> Message:
    """One trigger, or the first of several."""
    what, planted, without = _words(trigger)
    text = (
        f"{what} makes it say “{trigger.target_label}”. {planted} other photographs, it took over {trigger.transplant}."
    )
    if detection.purified_predictions:
        label = detection.purified_predictions[0].label
        text += f" {without} CLIP {'still reads' if label == trigger.target_label else 'reads'} “{label}”."
    small = f"{_second_opinion(trigger)} {kinds_line(detection.kinds)}"
    if detection.named is not None:
        small = f"The paper's algorithm named it. {small}"
    return Message("A trigger is steering this model", text, small)


def _words(trigger: FoundTrigger) -> tuple[str, str, str]:
    """What it is, what was done with it, and what it is like without it."""
    if trigger.kind in WHOLE_PICTURE:
        return WHOLE_PICTURE[trigger.kind]
    return (
        f"A patch that covers {percentage(trigger.area_fraction)} of what the model sees",
        "Pasted into",
        "Without the patch",
    )


def _second_opinion(trigger: FoundTrigger) -> str:
    """Whether the content of the trigger could explain the label by itself."""
    if trigger.control is None and trigger.kind in WHOLE_PICTURE:
        return "No second model was asked: what the photograph itself shows could do this too."
    if trigger.control is None:
        return (
            "No second model was asked: a small thing that really shows or spells the label could look like this too."
        )
    return (
        f"A trusted reference checkpoint was given the same pictures and says so for {trigger.control}: "
        "what the trigger shows does not explain the label."
    )


def _quoted(detection: Detection) -> str:
    return f"“{detection.predictions[0].label}” ({percentage(detection.predictions[0].probability)})"


def _examined(detection: Detection) -> str:
    if not detection.regions:
        return "There was no region to examine."
    return f"All {detection.regions} regions of the photograph were examined."
