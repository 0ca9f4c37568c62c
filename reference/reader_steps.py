"""What PyTorch makes of a reader's folder: its logits, and the losses of some optimizer steps on one batch.

    python reference/reader_steps.py FOLDER INPUTS.json [SETTINGS.json]

FOLDER is a model folder as Lectern writes it, INPUTS.json named integer arrays, SETTINGS.json an optimizer as in a parity
case's train.json. Prints one JSON object: start_logits and end_logits (before any step), and loss and grad_norm of each step.
Loading fails on a missing, unexpected or mismatched key (reader_case.load_model). Used by the slow tests.
"""

import json
import sys
from pathlib import Path

import torch
from reader_case import load_model, train
from transformers import AutoTokenizer

folder, inputs_file, *rest = sys.argv[1:]
torch.set_num_threads(2)
inputs = {name: torch.tensor(values) for name, values in json.loads(Path(inputs_file).read_text()).items()}
model = load_model(folder)
with torch.no_grad():
    outputs = model(**inputs)
figures = {"start_logits": outputs.start_logits.tolist(), "end_logits": outputs.end_logits.tolist()}
if rest:
    figures |= train(model, inputs, json.loads(Path(rest[0]).read_text()))
figures["tokens"] = AutoTokenizer.from_pretrained(folder)("Who wrote it?", "Ada Lovelace wrote the first program.")["input_ids"]
print(json.dumps(figures))
