"""--resume: what is done is kept, whatever ended the run; and one run at a time has an output."""

import json
import os
import random
import signal
import sqlite3
import struct
import subprocess
import time

import harness
from harness import EXECUTABLE, MODELS, SkincheckTest, csv_rows, environment
from images import BLACK, BLUE, GREEN, WHITE, png

COLOURS = (WHITE, BLACK, GREEN, BLUE)


class ResumeTest(SkincheckTest):
    def write_images(self, count: int) -> None:
        """Every seventh is none."""
        for number in range(count):
            name = f"drop/{number:04}.png"
            self.write(name, "no image" if number % 7 == 3 else png(COLOURS[number % 4], 16 + number % 5))

    def resume(self, *arguments, **options):
        return self.score("--resume", "-o", "r.csv", *arguments, **options)

    def rows(self) -> list[dict]:
        return csv_rows(self.read("r.csv"))

    def scores(self) -> dict[str, str]:
        return {row["path"]: row["malignancy"] for row in self.rows()}

    def journal_has_a_row(self, journal: str = "r.csv.skincheck") -> bool:
        try:
            with sqlite3.connect(f"file:{self.path(journal)}?mode=ro", uri=True) as database:
                return database.execute("SELECT count(*) FROM rows").fetchone()[0] > 0
        except sqlite3.Error:
            return False


