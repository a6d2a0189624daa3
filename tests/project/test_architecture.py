"""The import graph is the architecture: each unit imports only what its row allows; stages never meet.

Imports inside functions, under `TYPE_CHECKING` and by `importlib.import_module("name")` count like all others.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

pytestmark = pytest.mark.quick

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "eftclip"
TOP_LEVEL = {
    *("app.py", "eftclip", "requirements.txt", "examples", "tests"),
    *("README.md", "Dockerfile", "pyproject.toml", "LICENSE"),
}
LITTER = {"__pycache__", "build", "dist", "out", "venv", "eftclip.egg-info"}  # ignored by git

BASE = {
    "errors",
    "types",
    "config",
    "runtime",
    "preprocess",
    "same_padding",
    "batch_norm",
    "inpaint",
    "trigger_kinds",
    "retry_after",
    "untrusted_text",
    "console",
    "plugins",
}
INPUTS = {"checkpoint", "data"}
DEFENCE = {"oracles", "detect", "identify", "invert", "curate", "rectify", "evaluate"}
OUTPUTS = {"report", "figures", "exports", "publish", "benchmark"}
DOORS = {"cli", "ui"}
COMPOSED = BASE | INPUTS | OUTPUTS | {"zeroshot", "oracles", "triggers", "pipeline"}  # registries fill the menus

ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "inpaint": {"errors"},
    "preprocess": {"errors"},
    "same_padding": set(),
    "batch_norm": {"same_padding"},
    "trigger_kinds": {"errors", "inpaint"},
    "types": {"errors", "preprocess", "batch_norm", "trigger_kinds"},
    "config": {"errors"},
    "runtime": {"errors"},
    "retry_after": set(),
    "untrusted_text": set(),
    "console": set(),
    "plugins": {"errors", "untrusted_text"},
    **dict.fromkeys(INPUTS | OUTPUTS | {"zeroshot", "triggers"}, BASE),
    "data": BASE | {"zeroshot"},  # ImageNet's synsets by the names that checkpoints are read against
    "publish": BASE | {"checkpoint"},  # a format says which files of its folder go out
    **dict.fromkeys(DEFENCE, BASE | {"zeroshot"}),
    "pipeline": BASE | INPUTS | DEFENCE | {"zeroshot"},
    "ui": COMPOSED,
    "cli": COMPOSED | {"ui"},  # its `app` command opens the page
    "__main__": {"cli"},
    "__init__": COMPOSED - OUTPUTS | DEFENCE,  # the public verbs; nothing inside the package imports them from there
}
OWNERS = {
    "accelerate": {"runtime", "rectify"},
    "charset_normalizer": {"data"},
    "datasets": {"data"},
    "gradio": {"ui"},
    "httpx2": {"checkpoint", "data", "publish", "oracles"},
    "huggingface_hub": {"checkpoint", "data", "publish", "oracles"},
    "open_clip": {"checkpoint", "zeroshot"},
    "pyarrow": {"data"},
    "segment_anything": {"oracles"},
    "spaces": {"ui"},
    "starlette": {"ui"},
    "skimage": {"oracles", "data"},
    "sklearn": {"data"},
    "timm": {"checkpoint", "same_padding"},
    "tqdm": {"cli"},
    "transformers": {"checkpoint"},
}
WORLDLY = {"runtime", "cli", "ui"}  # may read the environment and the clock
WORLD = re.compile(r"os\.(environ|getenv)|time\.\w+|random\.\w+|np\.random|torch\.(cuda|manual_seed|seed)")
DRAWS = {"rand", "randn", "randint", "randperm", "normal", "multinomial", "bernoulli"}
DISTRIBUTIONS = {
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "open_clip": "open-clip-torch",
}
NOT_IMPORTED = {
    "authlib": "Gradio signs visitors of a Space in with it, but does not install it",
    "itsdangerous": "and this keeps them signed in",
    "scikit-learn": "its photographs are read from its folder, it is not imported",
}
OPTIONAL = {"spaces"}  # a Space that lends GPUs brings it along; elsewhere nobody needs it
FILE_LINES, FUNCTION_LINES, DOOR_FUNCTION_LINES, FOLDER_FILES = 300, 60, 80, 14
ONE_KIND = {
    "PatchTrigger",
    "PatternTrigger",
    "WarpTrigger",
    "JitterTrigger",
    "ColourTrigger",
    "cut",
    "paste",
}  # true of one kind alone
KNOWS_KINDS = {"trigger_kinds", "triggers", "detect", "invert"}  # whoever plants or finds them


def _unit(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def _trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def _imported(node: ast.AST, parts: tuple[str, ...]) -> list[str]:
    """Dotted names that one statement of the module `parts` imports; relative ones made absolute."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            package = ("eftclip", *parts[: len(parts) - level]) if level else ()
            base = ".".join((*package, *([module] if module else [])))
            return [f"{base}.{alias.name}" for alias in names] if base == "eftclip" else [base]
        case ast.Call(
            func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
            args=[ast.Constant(value=str(name)), *_],
        ):
            return [name]
    return []


def _imports() -> Iterator[tuple[str, str]]:
    """Every (importing unit, imported dotted name)."""
    for path, tree in _trees():
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        for node in ast.walk(tree):
            yield from ((parts[0], name) for name in _imported(node, parts))


