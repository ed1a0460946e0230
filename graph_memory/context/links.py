"""What belongs together across memories: texts that share a turn, a message or a name. Pure.

A mark that most of the texts carry says nothing, so it links nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graph_memory.context.notes import SENTENCE
from graph_memory.types import Context, Origin

Marks = frozenset[str]
"""What a text can share with others, such as "turn:…", "message:…", "entity:…" and "name:…"."""

_FEW = 3
_LONGEST_NAME = 60


def links_between(marks: Mapping[str, Marks]) -> dict[str, tuple[str, ...]]:
    """Id to the ids that share a mark with it, in the order of `marks`; those that share nothing are left out."""
    holders: dict[str, list[str]] = {}
    for key, carried in marks.items():
        for mark in carried:
            holders.setdefault(mark, []).append(key)
    most = max(_FEW, len(marks) // 2)
    together = {mark: keys for mark, keys in holders.items() if 1 < len(keys) <= most}
    places = {key: place for place, key in enumerate(marks)}
    found = {}
    for key, carried in marks.items():
        others = {other for mark in carried for other in together.get(mark, ()) if other != key}
        if others:
            found[key] = tuple(sorted(others, key=places.__getitem__))
    return found


def context_links(context: Context) -> dict[str, tuple[str, ...]]:
    """Memo id to the ids of the other lines that a context shows and that share a turn, a message or a name with it.

    It takes about 10 µs a line, so it is done when somebody looks, not with every context.
    """
    own = {
        s.memo_id: s.marks | marked("message", s.source_ids) for section in context.sections for s in section.snippets
    }
    shown = {line.memo_id: line for line in context.kept if line.memo_id}
    return links_between({key: name_marks([line.text]) | own.get(key, Marks()) for key, line in shown.items()})


def turn_marks(origin: Origin) -> Marks:
    """The mark of the turn that something came from."""
    return marked("turn", [f"{origin.root}/{origin.turn_id}"] if origin.turn_id else [])


def marked(kind: str, values: Iterable[str]) -> Marks:
    """Marks of one kind; empty values give none."""
    return frozenset(f"{kind}:{value}" for value in values if value)


def name_marks(texts: Iterable[str], *, without: Iterable[str] = ()) -> Marks:
    """The names in texts: words with a capital inside a sentence, in scripts that have case."""
    known = {part.casefold() for name in without for part in name.split()}
    words = (
        word.strip("'’\"“”„()[]{}*_,;:.!?")
        for text in texts
        for sentence in SENTENCE.findall(text)
        for word in sentence.split()[1:]
    )
    return marked("name", (_folded(word) for word in words if _is_name(word) and _folded(word) not in known))


def _is_name(word: str) -> bool:
    return word[:1].isupper() and 2 < len(word) <= _LONGEST_NAME and not word.startswith(("I'", "I’"))


def _folded(word: str) -> str:
    return word.casefold().removesuffix("'s").removesuffix("’s")
