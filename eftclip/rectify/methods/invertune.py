"""InverTune: find the target label, invert a trigger for it, and tune what answers to that trigger.

Sun et al. 2025 (arXiv 2506.12411, code Goodman-liyu/InverTune). A universal patch of 3 % of the picture, 14 of 224
pixels from the lower right corner, shows the target: the label that gains most pictures. A mask and a pattern over the
whole picture are learnt with Adam, 0.01, in 10 epochs of 20 batches of 64 from

    5 · cross-entropy to the label at temperature 0.07 + 0.5 · distance to features of pictures of the label
    + 1 · (1 − structural similarity) + 0.01 · sum of the mask.

The three modules whose mean activation the trigger changes most, relative to its size, are critical; in each, two-means
clustering of the changes tells the neurons that count. 200 steps on one batch of 64, AdamW, 2e-6, then make small

    sum over modules of ‖(clean mean − triggered mean) of those neurons‖ / ‖clean mean of them‖
    + 0.5 · ‖new(x) − old(x)‖.

Deviations: how the universal patch comes about is not published, here it is grown by gradient, away from what the
pictures mean; batches of 32, and of 16 in the inversion; the term of the label's pictures falls away where the curated
set shows none; modules are looked for among all blocks of the image side, as it need not be a ResNet; views change from
step to step; the learning rate follows a single cosine after a short warm-up; no clipping of gradients, no weight
decay; batch statistics stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.config import RectifyConfig
from eftclip.rectify.activations import SIDE, compound_modules, read_watched
from eftclip.rectify.batches import Batch
from eftclip.rectify.methods.base import Method, Own, Preparation, Prepared, Student, Teacher, own_of
from eftclip.rectify.methods.clip_loss import for_all, from_all
from eftclip.rectify.methods.trigger_inversion import AT_ONCE, Inverted, invert_trigger
from eftclip.types import ClipModel

STEPS, LEARNING_RATE = 200, 2e-6
LAYERS, KEEP, INVERSION_STEPS, PATCH_STEPS = 3, 0.5, 200, 50
ROUNDS = 30  # of the clustering, at most
ROUNDING = 1e-5  # differences between numbers of features that come of arithmetic alone are smaller


@dataclass(frozen=True, eq=False)
class Critical:
    """What a step works with.

    Attributes:
        trigger: the inverted one.
        layers: modules that answer to it, as the image side names them.
        neurons: for each, which of its neurons count, of the shape of its output for one picture, 0 or 1.
    """

    trigger: Inverted
    layers: tuple[str, ...]
    neurons: tuple[Tensor, ...]


def prepare(before: Preparation) -> Prepared:
    """Invert a trigger, and look for what answers to it."""
    trigger = invert_trigger(before)
    with torch.no_grad():
        names = compound_modules(before.clip.model.get_submodule(SIDE))
        clean, triggered = (
            mean_activations(before.clip, pictures, names)
            for pictures in (before.pictures, trigger.plant(before.pictures))
        )
    changes = {name: float(_relative(clean[name], triggered[name])) for name in clean}
    layers = sorted(changes, key=changes.__getitem__, reverse=True)[: int(own_of(before.config, "layers"))]
    neurons = tuple(upper_cluster((clean[name] - triggered[name]).abs()) for name in layers)
    return Prepared(
        found_out=Critical(trigger, tuple(layers), neurons),
        image_steps=trigger.image_steps,
        remark=f"A trigger was inverted for “{trigger.label}”, which {trigger.taken} of the curated pictures of other "
        f"readings take from it; {', '.join(layers)} were tuned against it.",
    )


def mean_activations(clip: ClipModel, pictures: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """What modules give out, the mean over the pictures; those that do not give out one value for each are left out."""
    sums: dict[str, Tensor] = {}

    def add(name: str, output: Tensor) -> None:
        if output.shape[0] == size and output.ndim > 1:
            total = output.float().sum(0)
            sums[name] = sums[name] + total if name in sums else total

    for part in pictures.split(AT_ONCE):
        size = len(part)
        read_watched(clip, part, add, names)
    return {name: total / len(pictures) for name, total in sums.items()}


def upper_cluster(changes: Tensor) -> Tensor:
    """1 where a number belongs to the upper of two clusters (two-means), else 0; where all are equal, 1 everywhere."""
    low, high = changes.min(), changes.max()
    for _ in range(ROUNDS):
        upper = changes >= (low + high) / 2
        if bool(upper.all()):
            break
        moved = changes[~upper].mean(), changes[upper].mean()
        if moved == (low, high):
            break
        low, high = moved
    return (changes >= (low + high) / 2).float()


def loss(student: Student, batch: Batch, teacher: Teacher, config: RectifyConfig) -> Tensor:
    """With the trigger those neurons answer as without, and clean pictures mean what they meant."""
    critical: Critical = teacher.found_out
    both = torch.cat([batch.clean, critical.trigger.plant(batch.clean)])
    features, _, *answers = student(both, layers=critical.layers)
    total = own_of(config, "keep") * _moved(features.chunk(2)[0], teacher.features(batch.clean), teacher.processes)
    for answer, neurons in zip(answers, critical.neurons, strict=True):
        clean, triggered = (from_all(half.mean(0)[None], teacher.processes).mean(0) for half in answer.chunk(2))
        total = total + _relative(clean * neurons, triggered * neurons)
    return for_all(total, teacher.processes)


def _moved(new: Tensor, old: Tensor, processes: int) -> Tensor:
    """The length of all differences together; those of arithmetic alone are left out: AdamW would step on them."""
    apart = new - old
    return torch.linalg.vector_norm(from_all(apart * (apart.abs() > ROUNDING), processes))


def _relative(clean: Tensor, triggered: Tensor) -> Tensor:
    """How far activations are apart, as a share of the clean ones."""
    return torch.linalg.vector_norm(clean - triggered) / torch.linalg.vector_norm(clean).clamp_min(1e-12)


METHOD = Method(
    loss,
    trains_text=False,
    distils=False,
    frozen=0.0,
    images_per_view=2,
    title="InverTune",
    about="a trigger is inverted out of the weights, and the layers that answer to it are tuned",
    sees_triggers=False,
    steps=STEPS,
    learning_rate=LEARNING_RATE,
    prepare=prepare,
    own={
        "layers": Own(LAYERS, 1, 12, "modules that are tuned against the trigger"),
        "keep": Own(KEEP, 0.0, 100.0, "weight of what clean pictures mean"),
        "inversion_steps": Own(INVERSION_STEPS, 1, 10_000, "steps of the inversion"),
        "patch_steps": Own(PATCH_STEPS, 1, 10_000, "steps that the universal patch is grown for"),
    },
)
