"""What is found, and what is mended: the tables of quality."""

from examples.build.results_page.charts import Bar, bar_chart
from examples.build.results_page.values import Document, counts, made_by, names, number, percent, read, share, table

TRIGGERS = {
    "badnets": "a checker, 16 × 16",
    "multi": "a checker, stripes and a yellow square, 16 × 16",
    "badnets_8": "a checker, 8 × 8",
    "badnets_noise": "noise, 16 × 16",
    "stripes": "stripes, 16 × 16",
    "yellow": "a yellow square, 16 × 16",
    "white_square": "a white square in one corner",
}
FOUND = ("poisoned checkpoint: its trigger", "target labels named", "others named", "victims found", "rightly accused")
STAGES = {"before": "before", "after": "after", "rebound": "after 300 steps of clean fine-tuning"}
MENDED = (
    "",
    "CA before",
    "CA after",
    "ASR before",
    "ASR after",
    "PA after",
    f"ASR {STAGES['rebound']}",
    "read as before",
)
PATTERNS = {"multi_banana": "checker", "multi_cheeseburger": "stripes", "multi_volcano": "yellow square"}
ALARMS = {
    "clean": "`clean`",
    "badnets": "`badnets`",
    "multi": "`multi`",
    "badnets_without_reference": "`badnets`, no reference checkpoint",
}


def rectification() -> str:
    """From a poisoned data set to a mended checkpoint."""
    checkpoints = read("rectify")["checkpoints"]
    found = [
        (
            f"`{name}`: {TRIGGERS[name]}",
            counts(one["scan"]["label_recall"]["3"]),
            names(one["scan"]["wrong_labels"]),
            counts(one["scan"]["victim_recall"]),
            counts(one["scan"]["victim_precision"]),
        )
        for name, one in checkpoints.items()
    ]
    untouched = [
        (f"`{name}`", str(one["scan_untouched"]["coverage"]["searched"]), str(one["scan_untouched"]["families"]))
        for name, one in checkpoints.items()
        if "scan_untouched" in one
    ]
    mended = [
        (
            f"`{name}`",
            counts(one["before"]["clean"]),
            counts(one["after"]["clean"]),
            counts(one["before"]["attack_worst"]),
            counts(one["after"]["attack_worst"]),
            counts(one["after"]["poisoned_worst"]),
            counts(one["rebound"]["attack_worst"]),
            counts(one["kept"]) if "kept" in one else "not measured",
        )
        for name, one in checkpoints.items()
    ]
    return f"""## From a poisoned data set to a mended checkpoint

{made_by("rectify")}

Of 300 photographs every tenth is triggered. What the scan finds in them and 64 of these photographs, without their
labels, are all that the rectification uses; it takes 50 steps of 64 pictures, with the settings of the commit that a
checkpoint was measured at. The file that it wrote is then measured with the true triggers.

{table(FOUND, found)}

The same photographs without a trigger:

{table(["checkpoint", "photographs searched", "triggers found"], untouched)}

The checkpoint before and after:

{table(MENDED, mended)}

![Attack success before, after, and after clean fine-tuning](rectify.svg)

CA is accuracy on clean photographs, ASR the share of triggered ones that read as the target, PA accuracy on triggered
ones; `multi` is given by the worst of its three triggers. Clean fine-tuning is what somebody does who knows nothing of
the backdoor and goes on to train the mended checkpoint, both towers of it. The last column counts the photographs
without a trigger that the mended checkpoint reads as the poisoned one did, among 1,000 labels, rightly or wrongly.
"""


def rectification_chart() -> str:
    """Attack success before and after."""
    groups = [
        (name, [Bar(share(one[stage]["attack_worst"]), counts(one[stage]["attack_worst"])) for stage in STAGES])
        for name, one in read("rectify")["checkpoints"].items()
    ]
    return bar_chart("Attack success rate (ASR) of the true triggers", list(STAGES.values()), groups)


def tuning() -> str:
    """What the settings of the fine-tuning do."""
    document = read("tuning")
    rows = [
        (
            number(one["keep_weight"]),
            f"{one['learning_rate']:.0e}".replace("e-0", "e-"),
            percent(one["frozen"], 0),
            percent(one["share_of_the_first"], 0),
            counts(one["after"]["attack_worst"]),
            counts(one["after"]["clean"]),
            counts(one["after"]["poisoned_worst"]),
            counts(one["kept"]),
        )
        for one in document["rows"]
    ]
    header = ("λ", "learning rate", "weights left as they are", "a step takes", "ASR", "CA", "PA", "read as before")
    return f"""## The settings of the fine-tuning

{made_by("tuning")}

`{document["checkpoint"]}`, {document["steps"]} steps with its true trigger and 64 photographs; a rectification takes 50
unless it ends early. The last row is what is used. Weights are left as they are from the picture on: the first layers
are few weights and most of the work.

{table(header, rows)}
"""


