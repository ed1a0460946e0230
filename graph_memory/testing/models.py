"""A stand-in for the APIs of OpenAI and Gemini, on loopback: test your graph with the real clients and without a key.

    with ModelServer(["Hello Ada.", Failure(429), "Your sister lives in Ghent."]) as server:
        model = ChatOpenAI(model="gpt-4o-mini", base_url=server.openai_url, api_key=server.key)
        ...
        assert "Ghent" in server.requests[-1].text

A script says what is answered: a list, from which every request takes the next (it may begin with failures), or a function of the
request. An object in it is answered in the way that the request asks for structured output. Whatever the script says,
a request that the API would refuse is refused with status 400 and the API's own words: tool calls without their results, empty
parts, a conversation that begins with an answer, a schema that is not allowed. So a test that passes shows that the
conversation would have been accepted.

What it imitates: `/v1/chat/completions`, `/v1/responses` and `/v1/embeddings` of OpenAI; `generateContent`,
`streamGenerateContent`, `embedContent` and `batchEmbedContents` of Gemini; streams with their usage, tool calls, structured
output, keys, errors and their headers.

What it does not: pictures and sound are accepted unread, and it does not hold an answer to the schema that was asked for, or to
`max_tokens`.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from secrets import token_hex
from types import TracebackType
from typing import Any, Self, TypeAlias

from graph_memory.testing._gemini import GeminiChat, GeminiVectors
from graph_memory.testing._http import BrokenOff, LoopbackServer, Response
from graph_memory.testing._model_values import (
    Answer,
    Asked,
    ChatWire,
    CutOff,
    Failure,
    Hang,
    Malformed,
    Nothing,
    Reply,
    Said,
    ToolCall,
    Usage,
    VectorWire,
    as_reply,
)
from graph_memory.testing._openai_chat import OpenAIChat, OpenAIVectors
from graph_memory.testing._openai_responses import OpenAIResponses

__all__ = [
    "Answer",
    "Asked",
    "CutOff",
    "Failure",
    "Hang",
    "Malformed",
    "ModelServer",
    "Nothing",
    "Reply",
    "Said",
    "ToolCall",
    "echo",
    "embed_words",
]

Script: TypeAlias = "Iterable[Answer] | Callable[[Asked], Answer]"

_CHAT: dict[str, ChatWire] = {
    "/v1/chat/completions": OpenAIChat(),
    "/v1/responses": OpenAIResponses(),
    ":generateContent": GeminiChat(),
    ":streamGenerateContent": GeminiChat(),
}
_VECTORS: dict[str, VectorWire] = {
    "/v1/embeddings": OpenAIVectors(),
    ":embedContent": GeminiVectors(),
    ":batchEmbedContents": GeminiVectors(),
}
_MESSAGE_TOKENS = 4
_WORD = re.compile(r"\w+")


def echo(asked: Asked) -> str:
    """Answers with what the user said last; the script when none is given."""
    return f"You said: {asked.question}"


def embed_words(text: str, dims: int = 64) -> list[float]:
    """A vector by the words of a text: texts that share words are near each other."""
    vector = [0.0] * dims
    for word in _WORD.findall(text.lower()):
        vector[int.from_bytes(hashlib.blake2b(word.encode(), digest_size=4).digest()) % dims] += 1.0
    return vector if any(vector) else [1.0, *vector[1:]]


def four_characters_a_token(text: str) -> int:
    """Counts tokens, roughly."""
    return math.ceil(len(text) / 4)


class ModelServer:
    """Runs from the start of a `with` block to its end, where what the script raised is raised again.

    Args:
        script: what is answered to conversations; a list that is used up is followed by errors.
        trouble: what is answered to the first requests for vectors, None for vectors; a list, which vectors follow.
        embed: makes the vectors.
        count: tokens of a text, for the usage that is told.
        context_tokens: what a model takes at most; a longer conversation is refused. None takes all.
        keep_alive: whether a connection serves several requests. Without, nothing is left open when an event loop ends.

    Attributes:
        key: the API key that it takes.
        requests: what was asked, oldest first, refused requests too.
    """

    def __init__(
        self,
        script: Script = echo,
        *,
        trouble: Iterable[Failure | Hang | Malformed | None] = (),
        embed: Callable[[str], Sequence[float]] = embed_words,
        count: Callable[[str], int] = four_characters_a_token,
        context_tokens: int | None = None,
        keep_alive: bool = False,
    ) -> None:
        self.key = f"sk-stand-in-{token_hex(16)}"
        self.requests: list[Asked] = []
        self._answer = script if callable(script) else _in_turn(script)
        self._trouble = iter(trouble)
        self._embed, self._count, self._most = embed, count, context_tokens
        self._failed: Exception | None = None
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._server = LoopbackServer(self._answered, keep_alive=keep_alive)

    @property
    def openai_url(self) -> str:
        """The `base_url` of OpenAI's clients."""
        return f"{self._server.url}/v1"

    @property
    def gemini_url(self) -> str:
        """The `base_url` of Gemini's clients."""
        return self._server.url

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which both clients find it."""
        return {
            "OPENAI_BASE_URL": self.openai_url,
            "OPENAI_API_KEY": self.key,
            "GOOGLE_GEMINI_BASE_URL": self.gemini_url,
            "GOOGLE_API_KEY": self.key,
        }

    @property
    def refused(self) -> list[str]:
        """Why requests were refused that the API would not take."""
        return [asked.problem for asked in self.requests if asked.problem]

    def __enter__(self) -> Self:
        self._is_over.clear()
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._server.stop()
        if error is None and self._failed is not None:
            raise self._failed

    def _answered(self, path: str, headers: Any, body: bytes) -> Response:
        route = path.partition("?")[0]
        chat = next((wire for end, wire in _CHAT.items() if route.endswith(end)), None)
        vectors = next((wire for end, wire in _VECTORS.items() if route.endswith(end)), None)
        wire = chat or vectors
        if wire is None:
            return _json({"error": {"message": f"Unknown request URL: POST {route}", "code": 404}}, 404)
        if self.key not in (headers.get("x-goog-api-key"), headers.get("Authorization", "").removeprefix("Bearer ")):
            return _json(wire.error(401, "Incorrect API key provided."), 401)
        asked = self._noted(wire.asked(path, json.loads(body)))
        if asked.problem:
            return _json(wire.error(400, asked.problem), 400)
        answer = self._scripted(asked) if chat else self._next_trouble()
        if isinstance(answer, Failure):
            return _failed(answer, wire.error(answer.status, answer.message))
        if isinstance(answer, Hang):
            self._is_over.wait(answer.seconds)
            raise BrokenOff
        if isinstance(answer, Malformed):
            return Response(body=answer.body, content_type=answer.content_type)
        return self._said(chat, asked, answer) if chat else self._vectors(vectors, asked)

    def _noted(self, asked: Asked) -> Asked:
        """The request with its tokens, kept for the test."""
        texts = [text for m in asked.messages for text in (m.text, *(call.arguments for call in m.calls))]
        tokens = sum(map(self._count, [*texts, *asked.texts])) + _MESSAGE_TOKENS * len(asked.messages)
        problem = asked.problem
        if self._most is not None and tokens > self._most and asked.kind == "chat":
            problem = f"This model's maximum context length is {self._most} tokens. Your messages have {tokens}."
        asked = replace(asked, prompt_tokens=tokens, problem=problem)
        with self._lock:
            self.requests.append(asked)
        return asked

    def _scripted(self, asked: Asked) -> Answer:
        """What the script says; when it raises, the client is refused, and the error comes up at the end of the block."""
        try:
            answer = self._answer(asked)
            if answer is None:
                raise ValueError("the script answered None")
            return answer
        except Exception as exc:  # noqa: BLE001 - the test's own, raised again at the end
            self._failed = self._failed or exc
            return Failure(400, message=f"The script of the stand-in failed: {type(exc).__name__}")

    def _next_trouble(self) -> Any:
        with self._lock:
            return next(self._trouble, None)

    def _vectors(self, wire: VectorWire | None, asked: Asked) -> Response:
        assert wire is not None
        made = [self._embed(text) for text in asked.texts]
        return _json(wire.vectors(asked, made, Usage(asked.prompt_tokens, 0)))

    def _said(self, wire: ChatWire, asked: Asked, answer: Any) -> Response:
        if isinstance(answer, Nothing):
            return _json(wire.nothing(asked))
        reply = answer.reply if isinstance(answer, CutOff) else as_reply(answer, asked)
        spoken = reply.text + reply.refusal + "".join(call.arguments for call in reply.calls)
        usage = Usage(asked.prompt_tokens, self._count(spoken), reply.thought_tokens)
        if asked.is_streamed:
            events = wire.events(asked, reply, usage)
            pieces = _broken_off(events, answer.after) if isinstance(answer, CutOff) else events
            return Response(pieces=pieces, content_type="text/event-stream")
        whole = json.dumps(wire.body(asked, reply, usage)).encode()
        if isinstance(answer, CutOff):
            return Response(body=whole[: len(whole) // 2], length=len(whole))
        return Response(body=whole)


def _in_turn(script: Iterable[Answer]) -> Callable[[Asked], Answer]:
    left, lock = iter(script), threading.Lock()

    def answer(_: Asked) -> Answer:
        with lock:
            return next(left, Failure(400, message="The script of the stand-in has no answer left."))

    return answer


def _json(body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(status, json.dumps(body).encode())


def _failed(failure: Failure, body: Mapping[str, Any]) -> Response:
    seconds = failure.retry_after_seconds
    headers = {} if seconds is None else {"Retry-After": f"{seconds:g}"}
    return Response(failure.status, json.dumps(body).encode(), headers=headers)


def _broken_off(events: Iterable[bytes], after: int) -> Iterable[bytes]:
    for number, one in enumerate(events):
        if number == after:
            raise BrokenOff
        yield one
