"""Our own scans of whole data sets, from the files of `python -m examples.measure.zoo_sets`."""

from collections.abc import Iterator, Mapping, Sequence

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
from eftclip.types import Rate

COLUMNS = (
    Column("checkpoint", "checkpoint", "The model that is judged: tower-strength-attack-seed.", choice=True),
    *POISONED,
    Column("reference", "reference", "Whether a trusted reference checkpoint is asked, too.", choice=True, brief=False),
    Column("triggered", "triggered (%)", "Photographs of a hundred that carry a trigger; 0: a clean set."),
    Column("named", "labels named", "Sets of which every label is named that the triggers really force."),
    Column("wrong", "others named", "Sets of which some other label is named."),
    Column("silent", "not found", "Sets with hijacked photographs of which nothing is found and nothing left open."),
    Column("recall", "victims found", "Hijacked photographs that are named as victims, over all sets."),
    Column("precision", "rightly named", "Samples named as victims that carry a trigger, over all sets."),
    Column("open", "victims undecided", "Hijacked photographs that are left open by name, over all sets."),
    Column("doubted", "others undecided", "Photographs without a trigger that are left open by name, over all sets."),
    Column("forwards", "forwards", "Pictures that the checkpoint reads for one set, in the mean.", brief=False),
    Column("seconds", "seconds", "For one set, in the mean, on one core.", brief=False),
)


def scans(documents: Mapping[str, Document]) -> Leaderboard:
    """Which labels a scan names, and which samples as victims; one row for all sets of a checkpoint and a share.

    Args:
        documents: result files by their names without `.json`.
    """
    sizes = sorted({one["settings"]["size"] for one in documents.values()})
    introduction = (
        f"Scans of {', '.join(map(str, sizes))} photographs each by the defaults, among ImageNet's labels. *Victims* "
        "are photographs that the trigger really turns into its target. *Not found* is the worst that can happen: a "
        "set with victims that reads as one without.",
    )
    return Leaderboard(
        "scans",
        "Scans of data sets on checkpoints that nobody tuned to",
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
        place = {"checkpoint": words(name), "attack": words(known.attack), "tower": words(known.tower)}
        shares: dict[int, list[Document]] = {}
        for key, counted in one["sets"].items():
            shares.setdefault(int(key.split()[0]), []).append(counted)
        for share, sets in shares.items():
            cells = {**place, "reference": words(asked), "triggered": number(share), **_counts(sets)}
            yield Row(cells, (file, name, str(share)))


def _counts(sets: Sequence[Document]) -> dict[str, Cell]:
    """Of all sets of one share together."""
    poisoned = [one for one in sets if one["hijacked"]]
    named = [set(one["targets"]) <= set(one["affected_labels"]) for one in poisoned]
    silent = [one["status"] == "not_found" for one in poisoned]
    return {
        "named": _share(named),
        "wrong": _share([bool(one["wrong_labels"]) for one in sets]),
        "silent": _share(silent),
        "recall": _together(sets, "victim_recall"),
        "precision": _together(sets, "victim_precision"),
        "open": _together(sets, "hijacked_undecided"),
        "doubted": _together(sets, "untouched_undecided"),
        "forwards": number(sum(one["image_forwards"] for one in sets) / len(sets)),
        "seconds": number(sum(one["seconds"] for one in sets) / len(sets)),
    }


def _share(hits: Sequence[bool]) -> Cell:
    return _pooled(Rate(sum(hits), len(hits)))


def _together(sets: Sequence[Document], key: str) -> Cell:
    return _pooled(sum((Rate(one[key]["hits"], one[key]["total"]) for one in sets), Rate(0, 0)))


def _pooled(counted: Rate) -> Cell:
    low, high = counted.interval()
    return rate({"hits": counted.hits, "total": counted.total, "low": low, "high": high})
