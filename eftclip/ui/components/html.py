"""Values to HTML; every text that a visitor or a checkpoint can influence is escaped here."""

import html
from collections.abc import Iterable, Sequence

from eftclip.legible import plain
from eftclip.runtime import Progress
from eftclip.types import Detection, LabelEvidence, Prediction
from eftclip.ui.check.texts import Saying, share

HEADLINE = """
<header class="eft-head"><p class="eft-brand">EftCLIP</p>
<h1>Can you trust this CLIP checkpoint?</h1>
<p>A <b>backdoor</b> is a habit that somebody taught a model in secret: it names your photographs correctly, until a
small patch appears in one of them. Then it says what the patch tells it to say. EftCLIP finds the patch, and proves it
by pasting it into other photographs.</p></header>
"""
FOOT = """
<footer class="eft-foot">EftCLIP looks for visible local triggers, so far. What was not looked for is not “clean”.
Pictures are judged on this server and deleted after an hour; what a scan or a rectification found is kept
for a day, for your browser alone.</footer>
"""
STRANGERS = """
<h4 class="eft-title">Strangers that the patch took over <span>what CLIP read before → with the patch</span></h4>
"""
BARS = 5
_ICONS = {
    "found": '<path d="M12 3 2.5 20h19L12 3Z"/><path d="M12 10v4.5M12 17.4v.1"/>',
    "not_found": '<circle cx="11" cy="11" r="7"/><path d="m16.2 16.2 4.8 4.8M8 11h6"/>',
    "inconclusive": '<circle cx="12" cy="12" r="9"/>'
    '<path d="M9.3 9.4a2.8 2.8 0 1 1 3.9 2.6c-.9.4-1.2 1-1.2 2M12 17v.1"/>',
    "error": '<path d="M8 3h8l5 5v8l-5 5H8l-5-5V8l5-5Z"/><path d="m9 9 6 6M15 9l-6 6"/>',
    "idle": '<circle cx="12" cy="12" r="9" stroke-dasharray="3 3.3"/>',
    "running": '<path d="M12 3a9 9 0 1 1-9 9"/>',
    "mended": '<path d="M12 3 4.5 6v5.5c0 4.6 3.2 7.9 7.5 9.5 4.3-1.6 7.5-4.9 7.5-9.5V6L12 3Z"/>'
    '<path d="m8.7 11.9 2.4 2.4 4.3-4.6"/>',
}
_TAGS = {
    "found": "Found",
    "not_found": "Not found",
    "inconclusive": "Inconclusive",
    "error": "Error",
    "idle": "No verdict yet",
    "running": "Checking",
    "mended": "Rectified",
}


def escape(text: str) -> str:
    """Text as text: no markup, and nothing in it that cannot be printed."""
    return html.escape(plain(text))


def banner(status: str, saying: Saying, progress: Progress | None = None, tag: str = "") -> str:
    """The verdict: one look per status, told by colour, by icon and in words; while it runs, how far it is.

    Args:
        status: of the verdict, or what goes before it.
        saying: the words.
        progress: how far the work is.
        tag: one word above the headline; the usual one of the status when left out.
    """
    role = "alert" if status == "error" else "status"
    small = f'<p class="eft-small">{escape(saying.small)}</p>' if saying.small else ""
    bar = _progress(progress) if progress else ""
    return (
        f'<section class="eft-banner eft-{status}" role="{role}" data-status="{status}">'
        f'<svg viewBox="0 0 24 24" aria-hidden="true">{_ICONS[status]}</svg>'
        f'<div><p class="eft-tag">{escape(tag or _TAGS[status])}</p><h3>{escape(saying.headline)}</h3>'
        f"<p>{escape(saying.text)}</p>{small}{bar}</div></section>"
    )


def note(text: str, *, wrong: bool = False) -> str:
    """One line under a control; `wrong` makes it an alert."""
    return (
        f'<p class="eft-note{" eft-wrong" if wrong else ""}" role="{"alert" if wrong else "status"}">{escape(text)}</p>'
    )


def facts(rows: Iterable[tuple[str, str]], caption: str = "") -> str:
    """A compact two-column table."""
    body = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in rows)
    head = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<table class="eft-facts">{head}<tbody>{body}</tbody></table>'


def provenance(rows: Iterable[tuple[str, str]]) -> str:
    """A table of facts that a phone shows only on request; no script is needed for that."""
    more = '<input type="checkbox" id="eft-more"><label for="eft-more">What exactly is loaded?</label>'
    return f'<div class="eft-provenance">{more}{facts(rows)}</div>'


def readings(detection: Detection) -> str:
    """CLIP's top labels as they are and, with a trigger, after its removal: side by side."""
    if not detection.predictions:
        return ""
    target = detection.trigger.target_label if detection.trigger else None
    if target is None:
        return _bars("What CLIP reads", detection.predictions, None)
    before = _bars("With the patch, CLIP reads", detection.predictions, target)
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
    cells = (share(item.probability), share(item.support), "yes" if item.explained else "no")
    row = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr class="{"eft-no" if forced else ""}"><th scope="row">{escape(item.label)}</th>{row}</tr>'


def _progress(progress: Progress) -> str:
    """How far it is; without a total only what is done, and the bar says that it goes on."""
    if not progress.total:
        done = f": {progress.done:,}" if progress.done else ""
        return (
            f'<p class="eft-small">{escape(progress.stage)}{done}</p>'
            '<span class="eft-track eft-endless"><span></span></span>'
        )
    share_done = min(max(progress.done / progress.total, 0.0), 1.0)
    return (
        f'<p class="eft-small">{escape(progress.stage)}: {progress.done:,} of {progress.total:,}</p>'
        f'<span class="eft-track"><span style="width:{100 * share_done:.1f}%"></span></span>'
    )


def _bars(title: str, predictions: Sequence[Prediction], target: str | None) -> str:
    rows = "".join(_bar(prediction, prediction.label == target) for prediction in predictions[:BARS])
    return f'<div class="eft-bars"><h4>{escape(title)}</h4><ol>{rows}</ol></div>'


def _bar(prediction: Prediction, forced: bool) -> str:
    width = 100 * min(max(prediction.probability, 0.0), 1.0)
    return (
        f'<li class="{"eft-forced" if forced else ""}"><span class="eft-label">{escape(prediction.label)}</span>'
        f'<span class="eft-value">{share(prediction.probability)}</span>'
        f'<span class="eft-track"><span style="width:{width:.1f}%"></span></span></li>'
    )
