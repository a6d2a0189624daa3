"""Curation: from what a scan found to a compact fine-tuning set, with a reason for every picture in it."""

from eftclip.curate.candidates import curate_scan
from eftclip.curate.selection import Candidate, curate

__all__ = ["Candidate", "curate", "curate_scan"]
