"""`skincheck evaluate` against scikit-learn, on drawn scores: random ones, with ties, one-sided, tiny.

    python -m unittest test_figures        with SKINCHECK=path of the executable, and requirements.txt installed
"""

import json
import math
import os
import pathlib
import subprocess
import tempfile
import unittest
import warnings

import numpy
import sklearn.metrics as reference

SKINCHECK = os.environ["SKINCHECK"]
NEAR = 1e-9


def evaluate(truth, scores, *more, second=None, lesions=None):
    """Runs the command on the cases, of lesions where they are given, and returns its JSON."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        ids = [f"image{number}" for number in range(len(truth))]
        further = [] if lesions is None else [lesions]
        write(folder / "truth.csv", "image,malignant" + ",lesion_id" * len(further), ids, [int(t) for t in truth], *further)
        files = []
        for number, column in enumerate([scores] if second is None else [scores, second]):
            files.append(folder / f"scores{number}.csv")
            write(files[-1], "path,malignancy", [f"some folder/{i}.jpg" for i in ids], [repr(float(s)) for s in column])
        command = [SKINCHECK, "evaluate", "--format", "json", "--truth", folder / "truth.csv", *map(str, more), *files]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return json.loads(done.stdout)


def write(path, header, *columns):
    rows = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([header, *rows]) + "\n")


def partial_auc(truth, scores, min_tpr):
    """ISIC 2024's score: classes and scores turned around, the area up to a false positive rate of 1 - min_tpr."""
    fpr, tpr, _ = reference.roc_curve(1 - truth, -scores)
    limit = 1 - min_tpr
    stop = numpy.searchsorted(fpr, limit, "right")
    at_limit = numpy.interp(limit, fpr[stop - 1 : stop + 1], tpr[stop - 1 : stop + 1]) if stop < len(fpr) else tpr[-1]
    return reference.auc(numpy.append(fpr[:stop], limit), numpy.append(tpr[:stop], at_limit))


def calibration_error(truth, scores, bins=10):
    number = numpy.minimum((scores * bins).astype(int), bins - 1)
    parts = [abs(scores[number == b].mean() - truth[number == b].mean()) * (number == b).sum() for b in set(number)]
    return sum(parts) / len(truth)


def wanted(truth, scores, threshold, min_tpr):
    """Every figure by scikit-learn; None where it is not defined."""
    called = (scores >= threshold).astype(int)
    tn, fp, fn, tp = reference.confusion_matrix(truth, called, labels=[0, 1]).ravel()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "accuracy": reference.accuracy_score(truth, called),
            "precision": reference.precision_score(truth, called) if tp + fp else None,
            "sensitivity": reference.recall_score(truth, called),
            "specificity": reference.recall_score(truth, called, pos_label=0),
            "npv": reference.precision_score(truth, called, pos_label=0) if tn + fn else None,
            "f1": reference.f1_score(truth, called),
            "balanced_accuracy": reference.balanced_accuracy_score(truth, called),
            "mcc": reference.matthews_corrcoef(truth, called) if tp + fp and tn + fn else None,
            "roc_auc": reference.roc_auc_score(truth, scores),
            "average_precision": reference.average_precision_score(truth, scores),
            "partial_auc": partial_auc(truth, scores, min_tpr),
            "brier": reference.brier_score_loss(truth, scores),
            "log_loss": reference.log_loss(truth, scores),
            "ece": calibration_error(truth, scores),
        }


def delong(truth, *scores):
    """Areas and their covariance matrix by the definition: every pair of a malignant and a benign case."""
    by_case = [
        (s[truth == 1][:, None] > s[truth == 0]) + 0.5 * (s[truth == 1][:, None] == s[truth == 0]) for s in scores
    ]
    areas = [pairs.mean() for pairs in by_case]
    malignant = numpy.cov([pairs.mean(1) for pairs in by_case]) / (truth == 1).sum()
    benign = numpy.cov([pairs.mean(0) for pairs in by_case]) / (truth == 0).sum()
    return areas, numpy.atleast_2d(malignant + benign)


