"""Values to HTML; every text that a visitor or a checkpoint can influence is escaped here."""

import html
from collections.abc import Iterable, Sequence

from eftclip.untrusted_text import plain


def escape(text: str) -> str:
    """Text as text: no markup, and nothing in it that cannot be printed."""
    return html.escape(plain(text))


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


def facts_on_request(rows: Iterable[tuple[str, str]]) -> str:
    """A table of facts that a phone shows only on request; no script is needed for that."""
    more = '<input type="checkbox" id="eft-more"><label for="eft-more">What exactly is loaded?</label>'
    return f'<div class="eft-provenance">{more}{facts(rows)}</div>'


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


def basis_note(text: str) -> str:
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
    return f'<pre class="eft-code">{chr(10).join(map(escape, lines))}</pre>'


def link(url: str, text: str) -> str:
    """An address that can be followed; nothing but the web's own is one."""
    address = escape(url) if url.startswith(("https://", "http://")) else ""
    return f'<p class="eft-link"><a href="{address}" target="_blank" rel="noopener">{escape(text)}</a></p>'


def _row(cells: Sequence[str]) -> str:
    first, *rest = cells
    return f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>'
