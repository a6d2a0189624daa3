"""Checkpoints as visitors ask for them: pinned to a commit, loaded once, with each visitor's own settings."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from eftclip import pipeline
from eftclip.checkpoint import pin
from eftclip.config import DetectConfig
from eftclip.pipeline import CheckSetup
from eftclip.runtime import Cancelled, OnProgress, ignore, never
from eftclip.ui.checkpoint.request import Ask
from eftclip.ui.serving.loaded_checkpoints import Setups

NO_TOKEN: Any = False  # huggingface_hub's way to say: not even the token of this machine
MAX_GB = 2.0  # of weights on a page that others can reach: a ViT-L/14 has 1.7, and mending it takes three times as much


@dataclass(frozen=True)
class Terms:
    """What a page lets its visitors load.

    Attributes:
        token: for the Hub; `NO_TOKEN` on a page that others can reach, None for whatever this machine has.
        max_gb: size of a weight file in 10⁹ bytes; None for any.
        device: where weights go; the best place when None.
    """

    token: Any = NO_TOKEN
    max_gb: float | None = MAX_GB
    device: str | None = None


AT_HOME = Terms(token=None, max_gb=None)


class Loader:
    """Gives the setup that a visitor asks for; safe to use from many threads."""

    def __init__(self, terms: Terms) -> None:
        """Nothing is loaded yet."""
        self.terms = terms
        self._setups = Setups(partial(_prepare, terms))

    def get(self, ask: Ask, on_progress: OnProgress = ignore, cancelled: Cancelled = never) -> CheckSetup:
        """The loaded checkpoint with this visitor's settings.

        Raises:
            EftclipError: it cannot be loaded, or the visitor stopped waiting.
        """
        # On the Hub the very commit is looked up, so that a branch that moved on is never taken for loaded.
        pinned = _untuned(replace(ask, source=pin(ask.source, self.terms.token)))
        return _tuned(self._setups.get(pinned, on_progress=on_progress, cancelled=cancelled), ask)

    def peek(self, ask: Ask) -> CheckSetup | None:
        """The setup if it is loaded under this very name; never waits."""
        return self._setups.peek(_untuned(ask))


def _prepare(terms: Terms, ask: Ask, on_progress: OnProgress, cancelled: Cancelled) -> CheckSetup:
    return pipeline.prepare_check(
        ask.location,
        labels=ask.labels or "imagenet",
        oracle=ask.oracle,
        reference=ask.reference,
        config=ask.config,
        device=terms.device,
        token=terms.token,
        max_gb=terms.max_gb,
        seed=ask.seed,
        on_progress=on_progress,
        cancelled=cancelled,
    )


def _tuned(setup: CheckSetup, ask: Ask) -> CheckSetup:
    """The loaded checkpoint with this visitor's settings; strangers are read anew only where they would differ."""
    if ask.seed == 0 and ask.config.transplants == setup.config.transplants:
        return replace(setup, config=ask.config)
    return pipeline.retuned(setup, ask.config, seed=ask.seed)


def _untuned(ask: Ask) -> Ask:
    """Settings of the detector need no other load, so they are no part of what is looked up."""
    return replace(ask, config=DetectConfig(), seed=0)
