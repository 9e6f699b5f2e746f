"""Quick checks of compare_classifiers, on drawn images. From models/training: python -m unittest discover tests

Left out where requirements-comparison.txt is not installed.
"""

import argparse
import csv
import dataclasses
import pathlib
import sys
import tempfile
import unittest
import unittest.mock

import numpy
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

try:
    import skimage  # noqa: F401
    import sklearn  # noqa: F401
except ImportError as missing:
    raise unittest.SkipTest("requirements-comparison.txt is not installed") from missing

from comparison import methods, networks, report
from comparison.classics import CLASSICS
from comparison.features import features
from comparison.images import Shared, check_apart
from comparison.inputs import SIDE, feature_rows, inputs, small_pixels
from comparison.methods import Images, Method, save_outcome, search, stored_outcome
from comparison.results import COLUMNS, calibrated, read_results, write_results, youden_threshold
from skincheck_training.data import DataError, Example, read_test_table

from test_studies import script


def skin(side: int = 96) -> numpy.ndarray:
    noise = numpy.random.default_rng(1).integers(-6, 7, (side, side, 1))
    return (numpy.array((226, 190, 172)) + noise).astype(numpy.uint8)


def lesion(half: bool = False, colour=(90, 60, 50), side: int = 96) -> numpy.ndarray:
    """A dark ellipse on skin, or one half of it."""
    rows, columns = numpy.mgrid[:side, :side] - side / 2 + 0.5
    inside = (rows / 24) ** 2 + (columns / 15) ** 2 < 1
    pixels = skin(side)
    pixels[inside & (columns + rows > 4 if half else True)] = colour
    return pixels


def example(name: str, malignant: bool = False, group: str = "", split: str = "test") -> Example:
    return Example(pathlib.Path("folder") / name, name, malignant, "", group, split, "all", {})


class Features(unittest.TestCase):
    def test_each_image_has_the_same_and_all_are_finite(self):
        names = list(features(lesion()))
        self.assertGreater(len(names), 100)
        for pixels in (numpy.zeros((64, 64, 3)), numpy.full((64, 64, 3), 255), skin(64)):
            found = features(pixels.astype(numpy.uint8))
            self.assertEqual(list(found), names)
            self.assertTrue(numpy.isfinite(list(found.values())).all())

    def test_dark_corners_do_not_count_in_colour(self):
        side = 96
        rows, columns = numpy.mgrid[:side, :side] - (side - 1) / 2
        dark = lesion()
        dark[numpy.hypot(rows, columns) > side / 2] = 0
        plain, cornered = features(lesion()), features(dark)
        for name in plain:
            if name[1:].startswith(("_mean", "_deviation", "_share")):
                self.assertAlmostEqual(plain[name], cornered[name], msg=name)

    def test_a_quarter_turn_changes_nothing(self):
        upright, turned = features(lesion(half=True)), features(numpy.rot90(lesion(half=True)))
        for name in upright:
            self.assertAlmostEqual(upright[name], turned[name], delta=0.02 + 0.02 * abs(upright[name]), msg=name)

    def test_shares_of_a_histogram_add_up(self):
        found = features(lesion())
        for plane in (*"hsvLab", "pattern1", "pattern3"):
            shares = [value for name, value in found.items() if name.startswith(f"{plane}_share")]
            self.assertAlmostEqual(sum(shares), 1, places=6, msg=plane)

    def test_the_blot_is_the_ellipse(self):
        found = features(lesion())
        disc = numpy.pi * 48**2
        self.assertAlmostEqual(found["blot_area"], numpy.pi * 24 * 15 / disc, delta=0.02)
        self.assertAlmostEqual(found["blot_eccentricity"], (1 - (15 / 24) ** 2) ** 0.5, delta=0.03)
        self.assertGreater(found["blot_L_step"], 30)
        self.assertLess(found["blot_asymmetry_long"], 0.05)

    def test_half_an_ellipse_is_less_symmetric(self):
        whole, half = features(lesion()), features(lesion(half=True))
        self.assertGreater(half["blot_asymmetry_long"], whole["blot_asymmetry_long"] + 0.05)

    def test_an_even_image_has_no_blot(self):
        self.assertEqual(features(numpy.full((64, 64, 3), 200, numpy.uint8))["blot_area"], 0)

    def test_a_finer_texture_has_more_contrast(self):
        noisy = (skin() + numpy.random.default_rng(2).integers(-30, 30, (96, 96, 1))).clip(0, 255).astype(numpy.uint8)
        self.assertGreater(features(noisy)["contrast1"], 4 * features(skin())["contrast1"])


