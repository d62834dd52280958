#!/usr/bin/env python3
"""Files of named tensors as PyTorch and NumPy write them, with the values that they hold.

`--write-golden` makes `crates/diptych/tests/golden/tensors/`; without it, the files there are read again by
PyTorch and NumPy and compared with the recorded values.

| file                   | what                                                                             |
| legacy.pt              | `torch.save` as before 1.6: formats, orders, shared and scalar storages          |
| archive.pt             | the same object in a zip archive                                                 |
| numpy-2.pkl … -5.pkl   | NumPy's arrays and scalars in a bare pickle, protocols 2 to 5                    |
| torch-2.pkl, torch-4.pkl | tensors and a module in a bare pickle                                          |
| stylegan.pkl           | networks as stylegan2-ada-pytorch pickles them, with modules named as there      |
| tensorflow.pkl         | networks as stylegan2 pickles them: a tuple, variables as pairs                  |
| expected.safetensors   | all tensors as `FILE:NAME` in f32                                                |
| values.json            | what stands beside the tensors, as `FILE:PATH`                                   |

The modules `torch_utils.persistence`, `dnnlib` and `dnnlib.tflib.network` are stand-ins with the same names and the same
way of pickling; nothing of the originals is in them.
"""

from __future__ import annotations

import argparse
import collections
import json
import pickle
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

GOLDEN = Path(__file__).resolve().parent.parent / "crates/diptych/tests/golden/tensors"


def module(name: str, **content: Any) -> types.ModuleType:
    """A module by a name, so that pickles import from it."""
    made = types.ModuleType(name)
    for key, value in content.items():
        setattr(made, key, value)
        if isinstance(value, type) or callable(value):
            value.__module__ = name
            value.__qualname__ = key
    sys.modules[name] = made
    return made


class EasyDict(dict):
    """A dictionary whose entries are attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def _reconstruct_persistent_obj(meta: dict) -> Any:
    obj = torch.nn.Module()
    obj.__dict__.update(meta["state"])
    return obj


class Network:
    """A network of TensorFlow's: what is pickled is a state."""

    def __init__(self, state: dict) -> None:
        self.state = state

    def __getstate__(self) -> dict:
        return self.state

    def __setstate__(self, state: dict) -> None:
        self.state = state


module("dnnlib", EasyDict=EasyDict)
module("dnnlib.util", EasyDict=EasyDict)
module("torch_utils", persistence=None)
module("torch_utils.persistence", _reconstruct_persistent_obj=_reconstruct_persistent_obj)
module("dnnlib.tflib")
module("dnnlib.tflib.network", Network=Network)


class Persistent(torch.nn.Module):
    """A module that is pickled with its source and its arguments."""

    source = "# A source that nobody runs.\n" * 700

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        self._init_args = ()
        self._init_kwargs = EasyDict(kwargs)

    def __reduce__(self) -> tuple:
        meta = dict(type="class", version=6, module_src=self.source, class_name=type(self).__name__, state=dict(self.__dict__))
        return _reconstruct_persistent_obj, (meta,), None


class SynthesisLayer(Persistent):
    def __init__(self, channels: int, generator: torch.Generator) -> None:
        super().__init__(channels=channels)
        self.up = 2
        self.conv_clamp = None
        self.weight = torch.nn.Parameter(torch.randn(channels, 3, 3, 3, generator=generator))
        self.noise_strength = torch.nn.Parameter(torch.tensor(0.25))
        self.register_buffer("noise_const", torch.randn(4, 4, generator=generator))
        self.affine = torch.nn.Linear(5, 3)
        self.act = torch.nn.Identity()


class Generator(Persistent):
    def __init__(self, seed: int) -> None:
        super().__init__(z_dim=5, c_dim=0, img_resolution=4, synthesis_kwargs=EasyDict(channel_base=16384, clamp=256.0, fused=True))
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        self.z_dim = 5
        self.img_resolution = np.int64(4)
        self.register_buffer("w_avg", torch.randn(5, generator=generator))
        self.b4 = torch.nn.Module()
        self.b4.conv1 = SynthesisLayer(2, generator)


