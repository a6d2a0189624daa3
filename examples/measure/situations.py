"""What people bring and what comes of it: runs the tests of all situations and counts them by kind and outcome.

    python -m examples.measure.situations [--out FILE]

A situation is a test with the mark `situation`; each of its parameters is one of its own. It builds its input, a
checkpoint, a data set, a list of labels or a machine, and holds what comes of it against what must:

* *read* as it was meant by those who wrote it,
* *counted* as not read, so that nothing is acquitted, or
* *refused* with one sentence that says what to do.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import pytest

from examples.measure.measured_at import ROOT, commit

OUT = ROOT / "examples" / "results" / "situations.json"
OUTCOMES = ("read", "counted", "refused")


class Recorder:
    """Notes the situations of a test run, and how each of them ended."""

    def __init__(self) -> None:
        """Nothing has run."""
        self.marked: dict[str, tuple[str, str]] = {}
        self.passed: dict[str, bool] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the kind and the outcome of each test with the mark."""
        for item in items:
            if mark := item.get_closest_marker("situation"):
                kind, outcome = mark.args
                self.marked[item.nodeid] = kind, outcome

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Passed is what passed from its set-up to its end."""
        self.passed[report.nodeid] = self.passed.get(report.nodeid, True) and report.passed

    def rows(self) -> list[dict[str, object]]:
        """For each kind and outcome how many there are, and how many came out so."""
        counts = Counter(self.marked.values())
        right = Counter(self.marked[name] for name, passed in self.passed.items() if passed and name in self.marked)
        return [
            {"kind": kind, "outcome": outcome, "situations": counts[kind, outcome], "as_it_must": right[kind, outcome]}
            for kind, outcome in sorted(counts, key=lambda pair: (pair[0], OUTCOMES.index(pair[1])))
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    recorder = Recorder()
    pytest.main(["-m", "situation", "-n", "0", "-q", "--durations=0", "--no-header", str(ROOT)], plugins=[recorder])
    document = {
        "schema_version": "1.0",
        "kind": "situations",
        "command": "python -m examples.measure.situations",
        "commit": commit(),
        "counts": recorder.rows(),
        "not_as_it_must": sorted(name for name in recorder.marked if not recorder.passed.get(name)),
    }
    out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
