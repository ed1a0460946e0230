"""Estimates that learn from what responses report: how many characters a token of a model has.

Only answers teach. What was sent contains parts that nobody here sees (tool definitions, a prompt that the node adds), but an
answer's text and its reported output tokens are the same thing, counted twice.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graph_memory.context.costs import model_of
from graph_memory.context.tokens import (
    CHARACTERS_PER_TOKEN,
    HALF_TOKEN,
    ONE_TOKEN,
    TWO_TOKENS,
    characters_per_token,
    estimating_counter,
    token_counter,
)
from graph_memory.messages import text_of

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from graph_memory.types import TokenCounter

RATE = 0.1
"""How much of a new observation enters the average."""

BOUND = 1.5
"""The average stays within this factor of where the estimate starts."""

IMPLAUSIBLE = 2.0
"""Observations further than this factor from the start are passed over: the model thought, and did not say how long."""

STEP = 0.05
"""How far the average must be from the counter in use, as a part of it, before another one takes its place."""

LEAST_TOKENS = 50
"""Shorter answers say little: framing weighs too much in them."""

MODELS = 256
"""Models that are learnt about at most; later ones keep the estimate that they start with."""


@dataclass(frozen=True, slots=True)
class _Learnt:
    """What is known of one family of models: the average, the one in use, and its counter (None: the one it started with)."""

    average: float
    used: float
    counter: TokenCounter | None = None


class Calibration:
    """Estimating counters that are corrected by the usage that responses report. Thread-safe.

    A counter never changes: `counter` gives another one when the average has moved by `STEP`. So whoever takes one counter
    for one call measures the whole call by it, and the window of recent turns does not wander from call to call. Models that
    can be counted exactly are, whatever responses say.
    """

    __slots__ = ("_learnt", "_lock")

    def __init__(self) -> None:
        self._learnt: dict[str, _Learnt] = {}
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: object) -> Calibration:
        """Itself: what was learnt is shared, and its lock cannot be copied (people deepcopy graph builders)."""
        return self

    def counter(self, model: str) -> TokenCounter:
        """The counter for `model` by what is known now; take it once per call."""
        start, learnt = token_counter(model), self._learnt.get(family(model))
        if start.exact or learnt is None or learnt.counter is None:
            return start
        return learnt.counter

    def characters_per_token(self, model: str) -> float:
        """The average for `model`: what it starts from until answers have been seen."""
        learnt = self._learnt.get(family(model))
        return characters_per_token(model) if learnt is None else learnt.average

    def observe_answer(self, answer: BaseMessage, *, model: str = "") -> None:
        """Learns from an answer that reports its output tokens; one with tool calls or without text teaches nothing.

        Args:
            answer: the model's message.
            model: the name that counters are asked for by; the one that the response names when left out.
        """
        usage = getattr(answer, "usage_metadata", None)
        if not usage or getattr(answer, "tool_calls", None):
            return
        reasoning = (usage.get("output_token_details") or {}).get("reasoning") or 0
        self.observe(text_of(answer), (usage.get("output_tokens") or 0) - reasoning, model=model or model_of(answer))

    def observe(self, text: str, tokens: int, *, model: str) -> None:
        """Learns that the provider counts `text`, and nothing besides, as `tokens` tokens.

        Short texts are passed over, those in scripts that the estimate does not measure by characters a token, and those
        whose count cannot be theirs alone.
        """
        seen, start = _latin_characters_per_token(text, tokens), characters_per_token(model)
        if seen is None or not start / IMPLAUSIBLE <= seen <= start * IMPLAUSIBLE:
            return
        seen = min(max(seen, start / BOUND), start * BOUND)
        with self._lock:
            self._learn(family(model), seen, start)

    def _learn(self, name: str, seen: float, start: float) -> None:
        if name not in self._learnt and len(self._learnt) >= MODELS:
            return
        before = self._learnt.get(name, _Learnt(start, start))
        average = before.average + RATE * (seen - before.average)
        if abs(average - before.used) <= STEP * before.used:
            self._learnt[name] = _Learnt(average, before.used, before.counter)
        else:
            used = round(average, 2)
            self._learnt[name] = _Learnt(average, used, estimating_counter(used, note=", calibrated"))


def family(model: str) -> str:
    """The models that share a tokenizer, as far as the name tells: "claude", "gemini", else the whole name."""
    lowered = model.lower()
    found = next((name for name in CHARACTERS_PER_TOKEN if name in lowered), None)
    return {"anthropic": "claude", "google": "gemini"}.get(found, found) if found else lowered


def _latin_characters_per_token(text: str, tokens: int) -> float | None:
    """Characters a token of the Latin part; None when the text is short, or a tenth of it is in other scripts."""
    half, one, two = (sum(map(len, script.findall(text))) for script in (HALF_TOKEN, ONE_TOKEN, TWO_TOKENS))
    latin = len(text) - half - one - two
    left = tokens - (half / 2 + one + two * 2)
    if tokens < LEAST_TOKENS or left <= 0 or latin < 0.9 * len(text):
        return None
    return latin / left


class CalibratedCounter:
    """The counter for one model as a calibration has it now, to be given to `attach` and to learn from the answers there.

    Args:
        model: whose tokens, such as "gemini-2.5-flash".
        calibration: what is learnt, shared by whoever shares it.
    """

    __slots__ = ("calibration", "model")

    def __init__(self, model: str, calibration: Calibration | None = None) -> None:
        self.model = model
        self.calibration = calibration or Calibration()

    @property
    def current(self) -> TokenCounter:
        """The counter by what is known now; whoever measures a call takes it once."""
        return self.calibration.counter(self.model)

    @property
    def name(self) -> str:
        """As of the current counter."""
        return self.current.name

    @property
    def exact(self) -> bool:
        """As of the current counter."""
        return self.current.exact

    @property
    def overhead(self) -> int:
        """As of the current counter."""
        return self.current.overhead

    def count_text(self, text: str) -> int:
        """As the current counter counts."""
        return self.current.count_text(text)

    def count_message(self, message: BaseMessage) -> int:
        """As the current counter counts."""
        return self.current.count_message(message)

    def learn(self, answer: BaseMessage) -> None:
        """Learns from an answer that reports its usage."""
        self.calibration.observe_answer(answer, model=self.model)


def current_counter(counter: TokenCounter) -> TokenCounter:
    """The counter for one call: of one that learns, what it is now."""
    return counter.current if isinstance(counter, CalibratedCounter) else counter
