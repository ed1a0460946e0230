"""What entity memory keeps in the store: immutable memos, the records of each entity, names that lead to it, receipts of
what was read. Pure.

A memo's id is a hash of the thread's root and branch, the message's id, the memory's name and an ordinal, so that a node
that runs again writes the same records again. A receipt per message says what was made of it: told again, an unchanged
message is not read again; an edited one has its records replaced. Receipts and names say where they come from as memos
do, so that a fork neither skips what only an abandoned line has read nor knows the names that were told there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.store.base import Item, PutOp

from graph_memory.extract.entities.values import VALUE_CHARACTERS, Claim, Extraction, cleaned
from graph_memory.memories.entity.naming import Named, Register, could_mean, is_kin, keys_of
from graph_memory.memories.entity.places import Part, entity_place, name_puts
from graph_memory.memories.entity.receipts import Reading, Receipt, digest_of, receipt_get
from graph_memory.memories.records import clip_end, memo_id, stored
from graph_memory.messages import metadata_of, speaker_of
from graph_memory.namespaces import namespace
from graph_memory.types import Memo, Origin, Scope, Turn

MENTION = "mention"
_KEPT = ("id", "origin", "said_at", "kind", "source", "before", "metadata", "valid_from")
_VERBS = {
    "employer": "works at", "home": "lives in", "partner": "is with", "age": "is aged", "job": "works as", "knows": "knows",
    "likes": "likes", "dislikes": "dislikes", "school": "studies at", "origin": "is from", "manager": "reports to",
    "allergy": "is allergic to", "favourite team": "supports", "birthday": "has birthday",
}  # fmt: skip
_NEVER_LINKED = frozenset({"age", "e-mail", "phone", "birthday", "address"})


@dataclass(frozen=True, slots=True)
class Writer:
    """Makes the records of messages; the register decides whom names mean, and keeps new ones.

    Attributes:
        turn: the turn that they belong to.
        memory: the memory's name.
        types: entity types that are kept.
        register: the names that are known.
        relations: whether claims lead from entity to entity.
    """

    turn: Turn
    memory: str
    types: frozenset[str]
    register: Register
    relations: bool = True

    def puts(self, reading: Reading, found: Extraction) -> list[PutOp]:
        """All that is written for one message; memos that an earlier reading wrote and this one does not are deleted."""
        scope = self.turn.scope
        puts = [put for memo in self._memos(reading, found) for put in _memo_puts(scope, self.memory, memo)]
        records = tuple((put.namespace, put.key) for put in puts)
        gone = [
            PutOp(where, key, None)
            for where, key in (reading.old.records if reading.old else ())
            if (where, key) not in records
        ]
        receipt = Receipt(digest_of(reading.message), reading.at.isoformat(), reading.seq, records)
        where, origin = receipt_get(self.turn, self.memory, reading.message), self._origin(reading.message)
        names = name_puts(scope, self.memory, self.register.taken(), self.turn.stem, origin)
        return [*gone, *puts, *names, PutOp(where.namespace, where.key, receipt.to_value(origin), index=False)]

    def _origin(self, message: BaseMessage) -> dict[str, Any]:
        """Where what is no memo comes from; the store's view fills in the line, as it does for memos."""
        return {"root": self.turn.root, "turn_id": message.id or "", "memory": self.memory}

    def _memos(self, reading: Reading, found: Extraction) -> list[Memo]:
        at, speaker = reading.at.isoformat(), speaker_of(reading.message)
        types = {mention.name.casefold(): mention.type for mention in found.mentions}
        aliases = [(one, other, _kind_of(one, other, types)) for one, other in found.aliases]
        for one, other, kind in aliases:
            self._alias(one, other, kind, at)
        named: dict[str, tuple[str, str]] = {}
        links: dict[str, dict[str, None]] = {}
        made: list[dict[str, Any]] = []
        for claim in found.claims:
            made.append(self._claim(claim, types, at, named, links, speaker))
        for mention in found.mentions:
            if not mention.type or mention.type in self.types:
                named.setdefault(self.register.resolve(mention.name, mention.type, at), (mention.name, mention.type))
        for one, other, kind in aliases:
            entity = self.register.resolve(other, kind, at)
            made.append(_about("alias", entity, f"{one} is also called {other}", {"name": other, "type": kind}))
        for entity, (name, kind) in named.items():
            shown = {"name": name, "type": kind, **({"is_speaker": True} if name == speaker else {})}
            made.append(_about(MENTION, entity, name, shown))
            for by in links.get(entity, ()):
                made.append(_about(MENTION, entity, name, {**shown, "by": by}))
        return [self._memo(reading, value, ordinal) for ordinal, value in enumerate(made)]

    def _alias(self, one: str, other: str, kind: str, at: str) -> None:
        """Two names for one. Names of two entities that are both known already do not make them one: what is kept stays apart."""
        if is_kin(one):
            return self._relation(one, other, at)
        first, second = self.register.candidates(one, kind), self.register.candidates(other, kind)
        if len(second) == 1 and not first:
            self.register.add(Named(second[0], one, kind, at))
        elif not second:
            self.register.add(Named(self.register.resolve(one, kind, at), other, kind, at))
        return None

    def _relation(self, kin: str, name: str, at: str) -> None:
        """Whom a relation stands for, which may change: "my boss" was Carol and is Dave."""
        called = self.register.called(kin)
        is_another = bool(called) and not any(could_mean(name, known, "person") for known in called)
        if is_another or len(self.register.candidates(name, "person")) == 1:
            entity = self.register.resolve(name, "person", at)
        else:
            entity = self.register.resolve(kin, "person", at)
            self.register.add(Named(entity, name, "person", at))
        self.register.relate(kin, Named(entity, name, "person", at))

    def _claim(
        self,
        claim: Claim,
        types: Mapping[str, str],
        at: str,
        named: dict[str, tuple[str, str]],
        links: dict[str, dict[str, None]],
        speaker: str,
    ) -> dict[str, Any]:
        kind = types.get(claim.subject.casefold()) or "person"
        subject = self.register.resolve(claim.subject, kind, at)
        named.setdefault(subject, (claim.subject, kind))
        value_id = self._value_id(claim, types, at)
        if value_id and not claim.ended and value_id != subject:
            named.setdefault(value_id, (claim.value, claim.value_type))
            links.setdefault(value_id, {})[subject] = None
        details = {
            "subject": claim.subject, "slot": claim.slot, "value": claim.value, "value_id": value_id, "single": claim.single,
            "ended": claim.ended, "sentence": claim.ordinal, "valid_from": claim.valid_from, "evidence": claim.evidence,
        }  # fmt: skip
        return _about("relation" if value_id else "fact", subject, claim_text(claim), details)

    def _value_id(self, claim: Claim, types: Mapping[str, str], at: str) -> str:
        if not self.relations or not claim.value or claim.slot in _NEVER_LINKED:
            return ""
        if not claim.slot:
            known = self.register.candidates(claim.value, types.get(claim.value.casefold(), ""))
            return known[0] if len(known) == 1 else ""
        return self.register.resolve(claim.value, claim.value_type, at) if claim.value_type in self.types else ""

    def _memo(self, reading: Reading, value: dict[str, Any], ordinal: int) -> Memo:
        message, turn = reading.message, self.turn
        extra = message.additional_kwargs
        details = dict(value["details"])
        since, evidence = details.pop("valid_from", None), details.pop("evidence", "")
        return Memo(
            id=memo_id(turn.stem, message.id or "", self.memory, ordinal),
            text=value["text"],
            origin=Origin(turn.root, seq=reading.seq, turn_id=message.id or "", memory=self.memory, ordinal=ordinal),
            said_at=reading.at,
            kind=value["kind"],
            speaker=speaker_of(message),
            role=str(extra.get("role") or message.type),
            session=str(extra.get("session") or turn.scope.thread_id or ""),
            source=message.id or "",
            before=clip_end(evidence),
            metadata={**metadata_of(message), "entity": value["entity"], **details},
            valid_from=since,
        )


