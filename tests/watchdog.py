"""For tests of what must come to an end: no clock decides whether they pass, only whether they are held up for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import pytest

T = TypeVar("T")
_PATIENCE_SECONDS = 120.0  # many times what anything here may take on the busiest machine


def ending(call: Callable[[], T]) -> T:
    """What a call returns or raises; one that does not end fails the test."""
    outcome: Future[T] = Future()

    def work() -> None:
        try:
            outcome.set_result(call())
        except BaseException as exc:  # noqa: BLE001 - handed to whoever waits
            outcome.set_exception(exc)

    threading.Thread(target=work, daemon=True).start()
    try:
        return outcome.result(_PATIENCE_SECONDS)
    except TimeoutError:
        if outcome.done():
            raise
        pytest.fail(f"it still waits after {_PATIENCE_SECONDS:g} s: no timeout ends it")
