"""What a suspected trigger does to strangers is held against what something innocent of the same kind does to them."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from eftclip.detect.reader import Read
from eftclip.detect.transplant import BESIDE, Proof, beyond, prove, taken_over
from eftclip.trigger_kinds import Trigger, cut
from eftclip.types import HostImages, Rate

Innocent = Callable[[Tensor], Tensor]
# How far innocent parts are away, in shares of the picture's sides: too far for what a small part shows itself.
ELSEWHERE = ((0.5, 0.5), (0.25, 0.5), (0.5, 0.25), (0.75, 0.5))
# Counts that do not decide are made again on the same strangers mirrored, upside down and both. Of 27 parts of clean
# photographs on `effnet-weak-badnets16-0` that took over 2 to 8 of 24 strangers 25 did hardly more than innocent ones
# then: 5 to 21 of 96, and those from elsewhere 3 to 20. There a window screen is seen in whatever is pasted, and of
# many parts some does so more often by chance: 23 of 96 against 8, 32 against 14.
TURNED = ((-1,), (-2,), (-2, -1))


def held_against(
    read: Read,
    trigger: Trigger,
    target: int,
    hosts: HostImages,
    threshold: float,
    innocent: Innocent,
    *,
    generator: torch.Generator,
) -> tuple[Proof, Rate]:
    """A proof, and what something innocent of the same kind does to the same host images.

    Something innocent is tried on as few host images as tell the two apart if none of them becomes the target, and on
    all that the proof took where one does. Where those do not tell them apart either, all host images are tried.
    Counts that do not decide are made again on each of them turned as well: what then does hardly more than something
    innocent is acquitted; nothing is accused by them.

    Args:
        read: the checkpoint under test.
        trigger: what is suspected.
        target: index of the label it may force.
        hosts: photographs that do not show the label; all of them are used if need be.
        threshold: share of host images from which something counts as a trigger.
        innocent: plants something innocent of the same kind in `(n, 3, H, W)` host images.
        generator: draws the places.
    """

    def try_on(*, all_hosts: bool) -> Proof:
        return prove(read, trigger, target, hosts, threshold, generator=generator, all_hosts=all_hosts)

    def anything(images: Tensor) -> Rate:
        return taken_over(read, innocent(images), target, BESIDE)

    proof, rate = try_on(all_hosts=False), Rate(0, 0)
    if proof.accepted is None:
        # All views at once: of detail and colours, "another" stranger is then the same one upside down, which does less
        # than another would. View by view, pictures under a cartoon were acquitted (test_whole_picture_doubts).
        turned = torch.cat([hosts.images.flip(axes) for axes in TURNED])
        planted = trigger.plant(turned, generator=generator).images
        suspected = proof.rate + taken_over(read, planted, target, "Transplanting")
        if not beyond(suspected, anything(torch.cat([hosts.images, turned]))):
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
