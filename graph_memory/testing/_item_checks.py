"""Checks of what a store keeps: items, batches, namespaces."""

from __future__ import annotations

from langgraph.store.base import GetOp, MatchCondition, PutOp, SearchOp

from graph_memory.testing._calls import Calls, Check, checker

CHECKS: list[Check] = []
check = checker(CHECKS)

PLACE = ("users", "ada")
_HOSTILE = (
    "%",
    "_",
    "*",
    "?",
    "[a]",
    "a'b",
    'a"b',
    "a b",
    " ",
    "..",
    "/",
    "\\",
    "ä",
    "日本",
    "😀",
    "A",
    "a" * 500,
    "a\x1fb",
)


def _prefix(*path: str) -> MatchCondition:
    return MatchCondition("prefix", path)


def _suffix(*path: str) -> MatchCondition:
    return MatchCondition("suffix", path)


@check()
async def an_item_comes_back_as_it_was_put(calls: Calls) -> None:
    value = {
        "text": "né",
        "n": 1,
        "big": 2**60,
        "f": 0.1,
        "yes": True,
        "none": None,
        "list": [1, {"a": []}],
        "": {"x.y": 2},
    }
    await calls.put(PLACE, "k", value)
    item = await calls.get(PLACE, "k")
    assert (item.value, item.key, item.namespace) == (value, "k", PLACE)
    assert [type(v) for v in item.value.values()] == [type(v) for v in value.values()]
    assert item.created_at.tzinfo is not None
    assert item.created_at <= item.updated_at


@check()
async def a_missing_item_is_none(calls: Calls) -> None:
    assert await calls.get(PLACE, "k") is None
    await calls.put(PLACE, "k", {"n": 1})
    assert await calls.get(PLACE, "K") is None
    assert await calls.get((*PLACE, "k"), "k") is None


@check()
async def asking_leaves_no_namespace_behind(calls: Calls) -> None:
    await calls.get(PLACE, "k")
    await calls.search(PLACE)
    assert await calls.namespaces() == []


@check()
async def an_update_replaces_the_value(calls: Calls) -> None:
    await calls.put(PLACE, "k", {"a": 1})
    await calls.put(PLACE, "k", {"b": 2})
    assert (await calls.get(PLACE, "k")).value == {"b": 2}


@check()
async def an_update_keeps_created_at_and_moves_updated_at(calls: Calls) -> None:
    await calls.put(PLACE, "k", {"a": 1})
    before = await calls.get(PLACE, "k")
    await calls.wait(0.002)
    await calls.put(PLACE, "k", {"a": 2})
    after = await calls.get(PLACE, "k")
    assert after.created_at == before.created_at
    assert after.updated_at > before.updated_at


@check()
async def a_deleted_item_is_gone(calls: Calls) -> None:
    await calls.put(PLACE, "k", {"text": "a"})
    await calls.put(PLACE, "k", None)
    await calls.put(PLACE, "never there", None)
    assert await calls.get(PLACE, "k") is None
    assert await calls.search(PLACE) == []


@check()
async def a_namespace_goes_with_its_last_item(calls: Calls) -> None:
    await calls.put(PLACE, "k", {"a": 1})
    await calls.put(PLACE, "k", None)
    assert await calls.namespaces() == []


@check()
async def what_the_caller_changes_later_is_not_stored(calls: Calls) -> None:
    value = {"list": [1]}
    await calls.put(PLACE, "k", value)
    value["list"].append(2)
    (await calls.get(PLACE, "k")).value["list"].append(3)
    assert (await calls.get(PLACE, "k")).value == {"list": [1]}


@check()
async def an_empty_batch_has_no_results(calls: Calls) -> None:
    assert await calls.batch() == []


@check()
async def results_come_in_the_order_of_the_operations(calls: Calls) -> None:
    await calls.put(PLACE, "a", {"n": 1})
    get, put, search = GetOp(PLACE, "a"), PutOp(PLACE, "b", {"n": 2}), SearchOp(PLACE)
    item, nothing, hits, missing = await calls.batch(get, put, search, GetOp(PLACE, "c"))
    assert (item.key, nothing, [hit.key for hit in hits], missing) == ("a", None, ["a"], None)


@check()
async def reads_of_a_batch_see_the_state_before_its_writes(calls: Calls) -> None:
    await calls.put(PLACE, "k", {"n": 1})
    _, item, hits = await calls.batch(PutOp(PLACE, "k", {"n": 2}), GetOp(PLACE, "k"), SearchOp(PLACE))
    assert (item.value, [hit.value for hit in hits]) == ({"n": 1}, [{"n": 1}])


