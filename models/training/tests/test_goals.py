"""Checks of what can be learned (--learn), of settings in old checkpoints, and of the curves."""

import csv
import pathlib
import sys
import tempfile
import unittest
import unittest.mock
from dataclasses import asdict, replace

import numpy
import torch
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from skincheck_training import golden_cases, package, train
from skincheck_training.curves import draw_curves
from skincheck_training.diagnoses import DIAGNOSES, MALIGNANT, agreeing
from skincheck_training.goals import GOALS, diagnosis_weights, malignancy_logits
from skincheck_training.golden_cases import find_cases
from skincheck_training.metrics import balanced_accuracy
from skincheck_training.settings import Settings

MEL, NV, VASC = (DIAGNOSES.index(name) for name in ("mel", "nv", "vasc"))
SEVEN = GOALS["diagnoses"]
DEFAULT = Settings()


def tiny_network(outputs: int) -> torch.nn.Module:
    torch.manual_seed(2)
    network = torch.nn.Sequential()
    network.add_module("conv1", torch.nn.Conv2d(3, 8, 3, stride=4))
    network.add_module("bn1", torch.nn.BatchNorm2d(8))
    pooled = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    network.add_module("layer4", pooled)
    network.add_module("fc", torch.nn.Sequential(torch.nn.Linear(8, outputs)))
    return network


def tiny_task() -> train.Task:
    count = 56
    diagnosis = numpy.arange(count) % 8 - 1
    malignant = numpy.isin(diagnosis, [DIAGNOSES.index(name) for name in MALIGNANT]) | (numpy.arange(count) % 16 == 0)
    pixels = numpy.random.default_rng(1).integers(0, 256, (count, 32, 32, 3), dtype=numpy.uint8)
    return train.Task(
        pixels, malignant, diagnosis, numpy.full(count, "one"), numpy.arange(32), numpy.arange(32, count)
    )


class MalignancyGoal(unittest.TestCase):
    def loss(self, malignant: float, diagnosis: int = -1, settings: Settings = replace(DEFAULT, label_smoothing=0.0)) -> float:
        outputs = torch.linspace(-1, 2, 8)[None]
        loss = GOALS["malignancy"].loss(settings, numpy.array([diagnosis]))
        return loss(outputs, torch.tensor([malignant]), torch.tensor([diagnosis])).item()

    def test_it_is_learned_by_the_first_output(self):
        p = torch.sigmoid(torch.tensor(-1.0))
        self.assertAlmostEqual(self.loss(1.0), -DEFAULT.positive_weight * p.log().item(), places=5)
        self.assertAlmostEqual(self.loss(0.0), -(1 - p).log().item(), places=5)

    def test_the_diagnosis_beside_it_by_the_others(self):
        surprise = -torch.log_softmax(torch.linspace(-1, 2, 8)[1:], 0)[MEL].item()
        self.assertAlmostEqual(self.loss(1.0, MEL), self.loss(1.0) + DEFAULT.diagnosis_weight * surprise, places=5)


