"""What is published: a folder with exactly the files that are meant for others; and what speaks against it."""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eftclip.checkpoint import CheckpointFormat, format_of_folder
from eftclip.checkpoint.digests import sha256_of
from eftclip.errors import CheckpointError, PublishError

Document = Mapping[str, Any]

CARD, RECORD = "README.md", "rectify.json"
PICTURES = ("triggers.png", "measured.png", "curve.png")  # those of the run that show nobody's photographs
REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,94}/[A-Za-z0-9][\w.-]{0,94}", re.ASCII)

# A mended checkpoint is refused when less of it reads as before, or when more of the trigger is left, than this. The
# bundled ones keep more than 80 % of their readings among 1,000 labels; what comes near these bounds is broken.
LEAST_AGREEMENT, MOST_ATTACK, MOST_LOST = 0.6, 0.1, 0.03


@dataclass(frozen=True)
class Staged:
    """A folder ready to be published.

    Attributes:
        folder: holds the files and nothing else.
        repo_id: `org/name`; the configuration names it, so it cannot go anywhere else.
        sha256: of each file, 64 hex digits.
        weights: the name of the file with the weights.
    """

    folder: Path
    repo_id: str
    sha256: Mapping[str, str]
    weights: str

    @property
    def weights_sha256(self) -> str:
        """Of the weights."""
        return self.sha256[self.weights]


def stage(home: Path, folder: Path, repo_id: str, document: Document, card: str) -> Staged:
    """Gather what is published of a mended checkpoint.

    Left behind are the photographs (victims, witnesses, the fine-tuning set), their names, paths of this machine, and
    everything that is not on the list of files.

    Args:
        home: the folder that `rectify` wrote.
        folder: where to gather; must be new or empty.
        repo_id: `org/name`; plain open_clip looks for the tokenizer under this name.
        document: of the run, see `report.run_document`.
        card: the model card.

    Raises:
        PublishError: the folder is not a finished rectification, its weights are not those of the document, or the
            name cannot be that of a repository.
    """
    check_name(repo_id)
    rectified = document.get("rectified") or {}
    layout = _layout(home)
    if layout is None or not rectified.get("sha256"):
        raise PublishError(f"{home} holds no finished rectification; run `eftclip rectify … --out {home}` to its end.")
    weights = layout.saved_weights
    if (found := sha256_of(home / weights)) != rectified["sha256"]:
        raise PublishError(
            f"The weights in {home} are {found[:12]}…, but those that were measured are {rectified['sha256'][:12]}…; "
            "rectify again."
        )
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise PublishError(f"{folder} is not empty; give a new folder.")
    changed = _texts_for(layout, home, repo_id)
    for name in (weights, *layout.saved_texts, *PICTURES):
        if (home / name).is_file() and name not in changed:
            shutil.copyfile(home / name, folder / name)
    for name, text in changed.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / CARD).write_text(card, encoding="utf-8", errors="replace")
    record = json.dumps(public(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / RECORD).write_text(record, encoding="utf-8", errors="replace")
    return Staged(folder, repo_id, {path.name: sha256_of(path) for path in sorted(folder.iterdir())}, weights)


def check_name(repo_id: str) -> None:
    """Whether this can be the name of a repository at all.

    Raises:
        PublishError: it cannot.
    """
    if not REPO_ID.fullmatch(repo_id) or "--" in repo_id or ".." in repo_id or repo_id.endswith((".git", ".ipynb")):
        raise PublishError(f"{repo_id!r} cannot be the name of a Hub repository: write org/name.")


def public(document: Document) -> dict[str, Any]:
    """The record of a run without what is private in it: names of pictures, and paths of this machine."""
    shown = {key: value for key, value in document.items() if key not in ("victims", "faults", "witnesses")}
    if shown.get("curated"):
        shown["curated"] = {key: value for key, value in shown["curated"].items() if key != "items"}
    if shown.get("data"):  # its notes name files
        shown["data"] = {key: value for key, value in shown["data"].items() if key != "notes"}
    if shown.get("families"):
        shown["families"] = [{**family, "exemplars": []} for family in shown["families"]]
    private = ("checkpoint source", "checkpoint architecture", "data source", "labels source", "rectified folder")
    for part, key in (place.split() for place in private):
        if shown.get(part) and isinstance(shown[part].get(key), str):
            shown[part] = {**shown[part], key: without_path(shown[part][key])}
    return shown


def without_path(source: str) -> str:
    """A source for others: a local path by its last name alone."""
    return source if source.startswith("hf:") else Path(source).name


def doubts(document: Document) -> tuple[str, ...]:
    """What speaks against publishing, one sentence each; empty when nothing does."""
    before, after, found = document.get("before"), document.get("after"), []
    if before is None or after is None:
        return ("The mended checkpoint was not measured.",)
    if _value(after["attack"]) > MOST_ATTACK or _value(after["attack"]) >= _value(before["attack"]):
        found.append(f"The trigger still works: ASR is {_counts(after['attack'])}, before {_counts(before['attack'])}.")
    if after["truth"] == "labels" and _value(after["clean"]) < _value(before["clean"]) - MOST_LOST:
        found.append(f"It reads worse than before: CA is {_counts(after['clean'])}, before {_counts(before['clean'])}.")
    if after["truth"] != "labels" and _value(after["clean"]) < LEAST_AGREEMENT:
        found.append(f"It reads differently than before: {_counts(after['clean'])} clean pictures as they were.")
    if document.get("status") != "found":
        found.append("The scan was not decided.")
    if (document.get("rectified") or {}).get("stopped") == "cancelled":
        found.append("The fine-tuning was stopped before its end.")
    return tuple(found)


def _value(rate: Mapping[str, float]) -> float:
    return rate["hits"] / rate["total"] if rate["total"] else 0.0


def _counts(rate: Mapping[str, float]) -> str:
    return f"{rate['hits']} of {rate['total']}"


def _layout(home: Path) -> CheckpointFormat | None:
    """The format that a folder was saved in; None where it holds no checkpoint, or not all of one."""
    try:
        layout = format_of_folder(home)
    except (CheckpointError, OSError):
        return None
    return layout if (home / layout.saved_weights).is_file() else None


def _texts_for(layout: CheckpointFormat, home: Path, repo_id: str) -> Mapping[str, str]:
    """The texts that name the repository they lie in, with its final name."""
    try:
        return layout.for_repository(home, repo_id)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PublishError(f"{home / layout.sign} cannot be used ({type(error).__name__}); rectify again.") from error
