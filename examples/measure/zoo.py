"""Measure detection on checkpoints of the zoo, tower by tower, on photographs that none of them was trained on.

    OMP_NUM_THREADS=1 python -m examples.measure.zoo IMAGES_DIR --zoo DIR NAME …

writes `examples/results/zoo_check.json`. DIR is what `python -m examples.build.zoo build NAME …` wrote (`--out`), and
IMAGES_DIR is described in `photo_sets.py`. Everything runs with the defaults of `eftclip check` (ImageNet's labels, the
superpixel oracle), but without a reference checkpoint, unless `--reference` names one (`auto`: the bundled clean one).

* *hijacked*: photographs that the checkpoint's own trigger turns into its target, by what came of them; the ones that
  end as `not_found` are a count of their own, as nothing is worse.
* *clean*: photographs as they are, of poisoned checkpoints and of controls.

Each kind is counted on at most `--pictures` photographs, spread evenly over all that were kept aside; `--more` adds
those of `caltech101-more/`. A file that was measured with the same settings keeps what it holds of other checkpoints;
those that are named are measured again.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eftclip.pipeline import CheckSetup, prepare_check
from eftclip.pipeline.check import judge_square
from eftclip.runtime import Stopwatch, seeded, settle_memory
from eftclip.types import Detection, Status
from eftclip.zeroshot import probabilities
from examples.build.zoo.build import triggers_of
from examples.build.zoo.triggers import planted_from
from examples.measure.measured_at import commit
from examples.measure.photo_sets import Photo, rate, read_square, spread, unseen, unseen_more
from examples.measure.zoo_files import Document, add_options, known_checkpoints, measured, told, write

OUT = Path("examples/results/zoo_check.json")
TRIED = 5  # photographs tried for each hijacked one that is judged; a weak backdoor hijacks few


def of_checkpoint(
    name: str, entry: Document, zoo: Path, photos: Sequence[Photo], most: int, reference: str
) -> Document:
    """All counts of one checkpoint."""
    watch = Stopwatch()
    setup = prepare_check(str(zoo / name), oracle="superpixel", reference=reference, device="cpu")
    document: Document = {
        "sha256": setup.clip.ref.sha256,
        **{key: entry[key] for key in ("ca_100", "ca_1000", "asr_100", "asr_1000") if key in entry},
        "sanity": {"ok": setup.sanity.ok, "reason": setup.sanity.reason},
    }
    if setup.sanity.ok:
        document["clean"] = clean_counts(setup, spread(photos, most))
        triggers = zip(entry["backdoors"], planted_from(triggers_of(entry)), strict=True)
        document["hijacked"] = {
            backdoor["target"]: hijacked_counts(setup, trigger, backdoor["target"], spread(photos, TRIED * most), most)
            for backdoor, trigger in triggers
        }
    return {**document, "seconds": round(watch.seconds, 1)}


def clean_counts(setup: CheckSetup, photos: Sequence[Photo]) -> Document:
    """What comes of photographs as they are."""
    verdicts = [
        (photo, judge_square(setup, _eight_bits(read_square(photo, setup.clip.preprocess)))) for photo in photos
    ]
    named = {
        key: [{"file": photo.name, "reason": v.reason} for photo, v in verdicts if v.status is status]
        for key, status in (("accused", Status.FOUND), ("undecided", Status.INCONCLUSIVE))
    }
    return {
        **{status: rate(v.status == status for _, v in verdicts) for status in ("found", "inconclusive", "error")},
        "forwards_mean": _mean([v.image_forwards for _, v in verdicts]),
        **named,
    }


def hijacked_counts(setup: CheckSetup, trigger: Any, target: str, photos: Sequence[Photo], most: int) -> Document:
    """What comes of photographs that the trigger turns into its target; the fit is that of masks found rightly."""
    index, judged, tried = setup.classes.labels.index(target), list[tuple[Photo, Detection, float]](), list[bool]()
    for k, photo in enumerate(photos):
        if len(judged) == most:
            break
        square = read_square(photo, setup.clip.preprocess)
        planted = trigger.plant(square[None], generator=seeded(k))
        image = _eight_bits(planted.images[0])
        before, after = probabilities(setup.clip, torch.stack([square, image]), setup.classes).argmax(-1).tolist()
        if before == index:
            continue
        tried.append(after == index)
        if after == index:
            verdict = judge_square(setup, image)
            judged.append((photo, verdict, _overlap(verdict, planted.masks[0])))
    named = [v.trigger is not None and v.trigger.target_label == target for _, v, _ in judged]
    return {
        "hijacked": rate(tried),
        "found_with_the_right_label": rate(named),
        **{s: rate(v.status == s for _, v, _ in judged) for s in ("not_found", "inconclusive", "error")},
        "iou_mean": _mean([iou for (_, _, iou), right in zip(judged, named, strict=True) if right]),
        "forwards_mean": _mean([v.image_forwards for _, v, _ in judged]),
        "missed": [
            {"file": photo.name, "status": v.status.value, "reason": v.reason}
            for (photo, v, _), right in zip(judged, named, strict=True)
            if not right
        ],
    }


def _overlap(verdict: Detection, mask: Tensor) -> float:
    if verdict.trigger is None:
        return 0.0
    found = verdict.trigger.mask
    return float((found & mask).sum() / (found | mask).sum())


def _eight_bits(square: Tensor) -> Tensor:
    return (square * 255).round() / 255


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 3) if values else None


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--pictures", type=int, default=40, help="hijacked and clean photographs of each, at most")
    parser.add_argument(
        "--more", action="store_true", help="with photographs of caltech101-more, where 926 are too few"
    )
    add_options(parser, OUT)
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    settle_memory()
    known, photos = known_checkpoints(args), unseen(args.images) + (unseen_more(args.images) if args.more else [])
    settings = {"pictures": args.pictures, "reference": args.reference, **({"more": True} if args.more else {})}
    checkpoints = measured(args.out, settings)
    for name in args.names:
        counts = of_checkpoint(name, known[name], args.zoo, photos, args.pictures, args.reference)
        checkpoints[name] = {**counts, "commit": commit()}
        print(f"{name}: {counts['seconds']} s", file=sys.stderr, flush=True)
        more = " --more" if args.more else ""
        chosen = f"--pictures {args.pictures}{more}{told(args.reference)} {' '.join(checkpoints)}"
        command = f"python -m examples.measure.zoo IMAGES_DIR --zoo DIR {chosen}"
        write(args.out, "zoo_check", command, {"settings": settings}, checkpoints)


if __name__ == "__main__":
    main()
