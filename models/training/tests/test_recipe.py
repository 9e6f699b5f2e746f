"""Quick checks of the recipe's parts; nothing is trained. From models/training: python -m unittest discover tests"""

import contextlib
import csv
import dataclasses
import io
import itertools
import json
import os
import pathlib
import signal
import sys
import tempfile
import unittest
import unittest.mock

import numpy
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from skincheck_training import calibrate, network, train
from skincheck_training.artefacts import add_artefacts
from skincheck_training.augment import augment, shrink
from skincheck_training.data import (
    DataError, Example, check_files, check_splits, fingerprint, first_of_each_split, left_out, read_table,
)
from skincheck_training.diagnoses import DIAGNOSES, diagnosis_index
from skincheck_training.export import round_significant, round_to_steps
from skincheck_training.metrics import (
    CHOSEN_BY, chosen_epoch, mean_auc_of_sources, operating_point, roc_auc, roc_auc_by_source, threshold_for_sensitivity,
)
from skincheck_training.network import build_network, load_backbone, only_malignancy, to_device
from skincheck_training.pixels import executable, prepared_pixels

HEADER = "file,malignant,group,split,source"
# Answers as `skincheck --version` and `skincheck preprocess` do, and counts the latter.
STAND_IN = """#!{python}
import sys
from PIL import Image
if "--version" in sys.argv:
    sys.exit(print({version!r}))
output = sys.argv[sys.argv.index("--output") + 1] + "/a.png"
Image.new("RGB", (2, 2), ({grey},) * 3).save(output)
open({count!r}, "a").write("x")
print("path,output,status,error", sys.stdin.read().strip(chr(0)) + f",{{output}},ok,", sep=chr(10))
"""
ROWS = ["a.png,1,g1,train,x", "b.png,0,g2,train,x", "c.png,1,g3,val,x", "d.png,0,g4,val,y"]


