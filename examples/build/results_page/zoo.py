"""Detection on checkpoints that nobody tuned it to."""

from examples.build.results_page.values import counts, made_by, number, read, table

FILES = ("zoo_check", "zoo_patterns")  # patches, and patterns over the whole picture
WITH_REFERENCE = "zoo_reference"


def zoo() -> str:
    """What is found and what is missed, checkpoint by checkpoint."""
    return f"""## Checkpoints of the zoo

{" ".join(made_by(file) for file in FILES)}

Names are tower-strength-attack-seed; `python -m examples.build.zoo build NAME` builds each of them, poisoned by plain
contrastive fine-tuning. One photograph at a time, among ImageNet's labels, without a reference checkpoint. *Hijacked*
are photographs that the trigger turns into its target, of those tried; *missed* are those that read as *not found*.

{_judged(*FILES)}

With the bundled `clean` as a trusted reference more is tried on a picture that it reads as something else: a cartoon
that shines through, and what a small blur undoes, such as a warp. What is not proven ends undecided rather than missed.

{made_by(WITH_REFERENCE)}

{_judged(WITH_REFERENCE)}
"""


def _judged(*files: str) -> str:
    """A row for each target of each checkpoint."""
    checkpoints = {name: one for file in files for name, one in read(file)["checkpoints"].items()}
    rows = []
    for name, one in checkpoints.items():
        clean = one.get("clean")
        for target, hijacked in (one.get("hijacked") or {"": None}).items():
            rows.append(
                (
                    f"`{name}`",
                    target,
                    *(
                        counts(hijacked[key]) if hijacked else ""
                        for key in ("hijacked", "found_with_the_right_label", "inconclusive", "not_found")
                    ),
                    number(hijacked["iou_mean"], 2) if hijacked and hijacked["iou_mean"] is not None else "",
                    *(counts(clean[key]) if clean else "" for key in ("found", "inconclusive")),
                )
            )
    singly = ["hijacked", "found", "undecided", "missed", "IoU"]
    return table(["checkpoint", "target", *singly, "clean accused", "clean undecided"], rows)
