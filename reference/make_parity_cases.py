"""Writes the parity cases of the extractive readers: `python reference/make_parity_cases.py [OUT_DIR] [NAME...]`.

Every case is a tiny reader with random weights and one batch, and what PyTorch computed on it (docs/parity.md). The
three plain cases cover an architecture each; the others vary what an implementation can get wrong without the plain ones
noticing: activation, epsilon, token types, padding index and place, odd sizes, inputs left out.
"""

import json
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (
    AlbertConfig, AutoModelForQuestionAnswering, BertConfig, CamembertConfig, DebertaV2Config, DistilBertConfig, ElectraConfig, MobileBertConfig, ModernBertConfig, MPNetConfig, RobertaConfig, XLMRobertaConfig,
)  # fmt: skip

from reader_case import forward_and_backward, load_inputs, load_model, no_decay_names, train, trainable

OPTIMIZER = dict(
    name="adamw", lr=2e-3, betas=[0.9, 0.999], eps=1e-8, weight_decay=0.01, clip_grad_norm=1.0, schedule="linear",
    warmup_steps=2, steps=10,
)  # fmt: skip

BERT_SIZES = dict(vocab_size=80, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)
BERT = dict(BERT_SIZES, max_position_embeddings=40, pad_token_id=0)
ROBERTA = dict(BERT_SIZES, max_position_embeddings=42, type_vocab_size=1, layer_norm_eps=1e-5)
DISTILBERT = dict(vocab_size=80, dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=40, pad_token_id=0)
DEBERTA = dict(
    BERT_SIZES, max_position_embeddings=64, relative_attention=True, position_biased_input=False, share_att_key=True,
    norm_rel_ebd="layer_norm", pad_token_id=0,
)  # fmt: skip

SPECIAL = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2)


@dataclass
class Row:
    """One sample: number of question and context tokens, and its labels (positions from its first token; past the batch's end = ignored)."""

    question: int
    context: int
    start: int
    end: int


@dataclass
class Case:
    name: str
    config: object
    seed: int
    length: int
    rows: list
    token_types: int = 0  # how many token types the inputs use; 0: the inputs have no token_type_ids
    left_padding: list = field(default_factory=list)  # rows whose padding stands before the tokens
    pad_inside: list = field(default_factory=list)  # (row, position) of padding ids that the mask lets through
    optimizer: dict = field(default_factory=dict)
    gain: float = 1.0  # of all matrices: below 1 where no norm holds what grows from layer to layer


IGNORED = 999
ROWS = [Row(4, 17, 9, 12), Row(6, 5, 0, 0), Row(3, 9, 8, IGNORED), Row(5, 12, 10, 10), Row(4, 8, IGNORED, IGNORED)]