def tensors() -> dict[str, torch.Tensor]:
    """Tensors of every format and order."""
    generator = torch.Generator().manual_seed(1)
    base = torch.randn(4, 6, generator=generator)
    return {
        "f32": base,
        "f64": torch.randn(3, generator=generator).double(),
        "f16": torch.randn(2, 3, generator=generator).half(),
        "bf16": torch.randn(5, generator=generator).bfloat16(),
        "i64": torch.tensor([[-3, 1 << 20], [7, 0]]),
        "i32": torch.tensor([-70000, 5], dtype=torch.int32),
        "i16": torch.tensor([-300, 5], dtype=torch.int16),
        "i8": torch.tensor([-128, 127], dtype=torch.int8),
        "u8": torch.tensor([0, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(1.5),
        "empty": torch.zeros(0, 3),
        "transposed": base.t(),  # the storage of f32
        "strided": base[1:, ::2],
        "parameter": torch.nn.Parameter(torch.randn(2, 2, generator=generator)),
    }


def saved() -> dict[str, Any]:
    state = collections.OrderedDict(tensors())
    tied = torch.randn(2, generator=torch.Generator().manual_seed(2))
    return {
        "model": {"net": state, "head": {"weight": tied}},
        "tied": [tied, (tied, {3: tied})],
        "epoch": 7,
        "lr": 0.125,
        "notes": ["a", None, True, {"deep": torch.Size([2, 3])}],
        "device": torch.device("cpu"),
    }


def arrays() -> dict[str, Any]:
    random = np.random.default_rng(3)
    base = random.standard_normal((3, 4)).astype(np.float32)
    return {
        "f32": base,
        "f64": random.standard_normal(3),
        "f16": random.standard_normal(3).astype(np.float16),
        "i64": np.array([[-3, 1 << 20], [7, 0]]),
        "i32": np.array([-70000, 5], np.int32),
        "u16": np.array([0, 65535], np.uint16),
        "u8": np.array([0, 200, 255], np.uint8),
        "bool": np.array([True, False]),
        "big": base.astype(">f4"),
        "big_i16": np.array([-2, 258], ">i2"),
        "fortran": np.asfortranarray(base),
        "strided": base[::2, ::-1],
        "scalar": np.array(2.5, np.float32),
        "empty": np.zeros((0, 2), np.float32),
        "list": [base[0], (base[1],)],
        "numbers": {"f64": np.float64(0.1), "f32": np.float32(0.5), "i64": np.int64(-9007199254740993), "bool": np.bool_(True), "big": base.astype(">i4")[0, 0]},
        "text": "é",
    }


def tensorflow() -> tuple:
    random = np.random.default_rng(4)

    def network(name: str, components: dict, names: list[str]) -> Network:
        # TensorFlow reads a variable without dimensions as a scalar.
        variables = [(variable, np.float32(1.5) if variable == "lod" else random.standard_normal((2, 3)).astype(np.float32)) for variable in names]
        return Network({
            "version": 4, "name": name, "static_kwargs": EasyDict(resolution=64, fmap_base=8192), "components": components,
            "build_module_src": "raise SystemExit", "build_func_name": "G_main", "variables": variables,
        })

    parts = {"synthesis": network("G_synthesis", {}, ["4x4/Const/const", "4x4/Conv/weight"]), "mapping": network("G_mapping", {}, ["Dense0/weight"])}
    return (network("G", {}, ["lod"]), network("D", {}, ["Output/bias"]), network("Gs", EasyDict(parts), ["dlatent_avg"]))


def flatten(value: Any, path: str, out: dict[str, Any]) -> None:
    """The tensors and arrays in a value, by the names that they have in Diptych."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        out[path] = value
    elif isinstance(value, Network):
        state = dict(value.state)
        variables = {key: np.asarray(variable) for key, variable in state.pop("variables")}
        flatten(state.pop("components") | variables | state, path, out)
    elif isinstance(value, torch.nn.Module):
        for key, held in value.__dict__.items():
            inlined = key in ("_parameters", "_buffers", "_modules")
            flatten(held, path if inlined else join(path, key), out)
    elif isinstance(value, dict):
        for key, held in value.items():
            flatten(held, join(path, str(key)), out)
    elif isinstance(value, (list, tuple)):
        for index, held in enumerate(value):
            flatten(held, join(path, str(index)), out)


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


FILES = {
    "legacy.pt": saved,
    "archive.pt": saved,
    **{f"numpy-{protocol}.pkl": arrays for protocol in range(2, 6)},
    "torch-2.pkl": saved,
    "torch-4.pkl": saved,
    "stylegan.pkl": lambda: {"G": Generator(5), "G_ema": Generator(6), "training_set_kwargs": EasyDict(path="pictures.zip", use_labels=False)},
    "tensorflow.pkl": tensorflow,
}

VALUES = {
    "legacy.pt": ["epoch", "lr", "notes", "device"],
    "torch-2.pkl": ["epoch", "lr", "notes", "device"],
    "numpy-2.pkl": ["numbers", "text"],
    "numpy-5.pkl": ["numbers", "text"],
    "stylegan.pkl": ["G_ema._init_kwargs", "G_ema.z_dim", "G_ema.img_resolution", "G_ema.b4.conv1.up", "G_ema.b4.conv1.conv_clamp", "training_set_kwargs"],
    "tensorflow.pkl": ["2.static_kwargs", "2.synthesis.build_func_name"],
}


def at(value: Any, path: str) -> Any:
    """The value at a path, as JSON has it."""
    for name in path.split("."):
        if isinstance(value, Network):
            value = value.state | dict(value.state["components"])
        if isinstance(value, dict):
            value = value[name]
        elif isinstance(value, (list, tuple)):
            value = value[int(name)]
        else:
            value = getattr(value, name)
    return value


def plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, dict):
        return {str(key): plain(held) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(held) for held in value]
    return value


def in_f32(value: Any) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value.detach().float().contiguous().clone()
    array = np.ascontiguousarray(np.asarray(value).astype("=f4"))
    return torch.from_numpy(array).reshape(np.shape(value)).clone()


def write() -> None:
    GOLDEN.mkdir(parents=True, exist_ok=True)
    expected, values = {}, {}
    for name, make in FILES.items():
        value = make()
        path = GOLDEN / name
        if name == "legacy.pt":
            torch.save(value, path, _use_new_zipfile_serialization=False)
        elif name == "archive.pt":
            torch.save(value, path)
        else:
            protocol = int(name[-5]) if name[-5].isdigit() else 3 if name == "tensorflow.pkl" else 4
            path.write_bytes(pickle.dumps(value, protocol=protocol))
        found: dict[str, Any] = {}
        flatten(value, "", found)
        expected |= {f"{name}:{key}": in_f32(tensor) for key, tensor in found.items()}
        values |= {f"{name}:{path}": plain(at(value, path)) for path in VALUES.get(name, [])}
    save_file(expected, GOLDEN / "expected.safetensors")
    (GOLDEN / "values.json").write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    versions = {"python": sys.version.split()[0], "torch": torch.__version__, "numpy": np.__version__}
    (GOLDEN / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")
    sizes = {path.name: path.stat().st_size for path in sorted(GOLDEN.iterdir())}
    print(f"{sum(sizes.values())} bytes in {GOLDEN}: {sizes}")


def read(name: str) -> Any:
    path = GOLDEN / name
    if name.endswith(".pt"):
        return torch.load(path, weights_only=False)
    return pickle.loads(path.read_bytes())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write-golden", action="store_true", help="make the files anew")
    parser.add_argument("--json", action="store_true", help="rows as JSON")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    if args.write_golden:
        write()
        return 0
    expected = load_file(GOLDEN / "expected.safetensors")
    failed = 0
    for name in FILES:
        found: dict[str, Any] = {}
        flatten(read(name), "", found)
        recorded = {key.split(":", 1)[1]: tensor for key, tensor in expected.items() if key.startswith(f"{name}:")}
        off = max((in_f32(found[key]) - tensor).abs().max().item() for key, tensor in recorded.items() if tensor.numel())
        row = {"part": "tensors", "check": f"{name}: max |difference| of {len(recorded)} tensors", "value": off, "limit": 0.0, "ok": off == 0}
        failed += not row["ok"]
        print(json.dumps(row) if args.json else row)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
