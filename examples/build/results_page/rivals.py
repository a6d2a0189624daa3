"""Detectors side by side: where a rival does better than our own method, its cell is bold."""

from collections.abc import Callable, Iterator, Sequence

from examples.build.results_page.values import Document, counts, made_by, number, read, share, table

NOTHING = "–"
FILE = "rivals_detect"
SHOWN = {
    "eftclip": "ours, `eftclip check`",
    "eftclip_audit": "ours, the audit",
    "strip": "STRIP",
    "cognitive_distillation": "Cognitive Distillation",
    "bdetclip": "BDetCLIP",
    "dao": "DAO",
    "decree": "DECREE",
    "clip_inspector": "CLIP-Inspector",
}
PICTURE_HEADER = [
    "checkpoint, target",
    "method",
    "AUROC",
    "found, published",
    "found, calibrated",
    "clean accused, published",
    "clean accused, calibrated",
    "IoU",
    "label right",
    "forwards",
    "seconds",
]
CHECKPOINT_HEADER = ["checkpoint", "method", "score", "accused", "targets named", "others named", "forwards", "seconds"]
Cell = tuple[str, float | None]  # its text, and what it is worth: higher is better, None is not compared


def rivals() -> str:
    """Both tables, and what was left out."""
    document = read(FILE)
    settings = document["settings"]
    return f"""## Detectors side by side

{made_by(FILE)}

The same checkpoints and photographs for all methods: {settings["pictures"]} clean ones and as many hijacked ones of
each target, among {settings["labels"]} labels, without a reference checkpoint. *Published*: at the threshold or by the
rule that its authors gave; *calibrated*: at the one above which at most {100 * settings["false_alarms"]:.0f} % of as
many other clean photographs lie. **Bold**: a rival does better than our method on that checkpoint. Rivals were written
anew in [`examples/bench/rivals/`](../bench/rivals/), where their settings and our deviations
are.{_other_commits(document)}

{table(PICTURE_HEADER, picture_rows(document))}

Attack success of these checkpoints on the photographs tried: {_attacks(document)}.

A checkpoint alone; *score* is each method's own, higher is more suspicious. CLIP-Inspector tries some labels, of which
the true target is one. On a checkpoint without a backdoor nothing should be accused.

{table(CHECKPOINT_HEADER, checkpoint_rows(document))}

{_left_out(document)}"""


def picture_rows(document: Document) -> Iterator[list[str]]:
    """A row for every checkpoint, target and method; of a control the false alarms only."""
    for name, entry in document["checkpoints"].items():
        methods = entry["picture_methods"]
        for target in entry["attacks"] or [""]:
            cells = {method: _picture_cells(one, target) for method, one in methods.items()}
            place = f"`{name}`: {target}" if target else f"`{name}`"
            yield from _block(place, cells, document["ours"])


def checkpoint_rows(document: Document) -> Iterator[list[str]]:
    """A row for every checkpoint and method."""
    for name, entry in document["checkpoints"].items():
        poisoned = bool(entry["attacks"])
        cells = {method: _checkpoint_cells(one, poisoned) for method, one in entry["checkpoint_methods"].items()}
        yield from _block(f"`{name}`", cells, document["ours"])


def _block(place: str, cells: dict[str, list[Cell]], ours: Sequence[str]) -> Iterator[list[str]]:
    """The rows of one checkpoint and target, in bold what beats our own row."""
    own = next((row for method, row in cells.items() if method in ours), None)
    for method, row in sorted(cells.items(), key=lambda item: list(SHOWN).index(item[0])):
        better = [own is not None and _beats(cell, own[k]) for k, cell in enumerate(row)]
        texts = [f"**{text}**" if bold else text for (text, _), bold in zip(row, better, strict=True)]
        yield [place, SHOWN[method], *texts]


def _beats(rival: Cell, own: Cell) -> bool:
    return rival[1] is not None and own[1] is not None and rival[1] > own[1]


def _picture_cells(one: Document, target: str) -> list[Cell]:
    found = one["targets"].get(target)
    area = found and found["auroc"]
    fit = found and found["iou_mean"]
    named = found and found["label_named"]
    return [
        (NOTHING if area is None else number(area, 2), area),
        *(_rate(found and found["detected"][kind], share) for kind in ("published", "calibrated")),
        *(_rate(one["false_alarms"][kind], lambda rate: -share(rate)) for kind in ("published", "calibrated")),
        (NOTHING if fit is None else number(fit, 2), fit),
        _rate(named, share),
        (number(one["forwards_per_picture"], 0), -one["forwards_per_picture"]),
        (number(one["seconds_per_picture"], 2), -one["seconds_per_picture"]),
    ]


def _checkpoint_cells(one: Document, poisoned: bool) -> list[Cell]:
    right = one["accused"] == poisoned
    wrong = one["wrong_labels"]
    return [
        (number(one["score"], 2), None),
        (NOTHING if one["accused"] is None else "yes" if one["accused"] else "no", float(right)),
        (counts(one["targets_named"]), share(one["targets_named"])) if poisoned else ("has none", None),
        (", ".join(wrong) or "none", -float(len(wrong))),
        (number(one["forwards"]), -float(one["forwards"])),
        (number(one["seconds"]), -one["seconds"]),
    ]


def _rate(rate: Document | None, worth: Callable[[Document], float]) -> Cell:
    return (NOTHING, None) if not rate or not rate["total"] else (counts(rate), worth(rate))


def _attacks(document: Document) -> str:
    told = [
        f"`{name}`, {target}: {counts(attack['attack_success'])}"
        for name, entry in document["checkpoints"].items()
        for target, attack in entry["attacks"].items()
        if attack["attack_success"]
    ]
    return "; ".join(told) or "none was planted"


def _other_commits(document: Document) -> str:
    """Which cells are of other commits than the file, if any."""
    cells = [
        one["commit"]
        for entry in document["checkpoints"].values()
        for kind in ("picture_methods", "checkpoint_methods")
        for one in entry[kind].values()
    ]
    others = sorted(set(cells) - {document["commit"]})
    return f" Some cells are of commit {', '.join(f'`{one}`' for one in others)}." if others else ""


def _left_out(document: Document) -> str:
    """What there was no time for; nothing where all was measured."""
    methods: dict[str, dict[str, None]] = {}  # names in the order of the file, each once
    for one in document["left_out"]:
        methods.setdefault(SHOWN[one["method"]], {})[f"`{one['checkpoint']}`"] = None
    if not methods:
        return ""
    told = "; ".join(f"{method} on {', '.join(names)}" for method, names in methods.items())
    return f"Not measured, as the budget did not reach: {told}.\n"
