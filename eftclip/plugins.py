"""A registry of ours that other packages can add to, by Python's entry points.

A package names what it brings in its `pyproject.toml`, and is installed; nothing of ours is edited:

    [project.entry-points."eftclip.methods"]
    my_method = "my_module:METHOD"

The name before the sign is the one that is typed, the value says where the object lies. That is the way. For a
notebook, whose code is in no package, there is `registry[name] = object`, which lasts as long as the process; no other
call registers anything.

The names are read from the metadata of installed packages, once, which takes milliseconds and runs no code of theirs.
A module is imported when what it brings is asked for, or when a menu has to say what it is. What cannot be used breaks
nothing: one sentence in the log names it wherever a menu leaves it out, and whoever asks for it gets that sentence as
an error. What is ours is never replaced. Whoever installs a package runs its code; a visitor of a page cannot.
"""

import logging
import re
from collections.abc import Iterator, Mapping, MutableMapping
from importlib.metadata import EntryPoint, distributions, entry_points
from threading import RLock
from typing import Any, TypeVar

from eftclip.errors import ConfigError
from eftclip.untrusted_text import one_line

T = TypeVar("T")
log = logging.getLogger(__name__)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")  # fits a command line, a help text and a report as it is
PLACE = re.compile(r"[\w.]+\s*:\s*[\w.]+")
SESSION = "this Python session"


