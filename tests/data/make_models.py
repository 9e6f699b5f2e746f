#!/usr/bin/env python3
"""Makes the tiny model packages of tests/data/models. Needs onnx, numpy and the library libzstd.

They are networks of one matrix on the mean colour of a 16×16 image, so that a test can work a score out by hand:

    tiny-sigmoid   p = sigmoid(R - 0.5 G + 0.25 B - 0.25) of the normalised means
    tiny-softmax   three classes, softmax(2 R, 2 G + 0.5, 2 B)
    tiny-packed    tiny-sigmoid as model.onnx.zst
    tiny-nan       no number for images whose mean red is above 240 of 255
"""

import ctypes
import ctypes.util
import hashlib
import json
import pathlib
import shutil
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "models" / "training"))
from skincheck_training.golden import draw_golden_input  # noqa: E402

SIDE = 16
SEEDS = [1, 2, 3]


def network(weights: numpy.ndarray, bias: numpy.ndarray, last: list[tuple[str, dict]]) -> bytes:
    """Mean colour → weights (classes × 3) and bias → the nodes of `last`, as the bytes of an ONNX file."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["pooled"], name="/pool/Pool"),
        helper.make_node("Flatten", ["pooled"], ["means"], name="/pool/Flatten", axis=1),
        helper.make_node("Gemm", ["means", "weights", "bias"], ["value0"], name="/head/Gemm", transB=1),
    ]
    for number, (operator, attributes) in enumerate(last):
        end = "output" if number == len(last) - 1 else f"value{number + 1}"
        nodes.append(helper.make_node(operator, [f"value{number}"], [end], name=f"/head/{operator}", **attributes))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", len(bias)])],
        [
            numpy_helper.from_array(weights.astype(numpy.float32), "weights"),
            numpy_helper.from_array(bias.astype(numpy.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def golden_means(seed: int, mean: list[float], std: list[float]) -> numpy.ndarray:
    pixels = draw_golden_input(seed, SIDE, SIDE).astype(numpy.float64)
    return ((pixels / 255 - mean) / std).mean(axis=(0, 1))


def sigmoid(z: numpy.ndarray) -> numpy.ndarray:
    return 1 / (1 + numpy.exp(-z))


def softmax(z: numpy.ndarray) -> numpy.ndarray:
    powers = numpy.exp(z - z.max())
    return powers / powers.sum()


def write_package(name, network_bytes, answer, output, mean, std, packed=False) -> None:
    folder = HERE / "models" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    cases = [{"seed": seed, "outputs": [round(float(p), 8) for p in answer(golden_means(seed, mean, std))]}
             for seed in SEEDS]
    spec = {
        "format": 1,
        "name": name,
        "version": "1",
        "licence": "Apache-2.0",
        "description": "A tiny network for the tests; it knows nothing of skin",
        "sha256": hashlib.sha256(network_bytes).hexdigest(),
        "input": {"name": "input", "height": SIDE, "width": SIDE, "channels": "RGB", "layout": "NCHW"},
        "preprocess": [{"op": "resize", "mode": "squash", "width": SIDE, "height": SIDE, "interpolation": "area"}],
        "normalise": {"scale": 1 / 255, "mean": mean, "std": std},
        "output": {"name": "output", **output},
        "calibration": {"kind": "none"},
        "threshold": 0.5,
        "operating_points": [],
        "golden": {"cases": cases, "tolerance": {"cpu-fp32": 1e-4, "cpu-bf16": 5e-3, "cuda-fp32": 1e-4, "cuda-fp16": 5e-3}},
        "training": {},
    }
    (folder / "model.json").write_text(json.dumps(spec, indent=2) + "\n")
    if packed:
        (folder / "model.onnx.zst").write_bytes(zstd(network_bytes))
    else:
        (folder / "model.onnx").write_bytes(network_bytes)


def zstd(data: bytes) -> bytes:
    library = ctypes.CDLL(ctypes.util.find_library("zstd"))
    library.ZSTD_compressBound.restype = ctypes.c_size_t
    library.ZSTD_compressBound.argtypes = [ctypes.c_size_t]
    library.ZSTD_compress.restype = ctypes.c_size_t
    library.ZSTD_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
    target = ctypes.create_string_buffer(library.ZSTD_compressBound(len(data)))
    size = library.ZSTD_compress(target, len(target), data, len(data), 19)
    return target.raw[:size]


def main() -> None:
    one = {"kind": "sigmoid", "classes": ["malignant"], "malignant": ["malignant"]}
    half, quarter, zero, unit = [0.5] * 3, [0.25] * 3, [0.0] * 3, [1.0] * 3

    weights, bias = numpy.array([[1.0, -0.5, 0.25]]), numpy.array([-0.25])
    tiny = network(weights, bias, [("Sigmoid", {})])
    for name in ("tiny-sigmoid", "tiny-packed"):
        write_package(name, tiny, lambda x: sigmoid(weights @ x + bias), one, half, quarter, packed=name == "tiny-packed")

    weights3, bias3 = 2 * numpy.eye(3), numpy.array([0.0, 0.5, 0.0])
    three = {"kind": "softmax", "classes": ["nevus", "melanoma", "bcc"], "malignant": ["melanoma", "bcc"]}
    write_package("tiny-softmax", network(weights3, bias3, [("Softmax", {"axis": 1})]),
                  lambda x: softmax(weights3 @ x + bias3), three, zero, unit)

    # The logarithm of what is left of red below 240 of 255.
    weights, bias = numpy.array([[-1.0, 0.0, 0.0]]), numpy.array([240 / 255])
    write_package("tiny-nan", network(weights, bias, [("Log", {}), ("Sigmoid", {})]),
                  lambda x: sigmoid(numpy.log(weights @ x + bias)), one, zero, unit)


if __name__ == "__main__":
    main()
