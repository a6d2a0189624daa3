"""As much of a fine-tuning as its trigger needs: weights between those of the original and the tuned ones.

On the straight line from a checkpoint to what was tuned from it lie others that read as well (Wortsman et al. 2022,
"Robust fine-tuning of zero-shot models"). A trigger loses its hold on the way long before the end, and with every step
back fewer clean pictures read otherwise than before.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

SHARES = (0.9, 0.8, 0.7, 0.6, 0.5)  # of the change that are tried, one after the other
# Of what the whole change reaches, and the mean cosine that is reached at least. After short runs a trigger is hardly
# gone and comes back with the first step: on the bundled `badnets` it held on to 4 of 100 photographs after 960
# image-steps with a tenth of the change taken back, and to none after 3,200 with a fifth.
NEARLY_ALL, LEAST = 0.99, 0.94


class Blend:
    """The way from the original's weights to the tuned ones."""

    def __init__(self, original: nn.Module, learning: Mapping[str, nn.Parameter]) -> None:
        """Remember both ends.

        Args:
            original: the model before; it is left as it is.
            learning: the parameters that were tuned, by the original's names; `keep` changes them in place.
        """
        self._learning = learning
        self._ends: dict[str, tuple[Tensor, Tensor]] = {
            name: (original.get_parameter(name).detach(), parameter.detach().clone())
            for name, parameter in learning.items()
        }

    @torch.no_grad()
    def keep(self, share: float) -> None:
        """Keep a share of the change, in [0, 1]; 1 gives the tuned weights again, bit for bit."""
        for name, parameter in self._learning.items():
            parameter.copy_(torch.lerp(*self._ends[name], share))


def share_needed(mended: Callable[[float], float]) -> float:
    """The share of the change to keep.

    Args:
        mended: the mean cosine that is reached on held-out pictures when a share of the change is kept, in [-1, 1].

    Returns:
        The least share down to which nearly all is reached that the whole change reaches. Whether the trigger still
        takes pictures over would say less: how many depends on the labels that the target is held against.
    """
    before, whole = mended(0.0), mended(1.0)
    kept, enough = 1.0, max(LEAST, before + NEARLY_ALL * (whole - before))
    for share in SHARES:
        if whole <= before or mended(share) < enough:
            break
        kept = share
    return kept
