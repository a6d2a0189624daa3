"""A `CLIPModel` as transformers' `save_pretrained` writes it: `config.json` beside the weights, whole or split."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import transformers  # its models are loaded when one is named first, which a check of another format never does
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from eftclip.checkpoint.error_text import reason
from eftclip.checkpoint.formats.base import Architecture, TextFiles
from eftclip.checkpoint.formats.open_clip_config import CONFIG_FILE, SIMPLE_VOCABULARY
from eftclip.checkpoint.formats.open_clip_folder import copy_texts
from eftclip.checkpoint.formats.transformers_config import (
    CONFIG,
    PROCESSORS,
    TransformersConfig,
    read_transformers_config,
)
from eftclip.checkpoint.source import Listing
from eftclip.checkpoint.tokenizer import (
    TOKENIZER_CONFIG,
    TOKENIZER_FILES,
    VOCABULARIES,
    CheckedTokenizer,
    check_tokenizer_files,
    digest_of,
)
from eftclip.checkpoint.weights import State, WeightFile, choose_weights, index_limits, write_weights
from eftclip.errors import CheckpointError
from eftclip.preprocess import Preprocess
from eftclip.types import ClipModel

SAFE_NAMES = ("model.safetensors",)
PICKLE_NAMES = ("pytorch_model.bin",)
MOST_CONFIG_MB = 1.0  # with every setting that earlier versions wrote, some 5 kB
DESCRIBED_BY = {
    **dict.fromkeys((CONFIG, *PROCESSORS), MOST_CONFIG_MB),
    TOKENIZER_CONFIG: TOKENIZER_FILES[TOKENIZER_CONFIG],
    **index_limits(SAFE_NAMES, PICKLE_NAMES),
}
IMAGE_SIDE = ("vision_model.", "visual_projection.")  # in a file; in the model below they lie under `visual`


class TransformersClip:
    """See `base.CheckpointFormat`."""

    name = "transformers"
    sign = CONFIG
    saved_weights = SAFE_NAMES[0]
    saved_texts = (CONFIG, *PROCESSORS, *TOKENIZER_FILES)

    def recognises(self, listing: Listing) -> bool:
        """By its configuration; beside an open_clip one, which many repositories have too, that counts."""
        return CONFIG in listing.files and CONFIG_FILE not in listing.files

    def texts(self, listing: Listing) -> TextFiles:
        """The configuration, how pictures are made ready, the list of parts, and what belongs to the tokenizer."""
        return TextFiles(DESCRIBED_BY, {**DESCRIBED_BY, **TOKENIZER_FILES})

    def describe(self, listing: Listing, texts: Path) -> "TransformersCheckpoint":
        """Check the configuration, and the tokenizer as far as it can be judged by its files."""
        where = str(listing)
        config = read_transformers_config(texts, where)
        own = bool(set(VOCABULARIES) & set(listing.files))
        if own or config.text["vocab_size"] != SIMPLE_VOCABULARY:
            check_tokenizer_files(f"of {CONFIG}", listing.files, texts, where)
        return TransformersCheckpoint(config, where, own)

    def weights(self, listing: Listing, texts: Path | None) -> WeightFile:
        """By the library's usual names, whole or split, or the only file there is."""
        return choose_weights(listing.files, SAFE_NAMES, PICKLE_NAMES, str(listing), texts)

    def save(self, clip: ClipModel, state: State, listing: Listing, texts: Path, folder: Path) -> str:
        """The source's own texts around new weights, in one file."""
        copy_texts(texts, folder, (CONFIG, *TOKENIZER_FILES))
        used = {"image_mean": list(clip.preprocess.mean), "image_std": list(clip.preprocess.std)}
        for name, document in _processors(texts, clip.preprocess.image_px).items():
            inner = document.get("image_processor")
            (inner if isinstance(inner, dict) else document).update(used)
            (folder / name).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        return write_weights(_names_of_file(state), folder / self.saved_weights)

    def for_repository(self, folder: Path, repo_id: str) -> Mapping[str, str]:
        """Nothing in it names its repository."""
        return {}


