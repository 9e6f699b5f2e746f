"""A training on another machine: what goes there, what comes back."""

import contextlib
import io
import json
import os
import pathlib
import signal
import sys
import tempfile
import unittest
import unittest.mock
from dataclasses import replace

import numpy
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from skincheck_training import elsewhere, train
from skincheck_training.export import round_significant
from test_recipe import small_network

SIDE = 32


def drawn_pixels(count: int) -> numpy.ndarray:
    """Smooth, as photographs are."""
    rows, columns = numpy.mgrid[:SIDE, :SIDE]
    waves = [120 + 60 * numpy.sin(rows / (4 + i % 5)) + 40 * numpy.cos(columns / (3 + i % 7)) for i in range(count)]
    return numpy.stack([numpy.stack([wave, wave * 0.8, wave * 0.6], 2) for wave in waves]).clip(0, 255).astype(numpy.uint8)


class Weights(unittest.TestCase):
    def test_what_comes_back_is_what_was_packed_but_for_rounding(self):
        state = small_network().state_dict()
        state["bn1.num_batches_tracked"] += 7
        content = elsewhere.pack_state(state)
        found = elsewhere.unpack_state(content, state)
        self.assertEqual(found.keys(), state.keys())
        for name, value in state.items():
            wanted = round_significant(value, 14) if value.is_floating_point() else value
            self.assertTrue(torch.equal(found[name], wanted), name)

    def test_of_another_network(self):
        content = elsewhere.pack_state(small_network().state_dict())
        with self.assertRaisesRegex(ValueError, "numbers for a network of"):
            elsewhere.unpack_state(content, torch.nn.Linear(3, 4).state_dict())


