"""How many changed facts does entity memory recognise without a model, and how many does it change wrongly?

    python -m benchmarks.entities [--show | --speed]

`entities.json` beside this file holds statements that establish a fact, and rewordings that change it ("I've left
Acme, starting at Globex Monday") or must not ("I visited Globex yesterday"), in two halves. The rules were written with
the development half in view. The held-out half was written after a first version of the rules was finished, and no rule
was changed for it. The gap between the two is what rules are worth on sentences that nobody wrote them for.
`entities_second.json` holds two more halves, written before the rules about constructions (`changes.py`) and by the same
hand; its held-out half is idiomatic on purpose ("Bob now earns his living at Globex"). Each pair runs through the whole
memory: remembered, stored, folded, read back two weeks later.

What a chat model recognises is not measured here, because that depends on the model; `--model NAME` measures one that
`init_chat_model` knows. Without it, the last table hands the memory what a perfect model would answer: it tests the
folding alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda
from langgraph.store.memory import InMemoryStore

from benchmarks.entity_speed import print_speed
from graph_memory import EntityMemory
from graph_memory.memories.entity.naming import normalised
from graph_memory.steps import run
from graph_memory.types import Scope, Turn

SCOPE = Scope(user_id="bench", thread_id="t")
SAID = datetime(2024, 3, 6, 12, tzinfo=UTC)
CASES = ("entities.json", "entities_second.json")
HALVES = ("development", "held-out", "second development", "second held-out")


def cases() -> dict[str, list[dict[str, Any]]]:
    """Changes and distractors, of both files."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name in CASES:
        data = json.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))
        for kind, some in data.items():
            found.setdefault(kind, []).extend(some)
    return found


class PerfectModel:
    """Answers with what the case is annotated with. It measures folding, not reading."""

    def __init__(self, case: Mapping[str, Any], is_change: bool) -> None:
        self._case, self._is_change = case, is_change

    def invoke(self, *_: Any, **__: Any) -> Any:
        """Never asked without a schema."""
        raise NotImplementedError

    def with_structured_output(self, schema: Any, **_: Any) -> Any:
        """A runnable that answers with the annotation of the message that it is shown."""
        return RunnableLambda(lambda messages: {"parsed": schema(facts=self._facts(messages[-1].content))})

    def _facts(self, shown: str) -> list[dict[str, Any]]:
        case, value_type = self._case, "organization" if self._case["slot"] == "employer" else ""
        about = {"subject": case["who"], "attribute": case["slot"], "value_type": value_type, "replaces": True}
        if case["said"] not in shown:
            return [{**about, "value": case["old"]}]
        if not self._is_change:
            return []
        return [{**about, "value": case["new"] or "", "ended": case["new"] is None}]


def current(case: Mapping[str, Any], memory: EntityMemory) -> list[list[str]]:
    """The slot's current values, after the first statement and after the second."""
    store, found = InMemoryStore(), []
    for i, text in enumerate((case["before"], case["said"])):
        message = HumanMessage(text, id=f"m{i}")
        run(memory.remember(Turn(SCOPE, (message,), "root", SAID + timedelta(days=i), state={"seq": i})), store=store)
        view = memory.entity(SCOPE, case["who"], store=store, at=SAID + timedelta(days=14 * i))
        found.append([fact.value for fact in view.facts if fact.slot == case["slot"]] if view else [])
    return found


def is_value(found: Sequence[str], wanted: str | None) -> bool:
    """Whether the one current value is the wanted one; None wants none."""
    if wanted is None or not found:
        return not found and wanted is None
    return len(found) == 1 and normalised(found[0]) == normalised(wanted)


def judged(case: Mapping[str, Any], memory: EntityMemory, *, is_change: bool) -> str:
    """What became of a case: "recognised", "stale", "lost", "wrong"; for a distractor "kept" or "wrongly superseded"."""
    before, after = current(case, memory)
    if not is_value(before, case["old"]):
        return "not established"
    if not is_change:
        return "kept" if is_value(after, case["old"]) else "wrongly superseded"
    if is_value(after, case["new"]):
        return "recognised"
    return "stale" if any(normalised(v) == normalised(case["old"]) for v in after) else "wrong" if after else "lost"


def table(title: str, cases: Iterable[Mapping[str, Any]], judge: Any, *, show: bool) -> None:
    """Prints the rates of each half."""
    cases = list(cases)
    for half in HALVES:
        mine = [case for case in cases if case["half"] == half]
        verdicts = [judge(case) for case in mine]
        counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(sorted(verdicts))}
        told = ", ".join(f"{verdict} {count} ({100 * count / len(mine):.0f} %)" for verdict, count in counts.items())
        print(f"{title:<28}{half:<20}{len(mine):>4}   {told}")
        if show and half.endswith("development"):
            for case, verdict in zip(mine, verdicts, strict=True):
                if verdict not in ("recognised", "kept"):
                    print(f"    {verdict}: {case['before']} | {case['said']}")


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", action="store_true", help="list the failures of the development half")
    parser.add_argument("--model", help="a model's name for init_chat_model, measured instead of the rules")
    parser.add_argument("--speed", action="store_true", help="measure how long remembering and recall take instead")
    arguments = parser.parse_args()
    if arguments.speed:
        print_speed()
        return
    data = cases()
    memory, way = EntityMemory(arguments.model), arguments.model or "rules"
    for name, is_change in (("changes", True), ("distractors", False)):
        table(
            f"{way}: {name}",
            data[name],
            lambda case, is_change=is_change: judged(case, memory, is_change=is_change),
            show=arguments.show,
        )
    for name, is_change in (("changes", True), ("distractors", False)):
        table(
            f"folding alone: {name}",
            data[name],
            lambda c, is_change=is_change: judged(c, EntityMemory(PerfectModel(c, is_change)), is_change=is_change),  # type: ignore[arg-type]
            show=False,
        )


if __name__ == "__main__":
    main()