class GoingOn(ResumeTest):
    def test_a_first_run_writes_what_a_run_without_it_writes(self):
        self.write_images(10)
        self.assertEqual(1, self.resume("drop").code)
        self.assertEqual(self.score("drop").stdout, self.read("r.csv"))
        self.assertEqual(["drop", "r.csv", "r.csv.skincheck"], self.listing())

    def test_what_is_done_is_not_scored_again(self):
        self.write("drop/a.png", png(WHITE))
        self.resume("drop")
        before = self.read("r.csv")
        # The same size and time, other pixels: only a run that reads the file would notice.
        times = os.stat(self.path("drop/a.png"))
        self.assertEqual(times.st_size, len(png(WHITE)))
        with open(self.path("drop/a.png"), "r+b") as file:
            file.write(b"X" * 8)
        os.utime(self.path("drop/a.png"), ns=(times.st_atime_ns, times.st_mtime_ns))
        result = self.resume("drop")
        self.assert_ok(result)
        self.assertIn(b"0 images: 0 scored, 0 failed; 1 kept from before", result.stderr)
        self.assertEqual(before, self.read("r.csv"))

    def test_new_files_come_after_the_rows_that_are_there(self):
        self.write("drop/b.png", png(WHITE))
        self.resume("drop")
        self.write("drop/a.png", png(BLACK))
        self.assert_ok(self.resume("drop"))
        self.assertEqual(["drop/b.png", "drop/a.png"], [row["path"] for row in self.rows()])

    def test_rows_of_files_that_went_away_are_kept(self):
        for name in ("a", "b", "c"):
            self.write(f"drop/{name}.png", png())
        self.resume("drop")
        before = self.read("r.csv")
        os.remove(self.path("drop/b.png"))
        self.assert_ok(self.resume("drop"))
        self.assertEqual(before, self.read("r.csv"))

    def test_a_list_that_names_a_file_that_went_away(self):
        for name in ("a", "b"):
            self.write(f"{name}.png", png())
        self.resume("a.png", "b.png")
        before = self.read("r.csv")
        os.remove(self.path("b.png"))
        self.assert_ok(self.resume("a.png", "b.png"))
        self.assertEqual(before, self.read("r.csv"))

    def test_a_file_with_another_content_is_scored_again_in_its_place(self):
        for name in ("a", "b"):
            self.write(f"drop/{name}.png", png(WHITE))
        self.resume("drop")
        self.write("drop/a.png", png(BLACK))
        result = self.resume("drop")
        self.assertIn(b"1 image: 1 scored", result.stderr)
        self.assertEqual(self.score("drop").stdout, self.read("r.csv"))

    def test_what_failed_is_tried_again_in_its_place(self):
        self.write("drop/a.png", png())
        self.write("drop/b.png", png()[:60])
        self.write("drop/c.png", png())
        self.assertEqual(1, self.resume("drop").code)
        self.write("drop/b.png", png())
        self.assert_ok(self.resume("drop"))
        self.assertEqual(self.score("drop").stdout, self.read("r.csv"))

    def test_one_image_without_an_answer_does_not_condemn_the_model(self):
        self.write("black.png", png(BLACK))
        self.write("white.png", png(WHITE))
        for _ in range(2):  # in the second run the other one is kept
            result = self.resume("black.png", "white.png", model="tiny-nan")
            self.assertEqual(1, result.code, result)
            self.assertEqual({"ok", "model_error"}, {row["status"] for row in self.rows()})

    def test_a_row_is_kept_though_no_other_follows(self):
        self.write("a.png", png())
        running = self.start("--resume", "-o", "r.csv")
        running.feed("a.png\n")
        for _ in range(600):
            if os.path.exists(self.path("r.csv.skincheck")):  # locked, so a copy is looked at
                self.write("copy", self.read("r.csv.skincheck"))
                if self.journal_has_a_row("copy"):
                    break
            time.sleep(0.1)
        else:
            self.fail("the journal has no row")
        running.process.kill()
        running.finish()

    def test_a_path_that_is_named_twice_has_two_rows_each_time(self):
        self.write("a.png", png())
        for _ in range(3):
            self.assert_ok(self.resume("a.png", "a.png"))
            self.assertEqual(self.score("a.png", "a.png").stdout, self.read("r.csv"))

    def test_names_that_are_no_text(self):
        name = b"caf\xe9 \",\n.png"
        self.write(name, png())
        for _ in range(2):
            self.assert_ok(self.resume(name))
            self.assertEqual(self.score(name).stdout, self.read("r.csv"))

    def test_the_rows_may_be_written_in_another_format(self):
        self.write_images(5)
        self.resume("drop")
        self.assertEqual(1, self.resume("drop", "--format", "json").code)
        self.assertEqual(self.score("drop", "--format", "json").stdout, self.read("r.csv"))

    def test_several_classes(self):
        self.write("drop/a.png", png())
        for _ in range(2):
            self.assert_ok(self.resume("drop", model="tiny-softmax"))
            self.assertEqual(self.score("drop", model="tiny-softmax").stdout, self.read("r.csv"))

    def test_a_folder_that_can_be_read_again_loses_its_row(self):
        preexec_fn = self.losing_root_powers()
        self.write("drop/in/a.png", png())
        self.write("drop/b.png", png())
        os.chmod(self.path("drop/in"), 0)
        for _ in range(2):  # it keeps its row while it cannot be read
            self.assertEqual(1, self.resume("drop", preexec_fn=preexec_fn).code)
            self.assertEqual([("drop/b.png", "ok"), ("drop/in", "denied")],
                             [(row["path"], row["status"]) for row in self.rows()])
        os.chmod(self.path("drop/in"), 0o700)
        self.assertEqual(0, self.resume("drop", preexec_fn=preexec_fn).code)
        self.assertEqual([("drop/b.png", "ok"), ("drop/in/a.png", "ok")],
                         [(row["path"], row["status"]) for row in self.rows()])

    def test_a_folder_keeps_its_row_when_it_is_not_among_the_inputs(self):
        preexec_fn = self.losing_root_powers()
        self.write("drop/in/a.png", png())
        self.write("other/b.png", png())
        os.chmod(self.path("drop/in"), 0)
        self.assertEqual(1, self.resume("drop", preexec_fn=preexec_fn).code)
        self.resume("other", preexec_fn=preexec_fn)
        self.assertEqual([("drop/in", "denied"), ("other/b.png", "ok")],
                         [(row["path"], row["status"]) for row in self.rows()])
        os.chmod(self.path("drop/in"), 0o700)
        os.remove(self.path("drop/in/a.png"))
        self.resume("drop", preexec_fn=preexec_fn)
        self.assertEqual(["other/b.png"], list(self.scores()))

    def test_a_folder_that_could_not_be_looked_at_loses_its_row(self):
        preexec_fn = self.losing_root_powers()
        self.write("safe/drop/a.png", png())
        os.chmod(self.path("safe"), 0)
        self.assertEqual(1, self.resume("safe/drop", preexec_fn=preexec_fn).code)
        self.assertEqual(["denied"], [row["status"] for row in self.rows()])
        os.chmod(self.path("safe"), 0o700)
        self.assertEqual(0, self.resume("safe/drop", preexec_fn=preexec_fn).code)
        self.assertEqual(["safe/drop/a.png"], list(self.scores()))

    def test_an_anonymised_folder_that_was_not_there_loses_its_row(self):
        self.write("key", "x" * 16)
        anonymous = ["--anonymise-paths", "key", "drop"]
        self.assertEqual(1, self.resume(*anonymous).code)
        self.write("drop/a.png", png())
        self.assert_ok(self.resume(*anonymous))
        self.assertEqual(["ok"], [row["status"] for row in self.rows()])

    def test_a_folder_that_was_not_there_loses_its_row(self):
        self.assertEqual(1, self.resume("drop/", "gone.png").code)
        self.assertEqual(["not_found"] * 2, [row["status"] for row in self.rows()])
        self.write("drop/a.png", png(WHITE))
        self.write("dropped/b.png", png(WHITE))
        self.assertEqual(1, self.resume("drop/", "gone.png").code)
        self.assertEqual({"gone.png": "", "drop/a.png": self.scores()["drop/a.png"]}, self.scores())
        self.assertEqual(1, self.resume("dropped", "gone.png").code)
        self.assertEqual(["gone.png", "drop/a.png", "dropped/b.png"], list(self.scores()))

    def test_a_folder_without_images_can_be_resumed(self):
        os.mkdir(self.path("drop"))
        for _ in range(2):
            self.assert_ok(self.resume("drop"))
        self.write("drop/a.png", png())
        self.assert_ok(self.resume("drop"))
        self.assertEqual(1, len(self.rows()))


