"""An operation beyond LangGraph's four: to ask whether a server may have gone back to what it knew earlier.

A Redis that starts again knows what it last wrote to disk, or what its replica had heard. Whoever keeps copies in it must tell
those from before. The answer is a text that is another one from then on, on the server that holds the namespace.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class EraOp(NamedTuple):
    """Asks for the era of the server that holds a namespace; its result is text. Read after the other reads of its batch."""

    namespace: tuple[str, ...]


def tells_eras(store: Any) -> bool:
    """Whether the store carries out `EraOp`; one that does not is taken never to go back."""
    return bool(getattr(store, "tells_eras", False))
