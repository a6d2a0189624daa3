"""The training: scenes are drawn, asked about and learnt from, until the steps or the seconds are over."""

import dataclasses
import math
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from segment_anything.modeling import Sam
from torch import Tensor

from examples.build.sam.losses import enlarged, ious, mask_losses
from examples.build.sam.network import Points, decode, encode
from examples.build.sam.photographs import Album
from examples.build.sam.prompts import THING_WEIGHT, Asked, asked, boxes_of, for_encoder, point_in
from examples.build.sam.scenes import SCENE_PX, coarser, scenes

WARM_UP, LEAST_RATE = 0.05, 0.01  # share of the training, and of the learning rate that is left at the end
LONGEST = 1.0  # of the gradient
NOTED_EVERY = 50  # steps


@dataclass(frozen=True)
class Plan:
    """How to train: `steps` of them or `seconds`, whichever is over first; only steps give the same network again.

    Attributes:
        steps, seconds: how long.
        batch: pictures of a step.
        per_picture: prompts for each picture.
        rate, decay: of AdamW.
        mask_px: side at which masks are compared; a third of a scene's costs a tenth.
        box_every, again_every: steps, until a box is asked with, or a correction as well.
        things: how much more often pasted things are asked for, see `asked`.
        balanced_until: share of the training in which less and less of the loss is `balanced`, see `mask_losses`.
        half: compute in bfloat16 where that loses nothing.
    """

    steps: int
    seconds: float
    batch: int = 32
    per_picture: int = 8
    rate: float = 6e-4
    decay: float = 0.05
    mask_px: int = SCENE_PX
    box_every: int = 4
    again_every: int = 2
    things: float = THING_WEIGHT
    balanced_until: float = 0.3
    half: bool = False


@dataclass
class Course:
    """How far a training is, all sittings together."""

    step: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    losses: list[float] = field(default_factory=list)


def trained(
    sam: Sam, album: Album, plan: Plan, *, generator: torch.Generator, kept: Path | None = None, every_s: float = 60
) -> dict[str, Any]:
    """Train the network in place.

    Args:
        sam: the network, on the device of the album.
        album: what to train on.
        plan: how.
        generator: draws everything, on the same device.
        kept: a file that the training is taken up from if it is there, and kept in until it is over.
        every_s: how often it is written.

    Returns:
        what became of the loss and how long it took.

    Raises:
        SystemExit: the file is about another plan.
    """
    optimiser = torch.optim.AdamW(sam.parameters(), lr=plan.rate, weight_decay=plan.decay, fused=album.pixels.is_cuda)
    course = _taken_up(kept, plan, sam, optimiser, generator)
    start, cpu_start, written = time.perf_counter() - course.seconds, time.process_time() - course.cpu_seconds, 0.0
    sam.train()
    while course.step < plan.steps and course.seconds < plan.seconds:
        done = max(course.step / plan.steps, course.seconds / plan.seconds)
        for group in optimiser.param_groups:
            group["lr"] = plan.rate * pace(done)
        loss = _step(sam, album, plan, course.step, done, generator)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(sam.parameters(), LONGEST)
        optimiser.step()
        course.step += 1
        course.seconds, course.cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
        if course.step % NOTED_EVERY == 0 or course.step in (1, plan.steps):
            course.losses.append(float(loss.detach()))
            print(
                f"step {course.step}: loss {course.losses[-1]:.3f}, {course.seconds:.0f} s", file=sys.stderr, flush=True
            )
        if kept and course.seconds - written >= every_s:
            _keep(kept, plan, sam, optimiser, generator, course)
            written = course.seconds
    sam.eval()
    return {
        "steps": course.step,
        "seconds": round(course.seconds, 1),
        "cpu_seconds": round(course.cpu_seconds, 1),
        "first_loss": course.losses[0],
        "loss": course.losses[-1],
    }


def _taken_up(
    kept: Path | None, plan: Plan, sam: Sam, optimiser: torch.optim.Optimizer, generator: torch.Generator
) -> Course:
    if kept is None or not kept.is_file():
        return Course()
    state = torch.load(kept, weights_only=True)
    if state["plan"] != dataclasses.asdict(plan):
        raise SystemExit(f"{kept} is about another plan ({state['plan']}); finish that one, or delete the file.")
    sam.load_state_dict(state["sam"])
    optimiser.load_state_dict(state["optimiser"])
    generator.set_state(state["generator"])
    course = Course(**state["course"])
    print(f"taken up at step {course.step}", file=sys.stderr, flush=True)
    return course


