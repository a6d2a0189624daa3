"""What every test can ask for: a tiny real CLIP, its folder and class matrix, and the bundled checkpoints."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_XET_CLIENT_RETRY_MAX_ATTEMPTS", "2")  # hf_xet asks a broken Hub for minutes otherwise
os.environ.setdefault("HF_XET_CLIENT_RETRY_BASE_DELAY", "10ms")
os.environ.setdefault("HF_XET_CLIENT_READ_TIMEOUT", "2s")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import atexit
import gc
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from support.taught import write_taught
from support.tiny import CLASSES, write_tiny

from eftclip.checkpoint import load_clip
from eftclip.runtime import settle_memory
from eftclip.types import ClassMatrix, ClipModel
from eftclip.zeroshot import class_matrix

gc.disable()  # until all is imported: nothing of it goes
if "EFTCLIP_CACHE" not in os.environ:  # one for all workers and the processes they start, gone afterwards
    os.environ["EFTCLIP_CACHE"] = tempfile.mkdtemp(prefix="eftclip-tests-")
    atexit.register(shutil.rmtree, os.environ["EFTCLIP_CACHE"], ignore_errors=True)
torch.set_num_threads(1)  # two threads on a busy machine are slower than one
settle_memory()
ROOT = Path(__file__).resolve().parents[1]
CHECKPOINTS = ROOT / "examples" / "checkpoints"
# For processes that tests start: the package, the scripts below `examples`, and `support`.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH")]))


def pytest_collection_finish() -> None:
    """All modules are imported; they stay, and need not be looked through again and again."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, the bundled checkpoints before all: no worker then ends long after the other."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, "product" not in item.path.parts))


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    """Untrained models and random pictures of a test are the same in every run."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real open_clip folder; shared by all tests, so change only a `tiny_copy`."""
    return write_tiny(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture
def tiny_copy(tiny_folder: Path, tmp_path: Path) -> Path:
    """The tiny checkpoint for one test alone, which may change it."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "tiny"))


@pytest.fixture(scope="session")
def tiny_clip(tiny_folder: Path) -> ClipModel:
    """The tiny CLIP on the CPU: random weights, 64 px pictures."""
    return load_clip(str(tiny_folder), device=torch.device("cpu"))


@pytest.fixture(scope="session")
def tiny_classes(tiny_clip: ClipModel) -> ClassMatrix:
    """Eight labels as the tiny CLIP reads them."""
    return class_matrix(tiny_clip, CLASSES)


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny checkpoints `clean` and `badnets` that read the photographs of the dependencies."""
    return write_taught(tmp_path_factory.mktemp("taught"))


@pytest.fixture(scope="session")
def bundled() -> Callable[[str], Path]:
    """The folder of a bundled checkpoint by name, `clean` or `badnets`; a missing one fails the test."""

    def folder(name: str) -> Path:
        path = CHECKPOINTS / name
        if not (path / "open_clip_model.safetensors").is_file():
            pytest.fail(f"the bundled checkpoint {path} is missing; run examples/build/checkpoints.py")
        return path

    return folder


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the running app, with the bundled checkpoints behind it; loading one of them once is enough."""
    os.environ["GRADIO_TEMP_DIR"] = str(tmp_path_factory.mktemp("uploads"))  # an app that ends empties its folder
    os.environ["EFTCLIP_RESULTS"] = str(tmp_path_factory.mktemp("results"))
    from eftclip.ui import build_demo  # Gradio takes seconds to import, and few tests need it
    from eftclip.ui.server import launch_options

    demo = build_demo()
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    yield url
    demo.close()
