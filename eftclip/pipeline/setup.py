"""What a check needs is found, loaded and read once; after that pictures can be judged one by one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from eftclip import data
from eftclip.checkpoint import load_clip
from eftclip.config import DetectConfig
from eftclip.detect import read_hosts
from eftclip.errors import CheckpointError
from eftclip.evaluate import best_normalisation
from eftclip.oracles import load_oracle
from eftclip.runtime import Cancelled, OnProgress, ignore, never, pick_device, seeded
from eftclip.types import ClassMatrix, ClipModel, HostImages, Oracle, Sanity
from eftclip.zeroshot import IMAGENET_LABELS, class_matrix, parse_labels

REPOSITORY = Path(__file__).resolve().parents[2]
BUNDLED = Path("examples/checkpoints")
READ_IN_VAIN = 100  # labels; so many take seconds with a model of full size, a thousand minutes
Labels = str | Path | Sequence[str]


@dataclass(frozen=True, eq=False)
class CheckSetup:
    """All that stays the same from picture to picture.

    Attributes:
        clip: the checkpoint under test, with the normalisation that works.
        classes: the label vocabulary as this checkpoint reads it.
        labels_source: where the labels came from, e.g. `imagenet`.
        oracle: finds the regions.
        hosts: photographs a suspected patch is pasted into, as this checkpoint reads them.
        reference: a trusted checkpoint and its class matrix for the control; None without one.
        sanity: whether the checkpoint behaves like a working CLIP.
        config: settings of the detector.
        seed: drew the strangers.
    """

    clip: ClipModel
    classes: ClassMatrix
    labels_source: str
    oracle: Oracle
    hosts: HostImages
    reference: tuple[ClipModel, ClassMatrix] | None
    sanity: Sanity
    config: DetectConfig
    seed: int = 0

    def decode(self, raw: bytes) -> Tensor:
        """The bytes of a picture file to the square that the checkpoint sees, `(3, image_px, image_px)` in [0, 1].

        Raises:
            DataError: they are no picture that can be used.
        """
        return self.clip.preprocess.square(data.read_picture(raw))[0]

    def bundled_views(self, count: int, seed: int) -> Tensor:
        """Random crops of the bundled photographs, `(count, 3, image_px, image_px)` in [0, 1]."""
        return data.host_photographs(self.clip.image_px, count, generator=seeded(seed))


def bundled_checkpoint(name: str) -> Path:
    """Folder of a checkpoint that ships with the repository, e.g. `clean`.

    Raises:
        CheckpointError: there is none of that name here.
    """
    folder = REPOSITORY / BUNDLED / name
    if not folder.is_dir():
        raise CheckpointError(
            f"No bundled checkpoint {name!r} was found under {BUNDLED}; name a local open_clip folder or hf:org/name."
        )
    return folder


def load_checkpoint(
    source: str,
    *,
    device: torch.device | None = None,
    token: str | None = None,
    allow_pickle: bool = False,
    max_gb: float | None = None,
    architecture: str | None = None,
    name: str | None = None,
) -> tuple[ClipModel, Sanity]:
    """Load a checkpoint and make sure that it reads clean photographs.

    Args:
        source: as for `load_clip`; `examples/checkpoints/NAME` works from any working folder.
        device: where the weights go; the best one when left out.
        token: for private repositories on the Hub.
        allow_pickle: also accept weights in a pickle file.
        max_gb: the largest weight file to download or load, in 10⁹ bytes; any when left out.
        architecture: of weights that come alone, as for `load_clip`.
        name: how a checkpoint of this machine is called in messages and reports, if not by its path.

    Returns:
        the checkpoint, with another normalisation if only that one works, and what was found.

    Raises:
        CheckpointError: it cannot be loaded.
    """
    place = find_checkpoint(source)
    stated = architecture and find_checkpoint(architecture)
    clip = load_clip(
        place,
        device=device,
        token=token,
        allow_pickle=allow_pickle,
        max_gb=max_gb,
        architecture=stated or None,
        name=name,
    )
    clip = replace(clip, ref=replace(clip.ref, source=name or source))
    photographs = data.bundled_photographs()
    squares = [clip.preprocess.square(data.read_picture(photograph.path))[0] for photograph in photographs]
    labels = [photograph.label for photograph in photographs]
    return best_normalisation(clip, torch.stack(squares), labels, data.OTHER_NAMES)


def find_checkpoint(source: str) -> str:
    """Where a source is: as typed, or in the repository when it names a bundled checkpoint from another folder."""
    path = Path(source)
    if not path.exists() and path.parent == BUNDLED and (REPOSITORY / path).is_dir():
        return str(REPOSITORY / path)
    return source


def read_labels(labels: Labels) -> tuple[tuple[str, ...], str]:
    """The label vocabulary and a name for where it came from.

    Args:
        labels: `imagenet`, a file of labels, see `data.read_label_file`, or the labels themselves.

    Raises:
        DataError: the file cannot be read, or the labels cannot be used.
    """
    if labels == "imagenet":
        return IMAGENET_LABELS, "imagenet"
    if not isinstance(labels, str | Path):
        return parse_labels(labels), "own list"
    path = Path(labels)
    found, form = data.read_label_file(path)
    return parse_labels(found), f"{path.name} ({form})" if form else path.name


def _few_labels() -> tuple[tuple[str, ...], str]:
    """Where nothing will be judged, the labels that told so are enough to show what the checkpoint reads."""
    return tuple(dict.fromkeys(photograph.label for photograph in data.bundled_photographs())), "the sanity check"


def load_reference(
    name: str,
    clip: ClipModel,
    labels: Sequence[str],
    *,
    device: torch.device,
    token: str | None = None,
    max_gb: float | None = None,
) -> tuple[ClipModel, ClassMatrix] | None:
    """The trusted checkpoint that a finding is held against.

    Args:
        name: `auto` (the bundled `clean` when it is here), `none`, or a source as for `load_checkpoint`.
        clip: the checkpoint under test; it is never its own reference.
        labels: the label vocabulary.
        device: where the weights go.
        token: for private repositories on the Hub.
        max_gb: as for `load_checkpoint`.

    Raises:
        CheckpointError: a reference was named that cannot be loaded or does not read clean photographs.
    """
    if name == "none" or (name == "auto" and not (REPOSITORY / BUNDLED / "clean").is_dir()):
        return None
    source = str(BUNDLED / "clean") if name == "auto" else name
    trusted, found = load_checkpoint(source, device=device, token=token, max_gb=max_gb)
    if trusted.ref.sha256 == clip.ref.sha256:
        return None
    if not found.ok:
        raise CheckpointError(f"{source} cannot serve as the reference: {found.reason} Name another, or none.")
    return trusted, class_matrix(trusted, labels)


def draw_hosts(clip: ClipModel, classes: ClassMatrix, config: DetectConfig, seed: int) -> HostImages:
    """Draw strangers' photographs and read them, half as many again as transplants: some may show a suspected label."""
    count = config.transplants + config.transplants // 2
    return read_hosts(clip, data.host_photographs(clip.image_px, count, generator=seeded(seed)), classes)


