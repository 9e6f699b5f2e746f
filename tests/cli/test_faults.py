"""What surrounds a run fails: disks, folders, pipes, the clock, limits.

It ends as skincheck(1) says, with what was finished or with what was there before, and with one line that says why.
"""

import os
import resource
import shutil
import signal
import subprocess
import time
import zlib

import harness
from harness import EXECUTABLE, HEADER, MODELS, SOURCE, SkincheckTest, csv_rows, row
from images import BLACK, GREY, SCORES, WHITE, chunk, png, png_header

SOME_FAILED, UNUSABLE, OUTPUT_FAILED = 1, 3, 4


class OwnDisk(SkincheckTest):
    """The folder `disk` is a file system of its own, which only the command and what it starts can see."""

    def setUp(self):
        super().setUp()
        self.write("a.png", png())
        os.mkdir(self.path("disk"))
        self.namespace = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
        if shutil.which("unshare") is None:
            self.skipTest("there is no unshare here")
        if self.on_disk("64k", "true", "").returncode != 0:
            self.skipTest("nothing may be mounted here")

    def on_disk(self, size: str, before: str, after: str, *arguments: str) -> subprocess.CompletedProcess:
        """Runs skincheck between two pieces of shell; its exit code is the last line of standard error."""
        run = '"$@"; echo $? >&2' if arguments else ":"
        script = f"mount -t tmpfs -o size={size} tmpfs disk && {{ {before}\n}} && {{ {run}\n{after}\n}}"
        command = [*self.namespace, "sh", "-c", script, "sh"]
        if arguments:
            command += [EXECUTABLE, *arguments[:1], "--model", str(MODELS / "tiny-sigmoid"), *arguments[1:]]
        return subprocess.run(
            command, cwd=self.folder, env=harness.environment(), capture_output=True, text=True, check=False
        )

    def assert_output_failed(self, done, *texts: str) -> None:
        self.assertRegex(done.stderr, r"\Askincheck: error: [^\n]+\n4\n\Z")
        for text in texts:
            self.assertIn(text, done.stderr)

    def test_a_full_disk_keeps_the_file_of_before_and_leaves_nothing_beside_it(self):
        see = "cat disk/r.csv; echo; ls -A disk"
        for format_ in ("csv", "jsonl", "json"):
            with self.subTest(format_):
                options = ["-q", "--format", format_, "-o", "disk/r.csv", *["a.png"] * 600]
                done = self.on_disk("16k", "printf old >disk/r.csv", see, *options)
                self.assert_output_failed(done, "disk/r.csv", "No space left", "make room")
                self.assertEqual("old\nr.csv\n", done.stdout)

    def test_a_full_disk_behind_standard_output_keeps_what_fitted(self):
        done = self.on_disk("16k", "exec 3>&1 >disk/r.csv", "cat disk/r.csv >&3", "-q", *["a.png"] * 600)
        self.assert_output_failed(done, "standard output", "No space left")
        whole = HEADER + row("a.png", SCORES[WHITE], "malignant") * 600
        self.assertGreater(len(done.stdout), 4096)
        self.assertTrue(whole.startswith(done.stdout))

    def test_a_full_disk_of_the_map_of_paths_costs_no_finished_row(self):
        self.write("key", "x" * 32)
        names = [f"{'n' * 200}{number:03}.png" for number in range(100)]
        for name in names:
            self.write(name, png())
        options = ["-q", "-j", "1", "--anonymise-paths", "key", "--path-map", "disk/map.csv", "-o", "r.csv"]
        done = self.on_disk("8k", "true", "", *options, *names)
        self.assert_output_failed(done, "disk/map.csv", "No space left")
        rows = csv_rows(self.read("r.csv"))
        self.assertTrue(10 < len(rows) < 100, len(rows))
        self.assertEqual({"ok"}, {row["status"] for row in rows})

    def test_a_disk_that_is_full_at_once(self):
        fill = "head -c 100000 /dev/zero 2>/dev/null >disk/zeros; true"
        done = self.on_disk("16k", fill, "ls -A disk", "-q", "-o", "disk/r.csv", "a.png")
        self.assert_output_failed(done, "disk/r.csv", "No space left")
        self.assertEqual("zeros\n", done.stdout)

    def test_preprocess_ends_on_a_full_disk_and_leaves_no_half_picture(self):
        for number in range(40):
            self.write(f"drop/{number:02}.png", png())
        see = "cd disk/drop; cksum *; cd ../..; rm -r disk/drop; exec ls -A disk"
        done = self.on_disk("64k", "true", see, "preprocess", "-q", "--output", "disk", "drop")
        self.assert_output_failed(done, "disk/drop/", "No space left")
        rows = [line for line in done.stdout.splitlines() if ",ok," in line]
        written = [line.split() for line in done.stdout.splitlines() if line.endswith(".png.png")]
        self.assertEqual(1, len({check_sum for check_sum, _, _ in written}))  # all whole, for all are equal
        names = [name for _, _, name in written]
        for line in rows:
            self.assertIn(os.path.basename(line.split(",")[2]), names)
        self.assertEqual(len(done.stdout.splitlines()), 1 + len(rows) + len(written))

    def test_a_disk_that_is_read_only(self):
        before = "printf old >disk/r.csv && mount -o remount,bind,ro disk"
        for options in (["-q", "-o", "disk/r.csv"], ["-q", "-o", "disk/new.csv"]):
            with self.subTest(options):
                done = self.on_disk("64k", before, "ls -A disk; cat disk/r.csv", *options, "a.png")
                self.assert_output_failed(done, "disk/", "Read-only file system", "another folder")
                self.assertEqual("r.csv\nold", done.stdout)
        done = self.on_disk("64k", before, "ls -A disk", "preprocess", "-q", "--output", "disk", "a.png")
        self.assert_output_failed(done, "disk", "Read-only file system")
        self.assertEqual("r.csv\n", done.stdout)


