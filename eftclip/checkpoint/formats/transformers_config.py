"""What the files beside a CLIP of transformers may say, checked before anything is built: they could name code.

Only the settings below reach the library. Of everything else a file may say only what is known to change nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD

from eftclip.checkpoint.error_text import short_list
from eftclip.checkpoint.json_files import read_json
from eftclip.errors import CheckpointError
from eftclip.preprocess import Preprocess

CONFIG = "config.json"
PROCESSORS = ("processor_config.json", "preprocessor_config.json")  # of transformers 5, and before

_TOP = {"projection_dim": 16_384}
_TOWER = {"hidden_size": 16_384, "intermediate_size": 65_536, "num_hidden_layers": 256, "num_attention_heads": 1024}
_TEXT = {**_TOWER, "vocab_size": 2_000_000, "max_position_embeddings": 8192}
_VISION = {**_TOWER, "image_size": 2048, "patch_size": 512}
_MARKS = ("bos_token_id", "eos_token_id", "pad_token_id")
MOST_PATCHES_PER_SIDE = 64  # as for open_clip
_ACTIVATIONS = ("quick_gelu", "gelu", "gelu_new", "gelu_pytorch_tanh", "relu")
# Settings of training, of generating text, and remarks; earlier versions wrote them all.
_WITHOUT_EFFECT = set(
    """
    _name_or_path _commit_hash add_cross_attention architectures attention_dropout bad_words_ids begin_suppress_tokens
    chunk_size_feed_forward cross_attention_hidden_size decoder_start_token_id diversity_penalty do_sample dropout dtype
    early_stopping encoder_no_repeat_ngram_size exponential_decay_length_penalty finetuning_task forced_bos_token_id
    forced_eos_token_id gradient_checkpointing id2label initializer_factor initializer_range is_decoder
    is_encoder_decoder label2id length_penalty logit_scale_init_value max_length min_length model_type
    no_repeat_ngram_size num_beam_groups num_beams num_return_sequences output_attentions output_hidden_states
    output_scores prefix problem_type projection_dim remove_invalid_values repetition_penalty return_dict
    return_dict_in_generate sep_token_id suppress_tokens task_specific_params temperature tf_legacy_loss
    tie_encoder_decoder tie_word_embeddings tokenizer_class top_k top_p torch_dtype torchscript transformers_version
    typical_p use_bfloat16 use_cache""".split()
)


@dataclass(frozen=True)
class TransformersConfig:
    """Settings that passed every check.

    Attributes:
        settings: keyword arguments of transformers' `CLIPConfig`.
        preprocess: how pictures are made ready.
        doubts: what the files say of pictures that is not done here, in sentences.
    """

    settings: dict[str, Any]
    preprocess: Preprocess
    doubts: tuple[str, ...]

    @property
    def text(self) -> dict[str, Any]:
        """The text tower's settings; those left out are the library's defaults."""
        return {"vocab_size": 49408, "max_position_embeddings": 77, **self._merged("text")}

    @property
    def vision(self) -> dict[str, Any]:
        """The image tower's settings, likewise."""
        return {"image_size": 224, "patch_size": 32, **self._merged("vision")}

    def _merged(self, side: str) -> dict[str, Any]:
        """As the library does it: the older section wins, with its own defaults."""
        older = self.settings.get(f"{side}_config_dict")
        return dict(self.settings[f"{side}_config"] if older is None else older)


