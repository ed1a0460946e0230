"""Windows of recent turns: where they begin, how they flush, and what an edit moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from graph_memory.context.ledger import EMPTY, extended
from graph_memory.context.tokens import counter_from, ledger_of, message_tokens
from graph_memory.context.turns import (
    history_section,
    window_of_seconds,
    window_of_turns,
    window_start,
)
from graph_memory.errors import ConfigurationError
from tests.merging import WORDS, chat

NOW = datetime(2025, 6, 1, tzinfo=UTC)


def replayed(turn_tokens: list[int], limit: int, flush: int) -> int:
    """The window's start by the definition, one turn after the other."""
    start = 0
    for newest in range(len(turn_tokens)):
        if sum(turn_tokens[start : newest + 1]) > limit:
            while start < newest and sum(turn_tokens[start : newest + 1]) > max(0, limit - flush):
                start += 1
    return start


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(0, 200), st.integers(0, 250))
def test_the_window_is_what_replaying_gives(turn_tokens, limit, flush):
    """The fast search and the plain definition agree."""
    assert window_start(turn_tokens, limit, flush) == replayed(turn_tokens, limit, flush)


def test_the_window_flushes_in_batches():
    """Between two flushes its start stays, so that the prompt's beginning does."""
    starts = [window_start([10] * turns, limit_tokens=100, flush_tokens=40) for turns in range(1, 40)]

    assert starts == sorted(starts)
    assert all(after - before in (0, 5) for before, after in pairwise(starts))


def test_the_newest_turn_always_stays():
    """Even when it alone is beyond the limit."""
    assert window_start([10, 10, 500], 100, 20) == 2
    assert window_start([], 100, 20) == 0
    assert window_of_turns(5, 0) == 4
    assert window_of_turns(0, 3) == 0


@pytest.mark.parametrize(("count", "first"), [(1, 0), (4, 0), (5, 3), (7, 3), (8, 6)])
def test_turns_leave_in_batches(count, first):
    """At most four turns stay; three leave at a time."""
    assert window_of_turns(count, 4, flush_turns=3) == first


def test_old_turns_leave_by_time():
    """From the first that is too old, going back; a turn without a time counts as new."""
    said = [NOW - timedelta(hours=h) for h in (9, 1, 5, 2, 0)]

    assert window_of_seconds(said, 3 * 3600, NOW) == 3
    assert window_of_seconds([None, said[3], None], 3 * 3600, NOW) == 0
    assert window_of_seconds([said[0]], 1, NOW) == 0
    assert window_of_seconds([], 1, NOW) == 0


def test_a_history_section_holds_earlier_turns_only():
    """The running turn counts towards the limit and is not repeated."""
    thread = [SystemMessage("s"), *chat(4), HumanMessage("now", id="now")]
    section, first = history_section(thread, memory="buffer", counter=WORDS, turns=3, weight=0.4)

    assert [s.memo_id for s in section.snippets] == ["h2", "a2", "h3", "a3"]
    assert [s.group for s in section.snippets] == ["h2", "h2", "h3", "h3"]
    assert thread[first].id == "h2"
    assert section.placement == "history"
    assert section.weight == 0.4


def test_the_window_begins_at_the_thread_when_nothing_leaves():
    """System messages before the first turn belong to no turn that could leave."""
    thread = [SystemMessage("s"), *chat(2)]

    assert history_section(thread, memory="buffer", counter=WORDS, turns=2)[1] == 0
    assert history_section(thread, memory="buffer", counter=WORDS, turns=1)[1] == 3
    assert history_section([], memory="buffer", counter=WORDS, turns=1)[1] == 0


def test_the_tightest_limit_holds():
    """Tokens, turns and seconds may be combined."""
    thread = chat(6)
    for i, message in enumerate(thread):
        message.additional_kwargs["said_at"] = (NOW - timedelta(hours=12 - i)).isoformat()

    def first(**limits: object) -> int:
        return history_section(thread, memory="b", counter=WORDS, now=NOW, **limits)[1]

    assert first(limit_tokens=84, flush_tokens=0) == 6
    assert first(limit_tokens=84, flush_tokens=0, turns=2) == 8
    assert first(limit_tokens=84, flush_tokens=0, turns=2, seconds=7200) == 10


def test_a_window_of_seconds_needs_the_time():
    """Pure functions read no clock."""
    with pytest.raises(ConfigurationError, match="pass now"):
        history_section(chat(1), memory="b", counter=WORDS, seconds=5)


edits = st.tuples(st.sampled_from(["edit", "remove", "insert", "cut"]), st.integers(0, 599), st.text("w ", max_size=20))


@given(st.lists(edits, max_size=5))
def test_a_kept_ledger_tells_the_same_as_a_new_one(changes):
    """Whatever was edited, removed or inserted since the last call."""
    thread = chat(300)
    for kind, position, text in changes:
        ledger_of(thread, WORDS)
        index = min(position, len(thread))
        replacement = {"edit": [HumanMessage(text, id="new")], "insert": [AIMessage(text), *thread[index : index + 1]]}
        thread = [*thread[:index], *replacement.get(kind, []), *(thread[index + 1 :] if kind != "cut" else [])]

    assert ledger_of(thread, WORDS) == extended(EMPTY, thread, lambda some: message_tokens(some, WORDS))


def test_a_message_edited_in_place_moves_the_window():
    """The ledger compares what messages say, not which objects they are."""
    counter = counter_from(lambda text: len(text.split()), name="words")
    thread = chat(600)
    thread[4].content = [{"type": "text", "text": "two words"}]
    before = ledger_of(thread, counter).sums[-1]
    thread[4].content[0]["text"] = "none"
    assert ledger_of(thread, counter).sums[-1] == before - 1
    thread[3].content = "one"

    assert ledger_of(thread, counter).sums[-1] == before - 1 - 9


def test_a_window_is_counted_once():
    """A later call compares and adds; it does not tokenize."""
    counted = list[str]()

    def count(text: str) -> int:
        counted.append(text)
        return len(text.split())

    thread, counter = chat(5000), counter_from(count, name="counting")
    history_section(thread, memory="buffer", counter=counter, limit_tokens=4000)
    assert len(counted) >= len(thread)
    counted.clear()

    history_section([*thread, HumanMessage("one more", id="new")], memory="buffer", counter=counter, limit_tokens=4000)

    assert len(counted) <= 2
