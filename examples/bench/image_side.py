"""Measure what reading pictures costs in a check, and what was done about it.

    OMP_NUM_THREADS=2 python -m examples.bench.image_side

writes `examples/results/bench_image_side.json`. Models of full size have random weights, which take the same time. So
that there is something to find, a check reads each picture twice: with the model under test, whose seconds count, and
with the bundled `badnets`, whose features are used and whose seconds are taken off. Leave the machine alone meanwhile.

* *ways*: milliseconds a picture, one change after the other, best of some rounds.
* *check*: one picture with a trigger and one without, and the share of the time that the model under test takes.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eftclip.batch_norm import for_reading
from eftclip.checkpoint import load_clip
from eftclip.data import host_photographs
from eftclip.pipeline import CheckSetup, prepare_check
from eftclip.pipeline.check import judge_square, versions
from eftclip.runtime import seeded, settle_memory
from eftclip.triggers import draw_trigger
from eftclip.types import ClipModel
from examples.bench.first_verdict import FULL_SIZE, write_random
from examples.measure.measured_at import ROOT, commit

SCHEMA_VERSION = 1
BATCH, ROUNDS = 32, 5
CHECKPOINTS = ROOT / "examples" / "checkpoints"
Document = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Borrowing(ClipModel):
    """The bundled checkpoint, which lets another model read every picture as well.

    Attributes:
        other: the model under test.
        seconds: of the model under test, and of the bundled one.
    """

    other: ClipModel | None = None
    seconds: dict[str, float] = field(default_factory=lambda: {"other": 0.0, "own": 0.0})

    def encode_images(self, images: Tensor) -> Tensor:
        """See `ClipModel.encode_images`."""
        began = time.perf_counter()
        if self.other is not None:
            self.other.encode_images(images)
        between = time.perf_counter()
        features = super().encode_images(images)
        self.seconds["other"] += between - began
        self.seconds["own"] += time.perf_counter() - between
        return features


def check(setup: CheckSetup, other: ClipModel, picture: Tensor) -> Document:
    """One check: its verdict, its seconds, and whose they are."""
    own = setup.clip
    clip = Borrowing(own.model, own.preprocess, own.tokenizer, own.ref, other=other)
    began = time.perf_counter()
    found = judge_square(replace(setup, clip=clip), picture, seed=1)
    seconds = time.perf_counter() - began - clip.seconds["own"]
    return {
        "verdict": found.status.value,
        "pictures_read": found.image_forwards,
        "seconds": round(seconds, 3),
        "image_side_share": round(clip.seconds["other"] / seconds, 3),
    }


def ways(clip: ClipModel) -> Document:
    """Milliseconds a picture; each way has all that the ones before it have."""
    pictures = torch.rand(BATCH, 3, clip.image_px, clip.image_px, generator=seeded(0))
    ready = clip.preprocess.normalise(pictures)
    model: Any = clip.model.to(memory_format=torch.contiguous_format)
    told = {"as it comes": _milliseconds(lambda: model.encode_image(ready, normalize=True), torch.enable_grad)}
    told["inference mode"] = _milliseconds(lambda: model.encode_image(ready, normalize=True))
    model.to(memory_format=torch.channels_last)
    last = ready.contiguous(memory_format=torch.channels_last)
    told["channels last"] = _milliseconds(lambda: model.encode_image(last, normalize=True))
    fast: Any = for_reading(model, last)
    told["without batch norms"] = _milliseconds(lambda: fast.encode_image(last, normalize=True))
    told["one at a time"] = _milliseconds(
        lambda: [fast.encode_image(one[None], normalize=True) for one in last[:8]], of=8
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    told["one thread"] = _milliseconds(lambda: fast.encode_image(last, normalize=True))
    torch.set_num_threads(threads)
    return told


def _milliseconds(work: Callable[[], object], mode: Callable[[], Any] = torch.inference_mode, of: int = BATCH) -> float:
    best = float("inf")
    with mode():
        work()
        for _ in range(ROUNDS):
            began = time.perf_counter()
            work()
            best = min(best, time.perf_counter() - began)
    return round(1000 * best / of, 2)


def one_model(setup: CheckSetup, folder: Path) -> Document:
    """All that is measured of an architecture."""
    clip = load_clip(str(folder), device=torch.device("cpu"))
    if clip.image_px != setup.clip.image_px:
        raise SystemExit(f"{folder.name} reads pictures of {clip.image_px} px; this compares models of one size")
    views = host_photographs(clip.image_px, 1, generator=seeded(3))
    planted = draw_trigger("badnets", generator=seeded(0)).plant(views, generator=seeded(5)).images
    for_reading(clip.model, clip.preprocess.normalise(views))  # made once, not in the first check
    checks = {"triggered": check(setup, clip, planted[0]), "clean": check(setup, clip, views[0])}
    return {"check": checks, "milliseconds_a_picture": ways(clip)}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="*", default=list(FULL_SIZE), help="architectures of open_clip, full size")
    parser.add_argument("--out", type=Path, default=ROOT / "examples" / "results" / "bench_image_side.json")
    args = parser.parse_args(arguments)
    settle_memory()
    setup = prepare_check(
        str(CHECKPOINTS / "badnets"), oracle="superpixel", reference=str(CHECKPOINTS / "clean"), device="cpu"
    )
    with tempfile.TemporaryDirectory() as place:
        models = {}
        for folder in (CHECKPOINTS / "badnets", *(write_random(name, Path(place) / name) for name in args.models)):
            print(folder.name, file=sys.stderr, flush=True)
            models[folder.name] = one_model(setup, folder)
    document = {
        "schema_version": SCHEMA_VERSION,
        "kind": "bench_image_side",
        "command": "OMP_NUM_THREADS=2 python -m examples.bench.image_side",
        "commit": commit(),
        "versions": versions(),
        "machine": {"device": "cpu", "cores": os.cpu_count(), "threads": torch.get_num_threads()},
        "models": models,
    }
    args.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
