"""The ways to rectify, under one contract: which towers learn, and the loss of a step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eftclip.config import RectifyConfig
from eftclip.errors import ConfigError
from eftclip.rectify.batches import Batch
from eftclip.types import ClipModel

CAPTION = "a photo of a {}."


@dataclass(frozen=True, eq=False)
class Teacher:
    """What a method may ask of the frozen original.

    Attributes:
        clip: the checkpoint as it was; a teacher on clean pictures only.
        captions: one for each curated item.
        processes: how many work together.
    """

    clip: ClipModel
    captions: tuple[str, ...]
    processes: int = 1

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """`(N, D)` of clean pictures."""
        return self.clip.encode_images(images)

    def groups(self, rows: Tensor) -> Tensor:
        """A number for each row, the same for equal captions: pictures of one label are no negatives of each other."""
        numbers = {caption: number for number, caption in enumerate(dict.fromkeys(self.captions))}
        return torch.tensor([numbers[self.captions[row]] for row in rows.tolist()], device=self.clip.device)


@dataclass(frozen=True)
class Method:
    """A way to rectify.

    Attributes:
        loss: of one step.
        trains_text: whether the text side learns too. No way to rectify needs it: these backdoors sit in the image
            side, and with the text side every label keeps its place.
        distils: whether the original says what a view means. Then views may show anything, and as the loss is a mean
            over them, a step can be taken in pieces.
        images_per_view: pictures that go forward and backward for each view of a batch.
        about: one sentence for menus and reports.
    """

    loss: Callable[["Student", Batch, Teacher, RectifyConfig], Tensor]
    trains_text: bool
    distils: bool
    images_per_view: int
    about: str


class Student(nn.Module):
    """The copy that learns, as one module, so that several processes can share its gradients."""

    def __init__(self, clip: ClipModel) -> None:
        """Wrap the model of `clip`; it is trained in eval mode, with its batch statistics frozen."""
        super().__init__()
        self.model = clip.model
        self._clip = clip

    def forward(self, images: Tensor, texts: Sequence[str] = ()) -> tuple[Tensor, Tensor]:
        """Features of pictures and of texts: `(N, D)` and `(M, D)`, of unit length."""
        features = self._clip.encode_images(images)
        return features, self._clip.encode_text(texts) if texts else features[:0]


def realign(student: Student, batch: Batch, teacher: Teacher, config: RectifyConfig) -> Tensor:
    """Ours: a triggered picture must mean what the original sees in it without the trigger (method.md section 4).

        mean(1 − cos(new(x ⊕ t), old(x))) + λ · mean(1 − cos(new(x), old(x)))

    No label is needed, and the original is asked about clean pictures only, where it can be trusted.
    """
    wanted = teacher.features(batch.clean)
    features, _ = student(torch.cat([batch.clean, batch.triggered]))
    kept, mended = features.chunk(2)
    return _away(mended, wanted) + config.keep_weight * _away(kept, wanted)


def _away(features: Tensor, wanted: Tensor) -> Tensor:
    """The mean of 1 − cosine."""
    return (1 - (features * wanted).sum(-1)).mean()


def contrastive(student: Student, batch: Batch, teacher: Teacher, config: RectifyConfig) -> Tensor:
    """The paper's: CLIP's own loss on the curated pictures with their restored captions.

    Victims come as they were found and with their trigger removed, each time with the label that was restored.
    """
    del config
    return _clip_loss(student, torch.cat([batch.clean, batch.found]), batch.rows.repeat(2), teacher)


def plain(student: Student, batch: Batch, teacher: Teacher, config: RectifyConfig) -> Tensor:
    """CLIP's own loss on clean pictures: what an unsuspecting user's fine-tuning does; used to measure the rebound."""
    del config
    return _clip_loss(student, batch.clean, batch.rows, teacher)


def _clip_loss(student: Student, pictures: Tensor, rows: Tensor, teacher: Teacher) -> Tensor:
    """The symmetric contrastive loss over all processes; pictures of one caption share the probability."""
    images, texts = student(pictures, [teacher.captions[row] for row in rows.tolist()])
    groups = teacher.groups(rows)
    images, texts, groups = (_from_all(part, teacher.processes) for part in (images, texts, groups))
    logits = teacher.clip.logit_scale * images @ texts.T
    wanted = (groups[:, None] == groups[None]).float()
    wanted = wanted / wanted.sum(1, keepdim=True)  # symmetric within a group, so it serves both directions
    loss = (F.cross_entropy(logits, wanted) + F.cross_entropy(logits.T, wanted)) / 2
    # Gradients are averaged over the processes, but here each process has only its own pictures' share of them.
    return loss + (teacher.processes - 1) * (loss - loss.detach())


def _from_all(part: Tensor, processes: int) -> Tensor:
    """What all processes have, `(processes · n, …)`; gradients flow to this process's own part."""
    if processes == 1:
        return part
    parts = [torch.empty_like(part) for _ in range(processes)]
    torch.distributed.all_gather(parts, part.detach().contiguous())
    parts[torch.distributed.get_rank()] = part
    return torch.cat(parts)


METHODS: dict[str, Method] = {
    "realign": Method(
        realign,
        False,
        True,
        2,
        "triggered pictures must mean what the original sees without the trigger; needs no labels",
    ),
    "contrastive": Method(
        contrastive, False, False, 2, "CLIP's own loss on the curated pictures with their restored labels"
    ),
}
PLAIN = Method(plain, True, False, 1, "CLIP's own loss on clean pictures")


def method_of(name: str) -> Method:
    """A method of the registry.

    Raises:
        ConfigError: unknown name.
    """
    if name not in METHODS:
        raise ConfigError(f"Unknown method {name!r}; known are {', '.join(METHODS)}.")
    return METHODS[name]
