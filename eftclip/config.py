"""Frozen settings with ranges, units and defaults; a digest names a combination."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from eftclip.errors import ConfigError


class Settings:
    """What every settings class can do: come from a dict, go to a dict, name itself."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build from a dict.

        Raises:
            ConfigError: unknown names or values outside their range.
        """
        known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
        if stray := sorted(set(values) - known):
            raise ConfigError(f"Unknown settings {', '.join(stray)}; known are {', '.join(sorted(known))}.")
        return cls(**values)

    def digest(self) -> str:
        """Twelve hex digits that change with any setting."""
        return _digest(self.to_dict())

    def _within(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        if not low <= value <= high:
            raise ConfigError(f"{name} must lie between {low:g} and {high:g}, got {value!r}.")


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


OURS, AS_PUBLISHED = "eftclip", "paper"
ALGORITHM_NAMES = (OURS, AS_PUBLISHED)  # the keys of `eftclip.detect.ALGORITHMS`


@dataclass(frozen=True)
class DetectConfig(Settings):
    """Settings of Algorithm 1.

    The defaults are measured in `examples/results/sweep_check.json`, one setting moved at a time on 12 hijacked and 12
    clean unseen photographs, and chosen for cost and margin. τ and θ decide what is explained in the report, not what
    is found; only with the paper's algorithm they decide that, too. `carry_confidence` decides how many windows are
    looked into, not what is accused: it is a share of the picture's own reading, as a checkpoint that reads badly gives
    every label little. `transplant_threshold` was 0.5 until a residual network that reads 63 % of 100 things was tried,
    on which the very trigger takes over 8 to 14 of 24 strangers: nothing of 30 hijacked pictures was found. No part of
    120 clean photographs took over one of 24 on the bundled `clean`, so 0.2 leaves a wide margin there; what does as
    little must also do more than an innocent part of the same picture and size (`transplant.beyond`).

    Attributes:
        top_labels: τ, length of the list of labels read in the picture.
        support_confidence: θ in [0.3, 0.9], confidence from which a part of the picture explains a label.
        windows_per_side: windows that the whole picture is first looked at through, per side.
        carry_confidence: share of the picture's own reading from which a part that is read alone carries the label.
        max_area_fraction: a carrier covers at most this share of the picture.
        transplants: N, strangers' photographs that a carrier is pasted into, at most.
        transplant_threshold: share of strangers from which a patch counts as a trigger.
        max_triggers: triggers removed one after another from one picture.
        algorithm: `eftclip`, ours, or `paper`, Algorithm 1 as the paper has it (`eftclip.detect.paper`).
    """

    top_labels: int = 10
    support_confidence: float = 0.66
    windows_per_side: int = 3
    carry_confidence: float = 0.2
    max_area_fraction: float = 0.12
    transplants: int = 24
    transplant_threshold: float = 0.2
    max_triggers: int = 4
    algorithm: str = OURS

    def __post_init__(self) -> None:
        """Check every range."""
        self._within("top_labels", 1, 100)
        self._within("support_confidence", 0.3, 0.9)
        self._within("windows_per_side", 2, 8)
        self._within("carry_confidence", 0.01, 0.95)
        self._within("max_area_fraction", 0.005, 0.5)
        self._within("transplants", 8, 200)
        self._within("transplant_threshold", 0.1, 0.95)
        self._within("max_triggers", 1, 16)
        if self.algorithm not in ALGORITHM_NAMES:
            raise ConfigError(f"algorithm must be one of {', '.join(ALGORITHM_NAMES)}, got {self.algorithm!r}.")

    def digest(self) -> str:
        """As of all settings; ours is left out of it, so that scans from before there was a choice can be taken up."""
        values = self.to_dict()
        return _digest({name: value for name, value in values.items() if (name, value) != ("algorithm", OURS)})


MOST_UNREAD = 1_000_000
SEARCHES = ("until_proven", "every", "suspicious")


@dataclass(frozen=True)
class ScanConfig(Settings):
    """Settings of Algorithm 2.

    Attributes:
        search: which samples get the whole of Algorithm 1. `until_proven`: every one until a trigger is proven (by a
            second sample, where it takes over less than most strangers), from then on those of affected labels and the
            suspicious ones. `every`: all of them. `suspicious`: only those, from the start; such a scan cannot end as
            `not_found`.
        suspicious_share: the share of samples of unaffected labels that counts as suspicious: those whose best label
            lies furthest above the second best. The victims of the bundled `badnets` lie there almost all: 95 % of
            them above 0.32 (a difference of cosines), of 926 clean photographs 3 %.
        exemplars: triggers of a family that are kept as pictures.
        allow_unread: samples that may stay unread (broken, missing, or of no kind that is read) in a scan that ends as
            `not_found`; the verdict counts them all the same.
    """

    search: str = "until_proven"
    suspicious_share: float = 0.05
    exemplars: int = 8
    allow_unread: int = 0

    def __post_init__(self) -> None:
        """Check every range."""
        if self.search not in SEARCHES:
            raise ConfigError(f"search must be one of {', '.join(SEARCHES)}, got {self.search!r}.")
        self._within("suspicious_share", 0.0, 1.0)
        self._within("exemplars", 1, 64)
        self._within("allow_unread", 0, MOST_UNREAD)


@dataclass(frozen=True)
class CurateConfig(Settings):
    """How the fine-tuning set is put together.

    Attributes:
        budget: pictures at most.
        victim_share: share of the budget that poisoned samples, their trigger removed, may take.
        affected_share: share that clean samples of affected labels may take, so that no label is unlearned.
    """

    budget: int = 64
    victim_share: float = 0.375
    affected_share: float = 0.125

    def __post_init__(self) -> None:
        """Check every range."""
        self._within("budget", 8, 4096)
        self._within("victim_share", 0.0, 0.9)
        self._within("affected_share", 0.0, 0.9)
        if self.victim_share + self.affected_share > 0.9:
            raise ConfigError(
                "victim_share and affected_share together leave less than a tenth of the budget for the control set, "
                f"got {self.victim_share:g} and {self.affected_share:g}."
            )


LEAST_MEASURED = 40
PRECISIONS = ("auto", "fp32", "bf16")


LONGEST_OWN = 200  # characters


def own_numbers(text: str) -> dict[str, float]:
    """What `RectifyConfig.own` says.

    Raises:
        ConfigError: it is not of the form `name=number,name=number`.
    """
    numbers = dict[str, float]()
    for part in text.split(",") if text.strip() else ():
        name, equals, number = (piece.strip() for piece in part.partition("="))
        try:
            numbers[name] = float(number)
        except ValueError:
            equals = ""
        if not (equals and name.isidentifier() and math.isfinite(numbers[name])) or len(text) > LONGEST_OWN:
            raise ConfigError(f"own must be of the form name=number,name=number, got {text[:LONGEST_OWN]!r}.")
    return numbers


OWN: Any = None  # left out: what the method brings along


@dataclass(frozen=True)
class RectifyConfig(Settings):
    """Settings of the fine-tuning.

    Steps, batch and learning rate are the method's own where they are left out; `eftclip.rectify.settled` says which.

    Attributes:
        method: a key of `eftclip.rectify.METHODS`.
        steps: optimiser steps at most.
        batch: clean pictures in each step; a method that sees triggers is shown as many again with one.
        learning_rate: of AdamW at its highest.
        own: numbers that only this method has, as `name=number,name=number`; those that are left out are its own.
        keep_weight: λ of `realign`, how much a clean picture that moves counts against a triggered one that does not.
            With its learning rate it was chosen with `examples/measure/tuning.py`: a trigger goes as soon, and fewer
            readings change.
        check_every: steps between two looks at the held-out pictures; a run can be taken up again from there.
        agreement: share of held-out clean pictures that must read as before, for an early stop.
        at_once: clean pictures of a step that go through the model together, with as many triggered ones; a bound on
            memory. Methods that compare the views of a step with each other need it whole.
        precision: `fp32`, `bf16`, or `auto`: bf16 on a GPU and fp32 elsewhere.
    """

    method: str = "realign"
    steps: int = OWN
    batch: int = OWN
    learning_rate: float = OWN
    own: str = ""
    keep_weight: float = 10.0
    check_every: int = 10
    agreement: float = 0.99
    at_once: int = 8
    precision: str = "auto"

    def __post_init__(self) -> None:
        """Check every range; the method is checked where the registry is."""
        for name, low, high in (("steps", 1, 100_000), ("batch", 2, 4096), ("learning_rate", 1e-7, 1e-2)):
            if getattr(self, name) is not OWN:
                self._within(name, low, high)
        own_numbers(self.own)
        self._within("keep_weight", 0.0, 100.0)
        self._within("check_every", 1, 10_000)
        self._within("agreement", 0.5, 1.0)
        self._within("at_once", 1, 4096)
        if self.precision not in PRECISIONS:
            raise ConfigError(f"precision must be one of {', '.join(PRECISIONS)}, got {self.precision!r}.")


@dataclass(frozen=True)
class MeasureConfig(Settings):
    """What a rectification is measured on, before and after.

    Attributes:
        measured: pictures for CA, ASR and PA, at most: of the set where it has enough that were not tuned on, else
            views of bundled photographs. With fewer than 200 a measurement says that they are few.
    """

    measured: int = 300

    def __post_init__(self) -> None:
        """Check the range."""
        self._within("measured", LEAST_MEASURED, 100_000)


@dataclass(frozen=True)
class InvertConfig(Settings):
    """How triggers are looked for when there is no poisoned picture.

    On the bundled checkpoints twenty steps are enough where there is a backdoor; the rest is the price of being sure
    that there is none: on `clean` no label was reached in more than 14 % of the photographs after 120 steps.

    Attributes:
        patch_share: side of the patch as a share of the picture's.
        steps: at most, for one patch.
        starts: patches that are drawn for each but the first; the one that is best as it is grows.
        pattern_strength: how far a pattern moves a pixel at most, as a share of the range.
        pattern_steps: at most, for one pattern.
        batch: photographs in each step.
        rate: of Adam, on the logits of the pixels.
        check_every: steps between two trials on other photographs.
        patience: patches in a row that force nothing before the search for one kind ends; so with patterns.
        exemplars: patches that are grown for each label that is forced; so with patterns.
    """

    patch_share: float = 0.09
    steps: int = 50
    starts: int = 32
    pattern_strength: float = 0.05
    pattern_steps: int = 20
    batch: int = 12
    rate: float = 0.2
    check_every: int = 10
    patience: int = 2
    exemplars: int = 2

    def __post_init__(self) -> None:
        """Check every range."""
        self._within("patch_share", 0.02, 0.5)
        self._within("steps", 1, 10_000)
        self._within("starts", 1, 1000)
        self._within("pattern_strength", 0.01, 0.5)
        self._within("pattern_steps", 1, 10_000)
        self._within("batch", 2, 1024)
        self._within("rate", 1e-3, 10.0)
        self._within("check_every", 1, 10_000)
        self._within("patience", 1, 20)
        self._within("exemplars", 1, 16)
