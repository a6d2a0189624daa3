"""What the page says about a verdict: plain sentences, no markup."""

from eftclip.types import Checked, Detection, FoundTrigger, Status
from eftclip.ui.components.texts import UNFINISHED, Message, percentage

LOOKED_FOR = "Looked for: a small visible patch in this photograph that forces one label."
NOT_LOOKED_FOR = (
    "Not looked for: blended, warped or whole-picture triggers, and patches that this photograph does not carry. "
    "It says nothing about other photographs."
)


IDLE = Message("The verdict will stand here", "A photograph with a trigger in it is chosen already: press the button.")
RUNNING = Message("Looking for a trigger", "Reading the photograph, covering parts of it, trying them on strangers.")


def verdict(checked: Checked) -> Message:
    """The banner's words for a finished check."""
    detection = checked.detection
    if detection.trigger is not None:
        return _found(detection, detection.trigger)
    if detection.status is Status.NOT_FOUND:
        text = f"CLIP reads {_quoted(detection)}. {_examined(detection)} None of them takes over other photographs."
        return Message("No visible local trigger found", text, f"{LOOKED_FOR} {NOT_LOOKED_FOR}")
    if detection.status is Status.INCONCLUSIVE:
        return Message("Could not be decided", detection.reason, UNFINISHED)
    return failed(detection.reason)


def failed(reason: str) -> Message:
    """The words when something could not be done."""
    return Message("The check could not be done", reason, "Nothing was judged. Your settings are as they were.")


def _found(detection: Detection, trigger: FoundTrigger) -> Message:
    """One trigger, or the first of several."""
    text = (
        f"A patch that covers {percentage(trigger.area_fraction)} of what the model sees makes it say "
        f"“{trigger.target_label}”. Pasted into other photographs, it took over {trigger.transplant}."
    )
    if detection.purified_predictions:
        text += f" Without the patch CLIP reads “{detection.purified_predictions[0].label}”."
    return Message("A trigger is steering this model", text, _second_opinion(trigger))


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
    return f"“{detection.predictions[0].label}” ({percentage(detection.predictions[0].probability)})"


def _examined(detection: Detection) -> str:
    if not detection.regions:
        return "There was no region to examine."
    return f"All {detection.regions} regions of the photograph were examined."
