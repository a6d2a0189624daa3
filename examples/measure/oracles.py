"""Hold two oracles against each other: the same photographs, the same detector, only the regions are other ones.

    OMP_NUM_THREADS=1 python -m examples.measure.oracles IMAGES_DIR --sam-weights FILE.pth --per-set 10

writes `examples/results/oracles.json`; IMAGES_DIR is described in `examples/measure/photo_sets.py`. FILE.pth is an
official SAM, or what `python -m examples.build.sam` trained. The JSON that the latter writes beside it says how it was
trained, and on which photographs of COCO: those are left out. `--thresholds 0.3,0.4` adds the same SAM with a lower
predicted IoU and stability for the masks that are kept: a SAM that was trained briefly is seldom as sure of its masks
as the product asks.

Of each set, `--per-set` photographs carry the trigger of `badnets` at a random place and count if that really hijacks
them; as many others are clean. For each oracle: triggers found with the right label, those that were not found or left
open, clean photographs accused, how well the mask that is found fits, how well the best single region fits (is the
patch seen at all?), and seconds.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eftclip.oracles import SamOracle
from eftclip.oracles.sam import MIN_IOU, MIN_STABILITY
from eftclip.oracles.sam_weights import read_sam
from eftclip.pipeline import CheckSetup, prepare_check, record
from eftclip.report import check_document
from eftclip.runtime import Stopwatch, seeded, settle_memory
from eftclip.triggers import draw_trigger
from eftclip.types import Oracle, Region, Status
from eftclip.zeroshot import probabilities
from examples.measure.measured_at import commit
from examples.measure.photo_sets import SETS, Photo, rate, read_square, some_of_each, unseen
from examples.measure.sweep import judged

SCHEMA_VERSION = 1
TRIGGER, TARGET = "badnets", "banana"
GOOD_IOU = 0.5
HOW_MADE = ("parameters", "size", "trained_on", "training", "device", "started_from", "kept_aside")
Document = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Noting:
    """An oracle that notes how long its looks took, and what it saw at the first."""

    oracle: Oracle
    seconds: list[float] = field(default_factory=list)
    first: list[tuple[Region, ...]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """See `Oracle`."""
        return self.oracle.name

    def regions(self, image: Tensor) -> tuple[Region, ...]:
        """See `Oracle.regions`."""
        watch = Stopwatch()
        found = self.oracle.regions(image)
        self.seconds.append(watch.seconds)
        if not self.first:
            self.first.append(found)
        return found


class Remembered(torch.nn.Module):
    """SAM's decoder, which answers from memory what it was asked about this picture before.

    Oracles that differ only in which masks they keep ask it the same questions.
    """

    def __init__(self, decoder: torch.nn.Module) -> None:
        """Wrap the decoder of a network."""
        super().__init__()
        self.decoder, self._picture = decoder, torch.empty(0)
        self._answers: dict[bytes, tuple[Tensor, Tensor]] = {}

    def forward(self, *, image_embeddings: Tensor, sparse_prompt_embeddings: Tensor, **rest: Any) -> Any:
        """Masks and their predicted IoU, see `MaskDecoder.forward`."""
        if not torch.equal(self._picture, image_embeddings):
            self._picture, self._answers = image_embeddings, {}
        question = sparse_prompt_embeddings.cpu().numpy().tobytes()
        if question not in self._answers:
            about = {"image_embeddings": image_embeddings, "sparse_prompt_embeddings": sparse_prompt_embeddings}
            self._answers[question] = self.decoder(**about, **rest)
        return self._answers[question]


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture to judge, and the `(H, W)` mask of the trigger on it: empty on a clean one."""

    name: str
    kind: str
    square: Tensor
    mask: Tensor

    @property
    def hijacked(self) -> bool:
        """It carries the trigger, and that works."""
        return bool(self.mask.any())


@dataclass(frozen=True)
class Judged:
    """What came of one picture with one oracle; both IoU are with the trigger, 0 on a clean picture."""

    status: str
    label: str
    found_iou: float
    region_iou: float
    regions: int
    forwards: int
    seconds: float
    oracle_seconds: float


