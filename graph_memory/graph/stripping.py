"""What an LLM node returned, without what memory had handed in. Pure.

A node may return its whole message list, an edited message, a `Command`, its state object, or ask to overwrite the channel. In
none of these does a memory block or our system message reach the channel: handed messages become the thread's own again, so that
the update is what the node would have returned without memory.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, RemoveMessage
from langgraph.types import Command, Overwrite
from pydantic import BaseModel

from graph_memory.context.render import SYSTEM_ID, without_memory
from graph_memory.messages import with_refusal_told

Change = Callable[[Mapping[str, Any]], Mapping[str, Any]]

_OVERWRITE = "__overwrite__"


@dataclasses.dataclass(frozen=True)
class Stripping:
    """How to strip what a node returned.

    Attributes:
        key: the state key of the conversation.
        own: the thread's messages, as the channel has them.
        handed: the messages that the node was handed.
    """

    key: str
    own: Sequence[BaseMessage]
    handed: Sequence[BaseMessage]

    @functools.cached_property
    def _own(self) -> dict[str | None, BaseMessage]:
        return {message.id: message for message in self.own}

    @functools.cached_property
    def _handed(self) -> dict[str | None, BaseMessage]:
        return {message.id: message for message in self.handed}

    def __call__(self, out: Any) -> Any:
        """The output, stripped, whatever its shape."""
        return mapped(out, self._update)

    def new_in(self, out: Any) -> list[BaseMessage]:
        """The messages of a stripped output that the thread does not have."""
        return [m for m in self._messages_in(out) if m.id not in self._own]

    def thread_after(self, out: Any) -> list[BaseMessage]:
        """The thread with the edited and the new messages of a stripped output, all of which have ids."""
        return list((self._own | {m.id: m for m in self._messages_in(out)}).values())

    def _messages_in(self, out: Any) -> list[BaseMessage]:
        found: list[Any] = []

        def collect(update: Mapping[str, Any]) -> Mapping[str, Any]:
            returned = update.get(self.key)
            found.extend(returned if isinstance(returned, list | tuple) else [returned])
            return update

        mapped(out, collect)
        return [m for m in found if isinstance(m, BaseMessage) and not isinstance(m, RemoveMessage)]

    def _update(self, update: Mapping[str, Any]) -> Mapping[str, Any]:
        returned = update.get(self.key)
        if isinstance(returned, Overwrite):
            return {**update, self.key: Overwrite(self._whole(returned.value))}
        if isinstance(returned, Mapping) and set(returned) == {_OVERWRITE}:
            return {**update, self.key: {_OVERWRITE: self._whole(returned[_OVERWRITE])}}
        if isinstance(returned, BaseMessage):
            kept = self._whole([returned])
            return update if kept == [returned] else {**update, self.key: kept}
        return {**update, self.key: self._whole(returned)} if isinstance(returned, list | tuple) else update

    def _whole(self, returned: Any) -> Any:
        """The handed messages in the thread's own form; all of the thread when all came back."""
        if not isinstance(returned, list | tuple):
            return returned
        cleaned = [clean for m in returned if (clean := self._clean(m)) is not None]
        handed = self._handed.keys() - {SYSTEM_ID}
        return self._with_the_rest(cleaned) if handed and handed <= {_id(m) for m in returned} else cleaned

    def _with_the_rest(self, cleaned: Sequence[Any]) -> list[Any]:
        """With the thread's messages that were not handed, each after the one that it follows in the thread."""
        there = {_id(m) for m in cleaned}
        anchors = {_id(m) for m in cleaned if not isinstance(m, RemoveMessage)}
        rest: dict[str | None, list[BaseMessage]] = {}
        before: str | None = None
        for message in self.own:
            if message.id in anchors:
                before = message.id
            elif message.id not in there:
                rest.setdefault(before, []).append(message)
        begin = next((i for i, m in enumerate(cleaned) if not isinstance(m, RemoveMessage)), len(cleaned))
        whole = [*cleaned[:begin], *rest.pop(None, ())]
        for message in cleaned[begin:]:
            whole += [message, *rest.pop(_id(message), ())] if _id(message) else [message]
        return whole

    def _clean(self, message: Any) -> Any:
        """The thread's own message when the node left it as it was handed; the edited one without our block; None for ours."""
        if not isinstance(message, BaseMessage) or message.id is None:
            return message
        own, handed = self._own.get(message.id), self._handed.get(message.id)
        if isinstance(message, RemoveMessage):
            ours = own is None and handed is not None
            return None if ours or message.id == SYSTEM_ID else message
        if message.id == SYSTEM_ID:
            return None
        if handed is not None and message == handed:
            return own
        if own is None:
            return message
        edited = message.model_copy(update={"content": _own_content(message, own, handed)})
        return own if edited == own else edited


def _own_content(message: BaseMessage, own: BaseMessage, handed: BaseMessage | None) -> Any:
    """What an edited message says in the thread's own form: of a message that was handed as one with others, its own lines."""
    content = message.content
    if content == own.content or (handed is not None and content == handed.content):
        return own.content
    edited, mine = without_memory(content), with_refusal_told(own).content
    given = mine if handed is None else without_memory(handed.content)
    if isinstance(edited, str) and isinstance(given, str) and isinstance(mine, str) and given != mine:
        return _own_lines(edited, given, mine)
    return edited


def _own_lines(edited: str, given: str, own: str) -> str:
    """What of an edited text stands where `own` stood at the beginning or the end of the one that was given."""
    if not own:
        return own
    others = given.count("\n") - own.count("\n")
    if edited.count("\n") < others:
        return edited
    if given.startswith(own):
        return edited.rsplit("\n", others)[0]
    return edited.split("\n", others)[others] if given.endswith(own) else edited


def mapped(out: Any, change: Change) -> Any:
    """What a node returned, with `change` applied to every update in it."""
    if isinstance(out, Mapping):
        return change(out)
    if isinstance(out, Command):
        return dataclasses.replace(out, update=_mapped_update(out.update, change))
    if isinstance(out, list | tuple) and any(isinstance(one, Command) for one in out):
        return [mapped(one, change) for one in out]
    return _mapped_model(out, change)


def _mapped_update(update: Any, change: Change) -> Any:
    if isinstance(update, list | tuple) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in update):
        return [item for key, value in update for item in change({key: value}).items()]
    return change(update) if isinstance(update, Mapping) else _mapped_model(update, change)


def _mapped_model(value: Any, change: Change) -> Any:
    if isinstance(value, BaseModel):
        return value.model_copy(update=dict(change({name: getattr(value, name) for name in value.model_fields_set})))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
        changed = change(named)
        return dataclasses.replace(value, **{k: v for k, v in changed.items() if v is not named.get(k)})
    return value


def also(out: Any, update: Mapping[str, Any], *, leaving: bool = False) -> Any:
    """The output with a further update, where it has room for one.

    Args:
        leaving: the update is for the parent graph too, when the output goes there.
    """
    if not update:
        return out
    if out is None:
        return dict(update)
    if isinstance(out, Mapping):
        return {**out, **update}
    if isinstance(out, Command) and (leaving or out.graph is None):
        if out.update is None or isinstance(out.update, Mapping):
            return dataclasses.replace(out, update={**(out.update or {}), **update})
        if isinstance(out.update, list):
            return dataclasses.replace(out, update=[*out.update, *update.items()])
    if isinstance(out, list) and out and isinstance(out[0], Command):
        return [also(out[0], update, leaving=leaving), *out[1:]]
    return out


def _id(message: Any) -> str | None:
    return getattr(message, "id", None)
