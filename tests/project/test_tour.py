"""The notebook `examples/tour.ipynb` runs from top to bottom, from any folder, and is kept without outputs."""

import os
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from support.documents import ROOT

TOUR = ROOT / "examples" / "tour.ipynb"
PATIENT_S = 900  # for one cell, on a busy machine


def _printed(notebook: nbformat.NotebookNode) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(output.get("text", "") for output in outputs if output.output_type == "stream")


@pytest.mark.slow
def test_it_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(TOUR, as_version=4)
    kernel = KernelManager()
    assert kernel.kernel_spec is not None
    kernel.kernel_spec.argv[0] = sys.executable  # the environment of this test, whatever is registered on this machine
    client = NotebookClient(
        notebook, km=kernel, timeout=PATIENT_S, resources={"metadata": {"path": os.fspath(tmp_path)}}
    )
    try:
        client.execute()
    finally:
        kernel.shutdown_kernel(now=True)  # a client ends only kernels that it has made
    said = _printed(notebook)
    assert "not_found · cat · " in said
    assert "found · A patch covering" in said
    assert "The model reads banana and without the patch cat" in said
    assert "Labels that a trigger forces: ('banana',)" in said
    assert "ASR went from" in said
    assert "\ncat → cat\n" in said, "the mended checkpoint reads"


def test_it_is_kept_without_outputs() -> None:
    cells = [cell for cell in nbformat.read(TOUR, as_version=4).cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)
