"""Leaderboards hold every count of the result files, and say who does best without favour."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eftclip.benchmark import Cell, Column, Leaderboard, Row, results_folder
from eftclip.benchmark.audits import audits
from eftclip.benchmark.detect import SHOWN, checkpoints, pictures
from eftclip.benchmark.leaderboard import number, rate, source
from eftclip.benchmark.names import traits
from eftclip.benchmark.rectify import methods
from eftclip.benchmark.scans import scans
from eftclip.benchmark.zoo import zoo
from examples.build.results_page.boards import alternative, pooled_chart

pytestmark = pytest.mark.quick

Counts = tuple[int, int]


def _read(beginning: str) -> dict[str, dict[str, Any]]:
    files = sorted(results_folder().glob(f"{beginning}*.json"))
    assert files
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


def _counted(value: Any) -> Iterator[Counts]:
    """Every hits and total somewhere in a document; what was never tried is no number."""
    if isinstance(value, dict):
        if "hits" in value and value["total"]:
            yield value["hits"], value["total"]
        for inner in value.values():
            yield from _counted(inner)


def _rates(row: Row) -> Counter[Counts]:
    return Counter((cell.rate.hits, cell.rate.total) for cell in row.cells.values() if cell.rate)


def test_every_count_of_the_detectors_is_in_its_row() -> None:
    documents = _read("rivals_detect")
    rows = {(*row.group, row.cell("method").text): row for row in pictures(documents).rows}
    expected = 0
    for file, document in documents.items():
        for name, entry in document["checkpoints"].items():
            for method, one in entry["picture_methods"].items():
                for target in entry["attacks"] or [""]:
                    row = rows.pop((file, name, target, SHOWN[method]))
                    of_all = {key: value for key, value in one.items() if key != "targets"}
                    assert _rates(row) == Counter([*_counted(of_all), *_counted(one["targets"].get(target, {}))])
                    found = one["targets"].get(target)
                    assert row.cell("auroc").value == (round(found["auroc"], 2) if found else None)
                    assert row.cell("forwards").text == f"{one['forwards_per_picture']:,.0f}"
                    expected += 1
    assert expected > 5 and not rows


def test_every_count_of_the_checkpoint_detectors_is_in_its_row() -> None:
    documents = _read("rivals_detect")
    board = checkpoints(documents)
    rows = {(*row.group, row.cell("method").text): row for row in board.rows}
    for file, document in documents.items():
        for name, entry in document["checkpoints"].items():
            for method, one in entry["checkpoint_methods"].items():
                row = rows.pop((file, name, SHOWN[method]))
                assert _rates(row) == Counter(_counted(one))
                word = {True: "yes", False: "no"}[one["accused"]]
                right = one["accused"] == bool(entry["attacks"])
                assert row.cell("accused").text == f"{word}, {'rightly' if right else 'wrongly'}"
                assert row.cell("others").value == len(one["wrong_labels"])
    assert board.rows and not rows


def test_every_count_of_the_methods_is_in_its_row() -> None:
    documents = _read("rivals_rectify")
    rows = iter(methods(documents).rows)
    for document in documents.values():
        for part in document["checkpoints"].values():
            before = next(rows)
            assert set(_rates(before)) == set(_counted(_worst(part["before"])))
            assert before.cell("method").text == "before" and not before.competes
            for key, one in part["rows"].items():
                row = next(rows)
                assert one["method"] in row.cell("method").text
                if "after" not in one:
                    assert not _rates(row) and not row.competes
                    continue
                worst = one["after"]["attack_worst"]
                rebound = part["rebounds"].get(key, {}).get("attack_worst", {})
                counted = {*_counted(_worst(one["after"])), *_counted(one["kept"]), *_counted(rebound)}
                assert set(_rates(row)) == counted
                assert row.cell("image_steps").value == one["image_steps"]
                assert row.cell("asr").interval == (worst["low"], worst["high"])
    assert next(rows, None) is None


def _worst(after: dict[str, Any]) -> dict[str, Any]:
    """Without the triggers one by one."""
    return {key: after[key] for key in ("clean", "attack_worst", "poisoned_worst")}


def test_every_checkpoint_of_the_zoo_has_its_row() -> None:
    documents = _read("zoo_")
    rows = {row.group: row for row in zoo(documents).rows}
    for file, document in documents.items():
        for name, one in document["checkpoints"].items():
            for target, hijacked in (one["hijacked"] or {"": {}}).items():
                found = rows.pop((file, name, target)).cell("found").rate
                expected = hijacked.get("found_with_the_right_label")
                assert (found and (found.hits, found.total)) == (expected and (expected["hits"], expected["total"]))
    assert not rows


def test_the_sets_of_one_share_are_counted_together() -> None:
    documents = _read("scans")
    rows = {row.group: row for row in scans(documents).rows}
    for file, document in documents.items():
        for name, one in document["checkpoints"].items():
            for share in {key.split()[0] for key in one["sets"]}:
                sets = [counted for key, counted in one["sets"].items() if key.split()[0] == share]
                row = rows.pop((file, name, share))
                for key, column in (("victim_recall", "recall"), ("victim_precision", "precision")):
                    total = sum(counted[key]["total"] for counted in sets)
                    seen = row.cell(column).rate
                    assert (seen.total if seen else 0) == total
                named = row.cell("named").rate
                assert (named.total if named else 0) == sum(counted["hijacked"] > 0 for counted in sets)
    assert not rows


def test_an_audit_is_right_with_every_target_and_no_other_label() -> None:
    told = {
        "effnet-strong-clean-0": ([], []),
        "effnet-strong-badnets16-0": (["banana"], ["banana"]),
        "effnet-strong-sig-0": (["banana"], []),
        "effnet-strong-three-0": (["banana", "lion"], ["banana", "lion", "zebra"]),
    }
    checkpoints = {
        name: {"targets": targets, "named": named, "seconds": 1.0, "sha256": "0", "commit": "abc"}
        for name, (targets, named) in told.items()
    }
    document = {"settings": {"reference": "none"}, "command": "x", "checkpoints": checkpoints}
    board = audits({"audits": document})
    assert [row.cell("right").text for row in board.rows] == ["yes", "yes", "no", "no"]
    assert "1 of 3 poisoned" in board.introduction[0]
    assert "1 of 1 clean" in board.introduction[0]


def test_a_set_counts_as_named_only_with_every_label_and_as_silent_only_with_victims() -> None:
    kinds = {
        "10 % 0": ("found", ["banana", "lion"], ["lion"], 2),
        "10 % 1": ("not_found", [], [], 2),
        "10 % 2": ("inconclusive", [], [], 2),
        "10 % 3": ("not_found", [], [], 0),
    }
    nothing = {"hits": 0, "total": 0}
    sets = {
        key: {
            "status": status,
            "affected_labels": named,
            "wrong_labels": wrong,
            "targets": ["banana"] if hijacked else [],
            "hijacked": hijacked,
            **dict.fromkeys(("victim_recall", "victim_precision", "hijacked_undecided"), nothing),
            "untouched_undecided": nothing,
            "image_forwards": 10,
            "seconds": 1.0,
        }
        for key, (status, named, wrong, hijacked) in kinds.items()
    }
    one = {"sha256": "0" * 64, "commit": "abc", "sets": sets}
    settings = {"size": 300, "reference": "none"}
    document = {"settings": settings, "command": "c", "checkpoints": {"effnet-weak-wanet-0": one}}
    (row,) = scans({"scans": document}).rows
    texts = [row.cell(key).text for key in ("attack", "triggered", "named", "wrong", "silent", "recall")]
    assert texts == ["wanet", "10", "1 of 3", "1 of 4", "1 of 3", "–"]


def test_models_commits_and_commands_are_told() -> None:
    kinds = ((pictures, "rivals_detect"), (checkpoints, "rivals_detect"), (zoo, "zoo_"), (scans, "scans"))
    for make, beginning in kinds:
        documents = _read(beginning)
        board = make(documents)
        about = dict(board.models)
        for document in documents.values():
            for name, entry in document["checkpoints"].items():
                assert entry["sha256"][:12] in about[name]
        assert [one.file.removesuffix(".json") for one in board.sources] == list(documents)
        assert all(one.commit and one.command for one in board.sources)


def test_two_builds_of_one_checkpoint_are_both_told() -> None:
    documents = _read("zoo_")
    (name, entry), *_ = next(iter(documents.values()))["checkpoints"].items()
    other = {"checkpoints": {name: {**entry, "sha256": "ab" * 32}}, "reference": "none", "command": "x", "commit": "y"}
    about = dict(zoo({**documents, "zoo_other": other}).models)
    assert entry["sha256"][:12] in about[name] and "abababababab" in about[name]


RATE = {"hits": 3, "total": 4, "low": 0.3, "high": 0.95}
NONE = {**RATE, "hits": 0}


def _mended(asr: dict[str, Any]) -> dict[str, Any]:
    return {"clean": RATE, "attack_worst": asr, "poisoned_worst": RATE, "attack": {"banana": asr}}


def _tried(method: str, asr: dict[str, Any], pace: float = 1e-4) -> dict[str, Any]:
    ours = method == "realign"
    cost = {"learning_rate": pace, "image_steps": 960, "seconds": 9.6}
    told = {"method": method, "told": ours, "needs_labels": not ours, **cost}
    return {**told, "remark": "", "after": _mended(asr), "kept": RATE}


NOT_BEGUN = {"method": "contrastive", "told": True, "needs_labels": True, "remark": "The scan found no trigger."}


def _mending() -> dict[str, Any]:
    """A file of two checkpoints."""
    rows = {
        "realign × 1": _tried("realign", NONE),
        "par × 1": _tried("par", RATE),
        "par × 3": _tried("par", RATE, 3e-4),
    }
    part = {
        "sha256": "ab" * 32,
        "attacks": {"banana": {"kind": "patch"}},
        "before": _mended(RATE),
        "scan": {"affected_labels": ["banana"]},
        "rows": {**rows, "contrastive × 1": NOT_BEGUN},
        "rebounds": {"realign × 1": _mended(NONE)},
    }
    settings = {"image_steps": 960, "measured": 4, "scanned": 60}
    left_out = [{"checkpoint": "badnets", "method": "par × 9", "reason": "the budget did not reach"}]
    about = {"command": "a", "commit": "b", "settings": settings, "left_out": left_out}
    return {**about, "checkpoints": {"badnets": part, "effnet-strong-wanet-0": part}}


def test_a_file_of_several_checkpoints_gives_rows_of_each() -> None:
    board = methods({"rivals_rectify": _mending()})
    assert len(board.rows) == 2 * (1 + 4), "a method that could not begin has a row without numbers"
    assert "`contrastive` on `badnets`: The scan found no trigger." in board.remarks
    assert "Not measured, as the budget did not reach: par × 9 on `badnets`." in board.remarks
    assert any("a tenth of them triggered, found banana on `badnets`" in text for text in board.introduction)
    assert board.choices()["attack"] == ["badnets", "wanet"]
    assert board.choices()["method"] == ["before", "contrastive", "ours (realign)", "par"]
    assert board.choices()["labels"] == ["no", "yes"]
    assert board.alike() == {"tower": "effnet"}
    assert dict(board.models)["badnets"] == "sha256 abababababab…, patch for banana"
    best = {(board.rows[k].group[1], board.rows[k].cell("method").text) for k, key in board.best() if key == "asr"}
    assert best == {("badnets", "ours (realign)"), ("effnet-strong-wanet-0", "ours (realign)")}
    assert board.rows[1].cell("rebound").rate and not board.rows[2].cell("rebound").rate
    chart = pooled_chart(board, "Afterwards", ("asr", "ca"))
    assert "par, 1e-4: ASR 6 of 8, CA 6 of 8; par, 3e-4: ASR 6 of 8" in alternative(chart), "two rates are two methods"


def test_clean_photographs_are_pooled_once_for_each_checkpoint() -> None:
    found = {"auroc": 1.0, "detected": {"calibrated": RATE}}
    one = {"targets": {"banana": found, "volcano": found}, "false_alarms": {"calibrated": NONE}}
    attacks = {"banana": {"kind": "patch"}, "volcano": {"kind": "patch"}}
    cost = {"forwards_per_picture": 1.0, "seconds_per_picture": 1.0}
    methods_of = {"newcomer": {**one, **cost}, "eftclip": {**one, **cost}}
    entry = {"sha256": "ab" * 32, "attacks": attacks, "picture_methods": methods_of}
    settings = {"pictures": 4, "labels": "imagenet", "false_alarms": 0.05}
    board = pictures({"x": {"command": "a", "commit": "b", "settings": settings, "checkpoints": {"own": entry}}})
    assert [row.cell("method").text for row in board.rows] == ["ours (eftclip check)", "newcomer"] * 2
    assert {row.cell("attack").text for row in board.rows} == {"patch"}, "no name that says it"
    chart = alternative(pooled_chart(board, "Both", ("found_calibrated", "accused_calibrated")))
    assert chart.endswith("newcomer: found, calibrated 6 of 8, clean accused, calibrated 0 of 4.")


def test_a_checkpoint_is_held_against_the_highest_score_of_the_controls() -> None:
    def cell(score: float) -> dict[str, Any]:
        told: dict[str, Any] = {
            "accused": None,
            "wrong_labels": [],
            "targets_named": NONE,
            "forwards": 1,
            "seconds": 1.0,
        }
        return {"decree": {**told, "score": score}}

    attacks = {"banana": {"kind": "patch"}}
    entries = {
        name: {"sha256": "ab" * 32, "attacks": attacks if poisoned else {}, "checkpoint_methods": cell(score)}
        for name, poisoned, score in (("low", True, 0.2), ("high", True, 0.9), ("one", False, 0.1), ("two", False, 0.5))
    }
    settings = {"pictures": 4, "labels": "imagenet", "false_alarms": 0.05}
    board = checkpoints({"x": {"command": "a", "commit": "b", "settings": settings, "checkpoints": entries}})
    told = [row.cell("calibrated").text for row in board.rows]
    assert told[:2] == ["no, wrongly", "yes, rightly"]
    assert not any(row.cell("calibrated").measured for row in board.rows[2:]), "controls make the threshold"


def _board(*values: float | None, better: Any = 1, aside: float | None = None) -> Leaderboard:
    rows = [Row({"x": number(value, 1)}, ("one",)) for value in values]
    rows += [Row({"x": number(aside, 1)}, ("one",), competes=False)]
    return Leaderboard("b", "B", (Column("x", "x", "", better),), tuple(rows), (), (), (), ())


@pytest.mark.parametrize(
    ("values", "better", "best"),
    [
        ((1.0, 3.0, 2.0), 1, {1}),
        ((1.0, 3.0, 2.0), -1, {0}),
        ((1.0, 3.0, 3.0), 1, {1, 2}),
        ((3.0, 3.0), 1, set()),
        ((3.0,), 1, set()),
        ((None, 3.0, 1.0), -1, {2}),
        ((3.04, 3.0, 1.0), 1, {0, 1}),
        ((1.0, 3.0), 0, set()),
    ],
)
def test_the_best_is_what_no_other_beats(values: tuple[float | None, ...], better: int, best: set[int]) -> None:
    assert {k for k, _ in _board(*values, better=better, aside=9.0).best()} == best


def test_groups_are_not_held_against_each_other() -> None:
    rows = tuple(Row({"x": number(value)}, (group,)) for group, value in (("a", 1), ("a", 2), ("b", 9), ("b", 8)))
    board = Leaderboard("b", "B", (Column("x", "x", "", 1),), rows, (), (), (), ())
    assert {k for k, _ in board.best()} == {1, 2}


def test_cells_are_written_as_counted() -> None:
    cell = rate({"hits": 1580, "total": 1600, "low": 0.98, "high": 0.99})
    assert (cell.text, cell.value, cell.interval) == ("1,580 of 1,600", 0.9875, (0.98, 0.99))
    assert rate({"hits": 0, "total": 0, "low": 0.0, "high": 1.0}) == rate(None) == number(None) == Cell()
    with pytest.raises(ValueError, match="5 of 4"):
        rate({"hits": 5, "total": 4})


def test_where_a_file_was_written_is_no_part_of_the_command() -> None:
    told = source("x", {"command": "python -m a --out /tmp/x.json --jobs 2", "commit": "1111111"})
    assert (told.file, told.command) == ("x.json", "python -m a --jobs 2")
    parts = {"a": {"commit": "2222222"}, "b": {"commit": "1111111"}}
    assert source("x", {"command": "a", "checkpoints": parts}).commit == "1111111, 2222222"


def test_names_say_tower_and_attack() -> None:
    assert (traits("vit32-weak-blend_noise-3").tower, traits("vit32-weak-blend_noise-3").attack) == (
        "vit32",
        "blend_noise",
    )
    assert traits("resnet-strong-clean-0").attack == traits("clean").attack == "none"
    assert traits("multi").tower == "effnet"
    assert traits("somebody's own").tower == ""


def test_the_folder_of_results_is_the_repositorys() -> None:
    assert results_folder() == Path(__file__).resolve().parents[2] / "examples" / "results"
