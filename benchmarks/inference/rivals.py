"""One rival and one tower in a process of its own: the median seconds of a pass over batches, and what came out.

    python rivals.py RIVAL images|texts FOLDER --precision f32 --threads 2 --seconds 5 --out y.npy x.npy…

prints `{"seconds": …, "passes": …}`. FOLDER is what `models.py` writes. Each shape runs once, with at most 32 rows,
before the passes that count; those repeat until `--seconds` are over. All hand out arrays of NumPy, up to unit norm.
In bf16 PyTorch and OpenVINO round what their own settings for that round; int8 is what `quantise.py` writes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

WARM_ROWS = 32

Run = Callable[[list[np.ndarray]], list[np.ndarray]]


def pytorch(folder: Path, tower: str, precision: str, threads: int, batches: list[np.ndarray]) -> Run:
    """open_clip's model as it is; texts shorter than the context go through the same layers with the mask cut."""
    import open_clip
    import torch
    from models import Images, Texts

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    model = open_clip.create_model(f"local-dir:{folder}").eval()
    encode = {"images": Images, "texts": Texts}[tower](model).eval()
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")

    def run(batches: list[np.ndarray]) -> list[np.ndarray]:
        with torch.inference_mode(), autocast:
            return [encode(torch.from_numpy(batch)).float().numpy() for batch in batches]

    return run


def onnxruntime(folder: Path, tower: str, precision: str, threads: int, batches: list[np.ndarray]) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    file = folder / {"f32": f"{tower}.onnx", "int8": f"{tower}-int8.onnx"}[precision]
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda batches: [session.run(None, {"x": batch})[0] for batch in batches]


def openvino(hint: str) -> Callable[..., Run]:
    """For throughput, batches are in flight together, as many as OpenVINO asks for; a lone batch is split for that."""

    def open(folder: Path, tower: str, precision: str, threads: int, batches: list[np.ndarray]) -> Run:
        import openvino

        core = openvino.Core()
        model = core.read_model(folder / (f"{tower}-int8.xml" if precision == "int8" else f"{tower}.onnx"))
        options = {
            "PERFORMANCE_HINT": hint,
            # A processor with bf16 would compute in that else; what is not quantised may stay in it.
            "INFERENCE_PRECISION_HINT": "f32" if precision == "f32" else "bf16",
            "INFERENCE_NUM_THREADS": threads,
        }
        lone = len(batches) == 1
        parts = 1
        if lone:  # Its shape is known, which OpenVINO makes use of.
            model.reshape(list(batches[0].shape))
        compiled = core.compile_model(model, "CPU", options)
        requests = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        if lone and len(batches[0]) % requests == 0 and requests > 1:
            parts = requests
            model.reshape([len(batches[0]) // parts, *batches[0].shape[1:]])
            compiled = core.compile_model(model, "CPU", options)
        queue = openvino.AsyncInferQueue(compiled, requests)

        def run(batches: list[np.ndarray]) -> list[np.ndarray]:
            jobs = [part for batch in batches for part in np.split(batch, parts)]
            results: list = [None] * len(jobs)

            def done(request, i):
                results[i] = request.get_output_tensor().data.copy()

            queue.set_callback(done)
            for i, job in enumerate(jobs):
                queue.start_async({0: job}, i)
            queue.wait_all()
            return [np.concatenate(results)] if parts > 1 else results

        return run

    return open


RIVALS = {
    "pytorch": pytorch,
    "onnxruntime": onnxruntime,
    "openvino-latency": openvino("LATENCY"),
    "openvino-throughput": openvino("THROUGHPUT"),
}


# What each can compute in; the best of several is everyone's to name.
PRECISIONS = {
    "f32": list(RIVALS),
    "bf16": ["pytorch", "openvino-latency", "openvino-throughput"],
    "int8": ["onnxruntime", "openvino-latency", "openvino-throughput"],
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rival", choices=RIVALS)
    parser.add_argument("tower", choices=["images", "texts"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("batches", type=Path, nargs="+")
    parser.add_argument("--precision", choices=PRECISIONS, default="f32")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    batches = [np.load(path) for path in arguments.batches]
    open_rival = RIVALS[arguments.rival]
    run = open_rival(arguments.folder, arguments.tower, arguments.precision, arguments.threads, batches)
    run(list({batch.shape[1:]: batch[:WARM_ROWS] for batch in batches}.values()))
    passes = []
    while sum(passes) < arguments.seconds:
        started = time.perf_counter()
        embeddings = run(batches)
        passes.append(time.perf_counter() - started)
    np.save(arguments.out, np.concatenate(embeddings))
    print(json.dumps({"seconds": statistics.median(passes), "passes": len(passes)}))


if __name__ == "__main__":
    main()
