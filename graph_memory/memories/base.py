"""What every memory is: a frozen dataclass with a name, a share of the budget, and two generator methods.

A memory of one's own is a subclass with `recall` and, when it learns from the conversation, `remember`. Both yield the
requests of `graph_memory.steps` and touch nothing else, so one body serves sync and async graphs alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from graph_memory.context.tiers import TIERS, Tier
from graph_memory.errors import ConfigurationError
from graph_memory.memories import assembly
from graph_memory.memories.option_types import check_option_types
from graph_memory.types import Context, Feeds, Placement, Query, Scope, Section, Snippet, TokenCounter, Turn

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langgraph.store.base import BaseStore

    from graph_memory.steps import Steps

_RESERVED = frozenset({"plan", "merge", "thread", "frame", "@lineage", "@outbox", ""})

Remembers = Literal["inline", "background"]
"""When a turn is taken in: before the run goes on, or later by a worker, from a durable outbox in the store."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The common part of every memory.

    Attributes:
        name: unique among the memories of one node; also the node's name in drawings and the key of its figures.
        weight: share of the budget relative to the other memories, above zero, bigger is more.
        min_share, max_share: bounds of that share, fractions of the budget.
        priority: who is cut first at equal pressure; higher keeps longer.
        pinned: never cut. What is pinned must fit, or the call fails with `BudgetError`.
        required: a failure of this memory fails the call, instead of leaving its section empty.
        placement: where its section goes.
        feeds: whether it is told every turn, or what leaves the window of recent turns.
        tier: which share of a workspace's budget it draws on, when there is a workspace.
        deadline_seconds: how long recall may take before the call goes on without it; None waits for ever.
        remember_deadline_seconds: how long remembering may take before the run goes on; the next turn makes up for it.
        remembers: "inline", or "background" to leave the work to a worker (`graph_memory.graph.worker`), for memories that say
            ahead what they keep in the thread's state (`state_after`).
    """

    kind: ClassVar[str] = "custom"
    heading: ClassVar[str] = ""

    name: str
    weight: float = 1.0
    min_share: float = 0.0
    max_share: float = 1.0
    priority: int = 0
    pinned: bool = False
    required: bool = False
    placement: Placement = "tail"
    feeds: Feeds = "turn"
    tier: Tier = "long_term"
    deadline_seconds: float | None = 5.0
    remember_deadline_seconds: float | None = 30.0
    remembers: Remembers = "inline"

    def __post_init__(self) -> None:
        check_option_types(self)
        if self.name in _RESERVED or any(mark in self.name for mark in "|:"):
            raise ConfigurationError(
                f"a memory cannot be named {self.name!r}: give it a name that is not empty, has no '|' or ':' and is none"
                f" of {', '.join(sorted(_RESERVED - {''}))}"
            )
        if self.placement not in ("system", "history", "tail"):
            raise ConfigurationError(
                f"memory {self.name!r} has placement {self.placement!r}: choose 'system', 'history' or 'tail'"
            )
        if self.feeds not in ("turn", "overflow"):
            raise ConfigurationError(f"memory {self.name!r} has feeds={self.feeds!r}: choose 'turn' or 'overflow'")
        if self.tier not in TIERS:
            raise ConfigurationError(f"memory {self.name!r} has tier {self.tier!r}: choose from {', '.join(TIERS)}")
        if not (isinstance(self.weight, int | float) and math.isfinite(self.weight) and self.weight > 0):
            raise ConfigurationError(
                f"memory {self.name!r} has weight {self.weight}: a weight is a number above zero; leave the memory out to"
                " give it nothing"
            )
        if not 0 <= self.min_share <= self.max_share <= 1:
            raise ConfigurationError(
                f"memory {self.name!r} has min_share {self.min_share} and max_share {self.max_share}: both are fractions"
                " of the budget, 0 <= min_share <= max_share <= 1"
            )
        for name in ("deadline_seconds", "remember_deadline_seconds"):
            seconds = getattr(self, name)
            if seconds is not None and not seconds > 0:
                raise ConfigurationError(f"memory {self.name!r} has {name} {seconds}: give seconds above 0, or None")
        if self.remembers not in get_args(Remembers):
            raise ConfigurationError(
                f"memory {self.name!r} has remembers={self.remembers!r}: choose 'inline' or 'background'"
            )
        if self.remembers == "background" and (self.feeds == "overflow" or not self.defers):
            raise ConfigurationError(
                f"memory {self.name!r} cannot remember in the background: what it takes in must be there when the turn is over,"
                " in the thread's state or before messages leave the window; leave out remembers="
            )

    def recall(self, query: Query) -> Steps[Section]:
        """What this memory offers for the query; build it with `section`."""
        raise NotImplementedError(f"{type(self).__name__} needs a recall method")

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        """Takes in a finished turn; returns the thread-scoped state to merge into this memory's own, or None."""
        yield from ()
        return None

    def state_after(self, turn: Turn) -> Mapping[str, Any] | None:
        """The state that `remember` will return for the turn, known before any of its work is done; pure.

        A memory that defines it can remember in the background: the state is checkpointed with the turn, the work is done later.
        """
        return None

    @property
    def defers(self) -> bool:
        """Whether this memory can remember in the background: it has a `state_after` of its own."""
        return type(self).state_after is not Memory.state_after

    @property
    def plain(self) -> Memory | None:
        """This memory as it takes in a turn that it keeps failing on by itself; None when it knows no other way.

        A memory that can remember in the background has that turn kept for it in the outbox instead, as a dead letter.
        """
        return None

    def overflow(self, query: Query) -> int:
        """How many of the query's first messages leave the window, as far as this memory has a say in it; pure.

        Memories that feed on overflow are told of them, and from then on the window begins after them. It is a whole number of
        turns, counted from `query.overflowed` on.
        """
        return query.overflowed or 0

    def events(self, kept: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """What the custom stream is told besides, when `remember` returned `kept`; each with its name under "event"."""
        return ()

    def truncate(self, section: Section, max_tokens: int, counter: TokenCounter) -> Section:
        """The section cut to `max_tokens` in this memory's own way; the merge calls it for memories that define it.

        Without it whole groups of snippets go, the lowest score first.
        """
        return section

    @property
    def cuts(self) -> bool:
        """Whether this memory has a `truncate` of its own."""
        return type(self).truncate is not Memory.truncate

    @property
    def prunes(self) -> bool:
        """Whether messages that left this memory's window are to be removed from the channel."""
        return False

    def section(self, snippets: Iterable[Snippet] = (), *, degraded: str = "") -> Section:
        """A section that carries this memory's name and shares."""
        return Section(
            memory=self.name,
            snippets=tuple(snippets),
            placement=self.placement,
            heading=self.heading,
            weight=self.weight,
            min_share=self.min_share,
            max_share=self.max_share,
            priority=self.priority,
            pinned=self.pinned,
            required=self.required,
            degraded=degraded,
        )

    def get_context(
        self,
        scope: Scope,
        query: str,
        *,
        store: BaseStore | None = None,
        messages: Sequence[BaseMessage] = (),
        budget_tokens: int = 4000,
        counter: TokenCounter | None = None,
        filter: Mapping[str, Any] | None = None,
    ) -> Context:
        """The context that an LLM node with this memory alone would receive for `query`; `messages` came before it.

        Raises:
            BudgetError: the query and what is pinned exceed the budget.
            ConfigurationError: a setting is wrong.
        """
        return assembly.get_context(
            [self],
            scope,
            query,
            store=store,
            messages=messages,
            budget_tokens=budget_tokens,
            counter=counter,
            filter=filter,
        )

    async def aget_context(
        self,
        scope: Scope,
        query: str,
        *,
        store: BaseStore | None = None,
        messages: Sequence[BaseMessage] = (),
        budget_tokens: int = 4000,
        counter: TokenCounter | None = None,
        filter: Mapping[str, Any] | None = None,
    ) -> Context:
        """`get_context`, awaiting the store."""
        return await assembly.aget_context(
            [self],
            scope,
            query,
            store=store,
            messages=messages,
            budget_tokens=budget_tokens,
            counter=counter,
            filter=filter,
        )
