"""Looks on at a run: what each stage took, and the record at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from eftclip.config import Settings
from eftclip.pipeline.check import versions
from eftclip.pipeline.setup import CheckSetup
from eftclip.runtime import Meter, Processes
from eftclip.types import ClipModel, Cost, DataRecord, ImageSet, RunRecord


@dataclass(frozen=True, eq=False)
class CountingClip(ClipModel):
    """A checkpoint that counts the pictures it reads."""

    counts: list[int] = field(default_factory=list)

    @staticmethod
    def of(clip: ClipModel) -> "CountingClip":
        """The same checkpoint with a count of its own."""
        return CountingClip(clip.model, clip.preprocess, clip.tokenizer, clip.ref)

    def encode_images(self, images: Tensor) -> Tensor:
        """See `ClipModel.encode_images`."""
        self.counts.append(len(images))
        return super().encode_images(images)


def described(setup: CheckSetup) -> dict[str, Any]:
    """What a setup decides, as fields of `RunRecord`."""
    return {
        "ref": setup.clip.ref,
        "labels": (len(setup.classes.labels), setup.labels_source),
        "oracle": setup.oracle.name,
        "reference": setup.reference[0].ref.sha256 if setup.reference else None,
        "sanity": setup.sanity,
    }


class RunLog:
    """Seconds, memory and pictures of each stage of one run; the stages know nothing of it.

    Attributes:
        clip: the checkpoint under test, counting what it reads: give this one to the stages.
        costs: of the stages so far.
    """

    def __init__(
        self, kind: str, clip: ClipModel, settings: dict[str, Settings], seed: int, processes: Processes
    ) -> None:
        """Begin the log of a `scan`, a `rectify` or an `evaluate`."""
        self.clip = CountingClip.of(clip)
        self.costs: list[Cost] = []
        self._kind, self._settings, self._seed, self._processes = kind, settings, seed, processes

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Note what is done inside as one stage."""
        meter, before = Meter(self.clip.device), sum(self.clip.counts)
        with meter:
            yield
        forwards = sum(self.clip.counts) - before
        self.costs.append(Cost(name, meter.seconds, meter.peak_mb, meter.gpu_peak_mb, forwards))

    def correct(self, **values: Any) -> None:
        """What only the stage itself could count, such as the pictures of all processes: numbers of the last stage."""
        self.costs[-1] = replace(self.costs[-1], **values)

    def record(self, images: ImageSet | None, conclusion: str, **fields: Any) -> RunRecord:
        """The record; the rest of its fields come from the caller."""
        about = None
        if images is not None:
            about = DataRecord(images.source, images.kind, images.revision, images.length, images.notes, images.layout)
        return RunRecord(
            kind=self._kind,
            configs={stage: values.to_dict() for stage, values in self._settings.items()},
            seed=self._seed,
            versions=versions(),
            processes=self._processes.size,
            data=about,
            costs=tuple(self.costs),
            conclusion=conclusion,
            **fields,
        )
