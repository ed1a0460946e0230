"""Exchanges: what must stay together for a provider to accept it, and how a turn that is too long is shortened (law 2).

An exchange is an AI message with tool calls and the results that directly follow it, or any other single message. Results
without their call and calls without all their results never reach a provider.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import BaseMessage

from graph_memory.context.budget import allocate
from graph_memory.context.ledger import role_of
from graph_memory.context.tokens import message_tokens
from graph_memory.errors import BudgetError
from graph_memory.messages import text_of, with_refusal_told
from graph_memory.types import TokenCounter

ORPHAN = "tool result without its call"
UNANSWERED = "tool call without all its results"
EMPTY = "empty message"
TOO_OLD = "earlier exchange of a turn that is too long"
ELLIPSIS = "…"
_CARRIED = ("audio", "function_call", "tool_outputs")
"""What clients send beside an assistant's content, by its key in `additional_kwargs`; everything else there is a note."""

_THOUGHTS = ("reasoning", "thinking", "redacted_thinking")
GUESSES = 8

SHORTENED = "newest exchange, shortened"
RUNNING = "running turn"


@dataclass(frozen=True, slots=True)
class Exchange:
    """Messages that go together.

    Attributes:
        indices: where they stand in the messages that were split.
        rule: why they must not reach a provider; "" when they may.
    """

    indices: tuple[int, ...]
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one message of a turn.

    Attributes:
        message: as it is shown, or as it was when it is not.
        tokens: what it costs, or would have cost.
        kept: whether it is shown.
        rule: why.
    """

    message: BaseMessage
    tokens: int
    kept: bool
    rule: str


def split_exchanges(messages: Sequence[BaseMessage]) -> list[Exchange]:
    """The exchanges of messages without system messages; every index is in exactly one of them."""
    exchanges: list[Exchange] = []
    index = 0
    while index < len(messages):
        end = index + 1
        if calls := _call_ids(messages[index]):
            while end < len(messages) and role_of(messages[end]) == "tool":
                end += 1
            exchanges += _answered(calls, messages, index, end)
        else:
            exchanges.append(_single(messages[index], index))
        index = end
    return exchanges


def _call_ids(message: BaseMessage) -> list[Any]:
    """Ids of the message's tool calls; malformed calls count, because providers are sent those too."""
    if role_of(message) != "ai":
        return []
    fields = message.__dict__
    return [call.get("id") for call in (*fields["tool_calls"], *fields["invalid_tool_calls"])]


def _answered(calls: list[Any], messages: Sequence[BaseMessage], index: int, end: int) -> Iterator[Exchange]:
    """The call with the first result for each of its ids, and whatever else followed it as orphans."""
    open_calls = set(calls)
    results = []
    for position in range(index + 1, end):
        call_id = messages[position].__dict__.get("tool_call_id")
        if call_id in open_calls:
            open_calls.discard(call_id)
            results.append(position)
        else:
            yield Exchange((position,), ORPHAN)
    is_whole = not open_calls and len(results) == len(calls)
    yield Exchange((index, *results), "" if is_whole else UNANSWERED)


def _single(message: BaseMessage, index: int) -> Exchange:
    role = role_of(message)
    if role == "tool":
        return Exchange((index,), ORPHAN)
    return Exchange((index,), EMPTY if role == "ai" and is_empty(message) else "")


def is_empty(message: BaseMessage) -> bool:
    """Whether nothing of the message would reach a provider: neither content, nor a refusal, nor what some carry beside it.

    Thoughts alone are no answer.
    """
    content = with_refusal_told(message).content
    blocks = [content] if isinstance(content, str) else content
    if any(map(_says_something, blocks)):
        return False
    return role_of(message) != "ai" or not any(map(message.additional_kwargs.get, _CARRIED))


def _says_something(block: str | dict[str, Any]) -> bool:
    if isinstance(block, str):
        return bool(block.strip())
    kind, text = block.get("type"), block.get("text")
    return kind not in _THOUGHTS and (kind != "text" or (isinstance(text, str) and bool(text.strip())))


