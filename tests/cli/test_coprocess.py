"""skincheck as somebody's helper process: a path goes in and its row comes out before the next is given."""

import json
import os
import select

import harness
from harness import HEADER, SkincheckTest, row
from images import BLACK, SCORES, WHITE, png

COLOURS = {"white.png": WHITE, "black.png": BLACK}


class OneAtATime(SkincheckTest):
    def setUp(self):
        super().setUp()
        for name, colour in COLOURS.items():
            self.write(name, png(colour))

    def row(self, name: str) -> bytes:
        return row(name, SCORES[COLOURS[name]], "malignant" if name == "white.png" else "benign").encode()

    def converse(self, *options: str) -> None:
        names = ["white.png", "black.png", "black.png", "white.png", "black.png", "white.png", "white.png"]
        running = self.start(*options)
        if "csv" in options:
            self.assertEqual(HEADER.encode(), running.line())
        for name in names:
            running.feed(name + "\n")
            line = running.line()
            if "csv" in options:
                self.assertEqual(self.row(name), line)
            else:
                self.assertEqual(name, json.loads(line)["path"])
        result = running.finish()
        self.assertEqual((0, b""), (result.code, result.stdout))
        self.assertIn(b"7 images: 7 scored (4 malignant, 3 benign), 0 failed", result.stderr)

    def test_with_any_number_of_jobs_and_any_batch_size(self):
        for options in (
            ["--jobs", "1"],
            ["--jobs", "2"],
            ["--jobs", "4"],
            ["--batch-size", "8"],
            ["--jobs", "1", "--batch-size", "8"],
            ["--jobs", "4", "--batch-size", "8"],
        ):
            for file_format in ("csv", "jsonl"):
                with self.subTest(options=options, format=file_format):
                    self.converse(*options, "--format", file_format)

    def test_the_header_comes_before_the_first_path(self):
        running = self.start("-")
        self.assertEqual(HEADER.encode(), running.line())
        self.assertEqual(0, running.finish().code)

    def test_bad_paths_are_answered_as_promptly(self):
        running = self.start("--jobs", "2", "--batch-size", "8")
        running.line()
        for _ in range(3):
            running.feed("gone.png\n")
            self.assertTrue(running.line().startswith(b"gone.png,not_found,"))
            running.feed("white.png\n")
            self.assertEqual(self.row("white.png"), running.line())
        self.assertEqual(1, running.finish().code)

    def test_half_a_path_is_waited_for(self):
        running = self.start("--jobs", "2", "--batch-size", "8")
        running.line()
        running.feed("white.png\nbla")
        self.assertEqual(self.row("white.png"), running.line())
        self.assertEqual([], select.select([running.process.stdout], [], [], 0.2)[0])
        running.feed("ck.png\n")
        self.assertEqual(self.row("black.png"), running.line())
        running.feed("white.png")  # the end of the list ends the path too
        result = running.finish()
        self.assertEqual((0, self.row("white.png")), (result.code, result.stdout))

    def test_nul_separated(self):
        running = self.start("-0", "--batch-size", "8")
        running.line()
        for name in COLOURS:
            running.feed(name + "\0")
            self.assertEqual(self.row(name), running.line())
        self.assertEqual(0, running.finish().code)

    def test_several_paths_at_once_are_all_answered(self):
        for batch_size in ("1", "8"):
            with self.subTest(batch_size):
                running = self.start("--jobs", "2", "--batch-size", batch_size)
                running.line()
                for count in (1, 5, 20, 3):
                    running.feed("white.png\n" * (count - 1) + "black.png\n")
                    for _ in range(count - 1):
                        self.assertEqual(self.row("white.png"), running.line())
                    self.assertEqual(self.row("black.png"), running.line())
                self.assertEqual(0, running.finish().code)

    def test_through_a_list_that_is_a_fifo(self):
        os.mkfifo(self.path("list"))
        running = self.start("--files-from", "list", "--batch-size", "8")
        with open(self.path("list"), "wb", buffering=0) as paths:
            self.assertEqual(HEADER.encode(), running.line())
            for name in COLOURS:
                paths.write(name.encode() + b"\n")
                self.assertEqual(self.row(name), running.line())
        self.assertEqual((0, b""), running.finish()[:2])

    def test_rows_of_what_was_named_before_a_pipe_do_not_wait_for_it(self):
        self.write("drop/white.png", png())
        running = self.start("--jobs", "2", "--batch-size", "8", "white.png", "black.png", "drop", "-")
        self.assertEqual(HEADER.encode(), running.line())
        self.assertEqual(self.row("white.png"), running.line())
        self.assertEqual(self.row("black.png"), running.line())
        self.assertEqual(b"drop/" + self.row("white.png"), running.line())
        self.assertEqual(0, running.finish().code)


if __name__ == "__main__":
    harness.main()
