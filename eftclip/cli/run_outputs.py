"""What `scan`, `rectify` and `evaluate` have in common: their files, their last lines, their exit codes."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from eftclip import figures
from eftclip.cli.outputs import write_json
from eftclip.cli.progress import Bar
from eftclip.exports import trigger_image, write_curated
from eftclip.report import Document, run_document, run_markdown
from eftclip.types import ImageSet, RunRecord, Status

SHOWN = 20  # of each list, in a terminal; files have all


@dataclass(frozen=True)
class RunFiles:
    """Where the files of a run go.

    Attributes:
        json: the document; None to write none, or `NAME.json` in the folder when there is one.
        folder: for pictures, tables and `report.md`; None to write none.
        name: of the command.
    """

    json: Path | None
    folder: Path | None
    name: str

    @property
    def document_path(self) -> Path | None:
        """Where the JSON document goes."""
        return self.json or (self.folder / f"{self.name}.json" if self.folder else None)

    def prepare(self) -> None:
        """Make the folders before hours of work are done in vain.

        Raises:
            OSError: a folder cannot be made.
        """
        for folder in (self.folder, self.json.parent if self.json else None):
            if folder:
                folder.mkdir(parents=True, exist_ok=True)

    def write(self, record: RunRecord) -> Document:
        """Write everything that was asked for; the document."""
        exemplars = self._write_exemplars(record)
        document = run_document(record, exemplars)
        if self.document_path:
            write_json(self.document_path, document)
        if self.folder:
            (self.folder / "report.md").write_text(run_markdown(document), encoding="utf-8", errors="replace")
            self._write_pictures(record)
            if record.curated is not None:
                write_curated(record.curated, self.folder / "curated")
        return document

    def _write_exemplars(self, record: RunRecord) -> dict[tuple[int, int], str]:
        """The triggers as they were cut out, transparent where they are not; paths as seen from the document."""
        home = self.document_path
        if home is None or record.identification is None:
            return {}
        folder = self.folder / "triggers" if self.folder else home.parent / f"{home.stem}_triggers"
        written = {}
        for number, family in enumerate(record.identification.families):
            folder.mkdir(parents=True, exist_ok=True)
            for k, trigger in enumerate(family.exemplars):
                path = folder / f"{number}_{_plain(family.target_label)}_{k}.png"
                Image.fromarray(trigger_image(trigger)).save(path)
                written[number, k] = Path(os.path.relpath(path, home.parent)).as_posix()
        return written

    def _write_pictures(self, record: RunRecord) -> None:
        if self.folder is None:
            return
        for name, picture in figures.run_figures(record).items():
            Image.fromarray(picture).save(self.folder / f"{name}.png")


def say_source(document: Document, bar: Bar) -> None:
    """What there is to say about a data set, for a terminal: what was left out of it, and what could not be judged."""
    for note in document["data"]["notes"] if document["data"] else ():
        bar.say(note)
    for fault in document["faults"][:SHOWN]:
        bar.say(f"{fault['kind']:<14}{fault['image']} · {fault['reason']}")


def say_layout(images: ImageSet | None, bar: Bar) -> None:
    """What a data set was recognised as, before anything of it is read."""
    if images is not None and images.layout:
        bar.say(f"Data: {images.layout}.")


def exit_code(record: RunRecord) -> int:
    """2 when it could not be decided or was not done to its end, else 1 when a trigger was found, else 0."""
    found, rectified = record.identification, record.rectified
    if record.undecided or (found is not None and found.status is Status.INCONCLUSIVE):
        return 2
    if (
        record.kind == "rectify"
        and found is not None
        and found.families
        and (rectified is None or not rectified.folder)
    ):
        return 2
    return 1 if found is not None and found.families else 0


def _plain(text: str) -> str:
    """A label as a part of a file name."""
    return re.sub(r"[^A-Za-z0-9]+", "_", text)[:40]
