"""What a visitor wants scanned, made a set of pictures; messages speak of his files, never of paths on the server."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch

from eftclip import data
from eftclip.data import Entry, ImageSet
from eftclip.runtime import seeded
from eftclip.triggers import draw_trigger
from eftclip.ui.components.pictures import to_image
from eftclip.ui.components.triggers import TRIGGER_NAMES
from eftclip.ui.scan.request import SUFFIX, DataSource, NamedDataSet, PracticeSet, Upload
from eftclip.ui.serving.loading import NO_TOKEN

MOST_NOTES = 4  # before a scan; its results have all
PRACTICE_SEED = 7_001  # far from the seeds of the strangers, the control set and the pictures that are measured on


@dataclass(frozen=True, eq=False)
class DataSet:
    """A set to scan.

    Attributes:
        images: the set.
        planted: positions of the pictures in which a trigger was planted; empty where nobody knows.
    """

    images: ImageSet
    planted: frozenset[int] = frozenset()


def open_source(source: DataSource, image_px: int, folder: Path, seed: int, token: Any = NO_TOKEN) -> DataSet:
    """The set that is meant, the same one every time.

    Args:
        source: which.
        image_px: what the checkpoint sees; a practice set is drawn in those pixels.
        folder: where a practice set goes.
        seed: of a practice set.
        token: for the Hub.

    Raises:
        EftclipError: it cannot be read or made, or holds no picture.
    """
    if isinstance(source, PracticeSet):
        return make_practice_set(source, image_px, folder / "practice", seed=seed)
    return open_data_set(source, token=token)


def pinned_source(source: DataSource, token: Any = NO_TOKEN) -> DataSource:
    """Look whether a set can be opened at all, and name one of the Hub by its very commit from now on.

    Raises:
        DataError: it cannot be read, or holds no picture.
    """
    if isinstance(source, PracticeSet):
        return source
    revision = open_data_set(source, token=token).images.revision
    if revision is None or not isinstance(source, NamedDataSet):
        return source
    return replace(source, address=f"{source.address.partition('@')[0]}@{revision}")


def open_data_set(source: Upload | NamedDataSet, *, token: Any = NO_TOKEN) -> DataSet:
    """A visitor's own pictures, or a data set by its name.

    Args:
        source: which.
        token: for the Hub; on a page that others can reach not even the one of this machine is used.

    Raises:
        DataError: it cannot be read, or holds no picture.
    """
    if isinstance(source, Upload):
        return DataSet(first_samples(_uploaded(source), source.most))
    return DataSet(first_samples(data.open_set(source.address, split=source.split or None, token=token), source.most))


def recognised(source: DataSource, token: Any = NO_TOKEN) -> tuple[str, ...]:
    """What a set was recognised as and what is left out of it, in sentences; none of a practice set.

    Raises:
        DataError: it cannot be read, or holds no picture.
    """
    if isinstance(source, PracticeSet):
        return ()
    images = open_data_set(source, token=token).images
    count = "" if images.length is None else f"{images.length:,} sample{'' if images.length == 1 else 's'}: "
    return (f"Recognised {count}{images.layout or 'pictures'}.", *images.notes[:MOST_NOTES])


def make_practice_set(wanted: PracticeSet, image_px: int, folder: Path, *, seed: int = 0) -> DataSet:
    """Draw views of the bundled photographs, plant triggers in some, and write them as the model sees them.

    Args:
        wanted: how many, and what is planted.
        image_px: what the checkpoint sees; triggers are published in those pixels.
        folder: where the pictures go.
        seed: of the views, the choice and the places.

    Raises:
        TriggerError: a trigger does not fit into the picture.
    """
    generator = seeded(PRACTICE_SEED + seed)
    views = data.host_photographs(image_px, wanted.count, generator=generator)
    poisoned = round(wanted.share * wanted.count) if wanted.triggers else 0
    chosen = torch.randperm(wanted.count, generator=generator)[:poisoned].tolist()
    triggers = [draw_trigger(name, generator=seeded(0)) for name in wanted.triggers]
    for turn, k in enumerate(chosen):
        views[k] = triggers[turn % len(triggers)].plant(views[k][None], generator=generator).images[0]
    folder.mkdir(parents=True, exist_ok=True)
    items: list[tuple[str, bytes | Path, str | None]] = []
    for k, view in enumerate(views):
        path = folder / f"view-{k + 1:03d}.png"
        to_image(view).save(path, compress_level=1)  # soon deleted; squeezing it well takes four times as long
        items.append((f"view {k + 1}", path, None))
    return DataSet(data.list_set(_description(wanted, poisoned), items), frozenset(chosen))


def first_samples(images: ImageSet, most: int) -> ImageSet:
    """The first samples of a set, and a name that says so; the set itself where it is no longer than that.

    All others stay in it as entries that were left out: whoever scans a part knows nothing of the rest. Of a set of
    unknown length one such entry stands for all.
    """
    if images.length is not None and images.length <= most:
        return images
    beyond = f"was not taken, as only the first {most:,} samples are asked for; ask for more."

    def walk(start: int) -> Iterator[Entry]:
        with closing(cast(Any, images.walk(start))) as entries:  # generators all, like the ones that sets are made of
            for entry in entries:
                if entry.index < most:
                    yield entry
                    continue
                name = entry.name if images.length is not None else f"{entry.name} and whatever follows it"
                yield replace(entry, name=name, text=None, read=data.unreadable(name, beyond))
                if images.length is None:
                    return

    if images.length is None:
        name, note = f"at most {most:,} samples of {images.source}", f"At most the first {most:,} samples were taken."
    else:
        name = f"the first {most:,} of {images.length:,} samples of {images.source}"
        note = f"Only the first {most:,} of {images.length:,} samples were taken."
    return replace(images, source=name, notes=(*images.notes, note), walk=walk)


def _uploaded(source: Upload) -> ImageSet:
    """One archive, read in place, or pictures."""
    path, name = source.files[0]
    if path.suffix.lower() == SUFFIX:
        return replace(data.open_set(str(path)), source=name)
    count = len(source.files)
    title = name if count == 1 else f"{count} pictures"
    return data.list_set(title, [(shown, file, None) for file, shown in source.files])


def _description(wanted: PracticeSet, poisoned: int) -> str:
    """The set in words, for reports."""
    what = ", ".join(TRIGGER_NAMES.get(name, name) for name in wanted.triggers)
    planted = f"{poisoned} with a planted trigger ({what})" if poisoned else "nothing planted"
    return f"practice set of {wanted.count} views, {planted}"
