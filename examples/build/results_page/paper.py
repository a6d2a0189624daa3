"""The paper's figures and tables, made again with both algorithms."""

from examples.build.results_page.boards import prose
from examples.build.results_page.values import Document, counts, made_by, number, read, table

FILE = "paper/paper"
SETS = {"imagenet": "photographs of ImageNet's classes", "caltech": "photographs of Caltech-101"}
WAYS = {
    "eftclip": "ours: scan, `realign`",
    "paper": "the paper's: scan, `contrastive`",
    "finetune": "fine-tuned on clean pairs",
    "cleanclip": "CleanCLIP on clean pairs",
}
FIGURES = {
    "3a": "hijacked photographs found, by patch size ρ and place μ",
    "3b": "found and wrongly accused, by confidence θ",
    "4a": "found and wrongly accused, by length τ of the object list",
    "4b": "found, by place μ and length τ",
    "5": "the regions that oracles give for the same pictures",
}
HEADER = ["", "ASR", "CA", "PA", "read as before", "victims found", "image-steps"]


def paper() -> str:
    """Figures as pictures, the tables as text."""
    document = read(FILE)
    config = document["config"]
    figures = "\n\n".join(
        f"![Figure {name}: {told}](paper/figure_{name}.png)\n\nFigure {name}: {told}." for name, told in FIGURES.items()
    )
    return f"""## The paper's studies

{made_by(FILE)}

{prose(_about(document))}

{figures}

{prose([_costs(document)])}

{prose(_before_and_after(config))}

{_tables(document)}"""


def _about(document: Document) -> list[str]:
    return [
        "Figures and tables of arXiv 2511.13545 on two sets of photographs, with the paper's Algorithm 1 as published "
        f"and with ours, on the bundled `badnets`: {document['config']['per_set']} photographs of each set, each "
        "without a trigger and with one of 8 and of 16 pixels at three places.",
        "A detection rate counts photographs that the trigger really hijacks, and `badnets` learnt 16 × 16: "
        f"{_hijacked(document)}.",
        "In ours τ and θ decide what is explained, not what is found. The rule as published names what it finds "
        "without a proof, so its false alarms belong to every one of its rates.",
    ]


def _costs(document: Document) -> str:
    seconds, undecided = _seconds(document), _undecided(document)
    return f"Seconds for a photograph, one thread: {seconds}. Left undecided by ours: {undecided}."


def _before_and_after(config: Document) -> list[str]:
    return [
        f"Before and after: a scan of {number(config['scanned'])} photographs, a tenth of them triggered, then "
        f"{config['steps']} steps of the fine-tuning that belongs to the algorithm; beside them, on 64 clean pairs and "
        "without a scan, plain fine-tuning and CleanCLIP for as many steps.",
        "*Victims found*: of the hijacked photographs of the set.",
    ]


def _tables(document: Document) -> str:
    parts = [f"{SETS[kind].capitalize()}:\n\n{table(HEADER, _rows(rows))}" for kind, rows in document["tables"].items()]
    return "\n\n".join(parts) + "\n"


def _rows(rows: list[Document]) -> list[list[str]]:
    """One for the poisoned checkpoint, and one for each way to mend it."""
    before = [["the poisoned checkpoint", *_measured(rows[0]["before"]), "", "", ""]] if rows else []
    return [*before, *(_row(row) for row in rows)]


def _row(row: Document) -> list[str]:
    victims = counts(row["scan"]["victim_recall"]) if "scan" in row else "no scan"
    if "after" not in row:
        return [WAYS[row["mended"]], "nothing was found to mend", "", "", "", victims, ""]
    steps = number(row["image_steps"]) if "image_steps" in row else number(row["rectified"]["image_steps"])
    return [WAYS[row["mended"]], *_measured(row["after"]), counts(row["kept"]), victims, steps]


def _measured(one: Document) -> list[str]:
    return [counts(one[name]) for name in ("attack_worst", "clean", "poisoned_worst")]


def _hijacked(document: Document) -> str:
    """How often a patch of each size works, over all places and both sets."""
    totals: dict[str, list[int]] = {}
    for places in document["hijacked"].values():
        for name, rate in places.items():
            total = totals.setdefault(name.split()[0], [0, 0])
            total[0], total[1] = total[0] + rate["hits"], total[1] + rate["total"]
    return ", ".join(f"{px} × {px} hijacks {hits:,} of {total:,}" for px, (hits, total) in totals.items())


def _seconds(document: Document) -> str:
    seconds = document["seconds"].items()
    return "; ".join(f"{one['eftclip']} ours, {one['paper']} the paper's ({SETS[kind]})" for kind, one in seconds)


def _undecided(document: Document) -> str:
    told = [
        f"{counts(one['hijacked'])} hijacked, {counts(one['clean'])} clean ({SETS[kind]})"
        for kind, one in document["undecided"].items()
    ]
    return "; ".join(told)
