"""A run for people: Markdown that renders its document, and nothing else."""

from eftclip.report.values import Document, algorithm_line, escape, kinds_line, share
from eftclip.types import measure_names

SHOWN_VICTIMS, SHOWN_FAULTS = 50, 20
NOT_JUDGED = ("undecided", "corrupt", "missing", "left_out", "duplicates")  # documents of old lack `left_out`
TITLES = {"scan": "Scan of a data set", "rectify": "Rectification of a CLIP checkpoint", "evaluate": "Evaluation"}
CAVEAT = "Triggers on the text side are not looked for. A finding is a candidate for review, not a proof of intent."


def run_markdown(document: Document) -> str:
    """Render the document of a scan, a rectification or an evaluation; names and labels are escaped."""
    lines = [f"# {TITLES[document['kind']]}", "", escape(document["conclusion"]), "", *_about(document)]
    if "families" in document:
        lines += ["", "## Triggers", "", *families_table(document)]
        lines += ["", "## Coverage", "", coverage_sentence(document), *_faults(document)]
        lines += _victims(document)
    if "curated" in document:
        lines += ["", "## Fine-tuning set", "", *_curated(document["curated"])]
    if "rectified" in document:
        lines += ["", "## Fine-tuning", "", *_rectified(document["rectified"])]
    if "before" in document or "after" in document:
        lines += ["", "## Measured", "", *_undecided(document), *measured_table(document), "", *warnings(document)]
    if document["costs"]:
        lines += ["", "## Cost", "", *_costs(document)]
    searched = f"{kinds_line(document['kinds'])} " if "kinds" in document else ""
    return "\n".join([*lines, "", f"{searched}{CAVEAT}", ""])


def _about(document: Document) -> list[str]:
    checkpoint, labels, data = document["checkpoint"], document["labels"], document["data"]
    revision = f" at `{checkpoint['revision']}`" if checkpoint["revision"] else ""
    reference = f"`{document['reference']['sha256'][:12]}…`" if document["reference"] else "none"
    rows = [
        f"* **Checkpoint:** {escape(checkpoint['source'])}{revision}, weights `{checkpoint['sha256'][:12]}…`",
        f"* **Working?** {escape(document['sanity']['reason'])}",
        f"* **Labels:** {labels['count']:,} from {escape(labels['source'])}",
        f"* **Oracle:** {escape(document['oracle'])}, **trusted reference:** {reference}, **seed:** {document['seed']}",
    ]
    if "detect" in document["config"]:
        rows += [algorithm_line(document["config"]["detect"])]
    if data:
        pinned = f" at `{data['revision']}`" if data["revision"] else ""
        rows += [f"* **Data:** {escape(data['source'])}{pinned} ({data['kind']})"]
        rows += [f"* **Recognised:** {escape(data['layout'])}"] if data.get("layout") else []
        rows += [f"* **Left out:** {escape(note)}" for note in data["notes"]]
    return rows


def families_table(document: Document) -> list[str]:
    """The trigger families as a table; a sentence where there are none."""
    if not document["families"]:
        return ["None was found."]
    rows = ["| forced label | carried by | strangers taken over | same trigger, reference |", "|---|---|---|---|"]
    for family in document["families"]:
        carried = f"{family['victims']} pictures" if family["origin"] == "found" else "inverted from the weights"
        control = share(family["control"]) if family["control"] else "not checked"
        rows += [f"| {escape(family['target_label'])} | {carried} | {share(family['transplant'])} | {control} |"]
    return rows


def coverage_sentence(document: Document) -> str:
    """How far the scan looked, every count named."""
    c = document["coverage"]
    parts = [f"{c['searched']:,} searched"]
    parts += [f"{c['matched']:,} recognised by a known trigger"] if c["matched"] else []
    parts += [f"{c['screened']:,} only read (no affected label, nothing unusual)"] if c["screened"] else []
    parts += [f"{c[kind]:,} {kind.replace('_', ' ')}" for kind in NOT_JUDGED if c.get(kind)]
    end = "The whole set was reached" if c["complete"] else f"{c['reached']:,} samples were reached"
    return f"{end}: {', '.join(parts)}."