CASES = [
    Case("bert", BertConfig(**BERT), 1, 24, ROWS, token_types=2),
    Case("distilbert", DistilBertConfig(**DISTILBERT), 2, 24, ROWS),
    Case("roberta", RobertaConfig(**ROBERTA), 3, 25, ROWS),
    Case(
        "bert-gelu-new-types", BertConfig(**BERT, hidden_act="gelu_new", type_vocab_size=3, layer_norm_eps=1e-3), 4, 26,
        [Row(5, 18, 11, 13), Row(7, 7, 14, 14), Row(2, 11, 25, 26), Row(4, 9, 0, 0)], token_types=3,
        optimizer=dict(schedule="cosine", warmup_steps=3, weight_decay=0.1, clip_grad_norm=0.5),
    ),
    Case(
        "bert-relu-odd-sizes",
        BertConfig(
            vocab_size=53, hidden_size=48, num_hidden_layers=2, num_attention_heads=3, intermediate_size=56,
            max_position_embeddings=19, hidden_act="relu", pad_token_id=0,
        ), 5, 17, [Row(3, 11, 5, 16), Row(1, 2, 0, 0), Row(2, 7, 6, 8)],
    ),
    Case(
        "roberta-padding-places", RobertaConfig(**dict(ROBERTA, vocab_size=70), pad_token_id=3, bos_token_id=0), 6, 22,
        [Row(4, 13, 8, 10), Row(3, 6, 9, 11), Row(5, 10, 12, 15), Row(2, 9, 0, 0)], left_padding=[1], pad_inside=[(2, 9)],
    ),
    Case(
        "distilbert-sinusoidal-relu", DistilBertConfig(**dict(DISTILBERT, n_heads=2), sinusoidal_pos_embds=True, activation="relu"), 7, 23,
        [Row(4, 16, 10, 14), Row(3, 4, 5, 6), Row(6, 9, 0, 0), Row(3, 13, 18, 18)],
    ),
    # 45 places, distances in rows of their own up to 4, in rows by the logarithm up to 31, in the last row beyond
    Case(
        "deberta-v3", DebertaV2Config(**DEBERTA, pos_att_type=["p2c", "c2p"], position_buckets=8, max_relative_positions=32), 8, 45,
        [Row(6, 36, 20, 23), Row(5, 9, 0, 0), Row(4, 21, 8, IGNORED), Row(7, 30, 30, 30)],
    ),
    Case(
        "deberta-v2-own-layers",
        DebertaV2Config(
            **dict(DEBERTA, share_att_key=False, norm_rel_ebd="none", vocab_size=60, position_biased_input=True), pos_att_type=["p2c", "c2p"], max_relative_positions=12,
            type_vocab_size=2, embedding_size=24,
        ), 9, 23, [Row(4, 16, 10, 14), Row(3, 4, 5, 6), Row(6, 9, 0, 0)], token_types=2,
    ),
    Case(
        "deberta-v2-convolution",
        DebertaV2Config(
            **dict(DEBERTA, vocab_size=60, num_attention_heads=2), pos_att_type=["c2p"], position_buckets=6, conv_kernel_size=3, conv_act="gelu",
            attention_head_size=16,
        ), 10, 22, [Row(4, 13, 8, 10), Row(3, 6, 9, 11), Row(2, 9, 0, 0)], left_padding=[1],
    ),
    Case("xlm-roberta", XLMRobertaConfig(**ROBERTA), 11, 25, ROWS),
    Case("camembert", CamembertConfig(**dict(ROBERTA, vocab_size=70)), 12, 24, [Row(4, 13, 8, 10), Row(3, 6, 9, 11), Row(2, 9, 0, 0)], left_padding=[1]),
    # three layers of two groups, the first group twice; two layers of one group of two layers
    Case("albert", AlbertConfig(**dict(BERT, num_hidden_layers=3), embedding_size=24, num_hidden_groups=2), 14, 24, ROWS, token_types=2),
    Case(
        "albert-inner-layers", AlbertConfig(**dict(BERT, vocab_size=60), embedding_size=32, inner_group_num=2, hidden_act="gelu"), 16, 22,
        [Row(4, 13, 8, 10), Row(3, 6, 9, 11), Row(2, 9, 0, 0)], token_types=2,
    ),
    # distances beyond the exact buckets, up to 43
    Case(
        "mpnet", MPNetConfig(**BERT_SIZES, max_position_embeddings=50), 17, 44, [Row(6, 35, 20, 23), Row(5, 9, 0, 0), Row(4, 21, 8, IGNORED)],
        left_padding=[1], pad_inside=[(2, 9)],
    ),
    # windows of 4 places to either side in the local layers: padding far from tokens sees none
    Case(
        "modernbert",
        ModernBertConfig(
            vocab_size=60, hidden_size=32, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32, max_position_embeddings=40,
            local_attention=8, **SPECIAL,
        ), 18, 33, [Row(5, 25, 20, 23), Row(5, 9, 0, 0), Row(4, 16, 8, IGNORED)],
    ),
    Case(
        "modernbert-biases",
        ModernBertConfig(
            vocab_size=50, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=24, max_position_embeddings=30,
            local_attention=6, norm_bias=True, attention_bias=True, mlp_bias=True, classifier_bias=True, hidden_activation="silu",
            classifier_activation="relu", norm_eps=1e-3, layer_types=["sliding_attention", "full_attention", "sliding_attention"],
            rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 500.0}, "sliding_attention": {"rope_type": "default", "rope_theta": 50.0}},
            **SPECIAL,
        ), 19, 24, [Row(4, 13, 8, 10), Row(3, 6, 9, 11), Row(2, 9, 0, 0)], left_padding=[1],
    ),
    Case("electra", ElectraConfig(**BERT, embedding_size=24), 13, 24, ROWS, token_types=2),
    # trigrams: the last token of a padded row reads the padding's embedding
    Case(
        "mobilebert", MobileBertConfig(**dict(BERT, vocab_size=60), embedding_size=12, intra_bottleneck_size=24, num_feedforward_networks=3), 20, 24, ROWS,
        token_types=2, optimizer=dict(lr=5e-4), gain=0.6,
    ),
    # bottlenecks that nothing reads: of queries and keys, since attention reads the one of values too
    Case(
        "mobilebert-layer-norm",
        MobileBertConfig(
            **dict(BERT, vocab_size=60), embedding_size=20, intra_bottleneck_size=24, num_feedforward_networks=2, use_bottleneck_attention=True,
            normalization_type="layer_norm", layer_norm_eps=1e-2, trigram_input=False, hidden_act="gelu",
        ), 21, 22, [Row(4, 13, 8, 10), Row(3, 6, 9, 11), Row(2, 9, 0, 0)], token_types=2, left_padding=[1],
    ),
    # neither bottlenecks nor further feed-forward networks, and a layer behind the embeddings that nothing reads
    Case(
        "mobilebert-without-bottleneck",
        MobileBertConfig(
            **dict(BERT, vocab_size=60), embedding_size=32, num_feedforward_networks=1, use_bottleneck=False, trigram_input=False,
            key_query_shared_bottleneck=False, type_vocab_size=3,
        ), 22, 20, [Row(3, 11, 7, 9), Row(2, 6, 5, 8), Row(3, 8, 0, 0)], token_types=3, gain=0.6,
    ),
]  # fmt: skip


