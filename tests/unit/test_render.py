"""How messages are sent: in a form that every provider takes."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from graph_memory.context.merge import merge
from graph_memory.context.turns import history_section
from tests.merging import ASK, WORDS


def test_messages_are_sent_in_a_form_that_every_provider_takes():
    """A refusal in words, a call together with the answers before it; the thread's own messages stay as they are."""
    refusal = AIMessage("", additional_kwargs={"refusal": "I must not."}, id="r")
    block_of = AIMessage([{"type": "refusal", "refusal": "Nor that."}], id="b")
    call = AIMessage("Let me see.", tool_calls=[{"name": "f", "args": {}, "id": "1"}], id="c")
    thread = [
        HumanMessage("a", id="a"),
        refusal,
        ASK,
        block_of,
        AIMessage("Well."),
        call,
        ToolMessage("x", tool_call_id="1"),
    ]
    history, _ = history_section(thread, memory="buffer", counter=WORDS)

    sent = merge(thread, [history], budget_tokens=500, counter=WORDS).messages

    assert [message.type for message in sent] == ["human", "ai", "human", "ai", "tool"]
    assert sent[1].content == "I must not."
    assert sent[3].content == [{"type": "text", "text": text} for text in ("Nor that.", "Well.", "Let me see.")]
    assert (sent[3].id, sent[3].tool_calls) == ("c", call.tool_calls)
    assert (refusal.content, call.content) == ("", "Let me see.")


NO = "I must refuse because of the policy. " * 10
REFUSALS = {
    "beside the content": AIMessage("", additional_kwargs={"refusal": NO}, id="no"),
    "a block": AIMessage([{"type": "refusal", "refusal": NO}], id="no"),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_refusals_are_counted_as_they_are_sent(refusal: AIMessage):
    """Words in the history like any others: what does not fit goes from the old end, the rest stays."""
    turns = [m for i in range(6) for m in (HumanMessage("q", id=f"q{i}"), refusal.model_copy(update={"id": f"no{i}"}))]
    history, _ = history_section([*turns, ASK], memory="buffer", counter=WORDS)

    context = merge([*turns, ASK], [history], budget_tokens=300, counter=WORDS)

    assert [m.id for m in context.messages] == ["q3", "no3", "q4", "no4", "q5", "no5", "ask"]
    assert {line.text for line in context.kept if line.memo_id.startswith("no")} == {NO}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_in_the_running_turn_goes_before_the_budget_breaks(refusal: AIMessage):
    """An earlier exchange of a turn that is too long, like any other answer."""
    call = AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "1"}], id="c")
    thread: list[BaseMessage] = [ASK, refusal, call, ToolMessage("x", tool_call_id="1")]

    sent = merge(thread, [], budget_tokens=60, counter=WORDS).messages

    assert [message.type for message in sent] == ["human", "ai", "tool"]
    assert sent[1] == call


def test_a_speaker_whose_words_move_into_another_ones_message_is_named():
    """Two agents in one thread: a call that follows another agent's answer is not sent alone, and not as the other's words."""
    call = AIMessage("Let me see.", tool_calls=[{"name": "f", "args": {}, "id": "1"}], name="writer")
    thread = [ASK, AIMessage("Large.", name="researcher"), AIMessage("Well.", name="writer"), call]

    sent = merge([*thread, ToolMessage("x", tool_call_id="1")], [], budget_tokens=500, counter=WORDS).messages

    assert [message.type for message in sent] == ["human", "ai", "tool"]
    assert (sent[1].name, sent[1].content) == ("writer", "researcher:\n\nLarge.\n\nWell.\n\nLet me see.")
