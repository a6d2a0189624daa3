"""What a visitor may take home, written into the folder of his page."""

import json
import re
import shutil
import zipfile
from pathlib import Path

from PIL import Image

from eftclip import figures, report
from eftclip.checkpoint import WEIGHT_SUFFIXES
from eftclip.exports import trigger_image, write_curated
from eftclip.report import Document
from eftclip.trigger_kinds import Trigger
from eftclip.types import CuratedSet, RunRecord
from eftclip.ui.components.pictures import png_uri

PACKED = (".zip", *WEIGHT_SUFFIXES)  # what a checkpoint is uploaded as
CURATED, LONGEST_STEM = "eftclip-fine-tuning-set", 60


def document_of(record: RunRecord) -> Document:
    """The same document as the command line's `--json`, with the triggers inside it as data URIs."""
    families = record.identification.families if record.identification else ()
    uris = {
        (k, n): trigger_uri(trigger) for k, family in enumerate(families) for n, trigger in enumerate(family.exemplars)
    }
    return report.run_document(record, uris)


def trigger_uri(trigger: Trigger) -> str:
    """A trigger as it is drawn, as an address."""
    return png_uri(Image.fromarray(trigger_image(trigger)))


def write_document(folder: Path, name: str, document: Document) -> str:
    """Write a document as JSON and return its path."""
    path = folder / f"eftclip-{name}.json"
    path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="ascii")
    return str(path)


def pack_curated(folder: Path, curated: CuratedSet) -> str:
    """Pack a fine-tuning set, pictures with their `metadata.csv`, and return the archive's path."""
    write_curated(curated, folder / CURATED)
    return _packed(folder / CURATED)


def pack_checkpoint(home: Path, record: RunRecord, document: Document) -> str:
    """Pack a mended checkpoint with its model card, its report and its pictures, and return the archive's path.

    Args:
        home: the open_clip folder that was written; it goes.
        record: of the rectification.
        document: the same as a document.
    """
    for name, picture in figures.run_figures(record).items():
        Image.fromarray(picture).save(home / f"{name}.png")
    (home / "README.md").write_text(report.model_card(document), encoding="utf-8", errors="replace")
    (home / "report.md").write_text(report.run_markdown(document), encoding="utf-8", errors="replace")
    return _packed(home)


def rectified_name(source: str) -> str:
    """The name of the folder for what is made of a checkpoint."""
    last = source.removeprefix("hf:").split("@")[0].rstrip("/").split("/")[-1]
    last = next((last.removesuffix(end) for end in PACKED if last.endswith(end)), last)
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip(".-")[:LONGEST_STEM]
    return f"{plain or 'checkpoint'}-rectified"


def _packed(folder: Path) -> str:
    """A folder as an archive beside it; nothing is deflated, as neither weights nor PNG files become smaller."""
    target = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"{folder.name}/{path.name}")
    shutil.rmtree(folder)
    return str(target)
