"""When a thread is compressed, and what that did: the threshold, where the compressed part ends, the figures. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal

from langchain_core.messages import BaseMessage

from graph_memory.context.complexity import Complexity
from graph_memory.types import utc

Strategy = Literal["sliding_window", "selective", "deletion"]
"""What becomes of messages that leave: all summarised; what matters kept word for word and the rest summarised; all dropped."""

USUAL_CONTEXT_TOKENS = 100_000
"""The context of a model that does not say how much it takes."""

LEAST_SHARE = 8
"""A compression takes away at least an eighth of the threshold: otherwise long messages would cause one at every turn."""

_OF_CONTEXT: Mapping[Complexity, float] = {"simple": 0.2, "medium": 0.4, "complex": 0.6, "expert": 0.8}


@dataclass(frozen=True, slots=True)
class Compression:
    """What one compression did.

    Attributes:
        at: when it was.
        turn_id: id of the human message of the turn after which it was.
        strategy: as in `Strategy`.
        messages: how many messages were compressed, those that are kept word for word included.
        preserved: how many of them are kept word for word.
        tokens_before: tokens of these messages, and of the section as it was.
        tokens_after: tokens of the section as it is.
        input_tokens, output_tokens: what it took of a model, by the context's counter; 0 without one.
    """

    at: datetime
    turn_id: str
    strategy: Strategy
    messages: int
    preserved: int
    tokens_before: int
    tokens_after: int
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def ratio(self) -> float:
        """What is left of the tokens, as a fraction; 1.0 when there were none."""
        return self.tokens_after / self.tokens_before if self.tokens_before else 1.0

    @property
    def saved_tokens(self) -> int:
        """How many tokens shorter the history is, at every call from now on."""
        return self.tokens_before - self.tokens_after

    def to_value(self) -> dict[str, Any]:
        """As the thread's state keeps it: plain JSON."""
        return {**asdict(self), "at": self.at.isoformat()}

    @classmethod
    def from_value(cls, value: Mapping[str, Any]) -> Compression:
        """What `to_value` wrote."""
        known = {field.name: value[field.name] for field in fields(cls) if field.name in value}
        return cls(**{**known, "at": utc(datetime.fromisoformat(value["at"]))})


@dataclass(frozen=True, slots=True)
class Compressions:
    """The compressions of a thread so far.

    Attributes:
        count: how many there were.
        messages: how many messages they compressed.
        tokens_before: tokens that these messages had.
        tokens_after: tokens of what stands for them now.
        input_tokens, output_tokens: what they took of a model.
        last: the newest.
    """

    count: int = 0
    messages: int = 0
    tokens_before: int = 0
    tokens_after: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    last: Compression | None = None

    @property
    def ratio(self) -> float:
        """What is left of the tokens, as a fraction; 1.0 when nothing was compressed."""
        return self.tokens_after / self.tokens_before if self.tokens_before else 1.0

    def after(self, turn_id: str) -> bool:
        """Whether the turn that began with that human message was followed by a compression."""
        return self.last is not None and self.last.turn_id == turn_id

    def plus(self, new: Compression, tokens: int) -> Compressions:
        """These and a new one, whose messages had so many `tokens`."""
        return Compressions(
            count=self.count + 1,
            messages=self.messages + new.messages,
            tokens_before=self.tokens_before + tokens,
            tokens_after=new.tokens_after,
            input_tokens=self.input_tokens + new.input_tokens,
            output_tokens=self.output_tokens + new.output_tokens,
            last=new,
        )


@dataclass(frozen=True, slots=True)
class CompressionPreview:
    """What a compression would do to a thread; nothing was done, and no model asked.

    Attributes:
        compressed: messages that would be summarised, or dropped.
        preserved: messages that would be kept word for word beside the summary.
        kept: messages that would stay as they are.
        tokens_compressed, tokens_preserved, tokens_kept: what they cost.
        summary_tokens: how long the summary may become.
        threshold_tokens: from how many tokens on a thread is compressed.
    """

    compressed: tuple[BaseMessage, ...]
    preserved: tuple[BaseMessage, ...]
    kept: tuple[BaseMessage, ...]
    tokens_compressed: int
    tokens_preserved: int
    tokens_kept: int
    summary_tokens: int
    threshold_tokens: int

    @property
    def compresses(self) -> bool:
        """Whether anything would be compressed."""
        return bool(self.compressed or self.preserved)

    @property
    def saved_tokens(self) -> int:
        """Tokens saved at least."""
        return max(0, self.tokens_compressed - self.summary_tokens)


def adaptive_threshold(context_tokens: int, complexity: Complexity) -> int:
    """From how many tokens on a thread is compressed, when that is left to the model's context and the question.

    A share of the context: 0.2 for a simple question, 0.4 for a medium one, 0.6 for a complex and 0.8 for an expert one, which is
    the reference's 40,000 tokens of 100,000 times its multipliers 0.5, 1, 1.5 and 2. The harder the question, the more stays
    word for word.
    """
    return max(1, int(context_tokens * _OF_CONTEXT[complexity]))


def compressible_until(
    starts: Sequence[int], sums: Sequence[int], *, threshold_tokens: int, keep_recent: int, least_tokens: int
) -> int:
    """Index of the first message that stays when a thread is compressed now; 0 when it is not.

    When it has more than `threshold_tokens`, all but its newest `keep_recent` messages is compressed, whole turns, if these have
    `least_tokens`.

    Args:
        starts: index at which each turn begins.
        sums: `sums[i]` is what the first `i` messages cost.
        threshold_tokens, keep_recent, least_tokens: as above.
    """
    if sums[-1] <= threshold_tokens:
        return 0
    stays = starts[max(0, bisect_right(starts, len(sums) - 1 - keep_recent) - 1)]
    return stays if sums[stays] >= least_tokens else 0


def compressed_until(
    starts: Sequence[int], sums: Sequence[int], *, threshold_tokens: int, keep_recent: int, least_tokens: int
) -> int:
    """`compressible_until`, replayed turn by turn from the first: where a thread that grew by turns was compressed last.

    It depends on the thread alone, so one that is sent whole each time is compressed at the same places.
    """
    first = staying = 0
    for end in (*starts[1:], len(sums) - 1):
        if sums[end] - sums[first] <= threshold_tokens:
            continue
        while staying + 1 < len(starts) and starts[staying + 1] <= end - keep_recent:
            staying += 1
        if starts[staying] > first and sums[starts[staying]] - sums[first] >= least_tokens:
            first = starts[staying]
    return first
