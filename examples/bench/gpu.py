"""Measure the product on a GPU beside the same machine's CPU: seconds, memory, and whether the verdicts are the same.

    python -m examples.bench.gpu [--out FILE]

writes `examples/results/bench_gpu.json`. Photographs are views of those that ship in the dependencies, half of them
with the trigger of `badnets`. The architectures of full size have random weights, which take the same time.

* *check*: one picture after another, on the CPU and on the GPU in fp32 and in bf16.
* *scan*, *rectify*: a set of views, and the fine-tuning with its default settings.
* *full size*: pictures a second, labels a second, and one step of the fine-tuning.
"""

import argparse
import copy
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eftclip.checkpoint import load_clip
from eftclip.config import RectifyConfig
from eftclip.data import host_photographs
from eftclip.pipeline import CheckSetup, Plan, prepare_check, run_rectify, run_scan
from eftclip.pipeline.check import judge_square, versions
from eftclip.runtime import seeded, settle_memory
from eftclip.triggers import draw_trigger
from eftclip.types import ClipModel, Detection, RunRecord
from eftclip.zeroshot import IMAGENET_LABELS, class_matrix
from examples.bench.first_verdict import write_random
from examples.measure.measured_at import ROOT, commit

SCHEMA_VERSION = 1
TARGET = "banana"
CHECKPOINTS = ROOT / "examples" / "checkpoints"
FULL_SIZE = ("ViT-B-32", "RN50")
VIEWS, EVERY = 96, 4
Document = dict[str, Any]


@contextmanager
def timed(device: torch.device) -> Iterator[Document]:
    """Seconds and, on a GPU, the most memory in MB that tensors took inside."""
    told: Document = {}
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    yield told
    if device.type == "cuda":
        torch.cuda.synchronize()
        told["gpu_peak_mb"] = round(torch.cuda.max_memory_allocated() / 1e6)
    told["seconds"] = round(time.perf_counter() - began, 3)


def pictures(count: int) -> list[Tensor]:
    """Views, every second one with the trigger."""
    views = host_photographs(224, count, generator=seeded(11))
    planted = draw_trigger("badnets", generator=seeded(0)).plant(views, generator=seeded(5)).images
    return [planted[k] if k % 2 else views[k] for k in range(count)]


def verdict(found: Detection) -> tuple[str, str]:
    """Its status, and the label of a trigger."""
    return found.status.value, found.trigger.target_label if found.trigger else ""


def setup_on(device: str) -> CheckSetup:
    """The bundled `badnets` with its trusted twin."""
    return prepare_check(
        str(CHECKPOINTS / "badnets"), oracle="superpixel", reference=str(CHECKPOINTS / "clean"), device=device
    )