def make_inputs(case, random):
    """The batch: [CLS] question [SEP] context [SEP] padding (RoBERTa's two separators between are not imitated)."""
    vocabulary, pad = case.config.vocab_size, case.config.pad_token_id
    names = ["input_ids", "attention_mask", "token_type_ids", "start_positions", "end_positions"]
    inputs = {name: [] for name in names}
    for index, row in enumerate(case.rows):
        draw = lambda n: torch.randint(6, vocabulary, (n,), generator=random).tolist()  # noqa: E731
        ids = [4, *draw(row.question), 5, *draw(row.context), 5]
        padding = case.length - len(ids)
        assert padding >= 0, f"{case.name}: row {index} is longer than the batch"
        types = [0] * (row.question + 2) + [1] * (row.context + 1)
        if case.token_types == 3:
            types = [min(2, t + (k % 3 == 2)) for k, t in enumerate(types)]
        before, after = (padding, 0) if index in case.left_padding else (0, padding)
        inputs["input_ids"].append([pad] * before + ids + [pad] * after)
        inputs["attention_mask"].append([0] * before + [1] * len(ids) + [0] * after)
        inputs["token_type_ids"].append([0] * before + types + [0] * after)
        inputs["start_positions"].append(row.start + before)
        inputs["end_positions"].append(row.end + before)
    for row, position in case.pad_inside:
        inputs["input_ids"][row][position] = pad
    if case.token_types == 0:
        del inputs["token_type_ids"]
    return inputs


