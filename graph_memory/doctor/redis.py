"""Asks a Redis, or the masters of a cluster, for what `redis_facts` judges; and counts what is kept there."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from graph_memory.checkpoints._redis_codec import BUCKETS as THREAD_BUCKETS
from graph_memory.checkpoints._redis_codec import directory_keys
from graph_memory.doctor.findings import Finding, latency, packages, timed, waiting
from graph_memory.doctor.redis_facts import Facts, judged, judged_cluster
from graph_memory.redis_client import Server
from graph_memory.redis_errors import translate
from graph_memory.redis_rounds import Call, Script, Steps
from graph_memory.stores._ops import decode_path
from graph_memory.stores._redis_keys import BUCKETS, Keys
from graph_memory.urls import Place

PREFIX = "graph_memory"
_MOST_SPACES = 1000
_PROBE = Script("return redis.call('TIME')")


def examine(place: Place, options: Mapping[str, Any]) -> list[Finding]:
    """What is found at a `redis://` url, under the keys' prefix."""
    from redis.exceptions import RedisError

    timeout_seconds, prefix = options["timeout_seconds"], options.get("prefix", PREFIX)
    with closing(Server(place.url, timeout_seconds=timeout_seconds)) as server:
        try:
            nodes = server.nodes()
            facts = [_facts(node, name if len(nodes) > 1 else "") for name, node in nodes.items()]
            trips = timed(next(iter(nodes.values())).ping)
        except (RedisError, OSError) as exc:
            raise translate(exc, server.where, timeout_seconds) from exc
        found = [packages("redis", "hiredis"), *(judged_cluster(facts) if server.is_cluster else [])]
        found += [one for some in facts for one in judged(some)]
        return [*found, latency(trips), *server.run(_kept(Keys(prefix)))]


def _facts(client: Any, name: str) -> Facts:
    from redis.exceptions import NoPermissionError, ResponseError

    info = client.info()
    try:
        config = {_text(name): _text(value) for name, value in client.config_get("*").items()}
    except (NoPermissionError, ResponseError):  # a provider does not allow it
        config = {}
    cluster = client.execute_command("CLUSTER INFO") if info.get("cluster_enabled") else {}
    return Facts(
        info | {"maxclients": info.get("maxclients", config.get("maxclients", 0))}, config, _lines(cluster), name
    )


def _kept(keys: Keys) -> Steps[list[Finding]]:
    """What is kept, in at most so many namespaces, and whether scripts may run."""
    replies = yield [("ZRANGEBYLEX", keys.directory(bucket), "-", "+") for bucket in range(BUCKETS)]
    spaces = [decode_path(path.decode()) for paths in replies for path in paths]
    [clock] = yield [Call(_PROBE, [keys.directory(0)], [])]
    now = int(clock[0]) * 1000
    counts = yield [
        command
        for space in spaces[:_MOST_SPACES]
        for _, order, _, expiry, _ in [keys.space(space)]
        for command in (("ZCARD", order), ("ZCOUNT", expiry, "-inf", now))
    ]
    talks = yield [("ZCARD", directory_keys(keys.prefix, bucket)[0]) for bucket in range(THREAD_BUCKETS)]
    whole = "" if len(spaces) <= _MOST_SPACES else f", items counted in the first {_MOST_SPACES:,}"
    says = f"items: {sum(counts[::2]):,}, namespaces: {len(spaces):,}{whole}"
    says += "" if keys.prefix == PREFIX else f"; prefix {keys.prefix}"
    return [
        Finding("ok", "scripts", "Lua scripts may run"),
        Finding("ok", "store", says),
        Finding("ok", "checkpoints", f"threads: {sum(talks):,}"),
        waiting(
            sum(counts[1::2]), "nothing: Redis has dropped their values, and the next read or write drops the rest"
        ),
    ]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _lines(answer: Any) -> Mapping[str, str]:
    if isinstance(answer, Mapping):
        return {_text(name): _text(value) for name, value in answer.items()}
    return dict(line.split(":", 1) for line in _text(answer).split() if ":" in line)
