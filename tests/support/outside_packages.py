"""Packages that are not ours, as pip leaves them: modules and a `.dist-info` folder, for `sys.path` or `PYTHONPATH`."""

import importlib
import os
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.documents import ROOT

from eftclip.plugins import Registry

TEMPLATE = ROOT / "examples" / "your_method"
METHODS_GROUP = "eftclip.methods"


def write_package(
    site: Path, name: str, modules: Mapping[str, str], points: Mapping[str, Mapping[str, str]], version: str = "0.3"
) -> Path:
    """Write a package.

    Args:
        site: a folder that stands for `site-packages`; it is made.
        name: of the package.
        modules: their code, by their names.
        points: by group, and in it by name, where each object lies.
        version: of the package.

    Returns:
        the folder.
    """
    site.mkdir(parents=True, exist_ok=True)
    for module, code in modules.items():
        (site / f"{module}.py").write_text(code, encoding="utf-8")
    about = site / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    groups = (
        "\n".join([f"[{group}]", *(f"{key} = {value}" for key, value in named.items())])
        for group, named in points.items()
    )
    (about / "entry_points.txt").write_text("\n\n".join(groups) + "\n", encoding="utf-8")
    return site


def write_template(site: Path) -> Path:
    """The template, as it is when it was installed by the lines of its own `pyproject.toml`."""
    told = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))
    project = told["project"]
    write_package(site, project["name"], {}, project["entry-points"], project["version"])
    for module in told["tool"]["setuptools"]["py-modules"]:
        shutil.copy(TEMPLATE / f"{module}.py", site)
    return site


@contextmanager
def installed(site: Path, *registries: Registry[Any]) -> Iterator[Path]:
    """The packages of a folder as if they were installed, in this process, for as long as it lasts."""
    sys.path.insert(0, str(site))
    importlib.invalidate_caches()
    try:
        for registry in registries:
            registry.refresh()
        yield site
    finally:
        sys.path.remove(str(site))
        for registry in registries:
            registry.refresh()
        for module in site.glob("*.py"):
            sys.modules.pop(module.stem, None)


def with_packages(site: Path) -> dict[str, str]:
    """The environment of a process in which the packages of a folder are installed."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), os.environ["PYTHONPATH"]])}


BROKEN = "import nowhere_at_all"


def write_broken(site: Path) -> Path:
    """A package whose method cannot be imported, and that has one of the name of ours besides."""
    points = {"broken": "broken_method:METHOD", "realign": "broken_method:METHOD"}
    return write_package(site, "broken-package", {"broken_method": BROKEN}, {METHODS_GROUP: points})
