"""The scripts of examples/ do what they say, on the drawn images and on what else may lie in a folder."""

import base64
import fcntl
import json
import os
import pathlib
import re
import shlex
import shutil
import stat
import subprocess
import time
import unittest

import harness
from harness import EXECUTABLE, MODELS, PATIENCE, SOURCE, Result, SkincheckTest, csv_rows, environment, setting
from images import BLACK, WHITE, png

EXAMPLES = SOURCE / "examples"
DRAWN = sorted(os.listdir(EXAMPLES / "images"))
ODD_NAMES = [b"a, b.jpg", b'quote".jpg', b"line\nend.jpg", b"carriage\rreturn.jpg", b"no-utf8-\xff.jpg", b"-dash.jpg"]


class ExampleTest(SkincheckTest):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("models"))
        os.symlink(MODELS / "tiny-sigmoid", self.path("models/skincheck-resnet50"))
        os.mkdir(self.path("drop"))

    def example(self, script: str, *arguments: str, **options) -> Result:
        return self.run_here([EXAMPLES / script, *arguments], **options)

    def shell(self, command: str) -> Result:
        return self.run_here(["sh", "-c", command])

    def run_here(self, command: list, models: str = "models", **variables: str) -> Result:
        path = os.path.dirname(EXECUTABLE) + os.pathsep + os.environ["PATH"]
        variables = {"PATH": path, "SKINCHECK_MODEL_PATH": self.path(models), "HOME": self.folder, **variables}
        done = subprocess.run(command, cwd=self.folder, stdin=subprocess.DEVNULL, env=environment(**variables),
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


class Help(ExampleTest):
    def test_each_script_tells_what_it_is_for(self):
        for script in ("score-isic-dump", "cron-drop-folder", "parallel-shards", "pipe", "move-done", "slurm/submit"):
            for option in ("-h", "--help"):
                with self.subTest(script, option=option):
                    result = self.example(script, option)
                    self.assertEqual((0, b""), (result.code, result.stderr))
                    self.assertIn(f"\n    examples/{script} ".encode(), result.stdout)
                    self.assertEqual(["drop", "models"], self.listing())


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
        self.assertIn(b"status ok: 6\nstatus unsupported: 1\n", result.stdout)
        rows = csv_rows(self.read("out.sorted.csv"))
        self.assertCountEqual(csv_rows(self.read("out.csv")), rows)
        self.assertEqual(sorted(self.read("out.csv")), sorted(self.read("out.sorted.csv")))  # and quoted the same
        self.assertEqual({os.fsdecode(b"drop/" + name) for name in [*ODD_NAMES, b"bad.jpg"]}, {r["path"] for r in rows})
        self.assertEqual(("drop/bad.jpg", ""), (rows[-1]["path"], rows[-1]["malignancy"]))

    def test_where_the_sorted_rows_cannot_go_it_ends_with_one_line(self):
        self.put(b"a.jpg")
        os.mkdir(self.path("out.sorted.csv"))
        result = self.example("score-isic-dump", "drop", "out.csv")
        self.assertEqual((4, 2), (result.code, result.stderr.count(b"\n")), result)  # the first is skincheck's summary
        self.assertIn(b"\nscore-isic-dump: out.sorted.csv cannot be written: Is a directory\n", result.stderr)
        self.assertEqual(["drop", "models", "out.csv", "out.sorted.csv"], self.listing())
        result = self.example("score-isic-dump", "drop", "-")
        self.assertEqual((2, b""), result[:2])
        self.assertTrue(result.stderr.startswith(b"score-isic-dump: the results go into a file"), result)

    def test_the_sorted_rows_have_the_readers_of_the_rows(self):
        self.put(b"a.jpg")
        os.chmod(self.write("out.csv", ""), 0o600)
        self.assertEqual(0, self.example("score-isic-dump", "drop", "out.csv").code)
        self.assertEqual(0o600, stat.S_IMODE(os.stat(self.path("out.sorted.csv")).st_mode))

    def test_a_model_that_cannot_be_used_ends_it(self):
        result = self.example("score-isic-dump", models=self.unusable_model())
        self.assertEqual((3, b""), result[:2])
        self.assertFalse(os.path.exists(self.path("results.csv")))


class DropFolderTest(ExampleTest):
    """Files in it are an hour old, so that they have settled."""

    def put(self, name: bytes, drawn: str = "round.jpg", age: int = 3600) -> bytes:
        path = super().put(name, drawn)
        self.age(path, age)
        return path

    def put_bytes(self, name: str, data: bytes, age: int = 3600) -> bytes:
        path = os.fsencode(self.write(f"drop/{name}", data))
        self.age(path, age)
        return path

    @staticmethod
    def age(path: bytes, seconds: int) -> None:
        os.utime(path, (time.time() - seconds,) * 2)

    def cron(self, *arguments: str, **options) -> Result:
        return self.example("cron-drop-folder", "drop", "state", *arguments, **options)

    def rows(self, name: str = "state/results.jsonl") -> dict[bytes, dict]:
        """Each path's row; that a path has one row only is checked."""
        rows = [json.loads(line) for line in self.read(name).decode().splitlines()]
        paths = [base64.b64decode(r["path_base64"]) if "path_base64" in r else r["path"].encode() for r in rows]
        self.assertEqual(len(paths), len(set(paths)))
        return dict(zip(paths, rows))

    def statuses(self, name: str = "state/results.jsonl") -> dict[bytes, str]:
        return {path: row["status"] for path, row in self.rows(name).items()}


class Cron(DropFolderTest):
    def test_each_file_is_scored_once_whatever_its_name(self):
        first = [self.put(name) for name in ODD_NAMES]
        self.assertEqual(Result(0, b"", b""), self.cron())
        self.assertEqual(dict.fromkeys(first, "ok"), self.statuses())
        before = self.read("state/results.jsonl")
        self.assertEqual(Result(0, b"", b""), self.cron())
        self.assertEqual(before, self.read("state/results.jsonl"))
        second = self.put(b"later.jpg")
        self.assertEqual(Result(0, b"", b""), self.cron())
        self.assertEqual(dict.fromkeys([*first, second], "ok"), self.statuses())
        self.assertTrue(self.read("state/results.jsonl").startswith(before))
        self.assertEqual(0o700, stat.S_IMODE(os.stat(self.path("state")).st_mode))
        self.assertEqual(0o600, stat.S_IMODE(os.stat(self.path("state/results.jsonl")).st_mode))

    def test_a_file_that_may_still_be_copied_waits_and_one_that_has_grown_is_tried_again(self):
        whole = (EXAMPLES / "images" / "round.jpg").read_bytes()
        old = self.put_bytes("old.jpg", whole[:9000])
        young = self.put_bytes("young.jpg", whole[:9000], age=0)
        self.assertEqual(1, self.cron().code)
        self.assertEqual({old: "truncated"}, self.statuses())
        self.put_bytes("old.jpg", whole, age=1800)
        self.put_bytes("young.jpg", whole, age=1800)
        self.assertEqual(Result(0, b"", b""), self.cron())
        self.assertEqual({old: "ok", young: "ok"}, self.statuses())

    def test_the_row_of_a_file_that_went_away_stays(self):
        gone, there = self.put(b"a.jpg"), self.put(b"b.jpg")
        self.assertEqual(0, self.cron().code)
        os.remove(gone)
        self.assertEqual(Result(0, b"", b""), self.cron())
        self.assertEqual({gone: "ok", there: "ok"}, self.statuses())

    def test_a_run_that_fails_marks_nothing_as_done(self):
        path = self.put(b"a.jpg")
        result = self.cron(models=self.unusable_model())
        self.assertEqual(3, result.code)
        self.assertIn(b"error: ", result.stderr)
        self.assertFalse(os.path.exists(self.path("state/results.jsonl")))
        self.assertEqual(Result(0, b"", b""), self.cron())
        self.assertEqual({path: "ok"}, self.statuses())

    def test_a_second_run_keeps_out(self):
        self.put(b"a.jpg")
        os.mkdir(self.path("state"))
        for lock, arguments in (("results.jsonl.skincheck", []), ("lock", ["done", "failed"])):
            with open(self.path(f"state/{lock}"), "w") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                self.assertEqual(Result(0, b"", b""), self.cron(*arguments))
            self.assertFalse(os.path.exists(self.path("state/results.jsonl")))
            self.assertEqual([b"a.jpg"], os.listdir(os.fsencode(self.path("drop"))))

    @unittest.skipIf(shutil.which("jq") is None, "jq is not installed")
    def test_nothing_is_moved_on_the_word_of_an_older_run(self):
        path = self.put(b"a.jpg")
        self.assertEqual(0, self.cron().code)
        os.remove(path)
        self.put(b"a.jpg", "hairs.jpg", age=7200)  # an upload under the old name
        with open(self.path("state/results.jsonl.skincheck"), "r") as journal:  # as a skincheck started elsewhere does
            fcntl.flock(journal, fcntl.LOCK_EX)
            command = [EXAMPLES / "cron-drop-folder", "drop", "state", "done", "failed"]
            variables = {"PATH": os.path.dirname(EXECUTABLE) + os.pathsep + os.environ["PATH"],
                         "SKINCHECK_MODEL_PATH": self.path("models"), "HOME": self.folder}
            with subprocess.Popen(command, cwd=self.folder, env=environment(**variables)) as waiting:
                time.sleep(2)
                self.assertIsNone(waiting.poll())
                self.assertEqual(["a.jpg"], self.listing("drop"))
                fcntl.flock(journal, fcntl.LOCK_UN)
                self.assertEqual(0, waiting.wait(PATIENCE))
        self.assertEqual((["a.jpg"], []), (self.listing("done"), self.listing("drop")))
        expected = json.loads(self.score("--format", "jsonl", "done/a.jpg").stdout)
        self.assertEqual(expected["malignancy"], self.rows()[path]["malignancy"])

    @unittest.skipIf(shutil.which("jq") is None, "jq is not installed")
    def test_what_may_still_be_on_its_way_is_given_a_day(self):
        self.put_bytes("cut.jpg", (EXAMPLES / "images/round.jpg").read_bytes()[:9000])
        self.assertEqual(1, self.cron("done", "failed").code)
        self.assertEqual(["cut.jpg"], self.listing("drop"))
        self.assertEqual(1, self.cron("done", "failed", GIVE_UP="0").code)
        self.assertEqual((["cut.jpg"], []), (self.listing("failed"), self.listing("drop")))

    def test_folders_inside_the_drop_folder_are_refused(self):
        self.put(b"a.jpg")
        for arguments in (["drop/state"], ["state", "drop/done", "failed"], ["state", "done", "./drop/../drop/failed"],
                          ["state", "drop", "failed"]):
            with self.subTest(arguments):
                result = self.example("cron-drop-folder", "drop", *arguments)
                self.assertEqual((2, b""), result[:2])
                self.assertIn(b" lies in ", result.stderr)
                self.assertEqual(["a.jpg"], self.listing("drop"))

    def test_a_drop_folder_that_cannot_be_listed_is_told(self):
        result = self.example("cron-drop-folder", "nowhere", "state")
        self.assertEqual(Result(4, b"", b"cron-drop-folder: nowhere: no such folder, or no permission to enter it\n"), result)
        os.chmod(self.path("drop"), 0o300)
        self.addCleanup(os.chmod, self.path("drop"), 0o700)
        if os.access(self.path("drop"), os.R_OK):
            self.skipTest("this user may read all")
        result = self.cron()
        self.assertEqual((4, b""), result[:2])
        self.assertIn(b"no permission to list it", result.stderr)

    @unittest.skipIf(shutil.which("jq") is None, "jq is not installed")
    def test_what_was_tried_is_moved_and_keeps_its_row(self):
        good, bad = self.put(b"a.jpg"), self.put_bytes("bad.jpg", b"no image")
        young = self.put(b"young.jpg", age=0)
        self.assertEqual(Result(1, b"", b""), self.cron("done", "failed", GIVE_UP="0"))
        self.assertEqual((["a.jpg"], ["bad.jpg"]), (self.listing("done"), self.listing("failed")))
        self.assertEqual(["young.jpg"], self.listing("drop"))
        self.age(young, 1800)
        self.assertEqual(Result(0, b"", b""), self.cron("done", "failed"))
        self.assertEqual({good: "ok", bad: "unsupported", young: "ok"}, self.statuses())
        self.assertEqual([], self.listing("drop"))

    def test_a_folder_for_what_was_scored_without_one_for_the_rest_is_refused(self):
        self.put(b"a.jpg")
        result = self.cron("done")
        self.assertEqual((2, b""), result[:2])
        self.assertTrue(result.stderr.startswith(b"usage: examples/cron-drop-folder "), result.stderr)
        self.assertEqual((["a.jpg"], False), (self.listing("drop"), os.path.exists(self.path("state"))))

    def test_the_drop_folder_is_the_one_below_the_current_folder(self):
        path = self.put(b"a.jpg")
        self.write("elsewhere/drop/b.jpg", "no image")
        self.assertEqual(Result(0, b"", b""), self.cron(CDPATH=self.path("elsewhere")))
        self.assertEqual({path: "ok"}, self.statuses())

    def test_the_line_in_crontab_does_the_same(self):
        line, = [line for line in (EXAMPLES / "crontab").read_text().splitlines() if line.startswith("*")]
        path = self.put(b"a.jpg")
        os.mkdir(self.path("state"))
        command = line.split(None, 5)[5].replace("/var/lib/skincheck", self.path("state"))
        command = command.replace("/srv/drop", self.path("drop")).replace("skincheck --", f"{EXECUTABLE} --")
        done = self.shell(command)
        self.assertEqual(Result(0, b"", b""), done)
        self.assertEqual({path: "ok"}, self.statuses())
        os.rename(self.path("drop"), self.path("away"))
        done = self.shell(command)
        self.assertNotEqual((0, b""), (done.code, done.stderr))
        self.assertEqual({path: "ok"}, self.statuses())


class Systemd(DropFolderTest):
    SERVICE = (EXAMPLES / "skincheck-drop.service").read_text()

    def test_its_files_are_in_order(self):
        if shutil.which("systemd-analyze") is None:
            self.skipTest("systemd-analyze is not installed")
        self.write("units/skincheck-drop.service", self.SERVICE.replace("=skincheck ", f"={EXECUTABLE} "))
        shutil.copy(EXAMPLES / "skincheck-drop.timer", self.path("units"))
        units = [self.path(f"units/{name}") for name in self.listing("units")]
        result = self.shell(shlex.join(["systemd-analyze", "--man=no", "verify", *units]))
        if b"Failed to" in result.stderr and b"skincheck" not in result.stderr:
            self.skipTest(f"systemd-analyze does not work here: {result.stderr.decode()}")
        self.assertEqual(Result(0, b"", b""), result)

    def test_what_the_service_starts_scores_the_drop_folder(self):
        command, = [line[len("ExecStart="):] for line in self.SERVICE.splitlines() if line.startswith("ExecStart=")]
        command = command.replace("skincheck ", f"{EXECUTABLE} ", 1).replace("%S", self.path("state"))
        command = command.replace("/srv/drop", self.path("drop"))
        os.makedirs(self.path("state/skincheck"))
        good, bad = self.put(b"a.jpg"), self.put_bytes("bad.jpg", b"no image")
        result = self.shell(command)
        self.assertEqual(1, result.code)
        self.assertIn("SuccessExitStatus=1 143", self.SERVICE)
        self.assertIn(b"2 images: 1 scored", result.stderr)
        self.assertEqual({good: "ok", bad: "unsupported"}, self.statuses("state/skincheck/results.jsonl"))


class MoveDone(DropFolderTest):
    def setUp(self):
        super().setUp()
        if shutil.which("jq") is None:
            self.skipTest("jq is not installed")

    def score_drop(self, **options) -> None:
        self.assertLessEqual(self.score("--format", "jsonl", "--output", "results.jsonl", "drop", **options).code, 1)

    def move(self, *more: str) -> Result:
        return self.example("move-done", "drop", "results.jsonl", "done", "failed", *more, GIVE_UP="0")

    def contents(self, folder: str) -> dict[bytes, bytes]:
        top = os.fsencode(self.path(folder))
        files = [os.path.join(path, name) for path, _, names in os.walk(top) for name in names]
        return {os.path.relpath(path, top): pathlib.Path(os.fsdecode(path)).read_bytes() for path in files}

    def test_all_names_arrive_below_the_same_folders(self):
        os.makedirs(self.path("drop/-sub dir"))
        names = [*ODD_NAMES, b"two  spaces .jpg", b"quote'.jpg", b"$(touch x) `y`.jpg", b"\\n.jpg",
                 b"-sub dir/-n.jpg", b"\n.jpg"]
        for name in names:
            self.put(name)
        self.put_bytes("bad\n.jpg", b"no image")
        os.makedirs(self.path("drop/fifos"))
        os.mkfifo(self.path("drop/fifos/pipe.jpg"))
        before = self.contents_but_fifo()
        self.score_drop()
        self.assertEqual(Result(0, b"", b""), self.move())
        self.assertEqual(set(names), set(self.contents("done")))
        self.assertEqual({b"bad\n.jpg"}, set(self.contents("failed")))
        self.assertEqual(before, {**self.contents("done"), **self.contents("failed")})
        self.assertEqual(["pipe.jpg"], self.listing("drop/fifos"))
        self.assertEqual(Result(0, b"", b""), self.move())
        self.assertEqual(set(names), set(self.contents("done")))

    def contents_but_fifo(self) -> dict[bytes, bytes]:
        os.rename(self.path("drop/fifos"), self.path("aside"))
        found = self.contents("drop")
        os.rename(self.path("aside"), self.path("drop/fifos"))
        return found

    def test_nothing_is_overwritten(self):
        self.put(b"a.jpg")
        self.put(b"b.jpg")
        self.write("drop/bad.jpg", "no image")
        self.age(os.fsencode(self.path("drop/bad.jpg")), 3600)
        self.write("done/a.jpg", "of yesterday")
        self.write("failed/bad.jpg/file", "a folder of that name")
        self.score_drop()
        result = self.move()
        self.assertEqual(1, result.code)
        self.assertIn(b"drop/a.jpg stays: ", result.stderr)
        self.assertIn(b"drop/bad.jpg stays: ", result.stderr)
        self.assertEqual(b"of yesterday", self.read("done/a.jpg"))
        self.assertEqual((["a.jpg", "bad.jpg"], ["a.jpg", "b.jpg"]), (self.listing("drop"), self.listing("done")))
        self.assertEqual(["file"], self.listing("failed/bad.jpg"))

    def test_what_changed_after_the_run_began_stays(self):
        path = self.put(b"a.jpg")
        self.age(os.fsencode(self.write("begun", "")), 60)
        self.age(path, 30)
        self.score_drop()
        self.assertEqual(Result(0, b"", b""), self.move("begun"))  # the next run takes it
        self.assertEqual(["a.jpg"], self.listing("drop"))
        self.age(os.fsencode(self.path("results.jsonl")), 60)
        result = self.move()
        self.assertEqual(1, result.code)
        self.assertIn(b"drop/a.jpg stays: it may have changed", result.stderr)
        self.assertEqual(["a.jpg"], self.listing("drop"))

    def test_what_took_the_place_of_a_scored_file_stays_though_it_is_older(self):
        self.put(b"a.jpg")
        kept = self.put(b"b.jpg")
        self.age(os.fsencode(self.write("begun", "")), 60)
        self.score_drop()
        self.write("other.jpg", "not scored")
        self.age(os.fsencode(self.path("other.jpg")), 7200)
        os.rename(self.path("other.jpg"), kept)
        self.assertEqual(Result(0, b"", b""), self.move("begun"))
        self.assertEqual((["a.jpg"], ["b.jpg"]), (self.listing("done"), self.listing("drop")))

    def test_what_the_network_has_no_number_for_will_not_get_better(self):
        for name, colour in (("black.png", BLACK), ("white.png", WHITE)):
            self.put_bytes(name, png(colour))
        self.score_drop(model="tiny-nan")
        self.assertEqual(["model_error", "ok"], sorted(self.statuses("results.jsonl").values()))
        self.assertEqual(Result(0, b"", b""), self.move())
        self.assertEqual((["black.png"], ["white.png"]), (self.listing("done"), self.listing("failed")))

    def test_results_that_are_not_there_are_told(self):
        self.put(b"a.jpg")
        result = self.example("move-done", "drop", "gone.jsonl", "done", "failed")
        self.assertEqual(Result(4, b"", b"move-done: gone.jsonl: no such file, or no permission to read it\n"), result)

    def test_the_folders_may_be_named_by_way_of_others(self):
        self.put(b"a.jpg")
        self.put_bytes("bad.jpg", b"no image")
        self.score_drop()
        result = self.example("move-done", "drop", "results.jsonl", "drop/../done", "drop/../failed", GIVE_UP="0")
        self.assertEqual(Result(0, b"", b""), result)
        self.assertEqual((["a.jpg"], ["bad.jpg"]), (self.listing("done"), self.listing("failed")))

    def test_a_folder_inside_the_drop_folder_is_refused(self):
        self.put(b"a.jpg")
        self.score_drop()
        for done, failed in (("drop/done", "failed"), ("done", self.path("drop"))):
            result = self.example("move-done", "drop/", "results.jsonl", done, failed)
            self.assertEqual((2, b""), result[:2])
            self.assertIn(b"lies in drop/, where", result.stderr)
            self.assertEqual(["a.jpg"], self.listing("drop"))

    def test_a_move_that_was_cut_before_its_last_step_is_ended(self):
        whole = self.put(b"whole.jpg")
        os.mkdir(self.path("done"))
        shutil.copy2(whole, os.fsencode(self.path("done/whole.jpg")))
        self.score_drop()
        self.assertEqual(Result(0, b"", b""), self.move())
        self.assertEqual((["whole.jpg"], []), (self.listing("done"), self.listing("drop")))

    def test_a_clock_that_is_ahead_keeps_nothing_back(self):
        self.put(b"a.jpg", age=-86400)
        self.age(os.fsencode(self.write("begun", "")), 60)
        self.score_drop()
        self.assertEqual(Result(0, b"", b""), self.move("begun"))
        self.assertEqual((["a.jpg"], []), (self.listing("done"), self.listing("drop")))

    STAT = """#!/bin/sh
case $* in *%d*) exec echo "$*" ;; esac
exec /usr/bin/stat "$@"
"""

    def move_elsewhere(self, **commands: str) -> Result:
        """To another file system, as `stat` says; `commands` are run in place of others of these names."""
        for name, text in {"stat": self.STAT, **commands}.items():
            os.chmod(self.write(f"bin/{name}", text), 0o700)
        path = os.pathsep.join([self.path("bin"), os.path.dirname(EXECUTABLE), os.environ["PATH"]])
        return self.example("move-done", "drop", "results.jsonl", "done", "failed", PATH=path)

    def test_what_comes_under_the_name_of_what_is_copied_stays(self):
        self.put(b"a.jpg")
        self.write("new", "not scored")
        self.score_drop()
        sync = "#!/bin/sh\n[ ! -e new ] || mv new drop/a.jpg\nexec /bin/sync \"$@\"\n"
        result = self.move_elsewhere(sync=sync)
        self.assertEqual(1, result.code)
        self.assertIn(b"drop/a.jpg stays: ", result.stderr)
        self.assertEqual((b"not scored", []), (self.read("drop/a.jpg"), self.listing("done")))

    def test_a_copy_that_fails_leaves_nothing(self):
        self.put(b"a.jpg")
        self.score_drop()
        for copy in ("for to; do :; done; echo half >\"$to\"; exit 1", "exit 1"):
            with self.subTest(copy):
                result = self.move_elsewhere(cp=f"#!/bin/sh\n{copy}\n")
                self.assertEqual(1, result.code)
                self.assertIn(b"drop/a.jpg stays: it cannot be moved to done", result.stderr)
                self.assertEqual((["a.jpg"], []), (self.listing("drop"), self.listing("done")))

    def test_what_cannot_be_removed_is_told_each_time(self):
        self.put(b"a.jpg")
        self.score_drop()
        for _ in range(2):
            result = self.move_elsewhere(rm="#!/bin/sh\ncase $* in *drop/*) exit 1 ;; esac\nexec /bin/rm \"$@\"\n")
            self.assertEqual(1, result.code)
            self.assertIn(b"drop/a.jpg stays: ", result.stderr)
            self.assertEqual((["a.jpg"], ["a.jpg"]), (self.listing("drop"), self.listing("done")))

    def test_to_another_file_system_nothing_goes_under_its_name_by_halves(self):
        self.put(b"a.jpg")
        os.symlink("../other", self.path("drop/link.jpg"))
        self.put_bytes("../other", (EXAMPLES / "images/round.jpg").read_bytes())
        before = self.contents("drop")
        self.score_drop()
        self.write("done/.move-done-" + subprocess.run(["cksum"], input=b"drop/", capture_output=True, check=True)
                   .stdout.decode().replace(" ", "").strip(), "of a run that was killed")
        result = self.move_elsewhere(sync="#!/bin/sh\nls -A done >>synced\nexec /bin/sync \"$@\"\n")
        self.assertEqual(Result(0, b"", b""), result)
        self.assertEqual((["a.jpg", "link.jpg"], []), (self.listing("done"), self.listing("drop")))
        self.assertEqual(before, self.contents("done"))
        self.assertTrue(os.path.islink(self.path("done/link.jpg")))
        self.assertTrue(self.read("synced").startswith(b".move-done-"), self.read("synced"))

    def test_only_what_lies_in_the_drop_folder_is_moved(self):
        self.put(b"a.jpg")
        for name in ("beside.jpg", "dropped/c.jpg"):
            shutil.copyfile(EXAMPLES / "images/round.jpg", self.write(name, ""))
            self.age(os.fsencode(self.path(name)), 3600)
        self.score("--format", "jsonl", "-o", "results.jsonl", "drop", "drop/../beside.jpg", "dropped", "beside.jpg")
        self.assertEqual(Result(0, b"", b""), self.move())
        self.assertEqual({b"a.jpg"}, set(self.contents("done")))
        self.assertEqual((["c.jpg"], True), (self.listing("dropped"), os.path.exists(self.path("beside.jpg"))))

    def test_between_two_mounts_of_one_file_system_a_file_is_copied_with_care(self):
        self.put(b"a.jpg")
        os.mkdir(self.path("done"))
        self.score_drop()
        os.chmod(self.write("bin/sync", "#!/bin/sh\nls -A done >>synced\nexec /bin/sync \"$@\"\n"), 0o700)
        mounted = 'mount --bind drop drop && mount --bind done done && PATH=$PWD/bin:$PATH exec "$@"'
        command = ["unshare", "--map-root-user", "--mount", "sh", "-c", mounted, "sh"]
        if self.run_here([*command, "true"]).code != 0:
            self.skipTest("nothing may be mounted here")
        result = self.run_here([*command, EXAMPLES / "move-done", "drop", "results.jsonl", "done", "failed"])
        self.assertEqual(Result(0, b"", b""), result)
        self.assertEqual((["a.jpg"], []), (self.listing("done"), self.listing("drop")))
        self.assertTrue(self.read("synced").startswith(b".move-done-"), self.read("synced"))

    def test_folders_and_what_lies_elsewhere_by_a_link_stay(self):
        for name in (b"a.jpg", b"b.jpg"):
            self.put(name)
        self.put_bytes("sub/c.jpg", (EXAMPLES / "images/round.jpg").read_bytes())
        self.score_drop()
        os.remove(self.path("drop/b.jpg"))
        self.put_bytes("b.jpg/new.jpg", b"not scored")
        os.rename(self.path("drop/sub"), self.path("archive"))
        os.symlink("../archive", self.path("drop/sub"))
        os.utime(self.path("drop/b.jpg"), (0, 0))
        self.write("begun", "")
        self.assertEqual(Result(0, b"", b""), self.move("begun"))
        self.assertEqual({b"a.jpg"}, set(self.contents("done")))
        self.assertEqual((["new.jpg"], ["c.jpg"]), (self.listing("drop/b.jpg"), self.listing("archive")))

    def test_results_that_end_early_are_told(self):
        self.put(b"a.jpg")
        self.score_drop()
        self.write("results.jsonl", self.read("results.jsonl")[:-20])
        result = self.move()
        self.assertEqual(1, result.code)
        self.assertIn(b"parse error", result.stderr)
        self.assertEqual(["a.jpg"], self.listing("drop"))


class ShardsTest(DropFolderTest):
    def setUp(self):
        super().setUp()
        for name in [*ODD_NAMES, b"c.jpg", b"d.jpg"]:
            self.put(name)

    def whole(self, *arguments: str) -> bytes:
        return self.score(*arguments, self.path("drop")).stdout

    def check_endings(self, shards) -> None:
        """`shards` gets RESULTS and SHARDS. The parts get the ending of RESULTS, and csv if it has none."""
        os.mkdir(self.path("version 1.0"))
        for name, ending in (("out", "csv"), ("version 1.0/out", "csv"), ("version 1.0/out.json", "json")):
            with self.subTest(name):
                result = shards(name, "2")
                self.assertEqual(0, result.code, result)
                self.assertEqual(self.whole("--format", ending), self.read(name))
                self.assertIn(f"2-of-2.{ending}", self.listing(f"{name}.parts"))


class Slurm(ShardsTest):
    """Without a Slurm: `slurm_localhost` beside this file starts one."""

    SBATCH = """#!/usr/bin/env bash
tasks=1
while [[ $1 == -* ]]; do
    [[ $1 != --array=* ]] || tasks=${1##*-}
    shift
done
for ((i = 1; i <= tasks; i++)); do SLURM_ARRAY_TASK_ID=$i "$@" >&2 || exit; done
echo 17
"""

    def test_the_parts_make_the_output_of_one_run_whatever_its_ending(self):
        os.chmod(self.write("bin/sbatch", self.SBATCH), 0o700)
        path = os.pathsep.join([self.path("bin"), os.path.dirname(EXECUTABLE), os.environ["PATH"]])
        self.check_endings(lambda *arguments: self.example("slurm/submit", "drop", *arguments, PATH=path))


class Parallel(ShardsTest):
    def setUp(self):
        super().setUp()
        if shutil.which("parallel") is None:
            self.skipTest("GNU parallel is not installed")

    def shards(self, *arguments: str) -> Result:
        return self.example("parallel-shards", "drop", *arguments)

    def test_results_may_have_any_ending_or_none(self):
        self.check_endings(self.shards)

    def test_the_parts_make_the_output_of_one_run(self):
        for count in ("1", "3", "12"):
            result = self.shards(f"it's {count}.csv", count)
            self.assertEqual((0, b""), result[:2], result)
            self.assertEqual(self.whole(), self.read(f"it's {count}.csv"))
        self.assertEqual(0, self.shards("out.json", "2").code)
        self.assertEqual(self.whole("--format", "json"), self.read("out.json"))

    def test_a_folder_that_is_not_there_is_told(self):
        result = self.example("parallel-shards", "nowhere")
        self.assertEqual(Result(4, b"", b"parallel-shards: nowhere: no such folder, or no permission to enter it\n"), result)

    def test_images_without_a_score_are_merged_and_told(self):
        self.put_bytes("bad.jpg", b"no image")
        self.assertEqual(1, self.shards("out.csv", "3").code)
        self.assertEqual(self.whole(), self.read("out.csv"))

    def test_a_shard_that_fails_means_no_merge_and_the_same_command_goes_on(self):
        os.makedirs(self.path("out.csv.parts/2-of-3.csv"))
        result = self.shards("out.csv", "3")
        self.assertEqual(3, result.code)
        self.assertIn(b"a shard failed, so nothing is merged", result.stderr)
        self.assertFalse(os.path.exists(self.path("out.csv")))
        os.rmdir(self.path("out.csv.parts/2-of-3.csv"))
        self.assertEqual(0, self.shards("out.csv", "3").code)
        self.assertEqual(self.whole(), self.read("out.csv"))

    def test_jobs_may_go_to_other_machines(self):
        # What ssh does with its words, without another machine: ssh [OPTION...] HOST [--] COMMAND...
        far = self.write("ssh", '#!/bin/sh\nwhile [ "$1" != elsewhere ]; do shift; done\nshift\n[ "$1" != -- ] || shift\n'
                                'echo used >>"${0%/*}/used"\nexec sh -c "$*"\n')
        os.chmod(far, 0o700)
        result = self.shards("out.csv", "2", "--ssh", far, "--sshlogin", "2/elsewhere")
        self.assertEqual(0, result.code, result)
        self.assertEqual(self.whole(), self.read("out.csv"))
        self.assertTrue(self.read("used"))


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

    def test_it_finds_images_of_every_kind_and_links_to_them(self):
        if shutil.which("jq") is None:
            self.skipTest("jq is not installed")
        self.write("-f/dark.png", png(WHITE))
        self.write("-f/DARK.PNG", png(WHITE))
        self.write(b"-f/m\xe9l.png", png(WHITE))
        os.symlink("dark.png", self.path("-f/link.png"))
        rows = csv_rows(self.score("./-f").stdout)
        self.assertEqual({"malignant"}, {row["label"] for row in rows})
        result = self.example("pipe", "-f")
        self.assertEqual(0, result.code, result.stderr)
        paths = [line.split("\t")[1] for line in result.stdout.decode().splitlines()]
        said = [os.fsencode(row["path"]).decode(errors="replace") for row in rows]  # jq has no other bytes
        self.assertCountEqual(said, paths)

    def test_the_folder_may_be_a_link_or_have_a_name_that_is_a_word_of_find(self):
        if shutil.which("jq") is None:
            self.skipTest("jq is not installed")
        os.symlink("images", self.path("link"))
        for folder in ("images", "!", "("):
            self.write(f"{folder}/a.png", png(WHITE))
        for folder, path in (("link", "link/a.png"), ("!", "./!/a.png"), ("(", "./(/a.png")):
            result = self.example("pipe", folder)
            self.assertEqual((0, path), (result.code, result.stdout.decode().split("\t")[-1].strip()), result)


class Arguments(ExampleTest):
    def test_an_empty_argument_is_refused(self):
        """As a variable that is not set gives: the default must not take its place."""
        for script, *arguments in (["score-isic-dump", ""], ["cron-drop-folder", ""], ["parallel-shards", ""],
                                   ["cron-drop-folder", "drop", "state", "", "failed"], ["slurm/submit", "drop", ""],
                                   ["move-done", "drop", "results.jsonl", "", "failed"], ["pipe", ""]):
            with self.subTest(script, arguments=arguments):
                result = self.example(script, *arguments)
                self.assertEqual((2, b""), result[:2], result)
                self.assertIn(b"empty", result.stderr)
                self.assertEqual(["drop", "models"], self.listing("."))


    def test_shards_are_a_number(self):
        for script in ("parallel-shards", "slurm/submit"):
            if script == "parallel-shards" and shutil.which("parallel") is None:
                continue
            for shards in ("0", "1.5", "abc", "-1"):
                with self.subTest(script, shards=shards):
                    result = self.example(script, "drop", "out.csv", shards)
                    self.assertEqual((2, b""), result[:2], result)
                    self.assertIn(b"SHARDS is a number from 1", result.stderr)
                    self.assertEqual(["drop", "models"], self.listing("."))


class Folders(ExampleTest):
    # From the start of a script to where it asks for the folder that it lies in.
    START = re.compile(rb'#!/usr/bin/env bash\n.*?cd "\$\(dirname "\$\{BASH_SOURCE\[0\]\}"\)[^\n]*\n', re.DOTALL)
    PLACES = ("examples/*", "examples/slurm/*", "scripts/*", "tests/examples/*", "tests/gpu/*", ".ci/*")

    def test_every_script_finds_its_own_whatever_cdpath_says(self):
        files = [path for place in self.PLACES for path in sorted(SOURCE.glob(place)) if path.is_file()]
        starts = {path.relative_to(SOURCE): self.START.match(path.read_bytes()) for path in files}
        scripts = {str(name): start[0] for name, start in starts.items() if start}
        self.assertLessEqual({"examples/pipe", "examples/slurm/submit", "scripts/test"}, set(scripts))
        for name, start in scripts.items():
            with self.subTest(name):
                self.write(name, start + b'printf "%s\\n" "${here:-${source:-$PWD}}"\n')
                os.makedirs(self.path(f"elsewhere/{os.path.dirname(name)}"), exist_ok=True)
                found = self.run_here(["bash", name])
                places = (self.folder, os.path.dirname(self.path(name)))
                self.assertIn(os.fsdecode(found.stdout), [f"{place}\n" for place in places])
                self.assertEqual(found, self.run_here(["bash", name], CDPATH=self.path("elsewhere")))
                self.assertEqual(found, self.run_here(["bash", name], CDPATH=self.folder))


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
