"""The frozen values handed from stage to stage; each one checks itself where it is made."""

from eftclip.types.counts import Rate
from eftclip.types.models import Box, CheckpointRef, ClassMatrix, ClipModel, Oracle, Region, Strangers
from eftclip.types.records import Checked, CheckRecord, Sanity
from eftclip.types.verdicts import Detection, FoundTrigger, LabelEvidence, Prediction, Status, Stranger

__all__ = [
    "Box",
    "CheckRecord",
    "Checked",
    "CheckpointRef",
    "ClassMatrix",
    "ClipModel",
    "Detection",
    "FoundTrigger",
    "LabelEvidence",
    "Oracle",
    "Prediction",
    "Rate",
    "Region",
    "Sanity",
    "Status",
    "Stranger",
    "Strangers",
]