class Inputs(unittest.TestCase):
    def test_small_pixels_keep_place_and_colour(self):
        pixels = numpy.zeros((1, 128, 128, 3), dtype=numpy.uint8)
        pixels[0, :64, 64:] = (200, 100, 50)
        small = small_pixels(pixels)
        self.assertEqual((small.shape, small.dtype), ((1, SIDE, SIDE, 3), numpy.uint8))
        self.assertEqual(small[0, 2, -3].tolist(), [200, 100, 50])
        self.assertEqual(small[0, -3, 2].tolist(), [0, 0, 0])

    def test_they_are_in_the_order_of_the_images_and_made_once(self):
        packs = [numpy.stack([lesion(), skin()]), lesion(half=True)[None]]
        names = ("a.png", "b.png", "c.png")
        shared = Shared([example(name) for name in names], packs, numpy.array([(0, 1), (1, 0), (0, 0)]), "origin")
        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch("builtins.print"):
            made = inputs("features", pathlib.Path(folder), shared)
            wanted = feature_rows([skin(), lesion(half=True), lesion()])
            numpy.testing.assert_array_equal(made, wanted)
            with unittest.mock.patch.dict("comparison.inputs.MAKERS", {"features": None}):
                numpy.testing.assert_array_equal(inputs("features", pathlib.Path(folder), shared), wanted)


class TestTable(unittest.TestCase):
    def read(self, *lines: str) -> list[Example]:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            for file in ("a.png", "b.png"):
                (folder / file).touch()
            (folder / "test.csv").write_text("\n".join(lines) + "\n")
            return read_test_table(folder / "test.csv", folder)

    def test_reads_what_is_there(self):
        rows = self.read("file,malignant,group", "a.png,1,g1", "b.png,0,")
        self.assertEqual([(e.file, e.malignant, e.group, e.split) for e in rows],
                         [("a.png", True, "g1", "test"), ("b.png", False, "", "test")])

    def test_faults_are_named(self):
        for lines, message in (
            (("file,label", "a.png,1"), "no column malignant"),
            (("file,malignant", "a.png,yes"), "test.csv:2: malignant is 'yes'"),
            (("file,malignant", "a.png,1", "b.png,1"), "malignant and benign"),
        ):
            with self.subTest(message), self.assertRaisesRegex(DataError, message):
                self.read(*lines)

    def test_images_that_were_learned_are_refused(self):
        known = [example("x/a.png", group="g1"), example("x/b.png", group="")]
        check_apart(known, [example("c.png", group="g2"), example("d.png", group="")], pathlib.Path("t.csv"))
        with self.assertRaisesRegex(DataError, "1 groups .* 'g1'"):
            check_apart(known, [example("c.png", group="g1")], pathlib.Path("t.csv"))
        with self.assertRaisesRegex(DataError, "1 files .* 'a'"):
            check_apart(known, [example("y/a.jpg", group="g3")], pathlib.Path("t.csv"))


