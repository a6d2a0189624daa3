"""Do its colours carry a picture's label? Strangers' photographs are given them.

A filter moves the colours of every picture the same way, so that its darkest, middle and lightest values are found in
any picture under it. A stranger whose values are moved to those of the picture, channel by channel, looks as if it went
through the filter, and shows nothing of what the picture shows.
"""

from functools import partial

import torch
from torch import Tensor

from eftclip.detect.case import Carrier, Case
from eftclip.detect.innocent import ONCE_ALIKE, held_against
from eftclip.detect.search import MANY_LABELS
from eftclip.detect.transplant import beyond
from eftclip.trigger_kinds import ColourTrigger, Trigger, in_steps
from eftclip.types import HostImages, Searched

KIND = ColourTrigger.kind
# Share of strangers. On a checkpoint that follows a warm filter the colours of 12 pictures under it took over 5 to 23
# of 24; those of 350 clean photographs none on the bundled `clean`. Without a reference more is asked for of a
# checkpoint that is unsure of what it reads, and most among few labels, where a stranger becomes one of them easily: of
# ten, a clean photograph's took over 18 of 24, and the reference agreed with none; under a filter 8 of 8.
THRESHOLD, UNCHECKED, FEW_LABELS = 0.25, 0.5, 0.65
# How sure a checkpoint is of strangers at least, or colours may be what it goes by: without a reference blue ones alone
# took over 16 of 16 for a great white shark on a small transformer, which is sure to 0.07, and so on, in 3 of 300 clean
# photographs; the weak ones of the zoo are sure to 0.16 and 0.17, the strong ones to 0.41 and more.
CERTAIN = 0.25
FIRST = 4  # strangers that are tried where the label stays in usual colours: most pictures need no more
LEVELS, SAMPLED = 256, 16384  # levels of a channel; pixels that its values are taken from


def colour_carrier(case: Case, image: Tensor, target: int, hosts: HostImages) -> Carrier | None:
    """The picture's colours, if they are proven to force the label; the case learns what was searched.

    Args:
        case: what is known of the picture.
        image: `(3, H, W)` it.
        target: index of the label that is read in it.
        hosts: strangers' photographs that do not show the label.
    """
    before, usual = len(case.doubts), levels(case.hosts.images)
    trigger = moved_to(usual, levels(image[None]))
    carrier = None
    if trigger is not None:
        goes = int(without_colours(case, image, trigger)[1].argmax()) != target
        if goes or _takes_any(case, trigger, target, hosts.images[:FIRST]):
            carrier = _prove(case, trigger, usual, target, hosts, goes=goes)
    undecided = Searched.UNDECIDED if len(case.doubts) > before else Searched.NONE
    case.kinds[KIND] = Searched.FOUND if carrier is not None else undecided
    return carrier


def without_colours(case: Case, image: Tensor, trigger: Trigger) -> tuple[Tensor, Tensor]:
    """The picture in the colours that photographs have, and its reading `(C,)`."""
    usual = trigger.remove(image, torch.ones(image.shape[-2:], dtype=torch.bool))
    return usual, case.read(usual[None], "Reading it in usual colours")[0]


def levels(images: Tensor) -> Tensor:
    """The values of each channel of `(N, 3, H, W)` pictures in order, `(3, 256)`: from the darkest to the lightest."""
    values = images.transpose(0, 1).flatten(1)
    values = values[:, :: max(1, values.shape[1] // SAMPLED)]
    return torch.quantile(values, torch.linspace(0, 1, LEVELS), dim=1).T.contiguous()


def moved_to(usual: Tensor, wanted: Tensor) -> ColourTrigger | None:
    """The curves that give pictures of the usual values the wanted ones, `(3, 256)` each; None where all are."""
    steps = torch.linspace(0, 1, LEVELS).expand(3, LEVELS).contiguous()
    curves = in_steps(wanted.gather(1, torch.searchsorted(usual, steps).clamp(max=LEVELS - 1)))
    if torch.equal(curves, in_steps(steps)):
        return None
    return ColourTrigger(curves, torch.eye(3))


def _takes_any(case: Case, trigger: Trigger, target: int, hosts: Tensor) -> bool:
    planted = trigger.plant(hosts, generator=case.generator).images
    return bool((case.read(planted, "Transplanting its colours").argmax(-1) == target).any())


def _prove(
    case: Case, trigger: ColourTrigger, usual: Tensor, target: int, hosts: HostImages, *, goes: bool
) -> Carrier | None:
    """Hold the colours against those of strangers; `goes`: the label goes when the picture has usual colours."""
    others = partial(_in_others, case, usual)
    proof, innocent = held_against(case, trigger, target, hosts, THRESHOLD, others, alike=ONCE_ALIKE)
    if proof.accepted is False or (not goes and not (proof.accepted and beyond(proof.rate, innocent))):
        return None
    if proof.accepted is None or proof.rate.interval()[0] <= _asked(case) or not goes:
        if case.tells_content and not case.explained_by_content(KIND, proof.images, target):
            why = "too few to be sure" if goes else "but it is read so without them too"
            case.doubts.append(f"its colours took over {proof.rate} strangers' photographs, {why}")
        return None
    if case.reference is None and case.hosts.certainty < CERTAIN:
        case.doubts.append(f"its colours took over {proof.rate} strangers' photographs, but it is sure of few pictures")
        return None
    whole = torch.ones(hosts.images.shape[-2:], dtype=torch.bool)
    carrier = case.accept(Carrier(whole, trigger, proof, None), innocent, target)
    if carrier and carrier.control and not beyond(proof.rate, carrier.control):
        case.doubts.append(
            f"its colours took over {proof.rate} strangers' photographs, and {carrier.control} with the reference"
        )
        return None
    return carrier


def _asked(case: Case) -> float:
    """The share of strangers that it takes over, with 95 % certainty, for a picture to be accused."""
    if len(case.classes.labels) < MANY_LABELS:
        return FEW_LABELS
    return UNCHECKED if case.reference is None and not case.is_sure else THRESHOLD


def _in_others(case: Case, usual: Tensor, hosts: Tensor) -> Tensor:
    """Strangers `(n, 3, H, W)`, each in the colours of another."""
    planted = []
    for host, other in zip(hosts, hosts.roll(len(hosts) // 2, 0), strict=True):
        trigger = moved_to(usual, levels(other[None]))
        given = host[None] if trigger is None else trigger.plant(host[None], generator=case.generator).images
        planted.append(given)
    return torch.cat(planted)
