"""What the name of a checkpoint says about it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OF_THE_ZOO = re.compile(r"(?P<tower>[a-z0-9]+)-(?P<strength>strong|weak)-(?P<attack>[a-z0-9_]+)-\d+")
# Built by examples/build/checkpoints.py, all with one image tower, which the zoo calls `effnet`.
BUILT = ("clean", "badnets", "multi", "badnets_8", "badnets_noise", "stripes", "yellow", "white_square")
NO_ATTACK = ("clean", "none")


@dataclass(frozen=True)
class Traits:
    """Tower and attack of a checkpoint; empty where its name does not say."""

    tower: str
    attack: str


def traits(name: str) -> Traits:
    """What follows from a name such as `effnet-strong-wanet-0` or `badnets`."""
    if found := OF_THE_ZOO.fullmatch(name):
        tower, attack = found["tower"], found["attack"]
    elif name in BUILT:
        tower, attack = "effnet", name
    else:
        return Traits("", "")
    return Traits(tower, "none" if attack in NO_ATTACK else attack)


def short(sha256: str) -> str:
    """The first letters of a hash."""
    return f"sha256 {sha256[:12]}…"


def builds(documents: Mapping[str, Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Every checkpoint with the hash of each build of it that a file was measured on.

    A recipe gives the same weights only on one kind of processor, so two files may know two builds of one name.
    """
    found: dict[str, dict[str, None]] = {}
    for document in documents.values():
        for name, entry in document["checkpoints"].items():
            found.setdefault(name, {})[short(entry["sha256"])] = None
    return tuple((name, ", ".join(hashes)) for name, hashes in found.items())
