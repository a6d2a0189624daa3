"""Checkpoints as visitors ask for them: pinned to a commit, loaded once, with each visitor's own settings."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from eftclip import pipeline
from eftclip.checkpoint import pin
from eftclip.config import DetectConfig
from eftclip.pipeline import CheckSetup
from eftclip.runtime import Cancelled, OnProgress, ignore, never
from eftclip.ui.checkpoint.request import CheckpointRequest
from eftclip.ui.serving.loaded_checkpoints import LoadedCheckpoints

NO_TOKEN: Any = False  # huggingface_hub's way to say: not even the token of this machine
MAX_GB = 2.0  # of weights on a page that others can reach: a ViT-L/14 has 1.7, and mending it takes three times as much


@dataclass(frozen=True)
class LoadPolicy:
    """What a page lets its visitors load.

    Attributes:
        token: for the Hub; `NO_TOKEN` on a page that others can reach, None for whatever this machine has.
        max_gb: size of a weight file in 10⁹ bytes; None for any.
        device: where weights go; the best place when None.
    """

    token: Any = NO_TOKEN
    max_gb: float | None = MAX_GB
    device: str | None = None


OWN_MACHINE = LoadPolicy(token=None, max_gb=None)


class Loader:
    """Gives the setup that a visitor asks for; safe to use from many threads."""

    def __init__(self, policy: LoadPolicy) -> None:
        """Nothing is loaded yet."""
        self.policy = policy
        self._setups = LoadedCheckpoints(partial(_prepare, policy))

    def get(
        self, request: CheckpointRequest, on_progress: OnProgress = ignore, cancelled: Cancelled = never
    ) -> CheckSetup:
        """The loaded checkpoint with this visitor's settings.

        Raises:
            EftclipError: it cannot be loaded, or the visitor stopped waiting.
        """
        if request.upload is not None:
            request.upload.check_there()
        # On the Hub the very commit is looked up, so that a branch that moved on is never taken for loaded.
        source = request.source if request.upload else pin(request.source, self.policy.token)
        pinned = _without_settings(replace(request, source=source))
        return _with_settings(self._setups.get(pinned, on_progress=on_progress, cancelled=cancelled), request)

    def peek(self, request: CheckpointRequest) -> CheckSetup | None:
        """The setup if it is loaded under this very name; never waits."""
        return self._setups.peek(_without_settings(request))


def _prepare(
    policy: LoadPolicy, request: CheckpointRequest, on_progress: OnProgress, cancelled: Cancelled
) -> CheckSetup:
    return pipeline.prepare_check(
        request.location,
        name=request.upload.name if request.upload else None,
        architecture=request.architecture,
        allow_pickle=request.allow_pickle,
        labels=request.labels or "imagenet",
        oracle=request.oracle,
        reference=request.reference,
        config=request.config,
        device=policy.device,
        token=policy.token,
        max_gb=policy.max_gb,
        seed=request.seed,
        on_progress=on_progress,
        cancelled=cancelled,
    )


def _with_settings(setup: CheckSetup, request: CheckpointRequest) -> CheckSetup:
    """The loaded checkpoint with this visitor's settings; strangers are read anew only where they would differ."""
    if request.upload is not None:  # the same files may have been loaded from somebody else's upload, which may be gone
        ref = replace(setup.clip.ref, location=request.upload.location)
        setup = replace(setup, clip=replace(setup.clip, ref=ref))
    if request.seed == 0 and request.config.transplants == setup.config.transplants:
        return replace(setup, config=request.config)
    return pipeline.with_settings(setup, request.config, seed=request.seed)


def _without_settings(request: CheckpointRequest) -> CheckpointRequest:
    """Settings of the detector need no other load, so they are no part of what is looked up."""
    return replace(request, config=DetectConfig(), seed=0)
