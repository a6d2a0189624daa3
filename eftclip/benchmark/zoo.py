"""Our own detector on checkpoints that nobody tuned it to, from the files of `python -m examples.measure.zoo`."""

from collections.abc import Iterator, Mapping

from eftclip.benchmark.leaderboard import (
    POISONED,
    Cell,
    Column,
    Document,
    Leaderboard,
    Row,
    number,
    rate,
    source,
    words,
)
from eftclip.benchmark.names import builds, traits

COLUMNS = (
    Column("checkpoint", "checkpoint", "The model that is judged: tower-strength-attack-seed.", choice=True),
    Column("target", "target", "The label that the trigger forces; none for a clean checkpoint.", choice=True),
    *POISONED,
    Column("reference", "reference", "Whether a trusted reference checkpoint is asked, too.", choice=True, brief=False),
    Column("hijacked", "hijacked", "Photographs that the trigger turns into its target, of those tried."),
    Column("found", "found", "Hijacked photographs found, with the right label."),
    Column("undecided", "undecided", "Hijacked photographs that end inconclusive."),
    Column("missed", "missed", "Hijacked photographs that read as not found."),
    Column("iou", "IoU", "Mean overlap of the region that is pointed at with the true trigger, 0 to 1."),
    Column("clean_accused", "clean accused", "Clean photographs accused."),
    Column("clean_undecided", "clean undecided", "Clean photographs that end inconclusive."),
)


def zoo(documents: Mapping[str, Document]) -> Leaderboard:
    """What is found and what is missed, checkpoint by checkpoint.

    Args:
        documents: result files by their names without `.json`.
    """
    introduction = (
        "Ours alone, one photograph at a time, among ImageNet's labels. Names are tower-strength-attack-seed; "
        "`python -m examples.build.zoo build NAME` builds each of them, poisoned by plain contrastive fine-tuning. "
        "*Hijacked* are photographs that the trigger turns into its target, of those tried; *missed* are those that "
        "read as *not found*.",
    )
    return Leaderboard(
        "zoo",
        "EftCLIP on checkpoints that it was not tuned to",
        COLUMNS,
        tuple(row for name, one in documents.items() for row in _rows(name, one)),
        introduction,
        (),
        builds(documents),
        tuple(source(name, one) for name, one in documents.items()),
    )


def _rows(file: str, document: Document) -> Iterator[Row]:
    asked = "no reference" if document.get("reference") in (None, "none") else "with reference"
    for name, one in document["checkpoints"].items():
        known, clean = traits(name), one.get("clean") or {}
        place = {"checkpoint": words(name), "attack": words(known.attack), "tower": words(known.tower)}
        judged = {
            "reference": words(asked),
            "clean_accused": rate(clean.get("found")),
            "clean_undecided": rate(clean.get("inconclusive")),
        }
        for target, hijacked in (one.get("hijacked") or {"": {}}).items():
            yield Row({**place, **judged, "target": words(target), **_hijacked(hijacked)}, (file, name, target))


def _hijacked(one: Document) -> dict[str, Cell]:
    return {
        "hijacked": rate(one.get("hijacked")),
        "found": rate(one.get("found_with_the_right_label")),
        "undecided": rate(one.get("inconclusive")),
        "missed": rate(one.get("not_found")),
        "iou": number(one.get("iou_mean"), 2),
    }
