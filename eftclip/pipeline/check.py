"""Judging pictures with what was prepared; whatever goes wrong with one becomes a verdict of its own."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from eftclip import data
from eftclip.detect import ALGORITHMS
from eftclip.errors import DataError, EftclipError, LeftOutError
from eftclip.pipeline.setup import CheckSetup
from eftclip.runtime import Cancelled, OnProgress, Progress, ignore, never, seeded
from eftclip.types import Checked, CheckRecord, Detection, Status, fault_kind
from eftclip.zeroshot import probabilities, top

DECIDING_PACKAGES = ("eftclip", "torch", "torchvision", "open_clip_torch", "timm", "scikit-image", "numpy", "pillow")


def check_picture(
    setup: CheckSetup,
    picture: Image.Image,
    name: str = "picture",
    *,
    seed: int = 0,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> Checked:
    """Judge one picture.

    The verdict depends on the setup, the pixels and the seed only, never on pictures judged before. A failure of the
    search becomes a verdict of its own, `error`; a cancelled search ends `inconclusive`.

    Args:
        setup: what `prepare_check` returned.
        picture: in any mode of Pillow's, as it came from the file.
        name: what the verdict calls it.
        seed: draws the places where a suspected patch is pasted.
        on_progress: told about every stage.
        cancelled: asked between stages.

    Raises:
        DataError: the picture cannot be used.
    """
    upright = data.check_picture(picture)
    square, geometry = setup.clip.preprocess.square(upright)
    detection = judge_square(setup, square, seed=seed, on_progress=on_progress, cancelled=cancelled)
    return Checked(name, TF.pil_to_tensor(upright), square, geometry, detection)


def judge_square(
    setup: CheckSetup,
    square: Tensor,
    *,
    seed: int = 0,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> Detection:
    """Judge what the model sees, `(3, image_px, image_px)` in [0, 1]; whatever breaks becomes an `error`."""
    try:
        return _judge(setup, square, seed, on_progress, cancelled)
    except Exception as error:  # whatever broke, running out of memory too, the user must not read it as "clean"
        reason = f"The search broke off: {_one_line(error)}"
        return Detection(Status.ERROR, reason, algorithm=setup.config.algorithm)


def _judge(setup: CheckSetup, square: Tensor, seed: int, on_progress: OnProgress, cancelled: Cancelled) -> Detection:
    """The verdict on one square; a checkpoint that does not work is shown, not judged."""
    if setup.sanity.ok:
        return ALGORITHMS[setup.config.algorithm].judge(
            setup.clip,
            square,
            setup.classes,
            setup.oracle,
            setup.config,
            hosts=setup.hosts,
            reference=setup.reference,
            generator=seeded(seed),
            on_progress=on_progress,
            cancelled=cancelled,
        )
    row = probabilities(setup.clip, square[None], setup.classes)[0]
    read = top(row, setup.classes, setup.config.top_labels) if torch.isfinite(row).all() else ()
    return Detection(
        Status.INCONCLUSIVE,
        setup.sanity.reason,
        predictions=read,
        image_forwards=1,
        algorithm=setup.config.algorithm,
    )


def _one_line(error: Exception) -> str:
    """The first line of an error, short enough for a report, with its kind unless it was raised on purpose."""
    text = (str(error).strip() or "no message").splitlines()[0][:300]
    return text if isinstance(error, EftclipError) else f"{type(error).__name__}: {text}"


def check_each(
    setup: CheckSetup,
    paths: Iterable[Path],
    *,
    seed: int = 0,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> Iterator[Checked]:
    """Judge picture files one after another, so that thousands need not lie in memory together.

    A file that cannot be read yields an `error` with the reason, and the others go on; after a cancel the remaining
    files are yielded as `inconclusive`, unread. What `list_pictures` left out of a folder is told by
    `check_left_out`: add it, or nobody will know of it.
    """
    files = list(paths)
    for k, path in enumerate(files, start=1):
        if cancelled():
            stopped = Detection(Status.INCONCLUSIVE, "Stopped before this picture was looked at.")
            yield Checked(str(path), None, None, None, stopped)
            continue

        def tell(progress: Progress, place: str = f"{k}/{len(files)}") -> None:
            on_progress(replace(progress, stage=f"{place} {progress.stage}"))

        try:
            picture = data.read_picture(path)
            yield check_picture(setup, picture, str(path), seed=seed, on_progress=tell, cancelled=cancelled)
        except DataError as error:
            yield _unread(path, error)


def check_left_out(paths: Iterable[Path]) -> Iterator[Checked]:
    """An `error` for everything below some folders that may be a picture, or hold some, and was not listed as one."""
    for path, why in data.list_left_out(list(paths)):
        yield _unread(path, LeftOutError(f"{path} {why}"))


def _unread(path: Path, error: DataError) -> Checked:
    return Checked(str(path), None, None, None, Detection(Status.ERROR, str(error)), fault_kind(error))


def check_files(
    setup: CheckSetup,
    paths: Iterable[Path],
    *,
    seed: int = 0,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> CheckRecord:
    """Judge picture files and keep everything, pixels too; `check_each` with `record` needs less memory."""
    results = check_each(setup, paths, seed=seed, on_progress=on_progress, cancelled=cancelled)
    return record(setup, results, seed=seed)


def record(setup: CheckSetup, results: Iterable[Checked], *, seed: int = 0, allow_unread: int = 0) -> CheckRecord:
    """Put verdicts together with everything that decided them."""
    return CheckRecord(
        ref=setup.clip.ref,
        config=setup.config.to_dict(),
        labels=(len(setup.classes.labels), setup.labels_source),
        oracle=setup.oracle.name,
        reference=setup.reference[0].ref.sha256 if setup.reference else None,
        sanity=setup.sanity,
        seed=seed,
        versions=versions(),
        results=tuple(results),
        allow_unread=allow_unread,
    )


def without_pixels(checked: Checked) -> Checked:
    """The same verdict without its pictures: enough for a report, and a thousand times smaller."""
    detection, trigger = checked.detection, checked.detection.trigger
    slim = replace(trigger, examples=()) if trigger else None
    return replace(checked, picture=None, square=None, detection=replace(detection, trigger=slim, purified=None))


def versions() -> dict[str, str]:
    """The packages that decide numbers."""
    return {package: _version(package) for package in DECIDING_PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
