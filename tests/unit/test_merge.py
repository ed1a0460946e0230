"""Merging: the order of the messages, what is said once, and how it looks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from graph_memory.context.merge import merge
from graph_memory.context.render import SYSTEM_ID, block, escaped, paragraph, quoted, without_memory
from graph_memory.context.tokens import counter_from
from graph_memory.context.turns import history_section, history_snippet
from graph_memory.types import Section, Snippet
from tests.merging import ASK, WORDS, chat, days, notes, rules


def test_a_thread_alone_is_its_system_message_and_its_running_turn():
    """Without a history section no earlier turn is shown."""
    system = SystemMessage("be kind", id="s")
    context = merge([system, *chat(3), ASK], [], budget_tokens=500, counter=WORDS)

    assert list(context.messages) == [system, ASK]
    assert context.messages[0] is system
    assert context.turn_id == "ask"
    assert context.tokens == {"thread": 12, "frame": 3}


def test_the_order_is_system_history_human_with_tail_running():
    """What changes every turn stands behind what does not."""
    call = AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "1"}])
    thread = [SystemMessage("be kind"), *chat(2), ASK, call, ToolMessage("ok", tool_call_id="1")]
    history, _ = history_section(thread, memory="buffer", counter=WORDS)
    sections = [notes("a fact"), history, notes("a summary", memory="summary", placement="system", heading="So far:")]
    context = merge(thread, sections, budget_tokens=1000, counter=WORDS)

    assert [m.type for m in context.messages] == ["system", "human", "ai", "human", "ai", "human", "ai", "tool"]
    assert context.messages[0].content == "be kind\n\n<memory>\nSo far:\n- a summary\n</memory>"
    assert context.messages[5].content == "<memory>\n- a fact\n</memory>\n\nwhat now"
    assert context.messages[5].id == "ask"
    assert ASK.content == "what now"


def test_without_a_system_message_memory_brings_its_own():
    """It can be told from the thread's messages by its id."""
    context = merge([ASK], [notes("a", placement="system")], budget_tokens=100, counter=WORDS)

    assert isinstance(context.messages[0], SystemMessage)
    assert context.messages[0].id == SYSTEM_ID
    assert merge([ASK], [], budget_tokens=100, counter=WORDS).messages == (ASK,)


def test_system_messages_are_folded_in_order():
    """Several become one, with the first one's id; blocks and their cache marks survive."""
    cached = {"type": "text", "text": "long rules", "cache_control": {"type": "ephemeral"}}
    thread = [SystemMessage([cached], id="s1"), ASK, SystemMessage("also this", id="s2")]
    context = merge(thread, [notes("a", placement="system")], budget_tokens=200, counter=WORDS)

    assert context.messages[0].id == "s1"
    assert context.messages[0].content == [
        cached,
        {"type": "text", "text": "also this"},
        {"type": "text", "text": "<memory>\n- a\n</memory>"},
    ]
    assert thread[0].content == [cached]


def test_a_multimodal_question_keeps_its_blocks():
    """The memory block is one more text block before them."""
    picture = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}
    context = merge([HumanMessage([picture])], [notes("a")], budget_tokens=2000, counter=WORDS)

    assert context.messages[0].content == [{"type": "text", "text": "<memory>\n- a\n</memory>"}, picture]


def test_without_a_human_message_the_tail_goes_to_the_front():
    """There is nowhere else to put it."""
    context = merge([AIMessage("hello")], [notes("a")], budget_tokens=100, counter=WORDS)

    assert [m.type for m in context.messages] == ["system", "ai"]
    assert "- a" in context.messages[0].content


def test_an_empty_thread_is_an_empty_context():
    """Nothing in, nothing out, and the framing is counted."""
    context = merge([], [], budget_tokens=10, counter=WORDS)

    assert context.messages == ()
    assert context.tokens == {"thread": 0, "frame": 3}


def test_history_begins_at_a_human_message():
    """A greeting before the first human message is not sent."""
    thread = [AIMessage("welcome", id="w"), *chat(1), ASK]
    history, _ = history_section(thread, memory="buffer", counter=WORDS)
    context = merge(thread, [history], budget_tokens=500, counter=WORDS)

    assert [m.id for m in context.messages] == ["h0", "a0", "ask"]
    assert rules(context, "buffer")[0] == ("w", False, "before the first human message")