def _distribution(module: str) -> str:
    return DISTRIBUTIONS.get(module, module).replace("_", "-").lower()


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", line)[0].replace("_", "-").lower() for line in requirements}


def _project() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {"": project["dependencies"], **project["optional-dependencies"]}


def test_the_table_has_no_cycles() -> None:
    TopologicalSorter(ALLOWED).prepare()


def test_every_unit_has_a_row_and_a_name_of_its_own() -> None:
    units = {_unit(path) for path in PACKAGE.rglob("*.py")}
    assert units >= {"errors", "types", "zeroshot", "detect"}, "the package was not found"
    assert not units - set(ALLOWED), f"give {sorted(units - set(ALLOWED))} a row, or a better home"
    vague = {str(path) for path in PACKAGE.rglob("*") if path.stem in {"utils", "helpers", "common", "core", "misc"}}
    assert not vague, f"name {sorted(vague)} after their subject"


def test_each_unit_imports_only_what_it_may() -> None:
    bad = set()
    for unit, target in _imports():
        root, _, rest = target.partition(".")
        inner = rest.split(".")[0]
        if root == "eftclip" and inner != unit and inner not in ALLOWED.get(unit, set()):
            bad.add(f"{unit} imports {target}; its row allows {sorted(ALLOWED.get(unit, set()))}")
    assert not bad, "\n".join(sorted(bad))


def test_heavy_libraries_have_owners() -> None:
    roots = {(unit, target.split(".")[0]) for unit, target in _imports()}
    assert any(root in OWNERS for _, root in roots)
    bad = [f"{u} imports {r}; only {sorted(OWNERS[r])} may" for u, r in roots if r in OWNERS and u not in OWNERS[r]]
    assert not bad, "\n".join(sorted(bad))


def test_only_the_doors_and_runtime_touch_the_world() -> None:
    """No environment, clock, CUDA state or global generator elsewhere; whoever draws is handed a generator."""
    bad = []
    for path, tree in _trees():
        if _unit(path) in WORLDLY:
            continue
        for node in ast.walk(tree):
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Attribute) and WORLD.fullmatch(name := ast.unparse(node)):
                bad.append(f"{where} uses {name}")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in DRAWS:
                of_torch = ast.unparse(node.func.value) == "torch"
                if of_torch and "generator" not in {keyword.arg for keyword in node.keywords}:
                    bad.append(f"{where} draws without a generator")
    assert not bad, "\n".join(bad)


def test_files_and_functions_stay_small() -> None:
    bad = []
    for path, tree in _trees():
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > FILE_LINES:
            bad.append(f"{path.relative_to(ROOT)}: {lines} lines, at most {FILE_LINES}; split it by noun")
        limit = DOOR_FUNCTION_LINES if path.name == "layout.py" or _unit(path) == "cli" else FUNCTION_LINES
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > limit:
                    bad.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {length} lines, at most {limit}")
    assert not bad, "\n".join(bad)


def test_folders_stay_small() -> None:
    counts = {folder: len(list(folder.glob("*.py"))) for folder in PACKAGE.rglob("*") if folder.is_dir()}
    assert len(counts) > 20
    bad = [f"{folder.relative_to(ROOT)}: {n} files" for folder, n in counts.items() if n > FOLDER_FILES]
    assert not bad, f"at most {FOLDER_FILES} in a folder; give {bad} rooms"


def test_after_detection_a_trigger_is_a_trigger_whatever_its_kind() -> None:
    bad = []
    for path, tree in _trees():
        door = path.relative_to(PACKAGE).as_posix() == "cli/plant.py"  # has options for patches
        if _unit(path) in KNOWS_KINDS or door:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and "trigger" in (node.module or ""):
                named = ONE_KIND & {alias.name for alias in node.names}
                bad += [f"{path.relative_to(ROOT)} imports {name}" for name in sorted(named)]
    assert not bad, "\n".join(bad)


def test_app_stays_thin() -> None:
    source = (ROOT / "app.py").read_text(encoding="utf-8")
    ours = {name for node in ast.walk(ast.parse(source)) for name in _imported(node, ("app",))}
    assert source.count("\n") <= 25
    assert ours == {"eftclip.ui"}


def test_the_top_level_is_the_agreed_set() -> None:
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - LITTER
    assert found == TOP_LEVEL


def test_every_library_imported_is_declared_and_none_besides() -> None:
    """A library that only arrives with another one is gone the day that one drops it."""
    roots = {target.split(".")[0] for _, target in _imports()} - {"eftclip"} - OPTIONAL - set(sys.stdlib_module_names)
    imported = {_distribution(root) for root in roots}
    declared = _names(_project()[""])
    assert imported - declared == set(), "add them to pyproject.toml and requirements.txt"
    assert declared - imported == set(NOT_IMPORTED), "declared, but nothing imports them; or NOT_IMPORTED is old"


def test_requirements_pin_exactly_the_declared_dependencies() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w-]+(\[\w+\])?==[\w.]+", pin) for pin in pins), "an app is a lock, not a range"
    assert _names(pins) == _names(_project()[""])


@pytest.mark.parametrize("extra", ["test", "build"])
def test_extras_are_pinned(extra: str) -> None:
    assert all("==" in line for line in _project()[extra])
