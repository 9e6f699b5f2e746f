"""Quick checks of the recipe's parts; nothing is trained. From models/training: python -m unittest discover tests"""

import itertools
import pathlib
import sys
import tempfile
import unittest

import numpy
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import evaluate_scores
from skincheck_training import calibrate
from skincheck_training.data import DataError, fingerprint, read_table
from skincheck_training.export import round_significant
from skincheck_training.metrics import operating_point, roc_auc, threshold_for_sensitivity

HEADER = "file,malignant,group,split,source"
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

    def read(self, *rows, header=HEADER, encoding="utf-8", limit=None):
        table = self.folder / "table.csv"
        table.write_text("\n".join([header, *rows]) + "\n", encoding=encoding)
        return read_table(table, self.folder, limit)

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

    def test_faults_are_named_with_their_line(self):
        self.refused("no column group, malignant", header="file,split")
        self.refused(r"table\.csv:6: malignant is 'yes'", *ROWS, "e.png,yes,g5,train,x")
        self.refused(r"table\.csv:6: split is 'test'", *ROWS, "e.png,1,g5,test,x")
        self.refused(r"table\.csv:6: group is empty", *ROWS, "e.png")
        self.refused(r"table\.csv:6: group is empty", *ROWS, "e.png,1,,train,x")
        self.refused(r"table\.csv:6: a\.png is listed twice", *ROWS, "a.png,1,g1,train,x")
        self.refused("nothing-here.png is not there", *ROWS, "nothing-here.png,1,g5,train,x")

    def test_a_group_in_both_splits_is_refused(self):
        self.refused("1 groups are in train and in val, for instance 'g1'", *ROWS, "e.png,0,g1,val,x")

    def test_a_split_without_one_kind_is_refused(self):
        self.refused("the val split needs malignant and benign", *ROWS[:3])
        self.refused("the train split needs malignant and benign")

    def test_a_limit_keeps_the_first_of_each_split(self):
        more = [row.replace(".png", "2.png") for row in ROWS]
        for row in more:
            (self.folder / row.split(",")[0]).write_bytes(b"")
        self.assertEqual(self.read(*ROWS, *more, limit=2), self.read(*ROWS))

    def test_the_fingerprint_tells_labels_and_weights_apart(self):
        first = fingerprint(self.read(*ROWS), "weights")
        self.assertEqual(first, fingerprint(self.read(*ROWS), "weights"))
        self.assertNotEqual(first, fingerprint(self.read(*ROWS), "others"))
        swapped = ["a.png,0,g1,train,x", "b.png,1,g2,train,x", *ROWS[2:]]
        self.assertNotEqual(first, fingerprint(self.read(*swapped), "weights"))


class EvaluateScores(unittest.TestCase):
    def test_average_precision_by_hand(self):
        # 0.9 malignant; then a tie of one of each; then the last malignant one.
        truth = numpy.array([1, 1, 0, 0, 1], dtype=bool)
        scores = numpy.array([0.9, 0.5, 0.5, 0.4, 0.1])
        self.assertAlmostEqual(evaluate_scores.average_precision(truth, scores), (1 + 2 / 3 + 3 / 5) / 3)

    def test_calibration_error_by_hand(self):
        truth = numpy.array([0, 1, 1, 1], dtype=bool)
        scores = numpy.array([0.15, 0.15, 1.0, 0.95])
        self.assertAlmostEqual(evaluate_scores.calibration_error(truth, scores), (2 * 0.35 + 2 * 0.025) / 4)

    def test_the_interval_is_seeded_and_holds_the_figure(self):
        truth, scores = drawn_scores(2, 150)
        low, high = evaluate_scores.bootstrap_interval(truth, scores, 1)
        self.assertLess(low, roc_auc(truth, scores))
        self.assertGreater(high, roc_auc(truth, scores))
        self.assertEqual((low, high), evaluate_scores.bootstrap_interval(truth, scores, 1))
        self.assertNotEqual((low, high), evaluate_scores.bootstrap_interval(truth, scores, 2))

    def test_figures_at_the_threshold(self):
        truth = numpy.array([1, 1, 0, 0, 0], dtype=bool)
        scores = numpy.array([0.5, 0.2, 0.5, 0.3, 0.1])
        found = dict(evaluate_scores.figures(truth, scores, 0.5, 1))
        self.assertEqual(found["sensitivity"], "0.5000 (1 of 2)")
        self.assertEqual(found["specificity"], "0.6667 (2 of 3)")
        self.assertEqual((found["accuracy"], found["precision"], found["F1"]), ("0.6000", "0.5000", "0.5000"))


class Rounding(unittest.TestCase):
    def test_nearest_of_twelve_significant_bits(self):
        values = torch.tensor([1.0, 1 + 2**-12, 1 + 2**-11, -(1 + 2**-12), 3e-6, 0.0, 1 / 3])
        rounded = round_significant(values)
        self.assertEqual([1.0, 1 + 2**-11, 1 + 2**-11, -(1 + 2**-11)], rounded[:4].tolist())
        self.assertEqual(0.0, rounded[5].item())
        self.assertLess(((rounded - values).abs() / values.abs().clamp(min=1e-30)).max().item(), 2**-12 * 1.001)
        self.assertTrue(((rounded.view(torch.int32) & 0xFFF) == 0).all())


if __name__ == "__main__":
    unittest.main()
