"""The model card of a mended checkpoint, rendered from the document of the run that mended it."""

from eftclip.report.text import coverage_sentence, families_table, measured_table, warnings
from eftclip.report.values import Document, escape


def model_card(document: Document, *, licence: str | None = None) -> str:
    """The README of the folder that `rectify` wrote.

    Args:
        document: of a finished rectification.
        licence: of the checkpoint it was made from; None where that says nothing.
    """
    rectified, checkpoint = document["rectified"], document["checkpoint"]
    base = f"base_model: {checkpoint['repo_id']}\n" if checkpoint["repo_id"] else ""
    revision = f" at `{checkpoint['revision']}`" if checkpoint["revision"] else ""
    lines = [
        "---",
        f"{base}{f'license: {licence}' + chr(10) if licence else ''}library_name: open_clip",
        "pipeline_tag: zero-shot-image-classification",
        "tags: [clip, eftclip, rectified]",
        "---",
        "",
        "# A CLIP checkpoint, rectified",
        "",
        f"Made from {escape(checkpoint['source'])}{revision} (weights `{checkpoint['sha256']}`), which was backdoored.",
        "",
        escape(document["conclusion"]),
        "",
        "## What was found",
        "",
        *families_table(document),
        "",
        coverage_sentence(document),
        "",
        "## How it was rectified",
        "",
        f"Method `{rectified['method']}`: the image side was fine-tuned for {rectified['steps']} steps "
        f"({rectified['image_steps']:,} image-steps) on {len(document['curated']['items'])} pictures. "
        f"The weights written are `{rectified['sha256']}`.",
        "",
        "## Measured before and after",
        "",
        *measured_table(document),
        "",
        *warnings(document),
        "",
        "## Limits",
        "",
        "Only the triggers listed above were found and removed. Triggers spread over the whole picture, triggers on "
        "the text side, and local triggers that no picture showed were not looked for; this card does not say that the "
        "checkpoint has none.",
        "",
    ]
    return "\n".join(lines)
