"""Oracles under one contract: they say what is in a picture without knowing what CLIP reads in it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from eftclip.errors import OracleError
from eftclip.oracles.sam import SamOracle
from eftclip.oracles.sam_weights import SAM_MODELS, cached_weights, official_weights, read_sam
from eftclip.oracles.superpixel import SuperpixelOracle
from eftclip.types import Oracle

__all__ = ["ORACLES", "SAM_MODELS", "Oracle", "Request", "SamOracle", "SuperpixelOracle", "load_oracle"]


@dataclass(frozen=True)
class Request:
    """What an oracle may need to be made; see `load_oracle`."""

    device: torch.device
    weights: Path | None
    model: str
    token: str | None


def _superpixel(request: Request) -> Oracle:
    if request.weights is not None:
        raise OracleError(f"The superpixel oracle takes no weights, got {request.weights}; choose sam.")
    return SuperpixelOracle()


def _sam(request: Request) -> Oracle:
    path = request.weights or official_weights(request.model, token=request.token)
    model, sam = read_sam(path, device=request.device)
    return SamOracle(sam, name=f"sam:{model}")


def _auto(request: Request) -> Oracle:
    """SAM where its weights are at hand; a download is never started for somebody who did not ask for it."""
    path = request.weights or cached_weights(request.model)
    if path is None:
        return SuperpixelOracle()
    model, sam = read_sam(path, device=request.device)
    return SamOracle(sam, name=f"sam:{model}")


ORACLES: dict[str, Callable[[Request], Oracle]] = {"auto": _auto, "superpixel": _superpixel, "sam": _sam}


def load_oracle(
    name: str = "auto",
    *,
    device: torch.device,
    weights: Path | None = None,
    model: str = "vit_b",
    token: str | None = None,
) -> Oracle:
    """Make an oracle of the registry; its `name` says which one it is.

    Args:
        name: a key of `ORACLES`. `auto` is SAM when its weights are given or already in the Hub's cache, else
            superpixel; only `sam` may download.
        device: where a network runs.
        weights: a local file in SAM's own format; its shapes tell its size.
        model: the size of SAM to look for on the Hub, a key of `SAM_MODELS`; without meaning for a local file.
        token: for the Hub.

    Raises:
        OracleError: unknown name or size, or the weights are missing or not the expected ones.
    """
    if name not in ORACLES:
        raise OracleError(f"Unknown oracle {name!r}; known are {', '.join(ORACLES)}.")
    return ORACLES[name](Request(device, weights, model, token))
