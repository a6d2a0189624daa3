"""The training: scenes are drawn, asked about and learnt from, until the steps or the seconds are over."""

import math
import sys
import time
from dataclasses import dataclass

import torch
from segment_anything.modeling import Sam
from torch import Tensor

from examples.build.sam.losses import enlarged, ious, mask_losses
from examples.build.sam.network import Points, decode, encode
from examples.build.sam.photographs import Album
from examples.build.sam.prompts import Asked, asked, boxes_of, for_encoder, point_in
from examples.build.sam.scenes import SCENE_PX, scenes

WARM_UP, LEAST_RATE = 0.05, 0.01  # share of the training, and of the learning rate that is left at the end
BOX_EVERY, AGAIN_EVERY = 4, 2  # steps
BALANCED_UNTIL = 0.3  # of the training: until then more and more of the loss is the published one
LONGEST = 1.0  # of the gradient


@dataclass(frozen=True)
class Plan:
    """How to train: `steps` of them or `seconds`, whichever is over first; only steps give the same network again."""

    steps: int
    seconds: float
    batch: int = 32
    per_picture: int = 8
    rate: float = 6e-4
    decay: float = 0.05
    seed: int = 0


def trained(sam: Sam, album: Album, plan: Plan) -> dict[str, float]:
    """Train the network in place; what became of the loss and how long it took."""
    device = album.pixels.device
    generator = torch.Generator(device).manual_seed(plan.seed)
    optimiser = torch.optim.AdamW(sam.parameters(), lr=plan.rate, weight_decay=plan.decay, fused=device.type == "cuda")
    start, step, notes = time.perf_counter(), 0, list[float]()
    sam.train()
    while step < plan.steps and (spent := time.perf_counter() - start) < plan.seconds:
        done = max(step / plan.steps, spent / plan.seconds)
        for group in optimiser.param_groups:
            group["lr"] = plan.rate * pace(done)
        rows = album.draw(plan.batch, generator)
        scene = scenes(album, rows, generator)
        questions = asked(scene.parts, plan.per_picture, generator)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            embeddings = encode(sam, scene.pictures)
        loss = lesson(sam, embeddings.float(), questions, step, done, generator)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(sam.parameters(), LONGEST)
        optimiser.step()
        step += 1
        if step % 50 == 0 or step in (1, plan.steps):
            notes.append(float(loss.detach()))
            print(
                f"step {step}: loss {notes[-1]:.3f}, {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True
            )
    sam.eval()
    return {"steps": step, "seconds": round(time.perf_counter() - start, 1), "first_loss": notes[0], "loss": notes[-1]}


def pace(done: float) -> float:
    """The share of the learning rate after this share of the training: a short rise, then half a cosine."""
    if done < WARM_UP:
        return max(done, 1e-3) / WARM_UP
    rest = (done - WARM_UP) / (1 - WARM_UP)
    return LEAST_RATE + (1 - LEAST_RATE) * (1 + math.cos(math.pi * min(1, rest))) / 2


def lesson(
    sam: Sam, embeddings: Tensor, questions: Asked, step: int, done: float, generator: torch.Generator
) -> Tensor:
    """The loss of one step: an answer to every question, and in every second step to a correction as well."""
    balanced = max(0.0, 1 - done / BALANCED_UNTIL)
    side, device = sam.image_encoder.img_size, embeddings.device
    repeated = embeddings[questions.pictures]
    points: Points | None = None
    boxes: Tensor | None = None
    if step % BOX_EVERY == BOX_EVERY - 1:
        boxes = for_encoder(boxes_of(questions.masks, generator), side)
    else:
        inside = torch.ones(len(repeated), 1, device=device)
        points = (for_encoder(questions.points, side)[:, None], inside)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        logits, quality = decode(sam, repeated, points=points, boxes=boxes)
    loss, best = first_answer(logits[:, 1:], quality[:, 1:], questions, balanced)
    if step % AGAIN_EVERY:
        return loss
    previous = logits[torch.arange(len(best), device=device), 1 + best].detach()[:, None]
    return loss + second_answer(sam, repeated, questions, points, boxes, previous, balanced, generator)


def first_answer(logits: Tensor, quality: Tensor, questions: Asked, balanced: float) -> tuple[Tensor, Tensor]:
    """The loss of three masks for one prompt, and which of them `(n,)` fits best.

    A point does not say whether the part or the whole is meant. So the mask that fits best learns alone, and the
    quality of a mask is how well it fits any region that the point can mean: what looks for everything in a picture
    keeps good masks, whichever region they are.
    """
    full = enlarged(logits, SCENE_PX)
    each, best = mask_losses(full, questions.masks, balanced).min(1)
    truth = ious(full.detach(), torch.cat([questions.masks[:, None], questions.also], 1)).amax(2)
    return each.mean() + (quality - truth).square().mean(), best


def second_answer(
    sam: Sam,
    embeddings: Tensor,
    questions: Asked,
    points: Points | None,
    boxes: Tensor | None,
    previous: Tensor,
    balanced: float,
    generator: torch.Generator,
) -> Tensor:
    """The loss of the one mask for a prompt, the previous answer, and a point where that was wrong."""
    wrong = (enlarged(previous, SCENE_PX)[:, 0] > 0) ^ questions.masks
    where = point_in(wrong, generator)
    x, y = where.long().unbind(1)
    label = questions.masks[torch.arange(len(where), device=where.device), y, x].float()
    more = for_encoder(where, sam.image_encoder.img_size)[:, None]
    if points is not None:
        correction = (torch.cat([points[0], more], 1), torch.cat([points[1], label[:, None]], 1))
    else:
        correction = (more, label[:, None])
    with torch.autocast(embeddings.device.type, torch.bfloat16, enabled=embeddings.device.type == "cuda"):
        logits, quality = decode(sam, embeddings, points=correction, boxes=boxes, masks=previous)
    full = enlarged(logits[:, :1], SCENE_PX)
    truth = ious(full.detach(), questions.masks[:, None])[:, :, 0]
    return mask_losses(full, questions.masks, balanced).mean() + (quality[:, :1] - truth).square().mean()