class Results(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "results.csv"
        self.examples = [example("a,b.png"), example("ü.png", True), example("c.png")]

    def test_columns_and_labels_are_skinchecks(self):
        write_results(self.path, self.examples, numpy.array([0.2999996, 0.2999994, 1.0]), 0.3, "svm@1")
        with self.path.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.reader(lines))
        self.assertEqual(tuple(rows[0]), COLUMNS)
        self.assertEqual(rows[1], ["folder/a,b.png", "ok", "0.300000", "malignant", "0.300000", "svm@1", ""])
        self.assertEqual([row[3] for row in rows[1:]], ["malignant", "benign", "malignant"])

    def test_what_was_written_is_read_in_the_order_asked_for(self):
        write_results(self.path, self.examples, numpy.array([0.1, 0.2, 0.3]), 0.3, "svm@1")
        scores, model = read_results(self.path, self.examples[::-1])
        self.assertEqual((scores.tolist(), model), ([0.3, 0.2, 0.1], "svm@1"))

    def test_an_image_without_a_score_is_named(self):
        write_results(self.path, self.examples[:2], numpy.array([0.1, 0.2]), 0.3, "svm@1")
        self.path.write_text(self.path.read_text().replace("ü.png,ok", "ü.png,unreadable"))
        with self.assertRaisesRegex(DataError, "no score for 2 images, for instance ü.png"):
            read_results(self.path, self.examples)

    def test_results_of_several_models_are_refused(self):
        write_results(self.path, self.examples, numpy.array([0.1, 0.2, 0.3]), 0.3, "svm@1")
        self.path.write_text(self.path.read_text().replace("svm@1", "svm@2", 1))
        with self.assertRaisesRegex(DataError, "is of several models: svm@1, svm@2"):
            read_results(self.path, self.examples)

    def test_validation_and_test_are_of_one_model(self):
        val, test = self.path, self.path.with_name("test.csv")
        for path, model in ((val, "svm@1"), (test, "svm@2")):
            write_results(path, self.examples, numpy.array([0.1, 0.2, 0.3]), 0.3, model)
        options = argparse.Namespace(shipped_val=val, shipped_test=test)
        shared = unittest.mock.Mock(of=lambda _: self.examples)
        with self.assertRaisesRegex(DataError, "test.csv is of svm@2, .*results.csv of svm@1: name results of one model"):
            script("compare_classifiers").shipped(options, shared)

    def test_other_tables_are_refused(self):
        self.path.write_text("image,MEL\na,1\n")
        with self.assertRaisesRegex(DataError, "no column malignancy, model, path, status"):
            read_results(self.path, self.examples)

    def test_calibration_keeps_the_order_and_fits_the_share(self):
        generator = numpy.random.default_rng(1)
        truth = generator.random(2000) < 0.2
        val, test = generator.normal(size=2000) + 2 * truth, numpy.linspace(-3, 5, 50)
        on_val, on_test = calibrated(val, test, truth)
        self.assertTrue((numpy.diff(on_test) > 0).all())
        self.assertAlmostEqual(on_val.mean(), truth.mean(), delta=0.005)

    def test_threshold_is_youdens(self):
        scores = numpy.array([0.1, 0.2, 0.3, 0.4, 0.5])
        self.assertEqual(youden_threshold(scores, numpy.array([0, 0, 1, 0, 1], dtype=bool)), 0.3)


