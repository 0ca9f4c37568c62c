"""Writes test/distance-goldens.json: the buckets of DeBERTa's distances, by transformers' own function.

For each table those of distances 0, 1, …; those of negative distances are their negatives, which is checked here.
"""

import json
from pathlib import Path

import torch
from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

# buckets and range: v3 and v2-xlarge (256, 512), longer and shorter tables, an odd number of buckets
TABLES = [(256, 512, 600), (256, 1024, 1100), (512, 2048, 700), (32, 128, 200), (8, 32, 45), (7, 40, 60), (2, 16, 24)]


def bucket_of_each(buckets, range_, count):
    distances = torch.arange(-count + 1, count)
    bucket = make_log_bucket_position(distances, buckets, range_).to(torch.long)
    assert torch.equal(bucket, -bucket.flip(0)), f"{buckets} {range_}"
    return bucket[count - 1 :].tolist()


def main():
    tables = [{"buckets": b, "range": r, "bucket_of": bucket_of_each(b, r, n)} for b, r, n in TABLES]
    text = ",\n".join("  " + json.dumps(table) for table in tables)
    (Path(__file__).parent.parent / "test" / "distance-goldens.json").write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
