"""Quick checks of ablate, leave_one_source_out and measure_model: their tables. try_recipe runs them whole."""

import argparse
import contextlib
import dataclasses
import importlib.machinery
import importlib.util
import io
import json
import pathlib
import sys
import tempfile
import unittest

import numpy
from PIL import Image

RECIPE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(RECIPE))

from comparison.results import check_stems, write_truth
from skincheck_training.calibrate import logit, sigmoid
from skincheck_training.data import DataError, Example


def script(name: str):
    loader = importlib.machinery.SourceFileLoader(name, str(RECIPE / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    sys.modules[name] = module  # dataclasses look their module up
    loader.exec_module(module)
    return module


class Ablation(unittest.TestCase):
    @staticmethod
    def outcome(variant: str, seed: int, val: float, unseen: float) -> dict:
        return {"variant": variant, "title": variant.title(), "seed": seed,
                "auc": {"val": {"x": val, "all": val}, "unseen": {"y": unseen}}}

    def test_differences_are_to_the_recipe_with_the_same_seed(self):
        found = [self.outcome("recipe", 1, 0.80, 0.70), self.outcome("dehair", 1, 0.81, 0.68),
                 self.outcome("recipe", 2, 0.90, 0.74), self.outcome("dehair", 2, 0.93, 0.70)]
        lines = script("ablate").markdown(found).splitlines()
        self.assertEqual(lines[2], "| Recipe | 2 | 0.850 ± 0.050 |  | 0.720 ± 0.020 |  |")
        self.assertEqual(lines[3], "| Dehair | 2 | 0.870 ± 0.060 | +0.020 | 0.690 ± 0.010 | -0.030 |")

    def test_lesions_that_were_learned_are_not_unseen(self):
        self.assertIn("table.csv: 1 groups of b are in other sources too, for instance 'g0'",
                      self.refused(*LeavingOneSourceOut.ROWS, "b 1 g0 train", more=("--unseen", "b", "--variants", "recipe")))

    def test_what_cannot_be_learned_or_measured_is_told_before_any_training(self):
        self.assertIn("table.csv: c has not both malignant and benign images: nothing to measure",
                      self.refused(*LeavingOneSourceOut.ROWS, "c 0 g8 train", more=("--unseen", "c", "--variants", "recipe")))
        self.assertIn("table.csv: the train split has no akiec example, which the variant softmax needs",
                      self.refused(*LeavingOneSourceOut.ROWS))

    def refused(self, *rows: str, more: tuple[str, ...] = ()) -> str:
        """What ablate says on stderr."""
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            rows = [row.split() for row in rows]
            for number in range(len(rows)):
                (folder / f"{number}.png").write_bytes(b"")
            table = folder / "table.csv"
            lines = [f"{number}.png,{malignant},{group},{split},{source}"
                     for number, (source, malignant, group, split) in enumerate(rows)]
            table.write_text("\n".join(["file,malignant,group,split,source", *lines]) + "\n")
            arguments = ["--data", table, "--images", folder, "--weights", table, "--skincheck", sys.executable,
                         "--work", folder, "--device", "cpu", *more]
            with contextlib.redirect_stderr(io.StringIO()) as told:
                self.assertEqual(2, script("ablate").main([str(argument) for argument in arguments]))
        return told.getvalue()

    def test_numbers_that_make_no_sense_are_usage_errors(self):
        for option, value in (("--threads", -1), ("--epochs", 0), ("--side", 0), ("--size", 0), ("--seeds", -1)):
            with self.subTest(option), self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()) as said:
                script("ablate").parse([option, str(value)])
            self.assertRegex(said.getvalue(), f"{option}: {value} is not (0|1) or more")

    def test_one_seed_has_no_spread(self):
        lines = script("ablate").markdown([self.outcome("recipe", 1, 0.8, 0.7)]).splitlines()
        self.assertEqual(lines[2:4], ["| Recipe | 1 | 0.800 |  | 0.700 |  |", ""])
        self.assertIn("± is half the range over the seeds", lines[4])


class LeavingOneSourceOut(unittest.TestCase):
    @staticmethod
    def examples(*rows: str) -> list[Example]:
        """Of each: source, malignant, group, split."""
        return [
            Example(pathlib.Path(f"{i}.png"), f"{i}.png", malignant == "1", "", group, split, source, {})
            for i, (source, malignant, group, split) in enumerate(row.split() for row in rows)
        ]

    ROWS = ("a 1 g0 train", "a 0 g1 train", "a 1 g2 val", "a 0 g3 val", "b 1 g4 train", "b 0 g5 train", "b 1 g6 val", "b 0 g7 val")

    def test_what_cannot_be_measured_is_told_before_any_training(self):
        check = script("leave_one_source_out").check_source
        table = pathlib.Path("table.csv")
        for source in ("a", "b"):
            check(source, table, self.examples(*self.ROWS))
        with self.assertRaisesRegex(DataError, "c has not both malignant and benign"):
            check("c", table, self.examples(*self.ROWS, "c 0 g8 train"))
        with self.assertRaisesRegex(DataError, "1 groups of b are in other sources too, for instance 'g1'"):
            check("b", table, self.examples(*self.ROWS, "b 0 g1 train"))
        with self.assertRaisesRegex(DataError, "the val split has no malignant example left"):
            check("a", table, self.examples(*(row for row in self.ROWS if row != "b 1 g6 val")))

    def test_figures_of_another_command_are_not_taken(self):
        with tempfile.TemporaryDirectory() as folder:
            stored = pathlib.Path(folder) / "figures.json"
            figures_of = script("leave_one_source_out").figures_of
            self.assertIsNone(figures_of(stored, "key"))
            stored.write_text(json.dumps({"key": "key", "figures": {"validation_auc": 0.9}}))
            self.assertEqual(figures_of(stored, "key"), {"validation_auc": 0.9})
            self.assertIsNone(figures_of(stored, "another"))

    def test_each_training_has_its_own_package(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = {name: pathlib.Path(folder) for name in ("work", "data", "images", "weights", "skincheck")}
            options = argparse.Namespace(leave_out=[], **paths)
            self.assertTrue(script("leave_one_source_out").draft_of(options, ["--side", "64"]).is_dir())
            with self.assertRaisesRegex(ValueError, "--package is not given here"):
                script("leave_one_source_out").draft_of(options, ["--package", f"{folder}/other"])

    def test_a_source_may_have_any_name(self):
        folder_of = script("leave_one_source_out").folder_of
        options = argparse.Namespace(work=pathlib.Path("work"))
        names = ("plain one", "a/b", "a%2Fb", ".", "..", "cache", "draft", "ü")
        folders = [folder_of(name, options) for name in names]
        self.assertEqual(len(set(folders)), len(names))
        self.assertEqual(folders[0], options.work / "plain one")
        for folder in folders:
            self.assertEqual(folder.parent, options.work)
            self.assertNotIn(folder.name, ("", "..", "cache", "draft"))

    def test_figures_are_of_their_groups_pixels_and_weights(self):
        key_of, kept = script("leave_one_source_out").key_of, self.examples(*self.ROWS)
        with tempfile.TemporaryDirectory() as folder:
            weights = pathlib.Path(folder) / "weights"
            options = argparse.Namespace(weights=weights, leave_out=[])
            weights.write_text("some")
            key = key_of(kept, "pixels", options, [])
            self.assertEqual(key, key_of(kept, "pixels", options, []))
            self.assertNotEqual(key, key_of([dataclasses.replace(kept[0], group="g9"), *kept[1:]], "pixels", options, []))
            self.assertNotEqual(key, key_of(kept, "other pixels", options, []))
            self.assertNotEqual(key, key_of(kept, "pixels", options, ["--seed", "2"]))
            weights.write_text("others")
            self.assertNotEqual(key, key_of(kept, "pixels", options, []))

    def test_the_truth_is_of_these_images_alone(self):
        """A row that is left out may have the name of one that is not."""
        examples = [dataclasses.replace(e, columns={"file": e.file, "malignant": "?", "age": "5", None: ["x"]})
                    for e in self.examples(*self.ROWS)]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "truth.csv"
            write_truth(path, examples[:2])
            self.assertEqual(path.read_text(), "file,malignant,age,group\n0.png,1,5,g0\n1.png,0,5,g1\n")

    def test_two_images_of_one_name_are_refused(self):
        names = self.examples(*self.ROWS)
        check_stems(pathlib.Path("table.csv"), names)
        twin = dataclasses.replace(names[0], file="elsewhere/3.jpg")
        with self.assertRaisesRegex(DataError, "table.csv: 3.png and elsewhere/3.jpg have the same name"):
            check_stems(pathlib.Path("table.csv"), [*names, twin])

    def test_a_row(self):
        figures = {name: {"value": 0.9, "low": 0.8, "high": 0.95} for name in ("roc_auc", "sensitivity", "specificity")}
        lines = script("leave_one_source_out").markdown([("x", 1234, 56, figures, 0.91)]).splitlines()
        self.assertEqual(lines[2], "| x | 1,234 | 56 | 0.900 (0.800 to 0.950) | 0.900 | 0.900 | 0.910 |")


    def test_an_auc_without_an_interval(self):
        figures = {name: {"value": 1.0, "low": None, "high": None} for name in ("roc_auc", "sensitivity", "specificity")}
        lines = script("leave_one_source_out").markdown([("x", 9, 2, figures, 0.91)]).splitlines()
        self.assertEqual(lines[2], "| x | 9 | 2 | 1.000 | 1.000 | 1.000 | 0.910 |")


class MeasuringAModel(unittest.TestCase):
    HEADER = "file,malignant,group,age"

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for name in ("a.png", "b.png", "c.png"):
            Image.new("RGB", (8, 8), "white").save(self.folder / name)

    def measure(self, *rows: str, header: str = HEADER, scores: str = "abc", code: int = 0, **changes) -> str:
        """What it says on stderr. Stands in for skincheck: writes rows of these images and ends with this exit code;
        `evaluate` is not there, so that it must not be reached. `changes` are of model.json."""
        (self.folder / "table.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8-sig")
        executable = self.folder / "skincheck"
        lines = "".join(f"{name}.png,ok,0.5,m@0123456789ab\n" for name in scores)
        executable.write_text(f"""#!{sys.executable}
import sys
if sys.argv[1] == "evaluate":
    sys.exit("evaluate is reached")
open(sys.argv[sys.argv.index("--output") + 1], "w").write({"path,status,malignancy,model" + chr(10) + lines!r})
sys.exit({code})
""")
        executable.chmod(0o755)
        model = self.folder / "model"
        model.mkdir(exist_ok=True)
        spec = {"name": "m", "sha256": "0123456789abcdef", "output": {"kind": "sigmoid", "classes": ["malignant"]},
                "calibration": {"kind": "none"}}
        (model / "model.json").write_text(json.dumps(spec | changes))
        arguments = {"data": self.folder / "table.csv", "images": self.folder, "skincheck": executable, "model": model,
                     "work": self.folder / "work", "views": 1}
        with contextlib.redirect_stderr(io.StringIO()) as told:
            result = script("measure_model").main([str(part) for name, value in arguments.items() for part in (f"--{name}", value)])
        self.assertEqual((2, 1), (result, told.getvalue().count("\n")), told.getvalue())
        return told.getvalue()

    ROWS = ("a.png,1,g1,30", "b.png,0,g2,40", "c.png,0,g3,")

    def test_results_that_are_not_whole_are_not_taken_the_next_time(self):
        self.assertIn("could not score all 3 images", self.measure(*self.ROWS, scores="ab", code=1))
        self.assertFalse((self.folder / "work/results-1.csv").exists())
        self.assertIn("evaluate is reached", self.measure(*self.ROWS))  # it has scored them anew
        self.assertTrue((self.folder / "work/results-1.csv").exists())
        self.assertIn("is of other images than", self.measure(*self.ROWS[:2]))
        self.assertIn("evaluate is reached", self.measure(*self.ROWS))
        changed = {"calibration": {"kind": "temperature", "temperature": 2.0}}
        self.assertIn("is of another model.json, or of images that have changed", self.measure(*self.ROWS, **changed))

    def test_what_pillow_cannot_read_is_left_empty(self):
        (self.folder / "a.dcm").write_bytes(b"no image to Pillow")
        Image.new("RGB", (8, 8), "blue").save(self.folder / "b.png")
        script("measure_model").draw([(self.folder / "a.dcm", True), (self.folder / "b.png", False)], self.folder / "m.png")
        with Image.open(self.folder / "m.png") as sheet:
            self.assertEqual(((255, 255, 255), (0, 0, 255)), (sheet.getpixel((90, 90)), sheet.getpixel((270, 90))))

    def test_a_table_is_read_as_the_recipe_reads_one(self):
        self.assertIn("table.csv: no column file, malignant", self.measure("1,2", header="x,y"))
        self.assertIn("table.csv:3: malignant is 'yes', not 0 or 1", self.measure(self.ROWS[0], "b.png,yes,g2,40"))
        self.assertIn("table.csv:3: malignant is None", self.measure(self.ROWS[0], "b.png"))
        (self.folder / "sub").mkdir()
        Image.new("RGB", (8, 8)).save(self.folder / "sub/a.png")
        self.assertIn("a.png and sub/a.png have the same name", self.measure(*self.ROWS, "sub/a.png,0,g4,1"))

    def test_calibration_is_undone(self):
        raw = numpy.array([0.1, 0.1, 0.1, 0.1, 0.9, 0.9])
        truth = {"a": True, "b": False, "c": False, "d": False, "e": True, "f": True}
        spec = {"output": {"kind": "sigmoid", "classes": ["malignant"]},
                "calibration": {"kind": "platt", "slope": 0.7, "intercept": -0.4}}
        given = dict(zip(truth, ({"malignancy": str(p)} for p in sigmoid(0.7 * logit(raw) - 0.4)), strict=True))
        # Four are said 0.1, and a quarter of them is; two are said 0.9, and all are.
        wanted = (4 * 0.15 + 2 * 0.1) / 6
        found = script("measure_model").uncalibrated_ece(given, truth, spec)
        self.assertAlmostEqual(found, wanted, places=9)

    def test_a_calibration_that_cannot_be_undone_is_told_before_the_scoring(self):
        for calibration in ({"kind": "isotonic"}, {"kind": "temperature"}, {"kind": "platt", "slope": 1.0}):
            with self.subTest(calibration):
                told = self.measure(*self.ROWS, calibration=calibration)
                self.assertRegex(told, "model.json: a calibration of kind isotonic|model.json: no '(temperature|intercept)'")
        self.assertFalse((self.folder / "work/results-1.csv").exists())

    def test_a_figure_without_value_or_interval(self):
        figure = script("measure_model").figure
        self.assertEqual(figure({"value": None, "reason": "no benign case"}), "-")
        self.assertEqual(figure({"value": 1.0, "low": None, "high": None}), "1.0000")
        self.assertEqual(figure({"value": 0.91234, "low": 0.9, "high": 0.92}, 3), "0.912 (0.900 to 0.920)")


if __name__ == "__main__":
    unittest.main()
