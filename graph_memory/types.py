"""The values that memories, stores and context assembly exchange. Plain, frozen, without LangGraph and without I/O.

Times are timezone-aware UTC datetimes. Scores and importance are in 0–1, higher is better. Tokens are counted by the
`TokenCounter` of the call. The glossary of the package in one page, which is why it is long: most of it says what a field means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from graph_memory.errors import ConfigurationError

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from graph_memory.context.tiers import TierUse

Placement = Literal["system", "history", "tail"]
"""Where a section goes: into the system message, between it and the newest turn, or before the newest human message."""

Feeds = Literal["turn", "overflow"]
"""What a memory takes in: every turn when it is over, or what leaves the window of recent turns (the waterfall)."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose memory it is. Without a `user_id` memory is private to the thread; there is no shared default.

    An empty id names nobody and is taken as None: whoever is not signed in must not share a memory with all others who are not.

    Raises:
        ConfigurationError: an id is not a string.
    """

    user_id: str | None = None
    thread_id: str | None = None
    agent: str | None = None

    def __post_init__(self) -> None:
        for name in ("user_id", "thread_id", "agent"):
            value = getattr(self, name)
            if value == "":
                object.__setattr__(self, name, None)
            elif value is not None and not isinstance(value, str):
                raise ConfigurationError(f"{name} is a {type(value).__name__}: give a string")

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be remembered, because neither a user nor a thread is named."""
        return self.user_id is None and self.thread_id is None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a memo came from; with `Memo.id` it makes writing the same message twice one memo.

    Attributes:
        root: id of the thread's root, kept when a thread is copied.
        seq: position in the thread, growing.
        turn_id: id of the human message that began the turn.
        memory: name of the memory that wrote it.
        ordinal: position among the memos that this memory made of the turn.
        line, branch, commit: where it was committed (`graph_memory.graph.lineage`); the store's view fills them in. A branch
            of None is outside of lineage: seen from everywhere.
    """

    root: str
    seq: int = 0
    turn_id: str = ""
    memory: str = ""
    ordinal: int = 0
    line: str = ""
    branch: str | None = None
    commit: int = 0


@dataclass(frozen=True, slots=True)
class Memo:
    """One stored memory. A conversation is stored one memo per message, grouped by turn.

    `before` and `after` hold the neighbouring messages, clipped, because a line is often only understood beside the
    one that it answers.
    """

    id: str
    text: str
    origin: Origin
    said_at: datetime
    kind: str = "message"
    speaker: str = ""
    role: str = ""
    session: str = ""
    source: str = ""
    before: str = ""
    after: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    importance: float = 0.5
    tier: str = "long_term"
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    last_accessed_at: datetime | None = None
    access_count: int = 0

    @property
    def day(self) -> int:
        """The day when it was said, as a proleptic Gregorian ordinal: a number that every store compares rightly."""
        return self.said_at.toordinal()

    def to_value(self) -> dict[str, Any]:
        """This memo as the JSON object that a store keeps: times as ISO 8601 strings, None left out."""
        flat = {name: getattr(self, name) for name in _MEMO_FIELDS}
        flat["origin"] = asdict(self.origin)
        flat["metadata"] = dict(self.metadata)
        return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in flat.items() if v is not None}

    @classmethod
    def from_value(cls, value: Mapping[str, Any]) -> Memo:
        """The memo that `to_value` wrote; unknown keys are ignored, so that an older version reads a newer memo.

        Raises:
            KeyError: id, text, origin or said_at is missing: the value is not a memo.
        """
        known = {name: value[name] for name in _MEMO_FIELDS if name in value}
        known["origin"] = Origin(**{name: value["origin"][name] for name in _ORIGIN_FIELDS if name in value["origin"]})
        for name in ("said_at", "valid_from", "valid_to", "last_accessed_at"):
            if isinstance(known.get(name), str):
                known[name] = utc(datetime.fromisoformat(known[name]))
        for name in ("id", "text", "said_at"):
            known[name]  # a KeyError says what is missing
        return cls(**known)


_MEMO_FIELDS = tuple(f.name for f in fields(Memo))
_ORIGIN_FIELDS = tuple(f.name for f in fields(Origin))


def utc(moment: datetime) -> datetime:
    """The same moment in UTC; a naive datetime is taken as UTC already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class TokenCounter(Protocol):
    """Counts tokens the way the context's budget is measured. Implementations must be thread-safe.

    Attributes:
        name: what a person reads, such as "tiktoken:o200k_base" or "estimate:4.0 characters a token".
        exact: False when the counts are estimates.
        overhead: tokens that a list of messages costs beyond the sum of its messages (the reply's priming).
    """

    name: str
    exact: bool
    overhead: int

    def count_text(self, text: str) -> int:
        """Tokens of a bare text."""
        ...

    def count_message(self, message: BaseMessage) -> int:
        """Tokens of one message with its role, name, tool calls and framing."""
        ...


