"""Writes test/label-goldens.json: `python reference/make_label_goldens.py`.

The labels of starter/squad/dev.json by Hugging Face's tokenizer and the rule of its question-answering scripts: for each window the token at
which the first answer begins and the one at which it ends, 0 and 0 where the window does not hold it. `tokens` is the length of all windows,
`ids` the sum over windows of position times id, modulo 2^31 - 1.
"""

import json
from pathlib import Path

from transformers import AutoTokenizer

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = [dict(max_length=384, stride=128), dict(max_length=128, stride=32), dict(max_length=96, stride=None)]


def labels(offsets, sequence, start, end):
    first = sequence.index(1)
    last = len(sequence) - 1 - sequence[::-1].index(1)
    if offsets[first][0] > start or offsets[last][1] < end:
        return 0, 0
    begin = max(token for token in range(first, last + 1) if offsets[token][0] <= start)
    stop = min(token for token in range(first, last + 1) if offsets[token][1] >= end)
    return begin, stop


def main():
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "starter/minilm-l6")
    data = json.loads((ROOT / "starter/squad/dev.json").read_text())["data"]
    paragraphs = [paragraph for article in data for paragraph in article["paragraphs"]]
    examples = [(question, paragraph["context"]) for paragraph in paragraphs for question in paragraph["qas"]]
    goldens = []
    for setting in SETTINGS:
        stride = setting["stride"]
        windows = tokenizer(
            [question["question"].strip() for question, _ in examples], [context for _, context in examples],
            max_length=setting["max_length"], stride=stride or 0, truncation="only_second",
            return_overflowing_tokens=stride is not None, return_offsets_mapping=True,
        )  # fmt: skip
        count = len(windows["input_ids"])
        owners = windows.get("overflow_to_sample_mapping", range(count))
        pairs = []
        for window in range(count):
            answer = examples[owners[window]][0]["answers"][0]
            end = answer["answer_start"] + len(answer["text"])
            pairs.append(labels(windows["offset_mapping"][window], windows.sequence_ids(window), answer["answer_start"], end))
        ids = windows["input_ids"]
        goldens.append(setting | {
            "starts": [start for start, _ in pairs], "ends": [end for _, end in pairs],
            "tokens": sum(map(len, ids)), "ids": sum(i * value for window in ids for i, value in enumerate(window)) % (2**31 - 1),
        })  # fmt: skip
    (ROOT / "test/label-goldens.json").write_text(json.dumps(goldens, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
