"""BDetCLIP: a picture with a trigger does not care whether a text describes its label well or badly.

Niu et al., "Test-Time Multimodal Backdoor Detection by Contrastive Prompting", ICML 2025 (arXiv 2405.15269). A picture
is compared with a good and a bad description of every label; the sum of what the good ones have over the bad ones is
low for a picture with a trigger. One pass forward for a picture.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.zeroshot import IMAGES_PER_BATCH, class_matrix
from examples.bench.rivals.contract import Given, PictureScores, Scorer

PUBLISHED_LABELS = 1000  # the sum runs over so many in the released code
# Sentences about nothing that a label names; every label gets one of them, in turns.
UNRELATED = (
    "the meeting was moved to next Thursday",
    "nobody had expected such a close election",
    "prices rose more slowly than last year",
    "she remembered the answer a minute too late",
    "the second half of the lecture was about grammar",
    "his promise turned out to be worth nothing",
    "they argued about the rules until midnight",
    "a shorter proof was found ten years later",
    "the rumour spread faster than the correction",
    "we agreed to disagree about the budget",
    "most of the apology sounded rehearsed",
)


@dataclass(frozen=True)
class BDetClip:
    """BDetCLIP with label templates in place of its generated descriptions.

    Published: cosines without a temperature, summed over ImageNet's 1,000 classes; a bad description is a template with
    the class name, followed by a sentence that has nothing to do with it; accused below 0.3, the default of the
    released script (Purshow/BDetCLIP_badCLIP, `--threshold`; the paper chooses one on 1 % of clean ImageNet).
    Deviations: the good descriptions, which a language model wrote, are the seven templates that the checkpoint is read
    with anyway, and the unrelated sentences are our own; with other than 1,000 labels the sum is scaled to 1,000.
    """

    name: str = "bdetclip"
    threshold: float = 0.3

    @property
    def passes(self) -> float:
        """One; the texts are read once for a checkpoint."""
        return 1.0

    def prepare(self, given: Given) -> Scorer:
        """Read the bad descriptions; the good ones are the class matrix."""
        good = given.classes
        texts = [f"{label}, {UNRELATED[k % len(UNRELATED)]}" for k, label in enumerate(good.labels)]
        lead = (good.matrix - class_matrix(given.clip, texts).matrix).mean(1) * PUBLISHED_LABELS

        def score(images: Tensor) -> PictureScores:
            with torch.inference_mode():
                features = [given.clip.encode_images(part).cpu() for part in images.split(IMAGES_PER_BATCH)]
            return PictureScores(-torch.cat(features) @ lead)

        return score

    def published(self, clean: Tensor) -> float | None:
        """A constant; clean pictures have no say."""
        del clean
        return -self.threshold
