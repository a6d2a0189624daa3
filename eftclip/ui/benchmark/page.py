"""The whole page as one document: nothing else is asked for when it is shown."""

import base64
import hashlib
import xml.etree.ElementTree as ElementTree
from functools import cache
from pathlib import Path

from eftclip.benchmark import Section, read_sections
from eftclip.ui.benchmark import texts
from eftclip.ui.benchmark.table import paragraphs, prose, section
from eftclip.ui.components.html import escape
from eftclip.ui.theme import CSS

HERE = Path(__file__).parent
MOST_CHART = 2_000_000  # bytes
SVG = "{http://www.w3.org/2000/svg}"


@cache
def _script() -> str:
    return (HERE / "benchmark.js").read_text(encoding="utf-8")


def policy() -> str:
    """What a browser may do for this page: run its one script, show what is in it, and ask nobody for anything."""
    digest = base64.b64encode(hashlib.sha256(_script().encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def benchmark_page(folder: Path) -> str:
    """The page of the result files in a folder, which need not be there.

    Args:
        folder: with result files and their charts.
    """
    sections = read_sections(folder) if folder.is_dir() else []
    body = "".join(_shown(one, folder) for one in sections) or _alert((texts.NO_FILES,))
    style = CSS.read_text(encoding="utf-8") + (HERE / "benchmark.css").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{texts.TITLE}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
<script>{_script()}</script>
</head>
<body>
<main class="gradio-container">
<header class="eft-head"><p class="eft-brand">EftCLIP</p><h1>{texts.HEAD}</h1><p>{prose(texts.INTRODUCTION)}</p>
<p class="eft-link"><a href="./" id="back">{texts.BACK}</a></p></header>
{body}
<footer class="eft-foot">{texts.FOOT}</footer>
</main>
</body>
</html>
"""


def _shown(one: Section, folder: Path) -> str:
    """Its leaderboards, the chart with the first of them, and a sentence for each file that could not be read."""
    chart = _chart(folder / f"{one.name}.svg")
    boards = "".join(section(board, "" if k else chart) for k, board in enumerate(one.boards))
    return (_alert(tuple(texts.FAULT.format(fault) for fault in one.faults)) if one.faults else "") + boards


def _alert(sentences: tuple[str, ...]) -> str:
    return f'<div class="eft-card eft-fault" role="alert">{paragraphs(sentences)}</div>'


def _chart(path: Path) -> str:
    """A chart as an image, which runs nothing, with what it says in words; nothing where there is none."""
    try:
        data = path.read_bytes()
        root = ElementTree.fromstring(data) if len(data) <= MOST_CHART else None
    except (OSError, ElementTree.ParseError):
        return ""
    if root is None or root.tag != f"{SVG}svg":
        return ""
    told = root.findtext(f"{SVG}desc") or root.findtext(f"{SVG}title") or ""
    address = f"data:image/svg+xml;base64,{base64.b64encode(data).decode()}"
    return f'<img class="eft-chart" src="{address}" alt="{escape(told)}">'
