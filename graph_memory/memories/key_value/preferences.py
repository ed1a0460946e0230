"""What key-value memory learns from a turn by itself: preferences, read by a function or asked of a chat model in one call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, Field

from graph_memory.memories.key_value.values import clipped
from graph_memory.messages import is_spoken, speaker_of, text_of
from graph_memory.models import ChatModel
from graph_memory.prompts import tagged
from graph_memory.steps import Generate, Steps

LONGEST_KEY = 80
"""Characters of a key that is learnt; a longer one is no key."""

_LONGEST_VALUE = 500
_MOST = 20
_MOST_KNOWN = 200


class Preference(BaseModel):
    """One thing that a person states about themselves."""

    # No value is null: Gemini's tools know none, so that a model leaves it out or writes the word.
    key: str = Field(description="Short lower-case name, such as 'time zone'")
    value: str | None = Field(
        default_factory=lambda: None, description="What it is; null when the person takes it back"
    )


class Preferences(BaseModel):
    """What a turn states."""

    preferences: list[Preference] = Field(default_factory=list, description="New or changed; empty when there are none")


def asked_preferences(
    model: ChatModel, prompt: str, messages: Sequence[BaseMessage], known: Iterable[str]
) -> Steps[list[tuple[str, str | None]]]:
    """What a model finds in the turn: keys with values, None for those that were taken back.

    Args:
        model: which model.
        prompt: the system message.
        messages: the turn.
        known: lines of what is known already.

    Raises:
        ModelError: the model failed or gave no valid answer.
    """
    said = [f"{speaker_of(m)}: {text_of(m)}" for m in messages if is_spoken(m)]
    known = [*known][-_MOST_KNOWN:] or ["nothing"]
    asked = [SystemMessage(prompt), HumanMessage(f"{tagged('memory', known)}\n\n{tagged('conversation', said)}")]
    answer: Preferences = yield Generate(model, asked, Preferences)
    return [pair for one in answer.preferences[:_MOST] if (pair := _cleaned(one)) is not None]


def _cleaned(one: Preference) -> tuple[str, str | None] | None:
    """Without control characters and too long values; None when the key is none."""
    key = " ".join(_printable(one.key).split()).casefold()
    if not key or len(key) > LONGEST_KEY:
        return None
    if one.value is None or one.value.strip() == "null":
        return key, None
    value = clipped(_printable(one.value), _LONGEST_VALUE)
    return (key, value) if value else None


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text[: 10 * _LONGEST_VALUE])
