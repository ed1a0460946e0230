"""Random lives of a thread, checked against what its checkpoints say: which messages each line of the thread has.

A life is a list of actions: turns, forks, replays, edits, crashes at a chosen moment, resumes, interrupts, copies. After each, on
every line that ever came to an end, the memos that are seen must be exactly that line's messages, once each; and what a node was
handed must be everything that its own line knew, and nothing of another.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.graph import START
from langgraph.store.base import BaseStore, SearchOp
from langgraph.types import Command

from graph_memory import Scope
from graph_memory.graph.lineage import LINEAGE, lineage_of
from graph_memory.graph.state import MEMORY
from graph_memory.graph.view import seen_by
from graph_memory.memories.archive import split_turns
from graph_memory.namespaces import namespace
from tests.fakes import call
from tests.lineage_faults import CrashError, DiskError, FusedSaver, FusedStore, Fuse
from tests.lineage_graphs import MAIN, Script, Shape, number_of, word

USER = "ada"
_LAST_OPERATION = 24
"""A turn of the largest graph has about as many operations of store and checkpointer."""


def words_in(texts: Any) -> set[str]:
    """The numbered words of some texts."""
    return {w for text in texts for w in str(text).split() if w[0] == "w" and w[1:].isdigit()}


@dataclass
class Life:
    """One thread and its copies, with their graph, their store and everything that its nodes were ever handed.

    Attributes:
        store: what is tested.
        shape: the graph.
        seed: of every decision.
        mode: "invoke" or "ainvoke".
        durability: when checkpoints are written.
        pauses: nodes before which and after which every run stops, to be resumed.
    """

    store: BaseStore
    shape: Shape
    seed: int
    mode: str = "invoke"
    durability: Any = "sync"
    pauses: tuple[Sequence[str], Sequence[str]] = ((), ())
    script: Script = field(default_factory=Script)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.crash, self.fault = Fuse(), Fuse(error=DiskError)
        self.saver = FusedSaver(self.crash)
        self.threads = ["t"]
        self.thread = "t"
        self.orphans: set[str] = set()
        self.is_breaking, self.broken = False, set[str]()
        self.ends: list[CheckpointTuple] = []
        self._said_at: dict[tuple[str, str], dict[str, BaseMessage]] = {}
        self.log: list[str] = []
        self.start()

    def start(self) -> None:
        """A new process: everything is built anew over what is on disk."""
        self.crash.mend()
        self.fault.mend()
        before, after = self.pauses
        self.graph = self.shape.build(self.script).compile(
            checkpointer=self.saver,
            store=FusedStore(self.store, self.crash, self.fault),
            interrupt_before=list(before),
            interrupt_after=list(after),
        )

    # What may happen.

    def act(self) -> None:
        """One random thing."""
        todo: dict[Callable[[], None], int] = {
            self.turn: 5, self.fork: 2, self.replay: 2, self.edit: 1, self.interject: 1, self.stumble: 1, self.ask: 1,
            self.crash_and_resume: 4, self.crash_and_go_on: 2, self.break_disk: 1, self.leave_open: 1, self.copy: 1,
        }  # fmt: skip
        self.thread = self.random.choice(self.threads)
        [action] = self.random.choices(list(todo), list(todo.values()))
        self.log.append(action.__name__)
        action()

    def turn(self, config: Any = None) -> None:
        """Something new is said."""
        self.script.tools = self.random.randint(0, self.shape.most_tools)
        self._run(self._said(), config)
        self._finish()

    def fork(self) -> None:
        """Something else is said at an earlier moment."""
        self.turn(self._moment())

    def replay(self) -> None:
        """An earlier moment is run again."""
        if (moment := self._moment()) is None:
            return self.turn()
        self._run(None, moment)
        self._finish()
        return None

    def edit(self) -> None:
        """A question that was not answered yet is put in other words, at an earlier moment."""
        asked = [s for s in self._moments() if s.values["messages"][-1].type == "human"]
        if not asked:
            return self.turn()
        state = self.random.choice(asked)
        message = HumanMessage(f"rather {word()} about everything", id=state.values["messages"][-1].id)
        self._run(None, self.graph.update_state(state.config, {"messages": [message]}, as_node=START))
        self._finish()
        return None

    def interject(self) -> None:
        """Somebody answers in the assistant's place, at the end of a turn."""
        ends = [state for state in self._moments() if not state.tasks]
        if not ends:
            return self.turn()
        answer = AIMessage(f"rather {word()} about everything", additional_kwargs={"by": MAIN})
        state = self.random.choice(ends)
        self._run(None, self.graph.update_state(state.config, {"messages": [answer]}, as_node=MAIN))
        self._finish()
        return None

    def stumble(self) -> None:
        """A node fails and is tried again."""
        self.script.flaky = self.random.randint(1, 3)
        self.turn(self._moment() if self.random.random() < 0.4 else None)
        self.script.flaky = 0

    def ask(self) -> None:
        """A node asks for approval, which it gets."""
        self.script.asks = True
        self.turn(self._moment() if self.random.random() < 0.4 else None)
        self.script.asks = False

    def leave_open(self) -> None:
        """A node asks for approval, and the user says something else."""
        self.script.asks = True
        self._run(self._said(), self._moment() if self.random.random() < 0.4 else None)
        self.script.asks = False
        self.turn()

    def crash_and_resume(self) -> None:
        """The process dies at some moment of a turn, and the run is resumed."""
        self._crash()
        if not self._state().tasks:
            return self.turn()
        if self.random.random() < 0.3:
            self._crash(resumes=True)
        self._finish()
        return None

    def crash_and_go_on(self) -> None:
        """The process dies at some moment of a turn, and the user says something else."""
        self._crash()
        self.turn()

    def break_disk(self) -> None:
        """The store fails in a turn, so that memory degrades; the next turn makes up for it, or a fork does."""
        self.fault.left, self.fault.after = self.random.randint(1, 10), self.random.random() < 0.5
        self.fault.stays = self.random.random() < 0.5
        known, self.is_breaking = self._words(self._tip()), True
        self.turn()
        self.fault.mend()
        self.is_breaking = False
        if self.random.random() < 0.7:
            self.turn()
        self.broken |= self._words(self._tip()) - known

    def copy(self) -> None:
        """The thread is copied, perhaps in the middle of a turn, and both go on."""
        if len(self.threads) > 2 or not self._state().values.get("messages"):
            return self.turn()
        if self.random.random() < 0.5 and not self.shape.sends:
            self._crash()
            if not self._state().values.get("messages"):
                return self.turn()
        there = f"t{len(self.threads)}"
        self.saver.copy_thread(self.thread, there)
        self.threads.append(there)
        for self.thread in (self.thread, there):
            self._finish()
            self.turn()
        return None

    def _crash(self, *, resumes: bool = False) -> None:
        self.crash.left = self.random.randint(1, _LAST_OPERATION)
        self.crash.after, self.crash.stays = self.random.random() < 0.5, self.random.random() < 0.5
        try:
            if resumes:
                self._finish()
            else:
                self.turn(self._moment() if self.random.random() < 0.3 else None)
        except CrashError:
            self.log.append("crashed")
        self.start()
        if not self._state().values.get("messages"):
            # Nothing of the thread was saved: what was remembered is as from an earlier thread of this id.
            everything = self.store.search(("graph_memory",), limit=10_000)
            self.orphans |= words_in(item.value.get("text", "") for item in everything)

    # How it is run.

    def config(self, **more: Any) -> Any:
        """Names the thread."""
        return {"configurable": {"thread_id": self.thread, "user_id": USER, **more}}

    def _run(self, value: Any, moment: Any = None) -> None:
        config = self.config(**{k: v for k, v in (moment or {}).get("configurable", {}).items() if "id" in k})
        start, calls, made = self._tip(moment), len(self.script.handed), number_of(word())
        known = {node: words_in(self.seen(start, agent)) for agent, node in self.shape.agents}
        try:
            call(self.graph, self.mode, value, config, durability=self.durability)
        except CrashError:
            mine = self._words(start) | {w for _, handed in self.script.handed for w in _made_since(made, handed)}
            raise
        else:
            mine = self._words(self._tip())
        finally:
            for node, handed in self.script.handed[calls:]:
                self._check_handed(node, handed, mine, known[node])

    def _finish(self) -> None:
        """Resumes until the thread is at rest."""
        while (state := self._state()).tasks:  # `next` leaves out tasks whose writes are saved already
            asked = [one.id for task in state.tasks for one in task.interrupts]
            self._run(Command(resume=dict.fromkeys(asked, "yes")) if asked else None)

    def _said(self) -> Any:
        return {"messages": [("user", f"question {word()} about everything")]}

    def _state(self) -> Any:
        return self.graph.get_state(self.config())

    def _moments(self) -> list[Any]:
        """All but those before the first message had an id; in a copy, all that know whose copy it is."""
        first = self.thread == self.threads[0]
        states = [state for state in self.graph.get_state_history(self.config()) if state.values.get("messages")]
        return [state for state in states if first or LINEAGE in state.values.get("memory", {})]

    def _moment(self) -> Any:
        moments = self._moments()
        return self.random.choice(moments).config if moments else None

    # What its checkpoints say.

    def _tip(self, moment: Any = None) -> CheckpointTuple | None:
        """The newest checkpoint, or that of a moment."""
        return self.saver.get_tuple(moment or self.config(checkpoint_ns=""))

    def said(self, tip: CheckpointTuple | None) -> dict[str, BaseMessage]:
        """Everything that was said on the line up to a checkpoint, by id, in order; the newest wording counts."""
        if tip is None:
            return {}
        place = (tip.config["configurable"]["thread_id"], tip.checkpoint["id"])
        if place not in self._said_at:
            earlier = self.said(self.saver.get_tuple(tip.parent_config)) if tip.parent_config else {}
            mine = {str(m.id): m for m in tip.checkpoint["channel_values"].get("messages", [])}
            self._said_at[place] = earlier | mine
        return self._said_at[place]

    def _words(self, tip: CheckpointTuple | None) -> set[str]:
        messages = self.said(tip).values()
        return words_in(m.content for m in messages) | words_in(m.additional_kwargs.get("task", "") for m in messages)

    def _late(self, tip: CheckpointTuple, node: str) -> set[str]:
        """What need not have reached memory: the newest turn when the store failed in it, for some nodes any such turn."""
        if node in self.shape.forgetful:
            return self.broken
        *earlier, newest = split_turns(self.said(tip).values())
        if not words_in(message.content for message in newest) & self.broken:
            return set()
        unheard = itertools.takewhile(lambda m: m.additional_kwargs.get("by") != node, reversed(sum(earlier, ())))
        return words_in(message.content for message in (*newest, *unheard))

    def expected(self, tip: CheckpointTuple, node: str) -> tuple[list[str], list[str]]:
        """What the memories of an agent must hold on a line, and what it may not have heard yet: what followed its answer."""
        messages = [m for m in self.said(tip).values() if m.type in ("human", "ai")]
        if node == "worker":
            done = [m for m in messages if "task" in m.additional_kwargs]
            tasks = [str(text) for m in done for text in (m.additional_kwargs["task"], m.content)]
            return tasks, [str(m.content) for m in messages]
        last = max((i for i, m in enumerate(messages) if m.additional_kwargs.get("by") == node), default=-1)
        texts = [str(m.content) for m in messages]
        if node == "helper" and node in self.shape.forgetful:
            mine = [turn for turn in split_turns(messages) if turn[-1].additional_kwargs.get("by") == node]
            return [str(m.content) for turn in mine for m in turn], texts
        first = 0 if node != "helper" else self._first_turn(messages, node)
        return texts[first : last + 1], texts[:first] + texts[last + 1 :]

    def _first_turn(self, messages: Sequence[BaseMessage], node: str) -> int:
        """Where the first turn begins in which a node was reached: memory that is new to a thread begins with the newest turn."""
        first = next((i for i, m in enumerate(messages) if m.additional_kwargs.get("by") == node), 0)
        return max((i for i, m in enumerate(messages[:first]) if m.type == "human"), default=0)

    def seen(self, tip: CheckpointTuple | None, agent: str | None = None) -> list[str]:
        """The texts of the memos that a line sees."""
        values = tip.checkpoint["channel_values"] if tip else {}
        scope = Scope(user_id=USER, thread_id=self.thread, agent=agent)
        config: Any = {"configurable": {"__pregel_checkpointer": self.saver}}
        lineage = lineage_of(values.get(MEMORY, {}), scope, values.get("messages", []), config)
        [items] = seen_by(lineage, self.store).batch([SearchOp(namespace(scope, "vector"), limit=10_000)])
        texts = [item.value["text"] for item in items]
        return [text for text in texts if not self.orphans & words_in([text])]

    # What must be true.

    def check(self) -> None:
        """Every line that came to its end sees its own messages, once each; lines that ended earlier by sample."""
        tip = self._tip()
        assert tip is not None
        for end in [tip, *self.random.sample(self.ends, min(3, len(self.ends)))]:
            self.check_end(end)
        self.ends.append(tip)

    def check_end(self, tip: CheckpointTuple) -> None:
        """One line."""
        for agent, node in self.shape.agents:
            must, may = self.expected(tip, node)
            seen = self.seen(tip, agent)
            late = self._late(tip, node)
            missing = [text for text in must if text not in seen and not words_in([text]) & late]
            assert not missing, f"{node} misses {missing}"
            assert sorted(set(seen)) == sorted(seen), f"{node} has doubles: {sorted(seen)}"
            assert set(seen) <= {*must, *may}, f"{node} sees {set(seen) - {*must, *may}} of other lines"

    def _check_handed(self, node: str, handed: Sequence[BaseMessage], mine: set[str], known: set[str]) -> None:
        """A node is handed all that its line knew, and nothing of another line."""
        words = words_in(message.content for message in handed)
        newest = next((message for message in reversed(handed) if message.type == "human"), None)
        foreign = words - mine - self.orphans - words_in([newest.content] if newest else [])
        assert not foreign, f"{node} was handed {sorted(foreign)} of an abandoned line"
        if self.fault.left is None and not self.is_breaking:
            assert not known - words, f"{node} was not handed {sorted(known - words)}"


def _made_since(number: int, handed: Sequence[BaseMessage]) -> set[str]:
    return {w for w in words_in(message.content for message in handed) if int(w[1:]) >= number}
