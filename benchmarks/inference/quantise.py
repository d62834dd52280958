"""The rivals' models in eight bits, from what `models.py` wrote, once.

    python quantise.py FOLDER [SHARD]

writes `images-int8.onnx` and `texts-int8.onnx`, of ONNX Runtime's dynamic quantisation (weights by channel), and
`images-int8.xml` and `texts-int8.xml`, of NNCF's for OpenVINO, calibrated with its settings for transformers: on the shard's
pictures and captions that `accuracy.py` does not measure, or without one on drawn inputs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nncf
import numpy as np
import openvino
from models import pixels, token_ids
from samples import COUNT, prepared, samples
from onnxruntime.quantization import QuantType, quantize_dynamic

CALIBRATION, SEED = 128, 1


def main() -> None:
    folder = Path(sys.argv[1])
    if len(sys.argv) > 2:
        inputs = prepared(folder, *samples(Path(sys.argv[2]), skip=COUNT, count=CALIBRATION))
    else:
        inputs = {"images": pixels(CALIBRATION, 224, SEED), "texts": token_ids(CALIBRATION, 77, SEED)}
    for tower, examples in inputs.items():
        source = folder / f"{tower}.onnx"
        quantize_dynamic(
            source,
            folder / f"{tower}-int8.onnx",
            per_channel=True,
            weight_type=QuantType.QInt8,
            use_external_data_format=True,
        )
        model = openvino.Core().read_model(source)
        dataset = nncf.Dataset(list(np.split(examples, CALIBRATION)))
        quantised = nncf.quantize(model, dataset, model_type=nncf.ModelType.TRANSFORMER, subset_size=CALIBRATION)
        openvino.save_model(quantised, folder / f"{tower}-int8.xml")
    (folder / "whole-int8").touch()


if __name__ == "__main__":
    main()