class DiagnosesGoal(unittest.TestCase):
    def setUp(self):
        self.outputs = torch.randn(6, 7, generator=torch.Generator().manual_seed(1)) * 3
        self.malignant = torch.tensor([1.0, 1, 0, 0, 1, 0])
        self.diagnosis = torch.tensor([MEL, -1, NV, -1, 0, VASC])

    def test_malignancy_is_the_sum_of_three(self):
        probabilities = SEVEN.probabilities(self.outputs)
        wanted = sum(probabilities[:, DIAGNOSES.index(name)] for name in ("mel", "bcc", "akiec")).double()
        found = SEVEN.malignancy(probabilities.numpy())
        self.assertTrue(numpy.allclose(found, wanted.numpy(), atol=1e-6))
        logits = malignancy_logits(self.outputs)
        self.assertTrue(torch.allclose(torch.sigmoid(logits).double(), wanted, atol=1e-6))
        self.assertTrue(190 < malignancy_logits(torch.tensor([[200.0] + 6 * [0.0]])).item() < 200)  # where p is 1

    def loss(self, chosen, settings=DEFAULT):
        loss = SEVEN.loss(settings, numpy.array([MEL, NV, NV, NV, 0, VASC]))
        return loss(self.outputs[chosen], self.malignant[chosen], self.diagnosis[chosen])

    def test_a_known_diagnosis_counts_by_its_rarity(self):
        settings = replace(DEFAULT, label_smoothing=0.0)
        weights = diagnosis_weights(numpy.array([MEL, NV, NV, NV, 0, VASC]), settings)
        surprise = -torch.log_softmax(self.outputs, 1)
        self.assertAlmostEqual(self.loss([2], settings).item(), (weights[NV] * surprise[2, NV]).item(), places=5)
        self.assertAlmostEqual(self.loss([5], settings).item(), (weights[VASC] * surprise[5, VASC]).item(), places=5)
        self.assertGreater(weights[VASC], weights[NV])

    def test_without_a_diagnosis_the_sum_is_learned(self):
        settings = replace(DEFAULT, label_smoothing=0.0)
        p = torch.from_numpy(SEVEN.malignancy(SEVEN.probabilities(self.outputs).numpy()))
        self.assertAlmostEqual(self.loss([1], settings).item(), -settings.positive_weight * p[1].log().item(), places=4)
        self.assertAlmostEqual(self.loss([3], settings).item(), -(1 - p[3]).log().item(), places=4)
        both = (self.loss([1]) + self.loss([2])) / 2
        self.assertAlmostEqual(self.loss([1, 2]).item(), both.item(), places=5)

    def test_malignant_alone_leaves_the_benign_ones_their_shares(self):
        """The marginal likelihood says nothing of which malignant diagnosis it is: their odds do not move apart."""
        outputs = torch.zeros(1, 7, requires_grad=True)
        SEVEN.loss(DEFAULT, numpy.arange(7))(outputs, torch.ones(1), torch.tensor([-1])).backward()
        chosen = torch.tensor([name in MALIGNANT for name in DIAGNOSES])
        self.assertTrue((outputs.grad[0, chosen] < 0).all() and (outputs.grad[0, ~chosen] > 0).all())
        self.assertEqual(len(set(outputs.grad[0, chosen].tolist())), 1)

    def test_it_learns_the_diagnoses_and_of_the_others_malignancy(self):
        """Nine looks: one for each diagnosis, and two of which only malignant or benign is known."""
        looks = torch.eye(9)
        diagnosis = torch.tensor([*range(7), -1, -1])
        malignant = torch.tensor([float(name in MALIGNANT) for name in DIAGNOSES] + [1.0, 0.0])
        torch.manual_seed(1)
        layer = torch.nn.Linear(9, 7)
        loss_of = SEVEN.loss(DEFAULT, diagnosis.numpy())
        optimiser = torch.optim.Adam(layer.parameters(), lr=0.1)
        for _ in range(200):
            optimiser.zero_grad()
            loss_of(layer(looks), malignant, diagnosis).backward()
            optimiser.step()
        self.assertEqual(layer(looks)[:7].argmax(1).tolist(), list(range(7)))
        found = torch.sigmoid(malignancy_logits(layer(looks)))
        self.assertLess((found - malignant).abs().max().item(), 0.1)

    def test_weights_keep_the_balance_of_malignant_and_benign(self):
        diagnosis = numpy.repeat(numpy.arange(-1, 7), [9, 30, 50, 100, 10, 110, 600, 12])
        counts = numpy.bincount(diagnosis[diagnosis >= 0])
        for balance in (0.0, 0.5, 1.0):
            settings = replace(DEFAULT, diagnosis_balance=balance)
            weights = diagnosis_weights(diagnosis, settings).numpy()
            side = numpy.array([name in MALIGNANT for name in DIAGNOSES])
            for chosen, wanted in ((side, settings.positive_weight), (~side, 1.0)):
                self.assertAlmostEqual((weights * counts)[chosen].sum() / counts[chosen].sum(), wanted, places=5)
                of_side = weights[chosen] * counts[chosen] ** balance
                self.assertTrue(numpy.allclose(of_side, of_side[0]), balance)

    def test_weights_are_finite_where_nothing_is_known(self):
        self.assertTrue(torch.isfinite(diagnosis_weights(numpy.full(5, -1), DEFAULT)).all())

    def test_the_column_malignant_has_the_last_word(self):
        found = agreeing(numpy.array([MEL, MEL, NV, NV, -1, -1]), numpy.array([1, 0, 0, 1, 0, 1]))
        self.assertEqual(found.tolist(), [MEL, -1, NV, -1, -1, -1])

    def test_balanced_accuracy_is_the_mean_of_the_shares(self):
        truth = numpy.array([0, 0, 0, 0, 5, 5, 6])
        self.assertAlmostEqual(balanced_accuracy(truth, numpy.array([0, 0, 0, 1, 5, 6, 6])), (0.75 + 0.5 + 1) / 3)

    def test_each_diagnosis_is_wanted_in_each_split(self):
        kinds = SEVEN.kinds(numpy.array([True, False]), numpy.array([MEL, NV]))
        self.assertEqual(list(kinds), ["malignant", "benign", *DIAGNOSES])
        self.assertEqual(kinds["nv"].tolist(), [False, True])

    def test_model_json_has_seven_classes_and_golden_cases_of_seven(self):
        spec = package.base_spec("name", "1", "none", SEVEN, 224)
        self.assertEqual(spec["output"]["kind"], "softmax")
        self.assertEqual(tuple(spec["output"]["classes"]), DIAGNOSES)
        self.assertEqual(spec["output"]["malignant"], ["akiec", "bcc", "mel"])
        network = tiny_network(7).eval()
        others = tiny_network(7)
        others.fc[0].bias.data += torch.arange(7)
        cases, _ = find_cases(network, [others.eval()], SEVEN, 48, 48)
        self.assertTrue(all(case.telling > 0.03 for case in cases))
        section = package.golden_section(cases, 0.0)
        for case in section["cases"]:
            self.assertEqual(len(case["outputs"]), 7)
            self.assertAlmostEqual(sum(case["outputs"]), 1, places=5)