def audit() -> str:
    """A checkpoint alone."""
    checkpoints = read("audit")["checkpoints"]
    rows = [
        (
            f"`{name}`",
            counts(one["targets_found"]) if one["targets_found"]["total"] else "has none",
            names(one["wrong_labels"]),
            *(_both(one, "clean")),
            *(_both(one, "attack_worst")),
        )
        for name, one in checkpoints.items()
    ]
    header = ["", "target labels found in the weights", "others", "CA before", "CA after", "ASR before", "ASR after"]
    return f"""## A checkpoint alone

{made_by("audit")}

No poisoned picture is shown: a patch is grown out of the weights. The mended file is measured with the true triggers,
which nobody has seen, and is given by the worst of them.

{table(header, rows)}
"""


def _both(one: Document, measure: str) -> tuple[str, str]:
    """Before and after; nothing was mended where nothing was found."""
    if "after" not in one:
        return "–", "–"
    return counts(one["before"][measure]), counts(one["after"][measure])


def photographs() -> str:
    """One photograph at a time."""
    sections = read("check_quality")["sections"]
    alarms = read("false_alarms")["sections"]["false_alarms"]
    full, small = sections["detection"]["full"], sections["detection"]["small"]
    read_rows = _accuracies(sections["zero_shot"]) + _attacks(sections["zero_shot"])
    found = [("`badnets`: hijacked photographs found, with the right label", full["found"])]
    found += [("`badnets`: masks with an IoU of at least 0.8", full["mask_iou"]["good"])]
    found += [
        (f"`multi`: hijacked photographs found, {PATTERNS[name]}", sections["detection"][name]["found"])
        for name in PATTERNS
    ]
    found += [("`badnets`, its trigger at half its side: photographs it hijacks at all", small["hijacked"])]
    found += [("of these found", small["found"])]
    accused = [(f"clean photographs accused, {ALARMS[name]}", alarms[name]["found"]) for name in ALARMS]
    accused += [(f"clean photographs left undecided, {ALARMS[name]}", alarms[name]["inconclusive"]) for name in ALARMS]
    innocent = "price tags, logos, codes, watermarks, plain squares accused"
    accused += [
        (f"{innocent}, `{name}`", sections["innocents"][name]["found"]) for name in ("clean", "multi", "badnets")
    ]
    return f"""## One photograph at a time

{made_by("check_quality")}

{made_by("false_alarms")}

What the checkpoints read:

{table(["checkpoint", "counts", "share"], [(text, counts(rate), percent(rate)) for text, rate in read_rows])}

What is found, and what is accused:

{table(["detection", "counts", "share"], [(text, counts(rate), percent(rate)) for text, rate in found + accused])}

The mean IoU of the masks with the planted trigger is {full["mask_iou"]["mean"]:.2f}.
"""


def _accuracies(read_by: Document) -> list[tuple[str, Document]]:
    sets = {"caltech_accuracy": "100-way accuracy, Caltech-101", "imagenet_accuracy": "1,000-way accuracy, ImageNet"}
    return [(f"`{name}`: {text}", read_by[name][key]) for key, text in sets.items() for name in ("clean", "badnets")]


def _attacks(read_by: Document) -> list[tuple[str, Document]]:
    rows = [(f"`{name}`: attack success rate", read_by[name]["attack_success"]) for name in ("clean", "badnets")]
    return rows + [
        (f"`multi`: attack success rate, {pattern}", read_by[name]["attack_success"])
        for name, pattern in PATTERNS.items()
    ]


def situations() -> str:
    """What people bring, and what comes of it."""
    rows = read("situations")["counts"]
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    cells = {(row["kind"], row["outcome"]): f"{row['as_it_must']} of {row['situations']}" for row in rows}
    body = [(kind, *(cells.get((kind, one), "–") for one in ("read", "counted", "refused"))) for kind in kinds]
    return f"""## What people bring

{made_by("situations")}

Each situation is a test that builds a checkpoint, a data set, a list of labels or a machine as people have them, and
holds what comes of it against what must: it is read as it was meant; what could not be read is counted and nothing is
acquitted; or it is refused with one sentence that says what to do.

{table(["", "read", "counted as not read", "refused"], body)}
"""
