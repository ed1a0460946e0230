"""Merging: what is pinned, what competes, what is said once, and how it looks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from graph_memory.context.merge import merge
from graph_memory.context.render import SYSTEM_ID, block, escaped, paragraph, quoted, without_memory
from graph_memory.context.tokens import counter_from
from graph_memory.context.turns import history_section, history_snippet
from graph_memory.errors import BudgetError, ConfigurationError
from graph_memory.types import Context, Section, Snippet

WORDS = counter_from(lambda text: len(text.split()), name="words")
ASK = HumanMessage("what now", id="ask")


def notes(*texts: str, memory: str = "notes", **options: object) -> Section:
    """A section of texts, best first."""
    snippets = (Snippet(text, score=1 - i / 100, memo_id=f"{memory}-{i}") for i, text in enumerate(texts))
    return Section(memory, tuple(snippets), **options)  # type: ignore[arg-type]


def chat(turns: int, words: int = 10) -> list[BaseMessage]:
    pairs = ((HumanMessage("q " * words, id=f"h{i}"), AIMessage("a " * words, id=f"a{i}")) for i in range(turns))
    return [message for pair in pairs for message in pair]


def rules(context: Context, memory: str) -> list[tuple[str, bool, str]]:
    return [(line.memo_id, line.kept, line.rule) for line in context.lines if line.memory == memory]


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


def test_what_is_pinned_must_fit():
    """The error names every size and no content."""
    thread = [SystemMessage("rule " * 30), HumanMessage("secret " * 40)]
    with pytest.raises(BudgetError) as caught:
        merge(thread, [notes("x " * 20, pinned=True)], budget_tokens=90, counter=WORDS, reserve_tokens=5)

    message = str(caught.value)
    assert "system messages 34" in message
    assert "newest human message 44" in message
    assert "pinned sections 23" in message
    assert "overhead 3" in message
    assert "85 are allowed" in message
    assert "secret" not in message
    assert caught.value.needed_tokens == 104
    assert caught.value.budget_tokens == 85


def test_a_pinned_section_is_never_cut():
    """It is paid for before anything competes."""
    pinned = notes(*[f"rule number {i}" for i in range(8)], memory="rules", pinned=True, weight=0.01)
    context = merge([ASK], [notes(*["w " * 9] * 50), pinned], budget_tokens=90, counter=WORDS)

    assert all(kept and rule == "pinned" for _, kept, rule in rules(context, "rules"))
    assert context.total_tokens <= 90


def test_the_reserve_stays_free():
    """What the node adds by itself has its place."""
    context = merge(
        [ASK], [notes(*[f"w{i} " * 5 for i in range(50)])], budget_tokens=200, counter=WORDS, reserve_tokens=80
    )

    assert 90 < context.total_tokens <= 120
    assert context.budget_tokens == 200


def test_history_is_cut_by_whole_turns_from_the_old_end():
    """The newest turns stay, the explanation says so."""
    thread = [*chat(10), ASK]
    history, _ = history_section(thread, memory="buffer", counter=WORDS)
    context = merge(thread, [history], budget_tokens=110, counter=WORDS)

    assert [m.id for m in context.messages] == ["h7", "a7", "h8", "a8", "h9", "a9", "ask"]
    assert rules(context, "buffer")[0] == ("h0", False, "over budget")
    assert rules(context, "buffer")[-1] == ("a9", True, "newest turns")


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


def test_shares_are_by_weight_and_unused_ones_flow_on():
    """A memory with little to say leaves room for the other."""
    many = [f"m{i} " * 4 for i in range(100)]
    few = notes("short", memory="few", weight=1)
    context = merge([ASK], [few, notes(*many, weight=1)], budget_tokens=200, counter=WORDS)

    assert context.tokens["few"] == 1
    assert context.tokens["notes"] > 100


def test_a_memory_that_is_cut_has_its_share():
    """Twice the weight, twice the tokens."""
    many = [f"m{i} w w w" for i in range(200)]
    a, b = notes(*many, memory="a", weight=2), notes(*(f"b {t}" for t in many), memory="b", weight=1)
    context = merge([ASK], [a, b], budget_tokens=900, counter=WORDS)

    assert 1.7 < context.tokens["a"] / context.tokens["b"] < 2.3


def test_history_has_its_share_and_no_more_when_others_want_theirs():
    """A long thread does not crowd out what was found by meaning."""
    thread = [*chat(60), ASK]
    history, _ = history_section(thread, memory="buffer", counter=WORDS, weight=0.5)
    found = notes(*(f"f{i} w w w w w" for i in range(200)), weight=0.5)
    context = merge(thread, [history, found], budget_tokens=800, counter=WORDS)

    assert 300 < context.tokens["buffer"] <= 400
    assert context.tokens["notes"] > 270


def test_a_maximum_binds_even_when_tokens_are_left():
    """What others leave is not given beyond max_share."""
    groups = (Snippet("w " * 30, score=0.5), Snippet("v " * 45, score=0.4))
    context = merge([ASK], [Section("notes", groups, max_share=0.5)], budget_tokens=120, counter=WORDS)

    assert [kept for _, kept, _ in rules(context, "notes")] == [True, False]


def test_groups_go_whole_and_best_first():
    """A group that does not fit is passed over, smaller ones may follow."""
    snippets = (
        Snippet("w " * 10, score=0.9, memo_id="1", group="best"),
        Snippet("v " * 10, score=0.1, memo_id="2", group="best"),
        Snippet("u " * 200, score=0.8, memo_id="3", group="huge"),
        Snippet("t " * 10, score=0.7, memo_id="4"),
    )
    context = merge([ASK], [Section("notes", snippets)], budget_tokens=70, counter=WORDS)

    assert [kept for _, kept, _ in rules(context, "notes")] == [True, True, False, True]


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


def days(*labels: str, words: int = 4) -> Section:
    """A section of one snippet a label, each later and worse than the one before."""
    start = datetime(2025, 1, 1, tzinfo=UTC)
    return Section(
        "notes",
        tuple(
            Snippet(
                f"n{i} " * words, score=1 - i / 100, memo_id=str(i), said_at=start + timedelta(hours=i), label=label
            )
            for i, label in enumerate(labels)
        ),
    )


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


def test_what_no_share_can_use_goes_where_it_fits():
    """A summary beyond its share is shown when the others leave the room."""
    summary = notes("s " * 40, memory="summary", weight=0.1)
    search = notes("f " * 60, "g " * 60, memory="search", weight=0.9)
    context = merge([ASK], [summary, search], budget_tokens=135, counter=WORDS)

    assert [line.rule for line in context.kept if line.memory == "summary"] == ["fits in what others left"]


def test_a_memory_may_cut_its_own_section():
    """truncate is asked with the tokens that it may fill; what it left out stays explained."""
    asked = []

    def first_words(section: Section, max_tokens: int) -> Section:
        asked.append(max_tokens)
        return replace(section, snippets=(Snippet("short form", score=1.0, memo_id="cut"),))

    long = notes("w " * 500, memory="summary")
    context = merge([ASK], [long], budget_tokens=100, counter=WORDS, truncate={"summary": first_words})

    assert asked[0] < 90
    assert rules(context, "summary") == [
        ("cut", True, "within its share"),
        ("summary-0", False, "truncated by its memory"),
    ]
    assert (
        merge([ASK], [notes("w")], budget_tokens=100, counter=WORDS, truncate={"notes": first_words}).tokens["notes"]
        == 1
    )


def test_a_truncate_that_does_not_keep_its_word_is_cut_by_groups():
    """The budget holds whatever a memory returns."""
    context = merge(
        [ASK],
        [notes("w " * 500, "v " * 5)],
        budget_tokens=60,
        counter=WORDS,
        truncate={"notes": lambda section, _: section},
    )

    assert context.total_tokens <= 60
    assert [kept for _, kept, _ in rules(context, "notes")] == [False, True]


def test_bad_weights_are_a_configuration_error():
    """One clear sentence instead of a strange split."""
    with pytest.raises(ConfigurationError, match="all weights are zero"):
        merge([ASK], [notes("a", weight=0.0)], budget_tokens=100, counter=WORDS)


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
