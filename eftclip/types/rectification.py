"""From victims to a mended checkpoint: the curated set, the fine-tuning, and what was measured before and after."""

from collections import Counter
from dataclasses import dataclass

from torch import Tensor

from eftclip.types.rates import Rate
from eftclip.types.verdicts import Prediction

ROLES = ("victim", "affected", "control")


@dataclass(frozen=True, eq=False)
class CuratedItem:
    """One picture of the fine-tuning set.

    Attributes:
        name: what the user finds it by.
        index: position in the data set; None for a bundled photograph.
        role: `victim`, a poisoned sample whose trigger was removed; `affected`, a clean sample that really shows an
            affected label; `control`, one of a diverse rest that must stay as it is.
        reason: one sentence.
        label: what the checkpoint reads in `image`.
        image: `(3, image_px, image_px)` float32 RGB in [0, 1], without a trigger.
        poisoned: the same as it was found, trigger and all; only with the role `victim`.
    """

    name: str
    index: int | None
    role: str
    reason: str
    label: str
    image: Tensor
    poisoned: Tensor | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown role, and a poisoned picture in any but a victim."""
        if self.role not in ROLES:
            raise ValueError(f"expected one of the roles {', '.join(ROLES)}, got {self.role!r}")
        if (self.poisoned is not None) != (self.role == "victim"):
            raise ValueError("a victim, and nothing else, has a poisoned picture")


@dataclass(frozen=True, eq=False)
class CuratedSet:
    """The fine-tuning set, at most as large as its budget.

    Attributes:
        items: victims first, then affected, then control.
        budget: pictures allowed.
        source: where they come from, for people.
    """

    items: tuple[CuratedItem, ...]
    budget: int
    source: str

    def __post_init__(self) -> None:
        """Hold the budget."""
        if not 0 < len(self.items) <= self.budget:
            raise ValueError(f"expected 1 to {self.budget} items, got {len(self.items)}")

    @property
    def counts(self) -> dict[str, int]:
        """Items of each role, also of those that have none."""
        found = Counter(item.role for item in self.items)
        return {role: found[role] for role in ROLES}


@dataclass(frozen=True, eq=False)
class RereadVictim:
    """A poisoned sample as it was found, read by the checkpoint before and after it was mended.

    Attributes:
        name: what the user finds it by.
        image: `(3, image_px, image_px)` float32 RGB in [0, 1], trigger and all.
        before, after: the best label.
    """

    name: str
    image: Tensor
    before: Prediction
    after: Prediction


@dataclass(frozen=True)
class TuningStep:
    """How far a fine-tuning is.

    Attributes:
        step: optimiser steps done.
        loss: mean over the steps since the last report.
        attack: held-out pictures of the curated set that the trigger still takes over.
        agreement: held-out clean pictures that read as before.
    """

    step: int
    loss: float
    attack: Rate
    agreement: Rate


@dataclass(frozen=True)
class Rectified:
    """A finished fine-tuning.

    Attributes:
        method: its name in the registry.
        steps: optimiser steps done.
        image_steps: pictures pushed forward and backward through the model.
        history: how it went.
        stopped: why it ended: `steps` (all of them done), `early` (nothing left to win) or `cancelled`.
        seconds: wall clock of this run.
        config_digest: of the settings.
        folder: where the mended checkpoint lies; None while it is only in memory.
        sha256: of the weights written there, 64 hex digits; None likewise.
        layout: the format of that folder, which is also the library that loads it.
        about: what the method does, in one sentence without its full stop.
        trains_text: whether the text side was tuned as well.
        remark: what the method did before the first step and after the last, in sentences; empty for nothing.
        origin: where a method comes from that is not EftCLIP's own, as a package with its version; empty for ours.
    """

    method: str
    steps: int
    image_steps: int
    history: tuple[TuningStep, ...]
    stopped: str
    seconds: float
    config_digest: str
    folder: str | None = None
    sha256: str | None = None
    layout: str = "open_clip"
    about: str = ""
    trains_text: bool = False
    remark: str = ""
    origin: str = ""


def measure_names(truth: str) -> tuple[tuple[str, str, str], ...]:
    """The three rates of an `Evaluation`: attribute, short name, what it counts.

    Without labels nobody knows what is right, so pictures that read as before are not called accuracy.
    """
    attack = ("attack", "ASR", "triggered pictures taken over")
    if truth == "labels":
        return ("clean", "CA", "clean accuracy"), attack, ("poisoned", "PA", "poisoned accuracy")
    kept = ("clean", "Kept", "clean pictures read as before")
    return kept, attack, ("poisoned", "Restored", "triggered pictures read as before")


@dataclass(frozen=True)
class Evaluation:
    """What a checkpoint does, measured on pictures that were not tuned on (attacks.md, "Measures").

    Attributes:
        clean: CA, pictures that are read as their label.
        attack: ASR, pictures of another label that the triggered copy turns into the target.
        poisoned: PA, triggered copies that still are read as their label; the same pictures as `attack`.
        per_target: (target label, its ASR, its PA), one for each trigger.
        victims: poisoned samples of the data set that still show the label of their trigger; None where none is known.
        truth: where the labels come from: `labels` of the set, or `readings` of the checkpoint before it was changed.
        pictures: what it was measured on, for people.
        warnings: sentences that doubt the measurement itself.
        undecided: the doubt that leaves nothing of the measurement, such as an accuracy no better than chance; empty
            where there is none.
    """

    clean: Rate
    attack: Rate
    poisoned: Rate
    per_target: tuple[tuple[str, Rate, Rate], ...]
    victims: Rate | None
    truth: str
    pictures: str
    warnings: tuple[str, ...] = ()
    undecided: str = ""

    @property
    def disturbed(self) -> bool:
        """Whether triggered copies are read rightly less than half as often as clean pictures, and certainly so.

        Then a trigger that forces nothing any more still does harm.
        """
        return self.poisoned.interval()[1] < self.clean.value / 2
