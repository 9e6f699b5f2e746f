"""A network that is none, or is made to do harm: exit code 3 with one line, in seconds and little memory."""

import hashlib

import harness
import onnx_bytes as onnx
from hostile import Hostile, chain, numbers
from images import png


def ending_in(operator: str, inputs: list[str], *initializers: bytes, **attributes) -> bytes:
    """tiny-sigmoid whose last node is another one."""
    return onnx.tiny(*initializers, last=[onnx.node(operator, inputs, ["output"], **attributes)])


def convolved(kernel: list[int] = (3, 3, 1, 1), **attributes) -> bytes:
    count = kernel[0] * kernel[1] * kernel[2] * kernel[3]
    values = onnx.floats("kernel", list(kernel), [1] * min(count, 100))
    nodes = [onnx.node("Conv", ["input", "kernel"], ["map"], kernel_shape=[1, 1], **attributes)]
    nodes += [onnx.node("GlobalAveragePool", ["map"], ["pooled"])]
    return onnx.model([*nodes, onnx.node("Flatten", ["pooled"], ["output"], axis=1)], [values])


class NoNetwork(Hostile):
    def test_the_network_of_these_tests_is_one(self):
        self.package(onnx.tiny())
        self.assertEqual(0, self.score_it()[0].code)

    def test_text_zeros_and_random_bytes(self):
        self.each(
            {
                "text": b"This is no network.\n" * 100,
                "nothing": b"",
                "zeros": b"\0" * 100_000,
                "a picture": png(),
                "random": bytes(hashlib.sha256(bytes([n])).digest()[0] for n in range(200)),
                "a length beyond the end": onnx.field(1, 7) + b"\x3a\xff\xff\xff\xff\x0f",
                "a number without an end": b"\x08" + b"\xff" * 100,
            },
            "model.onnx",
        )

    def test_cut_at_any_byte(self):
        whole = onnx.tiny()
        self.each({f"{end} bytes": whole[:end] for end in range(1, len(whole), 23)}, "model.onnx")

    def test_graphs_of_nothing(self):
        opset = onnx.field(8, onnx.field(2, 13))
        self.each(
            {
                "no graph": onnx.field(1, 7) + opset,
                "an empty graph": onnx.field(1, 7) + onnx.field(7, b"") + opset,
                "no nodes": onnx.model([]),
            },
            "model.onnx",
        )

    def test_a_wrong_hash_is_told_before_anything_is_read_from_it(self):
        for data in (b"text", onnx.tiny(weights=onnx.tensor("weights", [1 << 40]))):
            self.package(data, network=b"another")
            self.assert_refused("model.onnx", "SHA-256")