@dataclass(frozen=True)
class TransformersCheckpoint:
    """See `base.Described`.

    Attributes:
        config: its checked settings.
        where: the checkpoint's name in messages.
        own_tokenizer: its tokenizer comes with it; otherwise it is OpenAI's, which open_clip ships.
    """

    config: TransformersConfig
    where: str
    own_tokenizer: bool
    stated_in = CONFIG

    @property
    def preprocess(self) -> Preprocess:
        """Of its processor's file, with the library's defaults."""
        return self.config.preprocess

    @property
    def doubts(self) -> tuple[str, ...]:
        """What is not done as the files say."""
        return self.config.doubts

    @property
    def architecture(self) -> Architecture:
        """The towers as the configuration states them, with the library's defaults."""
        vision, text = self.config.vision, self.config.text
        layers, width = vision.get("num_hidden_layers", 12), vision.get("hidden_size", 768)
        text_layers, text_width = text.get("num_hidden_layers", 12), text.get("hidden_size", 512)
        return Architecture(
            vision=f"ViT /{vision['patch_size']}, {layers} layers, width {width}",
            text=f"Transformer, {text_layers} layers, width {text_width}",
            embed_dim=self.config.settings.get("projection_dim", 512),
            image_px=self.config.preprocess.image_px,
        )

    def build(self) -> nn.Module:
        """The library's own towers."""
        return TransformersTowers(transformers.CLIPModel(transformers.CLIPConfig(**self.config.settings)))

    def own_names(self, state: State, model: nn.Module) -> State:
        """The image tower's under `visual`, where the other formats have it."""
        return {f"visual.{name}" if name.startswith(IMAGE_SIDE) else name: t for name, t in state.items()}

    def tokenizer(self, texts: Path) -> CheckedTokenizer:
        """Its own, or OpenAI's."""
        vocabulary, context = self.config.text["vocab_size"], self.config.text["max_position_embeddings"]
        try:
            if not self.own_tokenizer:
                digest = digest_of(None, __name__, context)
                return CheckedTokenizer(SimpleTokenizer(context_length=context), vocabulary, self.where, digest)
            own = transformers.AutoTokenizer.from_pretrained(str(texts), local_files_only=True, trust_remote_code=False)
            digest = digest_of(texts, __name__, context) if own.is_fast else ""
            checked = CheckedTokenizer(partial(_ids, own, context), vocabulary, self.where, digest)
            self._try_out(checked)
        except CheckpointError:
            raise
        except Exception as error:  # the tokenizer libraries raise whatever they like, plain Exception included
            raise CheckpointError(
                f"{self.where}: the tokenizer cannot be used ({reason(error)}); replace its files."
            ) from error
        return checked

    def _try_out(self, tokenizer: CheckedTokenizer) -> None:
        end = self.config.text.get("eos_token_id", 49407)
        # 2 stands in the files of before 2023 and means: at the highest id.
        if end != 2 and not bool((tokenizer(["a photo of a dog"]) == end).any()):
            raise CheckpointError(
                f"{self.where}: the text tower reads at the end mark {end} (eos_token_id), but the tokenizer never "
                "writes it."
            )


class CLIPVisionTower(nn.Module):
    """The image side of a `CLIPModel`."""

    def __init__(self, clip: "transformers.CLIPModel") -> None:
        """Take its parts."""
        super().__init__()
        self.vision_model, self.visual_projection = clip.vision_model, clip.visual_projection

    def forward(self, image: Tensor) -> Tensor:
        """`(N, 3, H, W)` normalised pictures to `(N, D)`."""
        features: Tensor = self.visual_projection(self.vision_model(pixel_values=image.contiguous()).pooler_output)
        return features


class TransformersTowers(nn.Module):
    """A `CLIPModel` with the methods of an open_clip model, and its image tower as `visual`."""

    def __init__(self, clip: "transformers.CLIPModel") -> None:
        """Take its parts."""
        super().__init__()
        self.visual = CLIPVisionTower(clip)
        self.text_model, self.text_projection = clip.text_model, clip.text_projection
        self.logit_scale = clip.logit_scale

    def encode_image(self, image: Tensor, normalize: bool = False) -> Tensor:
        """`(N, 3, H, W)` normalised pictures to `(N, D)`."""
        features: Tensor = self.visual(image)
        return F.normalize(features, dim=-1) if normalize else features

    def last_token_read(self, text: Tensor) -> Tensor:
        """`(N, context)` ids to the place of the end mark, `(N,)`, behind which nothing is read."""
        end = self.text_model.config.eos_token_id
        return text.argmax(-1) if end == 2 else (text == end).int().argmax(-1)

    def encode_text(self, text: Tensor, normalize: bool = False) -> Tensor:
        """`(N, context)` ids to `(N, D)`; no mask is needed, as nothing is read behind the end mark."""
        features: Tensor = self.text_projection(self.text_model(input_ids=text).pooler_output)
        return F.normalize(features, dim=-1) if normalize else features


def _ids(tokenizer: object, context: int, texts: list[str]) -> Tensor:
    made = tokenizer(  # type: ignore[operator]
        texts, padding="max_length", truncation=True, max_length=context, return_tensors="pt"
    )
    ids: Tensor = made["input_ids"]
    return ids


def _names_of_file(state: State) -> State:
    return {name.removeprefix("visual."): tensor for name, tensor in state.items()}


def _processors(texts: Path, side: int) -> dict[str, dict[str, object]]:
    """The source's own, or one where it has none: the normalisation that was used must not be lost."""
    found = {
        name: json.loads((texts / name).read_text(encoding="utf-8")) for name in PROCESSORS if (texts / name).is_file()
    }
    if any(name == PROCESSORS[-1] or "image_processor" in document for name, document in found.items()):
        return found
    size = {"crop_size": {"height": side, "width": side}, "size": {"shortest_edge": side}, "resample": 3}
    return {**found, PROCESSORS[-1]: {"image_processor_type": "CLIPImageProcessor", **size}}