def read_transformers_config(folder: Path, where: str) -> TransformersConfig:
    """Read and check the files of a folder.

    Raises:
        CheckpointError: missing, not JSON, no `CLIPModel`, a key or a value that is not allowed; `where` names the
            checkpoint.
    """
    document = read_json(folder / CONFIG, where)
    kind = document.get("model_type")
    if kind != "clip":
        raise CheckpointError(
            f"{where}: {CONFIG} describes a model of the kind {str(kind)[:40]!r}; of transformers, only CLIPModel "
            "(model_type clip) can be judged."
        )
    check = _Check(where)
    settings = check.section(document, CONFIG, _TOP, others=("text", "vision"))
    for side, limits in (("text", _TEXT), ("vision", _VISION)):
        for key in (f"{side}_config", f"{side}_config_dict"):
            if document.get(key) is not None:
                settings[key] = check.section(document[key], key, limits)
        settings.setdefault(f"{side}_config", {})
    found = TransformersConfig(settings, _PLAIN, ())
    side, patch = found.vision["image_size"], found.vision["patch_size"]
    if (count := side // patch) > MOST_PATCHES_PER_SIDE:
        most = MOST_PATCHES_PER_SIDE
        check.refuse(f"image_size and patch_size make {count} × {count} patches, and at most {most} × {most} are read")
    preprocess, doubts = _preprocess(folder, side, where)
    return TransformersConfig(settings, preprocess, tuple(f"{where}: {doubt}" for doubt in doubts))


_PLAIN = Preprocess(224, OPENAI_DATASET_MEAN, OPENAI_DATASET_STD)


@dataclass(frozen=True)
class _Check:
    where: str

    def refuse(self, why: str) -> NoReturn:
        raise CheckpointError(f"{self.where}: {CONFIG} cannot be used: {why}.")

    def section(
        self, section: Any, name: str, limits: Mapping[str, int], others: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """The settings of a section that reach the library."""
        if not isinstance(section, dict):
            self.refuse(f"{name} must be an object, found {type(section).__name__}")
        sections = {f"{side}_config{older}" for side in others for older in ("", "_dict")}
        picked = {key: value for key, value in section.items() if self._reaches(key, limits) and value is not None}
        stray = sorted(set(section) - set(picked) - _WITHOUT_EFFECT - sections)
        if stray := [key for key in stray if section[key] not in (None, {}, []) or key == "auto_map"]:
            self.refuse(f"the key {stray[0][:60]!r} is not allowed in {name}")
        for key, value in picked.items():
            self._value(key, value, name, limits)
        return {key: value for key, value in picked.items() if key != "num_channels"}

    @staticmethod
    def _reaches(key: str, limits: Mapping[str, int]) -> bool:
        inside = limits is not _TOP
        return key in limits or (inside and key in ("hidden_act", "layer_norm_eps", "num_channels", *_MARKS))

    def _value(self, key: str, value: Any, name: str, limits: Mapping[str, int]) -> None:
        if key == "hidden_act":
            fits, wanted = value in _ACTIVATIONS, f"one of {', '.join(_ACTIVATIONS)}"
        elif key == "layer_norm_eps":
            fits, wanted = isinstance(value, float) and 0 < value < 1, "a number between 0 and 1"
        elif key == "num_channels":
            fits, wanted = value == 3, "3"
        else:
            least, most = (0, _TEXT["vocab_size"]) if key in _MARKS else (1, limits[key])
            fits = type(value) is int and least <= value <= most
            wanted = f"a whole number from {least} to {most}"
        if not fits:
            self.refuse(f"{key} in {name} must be {wanted}, found {str(value)[:40]!r}")


def _preprocess(folder: Path, side: int, where: str) -> tuple[Preprocess, list[str]]:
    """How pictures are made ready; the size is always the image tower's."""
    name, told = _processor(folder, where)
    doubts = []
    for key in ("do_resize", "do_rescale", "do_normalize", "do_center_crop"):
        if told.get(key, True) is not True and (key != "do_center_crop" or "shortest_edge" in _sides(told, "size")):
            doubts.append(f"{name} sets {key} to {told[key]!r}, and it is done here all the same.")
    size, crop = _sides(told, "size"), _sides(told, "crop_size")
    squash = "height" in size and not (told.get("do_center_crop", True) and crop)
    for key, value in {**size, **crop}.items():
        if value != side:
            doubts.append(f"{name} asks for pictures of {value!r} px ({key}), and the image tower for {side}.")
    resample = told.get("resample", 3)
    if resample not in (2, 3):
        doubts.append(f"{name} asks for the resampling {resample!r}; bicubic is used here.")
    made = Preprocess(
        image_px=side,
        mean=_channels(told.get("image_mean") or OPENAI_DATASET_MEAN, "image_mean", name, where),
        std=_channels(told.get("image_std") or OPENAI_DATASET_STD, "image_std", name, where),
        interpolation="bilinear" if resample == 2 else "bicubic",
        resize_mode="squash" if squash else "shortest",
    )
    return made, doubts[:1]  # one sentence is enough to look for oneself


def _processor(folder: Path, where: str) -> tuple[str, dict[str, Any]]:
    """The file that tells of pictures, and what it says; nothing where there is none."""
    for name in PROCESSORS:
        if (folder / name).is_file():
            document = read_json(folder / name, where)
            told = document.get("image_processor", document if name == PROCESSORS[-1] else None)
            if code := sorted({"auto_map", "trust_remote_code"} & {*document, *(told or {})}):
                raise CheckpointError(
                    f"{where}: {name} asks to run code that comes with the checkpoint ({short_list(code)}); that is "
                    "never done."
                )
            if isinstance(told, dict):
                return name, told
    return PROCESSORS[-1], {}


def _sides(told: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Sizes as versions of the library write them: a number, or a table."""
    value = told.get(key)
    if isinstance(value, dict):
        return {side: value[side] for side in ("shortest_edge", "height", "width") if value.get(side) is not None}
    return {} if value is None else {"shortest_edge" if key == "size" else "height": value}


def _channels(value: Any, key: str, name: str, where: str) -> tuple[float, float, float]:
    fits = isinstance(value, list | tuple) and len(value) == 3 and all(type(n) in (int, float) for n in value)
    if not fits or not all(-10 <= n <= 10 for n in value) or (key == "image_std" and min(value) <= 0):
        raise CheckpointError(
            f"{where}: {key} in {name} must be three numbers, one for each channel, found {str(value)[:40]!r}."
        )
    return float(value[0]), float(value[1]), float(value[2])