class Tensors(Hostile):
    """OpenCV believes the dimensions, and reads so many values."""

    def test_dimensions_that_the_data_does_not_fill(self):
        few = b"\0" * 12
        shapes = (
            [1 << 28],
            [(1 << 31) - 1],
            [1, 3, 1000],
            [100_000_000, 3],
            [2, 3],
            [4],
            [2],
            [1 << 20, 1 << 10],
        )
        networks = {str(shape): onnx.tiny(weights=onnx.tensor("weights", shape, few)) for shape in shapes}
        networks["unused"] = onnx.tiny(onnx.tensor("more", [1 << 28], few))
        networks["no data"] = onnx.tiny(weights=onnx.tensor("weights", [1, 3]))
        short = onnx.tensor("weights", [1, 3], few) + onnx.field(4, few[:4])
        networks["two sorts of data"] = onnx.tiny(weights=short)
        value = onnx.node("Constant", [], ["c"]) + onnx.field(
            5, onnx.field(1, "value") + onnx.field(5, onnx.tensor("t", [1 << 28], few)) + onnx.field(20, 4)
        )
        last = [value, onnx.node("Sigmoid", ["logit"], ["output"])]
        networks["in a constant"] = onnx.tiny(last=last)
        self.each(networks, "model.onnx", "does not hold them")

    def test_two_in_the_place_of_one(self):
        """Protocol Buffers put them together: twice [10] becomes [10, 10], with the values of the second."""
        ten = onnx.field(5, onnx.tensor("t", [10], b"\0" * 40))
        value = onnx.node("Constant", [], ["c"]) + onnx.field(5, onnx.field(1, "value") + 2 * ten + onnx.field(20, 4))
        self.each(
            {
                "tensors": onnx.tiny(last=[value, onnx.node("Sigmoid", ["logit"], ["output"])]),
                "graphs": 2 * onnx.tiny(),
            },
            "model.onnx",
            "has a second",
        )

    def test_values_that_are_passed_over(self):
        """A number in the place of a float is none to Protocol Buffers."""
        start = onnx.tensor("weights", [1, 3])[: -len(onnx.field(9, b""))]
        self.each({"float_data": onnx.tiny(weights=start + 3 * onnx.field(4, 0))}, "model.onnx", "damaged")

    def test_dimensions_that_are_none(self):
        shapes = (
            [1 << 40],
            [1 << 20, 1 << 20],
            [1, -3],
            [-1],
            [1 << 62, 4],
            [1 << 32, 1 << 32],
            [-(1 << 63)],
        )
        self.each(
            {str(shape): onnx.tiny(weights=onnx.tensor("weights", shape, b"\0" * 12)) for shape in shapes},
            "claims the size",
        )

    def test_empty_ones_where_values_are_wanted(self):
        networks = {
            str(shape): onnx.tiny(weights=onnx.tensor("weights", shape)) for shape in ([0], [0, 3], [1, 0])
        }
        self.each(networks, "empty")

    def test_data_types_that_are_none(self):
        for kind in (0, 8, 14, 17, 99, 1 << 40):
            with self.subTest(kind):
                self.package(onnx.tiny(weights=onnx.tensor("weights", [1, 3], b"\0" * 12, kind)))
                self.assert_refused("data type")

    def test_too_many_dimensions(self):
        self.each(
            {"200": onnx.tiny(weights=onnx.tensor("weights", [1] * 200 + [3], b"\0" * 12))}, "model.onnx"
        )

    def test_other_types_than_the_node_wants(self):
        self.each(
            {
                str(kind): onnx.tiny(weights=onnx.tensor("weights", [1, 3], b"\0" * 24, kind))
                for kind in (7, 11)
            }
        )

    def test_data_in_another_file(self):
        places = ["/etc/passwd", "../../../etc/passwd", "weights", ""]
        networks = {place: onnx.tiny(weights=onnx.external("weights", [1, 3], place)) for place in places}
        self.each(networks, "model.onnx", "another file")