def with_settings(setup: CheckSetup, config: DetectConfig, *, seed: int = 0) -> CheckSetup:
    """The same checkpoint, labels and oracle with other settings of the detector or another seed; nothing is loaded."""
    if (config.transplants, seed) == (setup.config.transplants, setup.seed):
        return replace(setup, config=config)
    drawn = draw_hosts(setup.clip, setup.classes, config, seed)
    return replace(setup, config=config, hosts=drawn, seed=seed)


def prepare_check(
    source: str,
    *,
    labels: Labels = "imagenet",
    oracle: str = "auto",
    sam_weights: Path | None = None,
    reference: str = "auto",
    config: DetectConfig | None = None,
    device: str | None = None,
    token: str | None = None,
    allow_pickle: bool = False,
    max_gb: float | None = None,
    architecture: str | None = None,
    name: str | None = None,
    seed: int = 0,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> CheckSetup:
    """Load and read all that a check needs.

    Args:
        source: the checkpoint under test: a local folder or weight file, or `hf:org/name[@revision]`.
        labels: `imagenet`, a text file with one label per line, or the labels themselves.
        oracle: `auto`, `superpixel` or `sam`.
        sam_weights: a local file of SAM weights.
        reference: a trusted checkpoint for the control: `auto`, `none` or a source.
        config: settings of the detector; the defaults when left out.
        device: e.g. `cpu` or `cuda`; the best one when left out.
        token: for private repositories on the Hub.
        allow_pickle: also accept weights of the checkpoint in a pickle file.
        max_gb: the largest weight file to download or load, in 10⁹ bytes; any when left out.
        architecture: of weights that come alone: a name of open_clip's, or a folder with a configuration.
        name: how a checkpoint of this machine is called in messages and reports, if not by its path.
        seed: draws the strangers' photographs.
        on_progress: told while the labels are read.
        cancelled: asked while the labels are read.

    Raises:
        CheckpointError: the checkpoint or the reference cannot be used.
        DataError: the labels cannot be used, or the work was cancelled.
        OracleError: the oracle cannot be used.
        ConfigError: the device does not exist here.
    """
    settings, on = config or DetectConfig(), pick_device(device)
    names, labels_source = read_labels(labels)
    eyes = load_oracle(oracle, device=on, weights=sam_weights, token=token)
    clip, found = load_checkpoint(
        source, device=on, token=token, allow_pickle=allow_pickle, max_gb=max_gb, architecture=architecture, name=name
    )
    if not found.ok and len(names) > READ_IN_VAIN:
        names, labels_source, reference = *_few_labels(), "none" if reference == "auto" else reference
    trusted = load_reference(reference, clip, names, device=on, token=token, max_gb=max_gb)
    classes = class_matrix(clip, names, on_progress=on_progress, cancelled=cancelled)
    hosts = draw_hosts(clip, classes, settings, seed)
    return CheckSetup(clip, classes, labels_source, eyes, hosts, trusted, sanity=found, config=settings, seed=seed)