def _keep(
    kept: Path, plan: Plan, sam: Sam, optimiser: torch.optim.Optimizer, generator: torch.Generator, course: Course
) -> None:
    """Write everything that the rest of the training depends on, or nothing."""
    state = {
        "plan": dataclasses.asdict(plan),
        "sam": sam.state_dict(),
        "optimiser": optimiser.state_dict(),
        "generator": generator.get_state(),
        "course": dataclasses.asdict(course),
    }
    kept.parent.mkdir(parents=True, exist_ok=True)
    half_written = kept.with_suffix(".part")
    torch.save(state, half_written)
    half_written.replace(kept)


def pace(done: float) -> float:
    """The share of the learning rate after this share of the training: a short rise, then half a cosine."""
    if done < WARM_UP:
        return max(done, 1e-3) / WARM_UP
    rest = (done - WARM_UP) / (1 - WARM_UP)
    return LEAST_RATE + (1 - LEAST_RATE) * (1 + math.cos(math.pi * min(1, rest))) / 2


def _step(sam: Sam, album: Album, plan: Plan, step: int, done: float, generator: torch.Generator) -> Tensor:
    """The loss of one step."""
    scene = scenes(album, album.draw(plan.batch, generator), generator)
    with torch.autocast(album.pixels.device.type, torch.bfloat16, enabled=plan.half):
        embeddings = encode(sam, scene.pictures)
    questions = asked(coarser(scene.parts, plan.mask_px), plan.per_picture, generator, thing_weight=plan.things)
    return lesson(sam, embeddings.float(), questions, plan, step, done, generator)


def lesson(
    sam: Sam, embeddings: Tensor, questions: Asked, plan: Plan, step: int, done: float, generator: torch.Generator
) -> Tensor:
    """What the prompts of one step teach: an answer to every question, and at times to a correction as well."""
    balanced = max(0.0, 1 - done / plan.balanced_until) if plan.balanced_until else 0.0
    side, device = sam.image_encoder.img_size, embeddings.device
    repeated = embeddings[questions.pictures]
    points: Points | None = None
    boxes: Tensor | None = None
    if step % plan.box_every == plan.box_every - 1:
        boxes = for_encoder(boxes_of(questions.masks, generator), side, plan.mask_px)
    else:
        inside = torch.ones(len(repeated), 1, device=device)
        points = (for_encoder(questions.points, side, plan.mask_px)[:, None], inside)
    with torch.autocast(device.type, torch.bfloat16, enabled=plan.half):
        logits, quality = decode(sam, repeated, points=points, boxes=boxes)
    loss, best = first_answer(logits[:, 1:], quality[:, 1:], questions, balanced)
    if step % plan.again_every:
        return loss
    previous = logits[torch.arange(len(best), device=device), 1 + best].detach()[:, None]
    correction = corrected(questions, points, previous, side, generator)
    with torch.autocast(device.type, torch.bfloat16, enabled=plan.half):
        again = decode(sam, repeated, points=correction, boxes=boxes, masks=previous)
    return loss + second_answer(*again, questions, balanced)


def first_answer(logits: Tensor, quality: Tensor, questions: Asked, balanced: float) -> tuple[Tensor, Tensor]:
    """The loss of three masks for one prompt, and which of them `(n,)` fits best.

    A point does not say whether the part or the whole is meant. So the mask that fits best learns alone, and the
    quality of a mask is how well it fits any region that the point can mean: what looks for everything in a picture
    keeps good masks, whichever region they are.
    """
    full = enlarged(logits, questions.masks.shape[-1])
    each, best = mask_losses(full, questions.masks, balanced).min(1)
    truth = ious(full.detach(), torch.cat([questions.masks[:, None], questions.also], 1)).amax(2)
    return each.mean() + (quality - truth).square().mean(), best


def corrected(
    questions: Asked, points: Points | None, previous: Tensor, side: int, generator: torch.Generator
) -> Points:
    """The points of a prompt, if any, and one more where the previous answer `(n, 1, 4g, 4g)` was wrong."""
    mask_px = questions.masks.shape[-1]
    wrong = (enlarged(previous, mask_px)[:, 0] > 0) ^ questions.masks
    where = point_in(wrong, generator)
    x, y = where.long().unbind(1)
    label = questions.masks[torch.arange(len(where), device=where.device), y, x].float()[:, None]
    more = for_encoder(where, side, mask_px)[:, None]
    if points is None:
        return more, label
    return torch.cat([points[0], more], 1), torch.cat([points[1], label], 1)


def second_answer(logits: Tensor, quality: Tensor, questions: Asked, balanced: float) -> Tensor:
    """The loss of the one mask, and of its quality, for a prompt that says it all."""
    full = enlarged(logits[:, :1], questions.masks.shape[-1])
    truth = ious(full.detach(), questions.masks[:, None])[:, :, 0]
    return mask_losses(full, questions.masks, balanced).mean() + (quality[:, :1] - truth).square().mean()
