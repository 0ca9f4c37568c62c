"""Checkpoints as torch.save writes them, for the reader of pytorch_model.bin: test/torch-checkpoints/.

    python reference/make_torch_fixtures.py

What each tensor holds stands in expected.json. The files are a few kB each.
"""
import collections
import json
import os
import pathlib

import torch

FOLDER = pathlib.Path(__file__).parent.parent / "test" / "torch-checkpoints"


def values(*shape, dtype=torch.float32):
    count = 1
    for size in shape:
        count *= size
    return (torch.arange(count, dtype=torch.float64) / 8 - 2).reshape(shape).to(dtype)


class Net(torch.nn.Module):
    """A state_dict as modules have it: an OrderedDict with _metadata, tied weights in one storage."""

    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(5, 3)
        self.tied = torch.nn.Linear(3, 5, bias=True)
        self.tied.weight = self.table.weight
        self.register_buffer("position_ids", torch.arange(6).expand((1, -1)))
        with torch.no_grad():
            self.table.weight.copy_(values(5, 3))
            self.tied.bias.copy_(values(5))


def cases():
    module = Net().state_dict()
    kinds = {str(dtype)[6:]: values(2, 3, dtype=dtype) for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16)}
    kinds |= {str(dtype)[6:]: torch.tensor([[1, 0], [-3, 7]]).to(dtype) for dtype in (torch.int64, torch.int32, torch.int16, torch.int8, torch.bool)}
    kinds["uint8"] = torch.tensor([0, 255], dtype=torch.uint8)
    kinds["scalar"] = torch.tensor(1.5)
    kinds["empty"] = torch.zeros(0, 4)
    base = values(4, 6)
    views = {
        "whole": base, "transposed": base.t(), "rows": base[1:3], "columns": base[:, 2:5], "every_other": base[::2, ::3],
        "permuted": values(2, 3, 4).permute(2, 0, 1), "expanded": values(3, 1).expand(3, 4), "half_transposed": values(3, 2).half().t(),
    }
    parameters = collections.OrderedDict((name, torch.nn.Parameter(tensor)) for name, tensor in views.items() if name != "expanded")
    nested = {"epoch": 3, "lr": 1e-3, "names": ["a", ("b", None, True)], "state_dict": module, "big": 2 ** 40}
    return {"module": (module, {}), "kinds": (kinds, {}), "views": (views, {}), "parameters": (parameters, {}), "nested": (nested, {}),
            "protocol-4": (module, {"pickle_protocol": 4}), "legacy": (module, {"_use_new_zipfile_serialization": False}),
            "legacy-views": (views, {"_use_new_zipfile_serialization": False})}


def main():
    FOLDER.mkdir(exist_ok=True)
    expected = {}
    for name, (value, options) in cases().items():
        torch.save(value, FOLDER / f"{name}.bin", **options)
        tensors = value.get("state_dict", value)
        expected[name] = {
            key: {"shape": list(tensor.shape), "dtype": str(tensor.dtype)[6:], "values": tensor.detach().double().flatten().tolist()}
            for key, tensor in tensors.items()
        }
    # What no state_dict holds: refused by name.
    torch.save(torch.nn.Linear(2, 2), FOLDER / "refused-module.bin")
    torch.save({"a": torch.sparse_coo_tensor([[0], [1]], [2.0], (2, 2))}, FOLDER / "refused-sparse.bin")
    torch.save({"a": torch.quantize_per_tensor(values(2), 0.1, 0, torch.qint8)}, FOLDER / "refused-quantised.bin")
    torch.save({"a": os.system}, FOLDER / "refused-system.bin")
    text = json.dumps(expected, separators=(",", ":")).replace('},"', '},\n"')
    (FOLDER / "expected.json").write_text(text + "\n")


main()
