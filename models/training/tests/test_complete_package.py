"""complete_package fills in what a hand-written model.json lacks, or says in one line why not."""

import contextlib
import io
import json
import pathlib
import shutil
import sys
import tempfile
import unittest

RECIPE = pathlib.Path(__file__).resolve().parent.parent
TINY = RECIPE.parent.parent / "tests/data/models/tiny-softmax"
sys.path.insert(0, str(RECIPE))

from test_studies import script


class CompletePackage(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name) / "model"
        shutil.copytree(TINY, self.folder)

    def complete(self, **changes) -> tuple[int, str]:
        """Exit code and stderr; `changes` are fields of model.json, None takes one away."""
        spec = {**self.spec(), **changes}
        spec = {name: value for name, value in spec.items() if value is not None}
        (self.folder / "model.json").write_text(json.dumps(spec))
        with contextlib.redirect_stderr(io.StringIO()) as told:
            return script("complete_package").main([str(self.folder)]), told.getvalue()

    def spec(self) -> dict:
        return json.loads((self.folder / "model.json").read_text())

    def test_hash_and_answers_are_those_that_skincheck_checks(self):
        before = self.spec()
        self.assertEqual((0, ""), self.complete(sha256=None, golden=None))
        after = self.spec()
        self.assertEqual(before["sha256"], after["sha256"])
        for one, other in zip(before["golden"]["cases"], after["golden"]["cases"], strict=True):
            self.assertEqual(one["seed"], other["seed"])
            for first, second in zip(one["outputs"], other["outputs"], strict=True):
                self.assertAlmostEqual(first, second, delta=1e-5)
        self.assertEqual({**before, "golden": None}, {**after, "golden": None})

    def test_a_tolerance_that_is_there_stays(self):
        self.assertEqual(0, self.complete(golden={"tolerance": {"cpu-fp32": 0.01}})[0])
        self.assertEqual({"cpu-fp32": 0.01}, self.spec()["golden"]["tolerance"])

    def test_what_does_not_fit_is_told_and_nothing_is_written(self):
        given, output = self.spec()["input"], self.spec()["output"]
        for changes, said in (
            ({"input": {**given, "name": "image"}}, "model.json's input is called image, and the network has: input"),
            ({"output": {**output, "name": "logits"}}, "model.json's output is called logits, and the network has: output"),
            ({"output": {**output, "classes": ["a", "b"]}}, "gives 3 numbers for an image, and model.json names 2 classes"),
            ({"normalise": None}, "model.json: no 'normalise'"),
        ):
            with self.subTest(said):
                shutil.copy(TINY / "model.json", self.folder)
                code, told = self.complete(**changes)
                self.assertEqual((2, 1), (code, told.count("\n")))
                self.assertIn(said, told)
                self.assertEqual(["model.json", "model.onnx"], sorted(path.name for path in self.folder.iterdir()))
        (self.folder / "model.onnx").write_bytes(b"no network")
        shutil.copy(TINY / "model.json", self.folder)
        code, told = self.complete()
        self.assertEqual((2, 1), (code, told.count("\n")))
        (self.folder / "model.onnx").unlink()
        self.assertIn("model.onnx: No such file", self.complete()[1])


if __name__ == "__main__":
    unittest.main()