class Overlap(ResumeTest):
    def test_a_run_without_it_does_not_replace_what_one_with_it_has_begun_meanwhile(self):
        self.write("drop/a.png", png())
        plain = self.start("-o", "r.csv", "-")
        plain.feed("drop/a.png\n")
        while not any(name.startswith(".r.csv.") for name in self.listing()):
            time.sleep(0.01)
        self.assert_ok(self.resume("drop"))
        result = plain.finish()
        self.assert_fails_with(result, 4, "r.csv", "--resume", ".r.csv.skincheck-")
        self.assertEqual(["drop/a.png"], list(self.scores()))
        kept = next(name for name in self.listing() if name.startswith(".r.csv."))
        self.assertEqual(self.read("r.csv"), self.read(kept))
        self.assertEqual(0, self.resume("drop").code)


class Refusals(ResumeTest):
    def setUp(self):
        super().setUp()
        self.write("drop/a.png", png())

    def assert_refuses(self, result, *texts: str) -> None:
        self.assert_fails_with(result, 2, *texts)

    def test_another_threshold_model_or_way_with_truncated_images(self):
        self.resume("drop")
        before = self.read("r.csv")
        self.assert_refuses(self.resume("drop", "--threshold", "0.3"), "r.csv", "threshold: 0.5", "0.3", "--force")
        self.assert_refuses(self.resume("drop", model="tiny-softmax"), "model: tiny-sigmoid@", "tiny-softmax@")
        self.assert_refuses(self.resume("drop", "--allow-truncated"), "truncated images: left out", "used")
        self.assertEqual(before, self.read("r.csv"))
        self.assert_ok(self.resume("drop"))

    def test_the_same_network_in_another_package(self):
        for model, change, told in (
            ("tiny-sigmoid", lambda spec: spec["preprocess"][0].update(interpolation="linear"), "preprocessing"),
            ("tiny-sigmoid", lambda spec: spec.update(calibration={"kind": "temperature", "temperature": 2}), "calibration"),
            ("tiny-softmax", lambda spec: spec["output"].update(malignant=spec["output"]["classes"][:1]), "classes"),
        ):
            with self.subTest(told):
                self.assert_ok(self.score("--resume", "--force", "-o", "r.csv", "drop", model=model))
                spec = harness.model_spec(model)
                before = json.dumps(spec)
                change(spec)
                self.assertNotEqual(before, json.dumps(spec))
                self.write("other/model.json", json.dumps(spec))
                with open(MODELS / model / "model.onnx", "rb") as file:
                    self.write("other/model.onnx", file.read())
                result = self.run_skincheck("--model", "./other", "--resume", "-o", "r.csv", "drop")
                self.assert_refuses(result, "r.csv", told, "--force")

    def test_another_precision(self):
        self.resume("drop")
        with sqlite3.connect(self.path("r.csv.skincheck")) as database:
            changed = database.execute("UPDATE settings SET value = 'fp16' WHERE name = 'precision'").rowcount
        database.close()
        self.assertEqual(1, changed)
        self.assert_refuses(self.resume("drop"), "its rows differ in precision: fp16 there, fp32 in this run")

    def test_force_starts_over(self):
        self.resume("drop")
        self.assert_ok(self.resume("drop", "--threshold", "0.9", "--force"))
        self.assertEqual(self.score("drop", "--threshold", "0.9").stdout, self.read("r.csv"))

    def test_an_output_without_a_journal_is_not_replaced(self):
        self.write("r.csv", "somebody's work\n")
        self.assert_refuses(self.resume("drop"), "r.csv has no journal, or an empty one", "--force")
        self.assertEqual(b"somebody's work\n", self.read("r.csv"))
        self.assertEqual(["drop", "r.csv"], self.listing())
        self.assert_ok(self.resume("drop", "--force"))

    def test_an_output_with_a_journal_is_not_replaced_by_a_run_without_it(self):
        self.write_images(3)
        self.resume("drop")
        before = self.read("r.csv")
        result = self.score("-o", "r.csv", "drop/0000.png")
        self.assert_fails_with(result, 2, "its rows are those of runs with --resume", "r.csv.skincheck")
        self.assertEqual(before, self.read("r.csv"))

    def test_force_drops_nothing_before_the_new_run_is_sure_to_begin(self):
        self.write_images(3)
        self.resume("drop")
        before = self.read("r.csv.skincheck")
        self.write("key", "x" * 16)
        no_map = [f"--model={MODELS}/tiny-sigmoid", "--anonymise-paths", "key", "--path-map", "no/map.csv"]
        no_card = ["--device", "cuda", f"--model={MODELS}/tiny-sigmoid"]
        no_list = [f"--model={MODELS}/tiny-sigmoid", "--files-from", "gone.txt"]
        no_glob = [f"--model={MODELS}/tiny-sigmoid", "--include", "x/"]
        for arguments, code in (
            (no_card, 3),
            (["--model=gone/"], 3),
            (["--tta", "3"], 2),
            (no_map, 4),
            (no_list, 2),
            (no_glob, 2),
        ):
            with self.subTest(arguments):
                result = self.run_skincheck("--resume", "--force", "-o", "r.csv", *arguments, "drop")
                self.assertEqual(code, result.code, result)
                self.assertEqual(before, self.read("r.csv.skincheck"))
        self.assertEqual(3, self.score("--resume", "--force", "-o", "new.csv", "--device", "cuda", "drop").code)
        self.assertEqual(["drop", "key", "r.csv", "r.csv.skincheck"], self.listing())

    def test_a_run_that_ends_before_its_first_row_leaves_nothing(self):
        for list_of_paths in ("gone.txt", "torn.txt"):
            self.write("torn.txt", b"\0\n")
            with self.subTest(list_of_paths):
                self.assert_refuses(self.resume("--files-from", list_of_paths), list_of_paths)
                self.assertEqual(["drop", "torn.txt"], self.listing())
        self.assert_ok(self.resume("--threshold", "0.2", "drop"))

    def test_after_force_that_ended_before_its_first_row_the_usual_command_goes_on(self):
        self.resume("drop")
        before = self.read("r.csv")
        self.write("torn.txt", b"\0\n")
        self.assert_refuses(self.resume("--force", "--files-from", "torn.txt"), "torn.txt")
        self.assertEqual(before, self.read("r.csv"))
        self.assert_refuses(self.score("-o", "r.csv", "drop"), "its rows are those of runs with --resume")
        self.assert_ok(self.resume("--threshold", "0.2", "drop"))
        self.assertEqual(self.score("--threshold", "0.2", "drop").stdout, self.read("r.csv"))

    def test_settings_count_from_the_first_row_on(self):
        os.mkdir(self.path("none"))
        self.assert_ok(self.resume("none"))
        self.assert_ok(self.resume("--threshold", "0.2", "drop"))
        self.assert_refuses(self.resume("drop"), "threshold: 0.2 there, 0.5 in this run")

    def test_a_name_that_leaves_no_room_for_the_journals(self):
        self.write("a.png", png())
        self.assert_fails_with(self.score("--resume", "-o", "n" * 238, "a.png"), 2, "237 bytes are the most")
        os.symlink("n" * 238, self.path("link"))
        self.assert_fails_with(self.score("--resume", "-o", "link", "a.png"), 2, "237 bytes are the most")
        self.assert_ok(self.score("--resume", "-o", "n" * 237, "a.png"))
        self.assertNotIn("n" * 238 + ".skincheck", self.listing())

    def test_nothing_else_is_written_over_a_journal_or_its_rows(self):
        self.write_images(2)
        self.write("truth.csv", "image,label\n0000,1\n0001,0\n")
        self.score("--shard", "1/1", "-o", "part.csv", "drop")
        self.write("key", "k" * 32)
        self.resume("drop")
        os.symlink("r.csv", self.path("link.csv"))
        with open(self.path("r.csv.skincheck"), "rb") as journal:
            self.write("other.name", journal.read())
        before = {name: self.read(name) for name in ("r.csv", "r.csv.skincheck", "other.name")}
        self.write("scores.csv", self.read("r.csv"))
        self.assertEqual(0, self.run_skincheck("merge", "part.csv").code)
        evaluate = ["evaluate", "--truth", "truth.csv", "scores.csv", "--bootstrap", "0"]
        score = [f"--model={MODELS}/tiny-sigmoid", "drop"]
        for name in ("r.csv.skincheck", "r.csv.skincheck-journal", "other.name", "r.csv", "link.csv"):
            for command in (
                [*score, "-o", name],
                [*score, "--anonymise-paths", "key", "--resume", "-o", "new.csv", "--path-map", name],
                [*evaluate, "-o", name],
                [*evaluate, "--report", name],
                ["merge", "part.csv", "-o", name],
            ):
                with self.subTest(command):
                    result = self.run_skincheck(*command)
                    self.assert_fails_with(result, 2, "journal")
                    self.assertEqual(before, {name: self.read(name) for name in before})
        os.remove(self.path("drop/0000.png"))
        self.write("drop/2.png", png())
        self.assert_ok(self.score("--resume", "-o", "link.csv", "drop"))  # goes on with the file behind the link
        self.assertEqual(4, len(self.rows()))
        self.assertTrue(os.path.islink(self.path("link.csv")))
        self.assertNotIn("link.csv.skincheck", self.listing())

    def test_a_full_disk_for_what_is_temporary(self):
        self.write_images(3)
        self.resume("drop")
        kept = len(self.rows())
        self.write("list", "".join(f"none/{number:0200}.png\n" for number in range(20000)))
        command = [EXECUTABLE, f"--model={MODELS}/tiny-sigmoid", "--resume", "-o", "r.csv", "--files-from", "list"]
        on_a_full_disk = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=100k none temporary && exec "$@"', "sh"]
        os.mkdir(self.path("temporary"))
        where = {"cwd": self.folder, "env": environment(TMPDIR=self.path("temporary"))}
        if subprocess.run([*on_a_full_disk, "true"], **where, capture_output=True, check=False).returncode != 0:
            self.skipTest("only root may mount a small disk")
        result = subprocess.run([*on_a_full_disk, *command], **where, capture_output=True, check=False)
        self.assertEqual(4, result.returncode, result)
        self.assertIn(b"TMPDIR", result.stderr)
        self.assertNotIn(b"damaged", result.stderr)
        self.assertEqual(kept, len([row for row in self.rows() if row["path"].startswith("drop/")]))
        self.assertEqual(1, self.resume("--files-from", "list").code)
        self.assertEqual(kept + 20000, len(self.rows()))

    def test_a_journal_that_lost_bytes_or_has_others(self):
        self.write_images(30)
        self.resume("drop")
        whole = self.read("r.csv.skincheck")
        with sqlite3.connect(self.path("r.csv.skincheck")) as database:
            (score,) = database.execute("SELECT malignancy FROM rows WHERE malignancy > 0.1 LIMIT 1").fetchone()
        database.close()
        place = whole.index(struct.pack(">d", score)) + 1
        changed = whole[:place] + bytes([whole[place] ^ 8]) + whole[place + 1 :]
        for damaged in (whole[:-1], changed):
            self.write("r.csv.skincheck", damaged)
            self.assert_fails_with(self.resume("drop"), 4, "r.csv.skincheck is damaged", "--force")
        self.write("r.csv.skincheck", whole)
        self.assertEqual(1, self.resume("drop").code)

    def test_a_damaged_journal(self):
        self.write("r.csv.skincheck", b"x" * 9000)
        self.assert_fails_with(self.resume("drop"), 4, "r.csv.skincheck is damaged", "--force")
        self.assert_ok(self.resume("drop", "--force"))

    def test_a_journal_of_somebody_elses_making(self):
        with sqlite3.connect(self.path("r.csv.skincheck")) as database:
            database.execute("CREATE TABLE rows(number INTEGER)")
        database.close()
        self.assert_fails_with(self.resume("drop"), 4, "no journal of this version")

    def test_options_that_do_not_go_together(self):
        for arguments, text in (
            (["--resume", "drop"], "--resume needs --output"),
            (["--force", "-o", "r.csv", "drop"], "--force goes with --resume"),
            (["--wait-lock", "-o", "r.csv", "drop"], "--wait-lock goes with --resume"),
        ):
            with self.subTest(text):
                self.assert_refuses(self.score(*arguments), text)

    def test_an_output_that_is_no_file(self):
        os.mkfifo(self.path("fifo"))
        self.assert_refuses(self.score("--resume", "-o", "fifo", "drop"), "fifo")
        self.need_device("/dev/null")
        self.assert_refuses(self.score("--resume", "-o", "/dev/null", "drop"), "/dev/null")
        with open(self.path("out"), "wb") as out:
            result = self.score("--resume", "-o", "/dev/stdout", "drop", stdout=out)
        self.assertEqual((2, b""), (result.code, self.read("out")), result)


