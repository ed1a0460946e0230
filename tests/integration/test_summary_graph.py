"""Summary memory in graphs: what the node reads, what a checkpoint brings back, what bad models cannot do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, Memory, Scope, forget, search
from graph_memory.memories.summary.memory import SummaryMemory
from tests.fakes import MODES, Assistant, call, in_thread, words_counter
from tests.graphs import plain, said
from tests.summarisers import BAD, Summariser

TASK = "Please plan a trip to Lisbon for four people."


def question(number: int) -> str:
    """A message of some thirty words."""
    return f"Fact {number} is worth {number * 10} euros. " + " ".join(f"w{number}x{i}" for i in range(24)) + "."


def memories(model: Any = None, **options: Any) -> list[Memory]:
    """A small window and a summary."""
    return [BufferMemory(weight=0.6), SummaryMemory(model, weight=0.4, **options)]


def graph(assistant: Any, some: list[Memory], *, saver: Any = None, store: Any = None, **options: Any) -> Any:
    """A graph with these memories and a budget of 400 words."""
    built = plain(assistant, some, **{"budget_tokens": 400, "counter": words_counter(), **options})
    return built.compile(checkpointer=saver, store=store)


def talk(built: Any, mode: str, turns: int, config: Any = None, first: int = 0) -> Any:
    """Says so many things, the task first."""
    for number in range(first, first + turns):
        result = call(built, mode, said(question(number) if number else TASK), config or in_thread())
    return result


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stored", [True, False])
def test_what_leaves_the_window_is_summarised(mode: str, stored: bool):
    """The node reads the task and a summary before its newest turns, and each message once."""
    assistant = Assistant()
    built = graph(
        assistant,
        memories(Summariser("They talked.")),
        saver=InMemorySaver(),
        store=InMemoryStore() if stored else None,
        budget_tokens=1000,
    )

    summarised = talk(built, mode, 24)["memory"]["assistant"]["summary"]["messages"]
    talk(built, mode, 1, first=24)

    assert f"- Task set by the user: {TASK}\n- They talked." in assistant.text
    assert [f"w{i}x0" in assistant.text for i in range(1, 25)] == [2 * i >= summarised for i in range(1, 25)]
    assert assistant.text.count(TASK) == 1


@pytest.mark.parametrize("mode", MODES)
def test_the_threshold_replaces_the_history(mode: str):
    """In a window that is large enough, too many tokens leave all but the newest messages, and the figures say so."""
    memory = SummaryMemory(threshold_tokens=150, keep_recent=4, ratio=0.3)
    assistant = Assistant()
    built = graph(assistant, [BufferMemory(), memory], saver=InMemorySaver(), budget_tokens=5000)

    result = talk(built, mode, 6)
    done = memory.compressions(result["memory"], "assistant")
    newest = [message for message in result["messages"] if message.type == "human"][-1]

    assert done.count == 1
    assert done.last is not None
    assert done.last.ratio < 0.6
    assert done.after(str(newest.id)) == (done.messages == 8)
    talk(built, mode, 1, first=6)
    assert "w1x0" not in "".join(str(m.content) for m in assistant.messages[1:])
    assert "w6x0" in assistant.text


@pytest.mark.parametrize("mode", MODES)
def test_the_prefix_stays_the_same(mode: str):
    """With an unchanged summary, all messages before the tail are byte-identical from turn to turn (law 8)."""
    assistant = Assistant()
    built = graph(assistant, memories(), saver=InMemorySaver(), budget_tokens=800)
    calls, counts = [], []
    for number in range(16):
        result = talk(built, mode, 1, first=number)
        calls.append([message.content for message in assistant.messages])
        counts.append(result["memory"]["assistant"]["summary"].get("messages", 0))

    steady = [i for i in range(2, 16) if counts[i - 1] == counts[i - 2]]

    assert len(steady) > 5
    for i in steady:
        before = calls[i - 1]
        assert calls[i][: len(before)] == before


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", BAD)
def test_a_model_that_fails_keeps_the_history(mode: str, kind: str):
    """The run goes on, nothing is summarised, nothing of it is remembered, and what was not taken in is asked for again."""
    assistant, saver, store = Assistant(), InMemorySaver(), InMemoryStore()
    bad = BAD[kind]()
    built = graph(assistant, memories(bad, remember_deadline_seconds=0.1), saver=saver, store=store)

    result = talk(built, mode, 8)

    summary = result["memory"]["assistant"]["summary"]
    assert summary == {"remembered": "", "tried": summary["tried"]}
    assert summary["tried"] > 0
    assert search(Scope("ada", "t"), "", store=store, kinds=["summary"]) == []
    mended = Summariser("They talked.")
    result = talk(graph(assistant, memories(mended), saver=saver, store=store), mode, 1, first=8)
    assert result["memory"]["assistant"]["summary"]["messages"] >= 4
    assert TASK in mended.asked[0]


@pytest.mark.parametrize("mode", MODES)
def test_a_fork_has_the_summary_of_its_moment(mode: str):
    """Time travel restores it by itself (law 5)."""
    assistant = Assistant()
    built = graph(assistant, memories(), saver=InMemorySaver(), store=InMemoryStore())
    talk(built, mode, 6)
    past = built.get_state(in_thread())
    talk(built, mode, 6, first=6)

    call(built, mode, said("And now?"), past.config)

    assert "Fact 5" in assistant.text
    assert not any(f"Fact {i} " in assistant.text for i in range(6, 12))


@pytest.mark.parametrize("mode", MODES)
def test_without_a_checkpointer_it_is_found_again(mode: str):
    """A client that sends the whole conversation finds the stored summary, and pays for new messages only."""
    model, assistant, store = Summariser("They talked."), Assistant(), InMemoryStore()
    built, history = graph(assistant, memories(model), store=store), list[BaseMessage]()
    for number in range(12):
        history.append(HumanMessage(question(number) if number else TASK))
        history.append(call(built, mode, {"messages": list(history)}, in_thread())["messages"][-1])

    assert "They talked." in assistant.text
    assert 1 < len(model.asked) < 8
    assert all(TASK not in asked for asked in model.asked[1:])
    [copy] = search(Scope("ada", "t"), "", store=store, kinds=["summary"])
    assert "They talked." in copy.memo.text
    forget(store, "ada")
    assert search(Scope("ada", "t"), "", store=store, kinds=["summary"]) == []


@pytest.mark.parametrize("mode", MODES)
def test_a_run_that_ends_after_the_answer_is_made_up_for(mode: str):
    """A crash while summarising: the next run summarises once, and every message is in exactly one place."""
    assistant, saver, store = Assistant(), InMemorySaver(), InMemoryStore()
    broken = graph(assistant, memories(Summariser(RuntimeError("crash")), required=True), saver=saver, store=store)
    with pytest.raises(Exception, match="the model failed"):
        talk(broken, mode, 8)
    model = Summariser("They talked.")
    built = graph(assistant, memories(model), saver=saver, store=store)

    call(built, mode, None, in_thread())
    result = talk(built, mode, 1, first=20)

    summary = result["memory"]["assistant"]["summary"]
    ids = [message.id for message in result["messages"]]
    assert ids.index(summary["remembered"]) + 1 == summary["messages"]
    assert sum(asked.count(TASK) for asked in model.asked) == 1


@pytest.mark.parametrize("mode", MODES)
def test_the_stream_says_what_was_compressed(mode: str):
    """One event with the figures."""
    built = graph(Assistant(), memories(), saver=InMemorySaver())
    talk(built, mode, 2)
    events: list[Any] = []
    for number in range(2, 8):
        events += [e["graph_memory"] for e in built.stream(said(question(number)), in_thread(), stream_mode="custom")]

    compressed = [event for event in events if event["event"] == "compressed"]

    assert compressed
    assert {"memory", "node", "messages", "tokens_before", "tokens_after", "ratio"} <= compressed[0].keys()


@pytest.mark.parametrize("mode", MODES)
def test_pruning_takes_what_was_summarised_only(mode: str):
    """Checkpoints stay as small as the window; what is pruned is archived and summarised, once."""
    assistant, store = Assistant(), InMemoryStore()
    some = [BufferMemory(weight=0.6, prune=True), SummaryMemory(weight=0.4, ratio=0.9)]
    built = graph(assistant, some, saver=InMemorySaver(), store=store)

    result = talk(built, mode, 20)

    summary = result["memory"]["assistant"]["summary"]
    assert len(result["messages"]) < 20
    archive = [item for item in store.search(("graph_memory",), limit=100) if "messages" in item.value]
    assert len(archive) == 20
    known = [message.id for message in result["messages"]]
    ahead = known.index(summary["remembered"]) + 1 if summary["remembered"] in known else 0
    assert summary["messages"] + len(known) - ahead == 40


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=12), st.integers(150, 400), st.sampled_from([None, "x " * 500])
)
def test_never_above_the_budget(lengths: list[int], budget_tokens: int, answer: str | None):
    """Whatever is said and answered (law 1), and nothing is neither shown nor summarised for more than a turn."""
    assistant = Assistant()
    model = Summariser(answer) if answer else None
    built = graph(assistant, memories(model), saver=InMemorySaver(), budget_tokens=budget_tokens)

    for number, length in enumerate(lengths):
        context = call(built, "invoke", said(f"q{number} " + "w " * length), in_thread())["memory_context"]

        assert context.total_tokens <= budget_tokens
        assert not context.degradations


@pytest.mark.parametrize("mode", MODES)
def test_a_summary_never_summarises_itself(mode: str):
    """What the node read of it is no part of the conversation, even when the node returns all that it read."""
    model = Summariser("They talked.")

    def returns_everything(state: Any) -> dict[str, Any]:
        return {"messages": [*state["messages"], AIMessage("ok")]}

    built = graph(returns_everything, memories(model), saver=InMemorySaver())

    talk(built, mode, 14)

    assert len(model.asked) > 2
    assert all(asked.split("<conversation>")[1].count("They talked.") == 0 for asked in model.asked)
