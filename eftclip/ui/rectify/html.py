"""The curve of the fine-tuning and the measures as HTML; every text is escaped here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eftclip.types import Rate, TuningStep
from eftclip.ui.components.html import escape
from eftclip.ui.components.texts import percentage


@dataclass(frozen=True)
class Measure:
    """One measure before and after.

    Attributes:
        name: e.g. `ASR, attack success rate`.
        meaning: what it counts, and which way is better.
        before, after: counts.
    """

    name: str
    meaning: str
    before: Rate
    after: Rate


def curve(steps: Sequence[TuningStep], last: int) -> str:
    """The fine-tuning as it goes: two shares of the held-out pictures over the steps.

    Args:
        steps: looks at the held-out pictures so far.
        last: steps that may be done.
    """
    attack = _line([(step.step, step.attack) for step in steps], last, "eft-line-attack")
    agreement = _line([(step.step, step.agreement) for step in steps], last, "eft-line-keep")
    now = steps[-1] if steps else None
    grid = "".join(f'<line class="eft-grid" x1="0" x2="100" y1="{y}" y2="{y}"/>' for y in (0, 50, 100))
    told = f"step {now.step} of {last}" if now else f"no look yet; at most {last} steps"
    return (
        '<figure class="eft-curve"><figcaption>'
        f"{_key('eft-key-attack', 'taken over by the trigger', now.attack if now else None)}"
        f"{_key('eft-key-keep', 'clean pictures that read as before', now.agreement if now else None)}"
        '</figcaption><div class="eft-plot"><div class="eft-axis"><span>100 %</span><span>50 %</span><span>0 %</span>'
        '</div><svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(_spoken(now))}">{grid}{agreement}{attack}</svg></div>'
        f'<p class="eft-ticks"><span>0</span><span>{escape(told)}</span></p></figure>'
    )


def measures(rows: Iterable[Measure]) -> str:
    """Before and after as bars, each with its 95 % interval and its counts."""
    body = "".join(_measure(row) for row in rows)
    return (
        f'<div class="eft-measures">{body}</div>'
        '<p class="eft-note">The thin line on a bar is its 95 % interval: where the true share may lie.</p>'
    )


def _line(points: Sequence[tuple[int, Rate]], last: int, style: str) -> str:
    """A line with a dot at each look; dots are strokes, so they stay round however the plot is stretched."""
    places = [(100 * step / last, 100 - 100 * rate.value) for step, rate in points if rate.total]
    if not places:
        return ""
    path = " ".join(f"{x:.2f},{y:.2f}" for x, y in places)
    dots = "".join(f'<path class="eft-dot" d="M{x:.2f} {y:.2f}h0"/>' for x, y in places)
    return f'<g class="{style}"><polyline points="{path}"/>{dots}</g>'


def _key(style: str, text: str, rate: Rate | None) -> str:
    told = f": {rate}" if rate is not None and rate.total else ""
    return f'<span class="eft-key {style}">{escape(text)}{told}</span>'


def _spoken(step: TuningStep | None) -> str:
    if step is None:
        return "No look at the held-out pictures yet."
    return (
        f"After step {step.step}, {step.attack} held-out pictures are taken over by the trigger and {step.agreement} "
        "clean ones read as before."
    )


def _measure(row: Measure) -> str:
    bars = _bar("before", row.before) + _bar("after", row.after)
    return (
        f'<section class="eft-measure"><h4>{escape(row.name)}</h4><p class="eft-note">{escape(row.meaning)}</p>'
        f"{bars}</section>"
    )


def _bar(name: str, rate: Rate) -> str:
    if not rate.total:
        return f'<div class="eft-row eft-{name}"><span>{name}</span><span></span><span>not measured</span></div>'
    low, high = (100 * end for end in rate.interval())
    return (
        f'<div class="eft-row eft-{name}"><span>{name}</span><span class="eft-bar">'
        f'<span class="eft-fill" style="width:{100 * rate.value:.1f}%"></span>'
        f'<span class="eft-whisker" style="left:{low:.1f}%;width:{high - low:.1f}%"></span></span>'
        f'<span class="eft-value"><b>{percentage(rate.value)}</b> {rate.hits} of {rate.total}</span></div>'
    )