def drawn_scores(seed: int, count: int = 400) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Truth and logits with many ties."""
    generator = numpy.random.default_rng(seed)
    truth = generator.random(count) < 0.3
    return truth, numpy.round(generator.normal(size=count) + truth, 1)


class Metrics(unittest.TestCase):
    def test_auc_is_the_share_of_pairs_in_order(self):
        for seed in range(5):
            truth, scores = drawn_scores(seed, 60)
            pairs = list(itertools.product(scores[truth], scores[~truth]))
            wanted = sum((m > b) + 0.5 * (m == b) for m, b in pairs) / len(pairs)
            self.assertAlmostEqual(roc_auc(truth, scores), wanted, places=12)

    def test_auc_of_equal_scores_is_one_half(self):
        self.assertEqual(roc_auc(numpy.array([1, 0, 1]), numpy.ones(3)), 0.5)

    def test_auc_needs_both_kinds(self):
        with self.assertRaisesRegex(ValueError, "malignant and benign"):
            roc_auc(numpy.ones(3, dtype=bool), numpy.arange(3))

    def test_threshold_is_the_highest_that_finds_enough(self):
        truth, scores = drawn_scores(7)
        for wanted in (0.5, 0.9, 0.95, 1.0):
            threshold = threshold_for_sensitivity(truth, scores, wanted)
            self.assertGreaterEqual(operating_point(truth, scores, threshold)["sensitivity"], wanted)
            above = numpy.nextafter(threshold, numpy.inf)
            self.assertLess(operating_point(truth, scores, above)["sensitivity"], wanted)

    def test_operating_point_counts_the_boundary_as_malignant(self):
        figures = operating_point(numpy.array([1, 1, 0, 0]), numpy.array([0.5, 0.4, 0.5, 0.1]), 0.5)
        self.assertEqual(figures, {"sensitivity": 0.5, "specificity": 0.5})


class Calibration(unittest.TestCase):
    def test_platt_finds_the_line_that_the_labels_were_drawn_from(self):
        generator = numpy.random.default_rng(3)
        logits = generator.normal(0, 2, 200_000)
        truth = generator.random(len(logits)) < calibrate.sigmoid(0.7 * logits - 1.2)
        slope, intercept = calibrate.fit_platt(logits, truth)
        self.assertAlmostEqual(slope, 0.7, delta=0.02)
        self.assertAlmostEqual(intercept, -1.2, delta=0.02)

    def test_platt_is_at_the_minimum(self):
        truth, logits = drawn_scores(11)
        positives, negatives = truth.sum(), (~truth).sum()
        targets = numpy.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))

        def loss(slope, intercept):
            values = slope * logits + intercept
            return numpy.mean(numpy.logaddexp(0, values) - targets * values)

        slope, intercept = calibrate.fit_platt(logits, truth)
        for a, b in itertools.product((-0.01, 0, 0.01), repeat=2):
            self.assertLessEqual(loss(slope, intercept), loss(slope + a, intercept + b) + 1e-12)

    def test_platt_stays_finite_where_the_classes_are_apart(self):
        logits = numpy.array([-3.0, -2, -1, 1, 2, 3])
        slope, intercept = calibrate.fit_platt(logits, logits > 0)
        self.assertTrue(0 < slope < 100 and numpy.isfinite(intercept))

    def test_platt_never_turns_the_order_around(self):
        logits = numpy.linspace(-2, 2, 40)
        truth = logits < 0
        slope, intercept = calibrate.fit_platt(logits, truth)
        self.assertEqual(slope, 1.0)
        self.assertAlmostEqual(float(calibrate.sigmoid(logits + intercept).mean()), 0.5, delta=0.01)

    def test_platt_needs_both_kinds(self):
        with self.assertRaises(ValueError):
            calibrate.fit_platt(numpy.arange(4), numpy.zeros(4, dtype=bool))

    def test_logit_of_certainty_is_finite(self):
        self.assertTrue(numpy.isfinite(calibrate.logit(numpy.array([0, 1, 0.5], dtype=numpy.float32))).all())
        self.assertEqual(calibrate.logit(numpy.array([0.5])), 0)

    def test_stored_thresholds_keep_their_sensitivity_on_rounded_scores(self):
        generator = numpy.random.default_rng(5)
        truth = generator.random(3000) < 0.2
        scores = calibrate.sigmoid(generator.normal(size=3000) + 1.5 * truth - 2)
        threshold, points = calibrate.operating_points(truth, scores)
        by_name = {point["name"]: point for point in points}
        self.assertEqual(list(by_name), ["sensitivity-90", "sensitivity-95", "sensitivity-98", "youden"])
        self.assertEqual(threshold, by_name["sensitivity-95"]["threshold"])
        for name, wanted in (("sensitivity-90", 0.9), ("sensitivity-95", 0.95), ("sensitivity-98", 0.98)):
            point = by_name[name]
            self.assertEqual(point["threshold"], round(point["threshold"], 6))
            called = numpy.round(scores, 6) >= point["threshold"]
            self.assertGreaterEqual(called[truth].mean(), wanted)
            self.assertAlmostEqual(called[truth].mean(), point["sensitivity"], places=6)
            self.assertAlmostEqual((~called)[~truth].mean(), point["specificity"], places=6)
        youden = max((scores[truth] >= t).mean() + (scores[~truth] < t).mean() for t in scores[truth])
        point = by_name["youden"]
        self.assertAlmostEqual(point["sensitivity"] + point["specificity"], youden, places=3)

    def test_each_kind_of_calibration_is_undone(self):
        raw = numpy.random.default_rng(1).dirichlet([1, 1, 1], 20)
        several = {"kind": "softmax", "classes": ["a", "b", "c"], "malignant": ["a", "c"]}
        one = {"kind": "sigmoid", "classes": ["malignant"], "malignant": ["malignant"]}
        sums = raw[:, 0] + raw[:, 2]
        powers = raw ** (1 / 1.7)
        powers /= powers.sum(1, keepdims=True)
        platt, temperature = {"kind": "platt", "slope": 0.7, "intercept": -0.4}, {"kind": "temperature", "temperature": 1.7}
        for output, calibration, malignancy, probabilities in (
            (one, {"kind": "none"}, sums, None),
            (one, platt, calibrate.malignancy(sums, (0.7, -0.4)), None),
            (one, temperature, calibrate.malignancy(sums, (1 / 1.7, 0)), None),
            (several, platt, calibrate.malignancy(sums, (0.7, -0.4)), raw),
            (several, temperature, powers[:, 0] + powers[:, 2], powers),
        ):
            with self.subTest(calibration=calibration, output=output["kind"]):
                found = calibrate.uncalibrated(malignancy, probabilities, {"output": output, "calibration": calibration})
                numpy.testing.assert_allclose(found, sums, atol=1e-5)
        with self.assertRaisesRegex(ValueError, "of kind isotonic is not known"):
            calibrate.uncalibrated(sums, None, {"output": one, "calibration": {"kind": "isotonic"}})

    def test_thresholds_are_rounded_down(self):
        self.assertEqual(calibrate.floor_to_six_decimals(0.1234569), 0.123456)
        self.assertEqual(calibrate.floor_to_six_decimals(0.0000005), 0.0)


class Table(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for row in ROWS:
            (self.folder / row.split(",")[0]).write_bytes(b"")

    def read(self, *rows, header=HEADER, encoding="utf-8"):
        table = self.folder / "table.csv"
        table.write_text("\n".join([header, *rows]) + "\n", encoding=encoding)
        return read_table(table, self.folder)

    def refused(self, message, *rows, **more):
        with self.assertRaisesRegex(DataError, message):
            self.read(*rows, **more)

    def test_a_good_table(self):
        examples = self.read(*ROWS)
        self.assertEqual([e.malignant for e in examples], [True, False, True, False])
        self.assertEqual([e.source for e in examples], ["x", "x", "x", "y"])
        self.assertEqual(examples[0].path, self.folder / "a.png")

    def test_a_spreadsheets_byte_order_mark_and_no_source(self):
        rows = [row.rsplit(",", 1)[0] for row in ROWS]
        examples = self.read(*rows, header="file,malignant,group,split", encoding="utf-8-sig")
        self.assertEqual({e.source for e in examples}, {"all"})

    def test_images_without_a_source_are_of_the_source_all(self):
        examples = self.read("a.png,1,g1,train,", *ROWS[1:])
        self.assertEqual(left_out(examples, ["source=all"]).tolist(), [True, False, False, False])
        examples = self.read(*(row.rpartition(",")[0] for row in ROWS), header=HEADER.rpartition(",")[0])
        self.assertEqual(left_out(examples, ["source=all"]).tolist(), [True] * 4)

    def test_faults_are_named_with_their_line(self):
        self.refused("no column group, malignant", header="file,split")
        self.refused(r"table\.csv:6: malignant is 'yes'", *ROWS, "e.png,yes,g5,train,x")
        self.refused(r"table\.csv:6: split is 'test'", *ROWS, "e.png,1,g5,test,x")
        self.refused(r"table\.csv:6: group is empty", *ROWS, "e.png")
        self.refused(r"table\.csv:6: group is empty", *ROWS, "e.png,1,,train,x")
        self.refused(r"table\.csv:6: a\.png is listed twice", *ROWS, "a.png,1,g1,train,x")
        self.refused(r"table\.csv:6: \./a\.png is listed twice", *ROWS, "./a.png,1,g5,val,x")
        examples = self.read(*ROWS, "nothing-here.png,1,g5,train,x")
        away = numpy.zeros(5, dtype=bool)
        check_files(self.folder / "table.csv", examples[:4], away[:4], self.folder)
        with self.assertRaisesRegex(DataError, "nothing-here.png is not there; see .*unreadable.csv"):
            check_files(self.folder / "table.csv", examples, away, self.folder)
        self.assertIn("\nnothing-here.png,", (self.folder / "unreadable.csv").read_text())
        (self.folder / "a.png").unlink()
        with self.assertRaisesRegex(DataError, "a.png is not there, nor are 1 others"):
            check_files(self.folder / "table.csv", examples, away, self.folder)
        check_files(self.folder / "table.csv", examples, numpy.arange(5) % 4 == 0, self.folder)

    def test_a_group_in_both_splits_is_refused(self):
        self.refused("1 groups are in train and in val, for instance 'g1'", *ROWS, "e.png,0,g1,val,x")

    def test_a_table_without_rows_is_refused(self):
        self.refused("table.csv: has no rows")

    def test_a_split_without_one_kind_is_refused(self):
        def check(*rows, away=()):
            examples = self.read(*rows)
            malignant = numpy.array([e.malignant for e in examples])
            gone = numpy.isin([e.file for e in examples], away)
            check_splits("table.csv", examples, gone, {"malignant": malignant, "benign": ~malignant})

        def refused(message, *rows, **more):
            with self.assertRaisesRegex(DataError, message):
                check(*rows, **more)

        refused("table.csv: the val split has no benign example$", *ROWS[:3])
        refused("the train split has no malignant example$", *ROWS[1:])
        refused("the train split has no benign example left", *ROWS, away=["b.png"])
        refused("no source has malignant and benign examples in the val split", *ROWS)
        check(*ROWS[:3], "d.png,0,g4,val,x")

    def test_a_table_in_another_encoding_is_named(self):
        self.refused(r"table\.csv: is not a CSV in UTF-8", *ROWS, "é.png,1,g5,train,x", encoding="latin-1")

    def test_malignancy_by_the_diagnosis(self):
        header = "file,diagnosis,group,split"
        examples = self.read("a.png,mel,g1,train", "b.png,Nevus,g2,train", header=header)
        self.assertEqual([(e.malignant, e.columns["malignant"]) for e in examples], [(True, "1"), (False, "0")])
        self.refused("table.csv: no column malignant, and 3 diagnoses do not tell it: benign 2, \\(none\\) 1; take these rows away, or add the column$",
                     "a.png,benign,g1,train", "b.png,,g2,train", "c.png,nv,g3,val", "d.png,benign,g4,val", header=header)
        self.refused("table.csv: no column malignant$", "a.png,g1,train", header="file,group,split")

    def test_splits_by_the_group(self):
        rows = [f"{number}.png,{number % 2},g{number // 4}" for number in range(2000)]
        with contextlib.redirect_stdout(io.StringIO()) as said:
            examples = self.read(*rows, header="file,malignant,group")
            again = self.read(*rows[1000:], header="file,malignant,group")
        self.assertEqual([e.split for e in examples[1000:]], [e.split for e in again])
        self.assertEqual(len({(e.group, e.split) for e in examples}), 500)
        val = sum(e.split == "val" for e in examples)
        self.assertTrue(220 < val < 380, val)
        self.assertIn(f"no column split: {val} of 2000 images are val, chosen by their groups", said.getvalue())
        self.assertEqual(len(left_out(examples, ["split=val"]).nonzero()[0]), val)

    def test_what_is_no_csv_is_named(self):
        for rows in (["a\"b.png,1,g1,train,x", '"a.png"b,1,g1,train,x'], ['"a.png,1,g1,train,x'], ["x" * 200_000]):
            with self.subTest(rows[0][:9]):
                self.refused(r"table\.csv: is not a CSV in UTF-8: ", *rows)

    def test_a_limit_keeps_the_first_of_each_split_that_are_not_left_out(self):
        more = [row.replace(".png", "2.png") for row in ROWS]
        for row in more:
            (self.folder / row.split(",")[0]).write_bytes(b"")
        examples = self.read(*ROWS, *more)
        self.assertEqual(first_of_each_split(examples, numpy.zeros(8, dtype=bool), 2), [0, 1, 2, 3])
        away = left_out(examples, [f"file={examples[0].file}", f"file={examples[3].file}"])
        self.assertEqual(first_of_each_split(examples, away, 2), [1, 2, 4, 7])

    def test_a_limit_takes_the_kinds_and_sources_in_turn(self):
        rows = [f"{split}{number}.png,{int(number > 5)},{split}{number},{split},{source}"
                for split in ("train", "val") for number, source in enumerate("xxxyyyxxxyyy")]
        examples = self.read(*rows)
        away = numpy.zeros(len(rows), dtype=bool)
        self.assertEqual(first_of_each_split(examples, away, 5), [0, 3, 6, 7, 9, 12, 15, 18, 19, 21])
        self.assertEqual(first_of_each_split(examples, away, 2), [0, 6, 12, 18])
        self.assertEqual(first_of_each_split(examples, away, 99), list(range(24)))

    def test_the_fingerprint_tells_labels_sources_and_weights_apart(self):
        first = fingerprint(self.read(*ROWS), "weights")
        self.assertEqual(first, fingerprint(self.read(*ROWS), "weights"))
        self.assertNotEqual(first, fingerprint(self.read(*ROWS), "others"))
        swapped = ["a.png,0,g1,train,x", "b.png,1,g2,train,x", *ROWS[2:]]
        self.assertNotEqual(first, fingerprint(self.read(*swapped), "weights"))
        self.assertNotEqual(first, fingerprint(self.read(*ROWS[:3], ROWS[3].replace("val,y", "val,x")), "weights"))


class Pixels(unittest.TestCase):
    def test_they_are_prepared_once_for_a_version_of_skincheck(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "a.png").write_text("")
            (folder / "model.json").write_text('{"preprocess": [], "input": {"height": 2, "width": 2}}')
            example = Example(folder / "a.png", "a.png", True, "mel", "g", "train", "all", {})
            skincheck, counted = folder / "skincheck", folder / "count"
            for version, grey in (("skincheck 1", 10), ("skincheck 1", 10), ("skincheck 2", 20), ("skincheck 2", 20)):
                with self.subTest(version):
                    skincheck.write_text(STAND_IN.format(python=sys.executable, version=version, grey=grey, count=str(counted)))
                    skincheck.chmod(0o755)
                    pixels = prepared_pixels([example], numpy.array([False]), skincheck, folder, folder)
                    self.assertEqual(grey, pixels[0, 0, 0, 0])
            self.assertEqual("xx", counted.read_text())
            os.utime(folder / "a.png", (1, 1))  # an image of the same size in its place
            prepared_pixels([example], numpy.array([False]), skincheck, folder, folder)
            self.assertEqual("xxx", counted.read_text())

    def test_the_executable_is_found_as_a_shell_finds_it(self):
        with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
            here = pathlib.Path(name).resolve() / "true"
            here.write_text("#!/bin/sh\n")
            here.chmod(0o755)
            self.assertEqual(executable("./true"), here)
            self.assertNotEqual(executable("true"), here)
            with self.assertRaisesRegex(DataError, "gone is not an executable"):
                executable("./gone")


class LeavingOut(unittest.TestCase):
    def test_conditions_name_columns_of_the_table(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            for row in ROWS:
                (folder / row.split(",")[0]).write_bytes(b"")
            (folder / "table.csv").write_text("\n".join([HEADER, *ROWS]) + "\n")
            examples = read_table(folder / "table.csv", folder)
        self.assertEqual(left_out(examples, ["source=y"]).tolist(), [False, False, False, True])
        self.assertEqual(left_out(examples, ["source=y", "group=g1"]).tolist(), [True, False, False, True])
        self.assertEqual(left_out(examples, []).tolist(), [False] * 4)
        for condition, message in (("source", "COLUMN=VALUE"), ("camera=x", "COLUMN=VALUE"), ("source=z", "no image has")):
            with self.assertRaisesRegex(DataError, message):
                left_out(examples, [condition])


class Diagnoses(unittest.TestCase):
    def test_names_and_synonyms(self):
        self.assertEqual(diagnosis_index("mel"), diagnosis_index("Melanoma"))
        self.assertEqual(DIAGNOSES[diagnosis_index("seborrheic_keratosis")], "bkl")
        for name, wanted in {
            "AK": "akiec", "Solar or actinic keratosis": "akiec", "Actinic  keratosis": "akiec", "Nevus, NOS": "nv", "naevus": "nv",
            "Melanocytic naevus": "nv", "melanocytic_nevus": "nv", "Melanoma in situ": "mel", "Melanoma, NOS": "mel",
            "lentigo NOS": "bkl", "Lentigo, NOS": "bkl", "Basal cell carcinoma, NOS": "bcc", "NV": "nv", " bkl ": "bkl",
        }.items():
            self.assertEqual(DIAGNOSES[diagnosis_index(name)], wanted, name)
        for name in ("", "unknown", "benign", "malignant (unspecified)", "NOS", "Melanoma metastasis", "SCC", "UNK"):
            self.assertEqual(diagnosis_index(name), -1)

    def test_auc_of_each_source_that_has_both_kinds(self):
        truth = numpy.array([1, 0, 1, 0, 0], dtype=bool)
        found = roc_auc_by_source(truth, numpy.array([2, 1, 1, 2, 3]), numpy.array(["b", "b", "a", "a", "c"]))
        self.assertEqual(found, {"a": 0.0, "b": 1.0})


    def test_small_sources_count_as_one(self):
        """a and b are large; c has three malignant images, d eight, e nine benign ones and none else."""
        counts = {"a": (12, 30), "b": (10, 10), "c": (3, 40), "d": (8, 8), "e": (0, 9)}
        source = numpy.repeat(list(counts), [sum(count) for count in counts.values()])
        truth = numpy.concatenate([numpy.arange(sum(count)) < count[0] for count in counts.values()])
        scores = numpy.random.default_rng(1).normal(size=len(truth)) + truth

        def wanted(*groups: str) -> float:
            return sum(roc_auc(truth[(of := numpy.isin(source, list(g)))], scores[of]) for g in groups) / len(groups)

        def found(names: str) -> float:
            chosen = numpy.isin(source, list(names))
            return mean_auc_of_sources(truth[chosen], scores[chosen], source[chosen])

        for names, groups in (
            ("ab", ("a", "b")), ("abcde", ("a", "b", "cd")), ("abc", ("a", "b")), ("c", ("c",)), ("ce", ("c",)),
            ("abe", ("a", "b")),
        ):
            with self.subTest(names):
                self.assertEqual(found(names), wanted(*groups))


class Augmentation(unittest.TestCase):
    def setUp(self):
        self.pixels = numpy.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=numpy.uint8)

    def test_artefacts_keep_shape_and_type_and_come_from_the_seed(self):
        changed = 0
        for seed in range(60):
            first = add_artefacts(self.pixels, numpy.random.default_rng(seed))
            self.assertEqual((first.shape, first.dtype), (self.pixels.shape, self.pixels.dtype))
            self.assertTrue((first == add_artefacts(self.pixels, numpy.random.default_rng(seed))).all())
            changed += int((first != self.pixels).any())
        self.assertTrue(10 < changed < 60)

    def test_augmented_batches_are_pixels_of_the_wanted_size(self):
        batch = torch.from_numpy(numpy.stack([self.pixels] * 5)).permute(0, 3, 1, 2)
        first = augment(batch, 48, torch.Generator().manual_seed(3))
        self.assertEqual(first.shape, (5, 3, 48, 48))
        self.assertTrue(((first >= 0) & (first <= 255)).all())
        self.assertTrue(torch.equal(first, augment(batch, 48, torch.Generator().manual_seed(3))))
        self.assertFalse(torch.equal(first[0], first[1]))

    def test_lesions_have_no_up(self):
        """Dark above, bright below: after turns by any angle each side is as often the bright one."""
        halves = torch.zeros(200, 3, 32, 32)
        halves[:, :, 16:] = 255
        turned = augment(halves, 32, torch.Generator().manual_seed(4)).mean(1)
        down = turned[:, 16:].mean((1, 2)) - turned[:, :16].mean((1, 2))
        right = turned[:, :, 16:].mean((1, 2)) - turned[:, :, :16].mean((1, 2))
        for brighter in (down > 30, down < -30, right > 30, right < -30):
            self.assertTrue(60 < brighter.sum().item() < 140, brighter.sum().item())

    def test_grey_stays_grey_but_for_the_cast(self):
        """Hue and saturation turn about the grey axis: of a grey image only the cast of the channels is left."""
        grey = torch.full((40, 3, 32, 32), 128.0)
        changed = augment(grey, 32, torch.Generator().manual_seed(1)).mean((2, 3))
        self.assertLess((changed.max(1).values / changed.min(1).values).max().item(), 1.3)

    def test_some_images_are_noisy_and_some_are_not(self):
        flat = torch.full((60, 3, 32, 32), 128.0)
        noise = augment(flat, 32, torch.Generator().manual_seed(2)).std((2, 3)).mean(1)
        self.assertGreater((noise < 0.01).sum().item(), 15)
        self.assertGreater((noise > 1).sum().item(), 10)
        self.assertLess(noise.max().item(), 12)

    def test_without_augmentation_the_pixels_are_the_images(self):
        plain = train.Settings(augmented=False)
        index, pixels = train._Items(self.pixels[None], plain)[3, 0]
        self.assertEqual(index, 0)
        self.assertTrue((pixels.numpy() == self.pixels).all())
        batch = pixels[None].permute(0, 3, 1, 2)
        self.assertTrue(torch.equal(shrink(batch, 64), batch.float()))
        self.assertEqual(shrink(batch, 48).shape, (1, 3, 48, 48))


def small_network() -> torch.nn.Module:
    network = torch.nn.Sequential()
    network.add_module("conv1", torch.nn.Conv2d(3, 8, 3, stride=4))
    network.add_module("bn1", torch.nn.BatchNorm2d(8))
    network.add_module("layer4", torch.nn.Sequential(torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()))
    network.add_module("fc", torch.nn.Sequential(torch.nn.Dropout(0.3), torch.nn.Linear(8, 1 + len(DIAGNOSES))))
    return network


class Training(unittest.TestCase):
    SETTINGS = train.Settings(stages=((24, 1), (32, 2)), batch_size=8)

    def run_once(self, folder, stop_at=None, side=32, stops_early=True, save_every=0, shade=0):
        """Trains the small network; `stop_at` is the number of the step before which the run is killed."""
        random = numpy.random.default_rng(1)
        malignant = numpy.arange(60) % 3 == 0
        pixels = random.integers(0, 200, (60, side, side, 3), dtype=numpy.uint8) + (55 * malignant).astype(numpy.uint8)[
            :, None, None, None
        ]
        pixels[50] += shade
        source = numpy.array(["a", "b"])[numpy.arange(60) // 6 % 2]
        task = train.Task(
            pixels, malignant, numpy.arange(60) % 8 - 1, source, numpy.arange(40), numpy.arange(40, 60)
        )
        torch.manual_seed(1)
        network = small_network()
        steps = 0
        original = train._Run._step

        def counted(run, *arguments):
            nonlocal steps
            steps += 1
            if steps == stop_at:
                raise KeyboardInterrupt
            return original(run, *arguments)

        with unittest.mock.patch.object(train._Run, "_step", counted), unittest.mock.patch.object(train, "SAVE_EVERY", save_every):
            trained = train.train(network, task, self.SETTINGS, folder, "origin", stops_early=stops_early)
        return network.state_dict(), trained.figures

    def test_a_run_that_was_killed_ends_as_one_that_was_not(self):
        with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as killed:
            wanted, figures = self.run_once(pathlib.Path(whole))
            for stop_at in (3, 4, 5):  # each goes on where the last one stopped: in the first, second and third epoch
                with self.assertRaises(KeyboardInterrupt):
                    self.run_once(pathlib.Path(killed), stop_at)
            found, again = self.run_once(pathlib.Path(killed))
            self.assertEqual(figures, again)
            for name, value in wanted.items():
                self.assertTrue(torch.equal(value, found[name]), name)
            histories = [(pathlib.Path(f) / "history.csv").read_text() for f in (whole, killed)]
            self.assertEqual(*histories)
            self.assertEqual(len(histories[0].splitlines()), 4)
            with self.assertRaisesRegex(ValueError, "is of other data or starting weights"):
                checkpoint = pathlib.Path(killed) / "checkpoint.pt"
                train._Run(small_network(), self.task_of_other_data(), self.SETTINGS, checkpoint, "another", 0)

    def test_an_interrupted_run_loses_no_step(self):
        """Ctrl-C in a step, while the epoch is measured, and behind it."""
        step, predict, draw = train._Run._step, train.predict, train._write_history
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))

        def interrupting(original, when):
            def called(*arguments, **more):
                nonlocal calls
                calls += 1
                if calls == when:
                    os.kill(os.getpid(), signal.SIGINT)
                return original(*arguments, **more)

            return called

        with tempfile.TemporaryDirectory() as name:
            whole = pathlib.Path(name) / "whole"
            whole.mkdir()
            wanted, figures = self.run_once(whole)
            for number, (owner, attribute, original, when, steps) in enumerate((
                (train._Run, "_step", step, 3, 3), (train, "predict", predict, 1, 5), (train, "_write_history", draw, 1, 5),
            )):
                with self.subTest(attribute):
                    calls, work = 0, pathlib.Path(name) / str(number)
                    work.mkdir()
                    with (
                        unittest.mock.patch.object(owner, attribute, interrupting(original, when)),
                        self.assertRaisesRegex(KeyboardInterrupt, "interrupted; the same command goes on from .*checkpoint.pt"),
                    ):
                        self.run_once(work, save_every=600)
                    state = torch.load(work / "checkpoint.pt", weights_only=True)
                    self.assertEqual(state["epoch"] * 5 + state["step"], steps)
                    found, again = self.run_once(work)
                    self.assertEqual(figures, again)
                    self.assertTrue(all(torch.equal(value, found[name]) for name, value in wanted.items()))
        self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)

    def test_a_lack_of_memory_is_told_with_what_to_do(self):
        for error, wanted in (
            (torch.OutOfMemoryError("CUDA out of memory.\nmore"), "the card has too little memory .*--batch-size"),
            (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), "ended .*killed.* --workers"),
            (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "too little memory"),
        ):
            with (
                self.subTest(wanted), tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(MemoryError, wanted),
                unittest.mock.patch.object(train._Run, "learn", side_effect=error),
            ):
                self.run_once(pathlib.Path(folder))
        with (
            tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(RuntimeError, "another"),
            unittest.mock.patch.object(train._Run, "learn", side_effect=RuntimeError("another")),
        ):
            self.run_once(pathlib.Path(folder))

    def test_an_image_that_was_replaced_under_its_name_is_other_data(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            self.run_once(folder)
            with self.assertRaisesRegex(ValueError, "checkpoint.pt is of other data or starting weights"):
                self.run_once(folder, shade=1)
            state = torch.load(folder / "checkpoint.pt", weights_only=True)
            del state["pixels"]  # as it was before they were noted
            torch.save(state, folder / "checkpoint.pt")
            self.run_once(folder, stop_at=1)

    def test_what_is_kept_are_averages_of_the_weights(self):
        step, seen = train._Run._step, []

        def looked_at(run, *arguments):
            before = [kept.clone() for kept, _ in run.averaged]
            taken = run.epoch * run.steps + run.step
            loss = step(run, *arguments)
            decay = min(run.settings.average ** (run.settings.batch_size / 32), (1 + taken) / (10 + taken))
            for old, (kept, new) in zip(before, run.averaged, strict=True):
                self.assertTrue(torch.allclose(kept, decay * old + (1 - decay) * new, atol=1e-6))
            seen.append([[value.clone() for value in network.state_dict().values()] for network in (run.average, run.network)])
            return loss

        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.object(train._Run, "_step", looked_at):
            state, _ = self.run_once(pathlib.Path(folder))
        found = [[all(map(torch.equal, state.values(), values)) for values in pair] for pair in seen]
        self.assertEqual(sum(average for average, _ in found), 1)
        self.assertFalse(any(network for _, network in found))

    def test_a_training_that_has_ended_goes_on_with_another_cycle(self):
        longer = dataclasses.replace(self.SETTINGS, stages=((24, 1), (32, 2), (40, 2)), restarts=(3,))
        with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as added:
            self.run_once(pathlib.Path(added))
            for others in ({"restarts": ()}, {"seed": 2}, {"stages": ((24, 2), (32, 1), (40, 2))}, {"restarts": (2,)}):
                with (
                    self.subTest(others),
                    unittest.mock.patch.object(self, "SETTINGS", dataclasses.replace(longer, **others)),
                    self.assertRaisesRegex(ValueError, "is of other settings"),
                ):
                    self.run_once(pathlib.Path(added))
            with unittest.mock.patch.object(self, "SETTINGS", longer):
                wanted, figures = self.run_once(pathlib.Path(whole))
                found, again = self.run_once(pathlib.Path(added))
            self.assertEqual(figures, again)
            self.assertGreater(figures["epoch"], 2)
            for name, value in wanted.items():
                self.assertTrue(torch.equal(value, found[name]), name)

    def test_the_images_may_grow_from_cycle_to_cycle(self):
        grown = train.Settings(side=40, sides=(32, 32), stages=((24, 1), (32, 2)), restarts=(1, 2), batch_size=8)
        first = train.Settings(side=32, stages=((24, 1), (32, 1)), restarts=(1,), batch_size=8)
        self.assertEqual(grown.parts(), [first, grown])
        self.assertEqual([32, 32, 40], [grown.side_at(epoch) for epoch in range(3)])
        self.assertEqual(32, first.side_at(1))
        self.assertEqual(first.parts(), [first])
        self.assertEqual(train.Settings.of_json(json.loads(json.dumps(dataclasses.asdict(grown)))), grown)
        with self.assertRaisesRegex(ValueError, "1 sides for 2 cycles"):
            dataclasses.replace(grown, sides=(32,))
        ends = []
        for _ in range(2):
            with tempfile.TemporaryDirectory() as folder:
                for settings, side in ((first, 32), (grown, 40)):
                    self.assertFalse(train.has_gone_on(pathlib.Path(folder), first))
                    with unittest.mock.patch.object(self, "SETTINGS", settings):
                        ends.append(self.run_once(pathlib.Path(folder), side=side)[1])
                self.assertTrue(train.has_gone_on(pathlib.Path(folder), first))
        self.assertEqual(ends[:2], ends[2:])
        self.assertEqual([end["epoch"] for end in ends[:2]], [1, 2])

    def test_rates_rise_and_fall_in_each_cycle(self):
        settings = train.Settings(stages=((24, 4),), restarts=(1,), batch_size=1, warm_up=0.1)
        with tempfile.TemporaryDirectory() as folder:
            run = train._Run(small_network(), self.task_of_other_data(), settings, pathlib.Path(folder) / "none", "origin")
        self.assertEqual(run.steps, 40)
        rates = [run.rate(step) for step in range(161)]
        for first, end in ((0, 40), (40, 160)):
            top = first + (end - first) // 10
            self.assertLess(rates[first], 0.02)
            self.assertAlmostEqual(rates[top], 1)
            self.assertEqual(sorted(rates[first : top + 1]), rates[first : top + 1])
            self.assertEqual(sorted(rates[top:end], reverse=True), rates[top:end])
            self.assertLess(rates[end - 1], 0.01)

    def test_cycles_without_an_epoch_are_refused(self):
        for restarts in ((3,), (0,), (2, 1), (1, 1)):
            with self.subTest(restarts), self.assertRaisesRegex(ValueError, "each cycle needs one"):
                train.Settings(stages=((24, 1), (32, 2)), restarts=restarts)

    def test_training_that_stopped_early_is_over(self):
        """The same command makes the package again from the checkpoint; it must not learn on."""
        settings, aucs = train.Settings(stages=((24, 9),), batch_size=8, patience=1), iter([0.7, 0.6])
        with (
            tempfile.TemporaryDirectory() as folder,
            unittest.mock.patch.object(self, "SETTINGS", settings),
            unittest.mock.patch.object(train, "mean_auc_of_sources", lambda *_: next(aucs)),
        ):
            first, figures = self.run_once(pathlib.Path(folder))
            self.assertEqual(len((pathlib.Path(folder) / "history.csv").read_text().splitlines()), 1 + 2)
            again, same = self.run_once(pathlib.Path(folder), stop_at=1)
            self.assertEqual(figures, same)
            self.assertTrue(all(torch.equal(first[name], again[name]) for name in first))

    def test_training_does_not_stop_early_before_the_last_cycle(self):
        settings = train.Settings(stages=((24, 8),), restarts=(4,), batch_size=8, patience=1)
        for stops_early, epochs in ((True, 4 + 2), (False, 8)):
            aucs = iter([0.9, 0.8, 0.7, 0.6, 0.95, 0.6, 0.5, 0.4])
            with (
                self.subTest(stops_early),
                tempfile.TemporaryDirectory() as folder,
                unittest.mock.patch.object(self, "SETTINGS", settings),
                unittest.mock.patch.object(train, "mean_auc_of_sources", lambda *_: next(aucs)),
            ):
                self.run_once(pathlib.Path(folder), stops_early=stops_early)
                self.assertEqual(len((pathlib.Path(folder) / "history.csv").read_text().splitlines()), 1 + epochs)

    def test_a_checkpoint_of_before_sides_were_noted_goes_on(self):
        longer = dataclasses.replace(self.SETTINGS, stages=((24, 1), (32, 4)), restarts=(3,))
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            self.run_once(folder)
            state = torch.load(folder / "checkpoint.pt", weights_only=True)
            for figures in (*state["history"], state["best"]["figures"]):
                figures.pop("side", None)
            torch.save(state, folder / "checkpoint.pt")
            with unittest.mock.patch.object(self, "SETTINGS", longer):
                self.run_once(folder)
            with (folder / "history.csv").open() as lines:
                self.assertEqual(["224"] * 5, [row["side"] for row in csv.DictReader(lines)])

    def test_training_does_not_stop_early_before_the_last_stage(self):
        settings = train.Settings(stages=((24, 4), (32, 3)), batch_size=8, patience=1)
        aucs = iter([0.9, 0.8, 0.7, 0.6, 0.7, 0.6])
        with (
            tempfile.TemporaryDirectory() as folder,
            unittest.mock.patch.object(self, "SETTINGS", settings),
            unittest.mock.patch.object(train, "mean_auc_of_sources", lambda *_: next(aucs)),
        ):
            self.run_once(pathlib.Path(folder))
            self.assertEqual(len((pathlib.Path(folder) / "history.csv").read_text().splitlines()), 1 + 4 + 2)
            self.assertTrue((pathlib.Path(folder) / "curves.png").exists())

    def test_the_best_epoch_is_one_of_the_last_stage(self):
        """Which is measured at the size of the package, whatever earlier stages reached."""
        aucs, widths = iter([0.9, 0.6, 0.7]), []

        def looked_at(network, pixels, indices, size=None, exact=False):
            widths.append(size)
            return numpy.zeros((len(indices), 8), dtype=numpy.float32)

        with (
            tempfile.TemporaryDirectory() as folder,
            unittest.mock.patch.object(train, "predict", looked_at),
            unittest.mock.patch.object(train, "mean_auc_of_sources", lambda *_: next(aucs)),
        ):
            figures = self.run_once(pathlib.Path(folder))[1]
        self.assertEqual((figures["epoch"], figures[CHOSEN_BY]), (2, 0.7))
        self.assertEqual(widths, [34, 224, 224])

    def test_of_epochs_that_are_as_good_the_last_counts(self):
        for means, epoch in (([0.8, 0.9, 0.89], 1), ([0.9, 0.8, 0.896], 2), ([0.9, 0.897, 0.894], 1), ([0.7], 0)):
            history = [{"epoch": i, "size": 32, "side": 40, CHOSEN_BY: mean} for i, mean in enumerate(means)]
            with self.subTest(means):
                self.assertEqual(chosen_epoch(history)["epoch"], epoch)
                for other in ({"size": 24, "side": 40}, {"size": 32, "side": 32}):  # measured on images of another size
                    before = {"epoch": 9, CHOSEN_BY: 1.0} | other
                    self.assertEqual(chosen_epoch([before, *history])["epoch"], epoch)
                    # Of the same size, but of an earlier stage, whose weights are gone.
                    earlier = {"epoch": 8, "size": 32, "side": 40, CHOSEN_BY: 1.0}
                    self.assertEqual(chosen_epoch([earlier, before, *history])["epoch"], epoch)

    @staticmethod
    def task_of_other_data():
        zeros = numpy.zeros(40, dtype=int)
        return train.Task(numpy.zeros((40, 8, 8, 3), numpy.uint8), zeros > 0, zeros, zeros, numpy.arange(40), zeros[:0])

    def test_an_epoch_has_all_malignant_images_and_a_share_of_each_source_of_benign_ones(self):
        """Source a: 4 malignant, 30 benign. b: 5 and 5. c: benign alone. And images of validation, which stay out."""
        source = numpy.repeat(["a", "b", "c", "a"], [34, 10, 7, 9])
        malignant = numpy.arange(60) % 2 == 0
        malignant[:34], malignant[44:51] = numpy.arange(34) < 4, False
        task = train.Task(None, malignant, None, source, train=numpy.arange(51), val=numpy.arange(51, 60))
        epochs = [train.epoch_order(task, train.Settings(benign_share=2.0), epoch) for epoch in range(20)]
        for chosen in epochs:
            self.assertEqual(len(set(chosen)), 4 + 8 + 10 + 7)
            self.assertEqual(set(chosen[malignant[chosen]]), set(numpy.flatnonzero(malignant[:51])))
            self.assertEqual((source[chosen] == "a").sum(), 4 + 8)
        self.assertEqual(set(numpy.concatenate(epochs)), set(range(51)))
        self.assertEqual(epochs[3].tolist(), train.epoch_order(task, train.Settings(benign_share=2.0), 3).tolist())
        places = [numpy.flatnonzero(malignant[chosen]).mean() / len(chosen) for chosen in epochs]
        self.assertAlmostEqual(numpy.mean(places), 0.5, delta=0.05)  # mixed, from the start of an epoch to its end
        whole = train.epoch_order(task, train.Settings(benign_share=0), 0)
        self.assertEqual(sorted(whole), list(range(51)))

    def test_bfloat16_on_processors_that_have_units_for_it(self):
        for capability, pays in (((7, 5), False), ((8, 0), True), ((9, 0), True)):
            with unittest.mock.patch.object(torch.cuda, "get_device_capability", lambda _, found=capability: found):
                self.assertEqual(pays, train.bfloat16_pays(torch.device("cuda")))
        for amx in (True, False):
            with unittest.mock.patch.object(torch.cpu, "_is_amx_tile_supported", lambda found=amx: found):
                self.assertEqual(amx, train.bfloat16_pays(torch.device("cpu")))
        self.assertFalse(train.bfloat16_pays(torch.device("mps")))

    def test_rates_fall_from_the_head_down(self):
        optimiser = train._optimiser(small_network(), train.Settings())
        rates = {group["lr"] for group in optimiser.param_groups}
        lowest = self.SETTINGS.rate * self.SETTINGS.layer_decay**4
        self.assertEqual({round(rate, 12) for rate in rates}, {self.SETTINGS.head_rate, round(lowest, 12)})
        fourfold = train._optimiser(small_network(), train.Settings(batch_size=128))
        self.assertAlmostEqual(max(group["lr"] for group in fourfold.param_groups), 2 * max(rates))

    def test_the_package_has_malignancy_alone(self):
        network = small_network().eval()
        batch = torch.rand(2, 3, 32, 32)
        single = only_malignancy(network)
        self.assertEqual(single(batch).shape, (2, 1))
        self.assertTrue(torch.allclose(single(batch)[:, 0], network(batch)[:, 0]))


class StartingWeights(unittest.TestCase):
    def test_a_file_of_large_weights_starts_as_one_of_usual_weights_does(self):
        """Batch norm hides their size from the outputs; Adam's steps would not."""

        def convolutions(resnet):
            for parent, *names in network.normed_convolutions(resnet):
                yield tuple(getattr(parent, name) for name in names)

        torch.manual_seed(1)
        usual, large = build_network(), build_network()
        pixels = torch.randn(2, 3, 64, 64)
        usual.train()(pixels)  # statistics that are not those of an empty network
        large.load_state_dict(usual.state_dict())
        with torch.no_grad():
            for number, (convolution, norm) in enumerate(convolutions(large)):
                factor = 2 + number % 10
                convolution.weight *= factor
                norm.running_mean *= factor
                norm.running_var *= factor**2
        for one in (usual, large):
            network.level(one)
            one.eval()
        for (first, _), (second, _) in zip(*map(convolutions, (usual, large)), strict=True):
            wanted = network.SPREAD * (2 / first.weight[0].numel()) ** 0.5
            self.assertAlmostEqual(first.weight.square().mean().sqrt().item() / wanted, 1, places=3)
            self.assertTrue(torch.allclose(first.weight, second.weight, rtol=1e-4))
        with torch.no_grad():
            self.assertTrue(torch.allclose(usual(pixels), large(pixels), rtol=1e-2, atol=1e-3))
        self.assertEqual(53, len(list(convolutions(usual))))

    def test_files_that_are_no_weights_are_named(self):
        network = build_network()
        weights = {name: value for name, value in network.state_dict().items() if not name.startswith("fc.")}
        shape = weights | {"conv1.weight": torch.zeros(1)}
        for content, message in (
            ({"model": weights, "epoch": 90}, "holds more than weights by name"),
            ([1, 2], "holds more than weights by name"),
            ({"layer": torch.zeros(1)}, "not a ResNet-50 in torchvision's names"),
            (shape, "not a ResNet-50$"),
            (b"half a fi", "cannot be read as weights"),
        ):
            with tempfile.TemporaryDirectory() as name, self.subTest(message):
                file = pathlib.Path(name) / "weights.pth"
                file.write_bytes(content) if isinstance(content, bytes) else torch.save(content, file)
                with self.assertRaisesRegex(ValueError, f"weights.pth: {message}"):
                    load_backbone(network, file)

    def test_a_device_that_is_not_there_is_named(self):
        network = torch.nn.Linear(1, 1)
        for error in (RuntimeError("no driver\nand more"), AssertionError("no driver")):
            with (
                unittest.mock.patch.object(network, "to", side_effect=error),
                self.assertRaisesRegex(ValueError, "^--device cuda cannot be used: no driver$"),
            ):
                to_device(network, "cuda")

    def test_outputs_stay_as_they_were(self):
        torch.manual_seed(1)
        one = build_network()
        pixels = torch.randn(2, 3, 64, 64)
        one.train()(pixels)
        with torch.no_grad():
            before = one.eval()(pixels)
            network.level(one)
            self.assertTrue(torch.allclose(before, one(pixels), rtol=1e-2, atol=1e-3))


