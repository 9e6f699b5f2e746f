"""Ctrl-C and SIGTERM: what was finished is written, and the exit code says what came."""

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import time

import harness
from harness import EXECUTABLE, HEADER, MODELS, SkincheckTest, csv_rows, environment, row
from images import SCORES, WHITE, png

ENDS = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143}


class WhileItWaits(SkincheckTest):
    """Its input is a pipe that is held open, so it would wait for ever."""

    def setUp(self):
        super().setUp()
        self.write("a.png", png())
        self.row = row("a.png", SCORES[WHITE], "malignant").encode()

    def start_and_score_two(self, *options: str):
        """The rows that were read here were written before the signal."""
        running = self.start(*options)
        running.feed("a.png\na.png\n")
        self.assertEqual(HEADER.encode(), running.line())
        for _ in range(2):
            self.assertEqual(self.row, running.line())
        return running

    def test_with_any_number_of_jobs(self):
        for number, code in ENDS.items():
            for options in (["--jobs", "1"], ["--jobs", "4"], ["--jobs", "2", "--batch-size", "8"]):
                with self.subTest(signal=number, options=options):
                    running = self.start_and_score_two(*options)
                    running.process.send_signal(number)
                    result = running.finish(close=False)
                    self.assertEqual((code, b""), (result.code, result.stdout))
                    self.assertIn(b"2 images: 2 scored", result.stderr)
                    self.assertNotIn(b"error", result.stderr)

    def test_preprocess_too(self):
        running = harness.Running(
            ["preprocess", "--model", str(MODELS / "tiny-sigmoid"), "--output", "out"], self.folder
        )
        self.addCleanup(running.end)
        running.feed("a.png\n")
        self.assertEqual(b"path,status,output,error\n", running.line())
        self.assertEqual(b"a.png,ok,out/a.png.png,\n", running.line())
        running.process.send_signal(signal.SIGINT)
        self.assertEqual(130, running.finish(close=False).code)

    def output_after(self, number: int, name: str) -> bytes:
        """What a run with --output leaves that was stopped after its 21st row, which --verbose tells of."""
        running = self.start("--jobs", "1", "--output", name, "-v")
        running.feed("a.png\n" * 20 + "gone.png\n")
        seen = b""
        while b"gone.png: not_found" not in seen:
            more = os.read(running.process.stderr.fileno(), 65536)
            self.assertNotEqual(b"", more)
            seen += more
        self.assertFalse(os.path.exists(self.path(name)))
        running.process.send_signal(number)
        self.assertEqual(ENDS[number], running.finish(close=False).code)
        self.assertEqual(sorted(["a.png", name]), self.listing())
        return self.read(name)

    def test_a_file_is_made_final_with_what_was_finished(self):
        for number in ENDS:
            with self.subTest(number):
                rows = csv_rows(self.output_after(number, "r.csv"))
                self.assertEqual(["ok"] * 20 + ["not_found"], [row["status"] for row in rows])
                os.remove(self.path("r.csv"))

    def test_without_one_row_a_file_stays_as_it_was(self):
        for number, code in ENDS.items():
            with self.subTest(number):
                self.write("r.csv", "old")
                running = self.start("--output", "r.csv", "-v")
                while b"model " not in os.read(running.process.stderr.fileno(), 65536):
                    pass
                running.process.send_signal(number)
                self.assertEqual(code, running.finish(close=False).code)
                self.assertEqual(["a.png", "r.csv"], self.listing())
                self.assertEqual(b"old", self.read("r.csv"))

    def test_while_a_fifo_waits_for_its_reader(self):
        os.mkfifo(self.path("fifo"))
        for number, code in ENDS.items():
            with self.subTest(number):
                running = self.start("--output", "fifo", "a.png")
                self.until_it_opens_a_fifo(running.process.pid)
                running.process.send_signal(number)
                self.assertEqual((code, b"", b""), running.finish(close=False))

    def until_it_opens_a_fifo(self, process: int) -> None:
        for _ in range(500):
            with open(f"/proc/{process}/wchan", encoding="ascii") as file:  # where in the kernel it waits
                if file.read() in ("wait_for_partner", "fifo_open"):
                    return
            time.sleep(0.02)
        self.skipTest("this system does not say that a process waits for a FIFO")

    def test_json_is_whole(self):
        document = json.loads(self.output_after(signal.SIGTERM, "r.json"))
        self.assertEqual(21, len(document["results"]))
        self.assertEqual(21, document["summary"]["rows"])

    def test_json_on_standard_output_is_whole(self):
        running = self.start("--format", "json")
        running.feed("a.png\n")
        lines = b""
        while b'"path":"a.png"' not in lines:
            # A row's line ends with the next one, so what has come is looked at.
            lines += os.read(running.process.stdout.fileno(), 65536)
        running.process.send_signal(signal.SIGINT)
        result = running.finish(close=False)
        self.assertEqual(130, result.code)
        self.assertEqual(1, len(json.loads(lines + result.stdout)["results"]))