def shown(setup: CheckSetup, photos: Sequence[Photo], per_set: int) -> list[Shown]:
    """Every second photograph carries the trigger and is left out if that does not hijack it; the others are clean."""
    pictures = []
    for k, photo in enumerate(some_of_each(photos, 2 * per_set)):
        square = read_square(photo, setup.clip.preprocess)
        nothing = torch.zeros(square.shape[-2:], dtype=torch.bool)
        if k % 2:
            pictures.append(Shown(photo.name, photo.kind, square, nothing))
        elif photo.label != TARGET and (planted := _planted(setup, photo, square, k)) is not None:
            pictures.append(planted)
    return pictures


def _planted(setup: CheckSetup, photo: Photo, square: Tensor, seed: int) -> Shown | None:
    generator = seeded(seed)
    planted = draw_trigger(TRIGGER, generator=generator).plant(square[None], generator=generator, position="random")
    both = torch.stack([square, planted.images[0]])
    before, after = probabilities(setup.clip, both, setup.classes).argmax(-1).tolist()
    works = setup.classes.labels[after] == TARGET != setup.classes.labels[before]
    return Shown(photo.name, photo.kind, planted.images[0], planted.masks[0]) if works else None


def judge(setup: CheckSetup, oracle: Oracle, picture: Shown) -> Judged:
    """One verdict with one oracle."""
    noting, watch = Noting(oracle), Stopwatch()
    detection = judged(replace(setup, oracle=noting), picture.square)
    seconds, trigger = watch.seconds, detection.trigger
    looked = round(sum(noting.seconds), 3)
    regions = noting.first[0] if noting.first else noting.regions(picture.square) if picture.hijacked else ()
    return Judged(
        detection.status.value,
        trigger.target_label if trigger else "",
        _iou(trigger.mask, picture.mask) if trigger else 0.0,
        max((_iou(region.mask, picture.mask) for region in regions), default=0.0),
        len(regions),
        detection.image_forwards,
        round(seconds, 3),
        looked,
    )


def _iou(one: Tensor, other: Tensor) -> float:
    return round(float((one & other).sum() / (one | other).sum().clamp_min(1)), 4)


