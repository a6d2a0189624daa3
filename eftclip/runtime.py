"""The one place that knows devices, processes, clocks and seeds; progress and cancelling as plain callables."""

import atexit
import ctypes
import gc
import math
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from accelerate import PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import gather_object

from eftclip.errors import ConfigError


@dataclass(frozen=True)
class Progress:
    """One step of long work: `done` of `total` in the stage named for people.

    Attributes:
        stage: what is being done.
        done: so many.
        total: of so many; 0 where nobody knows.
        per_second: the speed of the stage so far; 0 until there is one, see `paced`.
    """

    stage: str
    done: int
    total: int
    per_second: float = 0.0

    @property
    def pace(self) -> str:
        """The speed and what is left of the stage, in words; empty as long as there is none."""
        if not self.per_second:
            return ""
        digits = 0 if self.per_second >= 20 else 1
        slow, fast = f"{1 / self.per_second:,.1f} s each", f"{self.per_second:,.{digits}f} a second"
        speed = slow if self.per_second < 1 else fast
        left = (self.total - self.done) / self.per_second
        return f"{speed}, {_duration(left)} left" if left > 0 else speed


OnProgress = Callable[[Progress], None]


def paced(on_progress: OnProgress) -> OnProgress:
    """The same, told the speed of each stage as well."""
    begun = last = Progress("", 0, 0)
    watch = Stopwatch()

    def tell(progress: Progress) -> None:
        nonlocal begun, last, watch
        if progress.stage != last.stage or progress.done < last.done:
            begun, watch = progress, Stopwatch()
        last = progress
        on_progress(replace(progress, per_second=(progress.done - begun.done) / max(watch.seconds, 1e-6)))

    return tell


def _duration(seconds: float) -> str:
    """Rounded to what one wants to know of it."""
    if seconds < 100:
        return f"{math.ceil(seconds)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


Cancelled = Callable[[], bool]


def ignore(progress: Progress) -> None:
    """Report progress to nobody."""


def never() -> bool:
    """Nobody cancels."""
    return False


def cache_folder(name: str) -> Path | None:
    """Where things lie that can be made again, which need not exist; None where nothing is to be kept.

    `EFTCLIP_CACHE` names another folder than the user's own, or says `off`.
    """
    home = os.environ.get("EFTCLIP_CACHE") or str(
        Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "eftclip"
    )
    return None if home == "off" else Path(home) / name


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


T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """The processes that do one piece of work together: a single one, or those that accelerate or torchrun started.

    Attributes:
        rank: number of this process, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that speaks and writes."""
        return self.rank == 0

    def share_of(self, items: Sequence[T]) -> Sequence[T]:
        """This process's share of a list: every `size`-th item."""
        return items[self.rank :: self.size]

    def gather(self, items: Sequence[T]) -> list[T]:
        """The shares of all processes, in the order of the processes; every process gets all of them."""
        return list(items) if self.size == 1 else list(gather_object(list(items)))

    def any(self, flag: bool) -> bool:
        """Whether any process says so: a cancel that reaches one stops all."""
        return any(self.gather([flag]))


def all_processes(device: torch.device) -> Processes:
    """The processes that were started together; on the CPU they talk over gloo."""
    state = PartialState(cpu=device.type == "cpu")
    if state.num_processes > 1:  # left to the interpreter's end, its threads now and then abort a process that is done
        atexit.register(state.destroy_process_group)
    return Processes(state.process_index, state.num_processes)


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of glibc's malloc.h
KEPT_BYTES, ON_HEAP_BYTES = 1 << 30, 256 << 20


def settle_memory() -> None:
    """Let the C library keep large buffers, and Python never search for garbage in what was imported.

    For whoever owns the process, before there are threads. On the CPU, images of the bundled checkpoints go forward in
    16 to 18 ms instead of 25 to 30, and forward and backward in 66 instead of 77; up to a gigabyte stays with the
    process, once, and not for each thread: with arenas of their own, four waves of 16 visitors took 1.0 GB more, with
    two arenas 0.04. Elsewhere than on glibc that part does nothing. What was imported stays as long as the process;
    looking through it once more at its end would take a second and a half.
    """
    gc.freeze()
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_ARENA_MAX, 2)
        libc.mallopt(M_MMAP_THRESHOLD, ON_HEAP_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def release_memory() -> None:
    """Hand memory that is no longer used back to the system, where it would be kept otherwise; see `settle_memory`."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def reset_device() -> None:
    """Let a process that was forked find its own device: accelerate remembers that of its parent."""
    AcceleratorState._reset_state(reset_partial_state=True)


class Meter:
    """Seconds and peak memory of one stage, between `with` and its end."""

    def __init__(self, device: torch.device) -> None:
        """Measure a stage that computes on `device`."""
        self._device = device
        self.seconds = 0.0
        self.peak_mb: float | None = None
        self.gpu_peak_mb: float | None = None

    def __enter__(self) -> "Meter":
        """Start; forget the peaks before."""
        self._watch = Stopwatch()
        with suppress(OSError):  # only Linux can forget a process's peak
            PEAK_RESET.write_text("5")
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop."""
        self.seconds = self._watch.seconds
        self.peak_mb = _peak_mb()
        if self._device.type == "cuda":
            self.gpu_peak_mb = torch.cuda.max_memory_allocated(self._device) / 1e6


PEAK_RESET, PEAK = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def _peak_mb() -> float | None:
    """The most memory this process held since the last reset, in 10⁶ bytes; None where the system does not tell."""
    try:
        line = next(line for line in PEAK.read_text().splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return None
    return int(line.split()[1]) * 1024 / 1e6


class Stopwatch:
    """Seconds of wall clock since it was made."""

    def __init__(self) -> None:
        """Start."""
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._start