class OneAtATime(ResumeTest):
    def test_a_second_run_ends_at_once_or_waits(self):
        self.write("a.png", png())
        first = self.start("--resume", "-o", "r.csv")
        while not os.path.exists(self.path("r.csv.skincheck")):
            time.sleep(0.01)
        first.feed("a.png\n")  # an open pipe: it goes on waiting
        second = self.resume("a.png")
        while b"another run is writing r.csv" not in second.stderr:  # it was faster than the first one's lock
            second = self.resume("a.png")
        self.assertEqual(0, second.code)
        waiting = self.start("--resume", "--wait-lock", "-o", "r.csv", "a.png", "a.png")
        self.assertIsNone(waiting.process.poll())
        self.assertEqual(0, first.finish().code)
        self.assertEqual(0, waiting.finish().code)
        self.assertEqual(2, len(self.rows()))

    def test_a_wait_can_be_interrupted(self):
        first = self.start("--resume", "-o", "r.csv")
        while not os.path.exists(self.path("r.csv.skincheck")):
            time.sleep(0.01)
        while b"another run" not in self.resume("x.png").stderr:
            pass
        waiting = self.start("--resume", "--wait-lock", "-o", "r.csv", "x.png")
        while not harness.catches(waiting.process.pid, signal.SIGTERM):
            time.sleep(0.01)
        waiting.process.send_signal(signal.SIGTERM)
        self.assertEqual(143, waiting.finish().code)
        first.finish()


