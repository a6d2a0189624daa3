"""Leaderboards as Markdown and as charts: the same rows as on the app's benchmark page."""

from collections.abc import Iterable, Sequence
from textwrap import fill

from eftclip.benchmark import BOARDS, Leaderboard, Row
from eftclip.types import Rate
from examples.build.results_page.dots import Dot, dot_chart
from examples.build.results_page.values import RESULTS, Document, read, table

WIDTH = 118


def documents(beginning: str) -> dict[str, Document]:
    """Every result file whose name begins so, by its name without `.json`."""
    return {path.stem: read(path.stem) for path in sorted(RESULTS.glob(f"{beginning}*.json"))}


def boards(beginning: str) -> tuple[Leaderboard, ...]:
    """The leaderboards of these files."""
    measured = documents(beginning)
    return tuple(make(measured) for make in BOARDS[beginning])


def markdown_table(board: Leaderboard) -> str:
    """The columns that matter most; the best of each group is bold, checkpoints are code."""
    columns, best = [column for column in board.columns if column.brief], board.best()
    rows = []
    for k, row in enumerate(board.rows):
        texts = [
            f"`{row.cell(column.key).text}`" if column.key == "checkpoint" else row.cell(column.key).text
            for column in columns
        ]
        marks = ["**" if (k, column.key) in best else "" for column in columns]
        rows.append([f"{mark}{text}{mark}" for mark, text in zip(marks, texts, strict=True)])
    return table([column.head for column in columns], rows)


def prose(sentences: Iterable[str]) -> str:
    """Sentences of a leaderboard as one paragraph, broken as this repository breaks lines."""
    return fill(" ".join(sentences), WIDTH, break_long_words=False, break_on_hyphens=False)


def pooled_chart(board: Leaderboard, title: str, series: Sequence[str]) -> str:
    """The counts of each method over all checkpoints, one line for each series, with Wilson's interval.

    Args:
        board: with a column `method`.
        title: of the chart.
        series: keys of columns of rates. One that is the same for all targets of a checkpoint (its clean photographs)
            is counted once for each checkpoint.
    """
    labels = _labels(board)
    names = list(dict.fromkeys(labels))
    heads = {column.key: column.head for column in board.columns}
    groups = []
    for name in names:
        rows = [row for row, label in zip(board.rows, labels, strict=True) if label == name]
        dots = [Dot(_pooled(rows, key)) for key in series]
        if any(dot.rate.total for dot in dots):
            groups.append((name, dots))
    return dot_chart(title, [heads[key] for key in series], groups)


def _labels(board: Leaderboard) -> list[str]:
    """The method of each row, with its learning rate where it was tried with several."""
    rates: dict[str, set[str]] = {}
    for row in board.rows:
        rates.setdefault(row.cell("method").text, set()).add(row.cell("learning_rate").text)
    words = [(row.cell("method").text, row.cell("learning_rate").text) for row in board.rows]
    return [f"{name}, {pace}" if len(rates[name]) > 1 else name for name, pace in words]


def _pooled(rows: Iterable[Row], key: str) -> Rate:
    seen, total = set(), Rate(0, 0)
    of_clean = key.startswith("accused")
    for row in rows:
        rate, place = row.cell(key).rate, row.group[:2] if of_clean else row.group
        if rate is not None and place not in seen:
            seen.add(place)
            total += rate
    return total


def alternative(svg: str) -> str:
    """What a chart says, for whoever cannot see it."""
    return svg.partition("<desc>")[2].partition("</desc>")[0]
