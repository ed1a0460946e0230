"""What every command is told, and what it opens with that: the memory, the model, the scope."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from graph_memory.errors import ConfigurationError, MissingExtraError
from graph_memory.namespaces import label
from graph_memory.types import Scope
from graph_memory.urls import parse

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from graph_memory.opening import Memory
    from graph_memory.urls import Opening

_EXTRAS = {"openai": "openai", "google_genai": "google", "google_vertexai": "google"}
_KEYS = {
    "openai": ("OPENAI_API_KEY",),
    "google_genai": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    "anthropic": ("ANTHROPIC_API_KEY",),
    "mistralai": ("MISTRAL_API_KEY",),
    "groq": ("GROQ_API_KEY",),
}


GONE = (
    "is in the memory of this process alone, gone when the command ends: name a file, for example sqlite:///memory.db"
)
"""What is said of a url that keeps nothing."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Options that most commands share.

    Attributes:
        url: where memory is kept.
        user: whose memory it is.
        budget_tokens: tokens of context for each answer.
        model: "provider:name" of a chat model; None quotes.
        embed: "provider:name" of an embedding model; None searches by words.
    """

    url: str
    user: str
    budget_tokens: int = 4000
    model: str | None = None
    embed: str | None = None

    def scope(self, thread: str | None = None) -> Scope:
        """This user's, in one of their threads.

        Raises:
            ConfigurationError: the user's name is empty, which names nobody.
        """
        if not self.user:
            raise ConfigurationError("--user is empty: name the user whose memory it is")
        return Scope(user_id=self.user, thread_id=None if thread is None else thread_id(self.user, thread))

    @property
    def place(self) -> str:
        """Where memory is kept, as it may be shown: a file's url, and of a server the scheme, as the rest may hold a password."""
        scheme, _, rest = self.url.partition("://")
        return self.url if scheme == "sqlite" or not rest else f"{scheme}://…"

    @property
    def is_kept(self) -> bool:
        """Whether memory outlasts the command."""
        place = parse(self.url)
        return place.scheme != "sqlite" or place.path is not None

    def check_kept(self) -> None:
        """For commands that do nothing but change what is kept.

        Raises:
            ConfigurationError: it would be gone with the command, or the url is wrong.
        """
        if not self.is_kept:
            raise ConfigurationError(f"{self.url} {GONE}")

    def open(self, *, create: bool = False) -> Opening[Memory]:
        """The memory, for a `with` block.

        Args:
            create: whether to make a file that is not there, for commands that remember.

        Raises:
            ConfigurationError: the url or the embedding model is wrong; on entering the block, when there is no such file.
            StoreError: on entering the block, when the file cannot be used.
        """
        from graph_memory.opening import open_memory, options_from_env
        from graph_memory.settings.environment import misspellings

        for warning in misspellings(os.environ):
            print(f"graph-memory: {warning}", file=sys.stderr)
        _check_key(self.embed)
        return open_memory(self.url, embed=self.embed, create=create, **options_from_env(self.url, os.environ))

    def chat_model(self) -> BaseChatModel | None:
        """The chat model, None when none was asked for.

        Raises:
            ConfigurationError: its name is unknown or its key is missing.
            MissingExtraError: its package is not installed.
        """
        if self.model is None:
            return None
        _check_key(self.model)
        model: BaseChatModel = _made(self.model)
        return model


def thread_id(user: str, thread: str) -> str:
    """The name under which checkpoints keep a user's thread: two users' threads of one name are two."""
    return thread_prefix(user) + thread


def thread_prefix(user: str) -> str:
    """What the names of all of a user's threads begin with, and no other user's."""
    return label("user", user)


def _made(spec: str) -> Any:
    provider = spec.partition(":")[0]
    try:
        init_chat_model = import_module("langchain.chat_models").init_chat_model
        return init_chat_model(spec)
    except ImportError as exc:
        raise MissingExtraError(f"--model {spec}", _EXTRAS.get(provider, "agents")) from exc
    except Exception as exc:
        raise ConfigurationError(f"--model {spec} cannot be used: {_first_line(exc)}") from exc


def _check_key(spec: str | None) -> None:
    """Says which environment variable is missing, before a provider's package says it in ten lines."""
    provider, _, name = (spec or "").partition(":")
    if spec is not None and not name:
        raise ConfigurationError(f"{spec!r} names no model: write provider:name, for example openai:gpt-5-mini")
    keys = _KEYS.get(provider, ())
    if keys and not any(os.environ.get(key) for key in keys):
        raise ConfigurationError(f"{spec} needs a key: set the environment variable {keys[0]}")


def _first_line(exc: Exception) -> str:
    return str(exc).strip().split("\n")[0] or type(exc).__name__
