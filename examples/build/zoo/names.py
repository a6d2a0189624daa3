"""What a checkpoint of the zoo is called: `tower-strength-attack-seed`; all of it follows from the name."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from examples.build.zoo.attacks import ATTACKS
from examples.build.zoo.towers import TOWERS

STRENGTHS = ("strong", "weak")


@dataclass(frozen=True)
class ZooName:
    """One checkpoint: which tower, how well it reads, what was done to it, and the seed of every draw."""

    tower: str
    strength: str
    attack: str
    seed: int

    def __str__(self) -> str:
        """What it is called."""
        return f"{self.tower}-{self.strength}-{self.attack}-{self.seed}"

    @property
    def strong(self) -> "ZooName":
        """The checkpoint that the weak one is made from by noise."""
        return replace(self, strength="strong", seed=0 if self.attack == "none" else self.seed)


def parse(text: str) -> ZooName:
    """A name such as `vit-strong-badnets16-0`.

    Raises:
        ValueError: a part is not known.
    """
    parts = text.split("-")
    if len(parts) != 4:
        raise ValueError(f"{text!r}: expected tower-strength-attack-seed, got {len(parts)} part(s).")
    _check(text, "tower", parts[0], TOWERS)
    _check(text, "strength", parts[1], STRENGTHS)
    _check(text, "attack", parts[2], ATTACKS)
    if not (parts[3].isascii() and parts[3].isdigit()) or str(int(parts[3])) != parts[3]:
        raise ValueError(f"{text!r}: expected a whole number as seed, got {parts[3]!r}.")
    if parts[1:3] == ["strong", "none"] and parts[3] != "0":
        raise ValueError(f"{text!r}: nothing is drawn for an untouched tower; its seed is 0.")
    return ZooName(parts[0], parts[1], parts[2], int(parts[3]))


def seed_of(*parts: object) -> int:
    """A seed for one purpose: other parts, other draws."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:6], "big")


def _check(text: str, what: str, word: str, known: Iterable[str]) -> None:
    if word not in known:
        raise ValueError(f"{text!r}: unknown {what} {word!r}; known are {', '.join(known)}.")
