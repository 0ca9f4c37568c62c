"""Writes test/sentencepiece/: a small spm.model as DeBERTa's are, the tokenizer.json that transformers makes of it, and tokenisations.

    python reference/make_sentencepiece_goldens.py       (needs sentencepiece and protobuf too)

The model is trained on the contexts of starter/squad with [PAD], [CLS], [SEP] and [UNK] as its first pieces and without [MASK], which the
tokenizer adds. Its rules of normalisation are few (a full table is 240 kB): full-width letters, a ligature, special spaces, composed accents.
transformers 5 builds DeBERTa's tokenizer without the model's own rules; DebertaV2Converter, by which published tokenizer.json files were made,
has them.
"""

import contextlib
import json
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import sentencepiece
from tokenizers import AddedToken
from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import DebertaV2Converter

ROOT = Path(__file__).parent.parent
RULES = {"ﬁ": "fi", "\u00a0": " ", "\u3000": " ", "\t": " ", "\n": " ", "\r": " ", "e\u0301": "é", "…": "...", "²": "2", "\u200b": ""}
RULES |= {chr(0xFF21 + i): chr(0x41 + i) for i in range(26)} | {chr(0xFF41 + i): chr(0x61 + i) for i in range(26)}

TEXTS = [
    "Who wrote it?",
    "  leading,  doubled and trailing  ",
    "lines\r\nand\ttabs\n\nand no-break\u00a0spaces",
    "ＦＵＬＬ width, ﬁne ligatures, e\u0301 and é, x² …",
    "zero\u200bwidth",
    "emoji 😀 👩‍👩‍👧 and 漢字𠀀𠀁 and שלום",
    "[MASK] and [SEP] and [UNK] in the text",
    "▁ itself ▁▁twice",
    "In 1066, the Norman conquest of England; 3.14159 (approximately).",
    "",
    " ",
    "a",
]


def train(folder):
    data = json.loads((ROOT / "starter" / "squad" / "train.json").read_text())["data"]
    contexts = [p["context"].replace("\n", " ") for article in data for p in article["paragraphs"]]
    (folder / "text").write_text("\n".join(contexts))
    code = lambda text: " ".join(f"{ord(c):X}" for c in text)  # noqa: E731
    (folder / "rules.tsv").write_text("".join(f"{code(a)}\t{code(b)}\n" for a, b in RULES.items()))
    with contextlib.chdir(folder):  # the model keeps the names of its files as they are given here
        sentencepiece.SentencePieceTrainer.train(
            input="text", model_prefix="spm", model_type="unigram", vocab_size=600, num_threads=1,
            normalization_rule_tsv="rules.tsv", pad_id=0, bos_id=1, eos_id=2, unk_id=3,
            pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]", user_defined_symbols=["<mark>"],
            character_coverage=0.999, minloglevel=2,
        )  # fmt: skip
    return folder / "spm.model"


def converted(model, **options):
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    slow = SimpleNamespace(
        vocab_file=str(model), do_lower_case=False, split_by_punct=False, convert_tokens_to_ids=processor.piece_to_id, **options
    )
    for name, value in options.items():
        setattr(slow, name, value)
    special = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]", "bos_token": "[CLS]", "eos_token": "[SEP]"}
    unknown = AddedToken("[UNK]", normalized=True, special=True)
    fast = PreTrainedTokenizerFast(tokenizer_object=DebertaV2Converter(slow).converted(), unk_token=unknown, **special)
    return processor, fast.backend_tokenizer


def main():
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "test" / "sentencepiece"
    out.mkdir(parents=True, exist_ok=True)
    if len(sys.argv) > 2:
        (out / "spm.model").write_bytes(Path(sys.argv[2]).read_bytes())
    else:
        with tempfile.TemporaryDirectory() as folder:
            (out / "spm.model").write_bytes(train(Path(folder)).read_bytes())
    processor, tokenizer = converted(out / "spm.model")
    (out / "tokenizer.json").write_text(tokenizer.to_str() + "\n")
    goldens = []
    for text in TEXTS:
        encoding = tokenizer.encode(text, add_special_tokens=False)
        goldens.append({"text": text, "ids": encoding.ids, "tokens": encoding.tokens, "offsets": encoding.offsets})
        if "[" not in text and "▁" not in text and encoding.ids != processor.encode(text):
            print(f"sentencepiece itself differs: {text!r}\n  {encoding.tokens}\n  {processor.encode(text, out_type=str)}")
    pair = tokenizer.encode(TEXTS[0], TEXTS[1])
    golden = {"texts": goldens, "pair": {"ids": pair.ids, "type_ids": pair.type_ids}}
    (out / "goldens.json").write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n")
    print({file.name: file.stat().st_size for file in out.iterdir()})


if __name__ == "__main__":
    main()
