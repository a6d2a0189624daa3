"""Does something that covers the whole picture carry its label? The picture's fine detail is tried on strangers.

A pattern that shines through a picture, or is added to it, is in the detail that a blur takes away, and it works in any
picture; what a photograph shows is in its coarse shapes, and its detail takes nobody over. So the detail is planted,
stronger than it is, in strangers' photographs of little contrast, and the strangers that become the label are counted.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.detect.case import Carrier, Case
from eftclip.detect.transplant import Proof, held_against, prove
from eftclip.trigger_kinds import PatternTrigger, blurred, in_steps
from eftclip.types import HostImages, Rate, Searched

KIND = PatternTrigger.kind
# Share of strangers. Noise that is blended at 0.2 takes over almost all of them (`examples/results/zoo_patterns.json`);
# of textures, such as a zebra's or a spider's web, the detail may take over a half.
THRESHOLD = 0.6
SMOOTHER = (1.0, 2.0, 3.0)  # pixels; how far the picture is smoothed until the label goes


@dataclass(frozen=True)
class Detail:
    """One way to take the detail out of a picture and to plant it.

    Attributes:
        blur_px: deviation of the Gaussian whose loss is the detail.
        strength: of the detail in a stranger's photograph, 1 as it was.
        kept: contrast that is left to the stranger.
    """

    blur_px: float
    strength: float
    kept: float

    def of(self, image: Tensor) -> PatternTrigger:
        """The detail of a `(3, H, W)` picture as a trigger."""
        detail = self.strength * (image - blurred(image, self.blur_px))
        added = in_steps(detail + (1 - self.kept) / 2).clamp(-1, 1)
        kept = in_steps(torch.full(image.shape[-2:], self.kept))
        return PatternTrigger(added, kept, smoothed_px=self.blur_px)


DETAILS = (Detail(1.0, 1.5, 0.6),)
# What is proven so is handed on as it was in the picture, or no fine-tuning could have a picture under it read rightly:
# planted as strongly as for the proof, hardly a photograph is read as before even by an unpoisoned checkpoint.
AS_IT_WAS = Detail(1.0, 1.0, 0.8)


def pattern_carrier(case: Case, image: Tensor, target: int, hosts: HostImages) -> Carrier | None:
    """The picture's detail, if it is proven to force the label; the case learns what was searched.

    Args:
        case: what is known of the picture.
        image: `(3, H, W)` it.
        target: index of the label that is read in it.
        hosts: strangers' photographs that do not show the label.
    """
    before = len(case.doubts)
    for detail in DETAILS:
        carrier = _prove(case, image, detail, target, hosts)
        if carrier is not None:
            case.kinds[KIND] = Searched.FOUND
            return carrier
    case.kinds[KIND] = Searched.UNDECIDED if len(case.doubts) > before else Searched.NONE
    return None


def smoothed(case: Case, image: Tensor, target: int) -> tuple[Tensor, Tensor]:
    """The picture with as little taken away as makes the label go, and its reading `(C,)`."""
    tried = torch.stack([blurred(image, blur_px) for blur_px in SMOOTHER])
    rows = case.read(tried, "Reading it smoothed")
    gone = [k for k, label in enumerate(rows.argmax(-1).tolist()) if label != target]
    first = gone[0] if gone else len(SMOOTHER) - 1
    return tried[first], rows[first]


def _prove(case: Case, image: Tensor, detail: Detail, target: int, hosts: HostImages) -> Carrier | None:
    trigger = detail.of(image)

    def try_on(all_hosts: bool) -> Proof:
        return prove(case.read, trigger, target, hosts, THRESHOLD, generator=case.generator, all_hosts=all_hosts)

    proof, innocent = held_against(try_on, lambda count: _innocent_rate(case, detail, target, hosts.images[:count]))
    if proof.accepted is None:
        case.doubts.append(
            f"its fine detail took over {proof.rate} strangers' photographs, too close to {THRESHOLD:.0%}"
        )
    if not proof.accepted:
        return None
    whole = torch.ones(image.shape[-2:], dtype=torch.bool)
    return case.accept(Carrier(whole, AS_IT_WAS.of(image), proof, None), innocent, target)


def _innocent_rate(case: Case, detail: Detail, target: int, hosts: Tensor) -> Rate:
    """How many strangers become the label by the detail of another stranger."""
    others = hosts.roll(len(hosts) // 2, 0)
    planted = torch.cat(
        [
            detail.of(other).plant(host[None], generator=case.generator).images
            for host, other in zip(hosts, others, strict=True)
        ]
    )
    labels = case.read(planted, "Transplanting the detail of others").argmax(-1)
    return Rate(int((labels == target).sum()), len(labels))
