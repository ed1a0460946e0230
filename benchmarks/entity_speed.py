"""How long entity memory takes: what `python -m benchmarks.entities --speed` measures.

Six hundred messages of made-up people, firms and places, all told by one user, make about 1,070 entities, the user among
them with hundreds of facts. Then sixty questions: by name, about the user, about a firm, and by meaning alone. Nobody reads
with a model, and there is no embedder: the figures are the memory's and the store's own.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from langchain_core.messages import HumanMessage
from langgraph.store.memory import InMemoryStore

from graph_memory import EntityMemory, Query, Scope, Turn, open_store, token_counter
from graph_memory.steps import run

MESSAGES, ROUNDS = 600, 3
SCOPE = Scope(user_id="bench", thread_id="t")
SAID = datetime(2024, 1, 1, tzinfo=UTC)
GIVEN = [
    "Ada",
    "Bruno",
    "Carla",
    "Dora",
    "Emil",
    "Fiona",
    "Gustav",
    "Hanna",
    "Igor",
    "Julia",
    "Karin",
    "Leon",
    "Mila",
    "Nora",
    "Oscar",
    "Paula",
    "Ralph",
    "Sofia",
    "Tina",
    "Viktor",
]
FAMILY = [
    "".join(parts)
    for parts in product(
        ["Ar", "Bel", "Cor", "Dun", "Fal", "Gre", "Hol", "Kes", "Lor", "Mor"], ["dale", "ford", "man", "ley", "sky"]
    )
]
FIRMS = [
    "".join(parts)
    for parts in product(
        ["Alpha", "Beta", "Corvo", "Delta", "Ergo", "Fermi", "Gamma", "Helio"], ["tron", "soft", "works", "line"]
    )
]
PLACES = [
    "Lisbon",
    "Porto",
    "Rome",
    "Oslo",
    "Ghent",
    "Vienna",
    "Berlin",
    "Madrid",
    "Paris",
    "Dublin",
    "Prague",
    "Athens",
]
THINGS = ["peanuts", "chess", "sailing", "jazz", "pottery", "tennis", "opera", "cycling"]
SAYINGS = (
    "{a} works at {f}. {b} knows {a}.",
    "I met {a} and {b} in {p}.",
    "{a} moved to {p}. {b} joined {f}.",
    "My friend {a} is allergic to {t}. {b} lives in {p}.",
    "{a} likes {t}. I know {b} from {f}.",
    "I like {t}. {a} left {f}. {b} is {a}'s manager.",
    "I moved to {p}. {a} is married to {b}.",
)


def sayings() -> Iterator[str]:
    """What is said, always the same."""
    random_ = random.Random(4)
    people = [f"{one} {other}" for one, other in product(GIVEN, FAMILY)]
    random_.shuffle(people)
    for i in range(MESSAGES):
        a, b = people[(2 * i) % len(people)], people[(2 * i + 1) % len(people)]
        if i % 12 == 11:
            a = random_.choice(people[:200])
        names = {name: random_.choice(some) for name, some in (("p", PLACES), ("f", FIRMS), ("t", THINGS))}
        yield random_.choice(SAYINGS).format(a=a, b=b, **names)


def questions() -> list[str]:
    """What is asked."""
    random_ = random.Random(5)
    people = [f"{one} {other}" for one, other in product(GIVEN, FAMILY)]
    asked = [f"Where does {random_.choice(people)} work?" for _ in range(20)]
    asked += [f"What do I know about {random_.choice(people)} and {random_.choice(GIVEN)}?" for _ in range(10)]
    asked += ["Where do I live?", "Whom do I know in Oslo?", "What do I like?"] * 4
    asked += [f"Who works at {random_.choice(FIRMS)}?" for _ in range(10)]
    return asked + [f"Who is allergic to {random_.choice(THINGS)}?" for _ in range(8)]


@contextmanager
def sqlite() -> Iterator[Any]:
    """A store in a file."""
    with tempfile.TemporaryDirectory() as folder, open_store(f"sqlite:///{Path(folder) / 'speed.db'}") as store:
        yield store


@contextmanager
def memory() -> Iterator[Any]:
    """LangGraph's own."""
    yield InMemoryStore()


@dataclass
class Clock:
    """Milliseconds of each call: as they passed, and of this process alone, which other work on the machine does not change."""

    passed: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)

    @contextmanager
    def ticking(self) -> Iterator[None]:
        """Measures what happens meanwhile."""
        passed, worked = time.perf_counter(), time.process_time()
        yield
        self.passed.append(1000 * (time.perf_counter() - passed))
        self.worked.append(1000 * (time.process_time() - worked))

    def __str__(self) -> str:
        """Medians and 95th percentiles."""
        shown = (f"{median(times):6.1f} ({quantiles(times, n=20)[-1]:5.1f})" for times in (self.passed, self.worked))
        return "{} ms, of which work {} ms".format(*shown)


def measured(store: Any) -> tuple[Clock, Clock, int]:
    """The times of messages taken in and of questions answered; how many entities there are."""
    told, asked, entity = Clock(), Clock(), EntityMemory()
    for i, text in enumerate(sayings()):
        turn = Turn(SCOPE, (HumanMessage(text, id=f"m{i}"),), "root", SAID + timedelta(hours=i), state={"seq": i})
        with told.ticking():
            run(entity.remember(turn), store=store)
    for text in questions() * ROUNDS:
        message = HumanMessage(text, id="q")
        query = Query(SCOPE, text, (message,), "q", 4000, token_counter(), SAID + timedelta(days=90))
        with asked.ticking():
            section = run(entity.recall(query), store=store)
        assert section.snippets or "allergic" in text, text
    return told, asked, len(entity.entities(SCOPE, store=store))


def print_speed() -> None:
    """Medians, with 95th percentiles in brackets, on both stores."""
    for name, opened in (("SqliteStore", sqlite), ("InMemoryStore", memory)):
        with opened() as store:
            told, asked, entities = measured(store)
        print(f"{name}, {MESSAGES} messages, {entities} entities")
        for what, clock in (("remember", told), ("recall", asked)):
            print(f"    {what:<10}{clock}")
