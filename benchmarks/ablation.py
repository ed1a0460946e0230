"""What each ranking signal is worth: the retrieval measures with every signal left out in turn.

python -m benchmarks.ablation [DATA]         the data set that benchmarks.retrieval takes; with $BENCH_EMBEDDER by meaning too
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from benchmarks.retrieval import MEMORY, SCOPE, embedder, filled, load
from graph_memory.context.ranking import RankingWeights


def main() -> None:
    """Prints R@10, nDCG@10 and the adversarial questions' R@10 for all signals, then without each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default=os.environ.get("BENCH_DATA"), help="gzipped JSON")
    path = parser.parse_args().data or parser.error("name the data set, or set BENCH_DATA")
    data = load(path)
    embed = embedder() if "BENCH_EMBEDDER" in os.environ else None
    stores = [filled(conversation["turns"], embed) for conversation in data["conversations"]]
    print(f"{'without':<16}{'R@10':>8}{'nDCG@10':>10}{'adversarial':>13}")
    for name in ["", *(field.name for field in fields(RankingWeights))]:
        weights = replace(RankingWeights(), **({name: 0.0} if name else {}))
        print(f"{name or '(nothing)':<16}" + row(data, stores, weights), flush=True)


def row(data: Mapping[str, Any], stores: Sequence[tuple[Any, dict[str, str]]], weights: RankingWeights) -> str:
    """The measures of one setting."""
    memory = replace(MEMORY, weights=weights)
    headline = set(data.get("headline_categories") or ())
    recall, gain, adversarial = list[float](), list[float](), list[float]()
    for conversation, (store, turn_of) in zip(data["conversations"], stores, strict=True):
        for question in conversation["questions"]:
            gold = set(question.get("evidence_clean", question["evidence_raw"]))
            if not gold:
                continue
            found = [turn_of[one.memo.id] for one in memory.search(SCOPE, question["question"], store=store, limit=10)]
            share = len(gold & set(found)) / len(gold)
            if headline and question["category"] not in headline:
                adversarial.append(share)
            else:
                recall.append(share)
                gain.append(_gain(found, gold))
    figures = (100 * statistics.fmean(values) if values else math.nan for values in (recall, gain, adversarial))
    return "{:>8.1f}{:>10.1f}{:>13.1f}".format(*figures)


def _gain(found: Sequence[str], gold: set[str]) -> float:
    """Normalised discounted cumulative gain of the ten found."""
    gained = sum(1 / math.log2(place + 2) for place, one in enumerate(found) if one in gold)
    return gained / sum(1 / math.log2(place + 2) for place in range(min(10, len(gold))))


if __name__ == "__main__":
    main()
