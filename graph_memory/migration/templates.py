"""Where the user's id stands in what other programs write: namespaces such as ("memories", user) and sessions such as "ada:1".

What could be read in two ways is refused: a wrong guess would give one user's memory to another. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from graph_memory.errors import ConfigurationError

_VARIABLE = re.compile(r"\{(\w+)\}")
_REST = "..."


class Whose(NamedTuple):
    """What a namespace or a session names; None is what it does not name."""

    user: str | None
    thread: str | None


@dataclass(frozen=True, slots=True)
class NamespaceTemplate:
    """Labels of a namespace, of which some stand for an id.

    Attributes:
        labels: a label as it is, `{user_id}`, or any other `{name}` for a label that may be anything; a last label of `...`
            stands for any number of them.
    """

    labels: tuple[str, ...]

    @classmethod
    def of(cls, template: str | Sequence[str]) -> NamespaceTemplate:
        """The template that "memories,{user_id}" or ("memories", "{user_id}") writes.

        Raises:
            ConfigurationError: a label is empty or half a variable, or the user stands in it twice.
        """
        labels = tuple(one.strip() for one in (template.split(",") if isinstance(template, str) else template))
        wrong = [one for one in labels if not one or (("{" in one or "}" in one) and not _VARIABLE.fullmatch(one))]
        if wrong or not labels or _REST in labels[:-1] or sum(map(_is_user, labels)) > 1:
            raise ConfigurationError(
                f"{template!r} is no template of a namespace: write its labels with commas between them and {{user_id}} where "
                "the user stands, such as memories,{user_id}"
            )
        return cls(labels)

    @property
    def prefix(self) -> tuple[str, ...]:
        """The labels before the first that may be anything."""
        fixed = [label == _REST or bool(_VARIABLE.fullmatch(label)) for label in self.labels]
        return self.labels[: fixed.index(True)] if True in fixed else self.labels

    @property
    def names_user(self) -> bool:
        """Whether the user stands in it."""
        return any(map(_is_user, self.labels))

    def read(self, namespace: Sequence[str]) -> Whose | None:
        """Whose items are in a namespace; None when it is another kind of namespace."""
        labels = self.labels
        if labels[-1] == _REST:
            labels, namespace = labels[:-1], namespace[: len(labels) - 1]
        if len(labels) != len(namespace):
            return None
        if any(label != own for label, own in zip(labels, namespace, strict=True) if not _VARIABLE.fullmatch(label)):
            return None
        users = [own for label, own in zip(labels, namespace, strict=True) if _is_user(label)]
        return Whose(users[0] if users else None, None)


@dataclass(frozen=True, slots=True)
class SessionTemplate:
    """How a session's name holds a user and a thread, such as `{user_id}:{thread_id}`."""

    template: str = "{thread_id}"

    def __post_init__(self) -> None:
        names = _VARIABLE.findall(self.template)
        if not names or len(set(names)) < len(names) or not {*names} <= {"user_id", "thread_id"}:
            raise ConfigurationError(
                f"{self.template!r} is no template of sessions: write {{user_id}}, {{thread_id}} or both once, such as "
                "{user_id}:{thread_id}"
            )
        if "}{" in self.template:
            raise ConfigurationError(f"{self.template!r} does not say where the user ends: put a mark between the two")

    @property
    def names_user(self) -> bool:
        """Whether the user stands in it."""
        return "{user_id}" in self.template

    def read(self, session: str) -> Whose:
        """Whose session it is, and which thread; where no thread stands in it, the whole name is the thread's.

        Raises:
            ValueError: it is no such session, or could be read in two ways.
        """
        found = [re.fullmatch(self._pattern(lazy), session, re.DOTALL) for lazy in ("?", "")]
        if found[0] is None or found[1] is None:
            raise ValueError(f"its session is not of the form {self.template}")
        if found[0].groupdict() != found[1].groupdict():
            raise ValueError(
                f"its session can be read in two ways as {self.template}: name its user and thread otherwise"
            )
        named = found[0].groupdict()
        return Whose(named.get("user_id"), named.get("thread_id", session))

    def _pattern(self, lazy: str) -> str:
        parts = _VARIABLE.split(self.template)  # text and names in turn
        return "".join(f"(?P<{part}>.+{lazy})" if at % 2 else re.escape(part) for at, part in enumerate(parts))


def _is_user(label: str) -> bool:
    found = _VARIABLE.fullmatch(label)
    return found is not None and found[1].endswith("user_id")
