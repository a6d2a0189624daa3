"""What stands behind the page: loaded checkpoints, sessions, finished results, and the work of each step."""

from pathlib import Path

from eftclip.ui.check.runner import CheckRunner
from eftclip.ui.checkpoint.hub_search import HubSearch
from eftclip.ui.checkpoint.inspector import CheckpointInspector
from eftclip.ui.publish.publisher import Publisher
from eftclip.ui.rectify.runner import RectifyRunner
from eftclip.ui.restore.saved_results import SavedResults, StepResult
from eftclip.ui.scan.runner import ScanRunner
from eftclip.ui.serving import zero_gpu
from eftclip.ui.serving.loading import OWN_MACHINE, Loader, LoadPolicy
from eftclip.ui.serving.queue import Queue
from eftclip.ui.serving.result_store import ResultStore
from eftclip.ui.serving.sessions import Sessions
from eftclip.ui.serving.uploaded_checkpoints import UploadedCheckpoints


class Backend:
    """All that the listeners of the page and the end points of the API share; nothing here knows a component.

    Attributes:
        loader: gives loaded checkpoints.
        sessions: the open pages.
        uploaded: checkpoints that pages have uploaded.
        hub: finds CLIP repositories for whoever types the name of one.
        saved_results: finished scans and rectifications, kept for visitors who come back.
        checkpoints, checks, scans, rectifications, publisher: do the work of the five steps.
    """

    def __init__(self, files: Path, results: Path, *, private: bool = False) -> None:
        """Nothing is loaded yet.

        Args:
            files: where uploads come in, and where files for download go.
            results: where finished results are kept for a day.
            private: only whoever sits at this machine can open the page, so its own Hub token may be used.
        """
        self.loader = Loader(zero_gpu.loading_policy(OWN_MACHINE if private else LoadPolicy()))
        self.sessions: Sessions[StepResult] = Sessions(files)
        self.uploaded = UploadedCheckpoints(files, pickles=private)
        self.hub = HubSearch(self.loader.policy.token)
        self.saved_results = SavedResults(ResultStore(results), self.sessions)
        self.checkpoints = CheckpointInspector(self.loader)
        self.checks = CheckRunner(self.loader, self.sessions, Queue())  # long work goes on meanwhile
        queue = Queue()
        self.scans = ScanRunner(self.loader, self.sessions, self.saved_results, queue)
        self.rectifications = RectifyRunner(self.loader, self.sessions, self.saved_results, queue)
        self.publisher = Publisher(self.sessions, private=private)
