"""The graphs of Studio where a model answers: what a run's settings do."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.messages import HumanMessage, SystemMessage

from graph_memory import BudgetError, BufferMemory
from graphs import answering
from graphs.context import PROMPT


class Listening(FakeListChatModel):
    """Answers, and keeps what it was handed."""

    heard: list[Any] = []  # noqa: RUF012 - a pydantic field, copied for each model

    async def _agenerate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
        self.heard.append(messages)
        return await super()._agenerate(messages, *args, **kwargs)


@pytest.mark.parametrize(
    ("context", "prompt"), [({"system_prompt": "Answer in rhyme."}, "Answer in rhyme."), (None, PROMPT)]
)
async def test_the_prompt_of_a_run_reaches_the_model(
    monkeypatch: pytest.MonkeyPatch, context: dict[str, str] | None, prompt: str
) -> None:
    """The one that the run names, else the graph's own."""
    model = Listening(responses=["Hello."])
    monkeypatch.setattr(answering, "MODEL", model)
    graph = answering.remembering(BufferMemory())

    await graph.ainvoke({"messages": [HumanMessage("Hi")]}, {"configurable": {"thread_id": "t"}}, context=context)

    assert [message.text for message in model.heard[0]] == [prompt, "Hi"]


@pytest.mark.parametrize("words", [100, 700, 5000])
async def test_a_long_prompt_is_within_the_budget_or_refused(monkeypatch: pytest.MonkeyPatch, words: int) -> None:
    """A quarter of the budget is the prompt's, however long the thread is; beyond the budget no model is called (law 1)."""
    model = Listening(responses=["Hello."], heard=[])
    monkeypatch.setattr(answering, "MODEL", model)
    graph = answering.remembering(BufferMemory(weight=1.0))
    history = [HumanMessage("Tell me more of it. " * 60) for _ in range(60)]
    prompt = "very " * words

    async def ask() -> None:
        config: Any = {"configurable": {"thread_id": "t"}}
        await graph.ainvoke({"messages": history}, config, context={"system_prompt": prompt})

    if words == 5000:
        with pytest.raises(BudgetError, match="shorten it"):
            await ask()
        assert not model.heard
    else:
        await ask()
        counter, [handed] = answering.COUNTER, model.heard
        tokens = counter.overhead + sum(map(counter.count_message, handed))
        assert tokens <= answering.BUDGET_TOKENS
        assert len(handed) > 2


def test_the_prompt_joins_the_system_message_of_memory() -> None:
    """Some providers take no second one."""
    joined = answering.with_prompt("Be brief.", [SystemMessage("tone: dry"), HumanMessage("Hi")])

    assert [message.text for message in joined] == ["Be brief.\n\ntone: dry", "Hi"]