class Settling(ResumeTest):
    def test_young_files_are_left_for_the_next_run(self):
        self.write("drop/new.png", png())
        os.utime(self.write("drop/old.png", png()), (1e9, 1e9))
        result = self.resume("--settle", "600", "drop")
        self.assert_ok(result)
        self.assertIn(b"1 image: 1 scored", result.stderr)
        self.assertIn(b"1 left for the next run", result.stderr)
        self.assertEqual(["drop/old.png"], [row["path"] for row in self.rows()])
        self.assert_ok(self.resume("drop"))
        self.assertEqual(["drop/old.png", "drop/new.png"], [row["path"] for row in self.rows()])

    def test_since(self):
        self.write("drop/new.png", png())
        os.utime(self.write("drop/old.png", png()), (1e9, 1e9))
        for time_, names in (
            ("2001-09-10", ["new"]),
            ("@1000000000", ["new", "old"]),
            ("2001-09-09T01:46:40Z", ["new", "old"]),
            ("2001-09-09 01:46:41Z", ["new"]),
        ):
            with self.subTest(time_):
                rows = csv_rows(self.score("--since", time_, "drop").stdout)
                self.assertEqual([f"drop/{name}.png" for name in names], [row["path"] for row in rows])
        said = self.score("--since", "2001-09-10", "drop").stderr
        self.assertRegex(said, rb"1 image: 1 scored .*, 0 failed; 1 older than --since; ")

    def test_since_is_local_time(self):
        os.utime(self.write("drop/old.png", png()), (1e9, 1e9))  # 01:46:40 UTC
        for time_, count in (("2001-09-09T10:46", 1), ("2001-09-09 10:47", 0), ("2001-09-09T10:46:40", 1),
                             ("2001-09-09 10:46:41", 0)):
            with self.subTest(time_):
                result = self.score("--since", time_, "drop", env={"TZ": "UTC-9"})
                self.assertEqual(count, len(csv_rows(result.stdout)), result)

    def test_since_takes_a_file_of_centuries_from_now(self):
        os.utime(self.write("drop/to-come.png", png()), (10_413_792_000, 10_413_792_000))  # the year 2300
        rows = csv_rows(self.score("--since", "2001-09-10", "drop").stdout)
        self.assertEqual(["drop/to-come.png"], [row["path"] for row in rows])

    def test_times_that_are_none(self):
        for text in ("yesterday", "2026-13-01", "2026-02-30", "2026-01-01T25:00", "@", "@-1", "@1e9", "2026-01-01x"):
            with self.subTest(text):
                self.assert_fails_with(self.score("--since", text, "drop"), 2, "--since", text)
        for text in ("-1", "x", "1e99", "nan"):
            with self.subTest(text):
                self.assert_fails_with(self.score(f"--settle={text}", "drop"), 2, "--settle", text)


