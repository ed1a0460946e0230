"""Random lives of a thread, checked against what its checkpoints say: which messages each line of the thread has.

A life is a list of actions: turns, forks, replays, edits, crashes at a chosen moment, resumes, interrupts, copies. After each, on
every line that ever came to an end, the memos that are seen must be exactly that line's messages, once each; and what a node was
handed must be everything that its own line knew, and nothing of another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START

from graph_memory.memories.archive import split_turns
from tests.lineage_checks import Thread, words_in
from tests.lineage_faults import CrashError
from tests.lineage_graphs import MAIN
from tests.lineage_scripts import word

_LAST_OPERATION = 24
"""A turn of the largest graph has about as many operations of store and checkpointer."""


class Life(Thread):
    """A thread to which random things happen."""

    def act(self) -> None:
        """One random thing."""
        todo: dict[Callable[[], None], int] = {
            self.turn: 5, self.fork: 2, self.replay: 2, self.edit: 1, self.interject: 1, self.stumble: 1, self.ask: 1,
            self.crash_and_resume: 4, self.crash_and_go_on: 2, self.break_disk: 1, self.leave_open: 1, self.copy: 1,
        }  # fmt: skip
        self.thread, self.is_cancelled = self.random.choice(self.threads), False
        [action] = self.random.choices(list(todo), list(todo.values()))
        self.log.append(action.__name__)
        action()
        if self.is_cancelled:
            newest = split_turns(self.said(self._tip()).values())[-1]
            self.broken |= words_in(message.content for message in newest)

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
        if not ends or self.shape.archives:
            return self.turn()
        answer = AIMessage(f"rather {word()} about everything", additional_kwargs={"by": MAIN})
        state = self.random.choice(ends)
        self._run(None, self.graph.update_state(state.config, {"messages": [answer]}, as_node=MAIN))
        self._finish()
        return None

    def stumble(self) -> None:
        """A node fails and is tried again."""
        self.script.flaky, self.script.rough = self.random.choice([(1, 0), (2, 0), (0, 1), (0, 2), (1, 1)])
        self.turn(self._moment() if self.random.random() < 0.4 else None)
        self.script.flaky = self.script.rough = 0

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
        for thread in (self.thread, there):
            self.thread = thread
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
            if (
                self.mode == "ainvoke"
            ):  # LangGraph 1.2.22 keeps half of what a cancelled node wrote: memory hears of it a turn later
                self.is_cancelled = True
        self.start()
        self.note_orphans()

    def note_orphans(self) -> None:
        """After a crash: where nothing of the thread was saved, what was remembered is as from an earlier thread of this id."""
        if not self._state().values.get("messages"):
            everything = self.store.search(("graph_memory",), limit=10_000)
            self.orphans |= words_in(item.value.get("text", "") for item in everything)
