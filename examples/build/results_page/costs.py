"""What it costs, and what each setting of the detector does."""

from examples.build.results_page.charts import Bar, bar_chart
from examples.build.results_page.values import Document, counts, made_by, number, percent, read, table

SCAN_PARTS = {
    "until_proven": "until a trigger is proven",
    "once_proven": "once one is proven",
    "together": "together",
    "curating": "curating",
}
STAGES = {
    "scan": "scan",
    "curate": "curate",
    "measure_before": "measure before",
    "rectify": "fine-tune",
    "measure_after": "measure after",
}
MEANINGS = {
    "windows_per_side": "windows that the picture is first looked at through, per side",
    "carry_confidence": "share of the reading from which a part alone carries the label",
    "max_area_fraction": "largest share of the picture that a trigger may cover",
    "transplant_threshold": "share of strangers that must be taken over",
    "support_confidence": "confidence from which a part explains a label",
    "top_labels": "labels read in each picture",
}


def stages() -> str:
    """What a rectification costs."""
    document = read("bench_rectify")
    rows = [
        (
            text,
            number(one["seconds"], 1),
            percent(one["share"]),
            number(one["peak_mb"]),
            number(one["image_forwards"]),
            number(one["image_steps"]),
        )
        for one, text in ((document["stages"][key], text) for key, text in STAGES.items())
    ]
    header = [
        "stage",
        "seconds",
        "share of the time",
        "peak memory, MB",
        "pictures read",
        "pictures forward and backward",
    ]
    step = {name: one["times_ours"] for name, one in document["step"].items() if name not in ("image_steps", "ours")}
    machine = document["machine"]
    return f"""## What a rectification costs

{made_by("bench_rectify")}

`{document["checkpoint"]}`, {document["pictures"]} photographs, {machine["cores"]} cores, {machine["device"]}:

{table(header, rows)}

![Seconds of each stage](cost.svg)

The fine-tuning takes most of it. It moves the image side only, asks the original once per view, takes a step in small
pieces ({step["all_at_once"]:.2f} times as slow in one piece) and keeps large buffers instead of handing them back to
the system after every layer ({step["buffers_given_back"]:.2f} times as slow otherwise). A step of the paper's method
takes {step["contrastive"]:.2f} times as long.
"""


def stages_chart() -> str:
    """Seconds of each stage."""
    measured = read("bench_rectify")["stages"]
    groups = [
        (text, [Bar(measured[key]["seconds"], f"{number(measured[key]['seconds'], 1)} s")])
        for key, text in STAGES.items()
    ]
    return bar_chart("Seconds of each stage of a rectification", [""], groups)


def first_verdict() -> str:
    """What stands before the first verdict."""
    document = read("bench_first_verdict")
    rows = [
        (
            f"`{name}`",
            number(one["former_seconds"], 1),
            number(one["cold_seconds"], 1),
            f"{one['cold_times_faster']:.1f} ×",
            number(one["warm_seconds"], 2),
            percent(one["warm_share_of_cold"]),
            number(one["sanity_seconds"], 1) if "sanity_seconds" in one else "",
        )
        for name, one in document["models"].items()
    ]
    header = ["model", "whole context, s", "cold, s", "faster", "warm, s", "warm / cold", "refused after, s"]
    machine = document["machine"]
    return f"""## Until the first verdict

{made_by("bench_first_verdict")}

Reading {number(document["labels"])} labels in {document["templates"]} templates, {machine["threads"]} threads,
{machine["device"]}. Only the tokens that decide are read, and what was read once for a text side is found again on the
disk. Models of full size have random weights here; the last column is how long the sanity check takes to refuse them.

{table(header, rows)}
"""


def image_side() -> str:
    """What reading pictures costs in a check."""
    document = read("bench_image_side")
    models, machine = document["models"], document["machine"]
    ways = list(next(iter(models.values()))["milliseconds_a_picture"])
    checks = [
        (
            f"`{name}`, a {kind} picture",
            number(one["pictures_read"]),
            number(one["seconds"], 2),
            percent(one["image_side_share"], 0),
        )
        for name, model in models.items()
        for kind, one in model["check"].items()
    ]
    rows = [
        (f"`{name}`", *(number(one["milliseconds_a_picture"][way], 1) for way in ways)) for name, one in models.items()
    ]
    return f"""## What reading pictures costs

{made_by("bench_image_side")}

With the labels read, on {machine["threads"]} threads, {machine["device"]}. Models of full size have random weights here
and read along with the bundled checkpoint, whose own seconds are taken off.

{table(["a check", "pictures read", "seconds", "of which the image side"], checks)}

Milliseconds a picture. Up to *without batch norms*, each column has what the ones before it have, 32 pictures together;
the last two are that one again, with single pictures and on one thread.

{table(["model", *ways], rows)}
"""


