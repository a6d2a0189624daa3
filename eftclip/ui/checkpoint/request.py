"""Which checkpoint a visitor or a client wants to have tested, and how; checked before anything is loaded."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eftclip import data
from eftclip.checkpoint import architecture_names, hub_source
from eftclip.config import DetectConfig
from eftclip.errors import CheckpointError, ConfigError, DataError, OracleError
from eftclip.oracles.sam_weights import cached_weights
from eftclip.ui.checkpoint import texts
from eftclip.ui.checkpoint.uploaded import NONE_YET, UploadedCheckpoint
from eftclip.ui.components.validation import one_of, quoted, single_line, whole_number
from eftclip.zeroshot import MAX_LABEL_CHARS, MAX_LABELS, parse_labels

BUNDLED = ("badnets", "clean", "multi")
ORACLES = ("auto", "superpixel", "sam")
SAM = "vit_b"  # the size that `load_oracle` looks for
REFERENCES = ("auto", "none")
MAX_LABEL_TEXT = MAX_LABELS * MAX_LABEL_CHARS
MAX_SEED = 2**31 - 1


@dataclass(frozen=True)
class CheckpointRequest:
    """Everything that a check needs besides the picture; it is also the key of a loaded checkpoint.

    Attributes:
        source: a bundled name, `hf:org/name[@revision]`, a folder, or the name of what was uploaded.
        labels: the visitor's own labels; None for ImageNet's 1,000.
        oracle: one of `ORACLES`.
        reference: one of `REFERENCES`.
        config: settings of the detector.
        seed: of the generator.
        upload: what was uploaded; None for any other source.
        architecture: of weights that come alone, as for `load_clip`; None where the checkpoint states it.
        allow_pickle: weights may come as a pickle.
    """

    source: str
    labels: tuple[str, ...] | None = None
    oracle: str = "auto"
    reference: str = "auto"
    config: DetectConfig = DetectConfig()
    seed: int = 0
    upload: UploadedCheckpoint | None = None
    architecture: str | None = None
    allow_pickle: bool = False

    @property
    def location(self) -> str:
        """The source as the pipeline names it; bundled checkpoints by their place in the repository."""
        if self.upload is not None:
            return self.upload.location
        return f"examples/checkpoints/{self.source}" if self.source in BUNDLED else self.source


FIRST_CHECKPOINT = CheckpointRequest("badnets")


def checkpoint_request(
    source: object,
    *,
    labels: object = "",
    oracle: object = "auto",
    reference: object = "auto",
    settings: Mapping[str, Any] | None = None,
    seed: object = 0,
    architecture: object = "",
    allow_pickle: object = False,
    folders: bool = False,
) -> CheckpointRequest:
    """Check values that came over the network; nothing is taken on trust because a page would not send it.

    Args:
        source: bundled name, Hub id with `hf:` in front, a folder, or an upload, which no client can send as such.
        labels: text with one label a line; empty for ImageNet's.
        oracle: one of `ORACLES`.
        reference: one of `REFERENCES`.
        settings: fields of `DetectConfig`.
        seed: 0 to 2³¹ − 1.
        architecture: a name of open_clip's, or a folder; empty where the checkpoint states it.
        allow_pickle: weights may come as a pickle; only where folders may be named.
        folders: folders of this machine may be named.

    Raises:
        EftclipError: one of them cannot be used; the message says which and why.
    """
    upload = source if isinstance(source, UploadedCheckpoint) else None
    return CheckpointRequest(
        source=upload.name if upload else _source(source, folders),
        labels=_labels(labels),
        oracle=_oracle(oracle),
        reference=one_of("reference", reference, REFERENCES),
        config=DetectConfig.from_dict(_settings(settings or {})),
        seed=whole_number("seed", seed, 0, MAX_SEED),
        upload=upload,
        architecture=_architecture(architecture, folders),
        allow_pickle=allow_pickle is True and folders,
    )


@lru_cache(maxsize=1)
def available_oracles() -> tuple[str, ...]:
    """The oracles that a visitor may choose: a click must not start a download of hundreds of megabytes."""
    return tuple(name for name in ORACLES if name != "sam" or cached_weights(SAM) is not None)


def _source(value: object, folders: bool) -> str:
    text = single_line(value)
    if not text:
        raise CheckpointError(
            f"No usable checkpoint was named (got {quoted(value)}); give {', '.join(BUNDLED)}, or hf:org/name."
        )
    if (named := hub_source(text)) is not None:
        return named
    if text in BUNDLED or folders:
        return text
    raise CheckpointError(
        f"{quoted(text)} is neither bundled ({', '.join(BUNDLED)}) nor a Hub id such as hf:org/name; "
        "folders can be named only when the app runs on your own machine."
    )


def _architecture(value: object, folders: bool) -> str | None:
    if value is None or value == "":
        return None
    text = single_line(value)
    if text and (folders or text in architecture_names()):
        return text
    raise CheckpointError(
        f"{quoted(value)} is no architecture that can be chosen here; take one of the list, e.g. ViT-B-32, or leave it "
        "empty where the checkpoint states its own."
    )


def _labels(value: object) -> tuple[str, ...] | None:
    if value is None or value == "" or value == "imagenet":
        return None
    if not isinstance(value, str):
        raise DataError(f"Labels must be text with one label a line, got {type(value).__name__}.")
    if len(value) > MAX_LABEL_TEXT:
        raise DataError(f"The label list has {len(value)} characters; at most {MAX_LABEL_TEXT} can be read.")
    return parse_labels(data.read_label_text(value)[0])


def _oracle(value: object) -> str:
    name = one_of("oracle", value, ORACLES)
    if name not in available_oracles():
        raise OracleError(
            "SAM's weights are not on this machine, so its oracle cannot be used here; choose superpixel."
        )
    return name


def _settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Choices from their lists, and numbers."""
    chosen = {name: value for name, value in settings.items() if name in texts.CHOICES}
    numbers = _numbers({name: value for name, value in settings.items() if name not in chosen})
    return {**numbers, **{name: one_of(name, value, tuple(texts.CHOICES[name][1])) for name, value in chosen.items()}}


