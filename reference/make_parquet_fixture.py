"""Writes test/squad-columns-zstd.parquet: `python reference/make_parquet_fixture.py`, with pyarrow installed.

The first 12 questions of starter/squad/dev.json in the columns of the hub's `squad`, as pyarrow writes them, in two row groups.
"""

import itertools
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
ANSWERS = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int32()))])
SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "title", "context", "question")] + [("answers", ANSWERS)])


def rows():
    for article in json.loads((ROOT / "starter/squad/dev.json").read_text())["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                answers = {name: [answer[name] for answer in question["answers"]] for name in ("text", "answer_start")}
                yield {"id": question["id"], "title": article["title"], "context": paragraph["context"], "question": question["question"], "answers": answers}


table = pa.Table.from_pylist(list(itertools.islice(rows(), 12)), schema=SCHEMA)
pq.write_table(table, ROOT / "test/squad-columns-zstd.parquet", compression="zstd", row_group_size=7)