class Nodes(Hostile):
    def test_a_loop_without_end_and_a_condition(self):
        body = onnx.graph([onnx.node("Identity", ["x"], ["y"])], [], [], [])
        trips = onnx.tensor("trips", [], numbers(1 << 62), onnx.INT64)
        self.each(
            {
                "Loop": ending_in("Loop", ["trips", "", "logit"], trips, body=body),
                "If": ending_in("If", ["logit"], then_branch=body, else_branch=body),
                "Scan": ending_in("Scan", ["logit"], body=body),
            },
            "graph of its own",
        )

    def test_graphs_nested_deeply(self):
        nested = onnx.graph([], [], [], [])
        for _ in range(2000):
            nested = onnx.graph([onnx.node("If", ["c"], ["d"], then_branch=nested)], [], [], [])
        self.each({"2000 deep": onnx.field(1, 7) + onnx.field(7, nested)}, "graph of its own")

    def test_a_cycle(self):
        two = [
            onnx.node("Add", ["logit", "b"], ["a"]),
            onnx.node("Sigmoid", ["a"], ["b"]),
            onnx.node("Sigmoid", ["b"], ["output"]),
        ]
        self.each(
            {
                "of one node": ending_in("Sigmoid", ["output"]),
                "of two": onnx.tiny(last=two),
                "the same output twice": onnx.tiny(last=[onnx.node("Sigmoid", ["logit"], ["output"])] * 2),
            },
            "model.onnx",
        )

    def test_inputs_that_are_missing_or_nowhere(self):
        operators = ("Gemm", "Conv", "Sigmoid", "Add", "Concat", "Reshape", "MaxPool", "BatchNormalization")
        networks = {operator: ending_in(operator, []) for operator in operators}
        networks |= {operator + " of itself": ending_in(operator, ["output"] * 3) for operator in operators}
        others = [
            operator for operator in operators if operator != "Sigmoid"
        ]  # which leaves two inputs unread
        # Some of these are networks to some versions of OpenCV; then the self-test refuses them.
        self.each({operator + " of another": ending_in(operator, ["logit"] * 3) for operator in others})
        networks |= {operator + " of nowhere": ending_in(operator, ["nowhere"] * 3) for operator in operators}
        networks["no outputs"] = onnx.tiny(last=[onnx.node("Sigmoid", ["logit"], [])])
        networks["no such operator"] = ending_in("Evil", ["logit"])
        self.each(networks, "model.onnx")
        self.each({operator: ending_in(operator, []) for operator in operators}, "has no input")
        self.each({operator: ending_in(operator, ["logit"]) for operator in ("Pow", "CumSum")}, "needs two")

    def test_sizes_that_divide_by_zero_or_wrap_round(self):
        huge = (1 << 31) - 1
        self.each(
            {
                "group 0": convolved(group=0),
                "group -1": convolved(group=-1),
                "stride 0": convolved(strides=[0, 0]),
                "dilation 0": convolved(dilations=[0, 0]),
                "border": convolved(pads=[huge] * 4),
                "kernel 0": ending_in("MaxPool", ["input"], kernel_shape=[0, 0]),
                "kernel": ending_in("MaxPool", ["input"], kernel_shape=[huge, huge]),
                "block 0": ending_in("DepthToSpace", ["input"], blocksize=0),
            },
            "its attribute",
        )

    def test_sizes_of_other_types(self):
        """OpenCV takes a float or a text for a number."""
        self.each(
            {"float": convolved(group=0.0), "floats": convolved(group=[0.0]), "text": convolved(group="0")},
            "its attribute group is no whole number",
        )

    def test_shapes_and_axes_that_cannot_be(self):
        def shape(*sides: int) -> bytes:
            return onnx.tensor("shape", [len(sides)], numbers(*sides), onnx.INT64)

        self.each(
            {
                "reshape": ending_in("Reshape", ["logit", "shape"], shape(1 << 40, 1)),
                "reshape twice -1": ending_in("Reshape", ["logit", "shape"], shape(0, -1, -1)),
                "expand": ending_in("Expand", ["logit", "shape"], shape(1, 1, 100_000, 100_000)),
                "constant": ending_in("ConstantOfShape", ["shape"], shape(1, 1, 1_000_000, 100_000)),
                "transpose": ending_in("Transpose", ["input"], perm=[0, 9, -5, 77]),
                "softmax": ending_in("Softmax", ["logit"], axis=1000),
                "concat": ending_in("Concat", ["logit", "logit"], axis=-99),
                "slice": ending_in("Slice", ["input"], axes=[9], starts=[-100], ends=[1 << 62]),
                "gather": ending_in("Gather", ["logit", "shape"], shape(1 << 40), axis=0),
                "flatten": ending_in("Flatten", ["logit"], axis=50),
                "squeeze": ending_in("Squeeze", ["logit"], axes=[50]),
                "unsqueeze": ending_in("Unsqueeze", ["logit"], axes=[-50, 50]),
                "short kernel": convolved((1, 3, 1, 1), pads=[500] * 4, strides=[3, 3], group=3),
            }
        )

    def test_too_many_nodes(self):
        self.each({"5001": onnx.tiny(last=chain(5001)), "20000": onnx.tiny(last=chain(20000))}, "5000 nodes")

    def test_as_many_as_allowed_are_read(self):
        """The limit is below what the stack holds; the answer is another one than tiny-sigmoid's."""
        self.each({"4900": onnx.tiny(last=chain(4900))}, "self-test")

    def test_a_small_network_with_huge_maps(self):
        wide = [
            onnx.node("Concat", ["logit" if n == 0 else f"n{n}"] * 2, [f"n{n + 1}"], axis=1)
            for n in range(31)
        ]
        end = onnx.node("Sigmoid", ["logit"], ["output"])
        self.each(
            {
                "by its border": convolved((1, 3, 1, 1), pads=[20_000] * 4),
                "by doubling": onnx.tiny(last=[*wide, onnx.node("Sigmoid", ["n31"], ["output"])]),
                "as its output": onnx.tiny(last=wide[:28] + [onnx.node("Sigmoid", ["n28"], ["output"])]),
                "beside its output": onnx.tiny(last=[*wide, end]),
            },
            "model.onnx",
        )


if __name__ == "__main__":
    harness.main()
