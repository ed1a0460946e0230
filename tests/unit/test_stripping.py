"""What an LLM node returned, in the thread's own form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.types import Overwrite

from graph_memory.context.merge import merge
from graph_memory.context.turns import history_section
from graph_memory.graph.stripping import Stripping
from tests.merging import WORDS

CALL = AIMessage("two", tool_calls=[{"name": "f", "args": {}, "id": "1"}], id="two")
THREAD: list[BaseMessage] = [
    SystemMessage("Be kind.", id="s1"),
    HumanMessage("q", id="q"),
    AIMessage("one", id="one"),
    SystemMessage("Be short.", id="s2"),
    CALL,
    ToolMessage("r", tool_call_id="1", id="r"),
    HumanMessage("and now?", id="now"),
]
NEW = AIMessage("ok", id="ok")


def handed(thread: Sequence[BaseMessage]) -> list[BaseMessage]:
    """What a node is handed of a thread."""
    history, _ = history_section(thread, memory="buffer", counter=WORDS)
    return list(merge(thread, [history], budget_tokens=500, counter=WORDS).messages)


def returned(change: Callable[[BaseMessage], BaseMessage], thread: Sequence[BaseMessage] = THREAD) -> list[Any]:
    """The update of a node that changes every message and answers."""
    sent = handed(thread)
    found: list[Any] = Stripping("messages", thread, sent)({"messages": [*map(change, sent), NEW]})["messages"]
    return found


def renamed(message: BaseMessage) -> BaseMessage:
    """As supervisors do."""
    return message.model_copy(update={"name": "team"})


def test_messages_that_were_handed_as_one_are_two_again():
    """A name for every message changes no text, and is kept."""
    found = {m.id: m for m in returned(renamed)}

    assert {m.id: found[m.id].content for m in THREAD} == {m.id: m.content for m in THREAD}
    assert [found[key].name for key in ("s1", "q", "two", "r", "now")] == ["team"] * 5
    assert found["one"] == THREAD[2]


@pytest.mark.parametrize(
    ("edit", "two"),
    [(str.upper, "TWO"), (lambda text: f"{text}!\nReally.", "two!\nReally."), (lambda text: text[:3], "one")],
)
def test_an_edit_of_messages_that_were_handed_as_one_edits_the_last(edit: Callable[[str], str], two: str):
    """By its lines; an edit that leaves too few of them is taken as it is."""
    found = {m.id: m for m in returned(lambda m: m.model_copy(update={"content": edit(m.content)}))}

    assert (found["one"].content, found["two"].content) == ("one", two)


def test_an_edit_of_a_call_without_words_adds_none():
    """What stood before it is another message's."""
    thread = [THREAD[1], THREAD[2], CALL.model_copy(update={"content": ""}), *THREAD[5:]]

    found = {m.id: m for m in returned(lambda m: m.model_copy(update={"content": m.content.upper()}), thread)}

    assert (found["one"].content, found["two"].content) == ("one", "")


def test_an_edit_of_a_refusal_is_its_own():
    """It was told in words, and these were changed."""
    refusal = AIMessage("", additional_kwargs={"refusal": "no"}, id="no")
    thread = [THREAD[1], refusal, THREAD[-1]]

    same = returned(renamed, thread)
    edited = returned(lambda m: m.model_copy(update={"content": m.content.upper()}), thread)

    assert (same[1].content, edited[1].content) == ("", "NO")


def test_a_change_beside_the_text_is_kept():
    """Such as other arguments of a call."""
    other = [{"name": "f", "args": {"x": 1}, "id": "1", "type": "tool_call"}]

    found = {m.id: m for m in returned(lambda m: m.model_copy(update={"tool_calls": other}) if m.id == "two" else m)}

    assert (found["two"].content, found["two"].tool_calls) == ("two", other)


def test_what_was_not_handed_stays_in_its_place():
    """Also where the channel takes the list as it is."""
    sent = handed(THREAD)

    out = Stripping("messages", THREAD, sent)({"messages": Overwrite([*sent, NEW])})

    assert [m.id for m in out["messages"].value] == ["s1", "q", "one", "s2", "two", "r", "now", "ok"]


def test_a_node_that_was_handed_nothing_returned_no_whole_list():
    """What it returned is added to the thread, and the thread is not added once more."""
    thread = [AIMessage("", id="empty")]

    assert Stripping("messages", thread, [])({"messages": [NEW]}) == {"messages": [NEW]}


def test_an_edit_is_no_new_message():
    """The thread after the node holds it in its place."""
    edited = THREAD[2].model_copy(update={"content": "won"})
    strip = Stripping("messages", THREAD, handed(THREAD))
    out = {"messages": [edited, NEW]}

    assert strip.new_in(out) == [NEW]
    assert strip.thread_after(out) == [*THREAD[:2], edited, *THREAD[3:], NEW]
