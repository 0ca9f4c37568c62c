"""Writes test/op-goldens.safetensors: values and gradients of ops from PyTorch, `python reference/make_op_goldens.py [OUT_FILE]`.

For ops where finite differences say little: steep, saturated, or with repeated and ignored indices. Inputs are float32;
values and gradients are computed in float64 and rounded to float32, so any error found is the tested side's own. Names
are `<op>.<tensor>` (`x` the input, `y` the output, `dy` the incoming gradient, `d<name>` the gradient of an input); they
are listed in reference/README.md.
"""

import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

random = torch.Generator().manual_seed(20)
goldens = {}


def normal(*shape, scale=1.0, shift=0.0):
    return torch.randn(shape, generator=random) * scale + shift


def record(name, function, inputs, constants=None):
    """Stores the inputs, y = function(inputs, constants), a random dy and the gradients of <y, dy>; a scalar y gets dy = 1."""
    constants = constants or {}
    exact = {k: v.to(torch.float64).requires_grad_(True) for k, v in inputs.items()}
    y = function(**exact, **{k: v.to(torch.float64) if v.is_floating_point() else v for k, v in constants.items()})
    dy = normal(*y.shape) if y.dim() > 0 else torch.tensor(1.0)
    gradients = torch.autograd.grad(y, list(exact.values()), dy.to(torch.float64))
    for key, value in {**inputs, **constants, "y": y, "dy": dy, **{f"d{k}": g for k, g in zip(exact, gradients)}}.items():
        value = value.detach()
        value = value.to(torch.float32) if value.is_floating_point() else value
        assert f"{name}.{key}" not in goldens and (not value.is_floating_point() or value.isfinite().all()), f"{name}.{key}"
        goldens[f"{name}.{key}"] = value.reshape(1).clone() if value.dim() == 0 else value.contiguous().clone()


def curve():
    """Points that show both tails, the origin and everything between."""
    points = torch.cat([torch.linspace(-8, 8, 65), torch.tensor([-30.0, -12.0, -1e-3, -1e-6, 1e-6, 1e-3, 12.0, 30.0])])
    return {"x": points}


def masked_out(shape, masked):
    """0 where a position counts and the lowest float32 where it does not, as masks are added to scores."""
    mask = torch.zeros(shape)
    mask[masked] = torch.finfo(torch.float32).min
    return mask


def attention(q, k, v, mask):
    return torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + mask, -1) @ v


def main():
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "test" / "op-goldens.safetensors"
    for name, function in {
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "silu": F.silu,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "erf": torch.erf,
        "relu": F.relu,
    }.items():
        record(name, lambda x, f=function: f(x), curve())

    for name, function in {"softmax": F.softmax, "logsoftmax": F.log_softmax}.items():
        record(name, lambda x, f=function: f(x, -1), {"x": normal(3, 7)})
        record(f"{name}_steep", lambda x, f=function: f(x, -1), {"x": normal(4, 9, scale=40.0)})
        record(f"{name}_middle_axis", lambda x, f=function: f(x, 1), {"x": normal(2, 5, 3)})
    record(
        "softmax_masked", lambda x, mask: F.softmax(x + mask, -1), {"x": normal(2, 3, 6, scale=3.0)},
        {"mask": masked_out((2, 1, 6), (torch.tensor([0, 0, 1]), 0, torch.tensor([4, 5, 5])))},
    )  # fmt: skip

    def layernorm(eps):
        return lambda x, weight, bias: F.layer_norm(x, x.shape[-1:], weight, bias, eps)

    def affine(width):
        return {"weight": normal(width, scale=0.3, shift=1.0), "bias": normal(width, scale=0.3)}

    record("layernorm", layernorm(1e-5), {"x": normal(2, 4, 16), **affine(16)})
    record("layernorm_tiny_eps", layernorm(1e-12), {"x": normal(5, 12, scale=1e-3), **affine(12)})
    record("layernorm_large_mean", layernorm(1e-12), {"x": normal(5, 12, shift=50.0), **affine(12)})
    rms = lambda eps: lambda x, weight: F.rms_norm(x, x.shape[-1:], weight, eps)  # noqa: E731
    record("rmsnorm", rms(1e-6), {"x": normal(2, 4, 16), "weight": normal(16, scale=0.3, shift=1.0)})
    record("rmsnorm_large", rms(1e-6), {"x": normal(5, 12, scale=100.0), "weight": normal(12, scale=0.3, shift=1.0)})

    labels = torch.tensor([3, -100, 0, 10, -100, 7])
    record("cross_entropy", lambda logits, labels: F.cross_entropy(logits, labels, ignore_index=-100), {"logits": normal(6, 11, scale=3.0)}, {"labels": labels})
    record(
        "cross_entropy_sum", lambda logits, labels: F.cross_entropy(logits, labels, ignore_index=-100, reduction="sum"),
        {"logits": normal(2, 3, 11, scale=30.0).reshape(6, 11)}, {"labels": labels},
    )  # fmt: skip
    record(
        "cross_entropy_weighted",
        lambda logits, labels, weights: (F.cross_entropy(logits, labels, reduction="none") * weights).sum() / weights.sum(),
        {"logits": normal(5, 7, scale=2.0)}, {"labels": torch.tensor([0, 6, 3, 3, 1]), "weights": torch.tensor([1.0, 0.0, 0.5, 0.25, 2.0])},
    )  # fmt: skip
    record(
        "cross_entropy_masked", lambda logits, labels, mask: F.cross_entropy(logits + mask, labels, ignore_index=-100),
        {"logits": normal(4, 8, scale=2.0)},
        {"labels": torch.tensor([0, 4, -100, 2]), "mask": masked_out((4, 8), (torch.tensor([0, 0, 1, 3, 3, 3]), torch.tensor([6, 7, 7, 5, 6, 7])))},
    )  # fmt: skip

    record("cumsum", lambda x: torch.cumsum(x, -1), {"x": normal(3, 9)})
    record("cumsum_first_axis", lambda x: torch.cumsum(x, 0), {"x": normal(5, 2, 3)})
    record("cumsum_reverse", lambda x: x.flip(-1).cumsum(-1).flip(-1), {"x": normal(3, 9)})
    record("cumsum_exclusive", lambda x: x.cumsum(-1) - x, {"x": normal(3, 9)})

    record("gather", lambda table, indices: table[indices], {"table": normal(6, 4)}, {"indices": torch.tensor([[2, 2, 5, 2, 0], [5, 5, 5, 1, 2]])})
    record("gather_axis_1", lambda x, indices: x[:, indices], {"x": normal(3, 5, 2)}, {"indices": torch.tensor([4, 0, 4, 4])})
    record(
        "gather_elements", lambda x, indices: torch.gather(x, 1, indices), {"x": normal(3, 5)},
        {"indices": torch.tensor([[0, 0, 3], [4, 1, 1], [2, 2, 2]])},
    )  # fmt: skip

    heads = lambda scale=1.0: {n: normal(2, 3, 5, 4, scale=scale) for n in ("q", "k", "v")}  # noqa: E731
    mask = masked_out((2, 1, 1, 5), (torch.tensor([1, 1]), 0, 0, torch.tensor([3, 4])))
    record("attention", attention, heads(), {"mask": mask})
    record("attention_steep", attention, heads(8.0), {"mask": mask})

    save_file(dict(sorted(goldens.items())), out, metadata={"torch": torch.__version__, "computed_in": "float64"})
    out.chmod(0o644)
    print(f"{out.name}: {len(goldens)} tensors of {len({n.split('.')[0] for n in goldens})} ops, {out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
