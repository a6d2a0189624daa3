"""What all documents are made of: plain values from ours, and text that is harmless wherever it comes from."""

import math
import re
from collections.abc import Mapping
from typing import Any

from eftclip.types import KINDS, Account, CheckpointRef, Rate, Sanity, Searched
from eftclip.untrusted_text import plain

SCHEMA_VERSION = 1
ALGORITHMS = {"eftclip": "EftCLIP's own", "paper": "the paper's Algorithm 1 as published"}  # documents of old name none
Document = dict[str, Any]


def checkpoint(ref: CheckpointRef) -> Document:
    """Provenance of weights."""
    return {
        "source": ref.source,
        "repo_id": ref.repo_id,
        "revision": ref.revision,
        "file": ref.file,
        "sha256": ref.sha256,
        "format": ref.format,
        "layout": ref.layout,
        "architecture": ref.architecture,
        "remark": ref.remark,
    }


def kinds(found: Mapping[str, Searched]) -> Document:
    """For each kind of trigger what came of the search for it."""
    return {kind: outcome.value for kind, outcome in found.items()}


def kinds_line(document: Mapping[str, str]) -> str:
    """The `kinds` of a document as a sentence or two: what was searched, with what result, and what was not."""
    outcomes = {"found": "found", "none": "none", "undecided": "not decided"}
    told = [f"{KINDS[kind]} ({outcomes[how]})" for kind, how in document.items() if how in outcomes]
    others = [KINDS[kind] for kind, how in document.items() if how not in outcomes]
    lines = [f"Searched: {', '.join(told)}."] if told else []
    return " ".join([*lines, *([f"Not searched: {', '.join(others)}."] if others else [])])


def algorithm_line(settings: Mapping[str, Any]) -> str:
    """A line of a report: which algorithm judged each picture, of the settings of the detector."""
    return f"* **Algorithm:** {ALGORITHMS[settings.get('algorithm', 'eftclip')]}"


def pinned_source(document: Document) -> str:
    """Where the checkpoint of a document came from, as `load_clip` takes it: on the Hub, the very commit."""
    told = document["checkpoint"]
    return f"hf:{told['repo_id']}@{told['revision']}" if told["repo_id"] else str(told["source"])


def sanity(found: Sanity) -> Document:
    """Whether a checkpoint works."""
    return {
        "ok": found.ok,
        "reason": found.reason,
        "normalisation": found.normalisation,
        "clean": rate(found.clean),
    }


def account(found: Account) -> Document:
    """What became of everything that a source holds, without names: those are in `faults`, which is never published."""
    return {
        "held": found.held,
        "read": found.read,
        "judged": found.judged,
        "alike": found.alike,
        "left_out": [{"reason": item.reason, "count": item.count} for item in found.left_out],
        "unread": found.unread,
        "allowed_unread": found.allowed,
    }


def rate(measured: Rate) -> Document:
    """Counts with their 95 % interval."""
    low, high = measured.interval()
    return {"hits": measured.hits, "total": measured.total, "low": number(low), "high": number(high)}


def number(value: float) -> float | None:
    """Six decimals; JSON has no word for what is not a number."""
    return round(value, 6) if math.isfinite(value) else None


def size(count: int) -> str:
    """A number of bytes for people: `402 B`, `261 kB`, `14.5 MB`, `1.71 GB`."""
    for unit, power in (("GB", 9), ("MB", 6), ("kB", 3)):
        if count >= 10**power:
            return f"{count / 10**power:.3g} {unit}"
    return f"{count} B"


def share(measured: Document) -> str:
    """A rate of a document for people: `23 of 24 (80 % to 99 %)`; without counts only those."""
    counts = f"{measured['hits']:,} of {measured['total']:,}"
    return f"{counts} ({measured['low']:.0%} to {measured['high']:.0%})" if measured["total"] else counts


def escape(text: str) -> str:
    """Text of the user's, made harmless in Markdown: one line, no markup, no HTML, no links."""
    flat = plain(" ".join(text.split()))
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    flat = flat.replace("://", "&colon;//").replace("www.", "www&period;")
    return re.sub(r"([\\`*_\[\]#|!~$])", r"\\\1", flat)
