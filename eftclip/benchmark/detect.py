"""Detectors side by side, from the files of `python -m examples.bench.rivals_detect`."""

from collections.abc import Iterator, Mapping

from eftclip.benchmark.leaderboard import (
    EMPTY,
    FEWER,
    MORE,
    POISONED,
    Cell,
    Column,
    Document,
    Leaderboard,
    Row,
    left_out,
    listed,
    number,
    once,
    rate,
    source,
    words,
)
from eftclip.benchmark.names import short, traits

SHOWN = {
    "eftclip": "ours (eftclip check)",
    "eftclip_audit": "ours (audit)",
    "paper": "the paper's rule",
    "strip": "STRIP",
    "cognitive_distillation": "Cognitive Distillation",
    "bdetclip": "BDetCLIP",
    "dao": "DAO",
    "decree": "DECREE",
    "clip_inspector": "CLIP-Inspector",
}
METHOD = Column("method", "method", "What judges.", choice=True)
PLACE = (
    Column("checkpoint", "checkpoint", "The model that is judged.", choice=True),
    Column("target", "target", "The label that the trigger forces; none for a clean checkpoint.", choice=True),
    *POISONED,
)
AT = {"published": "at the threshold of its authors", "calibrated": "at the threshold calibrated on clean photographs"}
PICTURE_COLUMNS = (
    METHOD,
    *PLACE,
    Column("auroc", "AUROC", "How well the score parts hijacked from clean photographs; 0.5 is chance.", MORE),
    *(Column(f"found_{at}", f"found, {at}", f"Hijacked photographs found, {how}.", MORE) for at, how in AT.items()),
    Column("undecided", "undecided", "Hijacked photographs that end inconclusive: neither found nor missed."),
    *(
        Column(f"accused_{at}", f"clean accused, {at}", f"Clean photographs accused, {how}.", FEWER)
        for at, how in AT.items()
    ),
    Column("undecided_clean", "clean undecided", "Clean photographs that end inconclusive."),
    Column("iou", "IoU", "Mean overlap of the region that is pointed at with the true trigger, 0 to 1.", MORE),
    Column("named", "label right", "Hijacked photographs whose forced label is named.", MORE),
    Column("forwards", "forwards", "Pictures sent through the model for each photograph.", FEWER),
    Column("seconds", "seconds", "Seconds for each photograph on the machine of the file.", FEWER),
)
CHECKPOINT_COLUMNS = (
    METHOD,
    *(column for column in PLACE if column.key != "target"),
    Column("score", "score", "The method's own; higher is more suspicious. No two can be compared."),
    Column("accused", "accused", "Whether it calls the checkpoint poisoned; sorted by whether that is true.", MORE),
    Column(
        "calibrated",
        "accused, calibrated",
        "Whether its score lies above that of every checkpoint without a backdoor; sorted by whether that is true.",
        MORE,
    ),
    Column("named", "targets named", "True target labels that are named.", MORE),
    Column("others", "others named", "Labels named that no trigger forces.", FEWER),
    Column("forwards", "forwards", "Pictures sent through the model.", FEWER),
    Column("seconds", "seconds", "Seconds on the machine of the file.", FEWER),
)


def pictures(documents: Mapping[str, Document]) -> Leaderboard:
    """One photograph at a time.

    Args:
        documents: result files by their names without `.json`.
    """
    introduction = [
        "*Published*: at the threshold or by the rule that its authors gave; *calibrated*: at the one above which at "
        f"most {_tolerated(documents)} of as many other clean photographs lie. **Bold**: the best of a checkpoint and "
        "target, whoever it is. Rivals were written anew in `examples/bench/rivals/`, where their settings and our "
        "deviations are.",
    ]
    return Leaderboard(
        "detect-pictures",
        "Detectors, one photograph at a time",
        PICTURE_COLUMNS,
        tuple(row for name, one in documents.items() for row in _picture_rows(name, one)),
        once((*map(_photographs, documents.values()), *introduction)),
        once(text for one in documents.values() for text in (_attacks(one), *_gaps(one))),
        _models(documents),
        tuple(source(name, one) for name, one in documents.items()),
    )


def checkpoints(documents: Mapping[str, Document]) -> Leaderboard:
    """A checkpoint alone.

    Args:
        documents: result files by their names without `.json`.
    """
    introduction = (
        "A checkpoint alone; *score* is each method's own, higher is more suspicious. CLIP-Inspector tries some "
        "labels, of which the true target is one. On a checkpoint without a backdoor nothing should be accused. "
        "*Calibrated*: by the highest score on such checkpoints, of which there are few. "
        "**Bold**: the best of a checkpoint, whoever it is.",
    )
    return Leaderboard(
        "detect-checkpoints",
        "Detectors, a checkpoint alone",
        CHECKPOINT_COLUMNS,
        tuple(row for name, one in documents.items() for row in _checkpoint_rows(name, one)),
        introduction,
        once(text for one in documents.values() for text in _gaps(one)),
        _models(documents),
        tuple(source(name, one) for name, one in documents.items()),
    )


