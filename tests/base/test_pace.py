"""How fast a stage goes, and what is left of it, from the second step on."""

import time

import pytest

from eftclip.runtime import Progress, paced

pytestmark = pytest.mark.quick


def test_each_stage_has_a_speed_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    now, told = [0.0], list[Progress]()
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    tell = paced(told.append)
    for seconds, stage, done in ((0, "Reading", 0), (2, "Reading", 100), (4, "Reading", 150), (9, "Scanning", 4)):
        now[0] = seconds
        tell(Progress(stage, done, 200))
    now[0] = 13.0
    tell(Progress("Scanning", 6, 200))
    assert [step.per_second for step in told] == [0.0, 50.0, 37.5, 0.0, 0.5]
    assert [step.pace for step in told] == ["", "50 a second, 2 s left", "38 a second, 2 s left", "", told[-1].pace]
    assert told[-1].pace == "2.0 s each, 6 min left"


def test_what_goes_back_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now, told = [0.0], list[Progress]()
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    tell = paced(told.append)
    for seconds, done in ((0, 0), (1, 10), (2, 2), (4, 6)):
        now[0] = float(seconds)
        tell(Progress("Inverting", done, 10))
    assert [step.per_second for step in told] == [0.0, 10.0, 0.0, 2.0]
    assert told[1].pace == "10.0 a second", "nothing is left"


@pytest.mark.parametrize(("left", "says"), [(99, "99 s"), (1800, "30 min"), (7200, "2.0 h")])
def test_what_is_left_is_rounded(left: int, says: str) -> None:
    assert Progress("Reading", 0, left, per_second=1.0).pace == f"1.0 a second, {says} left"


def test_without_a_total_there_is_only_the_speed() -> None:
    assert Progress("Measuring", 500, 0, per_second=1234.0).pace == "1,234 a second"