def test_the_running_turn_is_not_repeated_by_history():
    """Sections of an earlier step of a tool loop may be used again."""
    thread = [*chat(1), ASK]
    restored = [m.model_copy(deep=True) for m in thread]
    section = Section("buffer", tuple(history_snippet(m) for m in restored), "history")
    longer = [
        *thread,
        AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "1"}]),
        ToolMessage("ok", tool_call_id="1"),
    ]
    context = merge(longer, [section], budget_tokens=500, counter=WORDS)

    assert [m.id for m in context.messages] == ["h0", "a0", "ask", None, None]
    assert rules(context, "buffer")[-1] == ("ask", False, "in the running turn")


def test_only_one_memory_places_history():
    """Two would say everything twice."""
    thread = [*chat(1), ASK]
    one, _ = history_section(thread, memory="one", counter=WORDS)
    two, _ = history_section(thread, memory="two", counter=WORDS)
    context = merge(thread, [one, two], budget_tokens=500, counter=WORDS)

    assert [m.id for m in context.messages] == ["h0", "a0", "ask"]
    assert {rule for _, _, rule in rules(context, "two")} == {"another memory holds the history"}


def test_equal_scores_are_settled_by_freshness_then_id():
    """The same input gives the same context."""
    old, new = datetime(2020, 1, 1, tzinfo=UTC), datetime(2025, 1, 1)
    snippets = (
        Snippet("a " * 10, score=0.5, memo_id="old", said_at=old),
        Snippet("b " * 10, score=0.5, memo_id="z", said_at=new),
        Snippet("c " * 10, score=0.5, memo_id="y", said_at=new),
    )
    context = merge([ASK], [Section("notes", snippets)], budget_tokens=28, counter=WORDS)

    assert [line.memo_id for line in context.kept if line.memory == "notes"] == ["y"]


def test_lines_are_shown_in_the_order_they_were_said():
    """Chosen by score, told by time."""
    start = datetime(2025, 1, 1, tzinfo=UTC)
    snippets = tuple(
        Snippet(f"day {i}", score=score, said_at=start + timedelta(days=i))
        for i, score in [(3, 0.9), (1, 0.5), (2, 0.7)]
    )
    undated = (Snippet("low", score=0.1), Snippet("high", score=0.8))
    context = merge([ASK], [Section("notes", snippets + undated)], budget_tokens=200, counter=WORDS)

    assert "- day 1\n- day 2\n- day 3\n- high\n- low\n" in context.messages[0].content


def test_a_label_stands_once_above_its_run():
    """The day is not said with every line; one that comes again is said again, and lines without one are told apart."""
    assert paragraph("Said:", [("mon", "a"), ("mon", "b"), ("tue", "c"), ("mon", "d"), ("", "e")]) == (
        "Said:\nmon\n- a\n- b\ntue\n- c\nmon\n- d\nundated\n- e"
    )
    assert paragraph("", [("", "a"), ("</memory>", "b")]) == "- a\n&lt;/memory>\n- b"


def test_labels_are_shown_in_the_order_of_what_they_label():
    """By time, whatever the scores."""
    section = days("mon", "mon", "tue", words=1)
    shuffled = replace(section, snippets=tuple(replace(s, score=1 - s.score) for s in section.snippets[::-1]))
    context = merge([ASK], [shuffled], budget_tokens=200, counter=WORDS)

    assert context.messages[0].content == "<memory>\nmon\n- n0 \n- n1 \ntue\n- n2 \n</memory>\n\nwhat now"


def test_a_label_costs_once():
    """Lines of one day leave more room than lines of a day each; the budget holds for both."""
    label = "on a day with a very long name"
    kept = []
    for section in (days(*[label] * 30), days(*(f"{label} {i}" for i in range(30)))):
        context = merge([ASK], [section], budget_tokens=120, counter=WORDS)
        assert WORDS.overhead + sum(WORDS.count_message(m) for m in context.messages) == context.total_tokens <= 120
        kept.append(sum(line.kept for line in context.lines if line.memory == "notes"))

    assert kept[0] > 1.5 * kept[1] > 0


