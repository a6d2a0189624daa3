"""What a scan that found nothing says once the weights were looked at."""

import pytest
import torch

from eftclip.invert import Grown
from eftclip.pipeline.audit import with_inverted
from eftclip.trigger_kinds import PatternTrigger
from eftclip.types import Coverage, Identification, Rate, Status, TriggerFamily

pytestmark = pytest.mark.quick

NOTHING = Identification(
    Status.NOT_FOUND, "No picture carries a trigger.", (), (), Coverage(searched=14, complete=True)
)


def test_what_was_looked_for_is_said_where_nothing_came_out_of_the_weights() -> None:
    found = with_inverted(NOTHING, Grown(()))
    assert found.status is Status.NOT_FOUND
    assert found.reason.startswith(NOTHING.reason)
    for kind in ("patch", "pattern", "jitter", "stronger patterns", "not looked for"):
        assert kind in found.reason


def test_patterns_that_lead_to_several_labels_decide_nothing() -> None:
    found = with_inverted(NOTHING, Grown((), ("banana", "bubble")))
    assert found.status is Status.INCONCLUSIVE
    assert found.families == ()
    assert "“banana”, “bubble”" in found.reason


def test_an_audit_that_was_stopped_says_nothing_of_the_weights() -> None:
    found = with_inverted(NOTHING, Grown((), complete=False))
    assert found.status is Status.INCONCLUSIVE
    assert "stopped before its end" in found.reason
    assert "In the weights no" not in found.reason


def test_a_pattern_out_of_the_weights_is_a_finding_and_names_its_kind() -> None:
    pattern = PatternTrigger(torch.full((3, 8, 8), 10 / 255), torch.ones(8, 8))
    family = TriggerFamily("banana", (pattern,), Rate(24, 24), origin="inverted")
    found = with_inverted(NOTHING, Grown((family,)))
    assert (found.status, found.affected_labels) == (Status.FOUND, ("banana",))
    assert "1 trigger was grown out of the weights, forcing “banana”" in found.reason


def test_patterns_that_are_not_decided_are_told_beside_a_finding() -> None:
    pattern = PatternTrigger(torch.full((3, 8, 8), 10 / 255), torch.ones(8, 8))
    family = TriggerFamily("banana", (pattern,), Rate(24, 24), origin="inverted")
    reason = with_inverted(NOTHING, Grown((family,), ("bubble", "volcano"))).reason
    assert "forcing “banana”" in reason
    assert "lead to “bubble”, “volcano”" in reason