def randomise(model, random, scale):
    """Weights of a size at which attention and outputs are far from uniform, and nothing is at its initial 0 or 1."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=random)
            if "position_embeddings" in name and getattr(model.config, "sinusoidal_pos_embds", False):
                continue  # the table that transformers computes
            if "embeddings" in name and parameter.dim() == 2:
                parameter.copy_(0.6 * scale * noise)  # the padding rows too, which are not zero in published checkpoints either
            elif "relative_attention_bias" in name:
                parameter.copy_(noise)
            elif "norm" in name.lower():
                parameter.copy_(0.2 * noise + (1 if name.endswith("weight") else 0))
            elif parameter.dim() == 2:
                gain = 3.0 if name in ("qa_outputs.weight", "classifier.weight") else 1.5
                parameter.copy_(scale * gain / math.sqrt(parameter.shape[1]) * noise)
            else:
                parameter.copy_(0.2 * noise)


def legacy_config(config):
    """The same config as transformers 4 spelled it."""
    old = {k: v for k, v in config.items() if k not in ("dtype", "add_cross_attention", "is_decoder", "tie_word_embeddings")}
    if config["model_type"] == "distilbert":
        old = {k: v for k, v in old.items() if k not in ("bos_token_id", "eos_token_id")}
        old["tie_weights_"] = True
    elif config["model_type"] == "modernbert":
        rope = old.pop("rope_parameters")
        kinds = old["layer_types"]
        if kinds == ["sliding_attention" if i % 3 else "full_attention" for i in range(len(kinds))]:
            del old["layer_types"]
            old["global_attn_every_n_layers"] = 3
        old |= {"global_rope_theta": rope["full_attention"]["rope_theta"], "local_rope_theta": rope["sliding_attention"]["rope_theta"]}
    elif config["model_type"] == "deberta-v2":
        old["pos_att_type"] = "|".join(config["pos_att_type"])
    else:
        old["position_embedding_type"] = "absolute"
        if config["model_type"] == "bert":
            old["gradient_checkpointing"] = False
    return dict(sorted({**old, "torch_dtype": "float32", "transformers_version": "4.44.2"}.items()))


def zero_in_exact_arithmetic(gradients):
    """Names of the parameters whose float64 gradients are nothing but rounding."""
    return [
        name.removeprefix("grad.")
        for name, gradient in gradients.items()
        if name.startswith("grad.") and gradient.abs().max().item() < 1e-12
    ]


def write_json(file, value):
    """Indented, but lists of numbers on one line."""
    text = json.dumps(value, indent=1)
    out, depth = [], 0
    for line in text.split("\n"):
        stripped = line.strip()
        if depth > 0:
            out[-1] += stripped + (" " if stripped.endswith(",") else "")
        else:
            out.append(line.rstrip())
        depth += stripped.endswith("[") - (stripped.startswith("]"))
    file.write_text("\n".join(line.rstrip() for line in out) + "\n")


def make(case, out):
    folder = out / case.name
    folder.mkdir(parents=True, exist_ok=True)
    random = torch.Generator().manual_seed(case.seed)
    torch.manual_seed(case.seed)
    model = AutoModelForQuestionAnswering.from_config(case.config)
    randomise(model, random, case.gain)
    model.save_pretrained(folder)
    write_json(folder / "inputs.json", make_inputs(case, random))
    write_json(folder / "config.legacy.json", legacy_config(json.loads((folder / "config.json").read_text())))

    inputs, model = load_inputs(folder), load_model(folder)
    expected = forward_and_backward(model, inputs)
    save_file(expected, folder / "expected.safetensors", metadata={"format": "pt"})
    exact = forward_and_backward(load_model(folder, torch.float64), inputs)
    settings = {**OPTIMIZER, **case.optimizer}
    record = {"optimizer": settings, "no_decay": no_decay_names(model), **train(model, inputs, settings)}
    record["do_not_compare"] = zero_in_exact_arithmetic(exact)
    write_json(folder / "train.json", record)
    for file in folder.iterdir():
        file.chmod(0o644)

    spread = torch.softmax(expected["start_logits"], -1).max(-1).values.tolist()
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{case.name}: {size / 1000:.0f} kB, {len(trainable(model))} parameters, largest start probability a row {[round(p, 2) for p in spread]}")
    print(f"  losses {[round(x, 4) for x in record['loss']]} → {record['loss_after']:.4f}; not compared: {record['do_not_compare']}")
    if size >= 300_000:
        raise SystemExit(f"{case.name} is larger than the 300 kB a case may have")


def main():
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "test" / "parity-cases"
    wanted = sys.argv[2:]
    unknown = [name for name in wanted if name not in [case.name for case in CASES]]
    if unknown:
        raise SystemExit(f"no case named {', '.join(unknown)}; there are {', '.join(case.name for case in CASES)}")
    for case in CASES:
        if not wanted or case.name in wanted:
            make(case, out)


if __name__ == "__main__":
    main()
