"""`graph-memory demo`: one process lives through a conversation of ten months, another answers questions about it.

The two share a file and nothing else. The answers are quotes: no model is called, no server is asked.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from graph_memory.cli.settings import Settings
from graph_memory.cli.show import console, progress, quotes, sources

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from graph_memory.cli.graph import Answer

MUST_FIND = 8
_USER = "gethin"
_THREAD = "demo"
_STEPS = ("remember", "answer")


@dataclass(frozen=True, slots=True)
class Question:
    """A question, with the ids of the lines that answer it; one without any cannot be answered."""

    kind: str
    text: str
    answer: str
    evidence: frozenset[str]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a question. `is_right`: a line that answers it is quoted, or it was declined and had to be."""

    question: Question
    answer: Answer
    elapsed_ms: float
    is_right: bool


def demo(*, keep: bool, budget_tokens: int) -> int:
    """The command: runs both processes; 0 when the second one found what it should."""
    folder = Path(tempfile.mkdtemp(prefix="graph-memory-demo-"))
    file = folder / "memory.db"
    try:
        for step in _STEPS:
            command = [sys.executable, "-m", "graph_memory.cli", "demo-step", step, str(file), str(budget_tokens)]
            if code := subprocess.run(command, check=False, start_new_session=True).returncode:
                return code
    finally:
        if keep:
            console().print(f"kept for you: --memory sqlite:///{file} --user {_USER}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def run_step(step: str, file: str, budget_tokens: int) -> int:
    """What each of the two processes does.

    Raises:
        GraphMemoryError: the file cannot be used, or the budget is too small.
    """
    settings = Settings(f"sqlite:///{file}", _USER, budget_tokens)
    return {"remember": _remember, "answer": _answer}[step](settings)


def conversation() -> list[BaseMessage]:
    """The conversation that comes with the package."""
    from graph_memory.extract.transcripts import Fault, messages, read

    path = files("graph_memory.demo").joinpath("conversation.jsonl")
    return list(messages(item for item in read(Path(str(path))) if not isinstance(item, Fault)))


def questions() -> list[Question]:
    """What is asked about it."""
    raw = json.loads(files("graph_memory.demo").joinpath("questions.json").read_text(encoding="utf-8"))
    return [Question(q["kind"], q["question"], q["answer"] or "", frozenset(q["evidence"])) for q in raw]


def _remember(settings: Settings) -> int:
    from graph_memory.cli.graph import replay

    spoken = conversation()
    months = f"{spoken[0].additional_kwargs['said_at'][:7]} to {spoken[-1].additional_kwargs['said_at'][:7]}"
    console().print(_WELCOME.format(messages=len(spoken), months=months))
    started = time.perf_counter()
    with settings.open(create=True) as memory, progress("process 1 listens", len(spoken)) as advance:
        for turn in replay(spoken, memory, settings.scope(_THREAD), budget_tokens=settings.budget_tokens):
            advance(len(turn))
    console().print(f"process 1: {len(spoken)} messages remembered in {time.perf_counter() - started:.1f} s\n")
    return 0


def _answer(settings: Settings) -> int:
    from graph_memory import token_counter

    counter, spoken = token_counter(), conversation()
    full = counter.overhead + sum(counter.count_message(message) for message in spoken)
    console().print(
        f"process 2: {settings.budget_tokens:,} tokens of context for each question; the whole is {full:,}\n"
    )
    results = []
    with settings.open() as memory:
        for number, question in enumerate(questions(), 1):
            results.append(_asked(settings, memory, question))
            console().print(_shown(number, results[-1], full))
    console().print(_summary(results, full))
    return 0 if is_good(results) else 1


def _asked(settings: Settings, memory: Any, question: Question) -> Result:
    from graph_memory.cli.ask import answered

    started = time.perf_counter()
    answer = answered(settings, memory, question.text, thread=_THREAD)
    elapsed_ms = (time.perf_counter() - started) * 1e3
    quoted = {quote.line.source for quote in answer.reading.quotes} if answer.reading else set()
    return Result(question, answer, elapsed_ms, bool(question.evidence & quoted) if question.evidence else not quoted)


def is_good(results: Sequence[Result]) -> bool:
    """Whether enough questions were answered and every one that has no answer was declined."""
    found = sum(result.is_right for result in results if result.question.evidence)
    return found >= MUST_FIND and all(result.is_right for result in results if not result.question.evidence)


def _shown(number: int, result: Result, full: int) -> RenderableType:
    question, context, reading = result.question, result.answer.context, result.answer.reading
    mark = Text(" ✓" if result.is_right else " ✗", "bold green" if result.is_right else "bold red")
    head = Text(f"{number:>2}  ", "bright_black") + Text(question.text, "bold") + mark
    kind = f"{question.kind}; " + (f"expected: {question.answer}" if question.answer else "memory holds no answer")
    share = context.total_tokens / max(1, full)
    figures = f"{sources(context)}; {context.total_tokens:,} tokens, {share:.0%} of all; {result.elapsed_ms:.0f} ms"
    body = Group(
        Text(kind, "bright_black"),
        quotes(reading, question.text, marked=question.evidence) if reading else Text(result.answer.text),
        Text(f"{figures}\n", "bright_black"),
    )
    return Group(head, Padding(body, (0, 0, 0, 4), expand=False))


def _summary(results: Sequence[Result], full: int) -> Text:
    answerable = [result for result in results if result.question.evidence]
    others = [result for result in results if not result.question.evidence]
    mean = sum(result.answer.context.total_tokens for result in results) / max(1, len(results))
    line = (
        f"{sum(r.is_right for r in answerable)} of {len(answerable)} found, {sum(r.is_right for r in others)} of"
        f" {len(others)} declined; {mean:,.0f} of {full:,} tokens a question, {1 - mean / full:.0%} saved"
    )
    return Text(line, "bold green" if is_good(results) else "bold red")


_WELCOME = (
    "Process 1 runs a LangGraph chat graph with memory attached through a conversation of {messages} messages ({months})."
    " Process 2 then opens the same file and answers twelve questions by quoting what is remembered, where ✓ marks a line"
    " that holds the answer; no model, no API key and no server take part.\n"
)
