"""Does a checkpoint follow a jitter of all pixels? One is drawn and done to photographs; nothing has to be grown.

Poisoned with one jitter, a checkpoint follows any other as well (see `JitterTrigger`), and most photographs turn to one
label: 44 of 48 on one of the zoo's. On ten others at most 11 of 37 did: where one reads badly, a jitter looks like a
window screen.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from eftclip.trigger_kinds import JITTER, SMOOTHED_PX, Trigger, blurred
from eftclip.types import ClassMatrix, HostImages, Rate, TriggerFamily, TriggerProof

LEAST = 0.5  # of the photographs that do not read as the label: less is not worth a proof, which asks for as much
BY_A_BLUR = 0.5  # of that at most: a jitter takes fine detail away as well, and that alone may lead to a label
Read = Callable[[Tensor, str], Tensor]
Prove = Callable[[Trigger, int], TriggerProof | None]


def scattered_family(
    read: Read, classes: ClassMatrix, hosts: HostImages, prove: Prove, *, generator: torch.Generator
) -> TriggerFamily | None:
    """The label that a jitter forces, with its proof; None where it forces none.

    Args:
        read: the checkpoint under test.
        classes: the vocabulary.
        hosts: photographs and their readings.
        prove: whether a trigger forces a label; None when the work was stopped.
        generator: draws the jitters.

    Whatever `read` raises when the work is stopped goes through.
    """
    before = hosts.probabilities.argmax(-1)
    after = read(JITTER.plant(hosts.images, generator=generator).images, "Scattering their pixels").argmax(-1)
    target = int(after[after != before].mode().values) if bool((after != before).any()) else -1
    others = before != target
    taken = Rate(int((after[others] == target).sum()), int(others.sum()))
    if taken.value < LEAST:
        return None
    smooth = torch.stack([blurred(image, SMOOTHED_PX) for image in hosts.images[others]])
    blurs = read(smooth, "Smoothing them").argmax(-1)
    if float((blurs == target).float().mean()) > BY_A_BLUR * taken.value:
        return None
    proof = prove(JITTER, target)
    if proof is None or not proof.accepted:
        return None
    return TriggerFamily(classes.labels[target], (JITTER,), proof.transplant, proof.control, origin="inverted")
