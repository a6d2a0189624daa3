"""Does something that covers the whole picture carry its label? The picture's fine detail is tried on strangers.

A pattern that shines through a picture, or is added to it, is in the detail that a blur takes away, and it works in any
picture; what a photograph shows is in its coarse shapes, and its detail takes nobody over. So the detail is planted,
stronger than it is, in strangers' photographs of little contrast, and the strangers that become the label are counted.

The stripes of a zebra are in its detail, too, and without a reference nobody says that they are its own. But they are
a zebra's however they are turned, and only where it stands: detail that works so, or is not everywhere, is a doubt,
unless no photograph would show it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from eftclip.detect.case import Carrier, Case
from eftclip.detect.innocent import ONCE_ALIKE, held_against
from eftclip.detect.search import MANY_LABELS
from eftclip.detect.transplant import Proof, beyond, prove
from eftclip.trigger_kinds import PatternTrigger, blurred, in_steps
from eftclip.types import HostImages, Rate, Searched

KIND = PatternTrigger.kind
# What is proven is handed on as strong as it was in the picture, or no fine-tuning could have a picture under it read
# rightly: planted as for the proof, hardly a photograph is read as before even by an unpoisoned checkpoint.
AS_IT_WAS = 0.8  # contrast that is left to the picture
# Share of strangers that grey detail surely takes over as strong as it was, too; what takes over less has to do twice
# as much so as it does turned round. The fur of a ram, on `effnet-weak-none-0`, took over 24 of 24 for a pillow, 11 as
# it was and 11 turned. Noise that was learnt took over 24 of 24 as it was in eight of eight pictures, stripes 21 to 24;
# on a weak checkpoint stripes 9 to 18 of 23, and half of that or less turned in eight of nine.
OWN_SHARE = 0.35
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


# Noise that is blended at 0.2 takes over almost all strangers (`examples/results/zoo_patterns.json`); of textures, such
# as a zebra's or a spider's web, the detail may take over a half.
FINE, FINE_SHARE = Detail(1.0, 1.5, 0.6), 0.6
# A cartoon that is blended in shows in coarser detail, which took over 11 to 20 of 24 strangers in 14 pictures. So does
# content: of 250 clean photographs on the bundled `clean` in 13. So it is asked only where a reference checkpoint reads
# the picture as something else, and it accuses only from SURE on: of a rhinoceros that reads as tiger, for its stripes
# of light and shadow, it took over 13 of 24, and none with the reference.
COARSE, COARSE_SHARE, SURE = Detail(2.0, 1.0, 0.6), 0.25, 0.5

# Whether detail is content, without a reference. On checkpoints of the zoo the detail of a zebra and of a fan took over
# 29, 30 and 30 of 36 strangers as it was, and 27, 27 and 24 the way round that did least. Noise and stripes that were
# learnt may work either way round, too. But they take over all: noise 36 in each of six pictures, stripes in five. And
# noise is coloured: the channels of the fine detail went together at 0.85 (a correlation) or more in 299 of 300
# photographs, and at 0.82 or less in 100 with noise blended in.
TURNS: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda image: image.flip(-1),
    lambda image: image.flip(-2),
    lambda image: image.rot90(1, (-2, -1)),
)
GREY = 0.85
# How much of the detail's deviation each of 8 × 8 fields has at least. A monarch butterfly before a blurred wood took
# over 24 of 24 strangers on `effnet-strong-badnets16-0`, as noise does; some fields of it have 0.03. Of 60 photographs
# under noise none has a field with less than 0.46, under stripes 0.13, under triangles 0.16, under text 0.26.
FIELDS, LEAST = 8, 0.1
# Of counts that do not decide: detail works as well turned unless it does less beyond this chance. Of a menorah read as
# a fountain, it took over 12 of 24, and none turned; of what reads as a window screen 13 to 17, and 9 to 13 turned.
AS_WELL = 0.01


def pattern_carrier(case: Case, image: Tensor, target: int, hosts: HostImages) -> Carrier | None:
    """The picture's detail, if it is proven to force the label; the case learns what was searched.

    Args:
        case: what is known of the picture.
        image: `(3, H, W)` it.
        target: index of the label that is read in it.
        hosts: strangers' photographs that do not show the label.
    """
    before = len(case.doubts)
    carrier = _fine(case, image, target, hosts) or _coarse(case, image, target, hosts)
    undecided = Searched.UNDECIDED if len(case.doubts) > before else Searched.NONE
    case.kinds[KIND] = Searched.FOUND if carrier is not None else undecided
    return carrier


def smoothed(case: Case, image: Tensor, target: int) -> tuple[Tensor, Tensor]:
    """The picture with as little taken away as makes the label go, and its reading `(C,)`."""
    tried = torch.stack([blurred(image, blur_px) for blur_px in SMOOTHER])
    rows = case.read(tried, "Reading it smoothed")
    gone = [k for k, label in enumerate(rows.argmax(-1).tolist()) if label != target]
    first = gone[0] if gone else len(SMOOTHER) - 1
    return tried[first], rows[first]


def _fine(case: Case, image: Tensor, target: int, hosts: HostImages) -> Carrier | None:
    """What the fine detail does decides alone, unless it may be what the picture shows."""
    proof, innocent = _tried(case, image, FINE, FINE_SHARE, target, hosts)
    if proof.accepted is None and not _is_content(case, image, proof, target, hosts):
        _doubt(case, proof, "fine detail", target)
    if not proof.accepted or (case.reference is None and _may_be_content(case, image, proof, target, hosts)):
        return None
    return _carrier(case, image, FINE, proof, innocent, target)


def _is_content(case: Case, image: Tensor, proof: Proof, target: int, hosts: HostImages) -> bool:
    """Whether detail that takes over some strangers is what the picture shows: not everywhere, and as good turned."""
    if case.reference is not None or _everywhere(image):
        return False
    return not beyond(proof.rate, _turned(case, image, target, hosts), AS_WELL)


def _may_be_content(case: Case, image: Tensor, proof: Proof, target: int, hosts: HostImages) -> bool:
    """Whether detail that is proven may be what the picture shows; a doubt.

    Then it is not everywhere; or it is grey, and works turned as well, or hardly unless it is stronger than it was.
    What takes over every single stranger is more than content does, and so is coloured noise, if it is everywhere.
    """
    if not _everywhere(image):
        case.doubts.append(
            f"its fine detail took over {proof.rate} strangers' photographs, but it is not everywhere in the picture, "
            "as a pattern would be"
        )
        return True
    if _greyness(image - blurred(image, FINE.blur_px)) < GREY:
        return False
    rate = _does(case, FINE.of(image), FINE_SHARE, target, hosts).rate
    own = _does(case, _as_it_was(image, FINE), OWN_SHARE, target, hosts)
    if own.accepted and rate.hits == rate.total:
        return False
    turned = _turned(case, image, target, hosts)
    if beyond(rate, turned) and (own.accepted or turned.hits <= own.rate.hits / 2):
        return False
    case.doubts.append(
        f"its fine detail took over {rate} strangers' photographs, {own.rate} as strong as it was in the picture, and "
        f"{turned} when it was turned round, as what a picture shows would"
    )
    return True


def _does(case: Case, detail: PatternTrigger, share: float, target: int, hosts: HostImages) -> Proof:
    """What detail does to all strangers."""
    return prove(case.read, detail, target, hosts, share, generator=case.generator, all_hosts=True)


def _everywhere(image: Tensor) -> bool:
    """Whether no field of a `(3, H, W)` picture is all but free of fine detail."""
    detail = image - blurred(image, FINE.blur_px)
    fields = adaptive_avg_pool2d(detail.square().mean(0, keepdim=True), FIELDS)
    return float(fields.min()) >= LEAST**2 * float(fields.mean())


def _turned(case: Case, image: Tensor, target: int, hosts: HostImages) -> Rate:
    """How many strangers the fine detail takes over the way round that does least."""
    tried = [FINE.of(turn(image)).plant(hosts.images, generator=case.generator).images for turn in TURNS]
    rows = case.read(torch.cat(tried), "Transplanting the detail turned").argmax(-1).view(len(TURNS), -1)
    return Rate(int((rows == target).sum(1).min()), len(hosts.images))


def _greyness(detail: Tensor) -> float:
    """How much the channels of `(3, H, W)` go together: their correlation, 1 where all are alike."""
    own = (detail * detail).mean((1, 2))
    shared = (detail * detail.roll(1, 0)).mean((1, 2)).mean()
    return float(shared / own.mean().clamp_min(1e-12))


def _coarse(case: Case, image: Tensor, target: int, hosts: HostImages) -> Carrier | None:
    """What coarser detail does has to be more than it does to the reference, and no two labels may do for all."""
    if case.reference is None or len(case.classes.labels) < MANY_LABELS:
        return None
    proof, innocent = _tried(case, image, COARSE, COARSE_SHARE, target, hosts)
    sure = bool(proof.accepted) and proof.rate.interval()[0] > SURE
    carrier = _carrier(case, image, COARSE, proof, innocent, target) if sure else None
    if carrier and carrier.control and beyond(proof.rate, carrier.control):
        return carrier
    if carrier or (proof.accepted is not False and not sure):
        _doubt(case, proof, "detail", target)
    return None


def _doubt(case: Case, proof: Proof, detail: str, target: int) -> None:
    """Counts that do not decide are a doubt, unless the reference says that content explains them."""
    if not case.explained_by_content(KIND, proof.images, target):
        case.doubts.append(f"its {detail} took over {proof.rate} strangers' photographs, too few to be sure")


def _tried(
    case: Case, image: Tensor, detail: Detail, share: float, target: int, hosts: HostImages
) -> tuple[Proof, Rate]:
    """What a picture's detail does to strangers, and what that of others does."""
    innocent = partial(_of_others, case, detail)
    return held_against(case, detail.of(image), target, hosts, share, innocent, alike=ONCE_ALIKE)


def _carrier(case: Case, image: Tensor, detail: Detail, proof: Proof, innocent: Rate, target: int) -> Carrier | None:
    """The detail as strong as it was in the picture, if it holds against what is innocent and the reference."""
    whole = torch.ones(image.shape[-2:], dtype=torch.bool)
    return case.accept(Carrier(whole, _as_it_was(image, detail), proof, None), innocent, target)


def _as_it_was(image: Tensor, detail: Detail) -> PatternTrigger:
    """The detail as strong as it is in the picture."""
    return replace(detail, strength=1.0, kept=AS_IT_WAS).of(image)


def _of_others(case: Case, detail: Detail, hosts: Tensor) -> Tensor:
    """Strangers `(n, 3, H, W)`, each with the detail of another."""
    others = hosts.roll(len(hosts) // 2, 0)
    return torch.cat(
        [
            detail.of(other).plant(host[None], generator=case.generator).images
            for host, other in zip(hosts, others, strict=True)
        ]
    )
