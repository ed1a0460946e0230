"""What answers of a server mean: each with what mends it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from graph_memory.cli.doctor import line
from graph_memory.doctor import postgres_facts, redis_facts, supabase_facts, tier
from graph_memory.doctor.encryption import judged as judged_encryption
from graph_memory.doctor.findings import Finding, latency, waiting
from graph_memory.doctor.supabase_facts import Principal, Trial
from graph_memory.testing.postgrest import user_token

INFO = {"redis_version": "7.2.4", "role": "master", "aof_enabled": 1, "maxclients": 10000, "used_memory": 1 << 30}
REDIS = redis_facts.Facts(INFO, {"appendfsync": "everysec"}, {})
SERVER = postgres_facts.Server(
    version=170002,
    vector="0.8.0",
    offered="0.8.0",
    is_replica=False,
    role="app",
    sees_all=False,
    may_become_user=True,
    connections=5,
    most_connections=100,
    applied=[1, 2, 3],
    checkpoints=9,
)
SCHEMA = postgres_facts.Schema([], [], [], dims=384, items=10, expired=0)


def grades(found: list[Finding]) -> dict[str, str]:
    """The findings that are not all right: subject to grade."""
    return {one.subject: one.grade for one in found if one.grade != "ok"}


def test_nothing_is_wrong_with_what_is_right():
    """And there is nothing to mend."""
    every = [
        *redis_facts.judged(REDIS),
        *postgres_facts.judged_server(SERVER, 3),
        *postgres_facts.judged_schema(SCHEMA),
    ]
    assert grades(every) == {}
    assert [one.mend for one in every if one.mend] == []


@pytest.mark.parametrize(
    ("info", "config", "expected", "words"),
    [
        (
            {"maxmemory_policy": "allkeys-lru"},
            {},
            {"eviction": "warn"},
            "any memory may be dropped as soon as maxmemory is set",
        ),
        (
            {"maxmemory_policy": "volatile-ttl", "maxmemory": 4 << 30},
            {},
            {"eviction": "warn"},
            "what has a time to live may be dropped at 4,096 MB",
        ),
        ({"aof_enabled": 0}, {"save": ""}, {"persistence": "warn"}, "a restart loses every memory"),
        ({"aof_enabled": 0}, {"save": "3600 1"}, {"persistence": "warn"}, "only snapshots"),
        ({}, {"appendfsync": "no"}, {"persistence": "warn"}, "half a minute"),
        ({"aof_last_write_status": "err"}, {}, {"disk": "fail"}, "the log cannot be written"),
        ({"rdb_last_bgsave_status": "err"}, {}, {"disk": "fail"}, "snapshot failed"),
        ({"role": "slave"}, {}, {"role": "fail"}, "read-only replica"),
        ({"maxmemory": 1 << 30}, {}, {"memory": "warn"}, "1,024 of 1,024 MB"),
        ({"maxclients": 20, "connected_clients": 10}, {}, {"pool": "warn"}, "10 of 20 connections"),
    ],
)
def test_what_may_lose_memory_on_redis_is_said(info: Any, config: Any, expected: dict[str, str], words: str):
    """With its grade, in words, with what mends it."""
    found = redis_facts.judged(replace(REDIS, info={**INFO, **info}, config={**REDIS.config, **config}))
    assert grades(found) == expected
    assert any(words in one.says for one in found if one.grade != "ok")


def test_a_provider_that_tells_no_settings_is_not_accused():
    """What is not known is said as such."""
    [one] = [
        one
        for one in redis_facts.judged(replace(REDIS, info={**INFO, "aof_enabled": 0}, config={}))
        if one.grade != "ok"
    ]
    assert (one.grade, one.says) == ("warn", "appendonly is off, and whether snapshots are written is not told")


def test_a_cluster_with_slots_that_nobody_serves_fails():
    """And the masters are told apart by name."""
    node = replace(REDIS, cluster={"cluster_state": "fail", "cluster_slots_ok": "10923"}, name="10.0.0.1:6379")
    assert grades(redis_facts.judged_cluster([node])) == {"cluster": "fail"}
    assert redis_facts.judged(node)[0].says == "10.0.0.1:6379: Redis 7.2.4 (standalone)"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"version": 140010}, {"server": "fail"}),
        ({"vector": None}, {"pgvector": "fail"}),
        ({"vector": None, "offered": None}, {"pgvector": "fail"}),
        ({"vector": "0.7.4"}, {"pgvector": "fail"}),
        ({"is_replica": True}, {"writes": "fail"}),
        ({"applied": [1, 2]}, {"migrations": "fail"}),
        ({"applied": []}, {"migrations": "fail"}),
        ({"applied": [1, 2, 3, 4]}, {"migrations": "fail"}),
        ({"sees_all": True}, {"role": "warn"}),
        ({"may_become_user": False}, {"role": "warn"}),
        ({"connections": 90}, {"pool": "warn"}),
    ],
)
def test_what_is_wrong_with_a_postgres_server_is_said(change: Any, expected: dict[str, str]):
    """With what mends it."""
    found = postgres_facts.judged_server(replace(SERVER, **change), 3)
    assert grades(found) == expected
    assert all(one.mend for one in found if one.grade != "ok")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"unsecured": ["items"]}, {"security": "fail"}),
        ({"open_functions": ["batch"]}, {"security": "fail"}),
        ({"broken_indexes": ["graph_memory.nearest"]}, {"indexes": "warn"}),
        ({"dims": None}, {}),
    ],
)
def test_what_is_wrong_with_a_schema_is_said(change: Any, expected: dict[str, str]):
    """With what mends it."""
    found = postgres_facts.judged_schema(replace(SCHEMA, **change))
    assert grades(found) == expected
    assert all(one.mend for one in found if one.grade != "ok")


def test_slow_round_trips_and_heaps_of_expired_items_are_warned_of():
    """By their median, and from ten thousand on."""
    assert (latency([1.0, 2.0, 900.0]).grade, latency([60.0, 70.0, 1.0]).grade) == ("ok", "warn")
    assert [waiting(count, "sweep").grade for count in (0, 9_999, 10_000)] == ["ok", "ok", "warn"]


def test_a_finding_is_one_line():
    """Grade, subject, what was found, what mends it."""
    assert line(Finding("ok", "server", "Redis 7")) == "ok   server       Redis 7"
    assert line(Finding("fail", "migrations", "3 are missing", "migrate")) == "fail migrations   3 are missing: migrate"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sb_publishable_x", Principal("anon")),
        ("sb_secret_x", Principal("service")),
        (user_token("secret", None, role="service_role", exp=5), Principal("service", None, 5)),
        (user_token("secret", "ada", exp=5), Principal("user", "ada", 5)),
        (user_token("secret", None, sub=7, exp="never"), Principal("user")),
        (user_token("secret", "ada", role=["authenticated"], exp=5), Principal("unknown", "ada", 5)),
        (user_token("secret", "ada", exp=1e300), Principal("user", "ada")),
        (user_token("secret", "ada", exp=float("nan")), Principal("user", "ada")),
        ("", Principal("unknown")),
        ("a.b.c", Principal("unknown")),
        ("a.MTI.c", Principal("unknown")),
        ("a.e30.c", Principal("unknown")),
    ],
)
def test_keys_and_tokens_say_whom_they_stand_for(text: str, expected: Principal):
    """Whoever signed them; what is neither stands for nobody known."""
    assert Principal.of(text) == expected


@pytest.mark.parametrize(
    ("key", "token", "expected"),
    [
        (Principal("anon"), Principal("user", "ada", 2e9), {}),
        (Principal("service"), None, {"key": "warn"}),
        (Principal("service"), Principal("user", "ada"), {"key": "warn"}),
        (Principal("anon"), Principal("service"), {"token": "warn"}),
        (Principal("anon"), Principal("user"), {"token": "fail"}),
    ],
)
def test_what_stands_above_row_level_security_is_warned_of(key: Principal, token: Any, expected: dict[str, str]):
    """As a key and as a token."""
    assert grades(supabase_facts.judged_key(key, token, 1e9)) == expected


def test_what_a_project_says_of_its_schema_is_judged():
    """As a database's own word would be."""
    assert grades(supabase_facts.judged_project(9, 384, 9)) == {}
    assert grades(supabase_facts.judged_project(8, 384, 9)) == {"migrations": "fail"}
    assert grades(supabase_facts.judged_project(10, None, 9)) == {"migrations": "fail"}


