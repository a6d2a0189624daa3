"""Scans and rectifications to HTML; as in `markup`, every text is escaped here, whoever wrote it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eftclip.runtime import Progress
from eftclip.types import Rate, TuningStep
from eftclip.ui.check.texts import Saying, share
from eftclip.ui.components.html import banner, escape


@dataclass(frozen=True)
class FamilyCard:
    """A trigger family for showing.

    Attributes:
        pictures: its exemplars as data URIs, the first one is shown large.
        label: what it forces.
        facts: sentences.
    """

    pictures: tuple[str, ...]
    label: str
    facts: tuple[str, ...]


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


def families(cards: Iterable[FamilyCard]) -> str:
    """Each trigger with its pixels enlarged, what it forces and what proves it."""
    return f'<div class="eft-families">{"".join(_family(card) for card in cards)}</div>'


def title(text: str, more: str = "") -> str:
    """A heading over a part of the results."""
    return f'<h4 class="eft-title">{escape(text)} <span>{escape(more)}</span></h4>'


def chips(name: str, texts: Sequence[str]) -> str:
    """A few labels in a row."""
    each = "".join(f'<li class="eft-chip">{escape(text)}</li>' for text in texts)
    return f'<div class="eft-chips"><span>{escape(name)}</span><ul>{each}</ul></div>'


def sentences(texts: Iterable[str]) -> str:
    """Small paragraphs."""
    return "".join(f'<p class="eft-note">{escape(text)}</p>' for text in texts)


def basis(text: str) -> str:
    """What the next step would work with."""
    return f'<p class="eft-note eft-basis" role="status">{escape(text)}</p>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Several columns; the first cell of a row is its heading."""
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    about = f"<caption>{escape(caption)}</caption>" if caption else ""
    body = "".join(_row(row) for row in rows)
    return (
        f'<div class="eft-wide"><table class="eft-facts eft-rows">{about}<thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def folded(summary: str, inner: str) -> str:
    """What is shown on request; `inner` is HTML of ours."""
    return (
        f'<details class="eft-more"><summary>{escape(summary)}</summary><div class="eft-scroll">{inner}</div></details>'
    )


def code(lines: Sequence[str]) -> str:
    """Lines to copy."""
    return f'<pre class="eft-code">{escape(chr(10).join(lines))}</pre>'


def link(url: str, text: str) -> str:
    """An address that can be followed; nothing but the web's own is one."""
    address = escape(url) if url.startswith(("https://", "http://")) else ""
    return f'<p class="eft-link"><a href="{address}" target="_blank" rel="noopener">{escape(text)}</a></p>'


def running(saying: Saying, progress: Progress | None, tag: str) -> str:
    """The banner while long work goes on."""
    return banner("running", saying, progress, tag)


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


def _family(card: FamilyCard) -> str:
    large = f'<img class="eft-pixels" src="{escape(card.pictures[0])}" alt="the trigger, enlarged">'
    small = "".join(f'<img class="eft-pixels" src="{escape(uri)}" alt="">' for uri in card.pictures[1:])
    facts = "".join(f"<li>{escape(fact)}</li>" for fact in card.facts)
    return (
        f'<article class="eft-family"><div class="eft-patch">{large}</div><div>'
        f'<h4>forces “<b>{escape(card.label)}</b>”</h4><ul>{facts}</ul><div class="eft-small-patches">{small}</div>'
        "</div></article>"
    )


def _row(cells: Sequence[str]) -> str:
    first, *rest = cells
    return f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>'


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
        f'<span class="eft-value"><b>{share(rate.value)}</b> {rate.hits} of {rate.total}</span></div>'
    )
