"""What a result file says, as text for a table."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Document = dict[str, Any]
ROOT = Path(__file__).resolve().parents[3]
RESULTS = ROOT / "examples" / "results"


def read(name: str) -> Document:
    """A result file by its name without `.json`."""
    document: Document = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return document


def counts(rate: Document) -> str:
    """`27 of 28`."""
    return f"{rate['hits']:,} of {rate['total']:,}"


def share(rate: Document) -> float:
    """Hits by total; 0 of nothing is 0."""
    return float(rate["hits"] / rate["total"]) if rate["total"] else 0.0


def percent(value: float | Document, decimals: int = 1) -> str:
    """A share or a count as `96.4 %`."""
    return f"{100 * (share(value) if isinstance(value, dict) else value):.{decimals}f} %"


def number(value: float, decimals: int = 0) -> str:
    """`1,443` or `24.2`."""
    return f"{value:,.{decimals}f}"


def names(texts: Iterable[str], nothing: str = "none") -> str:
    """`a, b`, or that there are none."""
    return ", ".join(texts) or nothing


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines).replace("|  |", "| |")


def commits(document: Document) -> str:
    """The commit that a file was measured at; a file that was measured part by part names those that differ."""
    if "commit" in document:
        return f"`{document['commit']}`"
    parts = {name: part["commit"] for name, part in document["checkpoints"].items()}
    first = next(iter(parts.values()))
    others = [f"`{name}`: `{commit}`" for name, commit in parts.items() if commit != first]
    return f"`{first}`" + (f" ({', '.join(others)})" if others else "")


def made_by(name: str) -> str:
    """The line below a heading: which file, measured at which commit, by which command."""
    document = read(name)
    command = re.sub(r" --out \S+", "", document["command"])
    return f"From [`{name}.json`]({name}.json), measured at commit {commits(document)}, by `{command}`."
