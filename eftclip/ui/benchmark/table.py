"""A leaderboard as HTML."""

import re
from collections.abc import Iterable

from eftclip.benchmark import Cell, Column, Leaderboard, Row, Source
from eftclip.ui.benchmark import texts
from eftclip.ui.components.html import escape

EMPHASIS = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<b>\1</b>"),
    (re.compile(r"\*([^*]+)\*"), r"<i>\1</i>"),
)


def prose(text: str) -> str:
    """A sentence with its code and its emphasis; everything else in it is text."""
    shown = escape(text)
    for pattern, mark in EMPHASIS:
        shown = pattern.sub(mark, shown)
    return shown


def paragraphs(sentences: tuple[str, ...]) -> str:
    """A small paragraph for each."""
    return "".join(f'<p class="eft-note">{prose(text)}</p>' for text in sentences)


def section(board: Leaderboard, chart: str) -> str:
    """A card with the table, its chart, and what has to be known.

    Args:
        board: what is shown.
        chart: HTML of its chart, or nothing.
    """
    return (
        f'<section class="eft-card eft-board" id="{board.name}" aria-labelledby="{board.name}-title">'
        f'<h2 id="{board.name}-title">{escape(board.title)}</h2>{paragraphs(board.introduction)}'
        f"{_alike(board)}{_choices(board)}{_table(board)}{chart}{paragraphs(board.remarks)}"
        f"{_folded(texts.COLUMNS, _meanings(board.columns))}{_folded(texts.MODELS, _models(board))}"
        f"<h3>{texts.AGAIN}</h3>{''.join(map(_command, board.sources))}</section>"
    )


def _alike(board: Leaderboard) -> str:
    heads = {column.key: column.head for column in board.columns}
    told = ", ".join(f"{heads[key]} {word}" for key, word in board.alike().items())
    return paragraphs((texts.ALIKE.format(told),)) if told else ""


def _choices(board: Leaderboard) -> str:
    """A list for each column whose words one can choose by; unseen where no script runs."""
    heads = {column.key: column.head for column in board.columns}
    each = "".join(
        f'<label>{escape(heads[key])}<select data-key="{key}"><option value="">{texts.ALL}</option>'
        f"{''.join(f'<option>{escape(word)}</option>' for word in words)}</select></label>"
        for key, words in board.choices().items()
    )
    return f'<div class="eft-choices" hidden>{each}<output aria-live="polite"></output></div>'


def _table(board: Leaderboard) -> str:
    """Without the columns that are alike in all rows, which a sentence tells."""
    best, alike = board.best(), board.alike()
    columns = [column for column in board.columns if column.key not in alike]
    head = "".join(
        f'<th scope="col" data-key="{column.key}" title="{escape(column.about)}"'
        f'{" class=eft-where" if k and column.choice else ""}><button type="button">{escape(column.head)}</button></th>'
        for k, column in enumerate(columns)
    )
    body = "".join(
        f"<tr{'' if row.competes else ' class=eft-aside'}>"
        + _row_head(columns, row, (k, columns[0].key) in best)
        + "".join(_cell(column, row.cell(column.key), (k, column.key) in best) for column in columns[1:])
        + "</tr>"
        for k, row in enumerate(board.rows)
    )
    name = escape(board.title)
    return (
        f'<div class="eft-wide" tabindex="0" role="region" aria-label="{name}"><table class="eft-leaders">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row_head(columns: list[Column], row: Row, best: bool) -> str:
    """The first cell; a phone shows below it where the row was measured, and has no columns for that."""
    first, told = row.cell(columns[0].key).text, list[str]()
    for column in columns[1:]:
        cell = row.cell(column.key)
        if column.choice and cell.measured and not any(cell.text in other for other in (first, *told)):
            told.append(cell.text)  # the name of a checkpoint often says its attack and its tower
    text, place = escape(first), " · ".join(told)
    kind = ' class="eft-best"' if best else ""
    return (
        f'<th scope="row" data-key="{columns[0].key}" data-word="{text}"{kind}>{text}'
        f'<small class="eft-place">{escape(place)}</small></th>'
    )


def _cell(column: Column, cell: Cell, best: bool) -> str:
    """`data-value` is what numbers are sorted by, `data-word` what rows are chosen by."""
    kinds = " ".join(name for name, holds in (("eft-best", best), ("eft-where", column.choice)) if holds)
    kind = f' class="{kinds}"' if kinds else ""
    value = "" if cell.value is None else f' data-value="{cell.value!r}"'
    word = f' data-key="{column.key}" data-word="{escape(cell.text)}"' if column.choice else ""
    return f"<td{word}{value}{kind}>{_rate(cell) if cell.rate else escape(cell.text)}</td>"


def _rate(cell: Cell) -> str:
    """`86 / 100`, and below it the share with its interval."""
    rate = cell.rate
    if rate is None:
        return escape(cell.text)
    between = ""
    if cell.interval:
        low, high = (f"{100 * end:.0f}" for end in cell.interval)
        between = f" ({low}–{high})"
    return f"{rate.hits:,} / {rate.total:,}<small>{100 * rate.value:.0f} %{between}</small>"


def _folded(summary: str, inner: str) -> str:
    return f'<details class="eft-more"><summary>{summary}</summary>{inner}</details>' if inner else ""


def _meanings(columns: tuple[Column, ...]) -> str:
    better = {1: " More is better.", -1: " Fewer is better.", 0: ""}
    return _list((column.head, column.about + better[column.better]) for column in columns)


def _models(board: Leaderboard) -> str:
    return _list(board.models)


def _list(rows: Iterable[tuple[str, str]]) -> str:
    body = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{prose(about)}</td></tr>' for name, about in rows)
    return f'<table class="eft-facts">{body}</table>'


def _command(source: Source) -> str:
    return (
        f'<div class="eft-again"><p class="eft-note">{prose(texts.COMMIT.format(source.file, source.commit))}</p>'
        f'<pre class="eft-code" tabindex="0">{escape(source.command)}</pre>'
        f'<button type="button" class="eft-copy" data-copied="{texts.COPIED}" hidden>{texts.COPY}</button></div>'
    )