def shorten_turn(messages: Sequence[BaseMessage], max_tokens: int, counter: TokenCounter) -> list[Fate]:
    """What of a running turn is shown within `max_tokens`, message by message in the turn's order.

    Exchanges that no provider accepts go first. Then whole exchanges go, oldest first, and at last the newest exchange's
    tool results (or the text of a lone assistant's message) are shortened, with a marker that says by how much. The human
    message stays as it is. Tool calls at the very end of the thread stay although nothing answers them, because the node
    that is about to run may be the one that does; once some but not all results follow, the exchange goes.

    Args:
        messages: the running turn without system messages; its first message is the human one, when there is one.

    Raises:
        BudgetError: the human message and the newest exchange, as short as can be, still exceed `max_tokens`.
    """
    tokens = message_tokens(messages, counter)
    rules: dict[int, str] = {}
    sendable = []
    for exchange in split_exchanges(messages):
        if exchange.rule and not _may_be_answered(exchange, messages):
            rules |= dict.fromkeys(exchange.indices, exchange.rule)
        else:
            sendable.append(exchange.indices)
    has_human = bool(messages) and role_of(messages[0]) == "human"
    answers = sendable[1:] if has_human else sendable
    total = sum(tokens[index] for indices in sendable for index in indices)
    for indices in answers[:-1]:
        if total <= max_tokens:
            break
        total -= sum(tokens[index] for index in indices)
        rules |= dict.fromkeys(indices, TOO_OLD)
    fates = [Fate(m, tokens[i], i not in rules, rules.get(i, RUNNING)) for i, m in enumerate(messages)]
    if total > max_tokens:
        _shorten(fates, answers[-1] if answers else (), total - max_tokens, counter)
    return fates


def _may_be_answered(exchange: Exchange, messages: Sequence[BaseMessage]) -> bool:
    return exchange.rule == UNANSWERED and exchange.indices == (len(messages) - 1,)


def _shorten(fates: list[Fate], newest: Sequence[int], excess: int, counter: TokenCounter) -> None:
    """Replaces texts of the newest exchange by shorter copies, until `excess` tokens are saved."""
    results = [i for i in newest if len(newest) == 1 or role_of(fates[i].message) == "tool"]
    least = {i: counter.count_message(_with_text(fates[i].message, ELLIPSIS)) for i in results}
    savings = {str(i): max(0, fates[i].tokens - least[i]) for i in results}
    room = sum(savings.values()) - excess
    if room < 0:
        needed = sum(fate.tokens for fate in fates if fate.kept)
        raise _too_long(needed - sum(savings.values()), needed - excess, counter)
    grants = allocate(savings, dict.fromkeys(savings, 1.0), room)
    for i in results:
        if grants[str(i)] < savings[str(i)]:
            shorter = _shortened(fates[i].message, fates[i].tokens, least[i] + grants[str(i)], counter)
            fates[i] = Fate(shorter, counter.count_message(shorter), True, SHORTENED)


def _shortened(message: BaseMessage, tokens: int, max_tokens: int, counter: TokenCounter) -> BaseMessage:
    """A copy with the beginning of the text and the marker; where there is no room for that, the marker or "…"."""
    text = text_of(message)
    whole = max(tokens, counter.count_text(text))
    share = max_tokens / tokens
    for _ in range(GUESSES):
        kept = text[: int(len(text) * share)].rstrip()
        marker = _marker(whole - counter.count_text(kept), whole)
        copy = _with_text(message, f"{kept}\n{marker}" if kept else marker)
        cost = counter.count_message(copy)
        if cost <= max_tokens:
            return copy
        share *= max_tokens / cost * 0.9
    copy = _with_text(message, _marker(whole, whole))
    return copy if counter.count_message(copy) <= max_tokens else _with_text(message, ELLIPSIS)


def _marker(left_out: int, whole: int) -> str:
    return f"{ELLIPSIS} [shortened: {left_out:,} of {whole:,} tokens left out]"


def _with_text(message: BaseMessage, text: str) -> BaseMessage:
    return message.model_copy(update={"content": text})


def _too_long(needed: int, allowed: int, counter: TokenCounter) -> BudgetError:
    return BudgetError(
        f"the newest human message and the newest exchange after it, its results shortened as far as can be, take"
        f" {needed:,} tokens ({counter.name}), and {allowed:,} are left for them: raise budget_tokens",
        needed_tokens=needed,
        budget_tokens=allowed,
    )
