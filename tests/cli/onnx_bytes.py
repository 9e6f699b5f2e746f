"""ONNX files for the tests, written field by field, so that they can say what no exporter would.

A message is the bytes of its fields one after another; field numbers are those of onnx.proto.
"""

import struct

FLOAT, INT64 = 1, 7  # TensorProto.DataType


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1  # a negative one has ten bytes
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(key: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return varint(key << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(key << 3 | 2) + varint(len(value)) + value


def tensor(name: str, dims: list[int], data: bytes = b"", kind: int = FLOAT) -> bytes:
    return b"".join(field(1, side) for side in dims) + field(2, kind) + field(8, name) + field(9, data)


def floats(name: str, dims: list[int], values: list[float]) -> bytes:
    return tensor(name, dims, struct.pack(f"<{len(values)}f", *values))


def external(name: str, dims: list[int], location: str, kind: int = FLOAT) -> bytes:
    """A tensor whose values lie in another file."""
    entry = field(1, "location") + field(2, location)
    return tensor(name, dims, kind=kind)[: -len(field(9, b""))] + field(13, entry) + field(14, 1)


def attribute(name: str, value: int | float | str | list[int] | list[float] | bytes) -> bytes:
    """`value`: a number, a text, numbers, or the bytes of a graph."""
    if isinstance(value, int):
        return field(1, name) + field(3, value) + field(20, 2)
    if isinstance(value, float):
        return field(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + field(20, 1)
    if isinstance(value, str):
        return field(1, name) + field(4, value) + field(20, 3)
    if isinstance(value, list) and isinstance(value[0], float):
        return field(1, name) + field(7, struct.pack(f"<{len(value)}f", *value)) + field(20, 6)
    if isinstance(value, list):
        return field(1, name) + b"".join(field(8, number) for number in value) + field(20, 7)
    return field(1, name) + field(6, value) + field(20, 5)


def node(operator: str, inputs: list[str], outputs: list[str], **attributes) -> bytes:
    return (
        b"".join(field(1, name) for name in inputs)
        + b"".join(field(2, name) for name in outputs)
        + field(3, operator + "_" + "_".join(outputs))
        + field(4, operator)
        + b"".join(field(5, attribute(name, value)) for name, value in attributes.items())
    )


def value(name: str, dims: list[int]) -> bytes:
    shape = b"".join(field(1, field(1, side)) for side in dims)
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, shape)))


def graph(nodes: list[bytes], initializers: list[bytes], inputs: list[bytes], outputs: list[bytes]) -> bytes:
    return (
        b"".join(field(1, one) for one in nodes)
        + field(2, "graph")
        + b"".join(field(5, one) for one in initializers)
        + b"".join(field(11, one) for one in inputs)
        + b"".join(field(12, one) for one in outputs)
    )


def model(nodes: list[bytes], initializers: list[bytes] = (), side: int = 16, classes: int = 1) -> bytes:
    """From "input", images of `side` × `side`, to "output"."""
    inputs, outputs = [value("input", [1, 3, side, side])], [value("output", [1, classes])]
    body = graph(nodes, list(initializers), inputs, outputs)
    return field(1, 7) + field(7, body) + field(8, field(1, "") + field(2, 13))


def tiny(
    *more: bytes, weights: bytes = floats("weights", [1, 3], [1, -0.5, 0.25]), last: list[bytes] = ()
) -> bytes:
    """tiny-sigmoid: mean colour, one matrix, sigmoid. `more`: initializers; `last` replaces the sigmoid."""
    nodes = [
        node("GlobalAveragePool", ["input"], ["pooled"]),
        node("Flatten", ["pooled"], ["means"], axis=1),
        node("Gemm", ["means", "weights", "bias"], ["logit"], transB=1),
        *(last or [node("Sigmoid", ["logit"], ["output"])]),
    ]
    return model(nodes, [weights, floats("bias", [1], [-0.25]), *more])