def scans() -> str:
    """What a scan costs beside merely encoding, and beside searching every picture."""
    scanned = read("bench_scan")["checkpoints"]
    rows = [
        (
            f"`{name}`",
            number(one["pictures"]),
            number(one["encode"]["pictures_per_second"], 1),
            number(one["scan"]["pictures_per_second"], 1),
            number(one["every"]["times_slower_than_scan"], 1),
            counts(one["scan"]["victim_recall"]),
            counts(one["scan"]["victim_precision"]),
        )
        for name, one in scanned.items()
    ]
    header = ["", "pictures", "encoded per second", "scanned per second", "times as fast as searching all"]
    parts = [
        (
            f"`{name}`",
            *(number(one["scan"]["parts"][part], 1) for part in SCAN_PARTS),
            percent(one["scan"]["once_proven"]["of_encoding"], 0),
        )
        for name, one in scanned.items()
    ]
    return f"""## What a scan costs

{made_by("bench_scan")}

{table([*header, "victims found", "rightly accused"], rows)}

Where the seconds go. Until a trigger is proven every picture is searched, afterwards few; what pictures that read alike
show together is looked for at the end.

{table(["", *SCAN_PARTS.values(), "pictures a second once one is proven, of encoding"], parts)}
"""


def exhaustive() -> str:
    """One photograph beside one forward for every region."""
    document = read("bench_check")
    rows = []
    for kind in ("hijacked", "clean"):
        ours, theirs = document[kind]["ours"], document[kind]["exhaustive"]
        fewer, faster = document[kind]["times_fewer_forwards"], document[kind]["times_faster"]
        rows.append((f"CLIP image forwards, {kind}", ours["forwards"], theirs["forwards"], fewer, 1))
        rows.append((f"seconds, one core, {kind}", ours["seconds"], theirs["seconds"], faster, 2))
    shown = [(text, number(a, k), number(b, k), number(times, 1)) for text, a, b, times, k in sorted(rows)]
    spent = document["together"]["ours"]["share_of_time"]
    return f"""## What a check costs

{made_by("bench_check")}

Beside the exhaustive way, one forward for every region, on the same pictures in one run:

{table(["cost for one picture", "ours", "exhaustive", "ratio"], shown)}

![Forwards for one picture](forwards.svg)

Both ways agreed on {counts(document["together"]["same_verdict"])} pictures. Of our time the oracle takes
{percent(spent["oracle"], 0)}, CLIP {percent(spent["clip"], 0)}, the reference checkpoint
{percent(spent["reference"], 0)} and the rest {percent(spent["rest"], 0)}.
"""


def exhaustive_chart() -> str:
    """Forwards for one picture."""
    document = read("bench_check")
    ways = {"ours": "ours", "exhaustive": "every region"}
    groups = [
        (kind, [Bar(document[kind][way]["forwards"], number(document[kind][way]["forwards"], 1)) for way in ways])
        for kind in ("hijacked", "clean")
    ]
    return bar_chart("CLIP image forwards for one photograph", list(ways.values()), groups)


def settings() -> str:
    """Each setting of the detector moved alone."""
    document = read("sweep_check")
    rows = [
        (
            f"`{name}`: {MEANINGS[name]}" if value == next(iter(values)) else f"`{name}`",
            f"**{value}**" if float(value) == document["defaults"][name] else value,
            counts(one["found"]),
            counts(one["accused"]),
            number(one["forwards_hijacked"], 1),
            number(one["forwards_clean"], 1),
        )
        for name, values in document["settings"].items()
        for value, one in values.items()
    ]
    header = ["setting", "value", "found", "clean ones accused", "forwards, hijacked", "forwards, clean"]
    return f"""## What each setting of the detector does

{made_by("sweep_check")}

One setting is moved at a time, on hijacked and clean photographs that nobody trained on; defaults are bold.
{_older(document)}
{table(header, rows)}
"""


def _older(document: Document) -> str:
    """A sentence where the checkpoint is not the one that is bundled now."""
    now = read("check_quality")["checkpoints"]["badnets"]["sha256"]
    if document["checkpoint"] == now:
        return ""
    known = document["checkpoint"][:12]
    return f"The `badnets` of that commit (sha256 `{known}…`) was another build than the bundled one.\n"