class Registry(MutableMapping[str, T]):
    """Names and objects: ours first, then what was added in this process, then what installed packages bring.

    As a mapping it holds what can be used. Iterating imports what packages bring; looking one of ours up does not.
    """

    def __init__(self, ours: Mapping[str, T], *, group: str, kind: Any, noun: str) -> None:
        """Begin with ours.

        Args:
            ours: by name, in the order of menus.
            group: of the entry points.
            kind: a class, or a protocol that is checkable at runtime, that every object is of.
            noun: what one of them is called in a sentence.
        """
        self.ours = dict(ours)
        self.group, self._kind, self._noun = group, kind, noun
        self._added: dict[str, T] = {}
        self._lock = RLock()
        self.refresh()

    def refresh(self) -> None:
        """Look for installed packages anew at the next use, for a session that has just installed one."""
        with self._lock:
            self._points: dict[str, EntryPoint] | None = None
            self._loaded: dict[str, T] = {}
            self._faults: dict[str, str] = {}
            self._told: set[str] = set()

    def names(self) -> tuple[str, ...]:
        """All names, without importing anything; of what cannot be used those that nobody has asked for yet."""
        return (*self.ours, *self._added, *(name for name in self._offered() if name not in self._faults))

    def asked(self, name: str) -> T:
        """What somebody asked for by name.

        Raises:
            ConfigError: there is no such name, or what a package brings under it cannot be used.
        """
        fault = self.fault(name)
        if fault and name in self.ours:
            self._tell(fault)  # he may have meant the other one
        if name in self:
            return self[name]
        raise ConfigError(fault or f"Unknown {self._noun} {name!r}; known are {', '.join(self.names())}.")

    def fault(self, name: str) -> str:
        """Why what a package brings under a name cannot be used, in one sentence; empty where nothing is wrong."""
        if name in self._offered():
            self._load(name)
        return "" if name in self._added else self._faults.get(name, "")

    def origin(self, name: str) -> str:
        """Where something comes from: empty for ours, else a package with its version, or the session."""
        if name in self.ours:
            return ""
        return SESSION if name in self._added else _package(self._offered()[name])

    def __getitem__(self, name: str) -> T:
        """Ours, or what was added, or what a package brings."""
        for known in (self.ours, self._added):
            if name in known:
                return known[name]
        if name in self._offered():
            self._load(name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        """Names of all that can be used; what cannot is told in the log, once."""
        usable = [name for name in self.names() if name in self]
        for fault in tuple(self._faults.values()):
            self._tell(fault)
        return iter(usable)

    def __len__(self) -> int:
        """How many can be used."""
        return sum(1 for _ in self)

    def __setitem__(self, name: str, value: T) -> None:
        """Add something for as long as this process lasts; the same name again is the newer one.

        Raises:
            ConfigError: the name is one of ours, or does not fit, or the object is of another kind.
        """
        if name in self.ours:
            raise ConfigError(f"{name!r} is a {self._noun} of EftCLIP and stays what it is; choose another name.")
        if wrong := _unfit(name) or self._unlike(value):
            raise ConfigError(f"The {self._noun} {one_line(str(name))!r} cannot be added: {wrong}.")
        self._added[name] = value

    def __delitem__(self, name: str) -> None:
        """Take away what was added in this process; nothing else can be."""
        del self._added[name]

    def _offered(self) -> dict[str, EntryPoint]:
        """What packages bring under names that are free, by name, without importing it."""
        with self._lock:
            if self._points is None:
                self._points = {}
                for name, points in _by_name(self.group, self._faults).items():
                    if fault := self._clash(name, points):
                        self._faults[name] = fault
                    else:
                        self._points[name] = points[0]
            return {name: point for name, point in self._points.items() if name not in self._added}

    def _clash(self, name: str, points: list[EntryPoint]) -> str:
        """Why nothing can be brought under a name, whatever it is; empty where it can."""
        told = f"The {self._noun} {one_line(name)!r} of {' and of '.join(map(_package, points))}"
        if name in self.ours:
            return f"{told} has the name of one of EftCLIP's own, which is used. Rename it in that package."
        if len(points) > 1:
            return f"{told} is there more than once, so none is used. Uninstall all but one."
        if wrong := _unfit(name):
            return f"{told} is left out: {wrong}. Rename it in that package."
        return ""

    def _load(self, name: str) -> None:
        """Import what a package brings, once; what goes wrong is kept as a fault."""
        with self._lock:
            if name in self._loaded or name in self._faults:
                return
            point = self._offered()[name]
            try:
                if not PLACE.fullmatch(point.value):
                    raise ConfigError("that is not of the form module:OBJECT")
                found = point.load()
                if wrong := self._unlike(found):
                    raise ConfigError(wrong)
                self._loaded[name] = found
            except (Exception, SystemExit) as error:  # a stranger's module may raise anything, and must break nothing
                said = str(error) if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
                self._faults[name] = (
                    f"The {self._noun} {name!r} of {_package(point)} cannot be used; "
                    f"{one_line(point.value)!r} gave: {one_line(said)}. Repair or uninstall that package."
                )

    def _unlike(self, found: object) -> str:
        """What is wrong with the kind of an object; empty for nothing."""
        wanted = self._kind.__name__
        if isinstance(found, type):
            return f"expected a {wanted}, got the class {found.__name__} instead of one of its objects"
        return "" if isinstance(found, self._kind) else f"expected a {wanted}, got an object of {type(found).__name__}"

    def _tell(self, fault: str) -> None:
        """In the log, once."""
        if fault not in self._told:
            self._told.add(fault)
            log.warning(fault)


def _unfit(name: object) -> str:
    """What is wrong with a name; empty for nothing."""
    fits = isinstance(name, str) and NAME.fullmatch(name)
    return "" if fits else "a name has at most 40 letters, digits and '._-', the first of them a letter or a digit"


def _package(point: EntryPoint) -> str:
    """The package that an entry point is of, with its version; a folder without its metadata may not say."""
    try:
        named = point.dist and (point.dist.name, point.dist.version)
    except Exception:  # broken metadata of a stranger's package
        named = None
    known = " ".join(filter(None, named or ()))
    return f"the package {one_line(known)}" if known else "a package without a name"


def _by_name(group: str, faults: dict[str, str]) -> dict[str, list[EntryPoint]]:
    """The entry points of a group by name; packages whose list of them cannot be read go to `faults`."""
    try:
        points = list(entry_points(group=group))
    except Exception:  # one malformed file ends the listing for all packages, so look at each alone
        points = list(_one_by_one(group, faults))
    found: dict[str, list[EntryPoint]] = {}
    for point in points:
        found.setdefault(point.name, []).append(point)
    return found


def _one_by_one(group: str, faults: dict[str, str]) -> Iterator[EntryPoint]:
    """The entry points of a group, package by package; of one that is found twice the first counts, as for imports."""
    seen: set[str] = set()
    for place in distributions():
        where = one_line(str(place.locate_file("")))
        try:
            where = f"the package {one_line(place.name)}"
            key = re.sub(r"[-_.]+", "-", place.name).lower()
            if key not in seen:
                seen.add(key)
                yield from place.entry_points.select(group=group)
        except Exception:  # as above
            faults[where] = f"The entry points of {where} cannot be read, so what it brings is left out. Reinstall it."
