"""The readings of a check as HTML; every text is escaped here."""

from collections.abc import Sequence

from eftclip.types import Detection, LabelEvidence, Prediction
from eftclip.ui.components.html import escape
from eftclip.ui.components.texts import percentage

STRANGERS_TITLE = """
<h4 class="eft-title">Strangers that the trigger took over <span>what CLIP read before → with the trigger</span></h4>
"""
BARS = 5


def readings(detection: Detection) -> str:
    """CLIP's top labels as they are and, with a trigger, after its removal: side by side."""
    if not detection.predictions:
        return ""
    target = detection.trigger.target_label if detection.trigger else None
    if target is None:
        return _bars("What CLIP reads", detection.predictions, None)
    before = _bars("With the trigger, CLIP reads", detection.predictions, target)
    return f'<div class="eft-pair">{before}{_bars("Without it", detection.purified_predictions, target)}</div>'


def difference(evidence: Sequence[LabelEvidence], target: str | None) -> str:
    """What CLIP reads against what an object in the picture explains; the forced label stands out."""
    if not evidence:
        return ""
    rows = "".join(_evidence(item, item.label == target) for item in evidence)
    return (
        '<table class="eft-facts eft-difference"><caption>What CLIP reads, and whether an object explains it</caption>'
        "<thead><tr><th>label</th><th>whole picture</th><th>best object</th><th>explained</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _evidence(item: LabelEvidence, forced: bool) -> str:
    cells = (percentage(item.probability), percentage(item.support), "yes" if item.explained else "no")
    row = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr class="{"eft-no" if forced else ""}"><th scope="row">{escape(item.label)}</th>{row}</tr>'


def _bars(title: str, predictions: Sequence[Prediction], target: str | None) -> str:
    rows = "".join(_bar(prediction, prediction.label == target) for prediction in predictions[:BARS])
    return f'<div class="eft-bars"><h4>{escape(title)}</h4><ol>{rows}</ol></div>'


def _bar(prediction: Prediction, forced: bool) -> str:
    width = 100 * min(max(prediction.probability, 0.0), 1.0)
    return (
        f'<li class="{"eft-forced" if forced else ""}"><span class="eft-label">{escape(prediction.label)}</span>'
        f'<span class="eft-value">{percentage(prediction.probability)}</span>'
        f'<span class="eft-track"><span style="width:{width:.1f}%"></span></span></li>'
    )
