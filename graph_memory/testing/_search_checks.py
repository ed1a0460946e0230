"""Checks of how a store searches: pages, filters, meaning, words."""

from __future__ import annotations

from typing import Any

from langgraph.store.base import PutOp, SearchOp

from graph_memory.testing._calls import Calls, Check, checker

CHECKS: list[Check] = []
check = checker(CHECKS)

PLACE = ("users", "ada")


async def _fill(calls: Calls, **values: dict[str, Any]) -> None:
    await calls.batch(*(PutOp(PLACE, key, value) for key, value in values.items()))


async def _texts(calls: Calls, **texts: str) -> None:
    await _fill(calls, **{key: {"text": text} for key, text in texts.items()})


async def _matching(calls: Calls, condition: Any, key: str = "v") -> list[str]:
    return sorted(await calls.keys(PLACE, filter={key: condition}, limit=100))


@check()
async def a_search_without_query_returns_all_under_the_prefix(calls: Calls) -> None:
    for n in range(5):
        await calls.put((*PLACE, str(n % 2)), str(n), {"n": n})
    await calls.put(("users", "adam"), "x", {"n": 9})
    assert sorted(await calls.keys(PLACE)) == ["0", "1", "2", "3", "4"]
    assert sorted(await calls.keys((*PLACE, "1"))) == ["1", "3"]
    assert len(await calls.search(())) == 6


@check(needs=["filter"])
async def pages_cover_everything_once(calls: Calls) -> None:
    await _fill(calls, **{f"k{n:02}": {"n": n} for n in range(25)})
    pages = [await calls.keys(PLACE, limit=10, offset=offset) for offset in (0, 10, 20, 30)]
    assert [len(some) for some in pages] == [10, 10, 5, 0]
    assert sorted(key for some in pages for key in some) == [f"k{n:02}" for n in range(25)]
    assert await calls.keys(PLACE, limit=0) == []
    filtered = [await calls.keys(PLACE, filter={"n": {"$gte": 10}}, limit=10, offset=offset) for offset in (0, 10)]
    assert [len(some) for some in filtered] == [10, 5]


@check()
async def a_blank_query_is_no_query(calls: Calls) -> None:
    await _texts(calls, a="tea", b="sea")
    assert sorted(await calls.keys(PLACE, "")) == ["a", "b"]


@check(needs=["filter"])
async def filters_compare_by_equality(calls: Calls) -> None:
    await _fill(calls, one={"v": 1}, two={"v": 2}, text={"v": "1"}, null={"v": None}, none={}, list={"v": [1, 2]})
    assert await _matching(calls, 1) == ["one"]
    assert await _matching(calls, 1.0) == ["one"]
    assert await _matching(calls, "1") == ["text"]
    assert await _matching(calls, [1, 2]) == ["list"]
    assert await _matching(calls, {"$eq": 2}) == ["two"]
    assert await _matching(calls, "' OR 1=1 --") == []


@check(needs=["filter"])
async def a_missing_key_counts_as_null(calls: Calls) -> None:
    await _fill(calls, one={"v": 1}, null={"v": None}, none={})
    assert await _matching(calls, None) == ["none", "null"]
    assert await _matching(calls, {"$ne": 1}) == ["none", "null"]
    assert await _matching(calls, {"$ne": None}) == ["one"]


@check(needs=["filter"])
async def true_is_not_one(calls: Calls) -> None:
    await _fill(calls, yes={"v": True}, one={"v": 1}, no={"v": False}, zero={"v": 0})
    assert await _matching(calls, True) == ["yes"]
    assert await _matching(calls, 0) == ["zero"]


@check(needs=["filter"])
async def numbers_are_compared_as_numbers(calls: Calls) -> None:
    await _fill(calls, **{f"n{n}": {"v": n} for n in (-5, 9, 10, 100)}, half={"v": 9.5})
    assert await _matching(calls, {"$gt": 9}) == ["half", "n10", "n100"]
    assert await _matching(calls, {"$gte": 9, "$lt": 100}) == ["half", "n10", "n9"]
    assert await _matching(calls, {"$lte": -5}) == ["n-5"]
    assert await _matching(calls, {"$gt": 9, "$ne": 100}) == ["half", "n10"]


@check(needs=["filter"])
async def text_is_compared_as_text(calls: Calls) -> None:
    await _fill(calls, a={"v": "2024-01-05"}, b={"v": "2024-02-01"}, c={"v": "2025-01-01"})
    assert await _matching(calls, {"$gte": "2024-02", "$lt": "2025"}) == ["b"]


@check(needs=["filter"])
async def mixed_types_do_not_match_and_do_not_fail(calls: Calls) -> None:
    await _fill(
        calls,
        n={"v": 5},
        text={"v": "abc"},
        null={"v": None},
        none={},
        list={"v": [1]},
        map={"v": {"a": 1}},
        yes={"v": True},
    )
    assert await _matching(calls, {"$gt": 1}) == ["n"]
    assert await _matching(calls, {"$lt": "b"}) == ["text"]


@check(needs=["filter"])
async def several_keys_must_all_match(calls: Calls) -> None:
    await _fill(calls, a={"v": 1, "w": "x"}, b={"v": 1, "w": "y"}, c={"v": 2, "w": "x"})
    assert await calls.keys(PLACE, filter={"v": 1, "w": "x"}) == ["a"]


@check(needs=["filter"])
async def a_nested_filter_reaches_into_values(calls: Calls) -> None:
    await _fill(calls, a={"v": {"x": {"y": 1}, "z": 1}}, b={"v": {"x": {"y": 2}}}, c={"v": 1}, d={})
    assert await _matching(calls, {"x": {"y": 1}}) == ["a"]
    assert await _matching(calls, {"x": {"y": {"$gte": 1}}}) == ["a", "b"]


