"""Summary memory: a running summary of what left the window, in the thread's own state.

It feeds on overflow: messages that leave the window, or that are too many by `threshold_tokens`, are merged into the summary so
far, and from then on the window begins after them. The state travels with checkpoints, so a fork or a replay finds the summary of
its moment; a copy in the store (kind "summary") is there for searching, for forgetting, and for graphs without a checkpointer.

When its model fails, the messages stay in the window and the next turn tries again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from langchain_core.messages import BaseMessage

from graph_memory.context.complexity import ComplexityEstimator, estimate_complexity
from graph_memory.context.tokens import ledger_of, message_tokens, token_counter
from graph_memory.errors import ModelError
from graph_memory.extract.extractive import shortened
from graph_memory.memories.base import Memory
from graph_memory.memories.planning import is_one_turn
from graph_memory.memories.summary.compression import (
    LEAST_SHARE,
    USUAL_CONTEXT_TOKENS,
    Compression,
    CompressionPreview,
    Compressions,
    Strategy,
    adaptive_threshold,
    compressed_until,
    compressible_until,
)
from graph_memory.memories.summary.copy import Copy
from graph_memory.memories.summary.fitting import fitted
from graph_memory.memories.summary.options import check_options
from graph_memory.memories.summary.preserving import Preserved, PreserveRules, Sorted, sorted_out
from graph_memory.memories.summary.record import TASK_TOKENS, Summary, digest_of, with_aims
from graph_memory.memories.summary.writing import Fallback, Writer, Written, context_tokens_of
from graph_memory.messages import text_of
from graph_memory.models import ChatModel
from graph_memory.prompts import SUMMARY_PROMPT
from graph_memory.steps import Steps
from graph_memory.types import Feeds, Placement, Query, Section, TokenCounter, Turn

USUAL_TOKENS = 2000
"""Size of a summary where neither an option nor a budget says how much of it can be shown."""


@dataclass(frozen=True, kw_only=True)
class SummaryMemory(Memory):
    """Keeps a summary of what left the window of recent turns.

    Attributes:
        model: writes the summary, a cheaper one than the assistant's if you like; None quotes the sentences that carry most.
        strategy: "sliding_window" summarises what leaves; "selective" keeps word for word what `preserve` names and summarises
            the rest; "deletion" drops it (the buffer's archive still has it) and keeps the task alone.
        threshold_tokens: from how many tokens of history on everything but its newest messages is compressed; "adaptive" takes
            `adaptive_threshold` of the context and the question. What a smaller window lets go is compressed before that.
        ratio: how long the summary may be, as a share of what it stands for.
        keep_recent: newest messages that a compression leaves as they are, rounded up to whole turns.
        max_tokens: how long all that is shown may be; None takes this memory's share of the budget.
        preserve: what "selective" keeps word for word.
        prompt: what the model is told; the size and the rule that it reads data are added.
        fallback: "extractive" summarises without the model when it fails; "none" keeps the history and tries again after the next
            turn, because what is lost in a poor summary never comes back, and history that waits does. Only a turn that the model
            keeps failing on, while it summarises others, is then taken in without it.
        call_tokens: what the model is given at once; what is longer is summarised by parts. None asks the model's profile.
        context_tokens: what the assistant's model takes at once, for "adaptive"; None asks this memory's model, else 100,000.
        complexity: estimates the question, for "adaptive".
        remember_deadline_seconds: two minutes, because a long history takes several calls of the model.
    """

    kind: ClassVar[str] = "summary"
    heading: ClassVar[str] = "Summary of what was said before:"

    model: ChatModel | None = field(default=None, kw_only=False)
    name: str = "summary"
    placement: Placement = "system"
    remember_deadline_seconds: float | None = 120.0
    feeds: Feeds = "overflow"
    strategy: Strategy = "sliding_window"
    threshold_tokens: int | Literal["adaptive"] = 40_000
    ratio: float = 0.3
    keep_recent: int = 20
    max_tokens: int | None = None
    preserve: PreserveRules = field(default_factory=PreserveRules)
    prompt: str = SUMMARY_PROMPT
    fallback: Fallback = "none"
    call_tokens: int | None = None
    context_tokens: int | None = None
    complexity: ComplexityEstimator = estimate_complexity

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)

    @classmethod
    def aggressive(cls, model: ChatModel | None = None) -> SummaryMemory:
        """Compresses early and much: from 30,000 tokens on, to a fifth, all but 10 messages."""
        return cls(model, threshold_tokens=30_000, ratio=0.2, keep_recent=10)

    @classmethod
    def balanced(cls, model: ChatModel | None = None) -> SummaryMemory:
        """The defaults: from 40,000 tokens on, to 0.3, all but 20 messages."""
        return cls(model)

    @classmethod
    def conservative(cls, model: ChatModel | None = None) -> SummaryMemory:
        """Compresses late and little: from 60,000 tokens on, to a half, all but 20 messages; keeps what matters word for word."""
        return cls(model, threshold_tokens=60_000, ratio=0.5, keep_recent=20, strategy="selective")

    def recall(self, query: Query) -> Steps[Section]:
        """The summary of what left the window."""
        known, copy = Summary.of(query.state), Copy.of(query.scope, self.name)
        if copy is not None and not known.messages and not query.is_whole and query.has_store:
            known = _meant((yield from copy.read()), query)
        return self.section(known.snippets(copy.key if copy else ""))

    @property
    def plain(self) -> SummaryMemory | None:
        """Without the model."""
        return None if self.model is None else replace(self, model=None)

    def overflow(self, query: Query) -> int:
        """All but the newest messages, once there are too many tokens; everything, where no memory shows a history."""
        if not query.history_tokens:
            return len(query.messages)
        gone = query.overflowed or 0
        left = query.messages[gone:]
        until = compressible_until if query.is_whole else compressed_until
        return gone + self._until(until, left, query.counter, self._threshold(query.text, query.messages))

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        """Merges messages that leave the window into the summary.

        Raises:
            ModelError: the model failed, and `fallback` is "none".
        """
        known, new = Summary.of(turn.state), turn.messages
        copy = Copy.of(turn.scope, self.name, turn.branch)
        if copy is not None:
            there = yield from copy.read()
            if done := there.covers(known, new):
                known, new = there, new[done:]
        if not new:
            return known.to_value()
        made = yield from self._made(known, new, turn)
        if copy is not None:
            yield from copy.write(made, turn)
        return made.to_value()

    def truncate(self, section: Section, max_tokens: int, counter: TokenCounter) -> Section:
        """The section cut at sentences: the task stays longest, then what is kept word for word, up to half, then the summary."""
        return fitted(section, max_tokens, counter)

    def events(self, kept: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """One event "compressed" with the figures."""
        last = Summary.of(kept).compressions.last
        return [{"event": "compressed", **last.to_value(), "ratio": round(last.ratio, 4)}] if last else []

    def compressions(self, channel: Mapping[str, Any], node: str) -> Compressions:
        """The figures of a thread.

        Args:
            channel: the graph's `state["memory"]`.
            node: the LLM node that this memory is attached to ("node@agent" where `attach` named an agent).
        """
        return Summary.of((channel.get(node) or {}).get(self.name) or {}).compressions

    def preview(
        self, messages: Sequence[BaseMessage], *, counter: TokenCounter | None = None, question: str = ""
    ) -> CompressionPreview:
        """What this memory would make of a thread whose newest turn is over; nothing is done, and no model is asked.

        Args:
            messages: the messages that are not compressed yet, oldest first.
            counter: how tokens are counted.
            question: what the user asks, for "adaptive".
        """
        counter = counter or token_counter()
        threshold = self._threshold(question, messages)
        until = self._until(compressible_until, messages, counter, threshold)
        leaving = tuple(message for message in messages[:until] if message.type != "system")
        tokens = sum(message_tokens(leaving, counter))
        size = self._size(tokens, self.max_tokens or tokens)
        told = self._sorted((), leaving, size, counter)
        rest = {id(message) for message in told.rest}
        preserved = tuple(message for message in leaving if id(message) not in rest)
        kept = tuple(message for index, message in enumerate(messages) if index >= until or message.type == "system")
        return CompressionPreview(
            compressed=told.rest,
            preserved=preserved,
            kept=kept,
            tokens_compressed=sum(message_tokens(told.rest, counter)),
            tokens_preserved=sum(message_tokens(preserved, counter)),
            tokens_kept=sum(message_tokens(kept, counter)),
            summary_tokens=self._room(size, told) if told.rest and self.strategy != "deletion" else 0,
            threshold_tokens=threshold,
        )

    def _threshold(self, question: str, messages: Sequence[BaseMessage]) -> int:
        if self.threshold_tokens != "adaptive":
            return self.threshold_tokens
        turns = sum(message.type == "human" for message in messages)
        level = self.complexity(question, turns=turns, needs_retrieval=False).level
        try:
            context = self.context_tokens or context_tokens_of(self.model, USUAL_CONTEXT_TOKENS)
        except ModelError:  # a name that cannot be resolved fails when it is asked, where the failure is seen
            context = USUAL_CONTEXT_TOKENS
        return adaptive_threshold(context, level)

    def _until(
        self, until: Callable[..., int], messages: Sequence[BaseMessage], counter: TokenCounter, threshold: int
    ) -> int:
        ledger = ledger_of(messages, counter)
        if ledger.sums[-1] <= threshold:
            return 0
        return until(
            ledger.starts(),
            ledger.sums,
            threshold_tokens=threshold,
            keep_recent=self.keep_recent,
            least_tokens=threshold // LEAST_SHARE,
        )

    def _size(self, tokens: int, most: int) -> int:
        return max(1, min(int(self.ratio * tokens), most))

    def _room(self, size: int, told: Sorted) -> int:
        return max(1, size - sum(one.tokens for one in told.preserved))

    def _sorted(
        self, earlier: Sequence[Preserved], messages: tuple[BaseMessage, ...], size: int, counter: TokenCounter
    ) -> Sorted:
        if self.strategy != "selective":
            return Sorted((), tuple(earlier), messages)
        most = int(size * self.preserve.max_share)
        return sorted_out(earlier, messages, self.preserve, max_tokens=most, count=counter.count_text)

    def _made(self, known: Summary, new: tuple[BaseMessage, ...], turn: Turn) -> Steps[Summary]:
        """The summary of what `known` stands for and of the new messages."""
        counter = turn.counter or token_counter()
        count = counter.count_text
        most = self.max_tokens or turn.share_tokens or USUAL_TOKENS
        added = sum(message_tokens(new, counter))
        aimed = with_aims(known, new, max_tokens=max(1, min(TASK_TOKENS, most // 4)), count=count)
        size = self._size(known.tokens + added, max(1, most - sum(map(count, aimed.aim_lines))))
        told = self._sorted(known.preserved, new, size, counter)
        written = Written("")
        if self.strategy != "deletion":
            written = yield from self._written(known, aimed.task, told, size, counter)
        made = replace(
            aimed,
            text=written.text,
            preserved=told.preserved,
            messages=known.messages + len(new),
            tokens=known.tokens + added,
            digest=digest_of(new, known.digest),
        )
        before, after = count(known.as_text()) if known.messages else 0, count(made.as_text())
        done = Compression(
            at=turn.now,
            turn_id=turn.turn_id,
            strategy=self.strategy,
            messages=len(new),
            preserved=len(new) - len(told.rest),
            tokens_before=before + added,
            tokens_after=after,
            input_tokens=written.input_tokens,
            output_tokens=written.output_tokens,
        )
        return replace(made, compressions=known.compressions.plus(done, added))

    def _written(self, known: Summary, task: str, told: Sorted, size: int, counter: TokenCounter) -> Steps[Written]:
        room, count = self._room(size, told), counter.count_text
        earlier = "\n".join(part for part in (known.text, *(one.text for one in told.evicted)) if part)
        if not told.rest and not told.evicted:
            return Written(shortened(earlier, max_tokens=room, count=count))
        writer = Writer(
            memory=self.name,
            model=self.model,
            prompt=self.prompt,
            counter=counter,
            call_tokens=self.call_tokens,
            fallback=self.fallback,
        )
        rest = told.rest
        if self.model is None:  # the task stands above the summary already
            rest = tuple(message for message in rest if " ".join(text_of(message).split()) != task) or rest
        stands_for = known.tokens + sum(message_tokens(told.rest, counter))
        share = known.tokens / stands_for if stands_for else 0.0
        return (yield from writer.written(earlier, rest, max_tokens=room, earlier_share=share))


def _meant(copy: Summary, query: Query) -> Summary:
    """The stored summary, if it is one of this conversation; nothing to compare it with is no objection."""
    said = [message for message in query.messages if message.type != "system"]
    return copy if is_one_turn(query.messages) or copy.covers(Summary(), said) else Summary()
