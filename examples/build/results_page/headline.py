"""The README's one table: the headline figures, each the worst that was measured."""

from collections.abc import Callable, Iterable

from examples.build.results_page.values import Document, counts, number, read, share, table

BEGIN = "<!-- Headline figures, by python -m examples.build.results_page -->"
END = "<!-- End of the headline figures -->"


def headline() -> str:
    """At most ten rows: what was measured, the worst of it, and where that was; and how long it takes."""
    mended, alone = read("rectify")["checkpoints"], read("audit")["checkpoints"]
    alarms = read("false_alarms")["sections"]["false_alarms"]
    singly = read("check_quality")["sections"]["detection"]
    poisoned = {name: one for name, one in alone.items() if "after" in one}
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
        ("Attack success after rectification", *_worst(mended, lambda one: one["after"]["attack_worst"], max)),
        ("The same after further clean training", *_worst(mended, lambda one: one["rebound"]["attack_worst"], max)),
        ("Clean pictures read rightly, before → after", *_lost(mended)),
        ("Without data: target labels found", *_worst(poisoned, lambda one: one["targets_found"], min)),
        ("Without data: attack success afterwards", *_worst(poisoned, lambda one: one["after"]["attack_worst"], max)),
    ]
    return f"{table(['measured', 'the worst case', 'where'], rows)}\n\n{_seconds()}"


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
