"""What a compression keeps word for word: tool calls with their results, errors, what is marked important. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from graph_memory.context.exchanges import split_exchanges
from graph_memory.errors import ConfigurationError
from graph_memory.extract.statements import day_of, spoken_text
from graph_memory.messages import is_error_text, metadata_of, speaker_of, text_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PreserveRules:
    """Which messages a `selective` summary keeps word for word.

    System messages need no rule: they are never compressed.

    Attributes:
        tool_calls: calls of tools with their results, together.
        errors: results that a tool marked as errors, and texts that begin as an error message does.
        important: messages whose metadata has `important` set, or an importance of 0.8 and more.
        words: messages in which one of these words stands.
        predicate: messages that it returns True for.
        max_share: fraction of the summary's size that these messages may take; the oldest and least important are summarised.

    Raises:
        ConfigurationError: the share is not a fraction, or the words are one text.
    """

    tool_calls: bool = True
    errors: bool = True
    important: bool = True
    words: tuple[str, ...] = ("important", "critical")
    predicate: Callable[[BaseMessage], bool] | None = None
    max_share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.max_share <= 1:
            raise ConfigurationError(
                f"max_share of preserve rules is {self.max_share}: give a fraction between 0 and 1"
            )
        words: object = self.words
        if isinstance(words, str):
            raise ConfigurationError("words of preserve rules must be a list, got one text: put it in brackets")

    def rank_of(self, exchange: Sequence[BaseMessage]) -> int:
        """How firmly messages that belong together are kept: 3 for what is marked, 2 errors, 1 tool calls, 0 not at all."""
        if any(map(self._is_marked, exchange)):
            return 3
        if self.errors and any(map(_is_error, exchange)):
            return 2
        return int(self.tool_calls and any(isinstance(m, AIMessage) and m.tool_calls for m in exchange))

    def _is_marked(self, message: BaseMessage) -> bool:
        if self.predicate is not None and self.predicate(message):
            return True
        if self.important and _is_important(message):
            return True
        words = "|".join(map(re.escape, self.words))
        return bool(words and re.search(rf"(?<!\w)(?:{words})(?!\w)", text_of(message), re.IGNORECASE))


@dataclass(frozen=True, slots=True)
class Preserved:
    """Messages that belong together, kept word for word.

    Attributes:
        text: what is shown.
        ids: ids of the messages.
        rank: as in `PreserveRules.rank_of`.
        tokens: cost of the text.
    """

    text: str
    ids: tuple[str, ...]
    rank: int
    tokens: int

    def to_value(self) -> dict[str, Any]:
        """As the thread's state keeps it."""
        return {**asdict(self), "ids": list(self.ids)}

    @classmethod
    def from_value(cls, value: Mapping[str, Any]) -> Preserved:
        """What `to_value` wrote."""
        return cls(value["text"], tuple(value["ids"]), value["rank"], value["tokens"])


@dataclass(frozen=True, slots=True)
class Sorted:
    """Messages told apart.

    Attributes:
        preserved: what is kept word for word, oldest first.
        evicted: what was kept until now and has no room any more.
        rest: messages that are summarised.
    """

    preserved: tuple[Preserved, ...]
    evicted: tuple[Preserved, ...]
    rest: tuple[BaseMessage, ...]


def sorted_out(
    earlier: Sequence[Preserved],
    messages: Sequence[BaseMessage],
    rules: PreserveRules,
    *,
    max_tokens: int,
    count: Callable[[str], int],
) -> Sorted:
    """Which of the messages are kept beside those that are, within `max_tokens`: by rank, the newest first.

    Args:
        earlier: what is kept until now.
        messages: what is to be compressed, oldest first.
        rules: what to keep.
        max_tokens: tokens that all that is kept may have.
        count: tokens of a text.
    """
    found: dict[int, Preserved] = {}
    places: dict[int, Sequence[int]] = {}
    for number, exchange in enumerate(split_exchanges(messages), len(earlier)):
        some = [messages[index] for index in exchange.indices]
        if rank := rules.rank_of(some):
            found[number] = _preserved(some, rank, count)
            places[number] = exchange.indices
    offered = {**dict(enumerate(earlier)), **found}
    kept, room = set[int](), max_tokens
    for number in sorted(offered, key=lambda n: (-offered[n].rank, -n)):
        if offered[number].tokens <= room:
            kept.add(number)
            room -= offered[number].tokens
    out = {index for number in kept if number in places for index in places[number]}
    return Sorted(
        tuple(offered[number] for number in sorted(kept)),
        tuple(one for number, one in enumerate(earlier) if number not in kept),
        tuple(message for index, message in enumerate(messages) if index not in out),
    )


def spoken_line(message: BaseMessage) -> str:
    """A message as a line: who said it, when if that is known, and what."""
    day = day_of(message)
    return f"{speaker_of(message)}{f' ({day})' if day else ''}: {spoken_text(message)}"


def _preserved(messages: Iterable[BaseMessage], rank: int, count: Callable[[str], int]) -> Preserved:
    messages = list(messages)
    text = "\n".join(map(spoken_line, messages))
    return Preserved(text, tuple(message.id or "" for message in messages), rank, count(text))


def _is_important(message: BaseMessage) -> bool:
    extra, metadata = message.additional_kwargs, metadata_of(message)
    importance = extra.get("importance", metadata.get("importance", 0))
    marked = extra.get("important") or metadata.get("important")
    return bool(marked) or (isinstance(importance, int | float) and importance >= 0.8)


def _is_error(message: BaseMessage) -> bool:
    is_marked = isinstance(message, ToolMessage) and message.status == "error"
    return is_marked or is_error_text(text_of(message))
