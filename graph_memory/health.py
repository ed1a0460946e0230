"""Whether memory works: each memory's recall and what it left to the background, the store, and the assembly of a context.

Nothing of a user's is written: what a memory would put while it recalls is held back, and the store is tried in a namespace of
the check's own, which it leaves empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast
from uuid import uuid4

from langchain_core.messages import HumanMessage
from langgraph.store.base import GetOp, ListNamespacesOp, PutOp, SearchOp

from graph_memory.errors import GraphMemoryError, StoreError
from graph_memory.graph.backlog import Backlog, backlogs
from graph_memory.lockstep import Outcome, arun_all, run_all
from graph_memory.memories.assembly import assemble, reason_of, section_of
from graph_memory.memories.checking import checked
from graph_memory.memories.planning import Plan, Settings, plan
from graph_memory.namespaces import namespace
from graph_memory.steps import Request, Steps, StoreOps
from graph_memory.types import Context, Scope, Section

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore, Op

    from graph_memory.memories.base import Memory

T = TypeVar("T")

Status = Literal["healthy", "degraded", "unhealthy"]

_STORE, _OUTBOX, _SWEEP = ":store", ":outbox", ":sweep"
"""Names of the check's own bodies; no memory's name has a colon."""

_KEY = "probe"
_READS = (GetOp, SearchOp, ListNamespacesOp)
_LEFT_BEHIND_MINUTES = 5.0
"""When a store with TTL takes away by itself what a check that was killed left behind."""

_BUDGET_TOKENS = 4000


@dataclass(frozen=True, slots=True)
class PartHealth:
    """How one part does.

    Attributes:
        status: "healthy"; "degraded" when it answers with less than it should, or is behind with what it remembers in the
            background; "unhealthy" when it fails or is late, or gave up remembering something.
        elapsed_ms: how long it took to answer.
        reason: why it is not healthy; "" when it is.
    """

    status: Status
    elapsed_ms: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """How memory does as a whole, and part by part.

    Attributes:
        status: "unhealthy" when the store fails, no context can be assembled, or every memory fails; "degraded" when any part
            is not healthy; else "healthy".
        memories: each memory, by name.
        store: the store's round trip; None without a store.
        orchestrator: the assembly of a context from what the memories gave.
        checked_at: when.
    """

    status: Status
    memories: Mapping[str, PartHealth]
    orchestrator: PartHealth
    store: PartHealth | None = None
    checked_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def to_value(self) -> dict[str, Any]:
        """This as a JSON object, for a web service's health route."""
        return {**asdict(self), "checked_at": self.checked_at.isoformat()}


def check_health(
    memories: Iterable[Memory],
    *,
    store: BaseStore | None = None,
    scope: Scope | None = None,
    deadline_seconds: float = 5.0,
) -> Health:
    """Tries every memory, the store and the assembly once, without a change to anybody's data.

    Args:
        memories: what to try.
        store: where memos are.
        scope: in whose memory to look, for a store that shows a caller its own only; a scope that nobody has when left out.
        deadline_seconds: how long any part may take; a memory's own deadline counts where it is shorter.

    Raises:
        ConfigurationError: the memories cannot be used together.
    """
    probe = _Probe.of(memories, store, scope, deadline_seconds)
    outcomes = run_all(probe.bodies(), store=store, deadline_seconds=probe.deadlines())
    run_all(probe.sweep(outcomes), store=store, deadline_seconds=probe.deadlines())
    return probe.health(outcomes)


async def acheck_health(
    memories: Iterable[Memory],
    *,
    store: BaseStore | None = None,
    scope: Scope | None = None,
    deadline_seconds: float = 5.0,
) -> Health:
    """`check_health`, awaiting the store, with all parts at once.

    Raises:
        ConfigurationError: the memories cannot be used together.
    """
    probe = _Probe.of(memories, store, scope, deadline_seconds)
    outcomes = await arun_all(probe.bodies(), store=store, deadline_seconds=probe.deadlines())
    await arun_all(probe.sweep(outcomes), store=store, deadline_seconds=probe.deadlines())
    return probe.health(outcomes)


