"""Frozen settings with ranges, units and defaults; a digest names a combination."""

import hashlib
import json
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
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:12]

    def _within(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        if not low <= value <= high:
            raise ConfigError(f"{name} must lie between {low:g} and {high:g}, got {value!r}.")


@dataclass(frozen=True)
class DetectConfig(Settings):
    """Settings of Algorithm 1.

    The defaults are measured in `examples/results/sweep_check.json`, one setting moved at a time on 12 hijacked and 12
    clean unseen photographs: nothing is missed or accused at any value swept, so they were chosen for cost and margin.
    Three windows per side cost 25 and 12 pictures through CLIP on a hijacked and a clean photograph, four cost 33 and
    19; two save nothing and leave larger windows. `carry_confidence` decides how many windows are looked into (15 to 10
    pictures on a clean photograph from 0.05 to 0.8), not what is accused: 0.2 leaves room for weak triggers.
    τ and θ decide what is explained in the report, not what is found.

    Attributes:
        top_labels: τ, length of the list of labels read in the picture.
        support_confidence: θ in [0.3, 0.9], confidence from which a part of the picture explains a label.
        windows_per_side: windows that the whole picture is first looked at through, per side.
        carry_confidence: probability from which a part that is read alone counts as carrying the label.
        max_area_fraction: a carrier covers at most this share of the picture.
        transplants: N, strangers' photographs that a carrier is pasted into, at most.
        transplant_threshold: share of strangers from which a patch counts as a trigger.
        max_triggers: triggers removed one after another from one picture.
    """

    top_labels: int = 10
    support_confidence: float = 0.66
    windows_per_side: int = 3
    carry_confidence: float = 0.2
    max_area_fraction: float = 0.12
    transplants: int = 24
    transplant_threshold: float = 0.5
    max_triggers: int = 4

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
