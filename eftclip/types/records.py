"""What outputs see: pictures with their verdicts, and everything that decided them."""

from collections import Counter
from dataclasses import dataclass

from torch import Tensor

from eftclip.preprocess import Geometry
from eftclip.types.accounts import Account, left_out
from eftclip.types.identification import Fault, Identification
from eftclip.types.models import CheckpointRef
from eftclip.types.rates import Rate
from eftclip.types.rectification import CuratedSet, Evaluation, Rectified, RereadVictim
from eftclip.types.verdicts import Detection, Status


@dataclass(frozen=True)
class Sanity:
    """Whether a checkpoint behaves like a working CLIP at all (method.md section 0).

    Attributes:
        clean: reference photographs that were given their own name among the reference names.
        ok: the checkpoint may be judged.
        reason: what was found, one sentence.
        normalisation: the preprocessing that was used, for people.
    """

    clean: Rate
    ok: bool
    reason: str
    normalisation: str


@dataclass(frozen=True, eq=False)
class Checked:
    """One picture with its verdict: all that reports, figures and the page need.

    Attributes:
        name: the path or name the user knows it by.
        picture: `(3, H, W)` uint8 RGB, upright, in the pixels of the file; None when it could not be read.
        square: `(3, image_px, image_px)` float32, what the model sees; None when it could not be read.
        geometry: where the square lies in the picture; None when it could not be read.
        detection: the verdict.
        fault: why there was nothing to judge: `corrupt`, `missing` or `left_out`; empty where there was.
    """

    name: str
    picture: Tensor | None
    square: Tensor | None
    geometry: Geometry | None
    detection: Detection
    fault: str = ""


@dataclass(frozen=True, eq=False)
class CheckRecord:
    """The record of one `check`: the only thing that outputs see.

    Attributes:
        ref: which weights were judged.
        config: every setting of the detector, plain values.
        labels: number of labels read, and where they came from, e.g. `imagenet`.
        oracle: name of the oracle that was used.
        reference: sha256 of the trusted reference checkpoint's weights; None without one.
        sanity: whether the checkpoint behaves like a working CLIP.
        seed: of the generator.
        versions: of the packages that decide numbers.
        results: one for each picture.
        allow_unread: pictures that may stay unread in a check that counts as complete.
    """

    ref: CheckpointRef
    config: dict[str, object]
    labels: tuple[int, str]
    oracle: str
    reference: str | None
    sanity: Sanity
    seed: int
    versions: dict[str, str]
    results: tuple[Checked, ...]
    allow_unread: int = 0

    @property
    def account(self) -> Account:
        """What became of every picture; it adds up."""
        open_ones = [one for one in self.results if one.detection.status not in (Status.FOUND, Status.NOT_FOUND)]
        kinds = [(one.fault or "undecided", one.name) for one in open_ones]
        counts, held = Counter(kind for kind, _ in kinds), len(self.results)
        judged = held - len(open_ones)
        reasons = left_out(dict(counts), kinds)
        return Account(held, judged + counts["undecided"], judged, left_out=reasons, allowed=self.allow_unread)


@dataclass(frozen=True)
class DataRecord:
    """Which data set was worked on, exactly.

    Attributes:
        source: what the user typed.
        kind: `folder`, `zip`, `tar`, `parquet`, `webdataset`, `hub` or `list`.
        revision: the pinned commit, 40 hex digits; None for what is on this machine.
        length: number of samples; None where only reading it all would tell.
        notes: sentences about what was left out at the door.
        layout: what it was recognised as, one line.
    """

    source: str
    kind: str
    revision: str | None
    length: int | None
    notes: tuple[str, ...] = ()
    layout: str = ""


@dataclass(frozen=True)
class Cost:
    """What a stage took.

    Attributes:
        stage: its name.
        seconds: wall clock.
        peak_mb: the most memory the process held meanwhile, in 10⁶ bytes; None where the system does not tell.
        gpu_peak_mb: the same on the GPU; None without one.
        image_forwards: pictures that went through the checkpoint under test, forward only.
        image_steps: pictures that went forward and backward.
    """

    stage: str
    seconds: float
    peak_mb: float | None
    gpu_peak_mb: float | None
    image_forwards: int = 0
    image_steps: int = 0


@dataclass(frozen=True, eq=False)
class RunRecord:
    """The record of one `scan`, `rectify` or `evaluate`: the only thing that outputs see.

    Attributes:
        kind: `scan`, `rectify` or `evaluate`.
        ref: the weights under test.
        configs: the settings of each stage, plain values.
        labels: number of labels read, and where they came from.
        oracle: name of the oracle.
        reference: sha256 of the trusted reference checkpoint's weights; None without one.
        sanity: whether the checkpoint behaves like a working CLIP.
        seed: of every random choice.
        versions: of the packages that decide numbers.
        processes: how many worked together.
        data: the data set; None where bundled photographs served.
        identification: what the scan found; None where none was done.
        curated: the fine-tuning set; None where none was needed.
        rectified: the fine-tuning; None where none was done.
        before, after: the checkpoint measured before and after; None where it was not.
        rebound: measured once more after innocent fine-tuning; None where it was not.
        reread_victims: some poisoned samples, read before and after.
        costs: of the stages, in order.
        conclusion: one sentence that says what came of it all.
        measured_account: what became of the samples of the set that `evaluate` measured on; None otherwise.
        measured_faults: those of them that are in no count; at most a few hundred are named.
        undecided: why the measurement of `evaluate` decides nothing; empty where it does.
    """

    kind: str
    ref: CheckpointRef
    configs: dict[str, dict[str, object]]
    labels: tuple[int, str]
    oracle: str
    reference: str | None
    sanity: Sanity
    seed: int
    versions: dict[str, str]
    processes: int = 1
    data: DataRecord | None = None
    identification: Identification | None = None
    curated: CuratedSet | None = None
    rectified: Rectified | None = None
    before: Evaluation | None = None
    after: Evaluation | None = None
    rebound: Evaluation | None = None
    reread_victims: tuple[RereadVictim, ...] = ()
    costs: tuple[Cost, ...] = ()
    conclusion: str = ""
    measured_account: Account | None = None
    measured_faults: tuple[Fault, ...] = ()
    undecided: str = ""

    def __post_init__(self) -> None:
        """Refuse a record of an unknown kind."""
        if self.kind not in ("scan", "rectify", "evaluate"):
            raise ValueError(f"expected scan, rectify or evaluate, got {self.kind!r}")
