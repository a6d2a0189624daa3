"""What was measured of the zoo's checkpoints, cell by cell: for the headline table, and as one picture."""

from collections.abc import Iterable, Iterator

from eftclip.triggers import TRIGGERS, PatchSpec
from examples.build.results_page.charts import Bar, bar_chart
from examples.build.results_page.values import Document, counts, read, share
from examples.build.results_page.zoo import FILES, SCANS
from examples.build.zoo.attacks import ATTACKS
from examples.build.zoo.names import parse
from examples.build.zoo.triggers import OPTIMISED

Counts = dict[str, Document]
RIGHTLY = "found_with_the_right_label"


def singly(outcome: str = RIGHTLY, *, whole: bool) -> Counts:
    """What came of hijacked photographs, by checkpoint and target: of patches, or of `whole` pictures."""
    found: Counts = {}
    for name, one in _checkpoints():
        for target, cell in one.get("hijacked", {}).items():
            if _changes_all(name) == whole:
                found = _with(found, f"{name}: {target}", cell[outcome])
    return found


def accused() -> Counts:
    """Clean photographs that were accused, by checkpoint."""
    counted: Counts = {}
    for name, one in _checkpoints():
        if "clean" in one:
            counted = _with(counted, name, one["clean"]["found"])
    return counted


def chart() -> str:
    """Detection and false alarms by tower and strength, as SVG."""
    clean = _by_tower(accused())
    groups = []
    for whole, kind in ((False, "a patch"), (True, "all of it")):
        found, missed = (_by_tower(singly(outcome, whole=whole)) for outcome in (RIGHTLY, "not_found"))
        groups += [
            (f"{tower}: {kind}", [_bar(rate) for rate in (found[tower], missed[tower], clean[tower])])
            for tower in found
        ]
    series = ["hijacked and found", "hijacked, reads as not found", "clean and accused"]
    return bar_chart("One photograph, by tower and what the trigger changes", series, sorted(groups))


def _by_tower(cells: Counts) -> Counts:
    """Pooled over the attacks on a tower of one strength."""
    towers = {name: "{0.tower}, {0.strength}".format(parse(name.partition(":")[0])) for name in cells}
    return {
        tower: _pooled(rate for name, rate in cells.items() if towers[name] == tower)
        for tower in sorted(set(towers.values()))
    }


def _bar(rate: Document) -> Bar:
    return Bar(share(rate), counts(rate))


def in_sets(counted: str) -> Counts:
    """A count of scans, `victim_recall` or `victim_precision`, by checkpoint, over all sets that hold triggers."""
    scanned = read(SCANS)["checkpoints"]
    pooled = {
        name: _pooled(one["sets"][key][counted] for key in _poisoned(one["sets"])) for name, one in scanned.items()
    }
    return {name: rate for name, rate in pooled.items() if rate["total"]}


def _checkpoints() -> Iterator[tuple[str, Document]]:
    for file in FILES:
        yield from read(file)["checkpoints"].items()


def _with(found: Counts, name: str, rate: Document) -> Counts:
    """One more count; of a cell that was measured twice the one with more photographs stays."""
    more = rate["total"] and rate["total"] >= found.get(name, {"total": 0})["total"]
    return {**found, name: rate} if more else found


def _changes_all(name: str) -> bool:
    triggers = [backdoor.trigger for backdoor in ATTACKS[parse(name).attack].backdoors]
    return not all(one == OPTIMISED or isinstance(TRIGGERS[one], PatchSpec) for one in triggers)


def _poisoned(sets: Document) -> list[str]:
    return [key for key in sets if not key.startswith("0 %")]


def _pooled(rates: Iterable[Document]) -> Document:
    kept = list(rates)
    return {key: sum(rate[key] for rate in kept) for key in ("hits", "total")}
