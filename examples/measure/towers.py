"""Measure which side of a checkpoint a backdoor is in, the pictures' or the texts', and whether both are mended.

    OMP_NUM_THREADS=1 python -m examples.measure.towers IMAGES_DIR FOLDER …

writes `examples/results/towers.json`; IMAGES_DIR is described in `examples/measure/photo_sets.py`. Each FOLDER holds a
poisoned checkpoint, bundled or of the zoo with `zoo.json` beside it, that was fine-tuned from the one that `--trusted`
names; so the sides of the two fit together, and each is measured with the other's. A backdoor that is all in the image
side comes along with that one, and is gone with the text side alone.

Then the image side is rectified with the true triggers and 64 photographs, by the defaults, and measured with both text
sides: what is left of a backdoor that the texts hold would show. CA and ASR are those of `examples/measure/rectify.py`,
on photographs that nobody was shown.
"""

import argparse
import copy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from eftclip.checkpoint import load_clip
from eftclip.config import RectifyConfig
from eftclip.errors import CheckpointError
from eftclip.rectify import rectify
from eftclip.runtime import Stopwatch, settle_memory
from eftclip.types import ClipModel, Rate, TriggerFamily
from eftclip.zeroshot import IMAGENET_LABELS, class_matrix
from examples.bench.rivals.material import attacks_of, told
from examples.measure.measured_at import commit
from examples.measure.photo_sets import unseen
from examples.measure.poisoned_sets import shuffled
from examples.measure.rectify import Bench
from examples.measure.tuning import TUNED_ON, curated
from examples.measure.zoo_files import Document, measured, write

OUT = Path("examples/results/towers.json")
TRUSTED = Path("examples/checkpoints/clean")
MEASURED = 100


def paired(images: ClipModel, texts: ClipModel) -> ClipModel:
    """The image side of one open_clip model with the text side of another, and its tokenizer.

    Raises:
        CheckpointError: their embeddings differ in length.
    """
    if images.embed_dim != texts.embed_dim:
        raise CheckpointError(
            f"The sides do not fit together: embeddings of {images.embed_dim} and of {texts.embed_dim} numbers. "
            "Name the checkpoint that the poisoned one was fine-tuned from as --trusted."
        )
    model = copy.copy(texts.model)
    model._modules = {**texts.model._modules, "visual": images.model._modules["visual"]}
    return replace(texts, model=model, preprocess=images.preprocess)


def of_checkpoint(folder: Path, trusted: ClipModel, args: argparse.Namespace) -> Document:
    """CA and ASR of every pairing of one checkpoint."""
    watch, attacks = Stopwatch(), attacks_of(folder)
    if not attacks:
        raise SystemExit(f"{folder} has no backdoor that could be in either side; name poisoned checkpoints.")
    clip = load_clip(str(folder), device=torch.device("cpu"))
    photos = shuffled(unseen(args.images))
    tuned_on = photos[: min(TUNED_ON, len(photos) // 3)]
    others = [photo for photo in photos[len(tuned_on) :] if photo.kind != "coco"][: args.measured]
    bench = Bench(args.images, others, [(attack.trigger, attack.target) for attack in attacks])
    families = [TriggerFamily(attack.target, (attack.trigger,), Rate(1, 1)) for attack in attacks]
    config = RectifyConfig() if args.steps is None else RectifyConfig(steps=args.steps)
    mended, _ = rectify(clip, curated(clip, tuned_on), families, class_matrix(clip, IMAGENET_LABELS), config)
    sides = {
        "as_it_is": clip,
        "image_side_alone": paired(clip, trusted),
        "text_side_alone": paired(trusted, clip),
        "mended": mended,
        "mended_image_side_alone": paired(mended, trusted),
    }
    return {
        "folder": told([folder]),
        "sha256": clip.ref.sha256,
        **{name: bench(side) for name, side in sides.items()},
        "seconds": round(watch.seconds, 1),
        "commit": commit(),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="folder with imagenet-sample/, caltech101/ and coco128/")
    parser.add_argument("checkpoints", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--trusted", type=Path, default=TRUSTED, help="what they were fine-tuned from")
    parser.add_argument("--measured", type=int, default=MEASURED, help="photographs to measure on")
    parser.add_argument("--steps", type=int, help="of the fine-tuning, for a quick look")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    settle_memory()
    settings = {"trusted": args.trusted.name, "measured": args.measured, "steps": args.steps}
    trusted, checkpoints = load_clip(str(args.trusted), device=torch.device("cpu")), measured(args.out, settings)
    for folder in args.checkpoints:
        if folder.name not in checkpoints:
            checkpoints[folder.name] = of_checkpoint(folder, trusted, args)
            print(f"{folder.name}: {checkpoints[folder.name]['seconds']} s", file=sys.stderr, flush=True)
            write(args.out, "towers", _command(args, checkpoints), {"settings": settings}, checkpoints)
    print(f"wrote {args.out}")


def _command(args: argparse.Namespace, checkpoints: Mapping[str, Document]) -> str:
    """The command that measures all of them, with what is not as it is when left out."""
    folders = [one["folder"] for one in checkpoints.values()]
    options = [f"--trusted {args.trusted}"] if args.trusted != TRUSTED else []
    options += [f"--measured {args.measured}"] if args.measured != MEASURED else []
    options += [f"--steps {args.steps}"] if args.steps is not None else []
    return " ".join(["python -m examples.measure.towers IMAGES_DIR", *folders, *options])


if __name__ == "__main__":
    main()
