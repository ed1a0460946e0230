"""The earlier turns of a context: which of the turns that a history section offers are sent, and why not the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from langchain_core.messages import BaseMessage

from graph_memory.context.exchanges import EMPTY, is_empty, split_exchanges
from graph_memory.context.ledger import role_of
from graph_memory.context.tokens import message_tokens
from graph_memory.context.turns import window_start
from graph_memory.messages import text_of, with_refusal_told
from graph_memory.types import Line, Section, Snippet, TokenCounter

KEPT = "newest turns"
OVER_BUDGET = "over budget"
RUNNING_TURN = "in the running turn"
NO_MESSAGE = "not a message"
NO_HUMAN = "before the first human message"
PINNED_SYSTEM = "system messages come from the thread"

FLUSH_PART = 8
"""An overflow empties the history to seven eighths, so that its start stays where it is for some turns."""


@dataclass(slots=True)
class History:
    """A history section while it is being cut.

    Attributes:
        section: what was offered.
        tokens: cost of each snippet's message.
        rules: why a snippet is never sent, by its index.
        turns: indices of each turn's messages that may be sent, oldest turn first.
        first: the first turn that is kept.
    """

    section: Section
    tokens: list[int]
    rules: dict[int, str]
    turns: list[list[int]]
    first: int = 0
    turn_tokens: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.turn_tokens = [sum(self.tokens[index] for index in turn) for turn in self.turns]

    @property
    def used(self) -> int:
        """Tokens of the turns that are kept."""
        return sum(self.turn_tokens[self.first :])

    @property
    def wanted(self) -> int:
        """Tokens that it could use; once it is cut, what it uses."""
        return self.used

    @property
    def messages(self) -> list[BaseMessage]:
        """The messages that are kept, in the thread's order."""
        kept = (self.section.snippets[index].message for turn in self.turns[self.first :] for index in turn)
        return [message for message in kept if message is not None]

    def cut(self, max_tokens: int, step: int) -> None:
        """Drops turns from the old end until at most `max_tokens` are used.

        When not all fits, the limit is lowered to a multiple of `step` and turns leave in batches: otherwise the history
        would begin elsewhere at every call, and no prompt cache would hit (law 8).
        """
        if self.used <= max_tokens:
            return
        limit = max_tokens - max_tokens % step if max_tokens > step else max_tokens
        self.first += window_start(self.turn_tokens[self.first :], limit, limit // FLUSH_PART)
        if self.used > max_tokens:
            self.first = len(self.turns)

    def lines(self) -> list[Line]:
        """Every offered message, with the rule that let it in or left it out."""
        kept = {index for turn in self.turns[self.first :] for index in turn}
        return [
            Line(
                memory=self.section.memory,
                memo_id=snippet.memo_id,
                text=snippet.text,
                tokens=self.tokens[index],
                kept=index in kept,
                rule=KEPT if index in kept else self.rules.get(index, OVER_BUDGET),
                score=snippet.score,
                parts=snippet.parts,
            )
            for index, snippet in enumerate(self.section.snippets)
        ]


def offered_history(section: Section, human: BaseMessage | None, counter: TokenCounter) -> History:
    """The turns that a section offers, refusals told in words, without the running one and without what no provider accepts.

    Args:
        section: one message a snippet, oldest first.
        human: the newest human message; from there on the thread itself is shown.
        counter: how tokens are counted.
    """
    section = replace(section, snippets=tuple(map(_with_refusal_told, section.snippets)))
    rules: dict[int, str] = {}
    shown: list[tuple[int, BaseMessage]] = []
    end = _running_start(section, human)
    for index, snippet in enumerate(section.snippets):
        if index >= end:
            rules[index] = RUNNING_TURN
        elif snippet.message is None:
            rules[index] = NO_MESSAGE
        elif role_of(snippet.message) in ("system", "remove"):
            rules[index] = PINNED_SYSTEM
        else:
            shown.append((index, snippet.message))
    turns = [turn for turn in map(_sendable, _by_turn(shown, rules), [rules] * len(shown)) if turn]
    return History(section, _costs(section, counter), rules, turns)


def _with_refusal_told(snippet: Snippet) -> Snippet:
    if snippet.message is None or (told := with_refusal_told(snippet.message)) is snippet.message:
        return snippet
    return replace(snippet, message=told, text=text_of(told))


def _running_start(section: Section, human: BaseMessage | None) -> int:
    """Index of the newest human message within the section, or its length."""
    if human is None:
        return len(section.snippets)
    for index in range(len(section.snippets) - 1, -1, -1):
        message = section.snippets[index].message
        if message is human or (message is not None and human.id is not None and message.id == human.id):
            return index
    return len(section.snippets)


def _by_turn(shown: Sequence[tuple[int, BaseMessage]], rules: dict[int, str]) -> list[list[tuple[int, BaseMessage]]]:
    turns: list[list[tuple[int, BaseMessage]]] = []
    for index, message in shown:
        if role_of(message) == "human":
            turns.append([])
        if turns:
            turns[-1].append((index, message))
        else:
            rules[index] = NO_HUMAN
    return turns


def _sendable(turn: Sequence[tuple[int, BaseMessage]], rules: dict[int, str]) -> list[int]:
    """What of a turn may be sent. A turn whose human said nothing goes whole: without its beginning no provider takes it."""
    if is_empty(turn[0][1]):
        rules |= dict.fromkeys((index for index, _ in turn), EMPTY)
        return []
    kept: list[int] = []
    for exchange in split_exchanges([message for _, message in turn]):
        indices = [turn[position][0] for position in exchange.indices]
        if exchange.rule:
            rules |= dict.fromkeys(indices, exchange.rule)
        else:
            kept += indices
    return kept


def _costs(section: Section, counter: TokenCounter) -> list[int]:
    """Snippets without a message are never sent and cost nothing."""
    counts = iter(message_tokens([s.message for s in section.snippets if s.message is not None], counter))
    return [0 if snippet.message is None else next(counts) for snippet in section.snippets]