class Interrupted(ResumeTest):
    def test_what_is_done_is_written_and_the_next_run_goes_on(self):
        self.write("drop/a.png", png(WHITE))
        self.write("drop/b.png", png(BLACK))
        running = self.start("--resume", "-o", "r.csv")
        running.feed("drop/a.png\n")
        while not self.journal_has_a_row():
            time.sleep(0.05)
            running.feed("drop/a.png\n")
        running.process.send_signal(signal.SIGTERM)
        result = running.finish(close=False)
        self.assertEqual(143, result.code)
        self.assertIn(b"the same command goes on from there", result.stderr)
        self.assertEqual({"drop/a.png": "0.777300"}, self.scores())
        self.assert_ok(self.resume("drop"))
        self.assertEqual({"drop/a.png": "0.777300", "drop/b.png": "0.148047"}, self.scores())


class Killed(ResumeTest):
    """In a series each run goes on where the one before was killed. SKINCHECK_TEST_KILLS is the number of kills.

    The images are so large that a run takes several seconds: the journal is written to disk once a second, and a run
    that is killed before that leaves nothing to go on from.
    """

    IMAGES = 500
    SIDE = 1000

    def test_the_output_is_that_of_an_undisturbed_run(self):
        kills = int(os.environ.get("SKINCHECK_TEST_KILLS", "50"))
        contents = ["no image", *(png(colour, self.SIDE + number, self.SIDE) for number, colour in enumerate(COLOURS))]
        for number in range(self.IMAGES):
            self.write(f"drop/{number:04}.png", contents[number % len(contents)])
        expected = self.score("drop").stdout
        begun = time.monotonic()
        self.resume("drop")
        whole = time.monotonic() - begun
        self.assertEqual(expected, self.read("r.csv"))
        chance = random.Random(6)
        killed, series, gone_on = 0, 0, 0
        while killed < kills:
            series += 1
            for name in ("r.csv", "r.csv.skincheck"):
                if os.path.exists(self.path(name)):
                    os.remove(self.path(name))
            while killed < kills and self.run_and_kill(chance.uniform(0, 0.8 * whole)):
                killed += 1
                if os.path.exists(self.path("r.csv")):
                    self.assertEqual(expected, self.read("r.csv"), f"after kill {killed}")
            last = self.resume("drop")
            self.assertEqual(1, last.code)
            self.assertEqual(expected, self.read("r.csv"), f"after kill {killed}")
            gone_on += b"kept from before" in last.stderr
        print(f"{killed} kills in {series} series, {gone_on} of which ended with rows kept from runs that were killed")
        # On a machine that is busy, all of them may have come before the journal's first second.
        for name in ("r.csv", "r.csv.skincheck"):
            os.remove(self.path(name))
        running = self.start("--resume", "-o", "r.csv", "drop")
        while not self.journal_has_a_row():
            self.assertIsNone(running.process.poll())
            time.sleep(0.01)
        running.process.kill()
        running.process.wait()
        self.assertIn(b"kept from before", self.resume("drop").stderr)
        self.assertEqual(expected, self.read("r.csv"))
        self.remove_temporary_files()

    def run_and_kill(self, seconds: float) -> bool:
        """Whether it was killed; false if it was done before."""
        process = subprocess.Popen(
            [EXECUTABLE, "--model", str(MODELS / "tiny-sigmoid"), "-q", "--resume", "-o", "r.csv", "drop"],
            cwd=self.folder,
            env=environment(),
        )
        try:
            process.wait(seconds)
            return False
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait() == -signal.SIGKILL

    def remove_temporary_files(self) -> None:
        """What a kill between the last write and the rename leaves is named as the man page says."""
        for name in self.listing():
            if name not in ("drop", "r.csv", "r.csv.skincheck"):
                self.assertRegex(name, r"\A\.r\.csv\.skincheck-[a-z0-9]{6}\Z|\Ar\.csv\.skincheck-journal\Z")


if __name__ == "__main__":
    harness.main()
