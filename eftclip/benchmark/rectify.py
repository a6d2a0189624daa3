"""Rectification methods side by side, from the files of `python -m examples.bench.rivals_rectify`."""

from collections.abc import Iterator, Mapping

from eftclip.benchmark.leaderboard import (
    FEWER,
    MORE,
    POISONED,
    Cell,
    Column,
    Document,
    Leaderboard,
    Row,
    left_out,
    number,
    once,
    rate,
    source,
    words,
)
from eftclip.benchmark.names import short, traits

OURS = "realign"
COLUMNS = (
    Column("method", "method", f"What mends; `{OURS}` is ours.", choice=True),
    Column("checkpoint", "checkpoint", "The model that is mended.", choice=True),
    *POISONED,
    Column("told", "told", "Whether it is given the triggers that a scan found.", choice=True),
    Column("labels", "labels needed", "Whether its photographs need true labels.", choice=True),
    Column("learning_rate", "learning rate", "Of its optimiser."),
    Column("image_steps", "image-steps", "Pictures that it learns from, counted anew in each step.", FEWER),
    Column("seconds", "seconds", "Seconds of one core.", FEWER),
    Column("asr", "ASR", "Triggered photographs that still read as the target, of the worst trigger.", FEWER),
    Column("ca", "CA", "Clean photographs read rightly.", MORE),
    Column("pa", "PA", "Triggered photographs read rightly, of the worst trigger.", MORE),
    Column("kept", "read as before", "Clean photographs read as before mending.", MORE),
    Column("rebound", "rebound", "ASR after clean fine-tuning, of methods that had brought it to a tenth.", FEWER),
)


def methods(documents: Mapping[str, Document]) -> Leaderboard:
    """Every method with the same photographs and at the same cost.

    Args:
        documents: result files by their names without `.json`.
    """
    introduction = (
        *once(text for one in documents.values() for text in _budgets(one)),
        "*Told*: is given the triggers that a scan of other photographs found; the others must do without and are "
        "shown clean photographs with their true labels. Their publications have some 100,000 pictures and many "
        "thousands of steps, so these rows say what is left of them at our cost, not what they can do; the learning "
        "rate is higher than theirs by as much as the file says. *Rebound* is measured where the backdoor had gone. "
        "A row without numbers is a method that could not begin: the scan had found nothing. Seconds are those of one "
        "core. **Bold**: the best of a checkpoint, whoever it is.",
    )
    return Leaderboard(
        "rectify",
        "Rectification methods",
        COLUMNS,
        tuple(row for name, one in documents.items() for row in _rows(name, one)),
        introduction,
        once(text for one in documents.values() for text in (*_remarks(one), *left_out(one, {}))),
        tuple(item for one in documents.values() for item in _models(one)),
        tuple(source(name, one) for name, one in documents.items()),
    )


def _rows(file: str, document: Document) -> Iterator[Row]:
    for name, entry in document["checkpoints"].items():
        known = traits(name)
        kinds = sorted({str(attack["kind"]) for attack in entry["attacks"].values()})
        place = {
            "checkpoint": words(name),
            "attack": words(known.attack or ", ".join(kinds)),
            "tower": words(known.tower),
        }
        yield Row({"method": words("before"), **place, **_outcome(entry["before"])}, (file, name), competes=False)
        for key, one in entry["rows"].items():
            began = "after" in one  # a method whose scan found nothing has a row, too, which says nothing
            cells = _cells(one, entry["rebounds"].get(key)) if began else _about(one)
            yield Row({**place, **cells}, (file, name), competes=began)


def _about(one: Document) -> dict[str, Cell]:
    return {
        "method": words(f"ours ({OURS})" if one["method"] == OURS else str(one["method"])),
        "told": words("yes" if one["told"] else "no"),
        "labels": words("yes" if one["needs_labels"] else "no"),
    }


def _cells(one: Document, rebound: Document | None) -> dict[str, Cell]:
    pace = float(one["learning_rate"])
    return {
        **_about(one),
        "learning_rate": Cell(f"{pace:.0e}".replace("e-0", "e-"), pace),
        "image_steps": number(one["image_steps"]),
        "seconds": number(one["seconds"]),
        **_outcome(one["after"]),
        "kept": rate(one["kept"]),
        "rebound": rate(rebound and rebound["attack_worst"]),
    }


def _outcome(measured: Document) -> dict[str, Cell]:
    return {
        "asr": rate(measured["attack_worst"]),
        "ca": rate(measured["clean"]),
        "pa": rate(measured["poisoned_worst"]),
    }


def _budgets(document: Document) -> Iterator[str]:
    settings = document["settings"]
    yield (
        f"Every method with the same 64 photographs and {settings['image_steps']:,} image-steps after what it does "
        f"before the first one, measured on {settings['measured']:,} others."
    )
    found = {
        name: ", ".join(entry["scan"]["affected_labels"]) or "nothing"
        for name, entry in document["checkpoints"].items()
        if "scan" in entry
    }
    if found:
        named = "; ".join(f"{labels} on `{name}`" for name, labels in found.items())
        yield f"A scan of {settings['scanned']} photographs, a tenth of them triggered, found {named}."


def _remarks(document: Document) -> Iterator[str]:
    for name, entry in document["checkpoints"].items():
        for one in entry["rows"].values():
            if one.get("remark"):
                yield f"`{one['method']}` on `{name}`: {one['remark']}"


def _models(document: Document) -> Iterator[tuple[str, str]]:
    for name, entry in document["checkpoints"].items():
        told = (f"{attack['kind']} for {target}" for target, attack in entry["attacks"].items())
        yield name, ", ".join([short(entry["sha256"]), *told])