def _picture_rows(file: str, document: Document) -> Iterator[Row]:
    """A row for every checkpoint, target and method; of a control the false alarms only."""
    for name, entry in document["checkpoints"].items():
        for target in entry["attacks"] or [""]:
            for method, one in _ordered(entry.get("picture_methods", {})):
                cells = {"method": _method(method), **_place(name, entry, target), **_picture_cells(one, target)}
                yield Row(cells, (file, name, target))


def _checkpoint_rows(file: str, document: Document) -> Iterator[Row]:
    limits = _scores_of_controls(document)
    for name, entry in document["checkpoints"].items():
        for method, one in _ordered(entry.get("checkpoint_methods", {})):
            cells = {"method": _method(method), **_place(name, entry, ""), **_checkpoint_cells(one, entry)}
            if entry["attacks"] and method in limits:
                cells["calibrated"] = _accused(one["score"] > limits[method], True)
            yield Row(cells, (file, name))


def _scores_of_controls(document: Document) -> dict[str, float]:
    """The highest score of each method on a checkpoint without a backdoor."""
    limits: dict[str, float] = {}
    for entry in document["checkpoints"].values():
        for method, one in entry.get("checkpoint_methods", {}).items() if not entry["attacks"] else ():
            limits[method] = max(one["score"], limits.get(method, float("-inf")))
    return limits


def _ordered(methods: Document) -> list[tuple[str, Document]]:
    """Ours first, then as listed here; what is not listed comes last."""
    order = list(SHOWN)
    return sorted(methods.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order))


def _method(name: str) -> Cell:
    return words(SHOWN.get(name, name))


def _place(name: str, entry: Document, target: str) -> dict[str, Cell]:
    known = traits(name)
    kinds = sorted({str(attack.get("kind", "")) for attack in entry["attacks"].values()})
    attack = known.attack or ", ".join(kinds) or "none"
    return {"checkpoint": words(name), "target": words(target), "attack": words(attack), "tower": words(known.tower)}


def _picture_cells(one: Document, target: str) -> dict[str, Cell]:
    found = one["targets"].get(target) or {}
    detected = found.get("detected") or {}
    return {
        "auroc": number(found.get("auroc"), 2),
        **{f"found_{at}": rate(detected.get(at)) for at in AT},
        **{f"accused_{at}": rate(one["false_alarms"].get(at)) for at in AT},
        "iou": number(found.get("iou_mean"), 2),
        "named": rate(found.get("label_named")),
        "forwards": number(one["forwards_per_picture"]),
        "seconds": number(one["seconds_per_picture"], 2),
        "undecided": rate(found.get("undecided")),
        "undecided_clean": rate(one.get("undecided_clean")),
    }


def _checkpoint_cells(one: Document, entry: Document) -> dict[str, Cell]:
    wrong = list(map(str, one["wrong_labels"]))
    return {
        "score": number(one["score"], 2),
        "accused": _accused(one["accused"], bool(entry["attacks"])),
        "named": rate(one["targets_named"]),
        "others": Cell(listed(wrong), float(len(wrong))),
        "forwards": number(one["forwards"]),
        "seconds": number(one["seconds"]),
    }


def _accused(accused: bool | None, poisoned: bool) -> Cell:
    if accused is None:
        return EMPTY
    right = accused == poisoned
    return Cell(f"{'yes' if accused else 'no'}, {'rightly' if right else 'wrongly'}", float(right))


def _photographs(document: Document) -> str:
    settings = document["settings"]
    labels = {"imagenet": "ImageNet's"}.get(settings["labels"], settings["labels"])
    return (
        f"The same checkpoints and photographs for all methods: {settings['pictures']} clean ones and as many hijacked "
        f"ones of each target, among {labels} labels, without a reference checkpoint; the paper's rule alone "
        "has one, to prompt its oracle with."
    )


def _tolerated(documents: Mapping[str, Document]) -> str:
    shares = sorted({float(one["settings"]["false_alarms"]) for one in documents.values()})
    return " or ".join(f"{100 * share:.0f} %" for share in shares)


def _models(documents: Mapping[str, Document]) -> tuple[tuple[str, str], ...]:
    found = {}
    for document in documents.values():
        for name, entry in document["checkpoints"].items():
            attacks = [f"{attack.get('kind', 'trigger')} for {target}" for target, attack in entry["attacks"].items()]
            found[name] = f"{short(entry['sha256'])}, {', '.join(attacks) or 'no backdoor'}"
    return tuple(found.items())


def _attacks(document: Document) -> str:
    told = [
        f"`{name}`, {target}: {rate(attack['attack_success']).text}"
        for name, entry in document["checkpoints"].items()
        for target, attack in entry["attacks"].items()
        if attack.get("attack_success")
    ]
    return f"Attack success of these checkpoints on the photographs tried: {'; '.join(told) or 'none was planted'}."


def _gaps(document: Document) -> list[str]:
    """What is not of one piece."""
    return [_other_commits(document), *left_out(document, SHOWN)]


def _other_commits(document: Document) -> str:
    """Which cells are of other commits than the file, if any."""
    cells = {
        str(one.get("commit", document["commit"]))
        for entry in document["checkpoints"].values()
        for kind in ("picture_methods", "checkpoint_methods")
        for one in entry.get(kind, {}).values()
    }
    others = sorted(cells - {document["commit"]})
    return f"Some cells are of commit {', '.join(f'`{one}`' for one in others)}." if others else ""