@pytest.mark.parametrize(
    ("trial", "grade"),
    [
        (Trial([], False, False), "ok"),
        (Trial(["user:ada:"], False, False), "ok"),
        (Trial(["user:ada:", "user:adam:"], False, False), "fail"),
        (Trial(["user:ada:"], True, False), "fail"),
        (Trial(["user:ada:"], False, True), "fail"),
    ],
)
def test_what_a_user_can_do_that_they_should_not_is_a_failure(trial: Trial, grade: str):
    """To see, to write, or to do without signing in."""
    [one] = supabase_facts.judged_trial("ada", trial)
    assert (one.grade, bool(one.mend)) == (grade, True)


def test_a_tier_that_is_of_no_use_is_warned_of():
    """Copies that do not count, and a hot store that is slower than what it stands in front of."""
    assert [tier.judged_gate(is_open=is_open).grade for is_open in (True, False)] == ["ok", "warn"]
    assert [tier.judged_speed(hot, 1.0).grade for hot in (0.1, 1.9, 2.1)] == ["ok", "ok", "warn"]
    assert [tier.judged_queue("q", *counts).grade for counts in ((0, 0), (1, 0), (1, 1))] == ["ok", "warn", "fail"]


@pytest.mark.parametrize(
    ("names", "broken", "expected"),
    [
        ({"new": 3}, 0, ["ok"]),
        ({"new": 2, "old": 1}, 0, ["warn"]),
        ({"new": 2, None: 1}, 0, ["warn"]),
        ({"new": 2, "lost": 1}, 0, ["fail"]),
        ({"new": 3}, 1, ["fail"]),
        ({"old": 1, None: 1, "lost": 1}, 1, ["fail", "fail", "warn", "warn"]),
    ],
)
def test_what_is_wrong_with_what_was_sealed_is_said(names: Any, broken: int, expected: list[str]):
    """Each with what mends it."""
    found = judged_encryption(3, names, ("new", "old"), broken)
    assert [one.grade for one in found] == expected
    assert all(one.mend for one in found if one.grade != "ok")
