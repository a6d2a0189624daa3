"""What judges the samples of a data set; it is the same for all of them."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from eftclip.identify.together.averages import Prove
from eftclip.types import SEARCHED_KINDS, ClassMatrix, ClipModel, Decode, Detection


@dataclass(frozen=True, eq=False)
class Judge:
    """What judges a sample.

    Attributes:
        clip: the checkpoint under test.
        classes: the vocabulary as it reads it.
        decode: the bytes of a file to the square that the checkpoint sees.
        search: the whole of Algorithm 1 on a square; whatever breaks is a verdict.
        prove: whether a trigger forces a label, and does more than something innocent of its kind.
        strangers: `(M, 3, H, W)` float32 RGB in [0, 1], photographs that are not of the set.
        kinds: of triggers that `search` looks for.
        alone: no reference judges with it, which would know what a checkpoint may read in fine detail.
    """

    clip: ClipModel
    classes: ClassMatrix
    decode: Decode
    search: Callable[[Tensor], Detection]
    prove: Prove
    strangers: Tensor
    kinds: tuple[str, ...] = SEARCHED_KINDS
    alone: bool = False
