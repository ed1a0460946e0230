"""Workspaces as people write them: the reference's names, types checked, unknown names refused. No files.

A description says what differs from a base workspace. What several settings must be together, the workspace checks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from reprlib import Repr
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from graph_memory.context.workspaces import Workspace
from graph_memory.errors import ConfigurationError
from graph_memory.settings.documents import Place

_short = Repr()
_short.maxstring = _short.maxother = _short.maxlong = 60


class Mistake(Exception):
    """What is wrong in a description and where in it; whoever knows where that came from tells it to the user."""

    def __init__(self, place: Place, sentence: str) -> None:
        super().__init__(sentence)
        self.place = place
        self.sentence = sentence


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TierSpec(_Spec):
    """`tier_allocation`: the share of each tier; together 1."""

    working: float | None = Field(default=None, alias="working_memory_pct", ge=0, le=1)
    project: float | None = Field(default=None, alias="project_memory_pct", ge=0, le=1)
    long_term: float | None = Field(default=None, alias="long_term_memory_pct", ge=0, le=1)
    rag: float | None = Field(default=None, alias="rag_memory_pct", ge=0, le=1)


class MultiplierSpec(_Spec):
    """`complexity_multipliers`: how complexity scales the maximum."""

    simple: float | None = Field(default=None, gt=0)
    medium: float | None = Field(default=None, gt=0)
    complex: float | None = Field(default=None, gt=0)
    expert: float | None = Field(default=None, gt=0)


class ScoringSpec(_Spec):
    """`scoring_weights`: the parts of the combined score; together 1."""

    relevance: float | None = Field(default=None, ge=0, le=1)
    importance: float | None = Field(default=None, ge=0, le=1)
    freshness: float | None = Field(default=None, ge=0, le=1)


class FreshnessSpec(_Spec):
    """`freshness`: how fast memos age."""

    half_life_hours: float | None = Field(default=None, gt=0)


class PromotionSpec(_Spec):
    """`promotion`: what moves a memo up a tier, and how long it rests when it moved."""

    promotion_threshold: float | None = Field(default=None, alias="threshold", ge=0, le=1)
    promotion_accesses: int | None = Field(default=None, alias="access_threshold", ge=1)
    rest_hours: float | None = Field(default=None, ge=0)


class DemotionSpec(_Spec):
    """`demotion`: what moves a memo down a tier."""

    demotion_threshold: float | None = Field(default=None, alias="threshold", ge=0, le=1)


class ComplexitySpec(_Spec):
    """`complexity`: keywords of one's own with their points, the bands, and the points of medium, complex and expert."""

    user_keywords: dict[str, int] | None = Field(default=None, alias="keywords")
    length_bands: list[int] | None = None
    turn_bands: list[int] | None = None
    thresholds: list[int] | None = None


class WorkspaceSpec(_Spec):
    """What is said about a workspace; None, or left out, is what the base says."""

    workspace_id: str | None = None
    max_tokens: int | None = Field(default=None, alias="max_total_tokens", ge=1)
    tokens_per_char: float | None = Field(default=None, gt=0)
    tier_allocation: TierSpec | None = None
    complexity_multipliers: MultiplierSpec | None = None
    scoring_weights: ScoringSpec | None = None
    freshness: FreshnessSpec | None = None
    promotion: PromotionSpec | None = None
    demotion: DemotionSpec | None = None
    complexity: ComplexitySpec | None = None

    def over(self, base: Workspace) -> Workspace:
        """The workspace `base`, with what is said here instead.

        Raises:
            Mistake: a value cannot be, or shares do not add up.
        """
        moves = "promotion" if self.promotion is not None else "demotion"
        aged = _replaced(base.scoring, "freshness", self.freshness)
        parts = {
            "tier_shares": _replaced(base.tier_shares, "tier_allocation", self.tier_allocation),
            "multipliers": _replaced(base.multipliers, "complexity_multipliers", self.complexity_multipliers),
            "scoring": _replaced(aged, "scoring_weights", self.scoring_weights),
            "tier_rules": _replaced(base.tier_rules, moves, self.promotion, self.demotion),
            "complexity_rules": _replaced(base.complexity_rules, "complexity", self.complexity),
        }
        plain = self.model_dump(include={"max_tokens", "tokens_per_char"}, exclude_none=True)
        with _at(()):
            return replace(base, **parts, **plain)


SECTIONS: Mapping[str, type[BaseModel]] = {
    "tier_allocation": TierSpec,
    "complexity_multipliers": MultiplierSpec,
    "scoring_weights": ScoringSpec,
    "freshness": FreshnessSpec,
    "promotion": PromotionSpec,
    "demotion": DemotionSpec,
    "complexity": ComplexitySpec,
}
"""The parts of a workspace that have settings of their own."""


def spec_of(described: object, *, as_text: bool = False) -> WorkspaceSpec:
    """The description, checked; numbers may be written as text only if `as_text`.

    Raises:
        Mistake: the first name that is unknown, or value that has the wrong type.
    """
    try:
        return WorkspaceSpec.model_validate(described, strict=not as_text)
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_context=False)[0]
        place: Place = tuple(part for part in error["loc"] if part != "[key]")
        raise Mistake(place, _sentence(place, error["type"], error["msg"], error["input"])) from None


def names_of(model: type[BaseModel]) -> list[str]:
    """The settings of a model by the names that people write."""
    return [field.alias or name for name, field in model.model_fields.items()]


def quoted(value: object) -> str:
    """A wrong value as a message shows it, never long."""
    return _short.repr(value)


def refusal(value: object, message: str) -> str:
    """What pydantic says of a wrong value, in one sentence with the value."""
    return f"{quoted(value)} will not do, {message.replace('Input should', 'it should', 1)}"


def _sentence(place: Place, kind: str, message: str, value: object) -> str:
    if kind in ("extra_forbidden", "invalid_key"):
        model = SECTIONS[str(place[0])] if len(place) > 1 else WorkspaceSpec
        return f"there is no such setting; known are {', '.join(names_of(model))}"
    if kind in ("model_type", "model_attributes_type"):
        model = SECTIONS[str(place[0])] if place else WorkspaceSpec
        return f"expected settings below it: {', '.join(names_of(model))}"
    return refusal(value, message)


def _replaced(part: Any, section: str, *specs: BaseModel | None) -> Any:
    """A part of a workspace with what is said of it instead; lists are kept as tuples, keywords added to those there are."""
    given: dict[str, Any] = {}
    for spec in specs:
        given |= spec.model_dump(exclude_none=True) if spec is not None else {}
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    if "user_keywords" in given:
        given["user_keywords"] = {**part.user_keywords, **given["user_keywords"]}
    with _at((section,)):
        return replace(part, **given) if given else part


@contextmanager
def _at(place: Place) -> Iterator[None]:
    try:
        yield
    except ConfigurationError as exc:
        raise Mistake(place, str(exc)) from exc
