"""What other packages bring: it is found without being run, what is broken is named, and what is ours stays ours."""

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.outside_packages import write_package

from eftclip.errors import ConfigError
from eftclip.plugins import SESSION, Registry

pytestmark = pytest.mark.quick

GROUP = "eftclip.test_numbers"
Install = Callable[..., Path]


@pytest.fixture
def registry() -> Registry[int]:
    return Registry({"one": 1, "two": 2}, group=GROUP, kind=int, noun="number")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package that brings numbers: its name, the code of its module, and what its entry points say."""
    names = list[str]()

    def installed(name: str, code: str, **points: str) -> Path:
        names.append(name)
        site = write_package(tmp_path / name, name, {name: code}, {GROUP: points})
        monkeypatch.syspath_prepend(str(site))
        return site

    yield installed
    for name in names:
        sys.modules.pop(name, None)


def test_ours_alone_are_as_they_were(registry: Registry[int]) -> None:
    assert list(registry) == ["one", "two"] == list(registry.names())
    assert (len(registry), registry["two"], registry.asked("one"), registry.origin("one")) == (2, 2, 1, "")
    assert "three" not in registry and registry.fault("three") == ""
    with pytest.raises(ConfigError, match="Unknown number 'three'; known are one, two"):
        registry.asked("three")


def test_a_name_is_known_before_anything_is_run_and_a_module_is_run_once(
    registry: Registry[int], install: Install, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    install("brings_three", f"open({str(ran)!r}, 'a').write('.')\nTHREE = 3", three="brings_three:THREE")
    assert registry.names() == ("one", "two", "three")
    assert (registry["one"], registry.asked("two"), registry.origin("three")) == (1, 2, "the package brings_three 0.3")
    assert not ran.exists()
    assert list(registry) == ["one", "two", "three"] and len(registry) == 3
    assert registry["three"] == registry.asked("three") == dict(registry)["three"] == 3
    assert ran.read_text() == "."


BROKEN = {
    "an import that fails": ("import nowhere_at_all", "bad:N", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
    "no Python": ("N = = 3", "bad:N", "SyntaxError: invalid syntax"),
    "an end of the process": ("raise SystemExit(3)", "bad:N", "SystemExit: 3"),
    "a missing module": ("N = 3", "gone:N", "No module named 'gone'"),
    "a missing object": ("M = 3", "bad:N", "has no attribute 'N'"),
    "another kind": ("N = '3'", "bad:N", "expected a int, got an object of str"),
    "a class": ("class N(int): pass", "bad:N", "expected a int, got the class N instead of one of its objects"),
    "a module": ("N = 3", "bad", "not of the form module:OBJECT"),
    "nothing": ("N = 3", "", "not of the form module:OBJECT"),
    "many lines": ("raise ValueError('a' * 500 + chr(10) + 'b')", "bad:N", "ValueError: aaa"),
}


@pytest.mark.parametrize("wrong", BROKEN)
def test_what_is_broken_breaks_nothing_and_is_named_in_one_sentence(
    wrong: str, registry: Registry[int], install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    code, value, says = BROKEN[wrong]
    install("bad", code, three=value)
    install("good", "FOUR = 4", four="good:FOUR")
    with caplog.at_level(logging.WARNING):
        assert dict(registry) == {"one": 1, "two": 2, "four": 4}
        assert dict(registry) == {"one": 1, "two": 2, "four": 4}
    [told] = caplog.messages
    assert told.startswith("The number 'three' of the package bad 0.3 cannot be used")
    assert says in told and told.endswith("Repair or uninstall that package.") and "\n" not in told and len(told) < 400
    with pytest.raises(ConfigError) as caught:
        registry.asked("three")
    assert str(caught.value) == told == registry.fault("three")
    assert registry.asked("one") == 1 and "three" not in registry.names()


def test_a_name_of_ours_stays_ours_and_whoever_asks_for_it_is_told(
    registry: Registry[int], install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install("usurper", "ONE = 100", one="usurper:ONE")
    assert (registry["one"], registry.asked("two"), caplog.messages) == (1, 2, [])
    assert registry.asked("one") == registry.asked("one") == 1 and registry.origin("one") == ""
    [told] = caplog.messages
    assert "'one' of the package usurper 0.3 has the name of one of EftCLIP's own, which is used" in told
    assert "usurper" not in sys.modules


def test_of_two_packages_with_one_name_neither_is_taken(registry: Registry[int], install: Install) -> None:
    install("first", "THREE = 3", three="first:THREE")
    install("second", "THREE = 33", three="second:THREE")
    assert list(registry) == ["one", "two"]
    with pytest.raises(ConfigError, match=r"of the package second 0\.3 and of the package first 0\.3 is there more"):
        registry.asked("three")


@pytest.mark.parametrize("name", ["50%", "a`b", "-x", "a" * 41, "grün", "a b"])
def test_a_name_that_does_not_fit_is_left_out(name: str, registry: Registry[int], install: Install) -> None:
    install("odd", "N = 3", **{name: "odd:N"})
    assert list(registry) == ["one", "two"] == list(registry.names())
    with pytest.raises(ConfigError, match="at most 40 letters, digits"):
        registry.asked(name)
    with pytest.raises(ConfigError, match="cannot be added: a name has at most 40"):
        registry[name] = 3


@pytest.mark.parametrize("content", [b"[eftclip.test_numbers]\nthree\n", b"\xff\xfe[]"])
def test_a_package_whose_metadata_cannot_be_read_hides_no_other(
    content: bytes, registry: Registry[int], install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install("good", "FOUR = 4", four="good:FOUR")
    site = install("torn", "THREE = 3", three="torn:THREE")
    (site / "torn-0.3.dist-info" / "entry_points.txt").write_bytes(content)
    assert list(registry) == ["one", "two", "four"]
    assert caplog.messages == [
        "The entry points of the package torn cannot be read, so what it brings is left out. Reinstall it."
    ]


def test_a_package_that_does_not_say_its_name_is_used_all_the_same(registry: Registry[int], install: Install) -> None:
    site = install("nameless", "THREE = 3", three="nameless:THREE")
    (site / "nameless-0.3.dist-info" / "METADATA").unlink()
    assert registry.asked("three") == 3 and registry.origin("three")


def test_a_notebook_adds_what_is_in_no_package_and_cannot_replace_ours(registry: Registry[int]) -> None:
    registry["three"] = 3
    registry["three"] = 33
    assert list(registry.names()) == list(registry) == ["one", "two", "three"]
    assert (registry.asked("three"), registry.origin("three")) == (33, SESSION)
    with pytest.raises(ConfigError, match="'one' is a number of EftCLIP and stays"):
        registry["one"] = 3
    with pytest.raises(ConfigError, match="'four' cannot be added: expected a int, got an object of str"):
        registry["four"] = "4"  # type: ignore[assignment]
    del registry["three"]
    with pytest.raises(KeyError):
        del registry["one"]
    assert list(registry) == ["one", "two"]


def test_what_was_added_comes_before_what_a_package_brings(registry: Registry[int], install: Install) -> None:
    install("bad", "raise ValueError", three="bad:THREE")
    assert registry.fault("three")
    registry["three"] = 3
    assert (registry.asked("three"), registry.fault("three"), list(registry).count("three")) == (3, "", 1)


def test_a_session_that_has_installed_a_package_looks_again(registry: Registry[int], install: Install) -> None:
    assert "three" not in registry
    install("late", "THREE = 3", three="late:THREE")
    assert "three" not in registry
    registry.refresh()
    assert registry["three"] == 3
