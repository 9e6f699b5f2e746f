"""Multi-class figures against isic-challenge-scoring, the challenges' own scorer, on simulated submissions."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import numpy
from isic_challenge_scoring.classification import ClassificationMetric, ClassificationScore

SKINCHECK = os.environ["SKINCHECK"]
LAYOUTS = {
    "2018": ["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"],
    "2019": ["MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC"],  # UNK has no truth, on which the scorer stops
}


def write(path, classes, rows):
    lines = [",".join(["image", *classes])]
    lines += [",".join([f"ISIC_{number:07}", *map(repr, map(float, row))]) for number, row in enumerate(rows)]
    path.write_text("\n".join(lines) + "\n")


class Submission(unittest.TestCase):
    def test_balanced_accuracy_and_sensitivities(self):
        for year, classes in LAYOUTS.items():
            for seed in range(3):
                random = numpy.random.default_rng(seed)
                truth = random.choice(len(classes), 1500, p=random.dirichlet(numpy.full(len(classes), 2.0)))
                scores = random.dirichlet(numpy.ones(len(classes)), 1500) + 0.5 * numpy.eye(len(classes))[truth]
                scores = numpy.round(scores / scores.sum(1, keepdims=True), 2)  # with ties, which call no class
                with self.subTest(year=year, seed=seed), tempfile.TemporaryDirectory() as name:
                    folder = pathlib.Path(name)
                    write(folder / "truth.csv", classes, numpy.eye(len(classes))[truth])
                    write(folder / "submission.csv", classes, scores)
                    official = ClassificationScore.from_file(
                        folder / "truth.csv", folder / "submission.csv", ClassificationMetric.BALANCED_ACCURACY
                    )
                    command = [SKINCHECK, "evaluate", "--format", "json", "--bootstrap", "0"]
                    command += ["--truth", folder / "truth.csv", folder / "submission.csv"]
                    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
                    found = found["evaluations"][0]["multi_class"]
                    self.assertAlmostEqual(
                        found["balanced_accuracy"]["value"], official.aggregate["balanced_accuracy"], delta=1e-9
                    )
                    # The scorer's own per-category sensitivity asks for a probability above one half; ours for the highest.
                    called = numpy.where(
                        (scores == scores.max(1, keepdims=True)).sum(1) == 1, scores.argmax(1), len(classes)
                    )
                    for number, label in enumerate(classes):
                        of_class = truth == number
                        if of_class.any():
                            value = (called[of_class] == number).mean()
                            self.assertAlmostEqual(found["sensitivity"][label]["value"], value, delta=1e-9)


if __name__ == "__main__":
    unittest.main()
