"""CLIP's own loss, which several methods use, and how losses that compare pictures work over several processes."""

import torch
import torch.nn.functional as F
from torch import Tensor

from eftclip.rectify.methods.base import Student, Teacher


def clip_loss(student: Student, pictures: Tensor, rows: Tensor, teacher: Teacher) -> Tensor:
    """The symmetric contrastive loss over all processes; pictures of one caption share the probability."""
    images, texts = student(pictures, teacher.told(rows))
    return for_all(clip_loss_of(images, texts, rows, teacher), teacher.processes)


def clip_loss_of(images: Tensor, texts: Tensor, rows: Tensor, teacher: Teacher) -> Tensor:
    """The same of features `(N, D)` and `(N, D)`; its gradient is this process's own share of the whole."""
    images, texts = (from_all(part, teacher.processes) for part in (images, texts))
    groups = from_all(teacher.groups(rows), teacher.processes)
    return (contrast(images, texts, groups, teacher) + contrast(texts, images, groups, teacher)) / 2


def contrast(ones: Tensor, others: Tensor, groups: Tensor, teacher: Teacher) -> Tensor:
    """How surely each of `ones` finds its partner among `others`: the mean cross-entropy at CLIP's own temperature.

    Args:
        ones: `(N, D)` of unit length, of all processes.
        others: likewise; the k-th belong together.
        groups: `(N,)` int64; those of one number share the probability.
        teacher: gives the temperature.
    """
    wanted = (groups[:, None] == groups[None]).float()
    return F.cross_entropy(teacher.clip.logit_scale * ones @ others.T, wanted / wanted.sum(1, keepdim=True))


def for_all(loss: Tensor, processes: int) -> Tensor:
    """The same number with `processes` times the gradient.

    Gradients are averaged over the processes, but of a loss over all pictures each has only its own pictures' share.
    """
    return loss + (processes - 1) * (loss - loss.detach())


def from_all(part: Tensor, processes: int) -> Tensor:
    """What all processes have, `(processes · n, …)`; gradients flow to this process's own part."""
    if processes == 1:
        return part
    parts = [torch.empty_like(part) for _ in range(processes)]
    torch.distributed.all_gather(parts, part.detach().contiguous())
    parts[torch.distributed.get_rank()] = part
    return torch.cat(parts)