class VanishingFolder(SkincheckTest):
    def setUp(self):
        super().setUp()
        self.write("a.png", png())
        os.mkdir(self.path("out"))

    def test_the_output_folder_is_removed_under_way(self):
        for name, options in (("r.csv", []), ("r.json", []), ("r.csv", ["--batch-size", "8"])):
            with self.subTest(name=name, options=options):
                os.makedirs(self.path("out"), exist_ok=True)
                running = self.start("-q", "-o", f"out/{name}", *options)
                running.feed("a.png\n")
                for _ in range(harness.PATIENCE * 50):
                    if self.listing("out"):
                        break
                    time.sleep(0.02)
                shutil.rmtree(self.path("out"))
                running.feed("a.png\n")
                self.assert_fails_with(
                    running.finish(), OUTPUT_FAILED, f"out/{name}", "No such file", "folder"
                )
                self.assertEqual(["a.png"], self.listing())

    def test_the_folder_of_preprocess_is_removed_under_way(self):
        """It makes the folders that it needs, so what its later rows name is there."""
        running = harness.Running(
            ["preprocess", "-q", "--model", str(MODELS / "tiny-sigmoid"), "--output", "out"], self.folder
        )
        self.addCleanup(running.end)
        running.feed("a.png\n")
        running.line(), running.line()
        shutil.rmtree(self.path("out"))
        running.feed("./a.png\n")
        self.assert_ok(running.finish(), "./a.png,ok,out/a.png.png,\n")
        self.assertEqual(["a.png.png"], self.listing("out"))


class ClosedPipe(SkincheckTest):
    ROWS = 600  # more than the pipe and the reader hold together

    def setUp(self):
        super().setUp()
        self.name = "a" * 200 + ".png"
        self.write(self.name, png())
        self.score_ = SCORES[WHITE]

    def after(self, lines: int, *options: str, **more):
        running = self.start("-q", *options, *[self.name] * self.ROWS, **more)
        got = [running.line() for _ in range(lines)]
        running.process.stdout.close()
        running.process.stdout = None
        return got, running.finish()

    def test_the_reader_goes_after_any_row(self):
        expected = [HEADER.encode()] + [row(self.name, self.score_, "malignant").encode()] * self.ROWS
        for lines in (0, 1, 2, 3, 10, 50, 200):
            for options in ((), ("--jobs", "4", "--batch-size", "8")):
                with self.subTest(lines=lines, options=options):
                    got, result = self.after(lines, *options)
                    self.assertEqual(expected[:lines], got)
                    self.assertEqual((-signal.SIGPIPE, b""), (result.code, result.stderr))

    def test_in_every_format(self):
        for format_ in ("jsonl", "json", "isic"):
            with self.subTest(format_):
                got, result = self.after(5, "--format", format_)
                self.assertEqual((-signal.SIGPIPE, b""), (result.code, result.stderr))
                self.assertEqual(5, len(got))

    def test_where_sigpipe_is_ignored_it_is_exit_code_4(self):
        for lines in (0, 3, 50):
            with self.subTest(lines):
                _, result = self.after(lines, preexec_fn=harness.ignore_signal(signal.SIGPIPE))
                self.assertEqual(OUTPUT_FAILED, result.code)
                self.assertRegex(result.stderr.decode(), r"\Askincheck: error: [^\n]*Broken pipe[^\n]*\n\Z")


