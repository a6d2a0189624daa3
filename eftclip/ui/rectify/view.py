"""A rectification as the page shows it, while it goes on and when it is done: pictures, HTML and files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from eftclip.report import Document
from eftclip.runtime import Progress
from eftclip.types import Evaluation, RunRecord, TuningStep
from eftclip.ui.check.photographs import to_image
from eftclip.ui.components import html as markup
from eftclip.ui.rectify import html as run_markup
from eftclip.ui.rectify.html import Measure
from eftclip.ui.scan import texts as run_words
from eftclip.ui.scan.view import Captioned, families

TUNING = "Rectifying"  # the stage that has a curve


@dataclass(frozen=True)
class RectifyNews:
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
class RectifyShown:
    """Everything that a finished rectification puts on the page; what is empty is not shown.

    Attributes:
        status: `mended`, or a value of `Status`.
        banner, curve, families, measures, details, weights: HTML.
        witnesses: poisoned pictures with captions.
        checkpoint: path of the packed checkpoint.
        document: path of the JSON.
        problem: why it could not be done, one sentence; empty where it was.
    """

    status: str
    banner: str
    curve: str = ""
    families: str = ""
    measures: str = ""
    witnesses: tuple[Captioned, ...] = ()
    details: str = ""
    weights: str = ""
    checkpoint: str | None = None
    document: str | None = None
    problem: str = ""


def rectify_refused(reason: str) -> RectifyShown:
    """The rectification could not be done."""
    return RectifyShown("error", markup.banner("error", run_words.failed_rectification(reason)), problem=reason)


def rectify_stopped(steps: Sequence[TuningStep] = (), last: int = 1) -> RectifyShown:
    """The rectification was stopped; what was seen of it stays."""
    banner = markup.banner("inconclusive", run_words.stopped_rectification())
    return RectifyShown("inconclusive", banner, curve=run_markup.curve(steps, last) if steps else "")


def rectify_running(news: RectifyNews | None, text: str, last: int) -> tuple[str, str]:
    """Banner and curve while a rectification goes on.

    Args:
        news: how far it is; None before the first news.
        text: what it works with.
        last: steps that may be done.
    """
    labels = news.labels if news else ()
    banner = run_markup.running(run_words.rectifying(text, labels), news.progress if news else None, "Rectifying")
    tuning = news is not None and (news.steps or news.progress.stage == TUNING)
    return banner, run_markup.curve(news.steps, last) if news and tuning else ""


def rectify_shown(record: RunRecord, document: Document, name: str, *, scanned: bool) -> RectifyShown:
    """A finished rectification, ready for the page; its files are added by whoever writes them.

    Args:
        record: of the rectification.
        document: the same as a document.
        name: of the folder in which the mended checkpoint lies.
        scanned: the triggers are those of a scan, which has shown them.
    """
    status, saying = run_words.rectified(record)
    done, config = record.rectified, record.configs["rectify"]
    last = config["steps"]
    shown = RectifyShown(
        status=status,
        banner=markup.banner(status, saying),
        curve=run_markup.curve(done.history, int(str(last))) if done and done.history else "",
        families="" if scanned or not record.identification else families(record.identification),
        details=_details(document),
    )
    if record.before is None or record.after is None or done is None or done.sha256 is None:
        return shown
    return replace(
        shown,
        measures=_measures(record.before, record.after),
        witnesses=tuple((to_image(w.image), f"{w.before.label} → {w.after.label}") for w in record.witnesses),
        weights=_weights(name, done.sha256),
    )


def _measures(before: Evaluation, after: Evaluation) -> str:
    rows = [
        Measure(name, meaning, getattr(before, attribute), getattr(after, attribute))
        for attribute, name, meaning in run_words.measures(before)
    ]
    told = run_markup.title("Before and after", f"measured on {before.pictures}") + run_markup.measures(rows)
    if len(before.per_target) > 1:
        pairs = zip(before.per_target, after.per_target, strict=True)
        targets = [(label, str(attack), str(mended)) for (label, attack, _), (_, mended, _) in pairs]
        told += run_markup.table(("ASR by forced label", "before", "after"), targets)
    return told + run_markup.sentences(after.warnings)


def _details(document: Document) -> str:
    """What it took."""
    rows = [
        (
            run_words.STAGES.get(cost["stage"], cost["stage"]),
            f"{cost['seconds']:.1f} s",
            "–" if cost["peak_mb"] is None else f"{cost['peak_mb']:,.0f} MB",
            _pictures(cost),
        )
        for cost in document["costs"]
    ]
    if not rows:
        return ""
    return run_markup.folded("What it took", run_markup.table(("stage", "time", "memory", "pictures"), rows))


def _pictures(cost: Document) -> str:
    """What went through the checkpoint; a stage of which that was not counted has none."""
    if cost["image_steps"]:
        return f"{cost['image_steps']:,} trained on"
    return f"{cost['image_forwards']:,} read" if cost["image_forwards"] else "–"


def _weights(name: str, sha256: str) -> str:
    rows = [("weights, sha256", sha256), ("folder in the archive", name)]
    lines = ("import open_clip", f'model, preprocess = open_clip.create_model_from_pretrained("local-dir:{name}")')
    return run_markup.title("The mended checkpoint") + markup.facts(rows) + run_markup.code(lines)
