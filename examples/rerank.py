"""A cross-encoder has the last word about the order of what was recalled.

    pip install sentence-transformers        (it fetches its model on first use)
    python examples/rerank.py

Any callable over a question and texts will do; a failing one leaves the order as it was. Without the package this example takes a
stand-in that counts common words, so that the wiring can be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from langchain_core.messages import AIMessage, HumanMessage

from graph_memory import Scope, Turn, VectorMemory, open_store
from graph_memory.memories.vector import Reranker
from graph_memory.steps import run


def cross_encoder(model: str = "cross-encoder/ms-marco-MiniLM-L6-v2") -> Reranker:
    """The model's scores for pairs of question and text."""
    from sentence_transformers import CrossEncoder

    loaded = CrossEncoder(model)

    def scores(question: str, texts: Sequence[str]) -> list[float]:
        return [float(score) for score in loaded.predict([(question, text) for text in texts])]

    return scores


def common_words(question: str, texts: Sequence[str]) -> list[float]:
    """How many words of the question each text holds."""
    asked = set(question.lower().split())
    return [float(len(asked & set(text.lower().split()))) for text in texts]


def main() -> None:
    """Remembers an exchange and recalls it with a reranker."""
    try:
        reranker = cross_encoder()
    except ImportError:
        reranker = common_words
    memory, scope = VectorMemory(reranker=reranker), Scope(user_id="ada")
    said = (HumanMessage("My sister Ines lives in Ghent.", id="1"), AIMessage("Ghent is lovely in spring.", id="2"))
    with open_store("sqlite://") as store:
        run(memory.remember(Turn(scope, said, "root", datetime.now(UTC))), store=store)
        for found in memory.search(scope, "where does my sister live?", store=store):
            print(f"{found.score:.2f}  {found.memo.text}  {found.parts}")


if __name__ == "__main__":
    main()
