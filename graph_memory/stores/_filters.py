"""Search filters: what LangGraph's conditions mean here, the same on every back end. Pure.

Where LangGraph's own stores differ from each other, JSON decides: true is not 1, text is not a number, 1 is 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graph_memory.errors import ConfigurationError

_OPERATORS = ("$eq", "$gt", "$gte", "$lt", "$lte", "$ne")


def matches(value: Any, conditions: Mapping[str, Any] | None) -> bool:
    """Whether a stored value meets every condition of a search filter.

    A condition is a plain value (equal), `{"$gt": …}` and its like (several on one key must all hold), or a nested mapping
    (every named key must match). A key with dots means the path unless the value has that very key. A missing key counts
    as null. Numbers compare with numbers and text with text; true is not 1; what cannot be compared does not match.
    """
    return all(_meets(_lookup(value, key), condition) for key, condition in (conditions or {}).items())


def check_filter(conditions: Any) -> None:
    """Refuses a filter that means nothing.

    Raises:
        ConfigurationError: it is no mapping with text keys, or has an unknown operator.
    """
    if conditions is None:
        return
    if not isinstance(conditions, Mapping) or not all(isinstance(key, str) for key in conditions):
        raise ConfigurationError("a filter must be a mapping with text keys")
    for condition in conditions.values():
        _check_condition(condition)


def _check_condition(condition: Any) -> None:
    if not isinstance(condition, Mapping):
        return
    if _has_operators(condition):
        for operator in condition:
            if operator not in _OPERATORS:
                raise ConfigurationError(f"unknown filter operator {operator!r}: use one of {', '.join(_OPERATORS)}")
    else:
        check_filter(condition)


def _lookup(value: Any, key: str) -> Any:
    if not isinstance(value, Mapping):
        return None
    if key in value or "." not in key:
        return value.get(key)
    for label in key.split("."):
        value = value.get(label) if isinstance(value, Mapping) else None
    return value


def _has_operators(condition: Mapping[str, Any]) -> bool:
    return any(isinstance(key, str) and key.startswith("$") for key in condition)


def _meets(found: Any, condition: Any) -> bool:
    if not isinstance(condition, Mapping):
        return _equal(found, condition)
    if _has_operators(condition):
        return all(_compare(found, operator, operand) for operator, operand in condition.items())
    return isinstance(found, Mapping) and matches(found, condition)


def _compare(found: Any, operator: str, operand: Any) -> bool:
    if operator in ("$eq", "$ne"):
        return _equal(found, operand) == (operator == "$eq")
    if not (_is_number(found) and _is_number(operand)) and not (isinstance(found, str) and isinstance(operand, str)):
        return False
    if operator == "$gt":
        return bool(found > operand)
    if operator == "$gte":
        return bool(found >= operand)
    return bool(found < operand) if operator == "$lt" else bool(found <= operand)


def _equal(found: Any, wanted: Any) -> bool:
    """Equality as in JSON: 1 equals 1.0 but not true; lists and objects by their content."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        return found.keys() == wanted.keys() and all(_equal(found[key], wanted[key]) for key in found)
    if isinstance(found, (list, tuple)) and isinstance(wanted, (list, tuple)):
        return len(found) == len(wanted) and all(_equal(a, b) for a, b in zip(found, wanted, strict=True))
    return bool(found == wanted)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
