"""An operation beyond LangGraph's four: to write a value in another way, and leave all else of its item as it is.

A put says anew what is indexed and when the item ends; whoever only found the item knows neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class SwapOp(NamedTuple):
    """Puts `value` in the place of the one whose JSON text is `seen`, unless the item has changed since or is gone.

    Its index, its times and its time to live stay. The result is whether `value` is there now. Swaps of a batch come after its
    reads and before its writes.
    """

    namespace: tuple[str, ...]
    key: str
    seen: str
    value: Mapping[str, Any]


def takes_swaps(store: Any) -> bool:
    """Whether the store carries out `SwapOp`."""
    return bool(getattr(store, "takes_swaps", False))
