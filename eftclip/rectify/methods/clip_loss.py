"""CLIP's own loss, which several methods use."""

import torch
import torch.nn.functional as F
from torch import Tensor

from eftclip.rectify.methods.base import Student, Teacher


def clip_loss(student: Student, pictures: Tensor, rows: Tensor, teacher: Teacher) -> Tensor:
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
