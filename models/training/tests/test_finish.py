"""Checks of a package's making on a network of three layers; nothing is trained or exported."""

import copy
import pathlib
import sys
import tempfile
import unittest
import unittest.mock
from collections.abc import Callable

import torch
from test_goals import tiny_network, tiny_task

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from skincheck_training import finish, package
from skincheck_training.data import Example
from skincheck_training.goals import GOALS

GOAL = GOALS["malignancy"]


class Rounded(torch.nn.Module):
    """Stands for a network whose rounding moves the two golden cases alone."""

    def __init__(self, network: torch.nn.Module, moved: float) -> None:
        super().__init__()
        self.network, self.moved = network, moved

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.network(pixels) + (self.moved if len(pixels) == 2 else 0.0)


class Finishing(unittest.TestCase):
    def finish(self, moved: Callable[[int], float], graph_moved: float = 0.0) -> dict:
        network, task = tiny_network(1).eval(), tiny_task()
        other = copy.deepcopy(network)
        other.fc[0].bias.data += 1
        spec = package.base_spec("name", "1", "none", GOAL, 32)
        exported = []

        def export(folded: torch.nn.Module, *_) -> bytes:
            exported.append(folded)
            return b"graph"

        def run(_: bytes, drawn: torch.Tensor) -> torch.Tensor:
            return GOAL.probabilities(exported[0](drawn)) + graph_moved

        example = Example(pathlib.Path("one.jpg"), "one.jpg", False, "", "", "val", "one", {})
        with (
            tempfile.TemporaryDirectory() as folder,
            unittest.mock.patch.object(finish, "wrong_networks", lambda *_: [other]),
            unittest.mock.patch.object(finish, "fold", lambda network, _, bits: Rounded(network, moved(bits))),
            unittest.mock.patch.object(finish, "export_onnx", export),
            unittest.mock.patch.object(finish, "reference_outputs", run),
        ):
            scores = pathlib.Path(folder) / "validation.csv"
            finish.finish(spec, network, GOAL, task, [example] * len(task.pixels), pathlib.Path("weights"), "notice", scores)
        return spec

    def test_weights_are_finer_where_a_golden_case_moves_too_far(self):
        spec = self.finish(lambda bits: 0.02 * 2 ** (11 - bits))
        self.assertEqual(spec["training"]["rounding"]["bits_below_spread"], 13)
        self.assertGreater(spec["golden"]["tolerance"]["cpu-fp32"], 0.002)

    def test_the_coarsest_weights_are_taken_where_nothing_moves(self):
        spec = self.finish(lambda _: 0.0)
        self.assertEqual(spec["training"]["rounding"]["bits_below_spread"], 11)
        self.assertEqual(spec["golden"]["tolerance"]["cpu-fp32"], 0.0005)

    def test_a_move_that_finer_weights_do_not_mend_is_an_error(self):
        with self.assertRaisesRegex(ValueError, "folding and rounding move a score by 0.00[0-9]+, 0.002 or more"):
            self.finish(lambda _: 0.02)

    def test_a_graph_that_answers_otherwise_is_an_error(self):
        with self.assertRaisesRegex(ValueError, r"golden input \d+: the exported graph answers"):
            self.finish(lambda _: 0.0, graph_moved=0.01)


class Package(unittest.TestCase):
    def test_a_network_that_lay_there_unpacked_does_not_stand_before_the_new_one(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "model.onnx").write_bytes(b"another")
            terms = package.Terms("a line", "LICENSE", b"licence", "notice")
            package.write_package(folder, package.base_spec("name", "1", "a line", GOAL, 32), b"graph", terms)
            self.assertEqual({"LICENSE", "NOTICE", "model.json", "model.onnx.zst"}, {path.name for path in folder.iterdir()})


if __name__ == "__main__":
    unittest.main()
