"""A rectification as the page shows it, while it goes on and when it is done: pictures, HTML and files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from eftclip.report import Document
from eftclip.runtime import Progress
from eftclip.types import Evaluation, RunRecord, TuningStep
from eftclip.ui.components import html
from eftclip.ui.components.banner import banner, running_banner
from eftclip.ui.components.pictures import Captioned, to_image
from eftclip.ui.rectify import html as rectify_html
from eftclip.ui.rectify import texts
from eftclip.ui.rectify.html import Measure
from eftclip.ui.scan.view import families

TUNING = "Rectifying"  # the stage that has a curve


@dataclass(frozen=True)
class RectifyProgress:
    """How far a rectification is.

    Attributes:
        progress: of the stage.
        labels: that are known to be forced.
        steps: looks at the held-out pictures.
    """

    progress: Progress
    labels: tuple[str, ...] = ()
    steps: tuple[TuningStep, ...] = ()


@dataclass(frozen=True)
class RectifyView:
    """Everything that a finished rectification puts on the page; what is empty is not shown.

    Attributes:
        status: `mended`, or a value of `Status`.
        banner, curve, families, measures, details, weights: HTML.
        reread_victims: poisoned pictures with captions.
        checkpoint: path of the packed checkpoint.
        document: path of the JSON.
        problem: why it could not be done, one sentence; empty where it was.
    """

    status: str
    banner: str
    curve: str = ""
    families: str = ""
    measures: str = ""
    reread_victims: tuple[Captioned, ...] = ()
    details: str = ""
    weights: str = ""
    checkpoint: str | None = None
    document: str | None = None
    problem: str = ""


def refused(reason: str) -> RectifyView:
    """The rectification could not be done."""
    return RectifyView("error", banner("error", texts.failed(reason)), problem=reason)


def stopped(steps: Sequence[TuningStep] = (), last: int = 1) -> RectifyView:
    """The rectification was stopped; what was seen of it stays."""
    curve = rectify_html.curve(steps, last) if steps else ""
    return RectifyView("inconclusive", banner("inconclusive", texts.stopped()), curve=curve)


def running(news: RectifyProgress | None, text: str, last: int) -> tuple[str, str]:
    """Banner and curve while a rectification goes on.

    Args:
        news: how far it is; None before the first news.
        text: what it works with.
        last: steps that may be done.
    """
    labels = news.labels if news else ()
    banner = running_banner(texts.running(text, labels), news.progress if news else None, "Rectifying")
    tuning = news is not None and (news.steps or news.progress.stage == TUNING)
    return banner, rectify_html.curve(news.steps, last) if news and tuning else ""


def finished(record: RunRecord, document: Document, name: str, *, scanned: bool) -> RectifyView:
    """A finished rectification, ready for the page; its files are added by whoever writes them.

    Args:
        record: of the rectification.
        document: the same as a document.
        name: of the folder in which the mended checkpoint lies.
        scanned: the triggers are those of a scan, which has shown them.
    """
    status, message = texts.finished(record)
    done, config = record.rectified, record.configs["rectify"]
    last = config["steps"]
    shown = RectifyView(
        status=status,
        banner=banner(status, message),
        curve=rectify_html.curve(done.history, int(str(last))) if done and done.history else "",
        families="" if scanned or not record.identification else families(record.identification),
        details=_details(document),
    )
    if record.before is None or record.after is None or done is None or done.sha256 is None:
        return shown
    return replace(
        shown,
        measures=_measures(record.before, record.after),
        reread_victims=tuple((to_image(w.image), f"{w.before.label} → {w.after.label}") for w in record.reread_victims),
        weights=_weights(name, done.sha256),
    )


def _measures(before: Evaluation, after: Evaluation) -> str:
    rows = [
        Measure(name, meaning, getattr(before, attribute), getattr(after, attribute))
        for attribute, name, meaning in texts.measure_texts(before)
    ]
    told = html.title("Before and after", f"measured on {before.pictures}") + rectify_html.measures(rows)
    if len(before.per_target) > 1:
        pairs = zip(before.per_target, after.per_target, strict=True)
        targets = [(label, str(attack), str(mended)) for (label, attack, _), (_, mended, _) in pairs]
        told += html.table(("ASR by forced label", "before", "after"), targets)
    return told + html.sentences(after.warnings)


def _details(document: Document) -> str:
    """What it took."""
    rows = [
        (
            texts.STAGES.get(cost["stage"], cost["stage"]),
            f"{cost['seconds']:.1f} s",
            "–" if cost["peak_mb"] is None else f"{cost['peak_mb']:,.0f} MB",
            _pictures(cost),
        )
        for cost in document["costs"]
    ]
    took = html.table(("stage", "time", "memory", "pictures"), rows) if rows else ""
    told = _method(document) + took
    return html.folded("What it took", told) if told else ""


def _method(document: Document) -> str:
    """Which method it was, and what it did before the first step."""
    done = document.get("rectified")
    if done is None:
        return ""
    origin = texts.from_outside(done.get("origin", ""))
    told = (f"Method {done['method']}: {done['about']}{origin}.", done["remark"])
    return html.sentences([sentence for sentence in told if sentence])


def _pictures(cost: Document) -> str:
    """What went through the checkpoint; a stage of which that was not counted has none."""
    if cost["image_steps"]:
        return f"{cost['image_steps']:,} trained on"
    return f"{cost['image_forwards']:,} read" if cost["image_forwards"] else "–"


def _weights(name: str, sha256: str) -> str:
    rows = [("weights, sha256", sha256), ("folder in the archive", name)]
    lines = ("import open_clip", f'model, preprocess = open_clip.create_model_from_pretrained("local-dir:{name}")')
    return html.title("The mended checkpoint") + html.facts(rows) + html.code(lines)