class ThereAndBack(unittest.TestCase):
    """pack, learn and unpack, with a small network, and with the recipe's options already read."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "weights").write_bytes(b"some")
        settings = train.Settings(side=SIDE, stages=((24, 1), (32, 1)), batch_size=8)
        count = 40
        self.task = train.Task(
            drawn_pixels(count), numpy.arange(count) % 3 == 0, numpy.arange(count) % 8 - 1, numpy.full(count, "a"),
            train=numpy.arange(5, 25), val=numpy.arange(25, count),  # the first five are left out
        )
        self.ready = unittest.mock.Mock(
            task=self.task, settings=settings, origin="origin", network=small_network(), examples=[]
        )
        self.options = unittest.mock.Mock(work=self.folder / "work", weights=self.folder / "weights")
        for name, stand_in in (("get_ready", lambda _: self.ready), ("parse_recipe", lambda _: self.options),
                               ("build_network", lambda _: small_network()), ("load_backbone", lambda *_: "digest")):
            patch = unittest.mock.patch.object(elsewhere, name, stand_in)
            patch.start()
            self.addCleanup(patch.stop)

    def run_here(self, *arguments: object) -> None:
        elsewhere.run([str(argument) for argument in arguments])

    def learn(self, *more: object) -> dict:
        self.run_here("pack", self.folder / "bundle", "--quality", 90)
        self.run_here("learn", self.folder / "bundle", self.folder / "results", "--device", "cpu", *more)
        return json.loads((self.folder / "results" / "result.json").read_text())

    def test_the_task_arrives_without_what_is_left_out(self):
        self.run_here("pack", self.folder / "bundle", "--quality", 90)
        there = elsewhere._task(self.folder / "bundle", SIDE)
        self.assertEqual((len(there.pixels), len(there.train), len(there.val)), (35, 20, 15))
        for part in ("train", "val"):
            mine, theirs = getattr(self.task, part), getattr(there, part)
            for name in ("malignant", "diagnosis", "source"):
                self.assertEqual(getattr(self.task, name)[mine].tolist(), getattr(there, name)[theirs].tolist())
            away = numpy.abs(self.task.pixels[mine].astype(int) - there.pixels[theirs]).mean((1, 2, 3))
            self.assertLess(away.max(), 4)

    def test_a_bundle_that_was_damaged_on_its_way(self):
        for name in ("pixels.bin", "task.npz", "weights"):
            self.run_here("pack", self.folder / "bundle", "--quality", 90)
            file = self.folder / "bundle" / name
            content = file.read_bytes()
            file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
            with self.subTest(name), self.assertRaisesRegex(ValueError, f"{name} is not what was packed"):
                self.run_here("learn", self.folder / "bundle", self.folder / "results", "--device", "cpu")
        self.assertFalse((self.folder / "results").exists())

    def test_the_recipe_goes_on_with_what_was_learned(self):
        result = self.learn()
        self.assertEqual(len(result["trained"]["history"]), 2)
        self.assertEqual(result["trained"]["machines"][0]["torch"], torch.__version__)
        self.run_here("unpack", self.folder / "results")
        network = small_network()
        with unittest.mock.patch.object(train._Run, "_step", side_effect=AssertionError("it learns on")):
            trained = train.train(network, self.task, self.ready.settings, self.options.work, "origin")
        self.assertEqual(trained.figures, result["trained"]["figures"])
        self.assertEqual(trained.machines, result["trained"]["machines"])
        self.assertEqual(trained.machines[0]["pixels"], "WebP, quality 90")
        content = (self.folder / "results" / "weights.0").read_bytes()
        for name, value in elsewhere.unpack_state(content, network.state_dict()).items():
            self.assertTrue(torch.equal(value, network.state_dict()[name]), name)
        with self.assertRaisesRegex(ValueError, "checkpoint.pt is there already"):
            self.run_here("unpack", self.folder / "results")

    def test_a_further_cycle_has_the_rates_of_one(self):
        self.learn()
        self.run_here("unpack", self.folder / "results")
        longer = replace(self.ready.settings, stages=((24, 1), (32, 3)), restarts=(2,))
        rates, original = [], train._Run._step

        def step(run, *arguments):
            rates.append(run.optimiser.param_groups[0]["lr"] / run.optimiser.param_groups[0]["initial_lr"])
            return original(run, *arguments)

        with unittest.mock.patch.object(train._Run, "_step", step):
            train.train(small_network(), self.task, longer, self.options.work, "origin")
        self.assertLess(rates[0], 0.05)
        self.assertGreater(max(rates), 0.5)
        self.assertLess(rates[-1], 0.1)

    def test_numbers_that_make_no_sense_are_refused(self):
        for option in (("--batch-size", 0), ("--seconds", 0), ("--seconds", -1), ("--workers", -1)):
            with (
                self.subTest(option), contextlib.redirect_stderr(io.StringIO()) as said, self.assertRaises(SystemExit),
            ):
                self.run_here("learn", self.folder, self.folder, *option)
            self.assertRegex(said.getvalue(), f"{option[0]}: {option[1]} is not ")

    def test_results_of_other_settings_or_damaged_ones(self):
        self.learn("--stages", "24:1", "--batch-size", "4")
        with self.assertRaisesRegex(ValueError, r"of other settings \(batch_size, stages\) than"):
            self.run_here("unpack", self.folder / "results")
        self.ready.settings = replace(self.ready.settings, stages=((24, 1),), batch_size=4)
        self.ready.origin = "another"
        with self.assertRaisesRegex(ValueError, "of other data or starting weights than"):
            self.run_here("unpack", self.folder / "results")
        self.ready.origin = "origin"
        self.task.pixels[30] += 1
        with self.assertRaisesRegex(ValueError, "of other data or starting weights than"):
            self.run_here("unpack", self.folder / "results")
        self.task.pixels[30] -= 1
        weights = self.folder / "results" / "weights.0"
        weights.write_bytes(weights.read_bytes()[:-1])
        with self.assertRaisesRegex(ValueError, "weights.* are not what was written there"):
            self.run_here("unpack", self.folder / "results")

    def test_the_stages_share_the_time(self):
        """A clock that goes on by a second with each step: three stages of 20, 10 and 10 of 40 seconds."""
        now, original, rates = 0.0, train._Run._step, []

        def step(run, *arguments):
            nonlocal now
            now += 1
            loss = original(run, *arguments)
            rates.append(run.schedule.get_last_lr()[0])
            return loss

        with (
            unittest.mock.patch.object(train._Run, "_step", step),
            unittest.mock.patch.object(train, "time", unittest.mock.Mock(monotonic=lambda: now)),
        ):
            result = self.learn("--seconds", 40, "--stages", "16:2,20:1,24:1", "--batch-size", 5)
        history = result["trained"]["history"]
        self.assertEqual([row["size"] for row in history], [16] * 5 + [20] * 3 + [24] * 2)
        self.assertEqual(len(rates), 40)
        self.assertEqual(rates[-1], 0)
        self.assertTrue(all(later < earlier for earlier, later in zip(rates[3:], rates[4:], strict=False)))
        self.ready.settings = replace(self.ready.settings, stages=((16, 2), (20, 1), (24, 1)), batch_size=5)
        self.run_here("unpack", self.folder / "results")

    def test_what_was_learned_before_a_fault_or_a_signal_comes_back(self):
        original = train._Run.validate

        def end(fault):
            os.kill(os.getpid(), fault) if isinstance(fault, int) else None
            raise fault

        def validate(run):
            if run.epoch == 1:
                end(fault)
            original(run)

        for fault, told in ((RuntimeError("out of memory"), "out of memory"), (signal.SIGTERM, "KeyboardInterrupt")):
            with (
                self.subTest(told),
                unittest.mock.patch.object(train._Run, "validate", validate),
                unittest.mock.patch.object(train, "SOON", -1),
                contextlib.redirect_stderr(io.StringIO()) as said,
            ):
                result = self.learn()
            self.assertEqual(len(result["trained"]["history"]), 1)
            self.assertIn(told, said.getvalue())
        self.run_here("unpack", self.folder / "results")


if __name__ == "__main__":
    unittest.main()