def test_what_memory_put_in_can_be_taken_out():
    """At the beginning of a question or at the end of a system message; what people wrote themselves stays."""
    picture = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}
    for content in ("what now", "", "I wrote <memory>\nx\n</memory> here", [picture], [{"type": "text", "text": "hi"}]):
        context = merge([HumanMessage(content)], [notes("a\n\n</memory>")], budget_tokens=3000, counter=WORDS)
        assert context.messages[0].content != content
        assert without_memory(context.messages[0].content) == content
        assert without_memory(content) == content
    ruled = merge([SystemMessage("rules"), ASK], [notes("a", placement="system")], budget_tokens=200, counter=WORDS)
    assert without_memory(ruled.messages[0].content) == "rules"


def test_what_the_window_shows_is_not_said_again():
    """Search finds turns that the buffer has; a shortened result is not shown word for word and may be."""
    thread = [*chat(1), ASK]
    history, _ = history_section(thread, memory="buffer", counter=WORDS)
    found = (
        Snippet("once", source_ids=("h0",)),
        Snippet("twice", source_ids=("h0", "gone")),
        Snippet("now", source_ids=("ask",)),
    )
    context = merge(thread, [history, Section("search", found)], budget_tokens=500, counter=WORDS)

    assert [rule for _, _, rule in rules(context, "search")] == [
        "already in the window",
        "within its share",
        "already in the window",
    ]


def test_the_same_text_is_said_once_by_whoever_scores_it_best():
    """Case and spaces do not make it another text."""
    a = Section("a", (Snippet("Ada likes tea", score=0.4),))
    b = Section("b", (Snippet("ada  likes TEA", score=0.6),))
    context = merge([ASK], [a, b], budget_tokens=200, counter=WORDS)

    assert rules(context, "a") == [("", False, "said already in b")]
    assert rules(context, "b") == [("", True, "within its share")]


def test_degraded_memories_and_times_are_passed_on():
    """Whoever reads the context learns what was missing and how long it took."""
    late = Section("vector", degraded="timed out after 2 s", elapsed_ms=2000.0)
    context = merge([ASK], [late, notes("a")], budget_tokens=100, counter=WORDS, node="assistant", turn_id="t")

    assert context.degradations == {"vector": "timed out after 2 s"}
    assert context.elapsed_ms == {"vector": 2000.0, "notes": 0.0}
    assert (context.node, context.turn_id, context.counter) == ("assistant", "t", "words")


def test_quoted_text_stays_one_line_of_the_block():
    """No line break and no tag gets out."""
    assert quoted("a\nb\r\nc\u2028d") == "- a\n  b\n  c\n  d"
    assert escaped("</memory> <memory x> < /MEMORY> <b>") == "&lt;/memory> &lt;memory x> &lt; /MEMORY> <b>"
    assert block([]) == block([""]) == ""


def test_a_counter_whose_texts_do_not_add_up_is_measured():
    """Lines are dropped until the finished messages fit; should they never, the error says so."""
    rising = counter_from(lambda text: len(text) + (len(text) // 30) ** 2, name="superlinear")
    context = merge([ASK], [notes(*(f"line number {i}" for i in range(40)))], budget_tokens=400, counter=rising)

    assert rising.overhead + sum(rising.count_message(m) for m in context.messages) == context.total_tokens <= 400
    assert context.kept
    assert sum(context.tokens.values()) == context.total_tokens


def test_a_tool_loop_merges_the_same_sections_again():
    """The retrieved part stays as it was while the running turn grows."""
    thread: list[BaseMessage] = [*chat(2), ASK]
    history, _ = history_section(thread, memory="buffer", counter=WORDS)
    sections = [history, notes("a fact")]
    first = merge(thread, sections, budget_tokens=400, counter=WORDS)
    call = AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "1"}])
    again = merge(
        [*thread, call, ToolMessage("ok", tool_call_id="1")], first.sections, budget_tokens=400, counter=WORDS
    )

    assert again.messages[: len(first.messages)] == first.messages


def test_many_candidates_are_counted_once_each():
    """Not again for every line that is tried: the work grows with the candidates, not with their square."""
    counted = list[str]()

    def count(text: str) -> int:
        counted.append(text)
        return len(text.split())

    def merged(candidates: int) -> int:
        section = Section("search", tuple(Snippet(f"fact {i} about it", 5, i % 997 / 997) for i in range(candidates)))
        counted.clear()
        context = merge([ASK], [section], budget_tokens=2000, counter=counter_from(count, name=f"of {candidates}"))
        assert len(context.lines) == candidates + 1
        return len(counted)

    assert merged(4000) < 4.5 * merged(1000)
