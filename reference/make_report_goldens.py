"""Writes test/report-goldens.json: `python reference/make_report_goldens.py EVALUATE_V2.0.PY`. Needs numpy, which that script imports.

- `precision_recall`: random answers and what the official SQuAD 2.0 script makes of them: make_precision_recall_eval's average precision (its
  points are read from the curve it hands to its own plotting function), find_best_thresh's best score.
- `calibration`: expected calibration error by its definition, with numpy's digitize over the bins (i/10, (i + 1)/10].
- `bootstrap`: differences of few questions, for which all n^n samples can be listed, and numpy's percentiles of their means; and differences of
  many, with the percentiles of 200,000 samples that numpy draws.
- `summary`: count, mean, deviation, quartiles by numpy.
"""

import importlib.util
import itertools
import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent


def official_script(path):
    spec = importlib.util.spec_from_file_location("evaluate_v2", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def precision_recall(script, draw, count, ties, answerable_share):
    ids = [f"q{i}" for i in range(count)]
    odds = {i: float(round(draw.normal(), 1) if ties else draw.normal()) for i in ids}
    answerable = {i: bool(draw.random() < answerable_share) for i in ids}
    answerable[ids[0]] = True
    # the script gives 0 for any answer to a question that has none
    scores = {i: float(draw.choice([0, 1, round(draw.random(), 3)])) if answerable[i] else 0.0 for i in ids}
    curve = []
    script.plot_pr_curve = lambda precisions, recalls, *_: curve.append([list(map(float, precisions)), list(map(float, recalls))])
    result = script.make_precision_recall_eval(scores, odds, sum(answerable.values()), answerable, out_image="unused", title="")
    best, threshold = script.find_best_thresh({i: "x" for i in ids}, scores, odds, answerable)
    return {
        "answers": [{"nullOdds": odds[i], "answerable": answerable[i], "score": scores[i]} for i in ids],
        "averagePrecision": float(result["ap"]),
        "precisions": curve[0][0],
        "recalls": curve[0][1],
        "best": float(best),
        "bestThreshold": float(threshold),
        "ties": ties,
    }


def calibration(draw, count):
    probabilities = np.round(draw.random(count), 2)  # two decimals: many on the bounds of bins
    right = (draw.random(count) < probabilities**2).astype(float)
    bins = np.clip(np.digitize(probabilities, np.array([i / 10 for i in range(1, 11)]), right=True), 0, 9)
    error = sum(abs(right[bins == b].mean() - probabilities[bins == b].mean()) * (bins == b).sum() / count for b in range(10) if (bins == b).any())
    counts = [int((bins == b).sum()) for b in range(10)]
    return {"probabilities": probabilities.tolist(), "right": right.tolist(), "expectedError": float(error), "counts": counts}


def bootstrap_exact(differences):
    means = [np.mean(sample) for sample in itertools.product(differences, repeat=len(differences))]
    # means of few questions are steps: a percentile at the edge of one would be a matter of chance
    assert all(np.isclose(*np.percentile(means, [near - 0.2, near + 0.2])) for near in (2.5, 97.5)), differences
    return {"differences": differences, "low": float(np.percentile(means, 2.5)), "high": float(np.percentile(means, 97.5))}


def bootstrap_sampled(draw, count):
    differences = np.round(draw.choice([0, 0, 0, 1, -1, 0.5, -0.25], count) * draw.random(count) + 0.02, 3)
    means = np.concatenate([draw.choice(differences, (2000, count)).mean(axis=1) for _ in range(100)])
    return {"differences": differences.tolist(), "low": float(np.percentile(means, 2.5)), "high": float(np.percentile(means, 97.5)), "deviation": float(means.std())}


def summary(draw):
    values = np.round(draw.normal(3, 5, 37), 3)
    quartiles = np.percentile(values, [0, 25, 50, 75, 100])
    names = ["min", "lowerQuartile", "median", "upperQuartile", "max"]
    figures = {"count": len(values), "mean": float(values.mean()), "deviation": float(values.std(ddof=1)), **dict(zip(names, quartiles.tolist()))}
    return {"values": values.tolist(), "figures": figures}


def main():
    script = official_script(sys.argv[1])
    draw = np.random.default_rng(2026)
    goldens = {
        "precision_recall": [precision_recall(script, draw, count, ties, share) for count, ties, share in [(1, False, 1), (60, True, 0.5), (200, False, 0.5), (80, True, 1)]],
        "calibration": [calibration(draw, count) for count in (1, 50, 400)],
        "bootstrap": {"exact": [bootstrap_exact([1.0, 0.0, -0.5, 0.25]), bootstrap_exact([0.0, 0.0, 1.0, -1.0, 1.0])], "sampled": bootstrap_sampled(draw, 300)},
        "summary": summary(draw),
    }
    (ROOT / "test/report-goldens.json").write_text(json.dumps(goldens, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
