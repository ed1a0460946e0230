"""Laws 1, 2, 8 and 9 of context assembly, held against threads and sections of any shape."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from graph_memory.context.exchanges import is_empty
from graph_memory.context.merge import merge
from graph_memory.context.packing import CUT
from graph_memory.context.render import quoted
from graph_memory.context.tokens import counter_from
from graph_memory.context.turns import history_section
from graph_memory.errors import BudgetError
from graph_memory.messages import text_of
from graph_memory.types import Context, Placement, Section, TokenCounter
from tests.strategies import budgets, counters, long_threads, refusals, section_lists, threads

WORDS = counter_from(lambda text: len(text.split()), name="words")


def assembled(
    thread: list[BaseMessage],
    sections: list[Section],
    budget: int,
    counter: TokenCounter,
    limit: int | None = None,
    reserve: int = 0,
) -> Context | None:
    """The context with a buffer before the other sections; None when what must be shown does not fit."""
    history, _ = history_section(thread, memory="buffer", counter=counter, limit_tokens=limit)
    try:
        return merge(thread, [history, *sections], budget_tokens=budget, counter=counter, reserve_tokens=reserve)
    except BudgetError:
        return None


def total(messages: list[BaseMessage] | tuple[BaseMessage, ...], counter: TokenCounter) -> int:
    return counter.overhead + sum(counter.count_message(message) for message in messages)


@given(threads(), section_lists(), budgets(), counters(), st.integers(0, 50))
def test_the_context_never_exceeds_the_budget(thread, sections, budget, counter, reserve):
    """Law 1: template and framing counted, whatever the thread, the sections and the counter."""
    context = assembled(thread, sections, budget, counter, reserve=reserve)

    if context is not None:
        assert total(context.messages, counter) == context.total_tokens <= budget - reserve


@given(threads(), budgets(), counters())
def test_only_what_must_be_shown_can_exceed_the_budget(thread, budget, counter):
    """Law 1: when system messages and the newest turn fit, no budget is too small."""
    system = [m for m in thread if m.type == "system"]
    newest = max((i for i, m in enumerate(thread) if m.type == "human"), default=0)
    needed = total([*system, *(m for m in thread[newest:] if m.type != "system")], counter)

    if needed <= budget:
        assert assembled(thread, [], budget, counter) is not None


@given(threads(), section_lists(), budgets(), counters())
@example(
    [HumanMessage("q"), AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "call-1"}]), HumanMessage("r")],
    [],
    500,
    WORDS,
)
def test_a_provider_accepts_what_is_sent(thread, sections, budget, counter):
    """Law 2: calls and results are paired, the conversation begins with a human, system comes first."""
    context = assembled(thread, sections, budget, counter, limit=budget // 2)

    if context is not None:
        last = next((m for m in reversed(thread) if m.type != "system"), None)
        assert refusals(context.messages, has_human=any(m.type == "human" for m in thread), last=last) == []


@given(threads(), section_lists(), budgets(), counters())
def test_the_newest_human_message_is_always_shown_whole(thread, sections, budget, counter):
    """Law 2: whatever is shortened, it is not what the user just said."""
    context = assembled(thread, sections, budget, counter)
    human = next((m for m in reversed(thread) if m.type == "human"), None)

    if context is not None and human is not None:
        shown = next(m for m in reversed(context.messages) if m.type == "human")
        assert shown.id == human.id
        if isinstance(human.content, str):
            assert shown.text.endswith(human.content)
        else:
            assert shown.content[len(shown.content) - len(human.content) :] == human.content


@given(long_threads(), st.integers(30, 3000), counters())
def test_history_is_a_run_of_whole_turns_up_to_the_running_one(thread, budget, counter):
    """Law 2: what is shown of earlier turns, except those in which nothing was said, has no hole and ends at the running turn."""
    context = assembled(thread, [], budget, counter, limit=budget)

    if context is not None:
        position = {m.id: i for i, m in enumerate(thread)}
        shown = [position[m.id] for m in context.messages if m.type == "human"]
        newest = max((i for i, m in enumerate(thread) if m.type == "human"), default=-1)
        humans = [i for i, m in enumerate(thread) if m.type == "human" and (i == newest or not is_empty(m))]
        assert shown == humans[len(humans) - len(shown) :]


@given(threads(), section_lists(), budgets(), counters())
def test_merging_changes_nothing_that_it_was_given(thread, sections, budget, counter):
    """Messages and sections are copied, never changed, and merging twice gives the same."""
    before = deepcopy(thread)
    first = assembled(thread, sections, budget, counter)
    again = assembled(thread, sections, budget, counter)

    assert thread == before
    assert first == again


@given(threads(10), section_lists(), st.integers(200, 4000), counters())
def test_what_comes_before_the_tail_does_not_depend_on_it(thread, sections, budget, counter):
    """Law 8: the messages before the newest human one are the same bytes whatever the tail sections say."""
    thread = [*thread, HumanMessage("and now?", id="now")]
    tails = [Section(s.memory, s.snippets, "tail", weight=s.weight) for s in sections]
    ample = total(thread, counter) + 40_000
    one = assembled(thread, tails, ample, counter)
    other = assembled(thread, [], ample, counter)

    assert one is not None
    assert other is not None
    assert one.messages[:-1] == other.messages[:-1]


@given(section_lists(), section_lists(), section_lists(), st.integers(0, 100), st.integers(3000, 9000), counters())
def test_the_system_message_does_not_depend_on_what_others_leave(front, tail, other_tail, words, budget, counter):
    """Law 8: however much the rest wants or leaves, and whatever it says, a section before the history is cut alike."""
    thread = [SystemMessage("be kind", id="s"), HumanMessage("hello", id="h"), AIMessage("hello", id="a")]

    def system_message(sections: list[Section], question: str) -> BaseMessage:
        both = [*_of(front, "front", "system"), *_of(sections, "tail", "tail")]
        context = assembled([*thread, HumanMessage(question, id="now")], both, budget, counter)
        assert context is not None
        return context.messages[0]

    assert system_message(tail, "and now?") == system_message(other_tail, "word " * words)


def _of(sections: list[Section], name: str, placement: Placement) -> list[Section]:
    """Three unpinned sections with these snippets, so that weights are always the same."""
    offered = [section.snippets for section in sections]
    return [Section(f"{name}{i}", offered[i] if i < len(offered) else (), placement, "Known:") for i in range(3)]


@given(st.lists(st.integers(1, 60), min_size=2, max_size=60), st.integers(80, 600))
def test_the_prefix_is_stable_between_flushes(sizes, limit):
    """Law 8: from turn to turn the history only grows at its end, except when the window flushes a batch."""
    thread: list[BaseMessage] = [SystemMessage("be kind", id="system")]
    shown: list[BaseMessage] = []
    flushes = 0
    for number, size in enumerate(sizes):
        thread.append(HumanMessage("word " * size, id=f"h{number}"))
        history, _ = history_section(
            thread, memory="buffer", counter=WORDS, limit_tokens=limit, flush_tokens=limit // 4
        )
        context = merge(thread, [history], budget_tokens=limit + 200, counter=WORDS)
        prefix = list(context.messages[:-1])
        if prefix[: len(shown)] != shown:
            flushes += 1
        shown = prefix
        thread.append(AIMessage("ok", id=f"a{number}"))

    allowed = sum(size + 9 for size in sizes) // max(1, limit // 4) + sum(1 for size in sizes if size + 9 > limit) + 1
    assert flushes <= allowed


@given(threads(), section_lists(), budgets(), counters())
def test_every_line_is_explained(thread, sections, budget, counter):
    """Law 9: each candidate and each message stands in the lines once, with a rule, and tokens add up."""
    context = assembled(thread, sections, budget, counter)

    if context is not None:
        assert all(line.rule for line in context.lines)
        assert sum(context.tokens.values()) == context.total_tokens
        assert all(tokens >= 0 for tokens in context.tokens.values())
        for section in context.sections:
            offered = [(s.memo_id, s.text, s.score, dict(s.parts)) for s in section.snippets]
            lines = [line for line in context.lines if line.memory == section.memory]
            whole = [s.text if line.rule == CUT else line.text for line, s in zip(lines, section.snippets, strict=True)]
            assert [(x.memo_id, text, x.score, dict(x.parts)) for x, text in zip(lines, whole, strict=True)] == offered
            assert all("…" in line.text for line in lines if line.rule == CUT)


@given(threads(), section_lists(), budgets(), counters())
def test_what_is_kept_is_shown_and_what_is_dropped_is_not(thread, sections, budget, counter):
    """Law 9: the explanation is true of the messages."""
    marked = [_marked(section) for section in sections]
    context = assembled(thread, marked, budget, counter)

    if context is not None:
        shown = "\n".join(text_of(m) for m in context.messages)
        for line in context.lines:
            if line.memory in {section.memory for section in marked}:
                assert (quoted(line.text) in shown) is line.kept


def _marked(section: Section) -> Section:
    snippets = tuple(replace(s, text=f"§{section.memory}{i}§ {s.text}") for i, s in enumerate(section.snippets))
    return Section(section.memory, snippets, section.placement, section.heading, section.weight, section.min_share)


@given(threads(), section_lists(), st.integers(500, 5000), counters())
def test_quoted_memory_cannot_leave_its_block(thread, sections, budget, counter):
    """What a memory quotes neither opens nor closes the block that it stands in."""
    thread = [m for m in thread if "memory" not in str(m.content).lower()]
    context = assembled(thread, sections, budget, counter)

    if context is not None:
        for message in context.messages:
            text = message.text.lower()
            assert text.count("<memory>") == text.count("</memory>") <= 1
            assert "< / memory" not in text


def test_parallel_calls_with_all_results_survive():
    """A whole exchange with several results is kept as it is."""
    calls = [{"name": "f", "args": {}, "id": str(i)} for i in range(3)]
    thread = [
        HumanMessage("q"),
        AIMessage("", tool_calls=calls),
        *(ToolMessage(f"r{i}", tool_call_id=str(i)) for i in range(3)),
    ]

    context = merge(thread, [], budget_tokens=500, counter=WORDS)

    assert list(context.messages) == thread
