"""What publications state of the same attacks, above what was measured here at a small part of their cost."""

import json
from collections.abc import Iterator

from examples.build.results_page.boards import prose
from examples.build.results_page.values import ROOT, Document, counts, number, percent, read, table

FILE = ROOT / "examples" / "bench" / "published.json"
MEASURED = "rivals_rectify"
ZOO = "effnet-strong-{attack}-0"
OURS = "realign"
NOTHING = "–"


def published() -> str:
    """ASR, and CA in brackets, by attack."""
    document: Document = json.loads(FILE.read_text(encoding="utf-8"))
    attacks: dict[str, str] = document["attacks"]
    cited = "; ".join(
        f"{source['title']} ([arXiv {one}](https://arxiv.org/abs/{one}); {source['model']})"
        for one, source in document["sources"].items()
    )
    rows = [*_stated(document), *_measured(document)]
    told = (
        f"ASR (CA) for the attacks that both have, from [`published.json`](../bench/published.json) and "
        f"[`{MEASURED}.json`]({MEASURED}.json). The rows with an arXiv number are not ours: {cited}. They are of other "
        "models, photographs and definitions of ASR, with hundreds to thousands of times the pictures; they show how "
        "high the bar is, and a difference between one of them and a row of ours says nothing about a method.",
    )
    return f"""### As published, and as measured here

{prose(told)}

{table(["method", "from", *attacks.values(), "pictures"], rows)}
"""


def _stated(document: Document) -> Iterator[list[str]]:
    for row in document["rows"]:
        told = [
            f"{row['asr'][attack]} % ({row['ca'][attack]} %)" if attack in row["asr"] else NOTHING
            for attack in document["attacks"]
        ]
        pictures = number(row["pictures"]) if row["pictures"] else NOTHING
        yield [row["method"], f"arXiv {row['source']}", *told, pictures]


def _measured(document: Document) -> Iterator[list[str]]:
    """Before, ours, and the methods that are among the published ones, on the zoo's checkpoint with that attack."""
    checkpoints: Document = read(MEASURED)["checkpoints"]
    entries = [checkpoints.get(ZOO.format(attack=attack)) for attack in document["attacks"]]
    yield ["before", "here", *(_cell(entry["before"]) if entry else NOTHING for entry in entries), NOTHING]
    both = [row["method"] for row in document["rows"]]
    for method in (OURS, *both):
        cells = [_cell(_after(entry, method)) for entry in entries]
        if any(cell != NOTHING for cell in cells):
            yield [method + (" (ours)" if method == OURS else ""), "here", *cells, "64"]


def _after(entry: Document | None, method: str) -> Document | None:
    rows = (entry or {"rows": {}})["rows"].values()
    return next((row["after"] for row in rows if row["method"] == method and "after" in row), None)


def _cell(outcome: Document | None) -> str:
    if outcome is None:
        return NOTHING
    attack, clean = outcome["attack_worst"], outcome["clean"]
    return f"{percent(attack)}, {counts(attack)} ({percent(clean)}, {counts(clean)})"