def _numbers(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Sliders may send 24.0 for 24; text or nothing is refused here, ranges by the configuration itself."""
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"{name} must be a number, got {quoted(value)}.")
    whole_names = {name for name, value in DetectConfig().to_dict().items() if isinstance(value, int)}
    return {name: int(value) if name in whole_names else float(value) for name, value in settings.items()}


def read_form(folders: bool, form: tuple[Any, ...]) -> CheckpointRequest:
    """The values of `CheckpointStep.form` as what the pipeline is asked.

    Raises:
        EftclipError: one of them cannot be used.
    """
    kind, hub, folder, upload, architecture, pickle, vocabulary, labels, oracle, reference, seed, *settings = form
    if kind == "upload" and not isinstance(upload, UploadedCheckpoint):
        raise CheckpointError(NONE_YET)
    sources = {"hub": _hub_source(hub), "folder": folder, "upload": upload}
    return checkpoint_request(
        sources.get(kind, kind),
        architecture=architecture if kind in sources else "",
        allow_pickle=pickle if kind in sources else False,
        labels=_own_labels(labels) if vocabulary == "own" else "",
        oracle=oracle,
        reference=reference,
        settings=dict(zip((*texts.CHOICES, *texts.SETTINGS), settings, strict=True)),
        seed=seed,
        folders=folders,
    )


def _hub_source(text: Any) -> Any:
    if not isinstance(text, str) or not text.strip():
        return text
    return hub_source(text.strip()) or f"hf:{text.strip()}"


def _own_labels(text: Any) -> Any:
    """An own list that is empty must not silently become ImageNet's."""
    return text if not isinstance(text, str) or text.strip() else "\n"
