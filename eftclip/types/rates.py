"""Measured shares, with their counts."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """A measured share; counts are kept, so nobody has to trust a bare percentage."""

    hits: int
    total: int

    def __post_init__(self) -> None:
        """Refuse counts that cannot be."""
        if not 0 <= self.hits <= self.total:
            raise ValueError(f"expected 0 <= hits <= total, got {self.hits} of {self.total}")

    @property
    def value(self) -> float:
        """Hits / total in [0, 1]; nan when nothing was counted."""
        return self.hits / self.total if self.total else math.nan

    def interval(self, z: float = 1.96) -> tuple[float, float]:
        """Wilson's score interval (95 % by default); (0, 1) when nothing was counted."""
        if not self.total:
            return 0.0, 1.0
        n, p = self.total, self.value
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, centre - half), min(1.0, centre + half)

    def __add__(self, other: "Rate") -> "Rate":
        """Pool two counts."""
        return Rate(self.hits + other.hits, self.total + other.total)

    def __str__(self) -> str:
        """For people: `23 of 24`."""
        return f"{self.hits} of {self.total}"
