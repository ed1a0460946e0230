"""What vector memory offers to the context: where few memos match, the newest too, and no more than the budget could show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from graph_memory import ConfigurationError, Scope, Turn, VectorMemory
from graph_memory.context.tokens import counter_from
from graph_memory.memories.searching import Found
from graph_memory.memories.showing import showable
from graph_memory.steps import run
from graph_memory.stores.sqlite import SqliteStore
from graph_memory.types import Context, Line, Memo, Origin

ADA = Scope(user_id="ada", thread_id="t")
MAY = datetime(2023, 5, 1, tzinfo=UTC)
WORDS = counter_from(lambda text: len(text.split()), name="words")

over_stores = pytest.mark.parametrize("made", [lambda: SqliteStore(None), InMemoryStore], ids=["sqlite", "memory"])


def filled(store: BaseStore, *texts: str) -> BaseStore:
    """A store that remembers a conversation of Ann and Ben, a day between two messages."""
    kinds: tuple[Any, Any] = (HumanMessage, AIMessage)
    state: Any = {}
    for i, text in enumerate(texts):
        extra = {"role": "person", "said_at": f"{MAY + timedelta(days=i)}", "session": str(i)}
        message = kinds[i % 2](text, id=f"m{i}", name=("Ann", "Ben")[i % 2], additional_kwargs=extra)
        state = run(VectorMemory(episodes=None).remember(Turn(ADA, (message,), "root", MAY, state=state)), store=store)
    return store


def shown(store: BaseStore, question: str, memory: VectorMemory | None = None) -> Context:
    memory = memory or VectorMemory(episodes=None)
    return memory.get_context(ADA, question, store=store, budget_tokens=400, counter=WORDS)


def lines(context: Context) -> list[Line]:
    return [line for line in context.lines if line.memory == "vector"]


@over_stores
def test_where_few_match_the_newest_fill_the_budget(made):
    """The answer need not hold the question's words, and ranks behind what does."""
    store = filled(made(), "I paint with oils", *["Lovely"] * 7, "It calms me down", "We flew to Rome")
    offered = lines(shown(store, "Does Ann paint?"))

    assert offered[0].text == "Ann: I paint with oils"
    assert "Ann: It calms me down" in {line.text for line in offered if line.kept}
    unnamed = {line.text for line in lines(shown(store, "Who can paint?")) if line.kept}
    assert unnamed >= {"Ann: It calms me down", "Ben: We flew to Rome"}


def test_filling_can_be_turned_off_and_a_search_never_fills():
    """Who searches wants what matches."""
    store = filled(SqliteStore(None), "I paint with oils", *["Nothing else"] * 7, "We flew to Rome")
    only = VectorMemory(episodes=None, fill=0)

    assert "Ann: We flew to Rome" in [line.text for line in lines(shown(store, "Does Ann paint?"))]
    assert "Ann: We flew to Rome" not in [line.text for line in lines(shown(store, "Does Ann paint?", only))]
    assert "We flew to Rome" not in [one.memo.text for one in only.search(ADA, "Does Ann paint?", store=store)]


def test_filling_is_a_whole_number():
    """A mistake is refused at once."""
    with pytest.raises(ConfigurationError, match="fill -1: give a whole number, 0 or more"):
        VectorMemory(fill=-1)


def test_a_long_answer_is_cut_around_the_question():
    """From the store to the context: who speaks, the passage, the rule."""
    dull = "The weather was dull again on that day. " * 60
    store = filled(
        SqliteStore(None), "Which trees?", f"{dull}The quince needs pruning in March. {dull}", "Thanks", "Bye"
    )
    [line] = [line for line in lines(shown(store, "When is quince pruning due?")) if "quince" in line.text]

    assert line.rule == "cut to what answers"
    assert line.text.startswith("Ben: … ")
    assert "The quince needs pruning in March." in line.text
    assert line.text.endswith(" …")


def test_no_more_is_offered_than_the_budget_could_show():
    """Long texts count as what is left of them when they are cut."""

    def found(text: str, count: int) -> list[Found]:
        return [Found(Memo(str(i), text, Origin("r"), MAY, speaker="Ann"), 0.5, {}, {"x": 1.0}) for i in range(count)]

    assert len(showable(found("word " * 2000, 200), 1000)) == 17
    assert len(showable(found("word", 200), 1000)) == 200
    assert showable(found("word", 200), 0) == []
    [snippet] = showable(found("word", 1), 10)
    assert (snippet.text, snippet.lead, snippet.label, snippet.about) == (
        "Ann: word",
        "Ann: ",
        "2023-05-01",
        {"x": 1.0},
    )
