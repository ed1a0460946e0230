"""What the next model call's context costs from a long thread: `python -m benchmarks.window [messages ...]`.

A buffer of 4,000 tokens over a thread of 1,000 and 10,000 messages, against langchain_core's `trim_messages` with the same
exact token counter: tiktoken's cl100k_base when its file is in tiktoken's cache, else words counted in Python. "Later" is
the call one turn later, "restored" the same with a thread that a checkpointer has just read, so that no object is known.
Every call has a thread that has grown; nothing is asked twice.
"""

from __future__ import annotations

import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, trim_messages

from graph_memory.context.merge import merge
from graph_memory.context.tokens import counter_from, token_counter
from graph_memory.context.turns import history_section
from graph_memory.types import TokenCounter

BUDGET_TOKENS = 4000
ROUNDS = 15
TARGET = 50
SENTENCE = "the quick brown fox jumps over the lazy dog while reviewing a pull request about memory budgets"
WORDS = SENTENCE.split()


def thread(messages: int) -> list[BaseMessage]:
    """Human and AI messages of forty words in turn, each text different."""
    kinds = (HumanMessage, AIMessage)
    return [kinds[i % 2](_text(i), id=str(i)) for i in range(messages)]


def _text(number: int) -> str:
    return f"{number}: " + " ".join(WORDS[(number + k) % len(WORDS)] for k in range(40))


def exact_counter() -> tuple[TokenCounter, Callable[[str], int]]:
    """A counter with an empty cache, and the bare text counter that it is made of."""
    tiktoken = token_counter("gpt-4")
    if tiktoken.exact:
        return counter_from(tiktoken.count_text, name=tiktoken.name), tiktoken.count_text
    find = re.compile(r"\w+|[^\w\s]").findall
    return counter_from(lambda text: len(find(text)), name="words in Python"), lambda text: len(find(text))


def buffered(messages: Sequence[BaseMessage], counter: TokenCounter) -> int:
    """What BufferMemory does: the window as a section, merged within the budget. The context's tokens."""
    section, _ = history_section(messages, memory="buffer", limit_tokens=BUDGET_TOKENS, counter=counter)
    return merge(messages, [section], budget_tokens=BUDGET_TOKENS, counter=counter).total_tokens


def trimmed(messages: Sequence[BaseMessage], count_text: Callable[[str], int]) -> list[BaseMessage]:
    """The same budget, trimmed by langchain_core."""

    def count(some: Sequence[BaseMessage]) -> int:
        return sum(count_text(str(message.content)) + 4 for message in some)

    return trim_messages(messages, max_tokens=BUDGET_TOKENS, token_counter=count, strategy="last", start_on="human")


def milliseconds(work: Callable[[list[BaseMessage]], object], threads: Sequence[list[BaseMessage]]) -> list[float]:
    """Milliseconds of one call for each thread."""
    samples = []
    for messages in threads:
        started = time.perf_counter()
        work(messages)
        samples.append((time.perf_counter() - started) * 1000)
    return samples


def measure(messages: int) -> list[tuple[str, float, float, float]]:
    """Rows of: who, first call, later call, later call with restored messages, in milliseconds (medians)."""
    whole = thread(messages + 2 * ROUNDS + 1)
    growing = [whole[: messages + 2 * turn + 1] for turn in range(ROUNDS)]
    restored = [thread(messages + 2 * turn + 1) for turn in range(ROUNDS)]
    counter, count_text = exact_counter()
    rows = []
    for name, work in (
        ("graph_memory", lambda some: buffered(some, counter)),
        ("trim_messages", lambda some: trimmed(some, count_text)),
    ):
        first, *later = milliseconds(work, growing)
        rows.append((name, first, statistics.median(later), statistics.median(milliseconds(work, restored))))
    return rows


def main(sizes: Sequence[int]) -> None:
    """Prints a table for each size, with how many times faster a later call is."""
    trimmed(thread(10), len)
    counter, _ = exact_counter()
    print(f"context of {BUDGET_TOKENS:,} tokens, counted by {counter.name}; milliseconds, medians of {ROUNDS}")
    print(f"{'messages':>9}  {'':14}{'first':>9}{'later':>9}{'restored':>10}")
    for size in sizes:
        ours, theirs = measure(size)
        for name, first, later, restored in (ours, theirs):
            print(f"{size:>9,}  {name:14}{first:>9.2f}{later:>9.2f}{restored:>10.2f}")
        ratios = [theirs[column] / ours[column] for column in (1, 2, 3)]
        print(f"{'':>9}  {'times faster':14}{ratios[0]:>9.1f}{ratios[1]:>9.1f}{ratios[2]:>10.1f}")
        if size >= 10_000:
            print(f"{'':>9}  a later call at least {TARGET} times faster: {'yes' if ratios[1] >= TARGET else 'NO'}")


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [1000, 10_000])
