"""The one place that knows devices, processes, clocks and seeds; progress and cancelling as plain callables."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from accelerate import PartialState

from eftclip.errors import ConfigError


@dataclass(frozen=True)
class Progress:
    """One step of long work: `done` of `total` in the stage named for people."""

    stage: str
    done: int
    total: int


OnProgress = Callable[[Progress], None]
Cancelled = Callable[[], bool]


def ignore(progress: Progress) -> None:
    """Report progress to nobody."""


def never() -> bool:
    """Nobody cancels."""
    return False


def seeded(seed: int) -> torch.Generator:
    """A CPU generator; the same seed draws the same numbers on every machine."""
    return torch.Generator().manual_seed(seed)


def pick_device(name: str | None = None) -> torch.device:
    """The device asked for, or the one that accelerate finds best.

    Raises:
        ConfigError: the device does not exist here.
    """
    if name in (None, "auto"):
        return PartialState().device
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch raises AssertionError where it was built without CUDA
        reason = str(error).splitlines()[0]
        raise ConfigError(f"The device {name!r} cannot be used here ({reason}); leave it out or say 'cpu'.") from error
    return device


class Stopwatch:
    """Seconds of wall clock since it was made."""

    def __init__(self) -> None:
        """Start."""
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._start