@dataclass(frozen=True, slots=True)
class Snippet:
    """A candidate for the context: one line of text, or (in a history section) one message.

    Attributes:
        text: what would be shown; for a history snippet the message's text.
        tokens: what it costs, counted by the call's counter; -1 when the merge is to count it.
        score: combined score, higher is closer.
        parts: the named signals that the score was made of.
        memo_id: id of the memo, or of the message for history.
        group: snippets of one group are kept together or dropped together; "" stands alone.
        source_ids: ids of the messages whose content it repeats; dropped when those are in the window already.
        said_at: when it was said; used to order and to break ties (fresher first).
        label: what is said once above it and its neighbours of the same label, such as the date.
        lead: the beginning of `text` that stays when it is cut, such as who speaks.
        about: the terms of what was asked, with their weights: a long text is cut to the passages that hold them. Without
            any it is shown whole or not at all.
        message: the message itself, in history sections only.
        importance: how much it matters by itself, 0–1; a workspace's policy weighs it.
        tier: which part of a workspace's budget it draws on; "" is its memory's.
        marks: what it shares with others beside its words and messages, such as its turn; see `graph_memory.context.links`.
    """

    text: str
    tokens: int = -1
    score: float = 0.0
    parts: Mapping[str, float] = field(default_factory=dict)
    memo_id: str = ""
    group: str = ""
    source_ids: tuple[str, ...] = ()
    said_at: datetime | None = None
    label: str = ""
    lead: str = ""
    about: Mapping[str, float] | None = None
    message: BaseMessage | None = None
    importance: float = 0.5
    tier: str = ""
    marks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Section:
    """What one memory offers on recall, and how it may be cut.

    Attributes:
        memory: the memory's name.
        snippets: candidates; the merge keeps whole groups, best score first, or newest first for `history`.
        placement: where they go.
        heading: a line above the snippets (system and tail sections).
        weight: share of the budget, bigger is more.
        min_share, max_share: bounds of that share, fractions of the budget.
        priority: who is cut first at equal pressure: lower goes first.
        pinned: never cut; it must fit.
        required: the memory's failure fails the call instead of degrading.
        degraded: why the section is empty or poorer than it could be; "" when all is well.
        leaving: ids of messages that are archived and to be pruned from the channel.
        state: what the memory wants merged into its own part of the thread's `memory` channel, when it is pruned.
        elapsed_ms: how long recall took.
    """

    memory: str
    snippets: tuple[Snippet, ...] = ()
    placement: Placement = "tail"
    heading: str = ""
    weight: float = 1.0
    min_share: float = 0.0
    max_share: float = 1.0
    priority: int = 0
    pinned: bool = False
    required: bool = False
    degraded: str = ""
    leaving: tuple[str, ...] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
    elapsed_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the explained context: a snippet, and the rule that let it in or left it out.

    Attributes:
        memory: which memory offered it; "thread" for the thread's own messages that must be shown.
        memo_id: id of the memo or message.
        text: the text that was (or would have been) shown.
        tokens: its cost.
        kept: whether it is in the context.
        rule: why, in a few words: "newest turn", "within its share", "over budget", "already in the window", …
        score, parts: as in `Snippet`.
    """

    memory: str
    memo_id: str
    text: str
    tokens: int
    kept: bool
    rule: str
    score: float = 0.0
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """The merged result: what the LLM node receives, and why.

    Attributes:
        messages: the assembled messages, never more than `budget_tokens`.
        budget_tokens: tokens that were allowed.
        total_tokens: tokens of `messages`, by the counter.
        tokens: tokens by memory name, with "thread" for system messages and the newest turn, and "frame" for headings,
            delimiters and overhead; they add up to `total_tokens`.
        lines: everything that was considered, kept or not.
        sections: what the memories offered, so that a tool loop can assemble again without retrieving again.
        turn_id: id of the human message that it was made for.
        node: the LLM node that it was made for; "" outside a graph.
        made_for: tells this call's settings and question from any other's, within one process.
        counter: name of the token counter.
        complexity: estimated complexity of the query, "simple", "medium", "complex" or "expert"; "" without a workspace.
        workspace: by whose policy the budget was shared out; "" without one.
        tiers: tier to how full it is, with a workspace.
        elapsed_ms: milliseconds per memory.
        degradations: memory name to the reason why it had nothing to give.
    """

    messages: tuple[BaseMessage, ...] = ()
    budget_tokens: int = 0
    total_tokens: int = 0
    tokens: Mapping[str, int] = field(default_factory=dict)
    lines: tuple[Line, ...] = ()
    sections: tuple[Section, ...] = ()
    turn_id: str = ""
    node: str = ""
    made_for: str = ""
    counter: str = ""
    complexity: str = ""
    workspace: str = ""
    tiers: Mapping[str, TierUse] = field(default_factory=dict)
    elapsed_ms: Mapping[str, float] = field(default_factory=dict)
    degradations: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> tuple[Line, ...]:
        """The lines that are in the context."""
        return tuple(line for line in self.lines if line.kept)

    @property
    def dropped(self) -> tuple[Line, ...]:
        """The lines that were left out, each with its rule."""
        return tuple(line for line in self.lines if not line.kept)


@dataclass(frozen=True, slots=True)
class Query:
    """What a memory is asked on recall.

    Attributes:
        scope: whose memory.
        text: the newest human message's text.
        messages: the thread's messages, oldest first.
        turn_id: id of the newest human message.
        budget_tokens: the whole context's budget; a memory's part is decided later, by the merge.
        counter: how tokens are counted.
        now: the time of asking.
        has_store: whether store operations can be answered at all.
        is_whole: whether `messages` is known to be the whole thread, because a checkpointer keeps it.
        state: this memory's own part of the thread's `memory` channel.
        settled: id of the last message that every memory of the node has taken in; None when there is none.
        history_tokens: tokens that history may fill, the newest turn included.
        filter: metadata that a memo must carry to be recalled.
        overflowed: how many of the first messages have left the window, because every memory that feeds on overflow has
            taken them in; None when no memory of the node does.
    """

    scope: Scope
    text: str
    messages: tuple[BaseMessage, ...]
    turn_id: str
    budget_tokens: int
    counter: TokenCounter
    now: datetime
    has_store: bool = True
    is_whole: bool = True
    state: Mapping[str, Any] = field(default_factory=dict)
    settled: str | None = None
    history_tokens: int = 0
    filter: Mapping[str, Any] | None = None
    overflowed: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What a memory is told when a turn is over.

    Attributes:
        scope: whose memory.
        messages: the turn's messages, beginning with the human one; with those of earlier turns that were never
            remembered (a run that failed) before them. For a memory that feeds on overflow: the messages that leave the
            window, whole turns.
        previous: the message before `messages`, if any.
        root: id of the thread's root.
        branch: name of the thread's branch that it is written on; "" for the first.
        told: how many of the first messages this memory has taken in already, because the turn has grown since.
        now: the time of remembering; a message's own time stands in `additional_kwargs["said_at"]` (ISO 8601).
        counter: how tokens are counted.
        state: this memory's own part of the thread's `memory` channel.
        turn_id: id of the human message of the turn that is over; "" when unknown.
        share_tokens: how much of the budget this memory can have by its weight and bounds; 0 when unknown.
        shown: this memory's lines in the context that the turn began with; empty when that context is not known any more.
    """

    scope: Scope
    messages: tuple[BaseMessage, ...]
    root: str
    now: datetime
    previous: BaseMessage | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    counter: TokenCounter | None = None
    branch: str = ""
    told: int = 0
    turn_id: str = ""
    share_tokens: int = 0
    shown: tuple[Line, ...] = ()

    @property
    def stem(self) -> str:
        """What the ids of records are made of beside the message's: forks write the same message under ids of their own."""
        return f"{self.root}/{self.branch}" if self.branch else self.root

    def untold(self) -> Turn:
        """The part of it that the memory has not taken in, for memories that keep a record a message."""
        if not self.told:
            return self
        previous = self.messages[self.told - 1]
        return replace(self, messages=self.messages[self.told :], previous=previous, told=0)