def obuchowski(truth, lesions, *scores):
    """The same for several cases of one lesion, by the sums over lesions (Biometrics 53, 1997)."""
    malignant, benign = truth == 1, truth == 0
    names = sorted(set(lesions))
    areas, by_malignant, by_benign = [], [], []
    for s in scores:
        pairs = (s[malignant][:, None] > s[benign]) + 0.5 * (s[malignant][:, None] == s[benign])
        areas.append(pairs.mean())
        by_malignant.append([(pairs.mean(1) - areas[-1])[lesions[malignant] == name].sum() for name in names])
        by_benign.append([(pairs.mean(0) - areas[-1])[lesions[benign] == name].sum() for name in names])
    m, n = malignant.sum(), benign.sum()
    covariance = numpy.empty((len(scores), len(scores)))
    factors = [count / (count - 1) for count in (len(set(lesions[malignant])), len(set(lesions[benign])), len(names))]
    for i in range(len(scores)):
        for j in range(len(scores)):
            mixed = numpy.dot(by_malignant[i], by_benign[j]) + numpy.dot(by_benign[i], by_malignant[j])
            covariance[i, j] = (
                factors[0] * numpy.dot(by_malignant[i], by_malignant[j]) / m**2
                + factors[1] * numpy.dot(by_benign[i], by_benign[j]) / n**2
                + factors[2] * mixed / (m * n)
            )
    return areas, covariance


def drawn(random, cases, digits):
    """Truth with both kinds, and scores that know something of it."""
    truth = (random.random(cases) < random.uniform(0.05, 0.9)).astype(int)
    truth[:2] = (0, 1)
    scores = 1 / (1 + numpy.exp(-random.normal(size=cases) - random.uniform(-0.5, 3) * truth + 1))
    return truth, numpy.round(scores, digits)


