"""Carries out what the bodies of a `TieredStore` ask for, sync and async: the only place where its two stores are touched."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Any, TypeVar

from langgraph.store.base import BaseStore, GetOp

from graph_memory.errors import ConflictError
from graph_memory.stores._tiered_requests import Call, Durable, Hot, HotError, PutIfAbsent, Request, Steps
from graph_memory.stores.claims import ClaimOp, is_held_by_another, takes_claims, with_put_if_absent

T = TypeVar("T")

_LOCK = threading.Lock()
"""For hot stores that take no claims: whoever compares and then puts must be alone, in this process at least."""


class Sides:
    """The two stores of a tier."""

    def __init__(self, hot: BaseStore, durable: BaseStore) -> None:
        self.hot, self.durable = hot, durable
        self._hot_takes_claims = takes_claims(hot)

    def run(self, steps: Steps[T]) -> T:
        """Drives a body."""
        try:
            request = next(steps)
            while True:
                try:
                    answer = self._answer(request)
                except Exception as exc:  # noqa: BLE001 - the body decides, and raises again what it does not know
                    request = steps.throw(exc)
                else:
                    request = steps.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            steps.close()

    async def arun(self, steps: Steps[T]) -> T:
        """`run`, awaiting the stores."""
        try:
            request = next(steps)
            while True:
                try:
                    answer = await self._aanswer(request)
                except Exception as exc:  # noqa: BLE001 - the body decides, and raises again what it does not know
                    request = steps.throw(exc)
                else:
                    request = steps.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            steps.close()

    def _answer(self, request: Request) -> Any:
        if isinstance(request, Durable):
            return self.durable.batch(request.ops)
        if isinstance(request, Hot):
            return self._hot(request.ops)
        if isinstance(request, PutIfAbsent):
            return with_put_if_absent(self.durable).put_if_absent(**request.arguments)
        return request.function() if isinstance(request, Call) else time.sleep(request.seconds)

    async def _aanswer(self, request: Request) -> Any:
        if isinstance(request, Durable):
            return await self.durable.abatch(request.ops)
        if isinstance(request, Hot):
            return await self._ahot(request.ops)
        if isinstance(request, PutIfAbsent):
            return await with_put_if_absent(self.durable).aput_if_absent(**request.arguments)
        if isinstance(request, Call):
            return await asyncio.to_thread(request.function)
        return await asyncio.sleep(request.seconds)

    def _hot(self, ops: Sequence[Any]) -> list[Any]:
        try:
            return self._compared(ops) if self._must_compare(ops) else self.hot.batch(ops)
        except ConflictError:
            raise
        except Exception as exc:
            raise HotError from exc  # whatever it is, the durable store serves

    async def _ahot(self, ops: Sequence[Any]) -> list[Any]:
        try:
            if self._must_compare(ops):
                return await asyncio.to_thread(self._compared, ops)
            return await self.hot.abatch(ops)
        except ConflictError:
            raise
        except Exception as exc:
            raise HotError from exc

    def _must_compare(self, ops: Sequence[Any]) -> bool:
        return not self._hot_takes_claims and any(isinstance(op, ClaimOp) for op in ops)

    def _compared(self, ops: Sequence[Any]) -> list[Any]:
        claims = [op for op in ops if isinstance(op, ClaimOp)]
        with _LOCK:
            there = self.hot.batch([GetOp(claim.namespace, claim.key, refresh_ttl=False) for claim in claims])
            for claim, item in zip(claims, there, strict=True):
                if is_held_by_another(getattr(item, "value", None), claim):
                    raise ConflictError("the slot was changed")
            return self.hot.batch([op for op in ops if not isinstance(op, ClaimOp)])
