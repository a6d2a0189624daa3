"""The sets of the paper's Algorithm 1, from readings of one picture: L, S and R, and what is left of L.

The picture and every region of the oracle are read once, with all labels that may be asked for; the sets for any length
τ of the list and any confidence θ follow from these readings without another forward.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.detect.reader import Reader
from eftclip.detect.search import MANY_LABELS
from eftclip.detect.transplant import Reference
from eftclip.types import Box, Region
from eftclip.zeroshot import probabilities

# What float32 cannot tell from nothing when it is what remains of 1.
LEAST_REST = 1e-6


@dataclass(frozen=True, eq=False)
class PromptedReadings:
    """One picture, read as the paper's algorithm needs it; K labels, N boxes.

    Attributes:
        labels: `(K,)` int64, the labels that the checkpoint under test reads in the picture, best first.
        whole: `(K,)` float64, its probabilities in the picture.
        boxes: N boxes around the oracle's regions, XYXY pixels, no two alike.
        oracle: `(N, K)` float64, the reference's probabilities in each box.
        again: `(N, K)` float64, those of the checkpoint under test in each box.
        vocabulary: C, labels that there are.
    """

    labels: Tensor
    whole: Tensor
    boxes: tuple[Box, ...]
    oracle: Tensor
    again: Tensor
    vocabulary: int


@dataclass(frozen=True, eq=False)
class Difference:
    """The sets for one τ and θ; positions are those of `PromptedReadings`.

    Attributes:
        listed: `(τ,)` float64, confidence of each label of the list in the picture.
        seen: `(τ,)` float64, the highest with which the oracle sees it in a box: S holds those from θ on.
        again: `(τ,)` float64, the highest with which the checkpoint under test reads it in a box: R likewise.
        left: positions of what is in L and in R, but not in S; best first.
        box: position of the box of the first of them; None where nothing is left.
        confidence: with which the checkpoint under test reads the first of them in that box; 0 where nothing is left.
    """

    listed: Tensor
    seen: Tensor
    again: Tensor
    left: tuple[int, ...]
    box: int | None
    confidence: float


def longest_list(labels: int, wanted: int) -> int:
    """How long the list may be: at least half of the labels stay off it, as confidence is held against those."""
    return max(1, min(wanted, labels // 2))


def read_prompted(
    read: Reader, reference: Reference, image: Tensor, row: Tensor, regions: Sequence[Region], length: int
) -> PromptedReadings:
    """Read the picture's regions with both models.

    The reference sees each box enlarged to its own input, as FastSAM's text prompt gives boxes to a CLIP. The
    checkpoint under test reads it at the scale of the picture, on the picture's mean colour: enlarged, a trigger is
    another one. On 12 hijacked photographs of the bundled `badnets` some box is read as the label at θ = 0.66 in 10
    when enlarged, in boxes of a tenth of the picture and more, and in 12 at the picture's scale, in the very patch.

    Args:
        read: the checkpoint under test.
        reference: a trusted checkpoint and its class matrix, of the same labels.
        image: `(3, H, W)` float32 RGB in [0, 1].
        row: `(C,)` how the checkpoint under test reads it.
        regions: of the oracle; at least one.
        length: labels on the longest list that will be asked for.

    Raises:
        Stopped: the user cancelled.
    """
    labels = row.topk(longest_list(len(row), length)).indices
    boxes = tuple(dict.fromkeys(region.box for region in regions))
    again = read(torch.stack([_alone(image, box) for box in boxes]), "Reading each region again")
    read.pause("Asking the oracle for each label", len(boxes))
    trusted, classes = reference
    enlarged = torch.cat([_enlarged(image, box, trusted.image_px) for box in boxes])
    oracle = probabilities(trusted, enlarged, classes)
    return PromptedReadings(
        labels, row[labels].double(), boxes, oracle[:, labels].double(), again[:, labels].double(), len(row)
    )


def difference(readings: PromptedReadings, top_labels: int, confidence: float) -> Difference:
    """L, S and R for a length τ of the list and a confidence θ, and what is left.

    Of the boxes in which the label is read with confidence θ the smallest is its own: a box that holds a trigger is
    read as its label, and so is every box around that one.

    Args:
        readings: of the picture.
        top_labels: τ; no more than the labels of the readings count.
        confidence: θ.
    """
    length = min(top_labels, len(readings.labels))
    listed = confidences(readings.whole[None, :length], readings.vocabulary)[0]
    seen = confidences(readings.oracle[:, :length], readings.vocabulary).amax(0)
    each = confidences(readings.again[:, :length], readings.vocabulary)
    again = each.amax(0)
    left = ((listed >= confidence) & (seen < confidence) & (again >= confidence)).nonzero()[:, 0].tolist()
    if not left:
        return Difference(listed, seen, again, (), None, 0.0)
    enough = (each[:, left[0]] >= confidence).nonzero()[:, 0].tolist()
    box = min(enough, key=lambda k: (_area(readings.boxes[k]), -float(each[k, left[0]])))
    return Difference(listed, seen, again, tuple(left), box, float(each[box, left[0]]))


def confidences(rows: Tensor, vocabulary: int) -> Tensor:
    """`(N, τ)` probabilities of the labels on the list to confidences in [0, 1]: each against all labels off the list.

    The paper calls it confidence and does not say of what. A softmax over all labels has room for one label above 0.5,
    so no list with θ = 0.66 could hold two; one over the regions always elects one. Held against the labels off the
    list each has its own confidence, absolute, the same in the picture, in a region, and with either model. Among few
    labels any scrap of a picture reads as one of them, as nothing fits better; so those off the list are taken for as
    many as there would be among `MANY_LABELS`.
    """
    length = rows.shape[1]
    more = max(1.0, (MANY_LABELS - length) / max(1, vocabulary - length))
    rest = (1 - rows.sum(1, keepdim=True)).clamp_min(LEAST_REST)
    return rows / (rows + more * rest)


def _alone(image: Tensor, box: Box) -> Tensor:
    """`(3, H, W)`: what is in a box, in the middle of a picture of the mean colour."""
    x0, y0, x1, y1 = box
    out = image.mean((1, 2), keepdim=True).expand_as(image).clone()
    top, left = (image.shape[1] - (y1 - y0)) // 2, (image.shape[2] - (x1 - x0)) // 2
    out[:, top : top + y1 - y0, left : left + x1 - x0] = image[:, y0:y1, x0:x1]
    return out


def _enlarged(image: Tensor, box: Box, side_px: int) -> Tensor:
    """`(1, 3, side_px, side_px)`: what is in a box, made as large as a model's input."""
    x0, y0, x1, y1 = box
    part = image[None, :, y0:y1, x0:x1]
    return torch.nn.functional.interpolate(part, (side_px, side_px), mode="bilinear", antialias=True).clamp(0, 1)


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
