"""The scripts of examples/ do what they say, on the drawn images and on what else may lie in a folder."""

import fcntl
import os
import shutil
import subprocess

import harness
from harness import EXECUTABLE, MODELS, PATIENCE, SOURCE, Result, SkincheckTest, csv_rows, environment, setting

EXAMPLES = SOURCE / "examples"
DRAWN = sorted(os.listdir(EXAMPLES / "images"))
ODD_NAMES = [b"a, b.jpg", b'quote".jpg', b"line\nend.jpg", b"no-utf8-\xff.jpg", b"-dash.jpg"]


class ExampleTest(SkincheckTest):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("models"))
        os.symlink(MODELS / "tiny-sigmoid", self.path("models/skincheck-resnet50"))
        os.mkdir(self.path("drop"))

    def example(self, script: str, *arguments: str, models: str = "models") -> Result:
        path = os.path.dirname(EXECUTABLE) + os.pathsep + os.environ["PATH"]
        done = subprocess.run([EXAMPLES / script, *arguments], cwd=self.folder, stdin=subprocess.DEVNULL,
                              env=environment(PATH=path, SKINCHECK_MODEL_PATH=self.path(models)),
                              capture_output=True, timeout=PATIENCE, check=False)
        return Result(done.returncode, done.stdout, done.stderr)

    def put(self, name: bytes, drawn: str = "round.jpg") -> bytes:
        """One of the drawn images under another name in the folder drop."""
        path = os.fsencode(self.path("drop/")) + name
        shutil.copyfile(EXAMPLES / "images" / drawn, path)
        return path

    def unusable_model(self) -> str:
        shutil.copytree(MODELS / "tiny-sigmoid", self.path("broken/skincheck-resnet50"))
        self.write("broken/skincheck-resnet50/model.onnx", "no network")
        return "broken"


class Dump(ExampleTest):
    def test_without_arguments_the_drawn_images_are_scored_counted_and_sorted(self):
        result = self.example("score-isic-dump")
        self.assertEqual((0, []), (result.code, [name for name in DRAWN if name.encode() not in result.stdout]))
        self.assertIn(b"status ok: 6\n", result.stdout)
        rows = csv_rows(self.read("results.csv"))
        self.assertEqual(DRAWN, [os.path.basename(row["path"]) for row in rows])
        highest_first = sorted(rows, key=lambda row: float(row["malignancy"]), reverse=True)
        self.assertEqual(highest_first, csv_rows(self.read("results.sorted.csv")))

    def test_odd_names_and_files_without_a_score_keep_their_rows(self):
        for name in ODD_NAMES:
            self.put(name)
        self.write("drop/bad.jpg", "no image")
        result = self.example("score-isic-dump", "drop", "out.csv")
        self.assertEqual(1, result.code)
        self.assertIn(b"status ok: 5\nstatus unsupported: 1\n", result.stdout)
        rows = csv_rows(self.read("out.sorted.csv"))
        self.assertEqual({os.fsdecode(b"drop/" + name) for name in [*ODD_NAMES, b"bad.jpg"]}, {r["path"] for r in rows})
        self.assertEqual(("drop/bad.jpg", ""), (rows[-1]["path"], rows[-1]["malignancy"]))

    def test_a_model_that_cannot_be_used_ends_it(self):
        result = self.example("score-isic-dump", models=self.unusable_model())
        self.assertEqual((3, b""), result[:2])
        self.assertFalse(os.path.exists(self.path("results.csv")))


class Cron(ExampleTest):
    def cron(self, **options) -> Result:
        return self.example("cron-drop-folder", "drop", "state", **options)

    def runs(self) -> list[list[dict]]:
        """The rows of each run so far."""
        return [csv_rows(self.read(f"state/results/{name}")) for name in self.listing("state/results")]

    def scored(self) -> list[bytes]:
        return sorted(os.fsencode(row["path"]) for rows in self.runs() for row in rows if row["status"] == "ok")

    def test_each_file_is_scored_once_whatever_its_name(self):
        first = [self.put(name) for name in ODD_NAMES]
        self.assertEqual(Result(0, b"", b""), self.cron())
        self.assertEqual(sorted(first), self.scored())
        self.assertEqual(Result(0, b"", b""), self.cron())
        self.assertEqual(1, len(self.runs()))
        second = self.put(b"later.jpg")
        self.assertEqual(Result(0, b"", b""), self.cron())
        self.assertEqual(2, len(self.runs()))
        self.assertEqual(sorted([*first, second]), self.scored())
        self.assertEqual(2, self.read("state/log").count(b"all scored"))

    def test_a_file_that_was_still_being_copied_is_tried_again_when_it_has_grown(self):
        whole = (EXAMPLES / "images" / "round.jpg").read_bytes()
        path = os.fsencode(self.write("drop/a.jpg", whole[:9000]))
        self.assertEqual(1, self.cron().code)
        self.assertEqual([], self.scored())
        self.assertEqual(Result(0, b"", b""), self.cron())
        self.assertEqual(1, len(self.runs()))
        self.write("drop/a.jpg", whole)
        self.assertEqual(Result(0, b"", b""), self.cron())
        self.assertEqual([path], self.scored())

    def test_a_run_that_fails_marks_nothing_as_done(self):
        path = self.put(b"a.jpg")
        result = self.cron(models=self.unusable_model())
        self.assertEqual(3, result.code)
        self.assertIn(b"exit code 3; see state/log", result.stderr)
        self.assertEqual([], self.runs())
        self.assertEqual(Result(0, b"", b""), self.cron())
        self.assertEqual([path], self.scored())

    def test_a_second_run_keeps_out(self):
        self.put(b"a.jpg")
        os.mkdir(self.path("state"))
        with open(self.path("state/lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            result = self.cron()
        self.assertEqual((0, b"cron-drop-folder: another run is at work; nothing done\n"), result[:2])
        self.assertEqual([], self.runs())


class Pipe(ExampleTest):
    def test_it_prints_what_is_labelled_malignant(self):
        if shutil.which("jq") is None:
            self.skipTest("jq is not installed")
        result = self.example("pipe")
        self.assertEqual(0, result.code, result.stderr)
        rows = csv_rows(self.score(str(EXAMPLES / "images")).stdout)
        expected = [(float(row["malignancy"]), row["path"]) for row in rows if row["label"] == "malignant"]
        printed = [line.split("\t") for line in result.stdout.decode().splitlines()]
        self.assertEqual(sorted(expected), sorted((float(malignancy), path) for malignancy, path in printed))
        self.assertTrue(0 < len(expected) < len(rows))


class Drawing(ExampleTest):
    def draw(self) -> dict[str, bytes]:
        done = subprocess.run([setting("SKINCHECK_DRAW_LESIONS"), self.path("drop")], check=False, timeout=PATIENCE)
        self.assertEqual(0, done.returncode)
        return {name: self.read(f"drop/{name}") for name in self.listing("drop")}

    def test_the_same_images_come_out_at_every_run_and_can_be_scored(self):
        images = self.draw()
        self.assertEqual(DRAWN, sorted(images))
        self.assertEqual(len(images), len(set(images.values())))
        self.assertEqual(images, self.draw())
        self.assertEqual(0, self.score("drop").code)


if __name__ == "__main__":
    harness.main()
