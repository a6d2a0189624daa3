"""The README's one table: the headline figures, each the worst that was measured."""

from collections.abc import Callable, Iterable

from examples.build.results_page.values import Document, counts, number, read, share, table

BEGIN = "<!-- Headline figures, by python -m examples.build.results_page -->"
END = "<!-- End of the headline figures -->"
OURS = "realign"


def headline() -> str:
    """At most ten rows: what was measured, the worst of it, and where that was; and how long it takes."""
    mended, alone = read("rectify")["checkpoints"], read("audit")["checkpoints"]
    alarms = read("false_alarms")["sections"]["false_alarms"]
    singly = read("check_quality")["sections"]["detection"]
    audited = _audited({**alone, **read("audits")["checkpoints"]})
    left = {name: one for name, one in audited.items() if "after" in one}
    scanned = {**mended, **{f"{name}*": one for name, one in read("bench_scan")["checkpoints"].items()}}
    rows = [
        ("Hijacked photographs found, one at a time", *_worst(_patterns(singly), _found, min)),
        ("The same, the trigger at half its side", counts(singly["small"]["found"]), "`badnets`"),
        ("Clean photographs accused", *_worst(_judged(alarms), _found, max)),
        ("Poisoned pictures of a data set found", *_worst(scanned, lambda one: one["scan"]["victim_recall"], min)),
        (
            "Pictures accused there that are poisoned",
            *_worst(scanned, lambda one: one["scan"]["victim_precision"], min),
        ),
        ("Attack success after rectification → after clean training", *_stays_away(mended)),
        ("Attack success afterwards, ours → the best rival", *_against_the_best_rival()),
        ("Clean pictures read rightly, before → after", *_lost(mended)),
        ("Without data: target labels found", *_worst(audited, lambda one: one["targets_found"], min)),
        ("Without data: attack success afterwards", *_worst(left, lambda one: one["after"]["attack_worst"], max)),
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


def _found(one: Document) -> Document:
    rate: Document = one["found"]
    return rate


def _patterns(singly: Document) -> Document:
    """How the triggers that the checkpoints learnt were found, by checkpoint and target."""
    named = {"badnets": singly["full"]}
    return {**named, **{name.replace("_", ": ", 1): singly[name] for name in singly if name.startswith("multi_")}}


def _judged(alarms: Document) -> Document:
    """Checkpoints and how they were judged, without the clock."""
    return {name: one for name, one in alarms.items() if isinstance(one, dict)}


def _worst(ones: Document, rate_of: Callable[[Document], Document], pick: Callable[..., str]) -> tuple[str, str]:
    rates = {name: rate_of(one) for name, one in ones.items()}
    name = pick(rates, key=lambda one: share(rates[one]))
    alike = [other for other in rates if share(rates[other]) == share(rates[name])]
    return counts(rates[name]), _where(alike, len(rates))


def _where(alike: Iterable[str], of: int) -> str:
    names = list(alike)
    return f"all {of}" if len(names) == of else ", ".join(f"`{name.rstrip('*')}`" for name in names)


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