@dataclass(frozen=True, slots=True)
class _Probe:
    """One check: what is asked of whom, and what the answers say."""

    memories: tuple[Memory, ...]
    settings: Settings
    plan: Plan
    deadline_seconds: float
    place: tuple[str, ...]
    can_expire: bool

    @classmethod
    def of(
        cls, memories: Iterable[Memory], store: BaseStore | None, scope: Scope | None, deadline_seconds: float
    ) -> _Probe:
        mark, settings = f"health-check-{uuid4().hex}", Settings(_BUDGET_TOKENS)
        used, found = scope or Scope(user_id=mark, thread_id=mark), checked(memories, settings)
        asked = [HumanMessage("Is memory well?", id=mark)]
        made = plan(found, asked, scope=used, settings=settings, has_store=store is not None)
        place = namespace(replace(used, agent=mark), "health-check")
        return cls(found, settings, made, deadline_seconds, place, bool(getattr(store, "supports_ttl", False)))

    def bodies(self) -> dict[str, Steps[Any]]:
        bodies: dict[str, Steps[Any]] = {memory.name: self._recalling(memory) for memory in self.memories}
        if self.plan.has_store:
            bodies |= {_STORE: round_trip(self.place, can_expire=self.can_expire), _OUTBOX: backlogs()}
        return bodies

    def deadlines(self) -> dict[str, float | None]:
        own = {memory.name: memory.deadline_seconds for memory in self.memories}
        limits = {name: min(seconds or self.deadline_seconds, self.deadline_seconds) for name, seconds in own.items()}
        return {**limits, **dict.fromkeys((_STORE, _OUTBOX, _SWEEP), self.deadline_seconds)}

    def sweep(self, outcomes: Mapping[str, Outcome]) -> dict[str, Steps[Any]]:
        """What takes away what a round trip that failed half-way may have left."""
        failed = _STORE in outcomes and outcomes[_STORE].error is not None
        return {_SWEEP: _deleting(self.place)} if failed else {}

    def health(self, outcomes: Mapping[str, Outcome]) -> Health:
        outbox, now = outcomes.get(_OUTBOX, Outcome(value={})), datetime.now(UTC)
        memories = {
            memory.name: _with_backlog(_memory_health(outcomes[memory.name]), memory, outbox, now)
            for memory in self.memories
        }
        store = _part(outcomes[_STORE]) if _STORE in outcomes else None
        orchestrator = _part(self._assembled(outcomes))
        return Health(_overall(memories, store, orchestrator), memories, orchestrator, store)

    def _recalling(self, memory: Memory) -> Steps[Section]:
        return (yield from reading_only(memory.recall(self.plan.query(memory, self.settings))))

    def _assembled(self, outcomes: Mapping[str, Outcome]) -> Outcome:
        return run_all({"": self._assembling(outcomes)})[""]

    def _assembling(self, outcomes: Mapping[str, Outcome]) -> Steps[Context]:
        yield from ()
        sections = [section_of(memory, outcomes[memory.name]) for memory in self.memories]
        return assemble(self.plan, sections, self.settings, self.memories)


def reading_only(steps: Steps[T]) -> Steps[T]:
    """The same body, whose writes to the store are held back and whose reads prolong nobody's time to live."""
    try:
        request = next(steps)
        while True:
            try:
                answer = yield from _held_back(request)
            except GraphMemoryError as exc:
                request = steps.throw(exc)
            else:
                request = steps.send(answer)
    except StopIteration as stop:
        return cast(T, stop.value)
    finally:
        steps.close()


def _held_back(request: Request) -> Steps[Any]:
    if not isinstance(request, StoreOps):
        return (yield request)
    reads = [op for op in request.ops if isinstance(op, _READS)]
    answers = iter((yield StoreOps([_unprolonged(op) for op in reads])))
    return [next(answers) if isinstance(op, _READS) else None for op in request.ops]


def _unprolonged(op: Op) -> Op:
    return op._replace(refresh_ttl=False) if isinstance(op, GetOp | SearchOp) else op


def round_trip(place: tuple[str, ...], *, can_expire: bool) -> Steps[None]:
    """Puts an item at `place`, reads it, deletes it and looks whether it is gone.

    Raises:
        StoreError: the store failed, or did something else.
    """
    value, ttl = {"probe": place[-1]}, _LEFT_BEHIND_MINUTES if can_expire else None
    yield StoreOps([PutOp(place, _KEY, value, index=False, ttl=ttl)])
    [item] = yield StoreOps([GetOp(place, _KEY, refresh_ttl=False)])
    if item is None or item.value != value:
        raise StoreError("the store did not give back what was put: look whether it writes where it reads")
    yield from _deleting(place)
    [item] = yield StoreOps([GetOp(place, _KEY, refresh_ttl=False)])
    if item is not None:
        raise StoreError("the store keeps what was deleted: look whether it may delete")


def _deleting(place: tuple[str, ...]) -> Steps[None]:
    yield StoreOps([PutOp(place, _KEY, None)])


def _memory_health(outcome: Outcome) -> PartHealth:
    if outcome.error is not None:
        return _part(outcome)
    if not isinstance(outcome.value, Section):
        return PartHealth("unhealthy", outcome.elapsed_ms, "recall gave no section: return self.section(...)")
    degraded = outcome.value.degraded
    return PartHealth("degraded" if degraded else "healthy", outcome.elapsed_ms, degraded)


def _with_backlog(part: PartHealth, memory: Memory, outbox: Outcome, now: datetime) -> PartHealth:
    """The memory's health with that of its work in the background."""
    if outbox.error is not None:
        is_deferred = memory.remembers == "background"
        reason = f"its outbox cannot be read: {reason_of(outbox.error)}" if is_deferred else ""
        return _worse(part, "degraded", reason)
    backlog = outbox.value.get(memory.name, Backlog())
    return _worse(part, "unhealthy" if backlog.dead else "degraded", backlog.trouble(now))


def _worse(part: PartHealth, status: Status, reason: str) -> PartHealth:
    if not reason:
        return part
    worse = status if part.status == "healthy" else "unhealthy" if status == "unhealthy" else part.status
    return replace(part, status=worse, reason="; ".join(filter(None, (part.reason, reason))))


def _part(outcome: Outcome) -> PartHealth:
    if outcome.error is None:
        return PartHealth("healthy", outcome.elapsed_ms)
    return PartHealth("unhealthy", outcome.elapsed_ms, reason_of(outcome.error))


def _overall(memories: Mapping[str, PartHealth], store: PartHealth | None, orchestrator: PartHealth) -> Status:
    parts = [*memories.values(), orchestrator, *([store] if store else [])]
    needed = [orchestrator, *([store] if store else [])]
    if any(part.status == "unhealthy" for part in needed):
        return "unhealthy"
    if all(part.status == "unhealthy" for part in memories.values()):
        return "unhealthy"
    return "healthy" if all(part.status == "healthy" for part in parts) else "degraded"
