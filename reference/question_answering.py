"""Answers of transformers' question-answering pipeline, to compare ours with: the pipeline itself where transformers has it (up to version 4),
else its decode as written below, which gives the same answers as that of 4.57.3 (question_answering.py: select_starts_ends, decode_spans,
postprocess).

    python reference/question_answering.py MODEL QUESTIONS.json

QUESTIONS.json: a list of {"question", "context", "options"}, options by the pipeline's names. Prints a list of lists of {score, start, end,
answer}; start and end are UTF-16 code units of the context, as JavaScript counts.
"""

import json
import sys

import numpy as np
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

try:
    from transformers import QuestionAnsweringPipeline
except ImportError:
    QuestionAnsweringPipeline = None


def softmax(logits, counted):
    weights = np.exp(np.where(counted, logits - logits[counted].max(), -np.inf))
    return weights / weights.sum()


def characters(encoding, first, last, align_to_words):
    """From the first character of the word that holds `first` to the last of the one that holds `last`, or of these tokens alone."""
    words = encoding.token_to_word(first), encoding.token_to_word(last)
    if not align_to_words or None in words:
        return encoding.offsets[first][0], encoding.offsets[last][1]
    return encoding.word_to_chars(words[0], 1)[0], encoding.word_to_chars(words[1], 1)[1]


def answers(model, tokenizer, question, context, options):
    top_k = options.get("top_k", 1)
    max_seq_len = options.get("max_seq_len", min(tokenizer.model_max_length, 384))
    windows = tokenizer(
        question,
        context,
        truncation="only_second",
        max_length=max_seq_len,
        stride=options.get("doc_stride", min(max_seq_len // 2, 128)),
        return_overflowing_tokens=True,
    )
    found, null_score = [], 1e6
    for index, encoding in enumerate(windows.encodings):
        inputs = {name: torch.tensor([windows[name][index]]) for name in tokenizer.model_input_names}
        with torch.no_grad():
            outputs = model(**inputs)
        in_context = np.array([sequence == 1 for sequence in encoding.sequence_ids])
        counted = in_context | (np.array(encoding.ids) == tokenizer.cls_token_id)
        start, end = (softmax(logits[0].numpy(), counted) for logits in (outputs.start_logits, outputs.end_logits))
        null_score = min(null_score, float(start[0] * end[0]))
        products = np.tril(np.triu(np.outer(start * in_context, end * in_context)), options.get("max_answer_len", 15) - 1)
        for place in np.argsort(-products, axis=None, kind="stable")[: 2 * top_k + 10]:
            first, last = np.unravel_index(place, products.shape)
            if products[first, last] == 0:
                continue
            begin, stop = characters(encoding, int(first), int(last), options.get("align_to_words", True))
            same = [one for one in found if one["answer"].lower() == context[begin:stop].lower()]
            if same:
                same[0]["score"] += float(products[first, last])
            else:
                found.append({"score": float(products[first, last]), "start": begin, "end": stop, "answer": context[begin:stop]})
    if options.get("handle_impossible_answer", False):
        found.append({"score": null_score, "start": 0, "end": 0, "answer": ""})
    return sorted(found, key=lambda one: one["score"], reverse=True)[:top_k]


def main(folder, file):
    torch.set_num_threads(2)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForQuestionAnswering.from_pretrained(folder, attn_implementation="eager").eval()
    pipeline = QuestionAnsweringPipeline(model=model, tokenizer=tokenizer) if QuestionAnsweringPipeline else None
    print("transformers' own pipeline" if pipeline else "the decode of this file", file=sys.stderr)
    results = []
    for case in json.load(open(file, encoding="utf-8")):
        question, context, options = case["question"], case["context"], case.get("options", {})
        if pipeline:
            best = pipeline(question=question, context=context, **options)
            best = best if isinstance(best, list) else [best]
        else:
            best = answers(model, tokenizer, question, context, options)
        units = lambda place: len(context[:place].encode("utf-16-le")) // 2
        results.append([{**one, "start": units(one["start"]), "end": units(one["end"])} for one in best])
    json.dump(results, sys.stdout)


main(*sys.argv[1:])
