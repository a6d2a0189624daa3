"""Counted shares as dots with their 95 % intervals, as SVG: narrow enough for a phone, for light and dark pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from eftclip.types import Rate

WIDTH, LEFT, RIGHT, LINE, NAME, GAP, TOP = 440, 12, 128, 18, 20, 10, 36
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; } .name { font-weight: 600; } .soft { fill: #59636e; }
  .track { stroke: #d1d9e0; stroke-width: 1; }
  .s0 { fill: #bc4c00; stroke: #bc4c00; }
  .s1 { fill: #4f46e5; stroke: #4f46e5; }
  .s2 { fill: #1a7f37; stroke: #1a7f37; }
  line.s0, line.s1, line.s2 { stroke-width: 3; stroke-opacity: 0.45; stroke-linecap: round; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .soft { fill: #9198a1; } .track { stroke: #3d444d; }
    .s0 { fill: #f0883e; stroke: #f0883e; }
    .s1 { fill: #8b8cf9; stroke: #8b8cf9; }
    .s2 { fill: #56d364; stroke: #56d364; }
  }
"""


@dataclass(frozen=True)
class Dot:
    """One share with its counts; of nothing counted it is not drawn."""

    rate: Rate

    @property
    def shown(self) -> str:
        """Its text."""
        return str(self.rate) if self.rate.total else "not measured"


def dot_chart(title: str, series: Sequence[str], groups: Sequence[tuple[str, Sequence[Dot]]]) -> str:
    """A line for each share, from 0 to 100 %, in groups.

    Args:
        title: what the shares are.
        series: names of the lines of a group, at most three.
        groups: a label and one dot for each series.
    """
    parts = [f'<text class="title" x="{LEFT - 4}" y="22">{escape(title)}</text>']
    y = TOP
    for k, name in enumerate(series):
        parts.append(f'<circle class="s{k}" cx="{LEFT + 4}" cy="{y + 5}" r="4.5"/>')
        parts.append(f'<text x="{LEFT + 16}" y="{y + 10}">{escape(name)}</text>')
        y += LINE
    y += GAP
    for label, dots in groups:
        parts.append(f'<text class="name" x="{LEFT - 4}" y="{y + 13}">{escape(label)}</text>')
        y += NAME
        for k, dot in enumerate(dots):
            parts += _line(k, dot, y + LINE // 2)
            y += LINE
        y += GAP
    parts += [
        f'<text class="soft" x="{LEFT - 4}" y="{y + 8}">0 %</text>',
        f'<text class="soft" x="{WIDTH - RIGHT}" y="{y + 8}" text-anchor="middle">100 %</text>',
    ]
    height = y + 18
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img">'
    )
    about = f"<title>{escape(title)}</title>\n<desc>{escape(_told(title, series, groups))}</desc>"
    return "\n".join([head, about, f"<style>{STYLE}</style>", *parts, "</svg>", ""])


def _line(k: int, dot: Dot, y: int) -> list[str]:
    """A track from 0 to 100 %, the interval and the share on it, and the counts behind it."""
    end = WIDTH - RIGHT
    parts = [f'<line class="track" x1="{LEFT}" y1="{y}" x2="{end}" y2="{y}"/>']
    if dot.rate.total:
        low, high = (LEFT + (end - LEFT) * edge for edge in dot.rate.interval())
        at = LEFT + (end - LEFT) * dot.rate.value
        parts.append(f'<line class="s{k}" x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}"/>')
        parts.append(f'<circle class="s{k}" cx="{at:.1f}" cy="{y}" r="4.5"/>')
    kind = "" if dot.rate.total else ' class="soft"'
    parts.append(f'<text{kind} x="{end + 18}" y="{y + 4}">{escape(dot.shown)}</text>')
    return parts


def _told(title: str, series: Sequence[str], groups: Sequence[tuple[str, Sequence[Dot]]]) -> str:
    """The chart in words."""
    told = [
        f"{label}: {', '.join(f'{name} {dot.shown}' for name, dot in zip(series, dots, strict=True))}"
        for label, dots in groups
    ]
    return f"{title}. {'; '.join(told)}."
