"""Detectors of backdoors under one contract: our own, and rivals written anew from their papers and released code.

Other packages add theirs by entry points of the groups `eftclip.picture_detectors` and `eftclip.checkpoint_detectors`.
"""

from eftclip.plugins import Registry
from examples.bench.rivals.as_published import AsPublished
from examples.bench.rivals.bdetclip import BDetClip
from examples.bench.rivals.clip_inspector import ClipInspector
from examples.bench.rivals.cognitive_distillation import CognitiveDistillation
from examples.bench.rivals.contract import CheckpointDetector, PictureDetector
from examples.bench.rivals.dao import Dao
from examples.bench.rivals.decree import Decree
from examples.bench.rivals.ours import Audit, Check
from examples.bench.rivals.strip import Strip

__all__ = ["CHECKPOINT_DETECTORS", "OURS", "PICTURE_DETECTORS", "CheckpointDetector", "PictureDetector"]

OURS = ("eftclip", "eftclip_audit")
_PICTURES = (Check(), AsPublished(), Strip(), CognitiveDistillation(), BDetClip(), Dao())
PICTURE_DETECTORS = Registry[PictureDetector](
    {detector.name: detector for detector in _PICTURES},
    group="eftclip.picture_detectors",
    kind=PictureDetector,
    noun="picture detector",
)
CHECKPOINT_DETECTORS = Registry[CheckpointDetector](
    {detector.name: detector for detector in (Audit(), Decree(), ClipInspector())},
    group="eftclip.checkpoint_detectors",
    kind=CheckpointDetector,
    noun="checkpoint detector",
)
