"""Finds tiktoken's encodings on this machine, and refuses to fetch them: counting tokens never touches the network.

tiktoken downloads an encoding's file on first use and keeps it in a folder under the sha1 of its url; a file whose
checksum is wrong it deletes and downloads again. So the file is looked up and checked here before tiktoken is asked.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType

try:
    import tiktoken
    from tiktoken import model as tiktoken_models
    from tiktoken import registry
except ImportError:  # the extra "tiktoken" is not installed
    HAS_TIKTOKEN = False
else:
    HAS_TIKTOKEN = True

DEFAULT_ENCODINGS = ("o200k_base", "cl100k_base")
"""Tried in this order when no model is named."""

SHA256 = re.compile(r"[0-9a-f]{64}")
SAME_ORDINARY_TOKENS = {"o200k_harmony": "o200k_base"}
"""Encodings that differ from another one in special tokens only, which are never produced when counting."""


def encodings_for(model: str | None) -> tuple[str, ...]:
    """Names of the encodings that count for `model`, best first; empty when tiktoken does not know the model.

    Without a model these are OpenAI's general ones.
    """
    if not HAS_TIKTOKEN:
        return ()
    if model is None:
        return DEFAULT_ENCODINGS
    for spelling in (model, model.partition(":")[2], model.rpartition("/")[2]):
        try:
            name = tiktoken_models.encoding_name_for_model(spelling)
        except KeyError:
            continue
        return (SAME_ORDINARY_TOKENS.get(name, name),)
    return ()


def is_local(name: str) -> bool:
    """Whether the encoding is loaded already, or can be loaded without the network."""
    return HAS_TIKTOKEN and (name in registry.ENCODINGS or is_cached(name))


def text_counter(name: str) -> Callable[[str], int]:
    """A function that counts a text's tokens in the named encoding; ask `is_local` first.

    Special tokens in a text, such as `<|endoftext|>`, are counted as the plain text that they are.
    """
    encode = tiktoken.get_encoding(name).encode_ordinary
    return lambda text: len(encode(text))


def is_cached(name: str) -> bool:
    """Whether tiktoken can load the encoding from its cache folder: every file is there with the right checksum."""
    folder = cache_folder()
    if folder is None or name not in tiktoken.list_encoding_names():
        return False
    constructor = (registry.ENCODING_CONSTRUCTORS or {})[name]
    constants = tuple(_texts(constructor.__code__))
    urls = [text for text in constants if text.startswith("https://")]
    checksums = {text for text in constants if SHA256.fullmatch(text)}
    return bool(urls) and all(_is_intact(folder / _file_name(url), checksums) for url in urls)


def cache_folder() -> Path | None:
    """The folder where tiktoken keeps its files, as tiktoken finds it; None when its cache is switched off."""
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if variable in os.environ:
            return Path(os.environ[variable]) if os.environ[variable] else None
    return Path(tempfile.gettempdir()) / "data-gym-cache"


def _file_name(url: str) -> str:
    return hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()


def _is_intact(path: Path, checksums: set[str]) -> bool:
    if not path.is_file():
        return False
    return not checksums or hashlib.sha256(path.read_bytes()).hexdigest() in checksums


def _texts(code: CodeType) -> Iterator[str]:
    """The string constants of an encoding's constructor: tiktoken keeps urls and checksums nowhere else."""
    return (constant for constant in code.co_consts if isinstance(constant, str))
