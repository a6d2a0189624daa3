"""Identification (Algorithm 2): from single verdicts to trigger families, affected labels and victims."""

from eftclip.identify.families import Families
from eftclip.identify.known import recognise
from eftclip.identify.ledger import Glance, Ledger, Outcome, Task

__all__ = ["Families", "Glance", "Ledger", "Outcome", "Task", "recognise"]