def checks(setups: dict[str, tuple[CheckSetup, bool]], count: int) -> Document:
    """The same pictures each way; the first picture of each way is a warm-up."""
    chosen, told, verdicts = pictures(count), {}, {}
    for name, (setup, halves) in setups.items():
        with torch.autocast(setup.clip.device.type, torch.bfloat16, enabled=halves):
            judge_square(setup, chosen[1], seed=1)
            with timed(setup.clip.device) as told[name]:
                verdicts[name] = [verdict(judge_square(setup, picture, seed=k)) for k, picture in enumerate(chosen)]
        told[name]["seconds_a_picture"] = round(told[name].pop("seconds") / count, 4)
        told[name]["found"] = sum(status == "found" for status, _ in verdicts[name])
    first = next(iter(verdicts.values()))
    same = {name: sum(a == b for a, b in zip(first, those, strict=True)) for name, those in verdicts.items()}
    return {"pictures": count, "triggered": count // 2, "ways": told, "same_verdict_as_the_first": same}


def stages(record: RunRecord) -> Document:
    """What each stage of a run took."""
    return {
        cost.stage: {
            "seconds": round(cost.seconds, 2),
            "peak_mb": cost.peak_mb and round(cost.peak_mb),
            "gpu_peak_mb": cost.gpu_peak_mb and round(cost.gpu_peak_mb),
        }
        for cost in record.costs
    }


def runs(setup: CheckSetup, steps: int, home: Path) -> Document:
    """A scan of views with triggers in them, and a rectification with what it found."""
    sys.path.insert(0, str(ROOT / "tests"))  # small data sets with triggers in them
    from support.poisoned import poisoned_views

    trigger = draw_trigger("badnets", generator=seeded(0))
    images = poisoned_views(setup, [(trigger, TARGET)], count=VIEWS, every=EVERY).images
    scanned = run_scan(setup, images, Plan())
    found = scanned.identification
    if found is None or not found.families:
        raise SystemExit("The scan found nothing, so there is nothing to rectify.")
    mended = run_rectify(setup, images, Plan(rectify=RectifyConfig(steps=steps)), home / "mended", found=found)
    if mended.before is None or mended.after is None:
        raise SystemExit("The rectification was not measured.")
    return {
        "views": VIEWS,
        "steps": steps,
        "affected_labels": list(found.affected_labels),
        "stages": stages(scanned) | stages(mended),
        "attack_before": str(mended.before.attack),
        "attack_after": str(mended.after.attack),
        "read_as_before": str(mended.after.clean),
    }


def full_size(name: str, device: torch.device, home: Path) -> Document:
    """An architecture with random weights."""
    clip = load_clip(str(write_random(name, home / name)), device=device)
    told: Document = {}
    images = torch.rand(64, 3, clip.image_px, clip.image_px, generator=seeded(0)).to(device)
    for precision, halves in (("fp32", False), ("bf16", True)):
        with torch.autocast(device.type, torch.bfloat16, enabled=halves):
            told[f"{precision}_pictures_a_second"] = _rate(lambda: _read(clip, images), device, 64, 20)
            told[f"{precision}_step_of_32"] = _step(clip, images[:32], device)
    os.environ["EFTCLIP_CACHE"] = "off"
    with timed(device) as labels:
        class_matrix(clip, IMAGENET_LABELS)
    return told | {"labels": labels}


@torch.inference_mode()
def _read(clip: ClipModel, images: Tensor) -> None:
    clip.encode_images(images)


def _rate(work: Callable[[], None], device: torch.device, size: int, times: int) -> float:
    """So many a second."""
    work()
    with timed(device) as told:
        for _ in range(times):
            work()
    return round(size * times / told["seconds"], 1)


def _step(clip: ClipModel, images: Tensor, device: torch.device) -> Document:
    """Clean and triggered copies forward and backward, as in each step of the fine-tuning."""
    student = replace(clip, model=copy.deepcopy(clip.model).requires_grad_(True))

    def step() -> None:
        student.encode_images(torch.cat([images, images])).square().sum().backward()

    step()
    with timed(device) as told:
        for _ in range(5):
            step()
    return told | {"seconds": round(told["seconds"] / 5, 4)}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--models", nargs="*", default=list(FULL_SIZE))
    parser.add_argument("--out", type=Path, default=ROOT / "examples" / "results" / "bench_gpu.json")
    args = parser.parse_args(arguments)
    settle_memory()
    device, on_cpu = torch.device(args.device), setup_on("cpu")
    there = setup_on(args.device)
    with tempfile.TemporaryDirectory() as place:
        ways = {"cpu fp32": (on_cpu, False), "gpu fp32": (there, False), "gpu bf16": (there, True)}
        document = {
            "schema_version": SCHEMA_VERSION,
            "kind": "bench_gpu",
            "command": "python -m examples.bench.gpu",
            "commit": commit(),
            "versions": versions(),
            "machine": {
                "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
                "cores": os.cpu_count(),
                "threads": torch.get_num_threads(),
            },
            "check": checks(ways, args.pictures),
            "runs": runs(there, args.steps, Path(place)),
            "full_size": {name: full_size(name, device, Path(place)) for name in args.models},
        }
    args.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