class Figures(unittest.TestCase):
    def check(self, truth, scores, threshold, min_tpr=0.8):
        found = evaluate(truth, scores, "--bootstrap", 0, "--threshold", threshold, "--min-tpr", min_tpr)
        figures = found["evaluations"][0]["figures"]
        for name, value in wanted(truth, scores, threshold, min_tpr).items():
            with self.subTest(name=name, truth=truth.tolist()[:20], scores=scores.tolist()[:20], threshold=threshold):
                if value is None:
                    self.assertIsNone(figures[name]["value"])
                    self.assertTrue(figures[name]["reason"])
                else:
                    self.assertAlmostEqual(figures[name]["value"], value, delta=NEAR)

    def test_random(self):
        for seed in range(12):
            random = numpy.random.default_rng(seed)
            truth, scores = drawn(random, int(random.integers(10, 2000)), 17)
            self.check(truth, scores, float(random.uniform(0.05, 0.95)), float(random.choice([0, 0.5, 0.8, 0.95])))

    def test_ties(self):
        for seed in range(12):
            random = numpy.random.default_rng(100 + seed)
            truth, scores = drawn(random, int(random.integers(10, 1000)), int(random.integers(0, 3)))
            self.check(truth, scores, float(numpy.round(random.uniform(0, 1), 1)), float(random.choice([0, 0.5, 0.8])))

    def test_tiny(self):
        for scores in ([0.2, 0.7], [0.7, 0.2], [0.5, 0.5], [0.0, 1.0], [1.0, 0.0]):
            for threshold in (0, 0.5, 1):
                self.check(numpy.array([0, 1]), numpy.array(scores), threshold)

    def test_one_sided(self):
        random = numpy.random.default_rng(7)
        truth, scores = drawn(random, 300, 6)
        for threshold in (0, 1):  # all called malignant, none
            self.check(truth, numpy.clip(scores, 0.01, 0.99), threshold)
        self.check(truth, numpy.full(300, 0.3), 0.3)
        self.check(truth, numpy.full(300, 0.3), 0.31)
        self.check(truth, truth.astype(float), 0.5)
        self.check(truth, 1.0 - truth, 0.5)
        rare = numpy.zeros(500, dtype=int)
        rare[17] = 1
        self.check(rare, random.random(500), 0.4)

    def test_delong(self):
        for seed in range(6):
            random = numpy.random.default_rng(200 + seed)
            truth, scores = drawn(random, int(random.integers(10, 800)), int(random.choice([2, 17])))
            truth[2:4] = (0, 1)
            (area,), covariance = delong(truth, scores)
            half = 1.959963984540054 * math.sqrt(covariance[0, 0])
            found = evaluate(truth, scores, "--bootstrap", 0)["evaluations"][0]["figures"]["roc_auc_delong"]
            self.assertAlmostEqual(found["value"], area, delta=NEAR)
            self.assertAlmostEqual(found["low"], max(0, area - half), delta=NEAR)
            self.assertAlmostEqual(found["high"], min(1, area + half), delta=NEAR)

    def test_two_results(self):
        for seed in range(6):
            random = numpy.random.default_rng(300 + seed)
            truth, first = drawn(random, 400, 3)
            second = numpy.round(numpy.clip(first + random.normal(0, 0.2, 400), 0, 1), 2)
            areas, covariance = delong(truth, first, second)
            deviation = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
            found = evaluate(truth, first, "--bootstrap", 0, second=second)["comparison"]
            self.assertAlmostEqual(found["first_roc_auc"], areas[0], delta=NEAR)
            self.assertAlmostEqual(found["second_roc_auc"], areas[1], delta=NEAR)
            self.assertAlmostEqual(found["difference"]["value"], areas[0] - areas[1], delta=NEAR)
            z = (areas[0] - areas[1]) / deviation
            self.assertAlmostEqual(found["delong"]["z"], z, delta=1e-7)
            self.assertAlmostEqual(found["delong"]["p"], math.erfc(abs(z) / math.sqrt(2)), delta=1e-7)
            half = 1.959963984540054 * deviation
            self.assertAlmostEqual(found["delong"]["low"], areas[0] - areas[1] - half, delta=NEAR)
            self.assertAlmostEqual(found["delong"]["high"], areas[0] - areas[1] + half, delta=NEAR)

    def test_several_cases_of_a_lesion(self):
        """Some lesions have malignant cases and benign ones."""
        for seed in range(4):
            random = numpy.random.default_rng(400 + seed)
            truth, first = drawn(random, 300, 3)
            second = numpy.round(numpy.clip(first + random.normal(0, 0.2, 300), 0, 1), 2)
            lesions = random.integers(0, 90, 300)
            areas, covariance = obuchowski(truth, lesions, first, second)
            found = evaluate(truth, first, "--bootstrap", 0, second=second, lesions=lesions)
            half = 1.959963984540054 * numpy.sqrt(numpy.diag(covariance))
            for number in range(2):
                figure = found["evaluations"][number]["figures"]["roc_auc_delong"]
                self.assertAlmostEqual(figure["low"], max(0, areas[number] - half[number]), delta=NEAR)
                self.assertAlmostEqual(figure["high"], min(1, areas[number] + half[number]), delta=NEAR)
            z = (areas[0] - areas[1]) / math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
            self.assertAlmostEqual(found["comparison"]["delong"]["z"], z, delta=1e-7)

    def test_bootstrap_is_near_the_plain_one(self):
        """Percentiles of a stratified bootstrap in NumPy; two runs of 4,000 resamples differ by chance alone."""
        random = numpy.random.default_rng(5)
        truth, scores = drawn(random, 300, 17)
        kinds = [numpy.flatnonzero(truth == kind) for kind in (0, 1)]
        areas, briers = [], []
        for _ in range(4000):
            chosen = numpy.concatenate([random.choice(kind, len(kind)) for kind in kinds])
            areas.append(reference.roc_auc_score(truth[chosen], scores[chosen]))
            briers.append(((truth[chosen] - scores[chosen]) ** 2).mean())
        found = evaluate(truth, scores, "--bootstrap", 4000)["evaluations"][0]["figures"]
        for name, values in (("roc_auc", areas), ("brier", briers)):
            low, high = numpy.percentile(values, [2.5, 97.5])
            self.assertAlmostEqual(found[name]["low"], low, delta=0.06 * (high - low))
            self.assertAlmostEqual(found[name]["high"], high, delta=0.06 * (high - low))


if __name__ == "__main__":
    unittest.main()
