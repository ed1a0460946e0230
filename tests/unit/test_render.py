"""How messages are sent: in a form that every provider takes."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from graph_memory.context.merge import merge
from graph_memory.context.turns import history_section
from tests.merging import ASK, WORDS


def test_messages_are_sent_in_a_form_that_every_provider_takes():
    """A refusal in words, a call together with the answer before it; the thread's own messages stay as they are."""
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

    assert [message.type for message in sent] == ["human", "ai", "human", "ai", "ai", "tool"]
    assert sent[1].content == "I must not."
    assert sent[3].content == [{"type": "text", "text": "Nor that."}]
    assert (sent[4].id, sent[4].content, sent[4].tool_calls) == ("c", "Well.\n\nLet me see.", call.tool_calls)
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