class TrainingDiagnoses(unittest.TestCase):
    SETTINGS = Settings(stages=((24, 2),), batch_size=8, learn="diagnoses")

    def run_in(self, folder: str, settings: Settings) -> list[dict]:
        network = tiny_network(GOALS[settings.learn].outputs(settings))
        train.train(network, tiny_task(), settings, pathlib.Path(folder), "origin")
        with (pathlib.Path(folder) / "history.csv").open(newline="") as lines:
            return list(csv.DictReader(lines))

    def test_where_no_input_fits_the_most_telling_ones_are_taken(self):
        right, wrong = tiny_network(1), tiny_network(1)
        answers = {right: iter([0.001, 0.002, 0.003, 0.004]), wrong: iter([0.002, 0.011, 0.005, 0.013])}
        with (
            unittest.mock.patch.object(golden_cases, "answer", lambda network, *_: numpy.array([[next(answers[network])]])),
            unittest.mock.patch.object(golden_cases, "SEARCHED", 4),
        ):
            cases, fitting = find_cases(right, [wrong], GOALS["malignancy"], 8, 8)
        self.assertEqual(([2, 4], False), ([case.seed for case in cases], fitting))

    def test_history_has_balanced_accuracy_beside_malignancy(self):
        with tempfile.TemporaryDirectory() as folder:
            rows = self.run_in(folder, self.SETTINGS)
            self.assertEqual(len(rows), 2)
            for row in rows:
                self.assertTrue(0 <= float(row["val_balanced_accuracy"]) <= 1)
                self.assertTrue(0 <= float(row["val_auc_mean_of_sources"]) <= 1)
            with Image.open(pathlib.Path(folder) / "curves.png") as image:
                self.assertGreater(image.width, 1000)
            with self.assertRaisesRegex(ValueError, r"checkpoint\.pt is of other settings \(learn\)"):
                self.run_in(folder, replace(self.SETTINGS, learn="malignancy"))

    def test_a_checkpoint_from_before_the_switch_goes_on(self):
        settings = replace(self.SETTINGS, learn="malignancy")
        with tempfile.TemporaryDirectory() as folder:
            wanted = self.run_in(folder, settings)
            checkpoint = pathlib.Path(folder) / "checkpoint.pt"
            state = torch.load(checkpoint, weights_only=True)
            for name in ("learn", "diagnosis_balance"):
                del state["settings"][name]
            torch.save(state, checkpoint)
            (pathlib.Path(folder) / "curves.png").unlink()
            self.assertEqual(self.run_in(folder, settings), wanted)
            self.assertTrue((pathlib.Path(folder) / "curves.png").exists())
            self.assertNotIn("val_balanced_accuracy", wanted[0])
            with self.assertRaisesRegex(ValueError, r"\(learn\)"):
                self.run_in(folder, self.SETTINGS)

    def test_settings_name_what_differs(self):
        stored = asdict(DEFAULT)
        self.assertEqual(DEFAULT.differences(stored), [])
        self.assertEqual(replace(DEFAULT, seed=2, stages=((32, 1),)).differences(stored), ["seed", "stages"])
        self.assertEqual(DEFAULT.differences(stored | {"epochs": 3}), ["epochs"])


class Curves(unittest.TestCase):
    ROW = {"epoch": 0, "size": 128, "side": 224, "train_loss": 1, "val_loss": 0.5, "val_auc": 0.8,
           "val_auc_mean_of_sources": 0.7}

    def draw(self, folder: str, rows: list[dict]) -> numpy.ndarray:
        history, output = pathlib.Path(folder) / "history.csv", pathlib.Path(folder) / "curves.png"
        with history.open("w", newline="") as out:
            writer = csv.DictWriter(out, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        draw_curves(history, output)
        self.assertEqual(sorted(p.name for p in output.parent.iterdir()), ["curves.png", "history.csv"])
        with Image.open(output) as image:
            return numpy.asarray(image.convert("RGB"))

    def test_each_column_is_drawn(self):
        rows = [self.ROW, self.ROW | {"epoch": 1, "size": 160, "val_auc": 0.9}]
        with tempfile.TemporaryDirectory() as folder:
            one = self.draw(folder, rows[:1])
            self.assertEqual(one.ndim, 3)
            before = self.draw(folder, rows)
            for name in ("train_loss", "val_loss", "val_auc", "val_auc_mean_of_sources", "size"):
                changed = self.draw(folder, [rows[0], rows[1] | {name: rows[1][name] * 1.1}])
                self.assertFalse(numpy.array_equal(before, changed), name)
            with_source = self.draw(folder, [row | {"val_auc_all": row["val_auc"]} for row in rows])
            self.assertTrue(numpy.array_equal(before, with_source), "one line three times")
            for name in ("val_auc_clinic", "val_balanced_accuracy"):
                changed = self.draw(folder, [row | {name: 0.6} for row in rows])
                self.assertFalse(numpy.array_equal(before, changed), name)


if __name__ == "__main__":
    unittest.main()