def _kind_of(one: str, other: str, types: Mapping[str, str]) -> str:
    """The entity type of two names that mean the same; people have most other names."""
    return types.get(one.casefold()) or types.get(other.casefold()) or "person"


def keys_to_write(readings: Sequence[Reading], found: Sequence[Extraction]) -> list[str]:
    """Every key under which a name in these extractions may be known."""
    names: dict[tuple[str, str], None] = {}
    for reading, one in zip(readings, found, strict=True):
        names[speaker_of(reading.message), "person"] = None
        names |= {(mention.name, mention.type): None for mention in one.mentions}
        names |= {(claim.subject, ""): None for claim in one.claims}
        names |= {(claim.value, claim.value_type): None for claim in one.claims if claim.value_type or not claim.slot}
        names |= {(name, kind): None for pair in one.aliases for name in pair for kind in ("person", "")}
    return list(dict.fromkeys(key for name, kind in names for key in keys_of(name, kind)))


def indexed_once(puts: Sequence[PutOp]) -> list[PutOp]:
    """The operations, each text indexed once: LangGraph's InMemoryStore cannot embed it twice in one batch."""
    seen: set[str] = set()
    made = []
    for put in puts:
        text = str((put.value or {}).get("search", ""))
        made.append(put if put.index is False or text not in seen else put._replace(index=False))
        seen.add(text)
    return made


def claim_text(claim: Claim) -> str:
    """A claim as a sentence."""
    if claim.ended:
        slot = f" ({claim.slot})" if claim.slot else ""
        return cleaned(f"{claim.subject}: no longer {claim.value}{slot}", 2 * VALUE_CHARACTERS)
    verb = _VERBS.get(claim.slot)
    said = f"{claim.subject} {verb} {claim.value}" if verb else f"{claim.subject}'s {claim.slot}: {claim.value}"
    return cleaned(said, 2 * VALUE_CHARACTERS)


def _about(kind: str, entity: str, text: str, details: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "entity": entity, "text": text, "details": details}


def kept_value(memo: Memo) -> dict[str, Any]:
    """A memo as its entity's record keeps it."""
    value = memo.to_value()
    return {name: value[name] for name in _KEPT if name in value}


def kept_in(items: Iterable[Item], place: tuple[str, ...]) -> list[Memo]:
    """The records that lie under a place, as memos without a text; what is no record is passed over."""
    kept = []
    for item in items:
        try:
            if item.namespace[: len(place)] == place and "metadata" in item.value:
                kept.append(Memo.from_value({"text": "", **item.value}))
        except (KeyError, TypeError, ValueError):
            continue
    return kept


def part_of(memo: Memo) -> Part:
    """In which part of its entity's records a memo is."""
    if memo.kind == MENTION:
        return "mentions"
    details = memo.metadata
    return "lists" if "slot" in details and not details.get("single") and not details.get("ended") else "slots"


def _memo_puts(scope: Scope, memory: str, memo: Memo) -> list[PutOp]:
    """The record of a memo, and the memo itself where searches find it; that somebody was spoken of is not searched for."""
    where = (*entity_place(scope, memory, str(memo.metadata["entity"])), part_of(memo))
    record = PutOp(where, memo.id, kept_value(memo), index=False)
    if memo.kind == MENTION:
        return [record]
    return [record, PutOp(namespace(scope, memory), memo.id, stored(memo, ()), index=["search"])]
