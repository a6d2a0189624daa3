"""Bar charts as SVG: the same bytes for the same numbers, readable on light and on dark pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, BAR, GAP, GROUP_GAP, TOP = 760, 190, 120, 14, 3, 12, 64
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .s0 { fill: #bc4c00; } .s1 { fill: #4f46e5; } .s2 { fill: #8250df; fill-opacity: 0.55; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .s0 { fill: #f0883e; } .s1 { fill: #8b8cf9; } .s2 { fill: #bc8cff; }
  }
"""


@dataclass(frozen=True)
class Bar:
    """One bar: its value, and what is written behind it."""

    value: float
    shown: str


def bar_chart(title: str, series: Sequence[str], groups: Sequence[tuple[str, Sequence[Bar]]]) -> str:
    """Horizontal bars in groups.

    Args:
        title: what the bars are.
        series: names of the bars of a group, at most three; one alone is not named.
        groups: a label and one bar for each series.
    """
    longest = max(bar.value for _, bars in groups for bar in bars) or 1.0
    parts, y = [f'<text class="title" x="8" y="24">{escape(title)}</text>', *_legend(series)], TOP
    for label, bars in groups:
        middle = y + len(bars) * (BAR + GAP) / 2 + 3
        parts.append(f'<text x="{LEFT - 8}" y="{middle:.0f}" text-anchor="end">{escape(label)}</text>')
        for k, bar in enumerate(bars):
            width = max(1.0, (WIDTH - LEFT - RIGHT) * bar.value / longest)
            parts.append(f'<rect class="s{k}" x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>')
            parts.append(f'<text x="{LEFT + width + 6:.1f}" y="{y + BAR - 3}">{escape(bar.shown)}</text>')
            y += BAR + GAP
        y += GROUP_GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>", *parts, "</svg>", ""])


def _legend(series: Sequence[str]) -> list[str]:
    if len(series) < 2:
        return []
    parts, x = [], 8
    for k, name in enumerate(series):
        parts.append(f'<rect class="s{k}" x="{x}" y="36" width="12" height="12" rx="2"/>')
        parts.append(f'<text x="{x + 18}" y="47">{escape(name)}</text>')
        x += 40 + 7 * len(name)
    return parts