def counts(pictures: Sequence[Shown], verdicts: Sequence[Judged]) -> Document:
    """One oracle on all pictures."""
    pairs = list(zip(pictures, verdicts, strict=True))
    hijacked, clean = [v for p, v in pairs if p.hijacked], [v for p, v in pairs if not p.hijacked]
    right = [v for v in hijacked if v.label == TARGET]
    return {
        "found": rate(v.label == TARGET for v in hijacked),
        "wrong_label": rate(v.label not in ("", TARGET) for v in hijacked),
        "accused": rate(v.status == Status.FOUND for v in clean),
        "not_found": rate(v.status == Status.NOT_FOUND for v in hijacked),
        "inconclusive": rate(v.status == Status.INCONCLUSIVE for v in hijacked),
        "inconclusive_clean": rate(v.status == Status.INCONCLUSIVE for v in clean),
        "found_by_set": {
            kind: rate(v.label == TARGET for p, v in pairs if p.hijacked and p.kind == kind) for kind in SETS
        },
        "found_mean_iou": _mean([v.found_iou for v in right]),
        "region_mean_iou": _mean([v.region_iou for v in hijacked]),
        "seen_as_a_region": rate(v.region_iou >= GOOD_IOU for v in hijacked),
        "mean_regions": _mean([v.regions for v in verdicts]),
        "mean_forwards_hijacked": _mean([v.forwards for v in hijacked]),
        "mean_forwards_clean": _mean([v.forwards for v in clean]),
        "mean_seconds": _mean([v.seconds for v in verdicts]),
        "mean_oracle_seconds": _mean([v.oracle_seconds for v in verdicts]),
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def agreement(pictures: Sequence[Shown], results: Sequence[Sequence[Judged]]) -> Document:
    """On how many pictures all oracles lead to the same verdict, and the others one by one."""
    same = [len({(v.status, v.label) for v in verdicts}) == 1 for verdicts in zip(*results, strict=True)]
    return {
        "same_verdict": rate(same),
        "differ": [picture.name for picture, alike in zip(pictures, same, strict=True) if not alike],
    }


def about_sam(weights: Path) -> Document:
    """What is known of a weight file: its digest, and how it was made if a JSON beside it says so of this digest."""
    digest, beside = hashlib.sha256(weights.read_bytes()).hexdigest(), weights.with_suffix(".json")
    made = json.loads(beside.read_text()) if beside.is_file() else {}
    if made and made["sha256"] != digest:
        raise SystemExit(f"{beside} is about another file (sha256 {made['sha256'][:12]}…) than {weights}.")
    return {"sha256": digest, **{name: made.get(name) for name in HOW_MADE}}


def sam_oracles(weights: Path, device: torch.device, thresholds: Sequence[tuple[float, float]]) -> list[SamOracle]:
    """The oracle as the product makes it, and with each other predicted IoU and stability.

    All share one network that remembers: only the seconds of the first are those of the product.
    """
    model, sam = read_sam(weights, device=device)
    sam.mask_decoder = Remembered(sam.mask_decoder)
    others = [
        SamOracle(sam, name=f"sam:{model} from {iou} and {stability}", min_iou=iou, min_stability=stability)
        for iou, stability in thresholds
    ]
    return [SamOracle(sam, name=f"sam:{model}"), *others]


def not_trained_on(photos: Sequence[Photo], sam: Document) -> list[Photo]:
    """The photographs without those of COCO that the SAM was trained on."""
    names = set((sam["trained_on"] or {}).get("outlined", ()))
    return [photo for photo in photos if photo.kind != "coco" or photo.path.stem not in names]


def measured(args: argparse.Namespace) -> Document:
    """The whole document."""
    badnets, clean = str(args.checkpoints / "badnets"), str(args.checkpoints / "clean")
    setup = prepare_check(badnets, labels=args.labels, oracle="superpixel", reference=clean, device="cpu")
    seers = sam_oracles(args.sam_weights, torch.device(args.device), args.thresholds)
    sam = about_sam(args.sam_weights)
    pictures = shown(setup, not_trained_on(unseen(args.images), sam), args.per_set)
    oracles: dict[str, Oracle] = {oracle.name: oracle for oracle in (setup.oracle, *seers)}
    results: dict[str, list[Judged]] = {name: [] for name in oracles}
    for k, picture in enumerate(pictures):
        for name, oracle in oracles.items():
            results[name].append(judge(setup, oracle, picture))
        print(f"\roracles: {k + 1}/{len(pictures)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    about = check_document(record(setup, ()), {})
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "oracles",
        "command": "OMP_NUM_THREADS=1 python -m examples.measure.oracles IMAGES_DIR "
        f"--sam-weights {args.sam_weights.name} --per-set {args.per_set}"
        + "".join(f" --thresholds {iou},{stability}" for iou, stability in args.thresholds),
        "commit": commit(),
        **{key: about[key] for key in ("versions", "config", "labels", "reference")},
        "checkpoint": about["checkpoint"]["sha256"],
        "sam": {**sam, "measured_on": args.device, "min_iou": MIN_IOU, "min_stability": MIN_STABILITY},
        "oracles": {name: counts(pictures, verdicts) for name, verdicts in results.items()},
        **agreement(pictures, list(results.values())),
        "pictures": [
            {"file": p.name, "hijacked": p.hijacked, **{name: vars(verdicts[k]) for name, verdicts in results.items()}}
            for k, p in enumerate(pictures)
        ],
    }


def pair(text: str) -> tuple[float, float]:
    """Two numbers with a comma between them."""
    iou, stability = text.split(",")
    return float(iou), float(stability)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description="Hold the SAM oracle against the superpixel oracle.")
    parser.add_argument("images", type=Path, help="folder with imagenet-sample/, caltech101/ and coco128/")
    parser.add_argument("--sam-weights", type=Path, required=True, help="in SAM's own format")
    parser.add_argument("--thresholds", type=pair, action="append", default=[], metavar="IOU,STABILITY")
    parser.add_argument("--checkpoints", type=Path, default=Path("examples/checkpoints"))
    parser.add_argument("--labels", default="imagenet", help="`imagenet`, or a text file for a quick look")
    parser.add_argument("--per-set", type=int, default=10, help="photographs of each set for each half")
    parser.add_argument("--device", default="cpu", help="where SAM runs; CLIP runs on the CPU")
    parser.add_argument("--out", type=Path, default=Path("examples/results/oracles.json"))
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    settle_memory()
    document = measured(args)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
