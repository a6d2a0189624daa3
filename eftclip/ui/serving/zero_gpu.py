"""A GPU that a ZeroGPU Space lends for a while: work is done in a process of its own there, everywhere else here."""

import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeVar, cast

try:  # a Space has it; it wants to be imported before anything touches CUDA
    from spaces import GPU
except ImportError:
    GPU = None

from eftclip.errors import DataError, EftclipError
from eftclip.runtime import Cancelled, reset_device
from eftclip.ui.serving.background import Ended, watch
from eftclip.ui.serving.job import Job
from eftclip.ui.serving.loading import Loader, LoadPolicy

log = logging.getLogger(__name__)
TAG = re.compile(r"<[^>]*>")
R = TypeVar("R")


def available() -> bool:
    """Whether GPUs are lent here, one call at a time."""
    return GPU is not None and os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def loading_policy(policy: LoadPolicy) -> LoadPolicy:
    """Where GPUs are lent, this process has none: it only shows what is under test."""
    return LoadPolicy(policy.token, policy.max_gb, "cpu") if available() else policy


def run_job(job: Job[R], loader: Loader, tell: Callable[[Any], None], cancelled: Cancelled) -> R:
    """Do a job where it can be done best.

    Args:
        job: what to do.
        loader: gives the checkpoint, if it is done here.
        tell: gets the news of the job.
        cancelled: asked often.

    Raises:
        EftclipError: it could not be done, or was stopped.
    """
    return _run_on_gpu(job, loader.policy, tell, cancelled) if available() else job.do(loader.get, tell, cancelled)


def _run_on_gpu(job: Job[R], policy: LoadPolicy, tell: Callable[[Any], None], cancelled: Cancelled) -> R:
    steps, end = _on_gpu(job, LoadPolicy(policy.token, policy.max_gb)), None
    try:
        for item in steps:  # to its very end, or the GPU would count as in use
            if isinstance(item, Ended):
                end = item
            elif cancelled():
                raise DataError("Stopped.")
            else:
                tell(item)
    except EftclipError:
        raise
    except Exception as error:  # the Space's own refusals, e.g. of a visitor who has used up his GPU time
        said = TAG.sub("", str(getattr(error, "message", "") or type(error).__name__))
        raise DataError(f"The Space lent no GPU, or took it back: {said}") from error
    finally:
        with suppress(AttributeError):
            steps.close()
    if end is None:
        raise DataError("The Space took the GPU back before the work was done; try again, or run EftCLIP at home.")
    if isinstance(end.value, Exception):
        raise end.value
    return cast(R, end.value)


def _seconds(job: Job[Any], policy: LoadPolicy) -> int:
    """For how long the GPU is asked for; more than a visitor has left is refused before it begins."""
    return job.gpu_s


def _work(job: Job[Any], policy: LoadPolicy) -> Iterator[Any]:
    """In the process that has the GPU: news as they come, then the result or what went wrong; all of it can be sent."""
    reset_device()
    loader, stop = _loader_in_gpu_process(policy), threading.Event()

    def work(tell: Callable[[Any], None]) -> Any:
        try:
            return job.do(loader.get, tell, stop.is_set)
        except EftclipError as error:
            return error
        except Exception:
            log.exception("work on a lent GPU failed")
            return RuntimeError("see the log of the server")

    yield from watch(work, stop)


@lru_cache(maxsize=1)
def _loader_in_gpu_process(policy: LoadPolicy) -> Loader:
    """A process that has a GPU may be given several jobs one after another; what it loaded it keeps."""
    return Loader(policy)


# A Space looks for a decorated function at its start, and refuses to run without one.
_on_gpu: Callable[[Job[Any], LoadPolicy], Any] = GPU(duration=_seconds)(_work) if GPU is not None else _work
