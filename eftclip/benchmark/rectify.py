"""Rectification methods side by side, from the files of `python -m examples.measure.rivals`."""

from collections.abc import Iterator, Mapping

from eftclip.benchmark.leaderboard import (
    FEWER,
    MORE,
    Cell,
    Column,
    Document,
    Leaderboard,
    Row,
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
    Column("attack", "attack", "How the checkpoint was poisoned.", choice=True, brief=False),
    Column("tower", "tower", "The image tower of the checkpoint.", choice=True, brief=False),
    Column("told", "told", "Whether it is given the true trigger.", choice=True),
    Column("learning_rate", "learning rate", "Of its optimiser."),
    Column("image_steps", "image-steps", "Pictures that it learns from, counted anew in each step.", FEWER),
    Column("seconds", "seconds", "Seconds of one core.", FEWER),
    Column("asr", "ASR", "Triggered photographs that still read as the target, of the worst trigger.", FEWER),
    Column("ca", "CA", "Clean photographs read rightly.", MORE),
    Column("pa", "PA", "Triggered photographs read rightly, of the worst trigger.", MORE),
    Column("kept", "read as before", "Clean photographs read as before mending.", MORE),
)


def methods(documents: Mapping[str, Document]) -> Leaderboard:
    """Every method with the same photographs and at the same cost.

    Args:
        documents: result files by their names without `.json`.
    """
    introduction = (
        *once(text for one in documents.values() for text in _budgets(one)),
        "*Told*: is given the true trigger; the others must do without and are shown clean photographs with their "
        "labels. Their publications have some 100,000 pictures and many thousands of steps, so these rows say what is "
        "left of them at our cost, not what they can do. Seconds are those of one core. **Bold**: the best of a "
        "checkpoint, whoever it is.",
    )
    return Leaderboard(
        "rectify",
        "Rectification methods",
        COLUMNS,
        tuple(row for name, one in documents.items() for row in _rows(name, one)),
        introduction,
        once(text for one in documents.values() for text in _remarks(one)),
        tuple(item for one in documents.values() for item in _models(one)),
        tuple(source(name, one) for name, one in documents.items()),
    )


def _parts(document: Document) -> Iterator[tuple[str, Document]]:
    """Each checkpoint of a file; a file of one is that checkpoint's."""
    if "checkpoints" in document:
        yield from document["checkpoints"].items()
    else:
        yield document["checkpoint"], document


def _rows(file: str, document: Document) -> Iterator[Row]:
    for name, part in _parts(document):
        known = traits(name)
        place = {"checkpoint": words(name), "attack": words(known.attack), "tower": words(known.tower)}
        yield Row({"method": words("before"), **place, **_outcome(part["before"])}, (file, name), competes=False)
        for one in part["rows"]:
            yield Row({**place, **_cells(one)}, (file, name))


def _cells(one: Document) -> dict[str, Cell]:
    pace = float(one["learning_rate"])
    return {
        "method": words(f"ours ({OURS})" if one["method"] == OURS else str(one["method"])),
        "told": words("yes" if one["told"] else "no"),
        "learning_rate": Cell(f"{pace:.0e}".replace("e-0", "e-"), pace),
        "image_steps": number(one["image_steps"]),
        "seconds": number(one["seconds"]),
        **_outcome(one["after"]),
        "kept": rate(one["kept"]),
    }


def _outcome(measured: Document) -> dict[str, Cell]:
    return {
        "asr": rate(measured["attack_worst"]),
        "ca": rate(measured["clean"]),
        "pa": rate(measured["poisoned_worst"]),
    }


def _budgets(document: Document) -> Iterator[str]:
    for name, part in _parts(document):
        yield (
            f"`{name}`, every method with the same 64 photographs and {part['image_steps']:,} image-steps after what "
            f"it does before the first one, measured on {part['before']['clean']['total']:,} others."
        )


def _remarks(document: Document) -> Iterator[str]:
    for name, part in _parts(document):
        yield from (f"`{one['method']}` on `{name}`: {one['remark']}" for one in part["rows"] if one.get("remark"))


def _models(document: Document) -> Iterator[tuple[str, str]]:
    for name, part in _parts(document):
        digest = part.get("sha256")
        about = [short(digest)] if digest else ["the file does not hold its hash"]
        yield name, ", ".join([*about, *(f"a trigger for {target}" for target in part["before"].get("attack", {}))])