class WhileItWorks(SkincheckTest):
    def test_rows_are_whole_in_order_and_without_gaps(self):
        names = [f"{number:05}.png" for number in range(5000)]
        for name in names:
            self.write("drop/" + name, png())
        for number, code in ENDS.items():
            with self.subTest(number):
                running = self.start("drop", "--jobs", "2")
                first = [running.line() for _ in range(100)]
                running.process.send_signal(number)
                result = running.finish()
                rows = csv_rows(b"".join(first) + result.stdout)
                self.assertEqual(code, result.code)
                self.assertLess(
                    len(rows), len(names)
                )  # nobody read the rest of the rows, so it could not go on
                self.assertEqual(
                    ["drop/" + name for name in names[: len(rows)]], [row["path"] for row in rows]
                )
                self.assertEqual({"ok"}, {row["status"] for row in rows})
                self.assertEqual(2, result.stderr.count(b"\n"))
                self.assertIn(b"interrupted: only the first inputs have their rows", result.stderr)
                self.assertIn(f"{len(rows)} images: {len(rows)} scored".encode(), result.stderr)

    def test_two_signals_within_a_second_are_one(self):
        """timeout(1) sends two in a row, GNU parallel two with 0.2 seconds between."""
        self.write("a.png", png())
        running = self.start("-q", *["a.png"] * 5000)
        self.assertEqual(HEADER.encode(), running.line())
        self.until_it_waits_for_its_reader(running)
        for wait in (0, 0, 0.2):
            time.sleep(wait)
            running.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        self.assertIsNone(running.process.poll())
        self.assertEqual(143, running.finish().code)

    def test_a_second_signal_of_any_kind_ends_it_at_once(self):
        """Nobody reads its rows, so that after the first one it can only wait."""
        self.write("a.png", png())
        for first, second in itertools.product(ENDS, ENDS):
            with self.subTest(first=first, second=second):
                running = self.start("-q", *["a.png"] * 5000)
                self.assertEqual(HEADER.encode(), running.line())
                self.until_it_waits_for_its_reader(running)
                running.process.send_signal(first)
                self.until_it_is_caught(running.process.pid, first)
                time.sleep(1.1)  # before that a second one counts as the first
                running.process.send_signal(second)
                self.assertIn(running.process.wait(harness.PATIENCE), (-first, -second))

    def until_it_waits_for_its_reader(self, running: harness.Running) -> None:
        """A pipe has room for small rows as long as its last page has, so it is filled to the last byte, and then all
        of the program must come to rest: what is left to be written keeps it from ending."""
        pipe = os.open(f"/proc/self/fd/{running.process.stdout.fileno()}", os.O_WRONLY | os.O_NONBLOCK)
        looks_at_rest = 0
        try:
            while looks_at_rest < 20:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        os.write(pipe, b"\n")
                looks_at_rest = looks_at_rest + 1 if self.sleeps(running.process.pid) else 0
                time.sleep(0.01)
        finally:
            os.close(pipe)  # or its reader would never see the end

    def sleeps(self, process: int) -> bool:
        """Whether none of its threads works or waits for a processor."""
        for thread in os.listdir(f"/proc/{process}/task"):
            with (
                contextlib.suppress(FileNotFoundError),
                open(f"/proc/{process}/task/{thread}/stat", encoding="ascii") as file,
            ):
                if file.read().rpartition(")")[2].split()[0] != "S":
                    return False
        return True

    def until_it_is_caught(self, process: int, number: int) -> None:
        while True:
            with open(f"/proc/{process}/status", encoding="ascii") as file:
                pending = int(re.search(r"^ShdPnd:\s*(\w+)", file.read(), re.MULTILINE)[1], 16)
            if not pending >> (number - 1) & 1:
                return

    def test_an_ignored_signal_stays_ignored(self):
        """As under nohup, or in the background of a script."""
        self.write("a.png", png())
        running = self.start(preexec_fn=harness.ignore_signal(signal.SIGINT))
        running.feed("a.png\n")
        running.line(), running.line()
        running.process.send_signal(signal.SIGINT)
        running.feed("a.png\n")
        running.line()
        self.assertEqual(0, running.finish().code)

    def test_a_shell_sees_the_exit_code(self):
        self.write("a.png", png())
        script = (
            f'mkfifo paths; "{EXECUTABLE}" --model "{MODELS}/tiny-sigmoid" - <paths >rows & skincheck=$!; '
            'exec 3>paths; echo a.png >&3; while [ "$(wc -l <rows)" -lt 2 ]; do sleep 0.05; done; '
            'kill -TERM $skincheck; wait $skincheck; echo "exit $?"'
        )
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            timeout=harness.PATIENCE,
            check=False,
        )
        self.assertEqual("exit 143\n", done.stdout.decode(), done.stderr)


if __name__ == "__main__":
    harness.main()
