"""Our own audits of checkpoints alone, from the files of `python -m examples.measure.zoo_audit`."""

from collections.abc import Iterator, Mapping

from eftclip.benchmark.leaderboard import POISONED, Column, Document, Leaderboard, Row, number, source, words
from eftclip.benchmark.names import builds, traits

COLUMNS = (
    Column("checkpoint", "checkpoint", "The model that is audited: tower-strength-attack-seed.", choice=True),
    *POISONED,
    Column("reference", "reference", "Whether a trusted reference checkpoint is asked, too.", choice=True, brief=False),
    Column("targets", "targets", "The labels that its triggers force; none for a clean checkpoint."),
    Column("named", "named", "The labels that the audit names."),
    Column("followed", "undecided", "Labels that patterns lead to; none of them is named, as it is not one alone."),
    Column("right", "right", "Every target is named, and no other label."),
    Column("asr", "ASR", "Of the true trigger, before and after rectifying with what was grown; the worst of several."),
    Column("ca", "CA", "Clean photographs read rightly, before and after."),
    Column("seconds", "seconds", "Of the audit, on one core."),
)


def audits(documents: Mapping[str, Document]) -> Leaderboard:
    """Which labels the audit of a checkpoint names, without any poisoned picture.

    Args:
        documents: result files by their names without `.json`.
    """
    told = [one for document in documents.values() for one in document["checkpoints"].values()]
    poisoned, clean = ([one for one in told if bool(one["targets"]) is wanted] for wanted in (True, False))
    introduction = (
        "What the audit of a checkpoint alone names, by the defaults, among ImageNet's labels: "
        f"{sum(map(_right, poisoned))} of {len(poisoned)} poisoned checkpoints with every target and no other label, "
        f"{sum(map(_right, clean))} of {len(clean)} clean ones with none.",
    )
    return Leaderboard(
        "audits",
        "Audits of checkpoints alone",
        COLUMNS,
        tuple(row for name, one in documents.items() for row in _rows(name, one)),
        introduction,
        (),
        builds(documents),
        tuple(source(name, one) for name, one in documents.items()),
    )


def _rows(file: str, document: Document) -> Iterator[Row]:
    asked = "no reference" if document["settings"]["reference"] == "none" else "with reference"
    for name, one in document["checkpoints"].items():
        known = traits(name)
        cells = {
            "checkpoint": words(name),
            "attack": words(known.attack),
            "tower": words(known.tower),
            "reference": words(asked),
            "targets": words(", ".join(one["targets"]) or "none"),
            "named": words(", ".join(one["named"]) or "none"),
            "followed": words(_followed(one)),
            "right": words("yes" if _right(one) else "no"),
            "asr": words(_mended(one, "attack_worst")),
            "ca": words(_mended(one, "clean")),
            "seconds": number(one["seconds"]),
        }
        yield Row(cells, (file, name))


def _followed(one: Document) -> str:
    """Before patterns were grown nothing was said about them."""
    return ", ".join(one["followed"]) or "none" if "followed" in one else "no pattern grown"


def _mended(one: Document, what: str) -> str:
    """Counts before and after, where something was named and mended."""
    if "after" not in one:
        return "–"
    before, after = one["before"][what], one["after"][what]
    return f"{before['hits']} → {after['hits']} of {after['total']}"


def _right(one: Document) -> bool:
    return bool(one["targets"] == one["named"])