class Rounding(unittest.TestCase):
    def test_steps_are_of_each_channels_spread(self):
        torch.manual_seed(1)
        weights = torch.randn(3, 64, 3, 3) * torch.tensor([1.0, 0.01, 0]).view(3, 1, 1, 1)
        rounded = round_to_steps(weights, 9)
        for channel, step in ((0, 2**-9), (1, 2**-7 * 2**-9)):
            scaled = rounded[channel] / step
            self.assertTrue(torch.equal(scaled, scaled.round()))
            moved = (rounded[channel] - weights[channel]).abs().max()
            self.assertTrue(0.4 * step < moved <= step, (moved, step))
        self.assertTrue(torch.equal(rounded[2], weights[2]))
        self.assertEqual(rounded.dtype, torch.float32)

    def test_nearest_of_twelve_significant_bits(self):
        values = torch.tensor([1.0, 1 + 2**-12, 1 + 2**-11, -(1 + 2**-12), 3e-6, 0.0, 1 / 3])
        rounded = round_significant(values, 12)
        self.assertEqual([1.0, 1 + 2**-11, 1 + 2**-11, -(1 + 2**-11)], rounded[:4].tolist())
        self.assertEqual(0.0, rounded[5].item())
        self.assertLess(((rounded - values).abs() / values.abs().clamp(min=1e-30)).max().item(), 2**-12 * 1.001)
        self.assertTrue(((rounded.view(torch.int32) & 0xFFF) == 0).all())


if __name__ == "__main__":
    unittest.main()
