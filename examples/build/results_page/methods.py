"""Rectification methods side by side: where a rival does better than our own, its cell is bold."""

from examples.build.results_page.values import Document, counts, made_by, number, read, share, table

FILE, OURS = "rivals_rectify", "realign"
HEADER = ["", "told", "learning rate", "image-steps", "seconds", "ASR", "CA", "PA", "read as before"]


def methods() -> str:
    """Every method with the same photographs and at the same cost."""
    document = read(FILE)
    before = [counts(document["before"][name]) for name in ("attack_worst", "clean", "poisoned_worst")]
    ours = _worth(next(one for one in document["rows"] if one["method"] == OURS))
    rows = [["before", *[""] * 4, *before, ""], *(_row(one, ours) for one in document["rows"])]
    return f"""## Methods side by side

{made_by(FILE)}

`{document["checkpoint"]}`, every method with the same 64 photographs and {number(document["image_steps"])} image-steps
after what it does before the first one. *Told*: is given the true trigger; the others must do without and are shown
clean photographs with their labels. Their publications have some 100,000 pictures and many thousands of steps, so
these rows say what is left of them at our cost, not what they can do. Seconds are those of one core. **Bold**: better
than `{OURS}`.

{table(HEADER, rows)}
"""


def _row(one: Document, ours: list[float]) -> list[str]:
    after = one["after"]
    texts = [
        number(one["image_steps"]),
        number(one["seconds"]),
        *(counts(after[name]) for name in ("attack_worst", "clean", "poisoned_worst")),
        counts(one["kept"]),
    ]
    better = [worth > own for worth, own in zip(_worth(one), ours, strict=True)]
    shown = [f"**{text}**" if bold else text for text, bold in zip(texts, better, strict=True)]
    rate = f"{one['learning_rate']:.0e}".replace("e-0", "e-")
    return [f"`{one['method']}`", "yes" if one["told"] else "no", rate, *shown]


def _worth(one: Document) -> list[float]:
    """What each cell is worth: higher is better."""
    after = one["after"]
    return [
        -one["image_steps"],
        -one["seconds"],
        -share(after["attack_worst"]),
        *(share(after[name]) for name in ("clean", "poisoned_worst")),
        share(one["kept"]),
    ]
