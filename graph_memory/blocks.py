"""What is opened at the start of a `with` or `async with` block and closed at its end, written once."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Block(ABC):
    """A resource that is its own context manager, sync and async. What has drivers for both overrides the async side too."""

    @abstractmethod
    def _open(self) -> None:
        """Opens it, or says what is wrong."""

    async def _aopen(self) -> None:
        await asyncio.to_thread(self._open)

    @abstractmethod
    def close(self) -> None:
        """Closes it; later use raises `StoreError`. May be called twice."""

    async def aclose(self) -> None:
        """`close`, without blocking the event loop; what belongs to the running event loop is closed too."""
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        await self._aopen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
