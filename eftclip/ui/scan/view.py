"""A finished scan as the page shows it: pictures, HTML and files."""

from dataclasses import dataclass

from eftclip import report
from eftclip.report import Document
from eftclip.runtime import Progress
from eftclip.types import CuratedSet, Identification, RunRecord, TriggerFamily, Victim
from eftclip.ui.components import html
from eftclip.ui.components.banner import banner, running_banner
from eftclip.ui.components.pictures import Captioned, to_image
from eftclip.ui.scan import html as scan_html
from eftclip.ui.scan import texts
from eftclip.ui.scan.html import FamilyCard
from eftclip.ui.serving.files import trigger_uri

EXEMPLARS, FAULTS, VICTIMS, ITEMS = 6, 20, 200, 96
SHORT_NAME = 28
# What a trigger is by its kind, and how it is drawn.
DRAWN = {
    "patch": "a patch, as it is",
    "pattern": "a pattern over the whole picture, amplified",
    "warp": "a warp of the whole picture, as arrows",
    "jitter": "a warp that scatters all pixels, amplified",
    "colour": "a change of all colours, as curves",
}


@dataclass(frozen=True)
class ScanView:
    """Everything that a finished scan puts on the page; what is empty is not shown.

    Attributes:
        status: value of `Status`.
        banner, families, coverage, curated: HTML.
        victims: the title over the gallery of victims, HTML.
        pictures: victims with captions.
        items: the fine-tuning set with captions.
        archive: path of the packed fine-tuning set.
        document: path of the JSON.
        problem: why it could not be done, one sentence; empty where it was.
    """

    status: str
    banner: str
    families: str = ""
    victims: str = ""
    pictures: tuple[Captioned, ...] = ()
    coverage: str = ""
    items: tuple[Captioned, ...] = ()
    curated: str = ""
    archive: str | None = None
    document: str | None = None
    problem: str = ""


def refused(reason: str) -> ScanView:
    """The scan could not be done."""
    return ScanView("error", banner("error", texts.failed(reason)), problem=reason)


def stopped() -> ScanView:
    """The scan was stopped before there was anything to show."""
    return ScanView("inconclusive", banner("inconclusive", texts.stopped()))


def running(progress: Progress | None) -> str:
    """Banner while a scan goes on."""
    return running_banner(texts.RUNNING, progress, "Scanning")


def finished(record: RunRecord, document: Document, planted: frozenset[int], *, stopped: bool) -> ScanView:
    """A finished scan, ready for the page; its files are added by whoever writes them.

    Args:
        record: of the scan.
        document: the same as a document.
        planted: positions of the pictures that are known to carry a trigger.
        stopped: the visitor stopped it.
    """
    found = record.identification
    if found is None:
        return refused("The scan ended without a result.")
    by_index = {victim.index: victim for victim in found.victims}
    shown = _victims(record.curated, by_index)
    return ScanView(
        status=found.status.value,
        banner=banner(found.status.value, texts.finished(found, planted, stopped=stopped)),
        families=families(found),
        victims=_about_victims(found, len(shown)),
        pictures=shown,
        coverage=_coverage(document),
        items=_items(record.curated),
        curated=_curated(record.curated),
    )


def families(found: Identification) -> str:
    """HTML: each trigger that was found, and the labels that they force."""
    if not found.families:
        return ""
    sizes = [sum(victim.family == k for victim in found.victims) for k in range(len(found.families))]
    cards = [
        FamilyCard(
            tuple(trigger_uri(family.exemplars[n]) for n in range(min(EXEMPLARS, len(family.exemplars)))),
            family.target_label,
            _proof(family, size),
        )
        for family, size in zip(found.families, sizes, strict=True)
    ]
    heading = html.title("Triggers", "enlarged")
    return heading + scan_html.families(cards) + html.chips("Affected labels", found.affected_labels)


def _proof(family: TriggerFamily, victims: int) -> tuple[str, ...]:
    """What speaks for a trigger, in sentences."""
    pictures = "1 picture" if victims == 1 else f"{victims} pictures"
    carried = "grown out of the weights" if family.origin == "inverted" else f"carried by {pictures} of the set"
    control = (
        "not held against a trusted checkpoint"
        if family.control is None
        else f"the trusted checkpoint says so for {family.control}: what it shows does not explain the label"
    )
    return DRAWN[family.exemplars[0].kind], carried, f"takes over {family.transplant} strangers' photographs", control


def _victims(curated: CuratedSet | None, by_index: dict[int, Victim]) -> tuple[Captioned, ...]:
    """The poisoned pictures at hand, with what each shows and what it really is."""
    shown = []
    for item in curated.items if curated else ():
        if item.poisoned is not None and item.index in by_index:
            victim = by_index[item.index]
            shown.append((to_image(item.poisoned), f"{victim.shown_label} → {victim.restored_label}"))
    return tuple(shown)


def _about_victims(found: Identification, shown: int) -> str:
    """The title of the gallery, and all victims by name on request."""
    count = len(found.victims)
    if not count:
        return ""
    some = f"{shown} of {count} are shown; " if 0 < shown < count else ""
    heading = html.title("Victims", f"{some}shown label → label without the trigger")
    kinds = [family.exemplars[0].kind for family in found.families]
    rows = [(v.name, v.shown_label, v.restored_label, kinds[v.family]) for v in found.victims[:VICTIMS]]
    more = f", the first {VICTIMS} of them" if count > VICTIMS else ""
    head = ("picture", "shows", "without the trigger", "trigger")
    return heading + html.folded(f"All {count} by name{more}", html.table(head, rows))


def _coverage(document: Document) -> str:
    """How far the scan looked, what was left out, and what could not be judged."""
    data = document["data"] or {"layout": "", "notes": []}
    layout = [f"Recognised: {data['layout']}."] if data["layout"] else []
    told = html.title("Coverage") + html.sentences([report.coverage_sentence(document), *layout, *data["notes"]])
    faults = document["faults"]
    if not faults:
        return told
    rows = [(fault["image"], fault["kind"], fault["reason"]) for fault in faults[:FAULTS]]
    more = f" (the first {FAULTS})" if len(faults) > FAULTS else ""
    return told + html.table(("picture", "fault", "why"), rows, f"Pictures that were not judged{more}")


def _items(curated: CuratedSet | None) -> tuple[Captioned, ...]:
    items = curated.items[:ITEMS] if curated else ()
    return tuple((to_image(item.image), f"{item.role}: {item.label}") for item in items)


def _curated(curated: CuratedSet | None) -> str:
    """What the set is made of, and why each picture is in it."""
    if curated is None:
        return ""
    counts = [f"{count} {texts.ROLES[role]}" for role, count in curated.counts.items() if count]
    about = f"{len(curated.items)} of at most {curated.budget} pictures from {curated.source}: {'; '.join(counts)}."
    rows = [(_short(item.name), item.role, item.reason) for item in curated.items]
    inner = html.table(("picture", "role", "why it is in the set"), rows)
    some = [f"{ITEMS} of them are shown here, all are in the archive."] if len(rows) > ITEMS else []
    return html.sentences([about, *some]) + html.folded(f"The reason for each of the {len(rows)}", inner)


def _short(name: str) -> str:
    """A file name as a part of a table on a phone."""
    return name if len(name) <= SHORT_NAME else f"{name[: SHORT_NAME - 9]}…{name[-8:]}"
