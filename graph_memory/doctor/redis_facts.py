"""What a Redis says of itself, and what that means for memory. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graph_memory.doctor.findings import Finding
from graph_memory.redis_client import MOST_CONNECTIONS

_FULL = 0.9
_SLOTS = 16384


@dataclass(frozen=True, slots=True)
class Facts:
    """One server's answers.

    Attributes:
        info: what INFO says.
        config: the settings that CONFIG GET gives; empty where a provider does not allow it.
        cluster: what CLUSTER INFO says; empty on one that is part of none.
        name: of the server, to tell the masters of a cluster apart; "" where there is one.
    """

    info: Mapping[str, Any]
    config: Mapping[str, str]
    cluster: Mapping[str, str]
    name: str = ""


def judged(facts: Facts) -> list[Finding]:
    """What one server's answers mean."""
    found = [_server(facts), _role(facts), _eviction(facts), *_persistence(facts), _memory(facts), _connections(facts)]
    at = f"{facts.name}: " if facts.name else ""
    return [replace(one, says=at + one.says) for one in found]


def judged_cluster(nodes: Sequence[Facts]) -> list[Finding]:
    """What a cluster's own answers mean."""
    state = nodes[0].cluster
    if state.get("cluster_state") != "ok" or int(state.get("cluster_slots_ok", 0)) < _SLOTS:
        says = f"the cluster serves {state.get('cluster_slots_ok', 0)} of {_SLOTS} slots"
        return [Finding("fail", "cluster", says, "redis-cli --cluster fix HOST:PORT")]
    return [Finding("ok", "cluster", f"{len(nodes)} masters serve all slots")]


def _server(facts: Facts) -> Finding:
    info = facts.info
    if "valkey_version" in info:
        return Finding("ok", "server", f"Valkey {info['valkey_version']}")
    return Finding("ok", "server", f"Redis {info.get('redis_version', '?')} ({info.get('redis_mode', 'standalone')})")


def _role(facts: Facts) -> Finding:
    if facts.info.get("role") == "slave":
        return Finding("fail", "role", "it is a read-only replica", "name the primary in the url")
    count = int(facts.info.get("connected_slaves", 0))
    return Finding("ok", "role", f"it takes writes; replicas: {count}")


def _eviction(facts: Facts) -> Finding:
    policy, most = facts.info.get("maxmemory_policy", "noeviction"), int(facts.info.get("maxmemory", 0))
    if policy == "noeviction":
        return Finding("ok", "eviction", "maxmemory-policy is noeviction: nothing is dropped to make room")
    what = "what has a time to live" if policy.startswith("volatile") else "any memory"
    limit = f"at {most >> 20:,} MB" if most else "as soon as maxmemory is set"
    says = f"maxmemory-policy is {policy}: {what} may be dropped {limit}"
    return Finding("warn", "eviction", says, "CONFIG SET maxmemory-policy noeviction, and CONFIG REWRITE")


def _persistence(facts: Facts) -> list[Finding]:
    info, config = facts.info, facts.config
    found = []
    if info.get("aof_enabled"):
        when = config.get("appendfsync", "")
        risk = {"always": "nothing that was acknowledged is lost in a crash", "no": "a crash may lose half a minute"}
        says = f"appendonly is on, appendfsync {when or 'unknown'}: {risk.get(when, 'a crash may lose a second')}"
        found.append(Finding("warn" if when == "no" else "ok", "persistence", says))
        if info.get("aof_last_write_status", "ok") != "ok":
            found.append(Finding("fail", "disk", "the log cannot be written", "look at the server's log and its disk"))
    elif config.get("save"):
        says = "only snapshots are written: a crash loses what came since the last one"
        found.append(Finding("warn", "persistence", says, "CONFIG SET appendonly yes, and CONFIG REWRITE"))
    elif config:
        says = "nothing is written to disk: a restart loses every memory"
        found.append(Finding("warn", "persistence", says, "CONFIG SET appendonly yes, and CONFIG REWRITE"))
    else:
        says = "appendonly is off, and whether snapshots are written is not told"
        found.append(Finding("warn", "persistence", says, "see the provider's settings for persistence"))
    if info.get("rdb_last_bgsave_status", "ok") != "ok":
        found.append(Finding("fail", "disk", "the last snapshot failed", "look at the server's log and its disk"))
    return found


def _memory(facts: Facts) -> Finding:
    used, most = int(facts.info.get("used_memory", 0)), int(facts.info.get("maxmemory", 0))
    if not most:
        return Finding("ok", "memory", f"{used >> 20:,} MB are used; maxmemory is not set")
    says = f"{used >> 20:,} of {most >> 20:,} MB are used"
    return Finding("warn", "memory", says, "raise maxmemory") if used > _FULL * most else Finding("ok", "memory", says)


def _connections(facts: Facts) -> Finding:
    there, most = int(facts.info.get("connected_clients", 0)), int(facts.info.get("maxclients", 0))
    says = f"{there:,} of {most or '?'} connections are open; a store takes up to {MOST_CONNECTIONS}"
    if most and there + MOST_CONNECTIONS > most:
        return Finding("warn", "pool", says, "raise maxclients, or lower max_connections of the stores")
    return Finding("ok", "pool", says)
