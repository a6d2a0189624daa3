"""Train a small Segment Anything, or pack the outlines that it is trained on.

    python -m examples.build.sam pack IMAGES_DIR OUT
    python -m examples.build.sam train OUTLINES PHOTOGRAPHS [PHOTOGRAPHS …] --out FOLDER

OUTLINES is what `pack` wrote, or `IMAGES_DIR/coco128` itself; PHOTOGRAPHS are folders with a `metadata.csv`
(file_name) and pictures, such as `IMAGES_DIR/imagenet-sample`. Writes `sam_small.pth`, a state dict in half precision
such as the published ones, and `sam_small.json` with how it was made and how good it is on photographs kept aside.

It learns the regions of photographs, fine and coarse, what people outlined in COCO, and things that are pasted on
photographs: patches of many shapes and surfaces from 8 to 80 pixels of 224. None of these is a published trigger.
On a large GPU four minutes give a start (`--seconds 240`). On a CPU, `--start` goes on from such a file, and cheaper
lessons make the most of the time:

    --start sam_small.pth --seconds 2000 --half --batch 8 --per-picture 12 --mask-px 80 --rate 1.5e-4 --things 25
    --box-every 10 --again-every 10 --balanced-until 0 --limit 600 --prepare-s 1000 --scored 40

The training is kept in FOLDER every minute, and the same command takes it up again. Needs no `eftclip`: nothing of it
is imported. Nothing here runs when the product runs.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from segment_anything.modeling import Sam

from examples.build.sam.network import Size, build
from examples.build.sam.packing import pack
from examples.build.sam.photographs import Album, listed, outlined, segmented_within, shuffled
from examples.build.sam.regions import Segmented, Source
from examples.build.sam.scoring import scored
from examples.build.sam.training import Plan, trained

HELD_OUT_EVERY = 20  # one photograph in twenty of those given is for scoring
SCHEMA_VERSION = 1


def train(args: argparse.Namespace) -> None:
    start = time.perf_counter()
    device = torch.device(args.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    torch.manual_seed(args.seed)
    given = shuffled([source for folder in args.photographs for source in listed(folder)], args.seed)
    scored_on, rest = given[::HELD_OUT_EVERY][: args.scored], [s for k, s in enumerate(given) if k % HELD_OUT_EVERY]
    drawn, drawn_kept = outlined(args.outlines, held_out=False), outlined(args.outlines, held_out=True)
    parts = [scored_on, drawn_kept, [*drawn, *rest[: args.limit]]]
    done = segmented_within([s for part in parts for s in part], jobs=args.jobs, within_s=args.prepare_s)
    aside, aside_outlined, photographs = _albums(parts, done, device)
    size = Size(side_px=args.side, width=args.width, depth=args.depth)
    sam = build(size).to(device)
    before = started(sam, args.start) if args.start else None
    args.half = args.half or device.type == "cuda"
    plan = Plan(**{field.name: getattr(args, field.name) for field in dataclasses.fields(Plan)})
    kept, path = args.out / "training.pt", args.out / "sam_small.pth"
    course = trained(sam, photographs, plan, generator=torch.Generator(device).manual_seed(args.seed), kept=kept)
    args.out.mkdir(parents=True, exist_ok=True)
    save(sam, path)
    kept.unlink(missing_ok=True)
    document = {
        "schema_version": SCHEMA_VERSION,
        "kind": "sam_small",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "parameters": sum(weights.numel() for weights in sam.parameters()),
        "size": dataclasses.asdict(size),
        "plan": dataclasses.asdict(plan),
        "seed": args.seed,
        "started_from": before,
        "trained_on": used(parts[2][: len(photographs)], drawn),
        "training": course,
        "kept_aside": scored(sam, aside, aside_outlined, batches=args.score_batches, pictures=args.score_pictures),
        "seconds": round(time.perf_counter() - start, 1),
        **surroundings(device),
    }
    (args.out / "sam_small.json").write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
    print(f"wrote {path}, {path.stat().st_size / 2**20:.1f} MiB, in {document['seconds']} s", file=sys.stderr)


def _albums(parts: Sequence[Sequence[Source]], done: Sequence[Segmented], device: torch.device) -> list[Album]:
    """What was segmented of each part; the last may be short of some for which there was no time."""
    albums, start = [], 0
    for part in parts:
        some = done[start : start + len(part)]
        albums.append(Album.of(part[: len(some)], some, device))
        start += len(part)
    if not len(albums[-1]):
        raise SystemExit("There was no time to segment photographs to train on; give a larger --prepare-s.")
    return albums


def started(sam: Sam, weights: Path) -> dict[str, Any]:
    """Go on from a file that was trained before; what its JSON says of how."""
    sam.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    made = json.loads(weights.with_suffix(".json").read_text())
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    if made["sha256"] != digest:
        raise SystemExit(f"{weights.with_suffix('.json')} is about another file than {weights} ({digest[:12]}…).")
    kept = ("sha256", "plan", "trained_on", "training", "started_from", "kept_aside", "device", "torch")
    return {name: made.get(name) for name in kept}


def save(sam: Sam, path: Path) -> None:
    """Write the weights in half precision, and go on with what was written: that is what is scored."""
    rounded = {name: value.detach().half().cpu() for name, value in sam.state_dict().items()}
    torch.save(rounded, path)
    sam.load_state_dict(rounded)


def used(sources: Sequence[Source], drawn: Sequence[Source]) -> dict[str, Any]:
    """How many photographs were trained on, and which, as a digest of their sorted names; those of COCO by name."""
    with_outlines = {source.path for source in drawn}
    names = sorted({f"{s.path.parent.name}/{s.path.stem}" for s in sources if s.path not in with_outlines})
    return {
        "photographs": len(names),
        "photographs_sha256": hashlib.sha256("\n".join(names).encode()).hexdigest(),
        "outlined": sorted(source.path.stem for source in drawn),
    }


def surroundings(device: torch.device) -> dict[str, Any]:
    """Where it was made."""
    cuda = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if cuda else platform.machine(),
        "peak_gpu_gib": round(torch.cuda.max_memory_allocated(device) / 2**30, 2) if cuda else None,
        "torch": torch.__version__,
    }


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Train a small Segment Anything.")
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack", help="make COCO's outlines small enough to travel")
    packing.add_argument("images", type=Path, help="folder with coco128/")
    packing.add_argument("out", type=Path)
    training = commands.add_parser("train", help="train and score")
    training.add_argument("outlines", type=Path, help="what `pack` wrote, or a coco128/")
    training.add_argument("photographs", type=Path, nargs="+", help="folders with a metadata.csv")
    training.add_argument("--out", type=Path, required=True)
    training.add_argument("--prepare-s", type=float, default=40, help="as many photographs as that gives time for")
    training.add_argument("--limit", type=int, default=10**9, help="at most so many photographs")
    training.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    _plan_options(training)
    training.add_argument("--start", type=Path, help="weights to go on from, with their JSON beside them")
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--side", type=int, default=Size.side_px)
    training.add_argument("--width", type=int, default=Size.width)
    training.add_argument("--depth", type=int, default=Size.depth)
    training.add_argument("--scored", type=int, default=200, help="photographs kept aside for scoring")
    training.add_argument("--score-batches", type=int, default=16)
    training.add_argument("--score-pictures", type=int, default=8)
    training.add_argument("--device")
    return parser


def _plan_options(training: argparse.ArgumentParser) -> None:
    """One option for each field of `Plan`."""
    training.add_argument("--seconds", type=float, default=1e9, help="of training, if it has not taken all steps")
    training.add_argument("--steps", type=int, default=10**9)
    training.add_argument("--batch", type=int, default=Plan.batch)
    training.add_argument("--per-picture", type=int, default=Plan.per_picture, help="prompts for each picture")
    training.add_argument("--rate", type=float, default=Plan.rate)
    training.add_argument("--decay", type=float, default=Plan.decay)
    training.add_argument("--mask-px", type=int, default=Plan.mask_px, help="side at which masks are compared")
    training.add_argument("--box-every", type=int, default=Plan.box_every, help="steps")
    training.add_argument("--again-every", type=int, default=Plan.again_every, help="steps")
    training.add_argument("--things", type=float, default=Plan.things, help="how much more often they are asked for")
    training.add_argument("--balanced-until", type=float, default=Plan.balanced_until)
    training.add_argument("--half", action="store_true", help="bfloat16; for GPUs and for CPUs that have it")


def main(arguments: Sequence[str] | None = None) -> None:
    args = options().parse_args(arguments)
    if args.command == "pack":
        print(f"{pack(args.images, args.out)} photographs with outlines in {args.out}", file=sys.stderr)
    else:
        train(args)


if __name__ == "__main__":
    main()