@check(needs=["filter"])
async def a_dotted_key_reaches_into_values(calls: Calls) -> None:
    await _fill(calls, a={"v": {"x": 1}}, b={"v": {"x": 2}}, c={"v": 1})
    assert await _matching(calls, 1, "v.x") == ["a"]
    assert await _matching(calls, {"$gt": 0}, "v.x") == ["a", "b"]


@check()
async def an_unknown_operator_is_refused(calls: Calls) -> None:
    await _fill(calls, a={"v": 1})
    assert await calls.refused(SearchOp(PLACE, filter={"v": {"$near": 1}}))


@check(needs=["meaning"], embeds=True)
async def the_closest_meaning_comes_first(calls: Calls) -> None:
    await _texts(calls, cat="the cat sleeps", car="the truck is loud", tea="a hot beverage")
    hits = await calls.search(PLACE, "feline")
    assert hits[0].key == "cat"
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert await calls.keys(PLACE, "feline", limit=1) == ["cat"]
    assert await calls.keys(("users", "bob"), "feline") == []


@check(needs=["meaning"], embeds=True)
async def the_same_text_twice_in_a_batch_is_embedded_once(calls: Calls) -> None:
    await _texts(calls, a="a cat", b="a cat", c="a car")
    assert sorted(calls.embedded) == ["a car", "a cat"]
    assert sorted(await calls.keys(PLACE, "feline", limit=2)) == ["a", "b"]


@check(needs=["filter", "meaning"], embeds=True)
async def an_unchanged_text_is_not_embedded_again(calls: Calls) -> None:
    await _texts(calls, a="a cat")
    calls.embedded.clear()
    await calls.put(PLACE, "a", {"text": "a cat", "seen": 2})
    assert calls.embedded == []
    assert await calls.keys(PLACE, "feline", filter={"seen": 2}) == ["a"]


@check(needs=["meaning"], embeds=True)
async def a_changed_text_is_found_by_its_new_meaning_alone(calls: Calls) -> None:
    await _texts(calls, a="a cat", b="the sea")
    await _texts(calls, a="a truck")
    assert (await calls.keys(PLACE, "vehicle"))[0] == "a"
    await calls.put(PLACE, "a", None)
    assert await calls.keys(PLACE, "vehicle") == ["b"]


@check(needs=["meaning"], embeds=True)
async def an_item_that_is_not_indexed_ranks_nowhere(calls: Calls) -> None:
    await _texts(calls, a="a cat")
    await calls.put(PLACE, "b", {"text": "a cat"}, index=False)
    assert [hit.key for hit in await calls.search(PLACE, "feline") if hit.score is not None] == ["a"]
    assert sorted(await calls.keys(PLACE)) == ["a", "b"]


@check(needs=["meaning"], embeds=True)
async def an_item_is_found_by_the_paths_that_its_put_names(calls: Calls) -> None:
    await calls.put(PLACE, "a", {"text": "a cat", "other": {"title": "the sea"}}, index=["other.title"])
    await calls.put(PLACE, "b", {"text": "a cat"})
    await calls.put(PLACE, "c", {"parts": [{"t": "a truck"}, {"t": "the ocean"}]}, index=["parts[*].t"])
    assert (await calls.keys(PLACE, "feline"))[0] == "b"
    assert sorted((await calls.keys(PLACE, "ocean"))[:2]) == ["a", "c"]
    assert (await calls.keys(PLACE, "vehicle"))[0] == "c"
    assert len(await calls.keys(PLACE, "vehicle")) == 3


@check(needs=["filter", "meaning"], embeds=True)
async def a_ranked_search_obeys_the_filter_and_the_page(calls: Calls) -> None:
    await _fill(calls, **{f"k{n}": {"text": f"cat {n}", "n": n} for n in range(40)})
    whole = await calls.keys(PLACE, "feline", limit=40)
    assert sorted(whole) == sorted(f"k{n}" for n in range(40))
    assert await calls.keys(PLACE, "feline", limit=10, offset=5) == whole[5:15]
    assert await calls.keys(PLACE, "feline", filter={"n": 39}, limit=1) == ["k39"]
    assert len(await calls.keys(PLACE, "feline", filter={"n": {"$lt": 20}}, limit=40)) == 20


@check(needs=["words"])
async def words_find_without_an_embedder(calls: Calls) -> None:
    await _texts(calls, a="Ada drinks green tea", b="Bob drinks coffee", c="nothing of the kind")
    hits = await calls.search(PLACE, "green teas")
    assert [hit.key for hit in hits] == ["a"]
    assert hits[0].score > 0
    assert await calls.keys(PLACE, "elephant") == []


@check(needs=["words"])
async def other_namespaces_do_not_change_a_ranking(calls: Calls) -> None:
    await _texts(calls, a="tea tea coffee", b="tea coffee coffee", c="water")
    before = [(hit.key, hit.score) for hit in await calls.search(PLACE, "tea or coffee")]
    await calls.batch(*(PutOp(("users", "bob"), str(n), {"text": "tea"}) for n in range(50)))
    assert [(hit.key, hit.score) for hit in await calls.search(PLACE, "tea or coffee")] == before


@check(needs=["words", "meaning"], embeds=True)
async def words_and_meaning_both_bring_candidates(calls: Calls) -> None:
    await _texts(calls, meant="my kitten", said="invoice 4711", other="the truck")
    hits = await calls.search(PLACE, "feline 4711")
    assert {hit.key for hit in hits[:2]} == {"meant", "said"}
    assert all(0 <= hit.score <= 1 for hit in hits)
