"""Writes test/optimizer-goldens.safetensors and test/schedule-goldens.json: `python reference/make_optimizer_goldens.py [OUT_DIR]`.

Five steps of each optimizer on small tensors with given gradients, by torch.optim and transformers' Adafactor, and the
rates of transformers' schedules. Optimizers run in float64 from float32 parameters and gradients, and what they make is
rounded to float32. Each variant's settings stand as JSON in the file's metadata under the variant's name.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import TrainingArguments, get_scheduler
from transformers.optimization import Adafactor

STEPS = 5
SHAPES = {"matrix": (6, 4), "vector": (5,), "cube": (2, 3, 4), "single": (1,)}

ADAFACTOR = dict(
    eps=[1e-30, 1e-3], clip_threshold=1.0, decay_rate=-0.8, beta1=None, weight_decay=0.0,
    scale_parameter=False, relative_step=False, warmup_init=False,
)  # fmt: skip

VARIANTS = {
    "adamw": dict(optimizer="adamw", lr=1e-2, betas=[0.9, 0.999], eps=1e-8, weight_decay=0.1),
    "adamw_no_decay": dict(optimizer="adamw", lr=1e-2, betas=[0.9, 0.999], eps=1e-8, weight_decay=0.0),
    "adamw_betas": dict(optimizer="adamw", lr=3e-2, betas=[0.8, 0.95], eps=1e-6, weight_decay=0.01),
    "adamw_clipped": dict(optimizer="adamw", lr=1e-2, betas=[0.9, 0.999], eps=1e-8, weight_decay=0.1, clip_grad_norm=1.0),
    "adafactor_fixed": dict(ADAFACTOR, optimizer="adafactor", lr=1e-2),
    "adafactor_fixed_decay": dict(ADAFACTOR, optimizer="adafactor", lr=1e-2, weight_decay=0.1),
    "adafactor_scaled": dict(ADAFACTOR, optimizer="adafactor", lr=1e-2, scale_parameter=True),
    "adafactor_relative": dict(ADAFACTOR, optimizer="adafactor", lr=None, scale_parameter=True, relative_step=True),
    "adafactor_relative_warmup": dict(ADAFACTOR, optimizer="adafactor", lr=None, scale_parameter=True, relative_step=True, warmup_init=True),
    "adafactor_momentum": dict(ADAFACTOR, optimizer="adafactor", lr=1e-2, beta1=0.9),
    "sgd": dict(optimizer="sgd", lr=0.1, momentum=0.0, weight_decay=0.0),
    "sgd_momentum": dict(optimizer="sgd", lr=0.1, momentum=0.9, weight_decay=0.0),
    "sgd_momentum_decay": dict(optimizer="sgd", lr=0.1, momentum=0.9, weight_decay=0.01),
}


def make_optimizer(settings, parameters):
    options = {k: v for k, v in settings.items() if k not in ("optimizer", "clip_grad_norm")}
    if settings["optimizer"] == "adafactor":
        return Adafactor(parameters, **dict(options, eps=tuple(options["eps"])))
    kind = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[settings["optimizer"]]
    if "betas" in options:
        options["betas"] = tuple(options["betas"])
    return kind(parameters, foreach=False, **options)


def optimizer_goldens(file):
    random = torch.Generator().manual_seed(30)
    start = {name: torch.randn(shape, generator=random) for name, shape in SHAPES.items()}
    tensors = {f"{name}.p0": value for name, value in start.items()}
    gradients = []
    for step in range(1, STEPS + 1):
        scale = {1: 1.0, 2: 0.1, 3: 10.0, 4: 1e-3, 5: 1.0}[step]
        gradients.append({name: torch.randn(shape, generator=random) * scale for name, shape in SHAPES.items()})
        gradients[-1]["matrix"][4] = 0  # as the row of a token that no sample has
        tensors |= {f"{name}.g{step}": value for name, value in gradients[-1].items()}
    for variant, settings in VARIANTS.items():
        parameters = {name: torch.nn.Parameter(value.to(torch.float64)) for name, value in start.items()}
        optimizer = make_optimizer(settings, list(parameters.values()))
        norms = []
        for step in range(1, STEPS + 1):
            for name, parameter in parameters.items():
                parameter.grad = gradients[step - 1][name].to(torch.float64)
            if "clip_grad_norm" in settings:
                norms.append(torch.nn.utils.clip_grad_norm_(parameters.values(), settings["clip_grad_norm"]).item())
            optimizer.step()
            tensors |= {f"{variant}.{name}.p{step}": p.detach().to(torch.float32) for name, p in parameters.items()}
        if norms:
            tensors[f"{variant}.grad_norm"] = torch.tensor(norms, dtype=torch.float32)
    assert all(value.isfinite().all() for value in tensors.values())
    metadata = {"torch": torch.__version__, **{variant: json.dumps(settings) for variant, settings in VARIANTS.items()}}
    save_file({k: v.contiguous() for k, v in sorted(tensors.items())}, file, metadata=metadata)
    file.chmod(0o644)
    print(f"{file.name}: {len(tensors)} tensors, {len(VARIANTS)} variants, {file.stat().st_size / 1000:.0f} kB")


def rates(name, warmup, total, steps, lr):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = get_scheduler(name, optimizer, warmup, total)
    made = []
    for _ in range(steps):
        made.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return made


def schedule_goldens(file):
    """`lr` is the rate of each of the first 50 steps; past total_steps the schedules go on as transformers' do."""
    lr = 2e-5
    schedules = [
        dict(name=name, warmup_steps=warmup, total_steps=total, lr=rates(name, warmup, total, 50, lr))
        for name in ("linear", "cosine", "constant", "constant_with_warmup")
        for warmup, total in ((0, 50), (5, 50), (7, 43), (1, 50))
    ]
    ratios = [
        dict(ratio=ratio, total_steps=total, warmup_steps=TrainingArguments(output_dir="unused", use_cpu=True, warmup_steps=ratio).get_warmup_steps(total))
        for ratio in (0.0, 0.03, 0.06, 0.1, 0.5)
        for total in (10, 47, 1170)
    ]
    lines = ",\n  ".join(json.dumps(s) for s in schedules)
    lines_of_ratios = ",\n  ".join(json.dumps(r) for r in ratios)
    file.write_text(f'{{\n "base_lr": {lr},\n "schedules": [\n  {lines}\n ],\n "warmup_ratios": [\n  {lines_of_ratios}\n ]\n}}\n')
    json.loads(file.read_text())
    print(f"{file.name}: {len(schedules)} schedules, {len(ratios)} warm-up ratios")


def main():
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "test"
    optimizer_goldens(out / "optimizer-goldens.safetensors")
    schedule_goldens(out / "schedule-goldens.json")


if __name__ == "__main__":
    main()