def drawn(count: int = 120, spread: float = 0.5) -> Images:
    """Two features, the first of which tells."""
    generator = numpy.random.default_rng(1)
    malignant = numpy.arange(count) % 3 == 0
    values = generator.normal(0, spread, (count, 2))
    values[:, 0] += malignant
    train, val, test = numpy.array_split(numpy.arange(count), 3)
    return Images(values.astype(numpy.float32), malignant, numpy.array(["x", "y"] * (count // 2)), train, val, test)


class Search(unittest.TestCase):
    def test_validation_chooses_and_test_is_scored_once(self):
        images, scored = drawn(), []

        def fit(images, settings, seed):
            def predict(values):
                scored.append((settings["column"], len(values)))
                return values[:, settings["column"]].astype(float)

            return predict, {"seed": seed}

        # The test images would choose the other one.
        inputs = images.inputs.copy()
        inputs[images.test] = inputs[images.test][:, ::-1]
        outcome = search(
            Method("m", "M", "features", {"column": (1, 0)}, fit, ()), dataclasses.replace(images, inputs=inputs), 7,
            lambda line: None,
        )
        self.assertEqual(outcome.settings, {"column": 0, "seed": 7})
        self.assertEqual([attempt["column"] for attempt in outcome.tried], [1, 0])
        self.assertEqual(scored, [(1, 40), (0, 40), (0, 40)])
        numpy.testing.assert_array_equal(outcome.test, inputs[images.test][:, 0])

    def test_a_stored_outcome_is_that_of_its_key_only(self):
        val, test = numpy.array([0.1, 0.25]), numpy.array([-1e-17])
        outcome = methods.Outcome({"C": 1.0}, val, test, 1.5, 1.25, 3.0, [{"C": 1.0}])
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "svm.json"
            self.assertIsNone(stored_outcome(path, {"seed": 1}))
            save_outcome(path, {"seed": 1}, outcome)
            self.assertIsNone(stored_outcome(path, {"seed": 2}))
            again = stored_outcome(path, {"seed": 1})
        numpy.testing.assert_array_equal(again.test, outcome.test)
        self.assertEqual((again.settings, again.tried, again.wall_seconds), ({"C": 1.0}, [{"C": 1.0}], 1.5))

    def test_every_classic_learns_what_can_be_learned(self):
        for method in CLASSICS:
            smallest = {"max_depth": 4, "min_samples_leaf": 1, "max_features": "sqrt", "C": 1.0, "width": 1.0}
            settings = {name: smallest[name] for name in method.grid}
            images = drawn(spread=0.05)
            predict, _ = method.fit(images, settings, 1)
            logits = predict(images.inputs[images.test])
            truth = images.malignant[images.test]
            self.assertGreater(logits[truth].min(), logits[~truth].max(), method.name)


class Networks(unittest.TestCase):
    def test_they_learn_bright_from_dark_and_twice_the_same(self):
        generator = numpy.random.default_rng(1)
        malignant = numpy.arange(48) % 2 == 0
        pixels = generator.integers(0, 80, (48, SIDE, SIDE, 3)) + 120 * malignant[:, None, None, None]
        places = numpy.array_split(numpy.arange(48), 3)
        images = Images(pixels.astype(numpy.uint8), malignant, numpy.array(["x"] * 48), *places)
        for method in networks.NETWORKS:
            with unittest.mock.patch.object(networks, "EPOCHS", 8), unittest.mock.patch.object(networks, "BATCH", 8):
                found = [method.fit(images, {"rate": 3e-3}, 1)[0](images.inputs[images.test]) for _ in range(2)]
            numpy.testing.assert_array_equal(*found, err_msg=method.name)
            truth = malignant[images.test]
            self.assertGreater(found[0][truth].min(), found[0][~truth].max(), method.name)


class Report(unittest.TestCase):
    def rows(self) -> list[dict]:
        names = ("roc_auc", "balanced_accuracy", "accuracy", "sensitivity", "specificity")
        figures = {name: {"value": 0.8, "low": 0.75, "high": 0.85} for name in names}
        floor = {name: {"value": 0.5, "low": None, "high": None, "reason": "all the same"} for name in names}
        common = {"settings": "C 1.0", "training_seconds": 75.0, "wall_seconds": 0.04}
        return [
            {"title": "SVM", "val": figures, "test": figures, "test_at_half": figures} | common,
            {"title": "always benign", "val": floor, "test": floor, "test_at_half": floor} | common
            | {"training_seconds": None, "wall_seconds": None},
        ]

    def test_a_row_of_the_table(self):
        lines = report.table(self.rows()).splitlines()
        self.assertEqual(len({line.count("|") for line in lines}), 1)
        self.assertTrue(lines[2].startswith("| SVM | 0.800 (0.750 to 0.850) | 0.800 |"))
        self.assertTrue(lines[2].endswith("| 1.2 min | 0.04 s | C 1.0 |"))
        self.assertTrue(lines[3].startswith("| always benign | 0.500 | 0.500 |"))

    def test_durations(self):
        wanted = {0.042: "0.04 s", 4.25: "4.2 s", 59: "59 s", 90: "1.5 min", 7200: "2.0 h", None: "–"}
        for seconds, text in wanted.items():
            self.assertEqual(report.duration(seconds), text)

    def test_the_chart_is_a_small_png(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "chart.png"
            report.draw_chart(self.rows() * 4, path, "what it shows")
            self.assertLess(path.stat().st_size, 60_000)
            with Image.open(path) as image:
                image.verify()
            self.assertEqual([entry.name for entry in path.parent.iterdir()], ["chart.png"])


if __name__ == "__main__":
    unittest.main()
