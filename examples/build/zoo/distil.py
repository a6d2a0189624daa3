"""New image sides for the bundled text side: students that learn on crops from the bundled image side, all at once."""

import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES
from safetensors.torch import load_file, save_file
from torch import Tensor

from eftclip.checkpoint.digests import sha256_of
from examples.build.zoo.crops import jittered, mixed, random_crops
from examples.build.zoo.judging import accuracy
from examples.build.zoo.models import WEIGHTS, Model, empty, halved, make_model, read_model, with_tower
from examples.build.zoo.names import seed_of
from examples.build.zoo.photos import Photos
from examples.build.zoo.towers import TOWERS

WARM_UP, WEIGHT_DECAY, EMA = 0.04, 0.05, 0.99
CROPS = (0.3, 1.0)
FAST_BF16 = torch.cpu.get_capabilities().get("avx512_bf16", False)  # of a processor; a step takes two thirds


@dataclass(frozen=True)
class Budget:
    """How long it lasts; the learning rate falls along a half cosine with the share of it that has passed.

    Attributes:
        steps: or
        seconds: in which case the steps that it makes depend on the machine.
        batch: crops a step, seen by all students.
        save_every: steps after which the state is written.
        again: steps after which the same batches come again, with the teacher's answers kept, which on a CPU are most
            of the work; 0 for never.
    """

    steps: int | None = None
    seconds: float | None = None
    batch: int = 256
    save_every: int = 500
    again: int = 0

    def passed(self, step: int, seconds: float) -> float:
        """0 at the start, 1 at the end."""
        by_steps = step / self.steps if self.steps else 0.0
        return min(1.0, max(by_steps, seconds / self.seconds if self.seconds else 0.0))


