"""An operation beyond LangGraph's four: to take a slot that nobody else holds, together with everything else in the batch.

Stores of this package carry it out; on any other store whoever needs a slot reads it first and then puts it, which two that come
at the same moment can both do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from graph_memory.errors import ConfigurationError

HOLDER = "operation"
"""Key of a slot's value that says who holds it."""


class ClaimOp(NamedTuple):
    """Keeps `value` under a key, unless the item that is there has another holder, or none is there and `must_exist`.

    Then nothing of the batch is written, and the batch fails with `ConflictError`. Its result is None, as that of a put. A put or
    a delete of the same key later in the batch takes the place of `value`.
    """

    namespace: tuple[str, ...]
    key: str
    value: Mapping[str, Any]
    must_exist: bool = False


def takes_claims(store: Any) -> bool:
    """Whether the store carries out `ClaimOp`."""
    return bool(getattr(store, "takes_claims", False))


def with_put_if_absent(store: Any) -> Any:
    """The store, if it has `put_if_absent`.

    Raises:
        ConfigurationError: it has not.
    """
    if not hasattr(store, "put_if_absent"):
        raise ConfigurationError(f"{type(store).__name__} has no put_if_absent: keep memory in a store of this package")
    return store


def is_held_by_another(there: Mapping[str, Any] | None, claim: ClaimOp) -> bool:
    """Whether the item under a claim's key, if any, has another holder; or is missing where it must exist."""
    if there is None:
        return claim.must_exist
    return bool(there.get(HOLDER) != claim.value.get(HOLDER))