@check()
async def the_last_write_of_a_key_in_a_batch_wins(calls: Calls) -> None:
    await calls.batch(PutOp(PLACE, "a", {"n": 1}), PutOp(PLACE, "a", {"n": 2}))
    await calls.batch(
        PutOp(PLACE, "b", {"n": 1}), PutOp(PLACE, "b", None), PutOp(PLACE, "c", None), PutOp(PLACE, "c", {"n": 3})
    )
    assert {hit.key: hit.value["n"] for hit in await calls.search(PLACE)} == {"a": 2, "c": 3}


@check()
async def a_value_that_is_no_json_is_refused(calls: Calls) -> None:
    assert await calls.refused(PutOp(PLACE, "set", {"x": {1, 2}}))
    assert await calls.refused(PutOp(PLACE, "nan", {"x": float("nan")}))
    assert await calls.search(PLACE) == []


@check()
async def a_batch_is_written_wholly_or_not_at_all(calls: Calls) -> None:
    assert await calls.refused(PutOp(PLACE, "good", {"n": 1}), PutOp(PLACE, "bad", {"x": {1, 2}}))
    assert await calls.search(PLACE) == []


@check()
async def namespaces_never_collide(calls: Calls) -> None:
    places = [
        ("a",),
        ("ab",),
        ("a", "b"),
        ("a", "b", "c"),
        ("b", "a"),
        ("A", "b"),
        ("a", "B"),
        ("aä",),
        ("a", "%"),
        ("a", "_"),
    ]
    await calls.batch(*(PutOp(place, "k", {"n": n}) for n, place in enumerate(places)))
    assert [(await calls.get(place, "k")).value["n"] for place in places] == list(range(len(places)))
    for prefix in (*places, ("%",), ("_",), ("*",), ("a%",)):
        expected = sorted(place for place in places if place[: len(prefix)] == prefix)
        assert sorted(hit.namespace for hit in await calls.search(prefix, limit=50)) == expected, prefix


@check()
async def a_dot_in_a_label_is_refused_or_kept_apart(calls: Calls) -> None:
    await calls.put(("a", "b"), "k", {"n": 1})
    if await calls.refused(PutOp(("a.b",), "k", {"n": 2})):
        return
    assert (await calls.get(("a", "b"), "k")).value == {"n": 1}
    assert (await calls.get(("a.b",), "k")).value == {"n": 2}
    assert await calls.keys(("a",)) == ["k"]


@check()
async def any_text_serves_as_label_key_and_value(calls: Calls) -> None:
    for text in _HOSTILE:
        if "." not in text:
            await calls.put((text, "x", text), text, {text: text})
            item = await calls.get((text, "x", text), text)
            assert (item.key, item.namespace, item.value) == (text, (text, "x", text), {text: text})
    assert len(await calls.namespaces(limit=50)) == sum("." not in text for text in _HOSTILE)


@check()
async def namespaces_are_listed_sorted_and_in_pages(calls: Calls) -> None:
    places = [("b",), ("a", "c"), ("a",), ("ab",), ("a", "b", "d")]
    await calls.batch(*(PutOp(place, key, {}) for place in places for key in ("k1", "k2")))
    assert await calls.namespaces() == sorted(places)
    assert await calls.namespaces(limit=2) == sorted(places)[:2]
    assert await calls.namespaces(limit=2, offset=3) == sorted(places)[3:]


@check()
async def namespaces_are_matched_label_by_label(calls: Calls) -> None:
    places = [("a", "b", "c"), ("a", "x", "c"), ("a", "b", "d", "e"), ("ab", "b", "c"), ("z", "c")]
    await calls.batch(*(PutOp(place, "k", {}) for place in places))
    assert await calls.namespaces(_prefix("a")) == sorted(places[:3])
    assert await calls.namespaces(_prefix("a", "*", "c")) == sorted(places[:2])
    assert await calls.namespaces(_suffix("c")) == sorted([*places[:2], *places[3:]])
    assert await calls.namespaces(_suffix("b", "*")) == sorted([places[0], places[3]])
    assert await calls.namespaces(_prefix("a"), _suffix("e")) == [places[2]]
    assert await calls.namespaces(_prefix("a", "b", "c", "d")) == []


@check()
async def namespaces_are_cut_to_a_depth_once_each(calls: Calls) -> None:
    await calls.batch(*(PutOp(place, "k", {}) for place in (("a", "b", "c"), ("a", "b", "d"), ("a", "c"), ("b",))))
    assert await calls.namespaces(max_depth=2) == [("a", "b"), ("a", "c"), ("b",)]
    assert await calls.namespaces(max_depth=1, limit=1, offset=1) == [("b",)]


@check(needs=["put_if_absent"])
async def only_the_first_of_several_puts_if_absent_succeeds(calls: Calls) -> None:
    results = [await calls.put_if_absent(PLACE, "k", {"n": n}) for n in range(3)]
    assert results == [True, False, False]
    assert (await calls.get(PLACE, "k")).value == {"n": 0}
