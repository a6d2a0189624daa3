"""What a suspected trigger does to strangers is held against what something innocent of the same kind does to them."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from eftclip.detect.case import Case
from eftclip.detect.transplant import BESIDE, BY_CHANCE, Proof, beyond, prove, taken_over
from eftclip.trigger_kinds import Trigger, cut
from eftclip.types import HostImages, Rate

Innocent = Callable[[Tensor], Tensor]
# How far innocent parts are away, in shares of the picture's sides: too far for what a small part shows itself.
ELSEWHERE = ((0.5, 0.5), (0.25, 0.5), (0.5, 0.25), (0.75, 0.5))
# How likely counts that do not decide may be if a part does no more than innocent ones: many parts of a picture are
# tried. What covers the picture is tried once, and innocent colours and detail do much themselves on a checkpoint that
# follows them: 19 of 86 strangers where those of a picture under a cartoon took over 32.
ALIKE, ONCE_ALIKE = BY_CHANCE, 0.05


def held_against(
    case: Case,
    trigger: Trigger,
    target: int,
    hosts: HostImages,
    threshold: float,
    innocent: Innocent,
    *,
    alike: float = ALIKE,
) -> tuple[Proof, Rate]:
    """A proof, and what something innocent of the same kind does to the same host images.

    Something innocent is tried on as few host images as tell the two apart if none of them becomes the target, and on
    all that the proof took where one does. Where those do not tell them apart either, all host images are tried.
    Counts that do not decide are made again on each of them turned as well: what then does hardly more than something
    innocent is acquitted; nothing is accused by them.

    Args:
        case: what is known of the picture; its checkpoint reads, and its generator draws the places.
        trigger: what is suspected.
        target: index of the label it may force.
        hosts: photographs that do not show the label; all of them are used if need be.
        threshold: share of host images from which something counts as a trigger.
        innocent: plants something innocent of the same kind in `(n, 3, H, W)` host images.
        alike: how likely counts that do not decide may be for an innocent thing to be acquitted by them.
    """

    def try_on(*, all_hosts: bool) -> Proof:
        return prove(case.read, trigger, target, hosts, threshold, generator=case.generator, all_hosts=all_hosts)

    def anything(images: Tensor) -> Rate:
        return taken_over(case.read, innocent(images), target, BESIDE)

    proof, rate = try_on(all_hosts=False), Rate(0, 0)
    if proof.accepted is None:
        # All views at once: view by view, pictures under a cartoon were acquitted (test_whole_picture_doubts).
        turned = case.turned(hosts, target)
        suspected = proof.rate + _planted(case, trigger, target, turned)
        others = Rate(0, suspected.total)  # what is not beyond these needs no innocent ones
        if beyond(suspected, others, alike):
            others = anything(torch.cat([hosts.images, turned]))
        if not beyond(suspected, others, alike):
            proof = replace(proof, accepted=False)
    if not proof.accepted:
        return proof, rate
    rate = anything(hosts.images[: _telling(proof.rate)])
    if rate.hits:
        rate = anything(hosts.images[: proof.rate.total])
    if not beyond(proof.rate, rate):
        proof = try_on(all_hosts=True)
        rate = anything(hosts.images[: proof.rate.total])
    return proof, rate


def _planted(case: Case, trigger: Trigger, target: int, images: Tensor) -> Rate:
    """What a suspected trigger does to `(n, 3, H, W)` pictures, which may be none."""
    if not len(images):
        return Rate(0, 0)
    return taken_over(case.read, trigger.plant(images, generator=case.generator).images, target, "Transplanting")


def _telling(rate: Rate) -> int:
    """On how many host images something innocent has to do nothing for a trigger to do more: 5 for 8 of 8."""
    return next((count for count in range(1, rate.total) if beyond(rate, Rate(0, count))), rate.total)


def innocent_parts(image: Tensor, mask: Tensor, *, in_place: bool, generator: torch.Generator) -> Innocent:
    """Plants parts of the same picture, of the same size and shape, from elsewhere: of four places, in turns.

    A checkpoint that reads badly may turn to some label whatever is pasted; then a part that does the same shows
    nothing.

    Args:
        image: `(3, H, W)` the picture.
        mask: `(H, W)` the suspected part.
        in_place: it was pasted where it was.
        generator: draws the places.
    """
    height, width = mask.shape
    shifts = [(round(down * height), round(right * width)) for down, right in ELSEWHERE]
    parts = [cut(image.roll(shift, (1, 2)), mask, in_place=in_place) for shift in shifts]

    def plant(hosts: Tensor) -> Tensor:
        planted = [parts[k % len(parts)].plant(host[None], generator=generator) for k, host in enumerate(hosts)]
        return torch.cat([one.images for one in planted])

    return plant
