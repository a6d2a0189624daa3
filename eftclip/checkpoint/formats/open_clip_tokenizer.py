"""The tokenizer that an open_clip configuration names: the files beside it, or open_clip's own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

from eftclip.checkpoint.error_text import reason
from eftclip.checkpoint.formats.open_clip_config import SIMPLE_VOCABULARY, Configuration
from eftclip.checkpoint.tokenizer import CheckedTokenizer, check_tokenizer_files, digest_of
from eftclip.errors import CheckpointError


def check_open_clip_tokenizer(config: Configuration, files: Mapping[str, int], folder: Path, where: str) -> None:
    """What can be said about a tokenizer before it is loaded.

    Raises:
        CheckpointError: its files are missing, or its configuration asks for code to be run.
    """
    name = config.text.get("hf_tokenizer_name")
    if name:
        check_tokenizer_files(name, files, folder, where)
        return
    vocabulary = config.vocabulary
    if vocabulary != SIMPLE_VOCABULARY:
        raise CheckpointError(
            f"{where}: the text tower knows {vocabulary} ids, but without hf_tokenizer_name the tokenizer is "
            f"open_clip's own with {SIMPLE_VOCABULARY}; name the tokenizer and add its files."
        )


def load_open_clip_tokenizer(config: Configuration, folder: Path, where: str) -> CheckedTokenizer:
    """The tokenizer of a checked folder, tried on a text.

    Raises:
        CheckpointError: it cannot be loaded, or does not belong to the text tower.
    """
    text = config.text
    vocabulary = config.vocabulary
    context, options = text.get("context_length", 77), text.get("tokenizer_kwargs", {})
    made = (__name__, context, text.get("tokenizer_mode"), sorted(options.items()))
    try:
        if text.get("hf_tokenizer_name"):
            tokenizer = _own_tokenizer(folder, context, text.get("tokenizer_mode"), options)
            size = int(tokenizer.tokenizer.vocab_size)
            digest = digest_of(folder, *made) if tokenizer.tokenizer.is_fast else ""
        else:
            tokenizer = SimpleTokenizer(context_length=context, **options)
            size = int(tokenizer.vocab_size)
            digest = digest_of(None, *made)
        if size > vocabulary:
            raise CheckpointError(
                f"{where}: the tokenizer has {size} words, but the text tower knows only {vocabulary}; "
                "they do not belong together."
            )
        checked = CheckedTokenizer(tokenizer, vocabulary, where, digest)
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
