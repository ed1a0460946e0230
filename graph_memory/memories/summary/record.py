"""What stands for the messages that left the window: the summary with its task, as state keeps it and as it is shown. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from langchain_core.messages import BaseMessage

from graph_memory.context.words import terms
from graph_memory.extract.extractive import CountText, clipped
from graph_memory.memories.summary.compression import Compression, Compressions
from graph_memory.memories.summary.preserving import Preserved
from graph_memory.messages import text_of
from graph_memory.types import Snippet

TASK_TOKENS = 100
"""What the user's task may take at most; a longer one is clipped."""

_TASK_TERMS = 3
_INSTRUCTS = re.compile(
    r"\b(?:from now on|new task|task:|your (?:task|job|goal|role) (?:is|will be)|i want you to|please (?:always|never))",
    re.IGNORECASE,
)

TASK_SCORE, PRESERVED_SCORE, SUMMARY_SCORE = 1.0, 0.9, 0.8
"""What goes last when there is no room: the task."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What stands for the first messages of a thread.

    Attributes:
        text: the summary.
        task: what the user set out to do: the first human message that says something, clipped.
        instruction: the newest message in which the user gives a rule or another task; "" when there is none.
        preserved: messages kept word for word, oldest first.
        messages, tokens: how many messages it stands for, and what they had.
        digest: tells these messages from any others.
        compressions: the figures.
    """

    text: str = ""
    task: str = ""
    instruction: str = ""
    preserved: tuple[Preserved, ...] = ()
    messages: int = 0
    tokens: int = 0
    digest: str = ""
    compressions: Compressions = field(default_factory=Compressions)

    def to_value(self) -> dict[str, Any]:
        """As the thread's state keeps it: plain JSON, every key each time."""
        done = self.compressions
        return {
            "text": self.text,
            "task": self.task,
            "instruction": self.instruction,
            "preserved": [one.to_value() for one in self.preserved],
            "messages": self.messages,
            "tokens": self.tokens,
            "digest": self.digest,
            "compressions": {
                "count": done.count,
                "tokens_after": done.tokens_after,
                "input_tokens": done.input_tokens,
                "output_tokens": done.output_tokens,
                "last": done.last.to_value() if done.last else None,
            },
        }

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Summary:
        """What `to_value` wrote; an empty one when there is none."""
        if not value.get("messages"):
            return cls()
        done = value["compressions"]
        return cls(
            text=value["text"],
            task=value["task"],
            instruction=value["instruction"],
            preserved=tuple(map(Preserved.from_value, value["preserved"])),
            messages=value["messages"],
            tokens=value["tokens"],
            digest=value["digest"],
            compressions=Compressions(
                count=done["count"],
                messages=value["messages"],
                tokens_before=value["tokens"],
                tokens_after=done["tokens_after"],
                input_tokens=done["input_tokens"],
                output_tokens=done["output_tokens"],
                last=Compression.from_value(done["last"]) if done["last"] else None,
            ),
        )

    @property
    def aim_lines(self) -> tuple[str, ...]:
        """The task and the newest instruction, as lines."""
        aims = (("Task set by the user", self.task), ("Newest instruction", self.instruction))
        return tuple(f"{name}: {text}" for name, text in aims if text)

    def as_text(self) -> str:
        """Everything that is shown."""
        kept = (f"Word for word: {one.text}" for one in self.preserved)
        return "\n".join((*self.aim_lines, *((self.text,) if self.text else ()), *kept))

    def snippets(self, memo_id: str) -> tuple[Snippet, ...]:
        """The lines of the section; `memo_id` is that of the copy in the store."""
        lines = [Snippet(line, score=TASK_SCORE, memo_id=memo_id) for line in self.aim_lines]
        if self.text:
            lines.append(Snippet(self.text, score=SUMMARY_SCORE, memo_id=memo_id))
        kept = [
            Snippet(f"Word for word: {one.text}", score=PRESERVED_SCORE, memo_id=one.ids[0], source_ids=one.ids)
            for one in self.preserved
        ]
        return (*lines, *kept)

    def covers(self, known: Summary, messages: Sequence[BaseMessage]) -> int:
        """How many of the messages after `known` this one stands for as well; 0 when it is none of their summaries."""
        more = self.messages - known.messages
        is_theirs = 0 < more <= len(messages) and self.digest == digest_of(messages[:more], known.digest)
        return more if is_theirs else 0


def digest_of(messages: Sequence[BaseMessage], digest: str = "") -> str:
    """A digest of what was said, carried on from that of the messages before. Ids do not count: not every client keeps them."""
    for message in messages:
        said = json.dumps([message.type, message.name, message.content], default=str, sort_keys=True)
        raw = f"{digest}{said}".encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(raw, digest_size=12).hexdigest()
    return digest


def task_of(known: str, messages: Sequence[BaseMessage], *, max_tokens: int, count: CountText) -> str:
    """The user's task: the one known, unless it says next to nothing ("hi") and a later message says more."""
    said = [known, *_human_texts(messages)]
    found = next((text for text in said if len(terms(text)) >= _TASK_TERMS), next(filter(None, said), ""))
    return clipped(found, max_tokens=max_tokens, count=count)


def instruction_of(known: str, messages: Sequence[BaseMessage], *, max_tokens: int, count: CountText) -> str:
    """The newest message in which the user says how things are to be done from then on (in English), else the one known."""
    found = [text for text in _human_texts(messages) if _INSTRUCTS.search(text)]
    return clipped(found[-1], max_tokens=max_tokens, count=count) if found else known


def with_aims(known: Summary, new: Sequence[BaseMessage], *, max_tokens: int, count: CountText) -> Summary:
    """The summary with the task and the instruction as they are after new messages."""
    task = task_of(known.task, new, max_tokens=max_tokens, count=count)
    instruction = instruction_of(known.instruction, new, max_tokens=max_tokens, count=count)
    return replace(known, task=task, instruction="" if instruction == task else instruction)


def _human_texts(messages: Sequence[BaseMessage]) -> list[str]:
    texts = (" ".join(text_of(message).split()) for message in messages if message.type == "human")
    return [text for text in texts if text]
