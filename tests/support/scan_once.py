"""One scan in a process of its own, for a test that kills it: TAUGHT FOLDER OUT BLOCK."""

import json
import sys
from pathlib import Path

import torch

from eftclip.config import ScanConfig
from eftclip.data import open_set
from eftclip.identify import Journal, scanner
from eftclip.pipeline import prepare_check
from eftclip.pipeline.run_log import RunLog, described
from eftclip.pipeline.scan import about_scan
from eftclip.report.run import run_document
from eftclip.runtime import all_processes


def main(taught: Path, folder: Path, out: Path, block: int) -> None:
    from support.scanning import scan
    from support.taught import LABELS

    torch.set_num_threads(1)
    scanner.BLOCK = block
    processes = all_processes(torch.device("cpu"))
    setup = prepare_check(
        str(taught / "badnets"), labels=LABELS, oracle="superpixel", reference=str(taught / "clean"), device="cpu"
    )
    images = open_set(str(folder))
    journal = Journal(out.with_suffix(".journal"), about_scan(setup, images, ScanConfig(), 0), writes=processes.leads)
    found = scan(setup, images, ScanConfig(), processes=processes, journal=journal)
    if processes.leads:
        record = RunLog("scan", setup.clip, {}, 0, processes).record(
            images, "", **described(setup), identification=found
        )
        out.write_text(json.dumps({**run_document(record), "image_forwards": found.image_forwards}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
