"""The tokenizer that belongs to a checkpoint: its own files or open_clip's; nothing is fetched and no code is run."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from open_clip.tokenizer import HFTokenizer, SimpleTokenizer
from torch import Tensor

from eftclip.checkpoint.configuration import Configuration, read_json
from eftclip.checkpoint.error_text import reason, short_list
from eftclip.errors import CheckpointError

TOKENIZER_CONFIG = "tokenizer_config.json"
VOCABULARIES = (
    "tokenizer.json",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)
TOKENIZER_FILES = (*VOCABULARIES, TOKENIZER_CONFIG, "special_tokens_map.json", "added_tokens.json", "merges.txt")
SIMPLE_VOCABULARY = 49408
CODE_KEYS = ("auto_map", "trust_remote_code")
FILE_KEYS = ("vocab", "merges", "init_inputs", "gguf_file")  # some tokenizers open what these name
# Text of these may hold a slash: words and templates, and paths of the author's machine, which are not followed.
TEXT_KEYS = re.compile(r"\w*_tokens?|added_tokens_decoder|chat_template|\w+_file|name_or_path")


@dataclass(frozen=True, eq=False)
class CheckedTokenizer:
    """Texts to `(N, context)` int64 ids, all of which the text tower knows."""

    tokenize: Callable[[list[str]], Tensor]
    vocabulary: int
    where: str

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Tokenize.

        Raises:
            CheckpointError: an id lies beyond the text tower's vocabulary.
        """
        ids = self.tokenize(list(texts))
        if (highest := int(ids.max())) >= self.vocabulary:
            raise CheckpointError(
                f"{self.where}: the tokenizer writes the id {highest}, but the text tower knows {self.vocabulary} ids."
            )
        return ids


def check_tokenizer_files(config: Configuration, files: Mapping[str, int], folder: Path, where: str) -> None:
    """What can be said about a tokenizer before it is loaded.

    Raises:
        CheckpointError: its files are missing, or its configuration asks for code to be run.
    """
    if not config.text.get("hf_tokenizer_name"):
        vocabulary = config.text.get("vocab_size", SIMPLE_VOCABULARY)
        if vocabulary != SIMPLE_VOCABULARY:
            raise CheckpointError(
                f"{where}: the text tower knows {vocabulary} ids, but without hf_tokenizer_name the tokenizer is "
                f"open_clip's own with {SIMPLE_VOCABULARY}; name the tokenizer and add its files."
            )
        return
    if not any(name in files for name in VOCABULARIES):
        raise CheckpointError(
            f"{where}: the configuration names the tokenizer {config.text['hf_tokenizer_name']!r}, but its files are "
            f"not here, and nothing is fetched from elsewhere; add {VOCABULARIES[0]} and {TOKENIZER_CONFIG}."
        )
    if TOKENIZER_CONFIG in files:
        asked = read_json(folder / TOKENIZER_CONFIG, where)
        if code := [key for key in CODE_KEYS if key in asked]:
            raise CheckpointError(
                f"{where}: {TOKENIZER_CONFIG} asks to run code that comes with the checkpoint ({code[0]}); "
                "that is never done."
            )
        if outside := [key for key, value in asked.items() if key in FILE_KEYS or _names_a_file(key, value)]:
            raise CheckpointError(
                f"{where}: {TOKENIZER_CONFIG} asks to open another file ({short_list(outside)}), perhaps one of this "
                "machine; that is never done."
            )


def _names_a_file(key: str, value: object) -> bool:
    """Whether a setting could be the path of a file: transformers hands all settings to the tokenizer's class."""
    if isinstance(value, dict | list):
        inside = value.values() if isinstance(value, dict) else value
        return not TEXT_KEYS.fullmatch(key) and any(_names_a_file("", item) for item in inside)
    return isinstance(value, str) and not TEXT_KEYS.fullmatch(key) and bool({"/", "\\"} & set(value))


def load_tokenizer(config: Configuration, folder: Path, where: str) -> CheckedTokenizer:
    """The tokenizer of a checked folder, tried on a text.

    Raises:
        CheckpointError: it cannot be loaded, or does not belong to the text tower.
    """
    text = config.text
    vocabulary = int(text.get("vocab_size", SIMPLE_VOCABULARY))
    context, options = text.get("context_length", 77), text.get("tokenizer_kwargs", {})
    try:
        if text.get("hf_tokenizer_name"):
            tokenizer = _own_tokenizer(folder, context, text.get("tokenizer_mode"), options)
            size = int(tokenizer.tokenizer.vocab_size)
        else:
            tokenizer = SimpleTokenizer(context_length=context, **options)
            size = int(tokenizer.vocab_size)
        if size > vocabulary:
            raise CheckpointError(
                f"{where}: the tokenizer has {size} words, but the text tower knows only {vocabulary}; "
                "they do not belong together."
            )
        checked = CheckedTokenizer(tokenizer, vocabulary, where)
        _try_out(checked, text, where)
    except CheckpointError:
        raise
    except Exception as error:  # the tokenizer libraries raise whatever they like, plain Exception included
        raise CheckpointError(f"{where}: the tokenizer cannot be used ({reason(error)}); replace its files.") from error
    return checked


def _own_tokenizer(folder: Path, context: int, mode: str | None, options: Mapping[str, Any]) -> HFTokenizer:
    return HFTokenizer(
        str(folder),
        context_length=context,
        tokenizer_mode=mode,
        **options,
        local_files_only=True,
        trust_remote_code=False,
    )


def _try_out(tokenizer: CheckedTokenizer, text: Mapping[str, Any], where: str) -> None:
    ids = tokenizer(["a photo of a dog"])
    eos = text.get("eos_id", 2)
    if text.get("pool_type") == "eos" and not bool((ids == eos).any()):
        raise CheckpointError(
            f"{where}: the text tower reads at the end mark {eos} (eos_id), but the tokenizer never writes it."
        )
