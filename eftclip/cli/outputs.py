"""Where the files of a check go: the JSON document, the masks, the pictures and the report."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from eftclip.figures import Picture, overlay, purified_picture, story, transplant_sheet
from eftclip.report import Document, markdown
from eftclip.types import Checked


@dataclass(frozen=True)
class Outputs:
    """The files asked for.

    Attributes:
        json: the document; None to write none, or `check.json` in the folder when there is one.
        folder: for pictures, masks and `report.md`; None to write masks beside the document only.
    """

    json: Path | None
    folder: Path | None

    @property
    def document_path(self) -> Path | None:
        """Where the JSON document goes."""
        return self.json or (self.folder / "check.json" if self.folder else None)

    @property
    def mask_folder(self) -> Path | None:
        """Where masks go."""
        if self.folder:
            return self.folder / "masks"
        return self.json.parent / f"{self.json.stem}_masks" if self.json else None

    def prepare(self) -> None:
        """Make the folders before hours of work are done in vain.

        Raises:
            OSError: a folder cannot be made.
        """
        for folder in (self.folder, self.json.parent if self.json else None):
            if folder:
                folder.mkdir(parents=True, exist_ok=True)

    def write_pictures(self, k: int, checked: Checked) -> str | None:
        """Write what belongs to result k; the mask's path as seen from the document, None when there is no mask."""
        name = f"{k:04d}_{re.sub(r'[^A-Za-z0-9._-]+', '_', Path(checked.name).stem)[:60]}"
        if self.folder:
            _save(overlay(checked), self.folder / f"{name}.png")
        if checked.detection.trigger is None:
            return None
        if self.folder:
            _save(story(checked), self.folder / f"{name}_story.png")
            _save(purified_picture(checked), self.folder / f"{name}_purified.png")
            _save(transplant_sheet(checked.detection.trigger.examples), self.folder / f"{name}_strangers.png")
        return self._write_mask(checked, name)

    def _write_mask(self, checked: Checked, name: str) -> str | None:
        """White where the trigger is, in the pixels of the file."""
        trigger, geometry, home = checked.detection.trigger, checked.geometry, self.document_path
        if trigger is None or geometry is None or home is None or self.mask_folder is None:
            return None
        self.mask_folder.mkdir(parents=True, exist_ok=True)
        path = self.mask_folder / f"{name}.png"
        mask = geometry.mask_to_picture(trigger.mask)
        Image.fromarray((mask.to(torch.uint8) * 255).numpy()).save(path)
        return Path(os.path.relpath(path, home.parent)).as_posix()

    def write_document(self, document: Document) -> None:
        """Write the JSON document, and the report that renders it."""
        if self.document_path:
            write_json(self.document_path, document)
        if self.folder:
            (self.folder / "report.md").write_text(markdown(document), encoding="utf-8", errors="replace")


def write_json(path: Path, document: Document) -> None:
    """Write a document; escapes keep even file names that are no valid Unicode, numbers that JSON lacks raise."""
    path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="ascii")


def _save(picture: Picture | None, path: Path) -> None:
    if picture is not None:
        Image.fromarray(picture).save(path)