class Clock(SkincheckTest):
    def test_jumps_change_nothing_in_the_output(self):
        """Ten years back and forth between the rows, for every clock that the process can ask."""
        library = self.faketime()
        self.write("white.png", png())
        self.write("black.png", png(BLACK))
        names = ["white.png", "black.png", "gone.png"] * 4
        for name in ("r.csv", "r.json"):
            for monotonic in ("0", "1"):
                with self.subTest(name=name, monotonic=monotonic):
                    self.score(*names, "--device", "cpu", "-o", "quiet-" + name)
                    self.jump(library, monotonic, names, name)
                    self.assertEqual(self.read("quiet-" + name), self.read(name))

    def jump(self, library: str, monotonic: str, names: list[str], output: str) -> None:
        self.write("now", "+0")
        fake = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": self.path("now"),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": monotonic,
            "FAKETIME_DONT_RESET": "1",
        }
        command = [f"{key}={value}" for key, value in fake.items()]
        command += [
            EXECUTABLE,
            "--model",
            str(MODELS / "tiny-sigmoid"),
            "--device",
            "cpu",
            "-v",
            "-o",
            output,
        ]
        child = subprocess.Popen(
            ["env", *command],
            cwd=self.folder,
            env=harness.environment(),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        with child:
            for number, name in enumerate(names):
                child.stdin.write(name.encode() + b"\n")
                if name == "gone.png":  # --verbose tells of its row, so all before it is done
                    while b"gone.png: not_found" not in child.stderr.readline():
                        self.assertIsNone(child.poll())
                    self.write("now.new", ("-3650d", "+3650d", "+0", "-1d")[number // 3])
                    os.rename(self.path("now.new"), self.path("now"))
            child.stdin.close()
            said = child.stderr.read().decode()
        self.assertEqual(SOME_FAILED, child.returncode, said)
        self.assertIn("12 images: 8 scored", said)

    def faketime(self) -> str:
        if harness.sanitized():
            self.skipTest("AddressSanitizer and faketime cannot run together")
        found = (
            subprocess.run(
                ["faketime", "-m", "now", "sh", "-c", "echo $LD_PRELOAD"],
                capture_output=True,
                text=True,
                check=False,
            )
            if shutil.which("faketime")
            else None
        )
        if found is None or found.returncode != 0:
            self.skipTest("faketime is not installed")
        return found.stdout.split()[0]


class OpenFiles(SkincheckTest):
    def limited(self, files: int, *arguments: str):
        return self.score(
            *arguments, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        )

    def setUp(self):
        super().setUp()
        self.names = []
        folder = "drop"
        for depth in range(100):  # deeper than there may be open files
            self.names.append(f"{folder}/a.png")
            self.write(self.names[-1], png())
            folder += "/d"

    def test_sixty_four_are_enough_for_a_deep_tree_and_many_jobs(self):
        result = self.limited(64, "drop", "--jobs", "32", "-o", "r.csv")
        self.assertEqual(0, result.code, result)
        expected = [(name, "ok") for name in self.names]
        self.assertEqual(expected, [(row["path"], row["status"]) for row in csv_rows(self.read("r.csv"))])

    def test_too_few_are_told_and_no_row_is_wrong(self):
        """Below what it needs it ends with a line that says so, or has rows that say so."""
        if harness.sanitized():
            self.skipTest("UndefinedBehaviorSanitizer opens a pipe for some of its checks, and stops without")
        for files in range(3, 16):
            with self.subTest(files):
                result = self.limited(files, "-q", "--jobs", "8", *self.names[:20])
                if result.code in (2, UNUSABLE, OUTPUT_FAILED):
                    self.assertRegex(result.stderr.decode(), r"\Askincheck: error: [^\n]+\n\Z")
                    continue
                if result.code == 127:  # the libraries could not be opened: it did not begin
                    self.assertEqual(b"", result.stdout)
                    continue
                self.assertIn(result.code, (0, SOME_FAILED), result)
                rows = csv_rows(result.stdout)
                self.assertEqual(self.names[:20], [row["path"] for row in rows])
                for found in rows:
                    if found["status"] != "ok":
                        self.assertEqual("io_error", found["status"])
                        self.assertIn("Too many open files", found["error"])
                    else:
                        self.assertEqual(SCORES[WHITE], found["malignancy"])


def large_png(side: int) -> bytes:
    """A small file that becomes three bytes for each of side² pixels."""
    lines = zlib.compress((b"\0" + bytes(GREY) * side) * side, 1)
    return png_header(side, side) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


class Memory(SkincheckTest):
    """RLIMIT_AS counts address space, of which the libraries alone take much; resident memory is less."""

    def within(self, mebibytes: int, *arguments: str):
        limit = (mebibytes << 20,) * 2
        return self.run_skincheck(
            *arguments, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit)
        )

    def setUp(self):
        super().setUp()
        self.write("a.png", png(width=200, height=200))
        self.write("large.png", large_png(6000))
        if harness.sanitized():
            self.skipTest("AddressSanitizer reserves more address space than any limit")
        if any("cudnn" in name or "openvino" in name for name in harness.libraries()):
            self.skipTest("libraries for cards and of OpenVINO take more address space than these limits")

    def test_what_the_manual_promises_is_enough_for_the_shipped_model(self):
        package = SOURCE / "models" / "skincheck-resnet50"
        if not package.exists():
            self.skipTest("the shipped model is not here")
        for jobs, mebibytes in (("1", 768), ("2", 896)):
            with self.subTest(jobs=jobs):
                result = self.within(
                    mebibytes,
                    "--device",
                    "cpu",
                    "-q",
                    "--jobs",
                    jobs,
                    "--model",
                    f"{package}/",
                    *["a.png"] * 4,
                )
                self.assert_statuses(result, *[("a.png", "ok")] * 4)

    def test_too_little_is_told_and_no_row_is_wrong(self):
        tiny = ["--device", "cpu", "-q", "--model", str(MODELS / "tiny-sigmoid")]
        names = ["a.png", "large.png", "a.png"]
        whole = csv_rows(self.run_skincheck(*tiny, *names).stdout)
        self.assertEqual(["ok"] * 3, [row["status"] for row in whole])
        first = self.least_to_begin()
        seen = set()
        for mebibytes in range(first, first + 200, 8):
            with self.subTest(mebibytes):
                result = self.within(mebibytes, *tiny, "--jobs", "1", *names)
                if result.code == UNUSABLE:
                    self.assertRegex(result.stderr.decode(), r"\Askincheck: error: [^\n]*memory[^\n]*\n\Z")
                    seen.add("error")
                    continue
                self.assertIn(result.code, (0, SOME_FAILED), result)
                rows = csv_rows(result.stdout)
                self.assertEqual(names, [row["path"] for row in rows])
                for found, right in zip(rows, whole):
                    if found["status"] == "ok":
                        self.assertEqual(right, found)
                        seen.add("ok")
                    else:
                        self.assertEqual("io_error", found["status"], found)
                        self.assertIn("memory", found["error"])
                        seen.add("io_error")
        self.assertLessEqual({"ok", "io_error"}, seen)

    def test_evaluate_says_what_takes_its_memory(self):
        self.write("truth.csv", b"image,malignant\n" + b"".join(b"%d,%d\n" % (n, n % 2) for n in range(20)))
        self.write("scores.csv", b"path,malignancy\n" + b"".join(b"%d.png,0.%02d\n" % (n, n * 7 % 20) for n in range(20)))
        evaluate = ["evaluate", "--truth", "truth.csv", "scores.csv", "--threshold", "0.1", "--bootstrap", "100000"]
        first = self.least_to_begin()
        for mebibytes in range(first, first + 400, 4):
            result = self.within(mebibytes, *evaluate)
            if result.code == 0:
                break
            self.assertEqual((UNUSABLE, b""), (result.code, result.stdout))
            said = result.stderr.decode()
        self.assertEqual(0, result.code, said)
        self.assertEqual("skincheck: error: not enough memory; use a smaller --bootstrap\n", said)

    def least_to_begin(self) -> int:
        """Below it the libraries cannot be loaded or set up, before there is a main()."""
        for mebibytes in range(32, 2000, 8):
            if self.within(mebibytes, "--version").code == 0:
                return mebibytes
        raise AssertionError("it did not begin")


if __name__ == "__main__":
    harness.main()
