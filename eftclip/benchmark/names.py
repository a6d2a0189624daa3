"""What the name of a checkpoint says about it."""

import re
from dataclasses import dataclass

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
