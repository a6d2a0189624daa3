"""The files of a tokenizer, as transformers lays them out, and what every tokenizer is held to; no code is run."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from torch import Tensor

from eftclip.checkpoint.digests import sha256_of
from eftclip.checkpoint.error_text import short_list
from eftclip.checkpoint.json_files import read_json
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
MOST_MB = 50.0  # the largest that are published have 34 (Gemma)
# Names, and the largest size in MB that each may have.
TOKENIZER_FILES = {
    **dict.fromkeys(VOCABULARIES, MOST_MB),
    TOKENIZER_CONFIG: 10.0,
    **dict.fromkeys(("special_tokens_map.json", "added_tokens.json", "merges.txt"), MOST_MB),
}
CODE_KEYS = ("auto_map", "trust_remote_code")
FILE_KEYS = ("vocab", "merges", "init_inputs", "gguf_file")  # some tokenizers open what these name
# Text of these may hold a slash: words and templates, and paths of the author's machine, which are not followed.
TEXT_KEYS = re.compile(r"\w*_tokens?|added_tokens_decoder|chat_template|\w+_file|name_or_path")


@dataclass(frozen=True, eq=False)
class CheckedTokenizer:
    """Texts to `(N, context)` int64 ids, all of which the text tower knows.

    Attributes:
        tokenize: what does it.
        vocabulary: how many ids the text tower knows.
        where: the checkpoint's name in errors.
        digest: two with the same one write the same ids; empty where nobody can promise that (see `digest_of`).
    """

    tokenize: Callable[[list[str]], Tensor]
    vocabulary: int
    where: str
    digest: str = ""

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


def digest_of(folder: Path | None, *settings: object) -> str:
    """All that decides which ids a tokenizer writes, 64 hex digits.

    Args:
        folder: holds `tokenizer.json`, which alone makes a fast tokenizer, and the settings beside it; None for
            open_clip's own, whose words come with the library.
        settings: what it was made with.

    Returns:
        empty without `tokenizer.json`: classes of transformers that are not fast may open files of any name.
    """
    if folder is not None and not (folder / VOCABULARIES[0]).is_file():
        return ""
    files = [] if folder is None else [(name, folder / name) for name in sorted({*TOKENIZER_FILES, "config.json"})]
    digests = [(name, sha256_of(path)) for name, path in files if path.is_file()]
    versions = [version(name) for name in ("open_clip_torch", "transformers", "tokenizers", "ftfy")]
    return hashlib.sha256(repr((digests, versions, settings)).encode()).hexdigest()


def check_tokenizer_files(name: str, files: Mapping[str, int], folder: Path, where: str) -> None:
    """What can be said about a tokenizer that comes with a checkpoint before it is loaded.

    Args:
        name: what the checkpoint calls it.
        files: of the checkpoint.
        folder: holds `TOKENIZER_CONFIG` where there is one.
        where: the checkpoint's name in errors.

    Raises:
        CheckpointError: its files are missing, or its configuration asks for code to be run.
    """
    if not any(name in files for name in VOCABULARIES):
        raise CheckpointError(
            f"{where}: the configuration names the tokenizer {name!r}, but its files are "
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
