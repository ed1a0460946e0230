"""What belongs together: texts that share a mark that few of them carry."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from graph_memory.context.links import context_links, links_between, name_marks, turn_marks
from graph_memory.types import Context, Line, Origin, Section, Snippet


def test_texts_that_share_a_mark_are_linked_both_ways():
    """In the order in which they stand; what shares nothing has no links."""
    marks = {"a": frozenset({"turn:1"}), "b": frozenset({"name:rex"}), "c": frozenset({"turn:1", "name:rex"})}

    assert links_between(marks) == {"a": ("c",), "b": ("c",), "c": ("a", "b")}
    assert links_between({"a": frozenset({"turn:1"})}) == {}


def test_what_most_texts_carry_links_nothing():
    """Ten lines about one person are not ten times ten links."""
    marks = {str(i): frozenset({"name:ann"}) for i in range(10)}

    assert links_between(marks) == {}


def test_names_are_words_with_a_capital_inside_a_sentence():
    """Without those that are known, such as the speakers; a possessive is the same name."""
    assert name_marks(["My sister Ann moved. Then Ann's dog left Ghent, I'd say."]) == {"name:ann", "name:ghent"}
    assert name_marks(["I met Ann Lee in Ghent"], without=["Ann Lee"]) == {"name:ghent"}
    assert name_marks(["", "昨日 東京", "a Ü", f"x {'X' * 10_000}"]) == frozenset()


def test_a_contexts_lines_are_linked_across_memories():
    """By a shared message or name; what was left out links nothing."""
    snippets = {
        "vector": Snippet("t", memo_id="v", source_ids=("m1",)),
        "entity": Snippet("t", memo_id="e", source_ids=("m1",)),
    }
    lines = (
        Line("vector", "v", "User: She moved.", 1, kept=True, rule=""),
        Line("entity", "e", "lives in Ghent", 1, kept=True, rule=""),
        Line("working", "w", "look up Ghent", 1, kept=True, rule=""),
        Line("vector", "x", "all of Ghent", 1, kept=False, rule=""),
    )
    context = Context(lines=lines, sections=tuple(Section(name, (snippet,)) for name, snippet in snippets.items()))

    assert context_links(context) == {"v": ("e",), "e": ("v", "w"), "w": ("e",)}


@given(st.dictionaries(st.text(max_size=3), st.frozensets(st.sampled_from("abcdef")), max_size=12))
def test_links_go_both_ways_and_never_to_oneself(marks: dict[str, frozenset[str]]):
    """Whatever the marks."""
    found = links_between(marks)

    assert all(key not in others and others for key, others in found.items())
    assert all(key in found[other] for key, others in found.items() for other in others)
    assert all(marks[key] & marks[other] for key, others in found.items() for other in others)


def test_lines_of_one_turn_are_linked():
    """A question and what was answered to it, though they share no word; links are among what is shown."""
    turn = turn_marks(Origin("root", turn_id="h1"))
    snippets = tuple(Snippet(key, memo_id=key, marks=turn) for key in ("question", "answer", "left out"))
    lines = tuple(Line("vector", key, key, 1, key != "left out", "") for key in ("question", "answer", "left out"))

    links = context_links(Context(lines=lines, sections=(Section("vector", snippets),)))

    assert links == {"question": ("answer",), "answer": ("question",)}
    assert turn_marks(Origin("root")) == frozenset()
