"""Every check of the memories' conformance suite can fail, and a sound memory passes them all."""

from __future__ import annotations

import pytest

from graph_memory import Memory
from graph_memory.testing.memories import CHECKS, MODES, MemoryCheck, MemoryFactory, Mode, Unsupported, run_check
from tests import broken_bodies as bodies
from tests import broken_memories as broken
from tests.summarisers import Summariser

BROKEN: dict[str, MemoryFactory] = {
    "an_empty_scope_gives_an_empty_section": broken.Greets,
    "asking_an_empty_scope_writes_nothing": broken.CountsQuestions,
    "sections_carry_the_memorys_name_and_shares": broken.KnowsItsName,
    "what_was_told_is_recalled": broken.Silent,
    "asking_again_gives_the_same": broken.Restless,
    "every_snippet_names_its_memo": broken.Nameless,
    "headings_and_labels_are_one_line_whatever_is_told": broken.TwoLineLabels,
    "told_again_it_keeps_the_same_records": broken.Doubles,
    "told_in_parts_it_keeps_the_same_records": broken.NumbersTheRest,
    "a_fork_replaces_no_memo_of_the_line": broken.KnowsNoForks,
    "a_failed_remember_can_be_repeated": broken.MarksFirst,
    "reads_and_writes_stay_with_the_user": broken.OwnNamespace,
    "nobody_recalls_what_others_told": broken.KeepsInMind,
    "without_a_user_or_a_thread_nothing_is_kept": broken.Anonymous,
    "forgetting_a_user_leaves_nothing": broken.KeepsACopy,
    "thread_state_is_json": broken.StateOfSets,
    "both_ways_of_calling_give_the_same": broken.LoudInLoops,
    "bodies_yield_requests_only": bodies.BareOperations,
    "bodies_can_be_closed_at_any_step": bodies.WritesWhenClosed,
    "bodies_leave_alone_what_they_are_handed": bodies.MarksMessages,
    "a_fork_recalls_nothing_of_the_line_that_it_left": broken.KnowsNoLines,
    "in_a_graph_nothing_degrades": bodies.KnowsOneMessage,
    "without_a_store_it_says_why_or_shows_nothing": bodies.TrustsTheStore,
    "a_store_that_fails_raises_nothing_but_our_errors": bodies.OwnErrors,
    "what_a_useless_model_says_is_never_shown": lambda: bodies.KeepsApologies(model=Summariser("They talked.")),
    "any_text_can_be_told_and_asked": bodies.NeedsWords,
    "truncate_keeps_to_its_tokens": bodies.NeverShorter,
    "overflow_takes_whole_turns_from_the_start": bodies.CutsTurns,
    "what_state_after_says_is_what_remember_returns": bodies.ForetellsWrong,
}
"""Check to a memory that fails it."""

FAILURES = (AssertionError, RuntimeError, TypeError, IndexError)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_a_sound_memory_passes(check: MemoryCheck, mode: Mode) -> None:
    """What is wrong with the others is not in what they share."""
    run_check(check, broken.Notes, mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_every_check_can_fail(check: MemoryCheck, mode: Mode) -> None:
    """For each there is a memory that is wrong in just that."""
    with pytest.raises(FAILURES):
        run_check(check, BROKEN[str(check)], mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("memory", [broken.KeepsACopy, broken.Nameless, broken.MarksFirst, bodies.TrustsTheStore])
def test_a_memory_that_is_wrong_in_one_way_passes_the_rest(memory: type[Memory], mode: Mode) -> None:
    """A check says what is wrong, not that something is."""
    assert sum(_fails(check, memory, mode) for check in CHECKS) in (1, 2)


def test_what_a_memory_does_not_do_is_not_checked() -> None:
    """A memory that learns nothing by itself is no worse for it."""
    [check] = [check for check in CHECKS if str(check) == "truncate_keeps_to_its_tokens"]
    with pytest.raises(Unsupported, match="Notes does not do: truncate"):
        run_check(check, broken.Notes, "sync")


def _fails(check: MemoryCheck, memory: type[Memory], mode: Mode) -> bool:
    try:
        run_check(check, memory, mode)
    except Unsupported:
        return False
    except FAILURES:
        return True
    return False
