"""What a visitor or a client typed, checked and turned into what the pipeline is asked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eftclip.config import DetectConfig
from eftclip.errors import CheckpointError, ConfigError, DataError, OracleError
from eftclip.oracles.sam_weights import cached_weights
from eftclip.zeroshot import MAX_LABEL_CHARS, MAX_LABELS, parse_labels

BUNDLED = ("badnets", "clean", "multi")
ORACLES = ("auto", "superpixel", "sam")
SAM = "vit_b"  # the size that `load_oracle` looks for
REFERENCES = ("auto", "none")
MAX_SOURCE_CHARS = 300
MAX_LABEL_TEXT = MAX_LABELS * MAX_LABEL_CHARS
MAX_SEED = 2**31 - 1


@dataclass(frozen=True)
class Ask:
    """Everything that a check needs besides the picture; it is also the key of a loaded checkpoint.

    Attributes:
        source: a bundled name, `hf:org/name[@revision]` or a folder.
        labels: the visitor's own labels; None for ImageNet's 1,000.
        oracle: one of `ORACLES`.
        reference: one of `REFERENCES`.
        config: settings of the detector.
        seed: of the generator.
    """

    source: str
    labels: tuple[str, ...] | None = None
    oracle: str = "auto"
    reference: str = "auto"
    config: DetectConfig = DetectConfig()
    seed: int = 0

    @property
    def location(self) -> str:
        """The source as the pipeline names it; bundled checkpoints by their place in the repository."""
        return f"examples/checkpoints/{self.source}" if self.source in BUNDLED else self.source


def ask(
    source: object,
    *,
    labels: object = "",
    oracle: object = "auto",
    reference: object = "auto",
    settings: Mapping[str, Any] | None = None,
    seed: object = 0,
    folders: bool = False,
) -> Ask:
    """Check values that came over the network; nothing is taken on trust because a page would not send it.

    Args:
        source: bundled name, Hub id with `hf:` in front, or a folder.
        labels: text with one label a line; empty for ImageNet's.
        oracle: one of `ORACLES`.
        reference: one of `REFERENCES`.
        settings: fields of `DetectConfig`.
        seed: 0 to 2³¹ − 1.
        folders: folders of this machine may be named.

    Raises:
        EftclipError: one of them cannot be used; the message says which and why.
    """
    return Ask(
        source=_source(source, folders),
        labels=_labels(labels),
        oracle=_oracle(oracle),
        reference=one_of("reference", reference, REFERENCES),
        config=DetectConfig.from_dict(_numbers(settings or {})),
        seed=whole("seed", seed, 0, MAX_SEED),
    )


@lru_cache(maxsize=1)
def oracles_at_hand() -> tuple[str, ...]:
    """The oracles that a visitor may choose: a click must not start a download of hundreds of megabytes."""
    return tuple(name for name in ORACLES if name != "sam" or cached_weights(SAM) is not None)


def whole(name: str, value: object, low: int, high: int) -> int:
    """A whole number within its range.

    Raises:
        ConfigError: it is not one.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value % 1:
        raise ConfigError(f"The {name} must be a whole number, got {shown(value)}.")
    if not low <= value <= high:
        raise ConfigError(f"The {name} must lie between {low} and {high}, got {shown(value)}.")
    return int(value)


def _source(value: object, folders: bool) -> str:
    text = typed(value)
    if not text:
        raise CheckpointError(
            f"No usable checkpoint was named (got {shown(value)}); give {', '.join(BUNDLED)}, or hf:org/name."
        )
    if text in BUNDLED or text.startswith("hf:") or folders:
        return text
    raise CheckpointError(
        f"{shown(text)} is neither bundled ({', '.join(BUNDLED)}) nor a Hub id such as hf:org/name; "
        "folders can be named only when the app runs on your own machine."
    )


def _labels(value: object) -> tuple[str, ...] | None:
    if value is None or value == "" or value == "imagenet":
        return None
    if not isinstance(value, str):
        raise DataError(f"Labels must be text with one label a line, got {type(value).__name__}.")
    if len(value) > MAX_LABEL_TEXT:
        raise DataError(f"The label list has {len(value)} characters; at most {MAX_LABEL_TEXT} can be read.")
    return parse_labels(value.splitlines())


def typed(value: object) -> str:
    """A source as typed; empty when it is no text, too long, or not printable on one line."""
    text = value.strip() if isinstance(value, str) else ""
    return text if len(text) <= MAX_SOURCE_CHARS and text.isprintable() else ""


def _oracle(value: object) -> str:
    name = one_of("oracle", value, ORACLES)
    if name not in oracles_at_hand():
        raise OracleError(
            "SAM's weights are not on this machine, so its oracle cannot be used here; choose superpixel."
        )
    return name


def one_of(name: str, value: object, known: Sequence[str]) -> str:
    """One of the values that are known.

    Raises:
        ConfigError: it is none of them.
    """
    if not isinstance(value, str) or value not in known:
        raise ConfigError(f"Unknown {name} {shown(value)}; choose one of {', '.join(known)}.")
    return value


def _numbers(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Sliders may send 24.0 for 24; text or nothing is refused here, ranges by the configuration itself."""
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"{name} must be a number, got {shown(value)}.")
    whole_names = {name for name, value in DetectConfig().to_dict().items() if isinstance(value, int)}
    return {name: int(value) if name in whole_names else float(value) for name, value in settings.items()}


def shown(value: object) -> str:
    """Any value as it may stand in a sentence: quoted and short."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
