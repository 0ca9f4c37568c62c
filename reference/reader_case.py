"""What PyTorch computes on one parity case of an extractive reader, from the case's folder alone.

Used twice: make_parity_cases.py writes these figures into the folder, check_parity_cases.py computes them again from
what was saved (and once more in float64) and compares. The format is described in docs/parity.md.
"""

import json
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForQuestionAnswering, Trainer, get_scheduler

torch.set_num_threads(1)  # sums in one fixed order: the same figures on every machine with the same instructions
torch.use_deterministic_algorithms(True)

softmax = torch.nn.functional.softmax


def softmax_as_given(x, dim=None, _stacklevel=3, dtype=None):
    """softmax, in float64 where x is: ModernBERT asks for float32, in which float64's lowest number, its mask, is minus infinity."""
    return softmax(x, dim, _stacklevel, None if x.dtype == torch.float64 else dtype)


torch.nn.functional.softmax = softmax_as_given


def load_model(folder, dtype=torch.float32, config="config.json"):
    """The reader of a case folder, dropout off, eager attention. `config` names the config file to read."""
    with tempfile.TemporaryDirectory() as temporary:
        shutil.copy(Path(folder) / config, Path(temporary) / "config.json")
        shutil.copy(Path(folder) / "model.safetensors", temporary)
        model, report = AutoModelForQuestionAnswering.from_pretrained(
            temporary, attn_implementation="eager", dtype=dtype, output_loading_info=True
        )
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if report[kind]:
            raise ValueError(f"{folder}: {kind} {report[kind]}")
    for name, stored in load_file(Path(folder) / "model.safetensors").items():
        if not torch.equal(model.get_parameter(name).to(torch.float32), stored):
            raise ValueError(f"{folder}: {name} is not what is stored")
    return model.eval()


def load_inputs(folder):
    return {name: torch.tensor(values) for name, values in json.loads((Path(folder) / "inputs.json").read_text()).items()}


def trainable(model):
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def forward_and_backward(model, inputs):
    """start_logits, end_logits, loss [1] and grad.<name> of every trainable parameter."""
    model.zero_grad(set_to_none=True)
    outputs = model(**inputs)
    outputs.loss.backward()
    expected = {
        "start_logits": outputs.start_logits.detach().clone(),
        "end_logits": outputs.end_logits.detach().clone(),
        "loss": outputs.loss.detach().reshape(1).clone(),
    }
    for name, parameter in trainable(model).items():
        gradient = parameter.grad if parameter.grad is not None else torch.zeros_like(parameter)
        expected[f"grad.{name}"] = gradient.detach().clone().contiguous()
    return expected


def no_decay_names(model):
    """Parameters without weight decay, by the Hugging Face Trainer's own rule (biases and layer norms)."""
    decayed = set(Trainer.get_decay_parameter_names(None, model))
    return [name for name in trainable(model) if name not in decayed]


def train(model, inputs, settings):
    """The steps of train.json's `optimizer` on one batch, as the Hugging Face Trainer makes them. Changes the model."""
    without = set(no_decay_names(model))
    parameters = trainable(model)
    groups = [
        {"params": [p for n, p in parameters.items() if n not in without], "weight_decay": settings["weight_decay"]},
        {"params": [p for n, p in parameters.items() if n in without], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(
        groups, lr=settings["lr"], betas=tuple(settings["betas"]), eps=settings["eps"], foreach=False, fused=False
    )
    scheduler = get_scheduler(settings["schedule"], optimizer, settings["warmup_steps"], settings["steps"])
    record = {"lr": [], "loss": [], "grad_norm": []}
    for _ in range(settings["steps"]):
        optimizer.zero_grad(set_to_none=True)
        loss = model(**inputs).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), settings["clip_grad_norm"])
        record["lr"].append(scheduler.get_last_lr()[0])
        record["loss"].append(loss.item())
        record["grad_norm"].append(norm.item())
        optimizer.step()
        scheduler.step()
    with torch.no_grad():
        record["loss_after"] = model(**inputs).loss.item()
    return record


def relative_error(a, b):
    """‖a − b‖ / max(‖b‖, 1e-6·√n), in float64."""
    a, b = torch.as_tensor(a, dtype=torch.float64), torch.as_tensor(b, dtype=torch.float64)
    if a.shape != b.shape:
        raise ValueError(f"shapes differ: {tuple(a.shape)} and {tuple(b.shape)}")
    return (torch.linalg.vector_norm(a - b) / max(torch.linalg.vector_norm(b).item(), 1e-6 * b.numel() ** 0.5)).item()
