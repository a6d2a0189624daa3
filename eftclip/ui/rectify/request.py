"""What a visitor wants rectified, checked like everything else that comes over the network."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from eftclip.config import CurateConfig, MeasureConfig, RectifyConfig, ScanConfig
from eftclip.errors import ConfigError
from eftclip.pipeline import Plan
from eftclip.ui.checkpoint.request import CheckpointRequest
from eftclip.ui.components.settings import read_settings
from eftclip.ui.rectify.texts import LINES, MEASURE_SETTINGS, SETTINGS, choices, usable_method
from eftclip.ui.scan.request import scan_plan


@dataclass(frozen=True)
class RectifyRequest:
    """Which checkpoint to mend, and how."""

    checkpoint: CheckpointRequest
    plan: Plan


def plan(values: Mapping[str, object]) -> Plan:
    """The settings of the stages after the check; those that are not named stay as they are.

    Raises:
        ConfigError: one of them is unknown or out of its range.
    """
    stages = (ScanConfig, CurateConfig, RectifyConfig, MeasureConfig)
    known = {field.name for config in stages for field in fields(config)}
    if stray := sorted(set(values) - known):
        raise ConfigError(f"Unknown settings {', '.join(stray)}; known are {', '.join(sorted(known))}.")
    if "method" in values:
        usable_method(values["method"])
    return replace(
        scan_plan(values),
        rectify=read_settings(RectifyConfig, values, SETTINGS, choices(), LINES),
        measure=read_settings(MeasureConfig, values, MEASURE_SETTINGS, {}),
    )
