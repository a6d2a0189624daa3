"""Identification (Algorithm 2): from single verdicts to trigger families, affected labels and victims."""

from eftclip.identify.families import Families
from eftclip.identify.journal import Journal
from eftclip.identify.judge import Judge
from eftclip.identify.recognise import recognise, without_trigger
from eftclip.identify.samples import SampleReading, SearchOutcome, SearchTask
from eftclip.identify.scan_state import ScanState
from eftclip.identify.scanner import nothing_judged, scan
from eftclip.identify.serialize import identification_from_dict, identification_to_dict

__all__ = [
    "Families",
    "Journal",
    "Judge",
    "SampleReading",
    "ScanState",
    "SearchOutcome",
    "SearchTask",
    "identification_from_dict",
    "identification_to_dict",
    "nothing_judged",
    "recognise",
    "scan",
    "without_trigger",
]