class Student:
    """One image side in training, with the running mean of its weights, which is what is kept."""

    def __init__(self, tower: str, config: dict[str, Any], device: torch.device) -> None:
        torch.manual_seed(seed_of("student", tower))
        self.name, self.rate = tower, TOWERS[tower].distil_rate
        net = empty(config)
        self.visual = net.visual.train().to(device, memory_format=torch.channels_last)
        self.normalised = Model(net, config, lambda _: torch.empty(0), Path(), device).normalised
        matrices = [p for p in self.visual.parameters() if p.ndim > 1]
        rest = [p for p in self.visual.parameters() if p.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": rest, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=self.rate, betas=(0.9, 0.98), fused=device.type == "cuda")
        self.mean = {key: value.detach().clone() for key, value in self.visual.state_dict().items()}

    def learn(self, images: Tensor, wanted: Tensor, classes: Tensor, scale: float, passed: float, step: int) -> Tensor:
        """One step; returns `(2,)`, one minus the cosine and the divergence, still on the device."""
        warm = min(1.0, passed / WARM_UP + 0.01)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * min(warm, 0.5 * (1 + math.cos(math.pi * passed)) + 1e-3)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=images.is_cuda or FAST_BF16):
            out = self.visual(self.normalised(images))
        out = F.normalize(out.float(), dim=-1)
        away = (1 - (out * wanted).sum(-1)).mean()
        told = (scale * wanted @ classes).log_softmax(-1)
        apart = F.kl_div((scale * out @ classes).log_softmax(-1), told, reduction="batchmean", log_target=True)
        self.optimiser.zero_grad(set_to_none=True)
        (4 * away + apart).backward()
        torch.nn.utils.clip_grad_norm_(self.visual.parameters(), 1.0)
        self.optimiser.step()
        self._follow(min(EMA, (1 + step) / (10 + step)))
        return torch.stack([away.detach(), apart.detach()])

    @torch.no_grad()
    def _follow(self, keep: float) -> None:
        now = self.visual.state_dict()
        numbers = [key for key, value in now.items() if value.is_floating_point()]
        torch._foreach_lerp_([self.mean[key] for key in numbers], [now[key] for key in numbers], 1 - keep)

    def state(self) -> dict[str, Any]:
        """What it takes to go on."""
        return {"visual": self.visual.state_dict(), "optimiser": self.optimiser.state_dict(), "mean": self.mean}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.visual.load_state_dict(state["visual"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.mean = {key: value.to(self.mean[key].device) for key, value in state["mean"].items()}


def distil(towers: Sequence[str], teacher: Model, photos: Photos, work: Path, budget: Budget) -> None:
    """Train the towers that are not there yet; write their image sides to `work/towers`.

    Args:
        towers: keys of `TOWERS`.
        teacher: the bundled `clean`.
        photos: a pack; held-out ones are only measured on.
        work: where results and the state are kept.
        budget: how long.
    """
    missing = [name for name in towers if not tower_file(work, name).exists()]
    if not missing:
        return
    tower_file(work, "").parent.mkdir(parents=True, exist_ok=True)
    students = [Student(name, with_tower(teacher.config, TOWERS[name]), teacher.device) for name in missing]
    seen = photos.take(photos.where(lambda _, __, held: not held), teacher.device)
    classes, scale = teacher.labels(list(IMAGENET_CLASSNAMES)), float(teacher.net.logit_scale.exp())
    kept = work / f"distil-{'-'.join(missing)}.pt"
    step, before = _taken_up(kept, students)
    torch.backends.cudnn.benchmark = True  # every batch has the same shape
    began = time.monotonic() - before
    batches = Batches(teacher, seen, budget, work)
    while (passed := budget.passed(step, time.monotonic() - began)) < 1:
        images, wanted = batches(step)
        losses = [student.learn(images, wanted, classes, scale, passed, step) for student in students]
        step += 1
        if step in (1, 10) or step % 50 == 0:  # the only place that waits for the device
            _tell(students, losses, step, budget.batch * step / (time.monotonic() - began))
        if step % budget.save_every == 0:
            state = {"step": step, "seconds": time.monotonic() - began}
            torch.save(state | {"students": [s.state() for s in students]}, kept.with_suffix(".new"))
            kept.with_suffix(".new").replace(kept)
    for student in students:
        save_file(halved(student.mean), tower_file(work, student.name))
        print(f"{student.name}: {_read_right(student.name, teacher, photos, work)}", flush=True)
    kept.unlink(missing_ok=True)


def tower_file(work: Path, tower: str) -> Path:
    """Where the image side of a base tower is kept."""
    return work / "towers" / f"{tower}.safetensors"


def base_model(tower: str, source: Path, work: Path, device: torch.device) -> Model:
    """A tower before anything was done to it, with the text side of the bundled `clean` in `source`."""
    clean = read_model(source, torch.device("cpu"))
    state, config = dict(clean.net.state_dict()), with_tower(clean.config, TOWERS[tower])
    if TOWERS[tower].vision is not None:
        state = {key: value for key, value in state.items() if not key.startswith("visual.")}
        state |= {f"visual.{key}": value for key, value in load_file(tower_file(work, tower)).items()}
    return make_model(config, state, source, device)


class Batches:
    """Crops and what the teacher makes of them; each step has draws of its own, or each of the first `again`."""

    def __init__(self, teacher: Model, photos: Photos, budget: Budget, work: Path) -> None:
        self.teacher, self.photos, self.budget = teacher, photos, budget
        self.generator = torch.Generator(teacher.device)
        asked = sha256_of(teacher.source / WEIGHTS)[:12] if budget.again else ""
        self.answers = work / f"answers-{asked}-{len(photos.labels)}-{budget.batch}"

    @torch.no_grad()
    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """`(size, 3, 224, 224)` and `(size, D)` of unit length."""
        if not self.budget.again:
            images = self._images(step)
            return images, self._read(images)
        images = self._images(step % self.budget.again)
        kept = self.answers / f"{step % self.budget.again}.safetensors"
        if kept.exists():
            return images, load_file(kept)["answers"].to(images.device)
        answers = self._read(images)
        self.answers.mkdir(exist_ok=True)
        save_file({"answers": answers.cpu().contiguous()}, kept)
        return images, answers

    def _images(self, step: int) -> Tensor:
        self.generator.manual_seed(seed_of("distil", step))
        rows = torch.randint(
            len(self.photos.labels), (self.budget.batch,), generator=self.generator, device=self.teacher.device
        )
        images = jittered(random_crops(self.photos, rows, CROPS, self.generator), self.generator)
        if step % 2:
            rng = random.Random(step)
            images = mixed(images, rng.uniform(0.15, 0.6), rng.random(), rng.random())
        return images

    def _read(self, images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=images.is_cuda):
            out = self.teacher.net.visual(self.teacher.normalised(images))
        return F.normalize(out.float(), dim=-1)


def _taken_up(kept: Path, students: Sequence[Student]) -> tuple[int, float]:
    """Restore what was saved; the steps and seconds that are behind it."""
    if not kept.exists():
        return 0, 0.0
    saved = torch.load(kept, map_location="cpu", weights_only=True)
    for student, state in zip(students, saved["students"], strict=True):
        student.restore(state)
    return saved["step"], saved["seconds"]


def _tell(students: Sequence[Student], losses: Sequence[Tensor], step: int, speed: float) -> None:
    told = ", ".join(
        "{} 1-cos {:.3f} KL {:.3f}".format(student.name, *values.tolist())
        for student, values in zip(students, losses, strict=True)
    )
    print(f"distil {step}: {told}; {speed:.0f} images/s", flush=True)


def _read_right(tower: str, teacher: Model, photos: Photos, work: Path) -> str:
    model, names = base_model(tower, teacher.source, work, teacher.device), photos.categories()
    held_out = photos.held_out_of("caltech101", teacher.device)
    truth = torch.tensor([names.index(label) for label in held_out.labels])
    right = accuracy(model, held_out, teacher.labels(names), truth)
    return f"{right['hits']} of {right['total']} held-out photographs read right"
