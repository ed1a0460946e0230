"""Users whose ids are chosen to be taken for one another, what some of them keep, and how strangers try to get at it."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.store.base import BaseStore, GetOp, ListNamespacesOp, MatchCondition, Op, PutOp, SearchOp

from graph_memory import BufferMemory, KeyValueMemory, Scope, VectorMemory, export_user, forget, get_context, search
from graph_memory.errors import ConfigurationError
from graph_memory.lifecycle import consolidate, statistics
from graph_memory.namespaces import ROOT, label, namespace, user_prefix
from graph_memory.stores.claims import ClaimOp
from tests.said import NOW, ago, said, tell

SECRET = "sesame"
VICTIMS = ("ada", "ada.b", "o'brien", "100%", "*", "Zoë 日本", 'a"b', "user:ada:", "x\x1fy", "{0}")
Attempt = Op | ClaimOp
_ODD = (
    "",
    " ",
    ".",
    "%",
    "_",
    "*",
    "?",
    "[a-z]*",
    "\\",
    "/",
    ":",
    "=61da",
    "\x1b0",
    "\x1f",
    "{",
    "}",
    "' OR '1'='1",
    "'; DELETE FROM graph_memory.items; --",
    "ada'--",
    "]] redis.call('FLUSHALL') --[[",
    "'..redis.call('KEYS','*')..'",
    "\r\nFLUSHALL\r\n",
    "$1",
    "null",
    "graph_memory",
    "user:",
    "agent::",
)
_FILTERS: tuple[Any, ...] = (
    None,
    {"n": 1},
    {"n": {"$gte": 0}},
    {"n": {"$ne": -1}},
    {"text": {"$ne": ""}},
    {"nested": {"who": "x' OR true --"}},
)
_QUERIES = (None, SECRET, "what is the word of ada", "*", "%", "' OR 1=1 --", "tea")
_QUESTIONS = (
    "",
    "what is the word of ada",
    "*",
    "%",
    "' OR 1=1 --",
)  # without the secret, since a context holds its question
_KEYS = ("k", "slot", "K", "*", "%", "k' OR '1'='1", "k\x1f")


def settle(store: BaseStore, user: str) -> None:
    """Something of a user's in every way that memory is kept."""
    scope = Scope(user_id=user, thread_id="t")
    turns = [[said(f"the word of {user} is {SECRET}", ago(days=1), "h1"), said(f"{SECRET} it is", NOW, "a1", by="ai")]]
    tell(store, turns, scope=scope)
    store.put(namespace(scope, "notes"), "k", {"text": SECRET, "n": 1, "nested": {"who": user}})
    store.put(namespace(scope, "notes"), "slot", {"operation": SECRET})


def kept(store: BaseStore, users: Iterable[str] = VICTIMS) -> dict[str, Any]:
    """All that a store has of some users, times included; reading it lets no time to live start anew."""
    some = list(users)
    found = store.batch([SearchOp(user_prefix(user), None, 1000, 0, None, False) for user in some])
    return {user: sorted((item.dict() for item in items), key=repr) for user, items in zip(some, found, strict=True)}


def stranger(chance: random.Random) -> str:
    """An id that is none of the victims', and looks like one of them."""
    victim = chance.choice(VICTIMS)
    near = (
        victim[:-1],
        victim[1:],
        victim + chance.choice(_ODD),
        chance.choice(_ODD) + victim,
        victim.swapcase(),
        victim * 2,
        label("user", victim),
        label("user", victim)[:-1],
        chance.choice(_ODD),
        "".join(chr(chance.choice([*range(1, 200), 0x65E5, 0x1F600])) for _ in range(chance.randrange(1, 8))),
    )
    found = chance.choice(near)
    return stranger(chance) if found in VICTIMS else found


