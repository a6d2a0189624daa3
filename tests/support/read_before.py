"""What the process that is forked for every program of the tests has read: see `forked`.

Only libraries that read nothing of their environment when they are imported: what a program sees of its own is its own.
"""

import gc
import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

LIBRARIES = [
    *("torch", "torchvision", "scipy.ndimage", "skimage.segmentation", "pandas", "fastapi", "uvicorn", "mcp.types"),
    *("ftfy", "jinja2", "typer", "tomlkit", "segment_anything"),
]
STUBS = "gradio.component_meta"


class WithoutStubs(MetaPathFinder):
    """Gradio writes type stubs of all its components whenever it is imported, half of the time that this takes."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Of this one module: as ever, but with nothing to write."""
        spec = PathFinder.find_spec(name, path, target) if name == STUBS else None
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def without(module: ModuleType) -> None:
                run(module)
                module.create_or_modify_pyi = lambda *_: None  # type: ignore[attr-defined]

            spec.loader.exec_module = without  # type: ignore[method-assign]
        return spec


for library in LIBRARIES:
    importlib.import_module(library)
sys.meta_path.insert(0, WithoutStubs())
gc.freeze()  # what is there stays, and need not be looked through in every program again
