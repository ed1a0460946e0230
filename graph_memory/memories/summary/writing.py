"""Writing a summary: by a model in one call, or by parts when there is too much for one; or without a model.

What a model answers is checked and cut to size. When it fails, the error goes on: whoever asked keeps the history.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from graph_memory.errors import ModelError
from graph_memory.extract.extractive import shortened, summarised
from graph_memory.memories.summary.preserving import spoken_line
from graph_memory.models import ChatModel, answer_text, is_named, resolved
from graph_memory.prompts import DATA_RULE, tagged
from graph_memory.steps import Call, Generate, Steps
from graph_memory.types import TokenCounter

logger = logging.getLogger("graph_memory")

Fallback = Literal["none", "extractive"]

CALL_TOKENS = 48_000
"""What a model is given at once when it does not say how much it takes: the default threshold fits."""

LEAST_CALL_TOKENS = 1000
"""With less, a summary of summaries would not become shorter."""

_OF_CONTEXT = 0.75
_TAGS = re.compile(r"</?(?:summary|conversation)>")


@dataclass(frozen=True, slots=True)
class Written:
    """A summary, and what it took of a model."""

    text: str
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who writes.

    Attributes:
        memory: the memory's name, for the log.
        model: the chat model; None takes the sentences that carry most.
        prompt: what the model is told, without the size.
        counter: how tokens are counted.
        call_tokens: what the model is given at once; None asks the model.
        fallback: what happens when the model fails.
    """

    memory: str
    model: ChatModel | None
    prompt: str
    counter: TokenCounter
    call_tokens: int | None = None
    fallback: Fallback = "none"

    def written(
        self, earlier: str, messages: Sequence[BaseMessage], *, max_tokens: int, earlier_share: float
    ) -> Steps[Written]:
        """The summary of an earlier one and of the messages since, at most `max_tokens`.

        Raises:
            ModelError: the model failed, said nothing, declined or called a tool, and there is no fallback.
        """
        if self.model is not None:
            try:
                return (yield from self._asked(self.model, earlier, list(map(spoken_line, messages)), max_tokens))
            except ModelError as exc:
                if self.fallback != "extractive":
                    raise
                logger.warning("memory %r summarises without its model: %s", self.memory, exc)
        choose = partial(summarised, max_tokens=max_tokens, count=self.counter.count_text, earlier_share=earlier_share)
        return Written((yield Call(choose, (earlier, messages))))

    def _asked(self, model: ChatModel, earlier: str, lines: Sequence[str], max_tokens: int) -> Steps[Written]:
        """One call when all fits into one; else a summary of each part, and one of these."""
        if self.call_tokens is None and is_named(model):
            yield Call(resolved, (model,))  # making it reads files: not in the event loop
        at_once = self.call_tokens or context_tokens_of(model, CALL_TOKENS, share=_OF_CONTEXT)
        at_once = max(at_once, LEAST_CALL_TOKENS)
        parts = self._parts(lines, max(at_once // 2, at_once - self.counter.count_text(earlier)))
        if len(parts) <= 1:
            return (yield from self._answer(model, earlier, lines, max_tokens))
        short = max(1, min(max_tokens, at_once // 8))  # so that several always fit into the next call
        told = []
        for part in parts:
            told.append((yield from self._answer(model, "", part, short)))
        whole = yield from self._asked(model, earlier, [one.text for one in told], max_tokens)
        return Written(
            whole.text,
            whole.input_tokens + sum(one.input_tokens for one in told),
            whole.output_tokens + sum(one.output_tokens for one in told),
        )

    def _answer(self, model: ChatModel, earlier: str, lines: Sequence[str], max_tokens: int) -> Steps[Written]:
        words = max(1, int(max_tokens * 0.7))
        told = f"{self.prompt} At most {words} words. {DATA_RULE}"
        data = [tagged("summary", [earlier])] if earlier else []
        asked = [SystemMessage(told), HumanMessage("\n\n".join([*data, tagged("conversation", lines)]))]
        answer = yield Generate(model, asked)
        said = answer_text(answer)
        text = _TAGS.sub("", said).strip()
        if not text:
            raise ModelError("the model answered nothing")
        count = self.counter.count_text
        cut = shortened(text, max_tokens=max_tokens, count=count)
        return Written(cut, sum(map(self.counter.count_message, asked)), count(said))

    def _parts(self, lines: Iterable[str], max_tokens: int) -> list[list[str]]:
        """The lines in runs of at most `max_tokens`; a line that is longer is shortened."""
        parts: list[list[str]] = []
        room = 0
        for line in lines:
            tokens = self.counter.count_text(line) + 1
            if tokens > max_tokens:
                line = shortened(line, max_tokens=max_tokens, count=self.counter.count_text)
                tokens = max_tokens
            if tokens > room:
                parts.append([])
                room = max_tokens
            parts[-1].append(line)
            room -= tokens
        return parts


def context_tokens_of(model: ChatModel | None, default: int, *, share: float = 1.0) -> int:
    """What a model takes at once, by its LangChain profile, times `share`; `default` when it does not say.

    Raises:
        ModelError: it is a name that cannot be resolved.
    """
    profile = getattr(resolved(model), "profile", None) if model is not None else None
    most = profile.get("max_input_tokens") if isinstance(profile, dict) else None
    return int(most * share) if isinstance(most, int) and most > 0 else default
