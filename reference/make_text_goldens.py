"""Writes test/text-goldens.json: `python reference/make_text_goldens.py`. Needs only Python.

Pairs of texts and the measures of plain strings that people compute for a first look at predictions: string equality, F1 of the sets of words that
`str.split()` gives, and the Levenshtein distance by its recursive definition, over what Python calls characters.
"""

import json
import random
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIECES = ["the", "The", "Denver", "Broncos", "1914", "a", "e", "é", "e\u0301", "🙂", "🇮🇹", "東京", " ", " ", " ", "\t", "\u3000", "\x1c", "\ufeff", ".", ","]


def distance(a, b):
    @lru_cache(maxsize=None)
    def d(i, j):
        if i == 0 or j == 0:
            return i + j
        return min(d(i - 1, j) + 1, d(i, j - 1) + 1, d(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    return d(len(a), len(b))


def unigram_f1(prediction, gold):
    predicted, expected = set(prediction.split()), set(gold.split())
    if not predicted and not expected:
        return 1.0
    common = len(predicted & expected)
    if common == 0:
        return 0.0
    precision, recall = common / len(predicted), common / len(expected)
    return 2 * precision * recall / (precision + recall)


def main():
    draw = random.Random(2026)
    text = lambda: "".join(draw.choice(PIECES) for _ in range(draw.randint(0, 12)))
    pairs = [("", ""), ("a", ""), ("Denver Broncos", "the Denver Broncos"), ("kitten", "sitting"), ("a a b", "a b b")]
    for _ in range(60):
        gold = text()
        pairs.append((draw.choice([gold, text(), gold + draw.choice(PIECES), gold[1:]]), gold))
    goldens = []
    for prediction, gold in pairs:
        d = distance(prediction, gold)
        longer = max(len(prediction), len(gold))
        figures = {"plainExact": int(prediction == gold), "unigramF1": unigram_f1(prediction, gold), "distance": d, "similarity": 1 - d / longer if longer else 1.0}
        goldens.append({"prediction": prediction, "gold": gold, "figures": figures})
    (ROOT / "test/text-goldens.json").write_text(json.dumps(goldens, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