def by_id(user: str, chance: random.Random) -> Callable[[BaseStore], Any]:
    """One attempt that names the stranger, and the victim in any other place: through memories and lifecycle."""
    victim = chance.choice(VICTIMS)
    scope = Scope(user_id=user, thread_id=chance.choice(["t", victim, user or "t"]), agent=chance.choice(["", victim]))
    query, condition = chance.choice(_QUESTIONS), chance.choice([None, {"n": 1}, {"role": "human"}])
    memories = [VectorMemory(), BufferMemory(), KeyValueMemory()]
    return chance.choice(
        [
            lambda store: get_context(memories, scope, query, store=store),
            lambda store: search(scope, query, store=store, kinds=chance.choice([None, ["message"]]), filter=condition),
            lambda store: tell(store, [_turn("tea")], scope=scope),
            lambda store: export(store, user),
            lambda store: statistics(store, user) and None,
            lambda store: consolidate(store, user, dry_run=False) and None,
            lambda store: forget(store, user) and None,
            lambda store: sweep(store),
        ]
    )


def by_namespace(user: str, chance: random.Random) -> Attempt:
    """One operation at a namespace of the stranger's, or one that is written by hand and is no victim's."""
    key = chance.choice(_KEYS)
    space = _space(user, chance)
    prefix = space[: chance.randrange(2, 5)]
    return chance.choice(
        [
            GetOp(space, key),
            SearchOp(prefix, chance.choice(_FILTERS), 100, 0, chance.choice(_QUERIES)),
            ListNamespacesOp((MatchCondition("prefix", prefix),), None, 100),
            PutOp(space, key, {"text": "tea", "n": 2}),
            PutOp(space, key, None),
            ClaimOp(space, key, {"operation": "stranger"}),
        ]
    )


def by_wrong_id(chance: random.Random) -> Attempt:
    """One operation at a victim's own place, as an application asks that mixes its users up."""
    space, key = (
        namespace(Scope(user_id=chance.choice(VICTIMS)), chance.choice(["notes", "vector"])),
        chance.choice(_KEYS),
    )
    prefix = space[: chance.randrange(5)]
    return chance.choice(
        [
            GetOp(space, key),
            SearchOp(prefix, chance.choice(_FILTERS), 100, 0, chance.choice(_QUERIES)),
            ListNamespacesOp((MatchCondition("prefix", prefix),), None, 100),
            ListNamespacesOp((MatchCondition("suffix", ("*",)),), None, 100),
            PutOp(space, key, {"text": "tea", "n": 2}),
            PutOp(space, key, None),
            ClaimOp(space, key, {"operation": "stranger"}),
        ]
    )


def shown(found: Any) -> str:
    """All that an answer says, for whoever looks for a secret in it."""
    if hasattr(found, "statistics"):
        frequencies = {term: count for term, count in found.statistics.frequencies.items() if count}
        return repr((list(map(shown, found)), frequencies))
    if isinstance(found, list):
        return repr([shown(one) for one in found])
    return repr(found.dict() if hasattr(found, "dict") else found)


def export(store: BaseStore, user: str) -> str:
    """What an export of a user holds."""
    target = io.StringIO()
    export_user(store, user, target)
    return target.getvalue()


def sweep(store: Any) -> None:
    """Where a store sweeps."""
    if hasattr(store, "sweep_ttl"):
        store.sweep_ttl()


def _turn(text: str) -> list[BaseMessage]:
    """With the ids that the victims' messages have."""
    return [said(text, NOW, "h1"), said(text, NOW, "a1", by="ai")]


def _space(user: str, chance: random.Random) -> tuple[str, ...]:
    victim = chance.choice(VICTIMS)
    by_hand = chance.choice(list(_owners(user, victim)))
    try:
        mine = namespace(Scope(user_id=user, thread_id=victim, agent=victim), chance.choice(["notes", "vector", "*"]))
    except ConfigurationError:
        mine = (ROOT, "user:", "agent::", "memory:notes:")
    return chance.choice([mine, (ROOT, by_hand, *mine[2:]), (by_hand, *mine[1:])])


def _owners(user: str, victim: str) -> Iterator[str]:
    """Labels written by hand that are no victim's."""
    owners = {label("user", one) for one in VICTIMS}
    for one in (
        f"user:{user}:",
        f"user:{user}",
        label("user", victim)[:-1],
        f"{ROOT}.{label('user', victim)}",
        "*",
        "user:%",
    ):
        if one not in owners:
            yield one
