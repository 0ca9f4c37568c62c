"""Checks that the parity cases say what PyTorch computes: `python reference/check_parity_cases.py [CASES_DIR]`.

Every case is computed again from its saved folder alone, in float32 with config.json and with config.legacy.json (must
give what is stored) and in float64. Prints the table of docs/parity.md, float32's error against float64, and exits 1
where a stored figure is not reproduced.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from reader_case import forward_and_backward, load_inputs, load_model, no_decay_names, relative_error, train

# Another processor adds in another order; on the machine that made the cases the difference is exactly zero.
REPRODUCED = 1e-5


def errors(figures, reference, skip):
    """Largest relative error of the logits, the loss and the gradients; `skip` names gradients that hold only noise."""
    each = {name: relative_error(figures[name], value) for name, value in reference.items()}
    gradients = {n: e for n, e in each.items() if n.startswith("grad.") and n.removeprefix("grad.") not in skip}
    return max(each["start_logits"], each["end_logits"]), each["loss"], max(gradients.values()), max(gradients, key=gradients.get)


def training_errors(record, reference):
    loss = max(abs(a - b) / abs(b) for a, b in zip([*record["loss"], record["loss_after"]], [*reference["loss"], reference["loss_after"]]))
    return loss, max(abs(a - b) / abs(b) for a, b in zip(record["grad_norm"], reference["grad_norm"]))


def check(folder):
    stored, recorded = load_file(folder / "expected.safetensors"), json.loads((folder / "train.json").read_text())
    inputs, settings, skip = load_inputs(folder), recorded["optimizer"], recorded["do_not_compare"]
    worst = 0.0
    for config in ("config.json", "config.legacy.json"):
        model = load_model(folder, config=config)
        figures = forward_and_backward(model, inputs)
        if set(figures) != set(stored) or no_decay_names(model) != recorded["no_decay"]:
            raise SystemExit(f"{folder.name}: {config} gives other names than those stored")
        again = train(model, inputs, settings)
        if again["lr"] != recorded["lr"]:
            raise SystemExit(f"{folder.name}: {config} gives other learning rates than those stored")
        worst = max(worst, *errors(figures, stored, skip)[:3], *training_errors(again, recorded))
    model = load_model(folder, torch.float64)
    exact = forward_and_backward(model, inputs)
    logits, loss, gradient, where = errors(stored, exact, skip)
    losses, norms = training_errors(recorded, train(model, inputs, settings))
    noise = max(stored[f"grad.{name}"].abs().max().item() for name in skip)
    floor = max(relative_error(stored[f"grad.{name}"], exact[f"grad.{name}"]) for name in skip)
    print(f"| {folder.name} | {logits:.1e} | {loss:.1e} | {gradient:.1e} | {losses:.1e} | {norms:.1e} | {noise:.0e} | {floor:.0e} |", flush=True)
    return worst, where


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "test" / "parity-cases"
    print("| case | logits | loss | gradients | losses of ten steps | gradient norms | noise where the gradient is zero | its relative error |")
    print("|---|---|---|---|---|---|---|---|")
    notes, failed = [], False
    for folder in sorted(f.parent for f in root.glob("*/expected.safetensors")):
        worst, where = check(folder)
        failed |= worst > REPRODUCED
        notes.append(f"{folder.name}: computed again within {worst:.1e}; worst gradient {where}")
    print("\n" + "\n".join(notes))
    if failed or not notes:
        raise SystemExit("not reproduced" if notes else f"no cases in {root}")


if __name__ == "__main__":
    main()
