"""How messages are sent: in a form that every provider takes."""

from __future__ import annotations

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

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
