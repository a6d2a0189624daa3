"""The README's one table: the headline figures, each the worst that was measured."""

from collections.abc import Callable

from examples.build.results_page import zoo_cells
from examples.build.results_page.values import Document, counts, number, read, share, table

BEGIN = "<!-- Headline figures, by python -m examples.build.results_page -->"
END = "<!-- End of the headline figures -->"
OURS = "realign"


def headline() -> str:
    """At most ten rows: what was measured, the worst of it, and where that was; and how long it takes."""
    mended, alone = read("rectify")["checkpoints"], read("audit")["checkpoints"]
    alarms = {name: one["found"] for name, one in _judged(read("false_alarms")["sections"]["false_alarms"]).items()}
    bundled = _patterns(read("check_quality")["sections"]["detection"])
    audited = _audited({**alone, **read("audits")["checkpoints"]})
    left = {name: one["after"]["attack_worst"] for name, one in audited.items() if "after" in one}
    scanned = {**mended, **{f"{name}*": one for name, one in read("bench_scan")["checkpoints"].items()}}
    in_sets = {
        counted: {name: one["scan"][counted] for name, one in scanned.items()} | zoo_cells.in_sets(counted)
        for counted in ("victim_recall", "victim_precision")
    }
    rows = [
        ("Hijacked photographs found, one at a time: a patch", *_worst(bundled | zoo_cells.singly(whole=False), min)),
        ("The same, over the whole picture", *_worst(zoo_cells.singly(whole=True), min)),
        ("Clean photographs accused", *_worst(alarms | zoo_cells.accused(), max)),
        ("Poisoned pictures of data sets found", *_worst(in_sets["victim_recall"], min)),
        ("Pictures accused there that are poisoned", *_worst(in_sets["victim_precision"], min)),
        ("Attack success after rectification → after clean training", *_stays_away(mended)),
        ("Attack success afterwards, ours → the best rival", *_against_the_best_rival()),
        ("Clean pictures read rightly, before → after", *_lost(mended)),
        (
            "Without data: target labels found",
            *_worst({name: one["targets_found"] for name, one in audited.items()}, min),
        ),
        ("Without data: attack success afterwards", *_worst(left, max)),
    ]
    return f"{table(['measured', 'the worst case', 'where'], rows)}\n\n{_seconds()}"


def _audited(alone: Document) -> Document:
    """The poisoned ones, each with how many of its target labels were named."""
    named = {
        name: {"hits": len({*one["targets"]} & {*one["named"]}), "total": len(one["targets"])}
        for name, one in alone.items()
        if "targets" in one
    }
    found = {name: {"targets_found": named.get(name), **one} for name, one in alone.items()}
    return {name: one for name, one in found.items() if one["targets_found"]["total"]}


def _patterns(singly: Document) -> Document:
    """How the triggers that the checkpoints learnt were found, by checkpoint and target."""
    of_multi = {name.replace("_", ": ", 1): singly[name]["found"] for name in singly if name.startswith("multi_")}
    return {"badnets": singly["full"]["found"], **of_multi}


def _judged(alarms: Document) -> Document:
    """Checkpoints and how they were judged, without the clock."""
    return {name: one for name, one in alarms.items() if isinstance(one, dict)}


def _worst(rates: Document, pick: Callable[..., str]) -> tuple[str, str]:
    """The worst of some counts and whose it is; of several that are as bad the one with most to count, and how many."""
    share_of_worst = share(rates[pick(rates, key=lambda one: share(rates[one]))])
    alike = [name for name in rates if share(rates[name]) == share_of_worst]
    name = max(alike, key=lambda one: float(rates[one]["total"]))
    return counts(rates[name]), _where(name, len(alike), len(rates))


def _where(name: str, alike: int, of: int) -> str:
    if alike == of > 1:
        return f"all {of}"
    more = f", and {alike - 1} more" if alike > 1 else ""
    return f"`{name.rstrip('*')}`{more}"


def _lost(mended: Document) -> tuple[str, str]:
    """Where the most clean pictures are lost."""
    name = min(mended, key=lambda one: share(mended[one]["after"]["clean"]) - share(mended[one]["before"]["clean"]))
    before, after = mended[name]["before"]["clean"], mended[name]["after"]["clean"]
    return f"{before['hits']} → {counts(after)}", f"`{name}`"


def _stays_away(mended: Document) -> tuple[str, str]:
    """Where most of the attack is back after further clean training."""
    name = max(mended, key=lambda one: share(mended[one]["rebound"]["attack_worst"]))
    after, again = (mended[name][when]["attack_worst"] for when in ("after", "rebound"))
    return f"{after['hits']} → {counts(again)}", f"`{name}`"


def _against_the_best_rival() -> tuple[str, str]:
    """Where the best rival comes nearest to ours at the same cost, or is better."""
    found = {name: (_ours(one), _best_rival(one)) for name, one in read("rivals_rectify")["checkpoints"].items()}
    name = min(found, key=lambda one: share(found[one][1]["after"]["attack_worst"]) - share(found[one][0]))
    ours, rival = found[name]
    return f"{ours['hits']} → {counts(rival['after']['attack_worst'])}", f"`{name}`, `{rival['method']}`"


def _ours(one: Document) -> Document:
    """Attack success after our method; as before where its scan found nothing to begin with."""
    row = next(row for row in one["rows"].values() if row["method"] == OURS)
    rate: Document = row.get("after", one["before"])["attack_worst"]
    return rate


def _best_rival(one: Document) -> Document:
    """The lowest attack success of the others, without those that forget a tenth of what the checkpoint could read."""
    least = 0.9 * share(one["before"]["clean"])
    others = [row for row in one["rows"].values() if row["method"] != OURS and "after" in row]
    whole = [row for row in others if share(row["after"]["clean"]) >= least]
    return min(whole or others, key=lambda row: share(row["after"]["attack_worst"]))


def _seconds() -> str:
    """What one photograph and one data set take."""
    check, run = read("bench_check"), read("bench_rectify")
    slower = max(check["hijacked"]["ours"]["seconds"], check["clean"]["ours"]["seconds"])
    return (
        f"Without a GPU a hijacked photograph takes {number(slower, 1)} seconds on one core, a rectification with "
        f"{run['pictures']} photographs\n{number(run['seconds'])} on two."
    )


def with_headline(readme: str) -> str:
    """The README with the table between its two marks made anew.

    Raises:
        ValueError: the marks are not there.
    """
    before, found, rest = readme.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise ValueError(f"README.md needs the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{headline()}\n\n{END}{after}"
