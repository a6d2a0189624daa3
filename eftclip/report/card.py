"""The model card of a mended checkpoint, rendered from the document of the run that mended it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eftclip.report.text import coverage_sentence, families_table, measured_table, warnings
from eftclip.report.values import Document, escape
from eftclip.types import measure_names
from eftclip.untrusted_text import plain

TASK = {"type": "zero-shot-image-classification", "name": "Zero-Shot Image Classification"}
CAPTIONS = {
    "triggers.png": "The triggers that were found",
    "measured.png": "Before and after",
    "curve.png": "The fine-tuning",
}


def model_card(
    document: Document, *, licence: str | None = None, repo_id: str | None = None, pictures: Sequence[str] = ()
) -> str:
    """The README of a mended checkpoint.

    Args:
        document: of a finished rectification.
        licence: of the checkpoint it was made from; None where that says nothing.
        repo_id: where it is published; None for a local folder.
        pictures: files beside the card, of those in `CAPTIONS`.
    """
    rectified, checkpoint = document["rectified"], document["checkpoint"]
    revision = f" at `{checkpoint['revision']}`" if checkpoint["revision"] else ""
    base = checkpoint["repo_id"] or Path(checkpoint["source"]).name
    lines = [
        *_front_matter(document, licence, repo_id),
        "",
        f"# {escape(repo_id.partition('/')[2]) if repo_id else 'A CLIP checkpoint, rectified'}",
        "",
        f"Made from {escape(base)}{revision} (weights `{checkpoint['sha256']}`), which was backdoored.",
        "",
        escape(document["conclusion"]),
        "",
        *(_usage(repo_id, _library(document)) if repo_id else []),
        "## What was found",
        "",
        *families_table(document),
        "",
        coverage_sentence(document),
        "",
        "## How it was rectified",
        "",
        f"{_told(rectified)} fine-tuned for {rectified['steps']} steps "
        f"({rectified['image_steps']:,} image-steps) on {len(document['curated']['items'])} pictures. "
        f"The weights written are `{rectified['sha256']}`.",
        *(["", escape(rectified["remark"])] if rectified.get("remark") else []),
        "",
        "## Measured before and after",
        "",
        *measured_table(document),
        "",
        *warnings(document),
        "",
        *[line for name in pictures if name in CAPTIONS for line in (f"![{CAPTIONS[name]}]({name})", "")],
        "## Limits",
        "",
        "Only the triggers listed above were found and removed. Warps, colour filters, triggers on the text side, and "
        "triggers that no picture showed were not looked for; this card does not say that the checkpoint has none.",
        "",
    ]
    return "\n".join(lines)


def _front_matter(document: Document, licence: str | None, repo_id: str | None) -> list[str]:
    """What machines read. Every value is written as JSON, which YAML is a superset of, so none can break out.

    Not in ASCII, though: JSON writes an emoji as two halves, which YAML takes for two characters.
    """
    checkpoint, index = document["checkpoint"], _model_index(document, repo_id)
    values: dict[str, Any] = {
        **({"base_model": checkpoint["repo_id"]} if checkpoint["repo_id"] else {}),
        **({"license": plain(licence)} if licence else {}),
        "library_name": _library(document),
        "pipeline_tag": TASK["type"],
        "tags": ["clip", "eftclip", "rectified"],
        **({"model-index": index} if index else {}),
    }
    return ["---", *(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()), "---"]


def _model_index(document: Document, repo_id: str | None) -> list[dict[str, Any]]:
    """Evaluation results for the Hub, with counts; readings that are as before are not called accuracy."""
    after, before = document.get("after"), document.get("before")
    if after is None or before is None:
        return []
    labelled = after["truth"] == "labels"
    right = "accuracy" if labelled else "agreement"
    kinds = {"clean": right, "attack": "attack_success_rate", "poisoned": f"poisoned_{right}"}
    metrics = []
    for key, short, meaning in measure_names(after["truth"]):
        now, then, kind, name = after[key], before[key], kinds[key], f"{short}, {meaning}"
        if now["total"]:
            counts = f"{now['hits']} of {now['total']}; before {then['hits']} of {then['total']}"
            value = round(now["hits"] / now["total"], 4)
            metrics.append({"type": kind, "value": value, "name": f"{name} ({counts})"})
    data = document["data"] or {"kind": "bundled"}
    results = {"task": TASK, "dataset": {"type": data["kind"], "name": plain(after["pictures"])}, "metrics": metrics}
    return [{"name": repo_id.partition("/")[2] if repo_id else "rectified", "results": [results]}]


def _told(rectified: Document) -> str:
    """The method, and what of the checkpoint was fine-tuned; reports written earlier do not say more than its name."""
    about = f" ({escape(rectified['about'])})" if rectified.get("about") else ""
    about += f" of {escape(rectified['origin'])}, not EftCLIP's own" if rectified.get("origin") else ""
    tuned = "both sides were" if rectified.get("trains_text") else "the image side was"
    return f"Method `{rectified['method']}`{about}: {tuned}"


def _library(document: Document) -> str:
    """Which loads what was written; records of earlier versions do not say, as there was one only."""
    return str(document["rectified"].get("layout", "open_clip"))


def _usage(repo_id: str, library: str) -> list[str]:
    lines = {
        "open_clip": [
            "import open_clip",
            "",
            f'model, preprocess = open_clip.create_model_from_pretrained("hf-hub:{repo_id}")',
            f'tokenizer = open_clip.get_tokenizer("hf-hub:{repo_id}")',
        ],
        "transformers": [
            "from transformers import CLIPModel, CLIPProcessor",
            "",
            f'model = CLIPModel.from_pretrained("{repo_id}")',
            f'processor = CLIPProcessor.from_pretrained("{repo_id}")',
        ],
    }
    return ["```python", *lines[library], "```", ""]
