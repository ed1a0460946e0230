"""A thread of a graph under test: how it is run, what its checkpoints say, and what must therefore be true of its memory."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import BaseMessage, convert_to_messages
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.store.base import BaseStore, SearchOp
from langgraph.types import Command

from graph_memory import EntityFact, Scope
from graph_memory.graph.lineage import LINEAGE, lineage_of
from graph_memory.graph.state import MEMORY
from graph_memory.graph.view import seen_by
from graph_memory.memories.archive import split_turns
from graph_memory.namespaces import namespace
from tests.lineage_faults import CrashError, DiskError, Fuse, FusedSaver, FusedStore
from tests.lineage_graphs import BOARD, ENTITIES, PROFILE, Shape, question
from tests.lineage_scripts import Script, number_of, word

USER = "ada"


def words_in(texts: Any) -> set[str]:
    """The numbered words of some texts."""
    return {w for text in texts for w in str(text).split() if w[0] == "w" and w[1:].isdigit()}


@dataclass
class Thread:
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
    checkpointer: Any = None

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.crash, self.fault = Fuse(), Fuse(error=DiskError)
        self.saver: Any = self.checkpointer or FusedSaver(self.crash)
        self.threads = ["t"]
        self.thread = "t"
        self.orphans: set[str] = set()
        self.is_cancelled = False
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

    def config(self, **more: Any) -> Any:
        """Names the thread."""
        return {"configurable": {"thread_id": self.thread, "user_id": USER, **more}}

    def _run(self, value: Any, moment: Any = None) -> None:
        config = self.config(**{k: v for k, v in (moment or {}).get("configurable", {}).items() if "id" in k})
        start, calls, made = self._tip(moment), len(self.script.handed), number_of(word())
        known = {node: words_in(self.seen(start, agent)) for agent, node in self.shape.agents}
        try:
            self._call(value, config)
        except CrashError:
            made_since = {w for _, handed in self.script.handed for w in _made_since(made, handed)}
            mine = self._words(start) | _pending(start) | made_since
            raise
        else:
            mine = self._words(self._tip())
        finally:
            for node, handed in self.script.handed[calls:]:
                self._check_handed(node, handed, mine, known[node])

    def _call(self, value: Any, config: Any) -> None:
        if self.mode == "invoke":
            self.graph.invoke(value, config, durability=self.durability)
        else:
            asyncio.run(self._acall(value, config))

    async def _acall(self, value: Any, config: Any) -> None:
        run = asyncio.ensure_future(self.graph.ainvoke(value, config, durability=self.durability))
        self.crash.cancels = run.cancel
        try:
            await run
        except (asyncio.CancelledError, DiskError):
            raise CrashError from None

    def _finish(self) -> None:
        """Resumes until the thread is at rest."""
        while (state := self._state()).tasks:  # `next` leaves out tasks whose writes are saved already
            asked = [one.id for task in state.tasks for one in task.interrupts]
            self._run(Command(resume=dict.fromkeys(asked, "yes")) if asked else None)

    def _said(self) -> Any:
        return {"messages": [("user", question(at_home=self.shape.has_all))]}

    def _state(self) -> Any:
        return self.graph.get_state(self.config())

    def _moments(self) -> list[Any]:
        """All but those before the first message had an id; in a copy, all that know whose copy it is."""
        first = self.thread == self.threads[0]
        states = [state for state in self.graph.get_state_history(self.config()) if state.values.get("messages")]
        if self.shape.archives:
            states = [state for state in states if not state.tasks]
        return [state for state in states if first or LINEAGE in state.values.get("memory", {})]

    def _moment(self) -> Any:
        moments = self._moments()
        return self.random.choice(moments).config if moments else None

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
        turns, late = split_turns(self.said(tip).values()), list[BaseMessage]()
        while turns and words_in(message.content for message in turns[-1]) & self.broken:
            late += turns.pop()
        if not late:
            return set()
        unheard = itertools.takewhile(lambda m: m.additional_kwargs.get("by") != node, reversed(sum(turns, ())))
        return words_in(message.content for message in (*late, *unheard))

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

    def scope(self, agent: str | None = None) -> Scope:
        """Of this thread."""
        return Scope(user_id=USER, thread_id=self.thread, agent=agent)

    def view(self, tip: CheckpointTuple | None, scope: Scope) -> Any:
        """The store as a line sees it."""
        values = tip.checkpoint["channel_values"] if tip else {}
        config: Any = {"configurable": {"__pregel_checkpointer": self.saver}}
        lineage = lineage_of(values.get(MEMORY, {}), scope, values.get("messages", []), config)
        return seen_by(lineage, self.store)

    def seen(self, tip: CheckpointTuple | None, agent: str | None = None) -> list[str]:
        """The texts of the memos that a line sees."""
        scope = self.scope(agent)
        [items] = self.view(tip, scope).batch([SearchOp(namespace(scope, "vector"), limit=10_000)])
        texts = [item.value["text"] for item in items]
        return [text for text in texts if not self.orphans & words_in([text])]

    def check(self) -> None:
        """Every line that came to its end sees its own messages, once each; lines that ended earlier by sample."""
        tip = self._tip()
        assert tip is not None
        ends = [tip, *self.random.sample(self.ends, min(3, len(self.ends)))]
        for end in ends:
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
            if self.shape.has_all:
                self._check_rest(tip, [text for text in must if text in seen], words_in([*must, *may]))

    def _check_rest(self, tip: CheckpointTuple, told: Sequence[str], mine: set[str]) -> None:
        """What the memories know that make something of what is said.

        Args:
            tip: the line's end.
            told: what memory took in of the line.
            mine: all words of the line.
        """
        scope, said = self.scope(), self.said(tip).values()
        view, mine = self.view(tip, scope), mine | self.orphans | words_in(m.content for m in said)
        newest = PROFILE.get(scope, "newest", store=view)
        homes = [fact for fact in self._facts(scope, view) if fact.slot == "home"]
        found = {w for step in BOARD.read(scope, store=view).steps for w in words_in([step.result])}
        stray = {w for w in (newest, *map(_home, homes), *found) if w is not None} - mine
        assert not stray, f"{sorted(stray)} of other lines is known"
        asked = [number_of(str(m.content)) for m in said if m.type == "human" and m.content in told]
        since = {w for w in mine if int(w[1:]) >= asked[-1]} if asked else set()
        assert newest in since or not since, f"{newest} is taken for the newest of {sorted(since)}"
        current = [_home(fact) for fact in homes if fact.is_current]
        assert len(current) <= 1, f"all of {current} are current"

    def _facts(self, scope: Scope, view: Any) -> Sequence[EntityFact]:
        user = ENTITIES.entity(scope, "User", store=view)
        return user.facts if user is not None else ()

    def _check_handed(self, node: str, handed: Sequence[BaseMessage], mine: set[str], known: set[str]) -> None:
        """A node is handed all that its line knew, and nothing of another line."""
        words = words_in(message.content for message in handed)
        newest = next((message for message in reversed(handed) if message.type == "human"), None)
        foreign = words - mine - self.orphans - words_in([newest.content] if newest else [])
        assert not foreign, f"{node} was handed {sorted(foreign)} of an abandoned line"
        if self.fault.left is None and not self.is_breaking:
            assert not known - words, f"{node} was not handed {sorted(known - words)}"


def _pending(tip: CheckpointTuple | None) -> set[str]:
    """The words of what tasks had said after a checkpoint, which a resume does not say again."""
    writes = tip.pending_writes or [] if tip else []
    said = [value if isinstance(value, list) else [value] for _, channel, value in writes if channel == "messages"]
    return words_in(message.content for message in convert_to_messages(itertools.chain(*said)))


def _home(fact: EntityFact) -> str:
    """The word that a home was made of."""
    return "w" + fact.value.removeprefix("Westport")


def _made_since(number: int, handed: Sequence[BaseMessage]) -> set[str]:
    return {w for w in words_in(message.content for message in handed) if int(w[1:]) >= number}