def _faults(document: Document) -> list[str]:
    shown = document["faults"][:SHOWN_FAULTS]
    rows = [f"* {escape(fault['image'])}: {fault['kind']}. {escape(fault['reason'])}" for fault in shown]
    more = sum(document["coverage"].get(kind, 0) for kind in NOT_JUDGED) - len(shown)
    return ["", *rows, *([f"* and {more:,} more"] if more > 0 else [])] if rows else []


def _victims(document: Document) -> list[str]:
    victims = document["victims"]
    if not victims:
        return []
    rows = [f"| {escape(v['image'])} | {escape(v['shown_label'])} | {escape(v['restored_label'])} |" for v in victims]
    more = ["", f"{len(victims) - SHOWN_VICTIMS:,} more are in the JSON file."] if len(victims) > SHOWN_VICTIMS else []
    head = ["", f"## Victims ({len(victims)})", "", "| picture | shows | without the trigger |", "|---|---|---|"]
    return [*head, *rows[:SHOWN_VICTIMS], *more]


def _curated(curated: Document) -> list[str]:
    counts = ", ".join(f"{count} {role}" for role, count in curated["counts"].items())
    return [
        f"{len(curated['items'])} of at most {curated['budget']} pictures from {escape(curated['source'])}: {counts}."
    ]


def _rectified(rectified: Document) -> list[str]:
    ends = {"steps": "all steps were done", "early": "nothing was left to win", "cancelled": "it was stopped"}
    lines = [
        f"Method `{rectified['method']}`: {rectified['steps']} steps, {rectified['image_steps']:,} image-steps, "
        f"{rectified['seconds']:.0f} s; {ends[rectified['stopped']]}.",
    ]
    about = rectified.get("about", "")
    lines += ["", f"{escape(about[:1].upper() + about[1:])}."] if about else []
    lines += ["", f"The method is not EftCLIP's own: {escape(rectified['origin'])}."] if rectified.get("origin") else []
    lines += ["", escape(rectified["remark"])] if rectified.get("remark") else []
    if rectified["history"]:
        lines += ["", "| step | loss | held-out pictures taken over | held-out pictures read as before |"]
        lines += ["|---|---|---|---|"]
        lines += [
            f"| {look['step']} | {look['loss']:.4f} | {share(look['attack'])} | {share(look['agreement'])} |"
            for look in rectified["history"]
        ]
    return lines


def measured_table(document: Document) -> list[str]:
    """CA, ASR and PA of each stage that was measured."""
    stages = [name for name in ("before", "after", "rebound") if name in document]
    rows = [f"| | {' | '.join(stages)} |", "|---" * (len(stages) + 1) + "|"]
    rows += [
        f"| {name}, {meaning} | {' | '.join(share(document[s][key]) for s in stages)} |"
        for key, name, meaning in measure_names(document[stages[0]]["truth"])
    ]
    if any(document[stage]["victims"] for stage in stages):
        told = [share(document[s]["victims"]) if document[s]["victims"] else "–" for s in stages]
        rows += [f"| poisoned samples that show the forced label | {' | '.join(told)} |"]
    targets = [target["target_label"] for target in document[stages[0]]["per_target"]]
    if len(targets) > 1:
        for k, label in enumerate(targets):
            cells = " | ".join(share(document[stage]["per_target"][k]["attack"]) for stage in stages)
            rows += [f"| ASR, {escape(label)} | {cells} |"]
    return rows


def warnings(document: Document) -> list[str]:
    """What the measurement was done on, and what speaks against it."""
    last = document.get("after") or document["before"]
    return [f"Measured on {escape(last['pictures'])}.", "", *(f"* {escape(doubt)}" for doubt in last["warnings"])]


def _undecided(document: Document) -> list[str]:
    """Why an evaluation decides nothing, before its numbers."""
    if document["kind"] != "evaluate" or document.get("status") != "inconclusive":
        return []
    return [f"**Inconclusive.** {escape(document['reason'])}", ""]


def _costs(document: Document) -> list[str]:
    rows = ["| stage | seconds | peak memory | CLIP forwards | image-steps |", "|---|---|---|---|---|"]
    for cost in document["costs"]:
        memory = "–" if cost["peak_mb"] is None else f"{cost['peak_mb']:,.0f} MB"
        steps = f"{cost['image_forwards']:,} | {cost['image_steps']:,}"
        rows += [f"| {cost['stage']} | {cost['seconds']:.1f} | {memory} | {steps} |"]
    return rows
