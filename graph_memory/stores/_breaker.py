"""Whether to ask a server that has failed, or to leave it alone for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Breaker:
    """Lets everybody through until something fails; then one in every `retry_seconds`, until that one succeeds.

    Args:
        retry_seconds: how long a server that failed is left alone.
        clock: seconds that only grow.
    """

    def __init__(self, retry_seconds: float, clock: Callable[[], float]) -> None:
        self.retry_seconds, self._clock = retry_seconds, clock
        self._retry_at: float | None = None
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether the last that was heard of the server is a failure."""
        return self._retry_at is not None

    def allows(self) -> bool:
        """Whether to try now; who is let through while it is open is the only one for the next `retry_seconds`."""
        with self._lock:
            if self._retry_at is None:
                return True
            if self._clock() < self._retry_at:
                return False
            self._retry_at = self._clock() + self.retry_seconds
            return True

    def failed(self) -> bool:
        """Takes in a failure; whether it is news."""
        with self._lock:
            was_closed, self._retry_at = self._retry_at is None, self._clock() + self.retry_seconds
        return was_closed

    def worked(self) -> bool:
        """Takes in a success; whether it is news."""
        if self._retry_at is None:
            return False
        with self._lock:
            was_open, self._retry_at = self._retry_at is not None, None
        return was_open
