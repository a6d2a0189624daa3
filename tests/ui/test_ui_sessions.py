"""Open pages and their work: who is forgotten when, whose work stops, who waits for whom. No browser, no model."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from eftclip.errors import DataError
from eftclip.runtime import never
from eftclip.ui.serving.background import Ended, watch
from eftclip.ui.serving.queue import Queue
from eftclip.ui.serving.sessions import Sessions

PATIENT_S = 60.0  # longer than any machine needs; a test that waits so long has failed


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(tmp_path: Path, clock: Clock) -> Sessions[str]:
    return Sessions(tmp_path, most=3, kept_s=100, clock=clock)


def test_each_page_and_each_kind_of_work_has_a_stop_signal_of_its_own(sessions: Sessions[str]) -> None:
    for page, kind in (("ann", "check"), ("ann", "scan"), ("ben", "scan")):
        sessions.begin(page, kind)
    sessions.stop("ann", "scan")
    assert sessions.stop_signal("ann", "scan").is_set()
    assert not sessions.stop_signal("ann", "check").is_set()
    assert not sessions.stop_signal("ben", "scan").is_set()


def test_new_work_of_a_kind_stops_the_old_and_takes_its_files_away(sessions: Sessions[str]) -> None:
    sessions.begin("ann", "scan")
    old, folder = sessions.stop_signal("ann", "scan"), sessions.folder("ann", "scan")
    kept = sessions.folder("ann", "rectify")
    sessions.begin("ann", "scan")
    assert old.is_set()
    assert not sessions.stop_signal("ann", "scan").is_set()
    assert not folder.exists()
    assert kept.is_dir()


def test_what_a_scan_found_belongs_to_its_page(sessions: Sessions[str]) -> None:
    sessions.begin("ann", "scan")
    sessions.begin("ben", "scan")
    sessions.keep("ann", "scan", "banana")
    assert sessions.kept("ann", "scan") == "banana"
    assert sessions.kept("ben", "scan") is None
    assert sessions.kept("nobody", "scan") is None


def test_a_page_that_leaves_takes_everything_with_it(sessions: Sessions[str]) -> None:
    for page in ("ann", "ben"):
        sessions.begin(page, "rectify")
        sessions.keep(page, "scan", page)
    signal, folder = sessions.stop_signal("ann", "rectify"), sessions.folder("ann", "rectify")
    others = sessions.folder("ben", "rectify")
    sessions.close("ann")
    assert signal.is_set()
    assert not folder.exists()
    assert sessions.kept("ann", "scan") is None
    assert others.is_dir()
    assert sessions.kept("ben", "scan") == "ben"
    assert not sessions.stop_signal("ben", "rectify").is_set()


def test_work_that_ends_after_its_page_was_closed_leaves_nothing_behind(sessions: Sessions[str]) -> None:
    sessions.begin("ann", "rectify")
    folder = sessions.folder("ann", "rectify")
    sessions.close("ann")
    folder.mkdir(parents=True)  # as a thread does that was in the middle of writing
    sessions.tidy("ann")
    sessions.keep("ann", "scan", "too late")
    assert not folder.exists()
    assert sessions.kept("ann", "scan") is None


def test_the_page_heard_of_least_recently_goes_when_there_are_too_many(sessions: Sessions[str]) -> None:
    for page in ("ann", "ben", "cas"):
        sessions.begin(page, "scan")
        sessions.keep(page, "scan", page)
    signal = sessions.stop_signal("cas", "scan")
    sessions.touch("ann")
    sessions.touch("ben")
    sessions.begin("dan", "scan")
    assert signal.is_set(), "nobody would see what it finds"
    assert [sessions.kept(page, "scan") for page in ("ann", "ben", "cas")] == ["ann", "ben", None]


def test_whoever_works_or_waits_makes_no_room_for_others(sessions: Sessions[str]) -> None:
    for page in ("ann", "ben", "cas"):
        sessions.begin(page, "scan")
    signals = {page: sessions.stop_signal(page, "scan") for page in ("ann", "ben", "cas")}
    with sessions.working("ann"):
        for page in ("dan", "eve", "fay", "gil"):
            sessions.begin(page, "scan")
        assert not signals["ann"].is_set()
    assert signals["ben"].is_set()
    sessions.begin("hal", "scan")
    assert signals["ann"].is_set(), "its work has ended, and it was heard of least recently"


def test_a_page_that_left_does_not_come_back_to_life(sessions: Sessions[str]) -> None:
    sessions.begin("ann", "check")
    sessions.close("ann")
    assert sessions.stop_signal("ann", "check").is_set(), "whatever still begins for it is stopped"
    sessions.folder("ann", "check")
    with sessions.working("ann"):
        sessions.touch("ann")
    assert not sessions.is_open("ann")
    sessions.tidy("ann")
    assert not list(sessions.root.iterdir())


def test_an_access_key_outlives_a_line_that_was_cut(sessions: Sessions[str]) -> None:
    sessions.register("ann", "t" * 32)
    assert not sessions.is_open("ann"), "whoever only looks takes nobody's place"
    sessions.begin("ann", "scan")
    sessions.close("ann")
    sessions.begin("ann", "scan")
    assert sessions.access_key("ann") == "t" * 32
    assert sessions.access_key("ben") == ""


def test_a_page_that_nothing_was_heard_of_goes_after_its_time(sessions: Sessions[str], clock: Clock) -> None:
    sessions.begin("ann", "scan")
    sessions.keep("ann", "scan", "banana")
    folder = sessions.folder("ann", "scan")
    clock.now = 90
    sessions.touch("ann")  # its work goes on
    clock.now = 180
    assert sessions.kept("ann", "scan") == "banana"
    clock.now = 200
    assert sessions.kept("ann", "scan") is None
    assert not folder.exists()


def test_a_session_name_cannot_lead_out_of_the_folder(sessions: Sessions[str], tmp_path: Path) -> None:
    assert sessions.folder("../../etc", "scan").resolve().is_relative_to(tmp_path.resolve())


def _in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_one_works_at_a_time_and_whoever_came_first_goes_first() -> None:
    queue, order, go, waiting = Queue(), list[str](), threading.Event(), {n: threading.Event() for n in ("b", "c")}

    def work(name: str) -> None:
        with queue.turn(lambda before: waiting[name].set(), never):
            order.append(name)

    with queue.turn(lambda before: None, never):
        threads = []
        for name in ("b", "c"):
            threads.append(_in_thread(lambda name=name: work(name)))  # type: ignore[misc]
            assert waiting[name].wait(PATIENT_S)
        order.append("a")
        go.set()
    for thread in threads:
        thread.join(PATIENT_S)
    assert order == ["a", "b", "c"]


def test_a_visitor_sees_his_place_and_can_stop_waiting_without_disturbing_the_line() -> None:
    queue, told, stop, gone = Queue(), list[int](), threading.Event(), threading.Event()

    def tell(before: int) -> None:
        told.append(before)
        stop.set()

    def wait() -> None:
        with pytest.raises(DataError, match="Stopped while waiting"), queue.turn(tell, stop.is_set):
            pytest.fail("it was not his turn")
        gone.set()

    with queue.turn(told.append, never):
        _in_thread(wait)
        assert gone.wait(PATIENT_S)
    with queue.turn(told.append, never):
        assert told == [1]


def test_work_tells_its_newest_news_and_its_end() -> None:
    def work(tell: Callable[[int], None]) -> str:
        for k in range(100):
            tell(k)
        return "done"

    *news, end = watch(work, threading.Event())
    assert isinstance(end, Ended)
    assert end.value == "done"
    assert news == sorted(news)  # type: ignore[type-var]


def test_work_that_does_not_notice_the_stop_is_left_alone_after_a_while() -> None:
    stop, release = threading.Event(), threading.Event()

    def work(tell: Callable[[str], None]) -> str:
        tell("begun")
        release.wait(PATIENT_S)
        return "late"

    watched = watch(work, stop, patience_s=0.0)
    assert next(watched) == "begun"
    stop.set()
    assert next(watched) == Ended(None)
    release.set()


def test_whoever_looks_away_stops_the_work() -> None:
    stop, ended = threading.Event(), threading.Event()

    def work(tell: Callable[[str], None]) -> str:
        tell("begun")
        stop.wait(PATIENT_S)
        ended.set()
        return "stopped"

    watched = watch(work, stop)
    next(watched)
    watched.close()  # type: ignore[attr-defined]  # a generator
    assert ended.wait(PATIENT_S)
