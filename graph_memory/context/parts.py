"""A context in the making: what must be shown in any case, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.messages import BaseMessage, SystemMessage

from graph_memory.context.exchanges import RUNNING, Fate, shorten_turn
from graph_memory.context.history import History, offered_history
from graph_memory.context.render import CLOSE, OPEN, as_sent, block, system_message, with_memory
from graph_memory.context.selection import Offer, offer
from graph_memory.context.tokens import message_tokens
from graph_memory.context.turns import Thread, split_thread
from graph_memory.errors import BudgetError
from graph_memory.types import Section, TokenCounter


@dataclass(slots=True)
class Parts:
    """A context in the making.

    Attributes:
        thread: what the thread must show.
        fates: the running turn's messages.
        made: what each section offered, in the sections' order; None for a second history, which is never shown.
        room: tokens left after everything that must be shown.
    """

    thread: Thread
    fates: list[Fate]
    made: list[Offer | History | None]
    room: int = 0

    @property
    def offers(self) -> list[Offer]:
        """The sections that are lines of text."""
        return [made for made in self.made if isinstance(made, Offer)]

    @property
    def history(self) -> History | None:
        """The section that is earlier turns."""
        return next((made for made in self.made if isinstance(made, History)), None)

    def messages(self) -> list[BaseMessage]:
        """The messages as they would be sent now."""
        human = self.thread.human
        tail_at_front = human is None
        texts: dict[bool, list[str]] = {True: [], False: []}
        for made in self.offers:
            texts[tail_at_front or made.section.placement == "system"].append(made.text())
        front = system_message(self.thread.system, block(texts[True]))
        running = [fate.message for fate in self.fates if fate.kept]
        if human is not None:
            running[0] = with_memory(human, block(texts[False]))
        said = [*(self.history.messages if self.history else []), *running]
        return [*([front] if front else []), *as_sent(said)]


def must_show(
    messages: Sequence[BaseMessage], sections: Sequence[Section], available: int, counter: TokenCounter
) -> Parts:
    """Everything that is shown in any case, paid for; the running turn shortened when it is too long."""
    thread = split_thread(messages)
    made = _made(sections, thread, counter)
    pinned = [m for m in made if m is not None and m.section.pinned]
    human_tokens = counter.count_message(thread.human) if thread.human else 0
    human = [Fate(thread.human, human_tokens, True, RUNNING)] if thread.human else []
    needed = measured(Parts(thread, human, [*pinned]).messages(), counter)
    if needed > available:
        raise over_budget(thread, needed, available, counter)
    fates = shorten_turn(thread.running, available - needed + human_tokens, counter)
    spent = needed - human_tokens + sum(fate.tokens for fate in fates if fate.kept)
    return Parts(thread, fates, made, available - spent - _delimiters(made, thread, counter))


def _made(sections: Sequence[Section], thread: Thread, counter: TokenCounter) -> list[Offer | History | None]:
    made: list[Offer | History | None] = []
    for section in sections:
        if section.placement != "history":
            made.append(offer(section, counter))
        elif any(isinstance(other, History) for other in made):
            made.append(None)
        else:
            made.append(offered_history(section, thread.human, counter))
    return made


def measured(messages: Sequence[BaseMessage], counter: TokenCounter) -> int:
    """Tokens of finished messages, framing included."""
    return counter.overhead + sum(message_tokens(messages, counter))


def over_budget(thread: Thread, needed: int, available: int, counter: TokenCounter) -> BudgetError:
    """The error that names the sizes of what must be shown, and nothing of what it says."""
    human = counter.count_message(thread.human) if thread.human else 0
    system = sum(message_tokens(thread.system, counter))
    pinned = max(0, needed - system - human - counter.overhead)
    return BudgetError(
        f"what must be shown takes {needed:,} tokens ({counter.name}) and {available:,} are allowed: system messages"
        f" {system:,}, pinned sections {pinned:,}, newest human message {human:,}, overhead {counter.overhead:,}; raise"
        " budget_tokens, lower reserve_tokens or shorten them",
        needed_tokens=needed,
        budget_tokens=available,
    )


def _delimiters(made: Sequence[Offer | History | None], thread: Thread, counter: TokenCounter) -> int:
    """Tokens that the blocks of competing sections may add by themselves."""
    places = {m.section.placement for m in made if isinstance(m, Offer) and not m.section.pinned and m.rules}
    tokens = len(places) * (counter.count_text(f"{OPEN}\n\n{CLOSE}\n\n") + 1) if places else 0
    opens_front = not thread.system and ("system" in places or (thread.human is None and bool(places)))
    return tokens + (counter.count_message(SystemMessage("")) if opens_front else 0)
