"""One row of the benchmark of rectification: one method on one checkpoint, as plain values for the result file."""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eftclip.config import RectifyConfig
from eftclip.pipeline import CheckSetup, Plan, prepare_check, run_scan
from eftclip.rectify import METHODS, rectify, settled
from eftclip.types import ClipModel, CuratedSet, Rate, TriggerFamily
from examples.bench.rivals.material import Attack, CannotBeJudgedError, attacks_of
from examples.measure.measured_at import commit
from examples.measure.photo_sets import Photo
from examples.measure.poisoned_sets import poisoned_set
from examples.measure.rectify import Bench, kept, rebound, scan_counts
from examples.measure.tuning import TUNED_ON, curated

TRIGGERED_EVERY = 10
Document = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Subject:
    """A poisoned checkpoint and what methods are given and measured with.

    Attributes:
        name: of its folder.
        setup: checkpoint and labels, without a reference.
        attacks: its backdoors.
        curated: the photographs that methods tune on.
        scanned: photographs for the scan.
        measuring: photographs that nobody is shown.
        bench: measures ASR, CA and PA on these.
    """

    name: str
    setup: CheckSetup
    attacks: list[Attack]
    curated: CuratedSet
    scanned: Sequence[Photo]
    measuring: Sequence[Photo]
    bench: Bench

    @property
    def triggers(self) -> list[tuple[Any, str]]:
        """The true triggers and their targets."""
        return [(attack.trigger, attack.target) for attack in self.attacks]

    def true_families(self) -> list[TriggerFamily]:
        """For methods that are not shown triggers: only the count of those that still work needs them."""
        return [TriggerFamily(attack.target, (attack.trigger,), Rate(1, 1)) for attack in self.attacks]


def subject(folder: Path, photos: Sequence[Photo], args: argparse.Namespace) -> Subject:
    """Load a checkpoint and deal out the photographs.

    Raises:
        SystemExit: it has no backdoor.
        CannotBeJudgedError: it does not read clean photographs.
    """
    attacks = attacks_of(folder)
    if not attacks:
        raise SystemExit(f"{folder} has no backdoor that could be taken away; name poisoned checkpoints.")
    setup = prepare_check(
        str(folder), labels=args.labels, oracle="superpixel", reference="none", device="cpu", seed=args.seed
    )
    if not setup.sanity.ok:
        raise CannotBeJudgedError(setup.sanity.reason)
    most = len(photos) // 3  # of a small folder something is left to measure on
    tuned_on = photos[: min(TUNED_ON, most)]
    scanned = photos[len(tuned_on) :][: min(args.scanned, most)]
    measuring = [photo for photo in photos[len(tuned_on) + len(scanned) :] if photo.kind != "coco"][: args.measured]
    bench = Bench(args.images, measuring, [(attack.trigger, attack.target) for attack in attacks])
    return Subject(folder.name, setup, attacks, curated(setup.clip, tuned_on), scanned, measuring, bench)


class Rows:
    """The rows of one checkpoint; the last mended checkpoint is kept for its rebound."""

    def __init__(self, one: Subject, image_steps: int, args: argparse.Namespace) -> None:
        """Nothing is measured yet."""
        self._one, self._image_steps, self._args = one, image_steps, args
        self._found: list[TriggerFamily] = []
        self._last: tuple[str, ClipModel] | None = None

    def scan(self) -> Document:
        """What a scan finds, for the methods that are told."""
        truth = poisoned_set(self._one.setup, self._one.scanned, self._one.triggers, TRIGGERED_EVERY)
        record = run_scan(self._one.setup, truth.images, Plan())
        self._found = list(record.identification.families) if record.identification else []
        return {"commit": commit(), **scan_counts(record, truth)}

    def row(self, key: str) -> Document:
        """One method with one learning rate."""
        name, config = self._config(key)
        method = METHODS[name]
        about: Document = {
            "commit": commit(),
            "method": name,
            **({"origin": origin} if (origin := METHODS.origin(name)) else {}),
            "told": method.sees_triggers,
            "needs_labels": not method.distils,
            "learning_rate": config.learning_rate,
            "settings": settled(config).to_dict(),
        }
        if not self._families(name):
            return {**about, "remark": "The scan found no trigger, so there is nothing to begin with."}
        begun = time.process_time()
        mended, done = self._mended(key)
        return {
            **about,
            "steps": done.steps,
            "image_steps": done.image_steps,
            "seconds": round(time.process_time() - begun, 1),
            "remark": done.remark,
            "after": self._one.bench(mended),
            "kept": kept(self._one.setup.clip, mended, self._one.measuring),
        }

    def rebound(self, key: str) -> Document:
        """ASR after clean fine-tuning."""
        if self._last is None or self._last[0] != key:
            self._mended(key)
        assert self._last is not None  # noqa: S101 - just made
        steps = self._args.rebound_steps
        return {"commit": commit(), "steps": steps, **self._one.bench(rebound(self._last[1], self._args.images, steps))}

    def needs_the_scan(self, keys: Sequence[str]) -> bool:
        """Whether a method among these is told, and what was found is not in memory."""
        return not self._found and any(METHODS[_parts(key)[0]].sees_triggers for key in keys)

    def _mended(self, key: str) -> tuple[ClipModel, Any]:
        name, config = self._config(key)
        setup = self._one.setup
        mended, done = rectify(setup.clip, self._one.curated, self._families(name), setup.classes, config)
        self._last = (key, mended)
        return mended, done

    def _families(self, name: str) -> list[TriggerFamily]:
        return self._found if METHODS[name].sees_triggers else self._one.true_families()

    def _config(self, key: str) -> tuple[str, RectifyConfig]:
        name, rate = _parts(key)
        method = METHODS[name]
        steps = max(1, self._image_steps // (method.batch * method.images_per_view))
        own, rate = self._args.own.get(name, ""), method.learning_rate * rate
        return name, RectifyConfig(name, steps, learning_rate=rate, check_every=10_000, own=own)


def keys_of(methods: Sequence[str], rates: Sequence[float]) -> list[str]:
    """Every method with its own learning rate, the rivals with others, too."""
    return [f"{name} × {rate:g}" for name in methods for rate in ([1.0] if METHODS[name].sees_triggers else rates)]


def _parts(key: str) -> tuple[str, float]:
    name, rate = key.split(" × ")
    return name, float(rate)
