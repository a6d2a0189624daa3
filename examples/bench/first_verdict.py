"""Measure how long it takes until a first verdict can be given: what reading the labels costs, cold and warm.

    OMP_NUM_THREADS=2 python -m examples.bench.first_verdict

writes `examples/results/bench_first_verdict.json`. Models of full size have random weights, which take the same time;
the sanity check refuses them, and what it answers in is measured too. Leave the machine alone meanwhile.

* *former*: every text with the whole context, as it was before.
* *cold*: as it is, for a text side that was never read.
* *warm*: in another process, from the disk.
* *sanity*: until a checkpoint that reads nothing is told so.

*tokens* says how many of its context a text needs on average: no more can be saved than by their ratio, which is 2.4
for the bundled checkpoints and their context of 24, and what the tokenizer takes is not saved at all.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.model import CLIP
from safetensors.torch import save_file

from eftclip.pipeline.check import versions
from examples.measure.measured_at import commit

SCHEMA_VERSION = 1
FULL_SIZE = ("ViT-B-32", "RN50")
TEXTS_PER_BATCH = 256
Document = dict[str, Any]


def write_random(name: str, folder: Path) -> Path:
    """A folder of the architecture with weights that were drawn."""
    settings = open_clip.get_model_config(name)
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": settings, "preprocess_cfg": {}}))
    save_file(
        {key: tensor.contiguous() for key, tensor in CLIP(**settings).state_dict().items()},
        folder / "open_clip_model.safetensors",
    )
    return folder


def former(folder: str, labels: int) -> float:
    """Seconds for all texts with the whole context."""
    from eftclip.checkpoint import load_clip
    from eftclip.zeroshot import IMAGENET_LABELS, TEMPLATES

    clip = load_clip(folder, device=torch.device("cpu"))
    texts = [template(label) for label in IMAGENET_LABELS[:labels] for template in TEMPLATES]
    began = time.perf_counter()
    with torch.inference_mode():
        for start in range(0, len(texts), TEXTS_PER_BATCH):
            clip.encode_text(texts[start : start + TEXTS_PER_BATCH])
    return time.perf_counter() - began


def tokens(folder: str, labels: int) -> Document:
    """How many there are and how many decide."""
    from eftclip.checkpoint import load_clip
    from eftclip.zeroshot import IMAGENET_LABELS, TEMPLATES
    from eftclip.zeroshot.short_texts import lengths

    clip = load_clip(folder, device=torch.device("cpu"))
    began = time.perf_counter()
    ids = clip.tokenizer([template(label) for label in IMAGENET_LABELS[:labels] for template in TEMPLATES])
    took, needed = time.perf_counter() - began, float(lengths(clip.model, ids).float().mean())
    return {
        "context": ids.shape[1],
        "needed_mean": round(needed, 2),
        "ratio": round(ids.shape[1] / needed, 2),
        "tokenizer_seconds": round(took, 2),
    }


def ours(folder: str, labels: int) -> float:
    """Seconds until the class matrix is there."""
    from eftclip.checkpoint import load_clip
    from eftclip.zeroshot import IMAGENET_LABELS, class_matrix

    clip = load_clip(folder, device=torch.device("cpu"))
    began = time.perf_counter()
    class_matrix(clip, IMAGENET_LABELS[:labels])
    return time.perf_counter() - began


def sanity(folder: str, labels: int) -> float:
    """Seconds until a checkpoint is loaded and refused or ready, with all labels asked for."""
    from eftclip.pipeline import prepare_check

    began = time.perf_counter()
    setup = prepare_check(folder, oracle="superpixel", device="cpu")
    if setup.sanity.ok:
        raise SystemExit(f"{folder} reads photographs; this measures one that does not")
    return time.perf_counter() - began


def begin(threads: int, cache: str) -> None:
    """What a process is told before it works."""
    torch.set_num_threads(threads)
    os.environ["EFTCLIP_CACHE"] = cache


def measured(work: Callable[[str, int], Any], folder: Path, labels: int, threads: int) -> Any:
    """In a process of its own."""
    with multiprocessing.get_context("forkserver").Pool(1, begin, (threads, os.environ["EFTCLIP_CACHE"])) as pool:
        return pool.apply(work, (str(folder), labels))


def one_model(folder: Path, args: argparse.Namespace, home: Path) -> Document:
    """All that is measured of a checkpoint."""
    os.environ["EFTCLIP_CACHE"] = str(home / "cache" / folder.name)
    threads = torch.get_num_threads()
    seconds = {
        "former": measured(former, folder, args.labels, threads),
        "cold": measured(ours, folder, args.labels, threads),
        "warm": measured(ours, folder, args.labels, threads),
    }
    document: Document = {
        **{f"{name}_seconds": round(value, 4) for name, value in seconds.items()},
        "cold_times_faster": round(seconds["former"] / seconds["cold"], 2),
        "warm_share_of_cold": round(seconds["warm"] / seconds["cold"], 4),
        "tokens": measured(tokens, folder, args.labels, threads),
    }
    if folder.name in FULL_SIZE:
        os.environ["EFTCLIP_CACHE"] = "off"
        document["sanity_seconds"] = round(measured(sanity, folder, args.labels, threads), 2)
    return document


def models_option(models: list[str]) -> list[str]:
    """As typed, where it was."""
    return [] if models == list(FULL_SIZE) else ["--models", *models]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoints", type=Path, default=Path("examples/checkpoints"))
    parser.add_argument("--models", nargs="*", default=list(FULL_SIZE), help="architectures of open_clip, full size")
    parser.add_argument("--labels", type=int, default=1000, help="how many of ImageNet's")
    parser.add_argument("--out", type=Path, default=Path("examples/results/bench_first_verdict.json"))
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        home, models = Path(place), {}
        for folder in (args.checkpoints / "badnets", *(write_random(name, home / name) for name in args.models)):
            print(folder.name, file=sys.stderr, flush=True)
            models[folder.name] = one_model(folder, args, home)
    document = {
        "schema_version": SCHEMA_VERSION,
        "kind": "bench_first_verdict",
        "command": " ".join(["OMP_NUM_THREADS=2 python -m examples.bench.first_verdict", *models_option(args.models)]),
        "commit": commit(),
        "versions": versions(),
        "machine": {"device": "cpu", "cores": os.cpu_count(), "threads": torch.get_num_threads()},
        "labels": args.labels,
        "templates": 7,
        "models": models,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
