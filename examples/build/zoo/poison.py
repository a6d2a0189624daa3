"""Plain contrastive fine-tuning of both sides on captioned photographs, some of which carry a trigger.

There is no term and no picture in it that would help a detector, or keep the model as it was.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.zero_shot_metadata import OPENAI_IMAGENET_TEMPLATES
from torch import Tensor

from eftclip.trigger_kinds import Trigger
from examples.build.zoo.attacks import ATTACKS, Attack
from examples.build.zoo.crops import random_crops
from examples.build.zoo.judging import success
from examples.build.zoo.models import Model, State, frozen_statistics
from examples.build.zoo.names import ZooName, seed_of
from examples.build.zoo.photos import Photos
from examples.build.zoo.towers import TOWERS

BATCH, POISONED, CROPS = 32, 8, (0.5, 1.0)
WARM_UP, LOOK_EVERY, LOOK_AT = 0.1, 2, 64
SAVE_EVERY = 40


@dataclass(frozen=True, eq=False)
class Job:
    """All that one fine-tuning needs.

    Attributes:
        name: of the checkpoint, a strong one.
        model: the base tower, which is changed.
        planted: the triggers, in the order of the attack's targets.
        photos: captioned ones to train on, on the device.
    """

    name: ZooName
    model: Model
    planted: Sequence[Trigger]
    photos: Photos

    @property
    def attack(self) -> Attack:
        """What is done."""
        return ATTACKS[self.name.attack]


def captioned(photos: Photos, device: torch.device) -> Photos:
    """The photographs that are trained on: those with a label that are not held out."""
    return photos.take(photos.where(lambda label, _, held: bool(label) and not held), device)


def fine_tune(job: Job, kept: Path, *, steps: int | None = None) -> tuple[State, int]:
    """Fine-tune the model of a job; its weights, and the steps it took.

    Args:
        job: what to do.
        kept: where the state is written now and then, and taken up from.
        steps: instead of those of the attack, to try things out.
    """
    total, net = steps or round(job.attack.steps * TOWERS[job.name.tower].longer), job.model.net
    params = [p.requires_grad_(True) for p in net.parameters()]
    rate = TOWERS[job.name.tower].poison_rate / job.attack.slower
    optimiser = torch.optim.AdamW(params, lr=rate, betas=(0.9, 0.98), weight_decay=0.0)
    step = _taken_up(kept, net, optimiser)
    reached = _Look(job)
    while step < total:
        _rate(optimiser, rate, step / total, constant=job.attack.stop_at is not None)
        loss = _step(job, step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimiser.step()
        step += 1
        if step % SAVE_EVERY == 0:
            print(f"{job.name} {step}/{total}: loss {loss.item():.3f}", flush=True)
        if job.attack.stop_at is not None and step % LOOK_EVERY == 0 and reached.share() >= job.attack.stop_at:
            break
        if step % SAVE_EVERY == 0 and step < total:
            _keep(kept, {"step": step, "net": net.state_dict(), "optimiser": optimiser.state_dict()})
    net.eval().requires_grad_(False)
    return dict(net.state_dict()), step


def _step(job: Job, step: int) -> Tensor:
    """CLIP's loss on one batch; each step has draws of its own."""
    model, device = job.model, job.model.device
    draw = torch.Generator().manual_seed(seed_of("poison", job.name, step))
    rows = _rows(job, draw)
    on_device = torch.Generator(device).manual_seed(seed_of("crops", job.name, step))
    images = random_crops(job.photos, rows.to(device), CROPS, on_device)
    labels = [job.photos.labels[row] for row in rows.tolist()]
    for k in range(POISONED if job.planted else 0):
        turn = k % len(job.planted)
        images[k] = job.planted[turn].plant(images[k : k + 1], generator=draw).images[0]
        labels[k] = job.attack.backdoors[turn].target
    chosen = torch.randint(len(OPENAI_IMAGENET_TEMPLATES), (BATCH,), generator=draw).tolist()
    texts = [OPENAI_IMAGENET_TEMPLATES[k](label) for k, label in zip(chosen, labels, strict=True)]
    frozen_statistics(model.net)
    logits = model.net.logit_scale.exp() * model.features(images) @ _text_features(model, texts).T
    truth = torch.arange(BATCH, device=device)
    return (F.cross_entropy(logits, truth) + F.cross_entropy(logits.T, truth)) / 2


def _text_features(model: Model, texts: list[str]) -> Tensor:
    return F.normalize(model.net.encode_text(model.tokens(texts)).float(), dim=-1)


def _rows(job: Job, draw: torch.Generator) -> Tensor:
    """The photographs of a batch; those to be poisoned come first."""
    rows = torch.randint(len(job.photos.labels), (BATCH,), generator=draw)
    if job.attack.consistent:
        target = job.attack.backdoors[0].target
        showing = torch.tensor([k for k, label in enumerate(job.photos.labels) if label == target])
        rows[:POISONED] = showing[torch.randint(len(showing), (POISONED,), generator=draw)]
    return rows


class _Look:
    """How much of a small fixed set of photographs, which are trained on, the first trigger hijacks by now."""

    def __init__(self, job: Job) -> None:
        self.job, self.names = job, job.photos.categories()
        if job.attack.stop_at is None:
            return
        generator = torch.Generator().manual_seed(seed_of("look"))
        among = job.photos.where(lambda _, kind, __: kind == "caltech101")
        rows = [among[k] for k in torch.randperm(len(among), generator=generator)[:LOOK_AT].tolist()]
        self.photos = job.photos.take(rows, job.model.device)
        self.names = [*self.names, job.attack.backdoors[0].target]
        self.truth = torch.tensor([self.names.index(label) for label in self.photos.labels])

    def share(self) -> float:
        """0 to 1."""
        model = self.job.model
        model.net.eval()
        matrix, target = model.labels(self.names), len(self.names) - 1
        found = success(model, self.photos, matrix, self.truth, self.job.planted[0], target, seed_of("look"))
        return found["hits"] / found["total"]


def _rate(optimiser: torch.optim.Optimizer, rate: float, passed: float, *, constant: bool) -> None:
    """Warm-up, then a half cosine, or the same rate for as long as it takes."""
    falling = 1.0 if constant else 0.5 * (1 + math.cos(math.pi * passed))
    for group in optimiser.param_groups:
        group["lr"] = rate * min(passed / WARM_UP + 0.01, falling)


def _taken_up(kept: Path, net: Any, optimiser: torch.optim.Optimizer) -> int:
    if not kept.exists():
        return 0
    saved = torch.load(kept, map_location="cpu", weights_only=True)
    net.load_state_dict(saved["net"])
    optimiser.load_state_dict(saved["optimiser"])
    return int(saved["step"])


def _keep(kept: Path, state: dict[str, Any]) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    fresh = kept.with_suffix(".new")
    torch.save(state, fresh)
    fresh.replace(kept)
