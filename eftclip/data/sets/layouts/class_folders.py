"""Labels that stand in the names of folders: `cat/1.jpg`, `train/n02124075/1.JPEG`, `val/003.lion/images/1.png`."""

from collections.abc import Sequence
from dataclasses import dataclass

from eftclip.data.sets.layouts.class_names import NOT_NAMES, NUMBER, SYNSET, labels_of_folders
from eftclip.data.sets.splits import names_any_split


@dataclass(frozen=True)
class FolderLabels:
    """What the folders of a tree say.

    Attributes:
        labels: of the pictures, in their order; None for all where folders are no labels.
        recognised: what was recognised, for people; empty where nothing was.
        note: a sentence about folders that are no labels; empty without one.
    """

    labels: list[str | None]
    recognised: str = ""
    note: str = ""


def labels_by_folder(pictures: Sequence[str], names: Sequence[str] = ()) -> FolderLabels:
    """Read labels off the folders, where all pictures lie equally deep.

    Args:
        pictures: names relative to the set, separated by slashes.
        names: of the classes, in the order of their numbers.
    """
    nothing = FolderLabels([None] * len(pictures))
    classes = _class_folders([name.split("/")[:-1] for name in pictures])
    if not classes:
        return nothing
    known = labels_of_folders(classes, names)
    if not any(known.values()):
        return FolderLabels(nothing.labels, note=_why_not(list(known)))
    kind = "class folders"
    if all(SYNSET.fullmatch(folder) for folder in known):
        kind = "ImageNet synset folders, translated"
    elif all(NUMBER.fullmatch(folder) for folder in known):
        kind = "numbered class folders, named by the list of classes beside them"
    lost = [folder for folder, label in known.items() if label is None]
    note = f"The folders {', '.join(lost[:3])} are no labels." if lost else ""
    return FolderLabels([known[folder] for folder in classes], f"{len(known):,} {kind}", note)


def _class_folders(folders: list[list[str]]) -> list[str]:
    """For each picture the folder that may be its class; none where they do not all lie equally deep."""
    if not folders or not all(folders) or any(not part.strip(".") for path in folders for part in path):
        return []
    if all(len(path) > 1 for path in folders) and all(names_any_split(path[0]) for path in folders):
        folders = [path[1:] for path in folders]  # train/cat, test/cat
    while all(len(path) > 1 for path in folders) and len({path[0] for path in folders}) == 1:
        folders = [path[1:] for path in folders]  # one folder around all
        if all(len(path) > 1 for path in folders) and all(names_any_split(path[0]) for path in folders):
            folders = [path[1:] for path in folders]
    if all(len(path) == 2 and path[1].lower() in NOT_NAMES for path in folders):
        folders = [path[:1] for path in folders]  # cat/images
    return [path[0] for path in folders] if all(len(path) == 1 for path in folders) else []


def _why_not(folders: list[str]) -> str:
    shown = ", ".join(sorted(folders)[:3]) + (", …" if len(folders) > 3 else "")
    if all(NUMBER.fullmatch(folder) for folder in folders):
        return f"The folders are numbers ({shown}), which are no labels; name them in a classnames.txt, one a line."
    return f"The folders ({shown}) are no labels."
