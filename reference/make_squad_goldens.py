"""Writes test/squad-goldens.json: `python reference/make_squad_goldens.py EVALUATE_V1.1.PY EVALUATE_V2.0.PY [SQUAD_V2.0_DEV.JSON]`.

Runs the two official SQuAD scripts, given by path, and records what they print. Needs only Python, up to 3.11: from 3.12 on sum() of
floats is compensated, so the 2.0 script prints other last digits there. Three sets of questions:

- `tricky`: made here, answers full of what Python's text functions treat in their own way; data and predictions stand in the file.
- `starter`: starter/squad/dev.json, with predictions by `rule_prediction` below, which the tests compute again.
- `squad2`: a SQuAD 2.0 file, where one is given, with predictions and no-answer scores by the same rule; only the figures are kept.
"""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PIECES = (
    ["a", "an", "the", "A", "The", "AN", "Rome", "rome", "war", "1914", "theory", "U.S.", "it's", "--", "!", "$5,000", "_", "the_end"]
    # case: dotted I, final sigma, sharp s, Kelvin sign, title-case digraph, Greek, Cherokee, Deseret
    + ["İstanbul", "i̇stanbul", "ΟΔΟΣ", "οδος", "ΣΑΣ", "STRASSE", "Straße", "ẞ", "\u212a", "ǅ", "Ꭰ", "𐐀", "ﬁ", "ŒUVRE"]
    # word characters: superscripts, fractions, numerals, ideographs, ordinal signs, digits of other scripts
    + ["²", "½", "Ⅷ", "ⅷ", "東京", "ª", "º", "٣", "४", "𝐚", "①", "〇"]
    # not word characters: combining marks, joiners, format characters, emoji
    + ["\u0301", "\u0903", "\u093e", "\u200b", "\u200d", "\u00ad", "\u2060", "🙂", "🇮🇹", "—", "–", "“", "”", "‘", "…", "€", "\u20e3"]
    # white space, and what looks like it
    + [" ", " ", " ", " ", "  ", "\t", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\xa0", "\u1680", "\u180e"]
    + ["\u2003", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff", "\ud83d"]
)


def tricky():
    draw = random.Random(2026)
    text = lambda: "".join(draw.choice(PIECES) for _ in range(draw.randint(1, 7)))
    questions, predictions, scores = [], {}, {}
    for i in range(240):
        answers = [text() for _ in range(draw.randint(1, 3))] if i % 5 else []
        kind = draw.randint(0, 4)
        gold = draw.choice(answers or [""])
        prediction = [gold, "", text(), "the " + gold.upper() + "!", gold + draw.choice(PIECES)][kind]
        key = str(draw.randint(0, 10**6)) if i % 3 == 0 else f"q{i}"
        questions.append({"id": key, "question": "?", "answers": [{"text": a, "answer_start": 0} for a in answers], "is_impossible": not answers})
        predictions[key] = prediction
        scores[key] = round(draw.gauss(0 if answers else 1, 1), 1)  # few values, so that many are equal
    data = {"version": "v2.0", "data": [{"title": "Tricky", "paragraphs": [{"context": "No answer stands here.", "qas": questions}]}]}
    # Questions, predictions and scores each in an order of their own: the order of the scores decides between equal ones.
    return data, dict(draw.sample(list(predictions.items()), len(predictions))), dict(draw.sample(list(scores.items()), len(scores)))


def rule_prediction(index, answers, context):
    """A prediction that any language can make again: right, nearly right, wrong and empty ones in turn."""
    gold = answers[index % len(answers)]["text"] if answers else context.split(" ")[0]
    kind = index % 7
    if kind == 0:
        return gold
    if kind == 1:
        return "The " + gold + "."
    if kind == 2:
        return gold.split(" ")[0]
    if kind == 3:
        return context[index % 50 : index % 50 + 25]
    if kind == 4:
        return ""
    if kind == 5:
        return gold + " " + context[:10]
    return gold if answers else ""


def by_rule(data):
    predictions, scores = {}, {}
    paragraphs = (paragraph for article in data["data"] for paragraph in article["paragraphs"])
    questions = ((question, paragraph["context"]) for paragraph in paragraphs for question in paragraph["qas"])
    for index, (question, context) in enumerate(questions):
        predictions[question["id"]] = rule_prediction(index, question["answers"], context)
        scores[question["id"]] = (index * 37) % 101 / 50 - (1 if question["answers"] else 0.5)
    return data, predictions, scores


def answerable(data):
    paragraphs = [dict(p, qas=[q for q in p["qas"] if q["answers"]]) for article in data["data"] for p in article["paragraphs"]]
    return {"version": "1.1", "data": [{"title": "", "paragraphs": paragraphs}]}


def figures(scripts, data, predictions, scores):
    v1, v2 = scripts
    with tempfile.TemporaryDirectory() as folder:
        def path(name, value):
            file = Path(folder) / name
            file.write_text(json.dumps(value))
            return str(file)

        def run(*command):
            return json.loads(subprocess.run([sys.executable, *command], cwd=folder, check=True, capture_output=True, text=True).stdout)

        questions, given, na = path("data.json", data), path("predictions.json", predictions), path("na.json", scores)
        some = path("some.json", {key: text for i, (key, text) in enumerate(predictions.items()) if i % 10})
        only_answerable = path("answerable.json", answerable(data))
        return {
            "squad1": run(v1, only_answerable, given),
            "squad1_incomplete": run(v1, only_answerable, some),
            "squad2": run(v2, questions, given),
            "squad2_scores": run(v2, questions, given, "--na-prob-file", na),
            "squad2_threshold": run(v2, questions, given, "--na-prob-file", na, "--na-prob-thresh", "0.25"),
        }


def main():
    if sys.version_info >= (3, 12):
        sys.exit("Python 3.11 or older is needed: see the top of this file.")
    scripts = [str(Path(script).resolve()) for script in sys.argv[1:3]]
    data, predictions, scores = tricky()
    goldens = {"tricky": {"data": data, "predictions": list(predictions.items()), "scores": list(scores.items()), "figures": figures(scripts, data, predictions, scores)}}
    goldens["starter"] = {"figures": figures(scripts, *by_rule(json.loads((ROOT / "starter/squad/dev.json").read_text())))}
    if len(sys.argv) > 3:
        goldens["squad2"] = {"figures": figures(scripts, *by_rule(json.loads(Path(sys.argv[3]).read_text())))}
    (ROOT / "test/squad-goldens.json").write_text(json.dumps(goldens, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
