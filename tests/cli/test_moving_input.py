"""Input that changes while it is read: lists that end early, files that grow, are replaced or written over.

A row is of the old file, of the new one or says what is wrong; never of a mixture, and never of a part.
"""

import os
import shutil
import subprocess
import threading
import time

import harness
from harness import HEADER, SkincheckTest, csv_rows, row
from images import BLACK, SCORES, WHITE, bmp, drawn, png

DELAY = 500_000  # microseconds: time to change a file in


class CutList(SkincheckTest):
    """What writes the list ends in the middle of a path: the rest of that path is an input like any other."""

    def setUp(self):
        super().setUp()
        self.whole = "nested/ä.png"
        self.write("a.png", png())
        self.write(self.whole, png(BLACK))

    def test_cut_after_any_byte_of_its_last_path(self):
        path = self.whole.encode()
        for end in range(len(path) + 1):
            for separator, options in ((b"\n", []), (b"\0", ["--null"])):
                with self.subTest(cut=path[:end], options=options):
                    result = self.score(*options, stdin=b"a.png" + separator + path[:end])
                    self.assert_statuses(result, ("a.png", "ok"), *self.row_of(path[:end]))

    def row_of(self, path: bytes) -> list[tuple]:
        if not path:
            return []
        if path in (b"nested", b"nested/"):  # not searched, though it is a folder now
            return [(os.fsdecode(path), "not_a_file")]
        return [(os.fsdecode(path), "ok" if path == self.whole.encode() else "not_found")]

    def test_a_writer_that_is_killed(self):
        for path, status in ((b"nested/\xc3", b"not_found"), (b"nest", b"not_found"), (b"a.png", b"ok")):
            with self.subTest(path):
                running = self.start("-q")
                running.feed("a.png\n")
                self.assertEqual(HEADER.encode(), running.line())
                self.assertEqual(row("a.png", SCORES[WHITE], "malignant").encode(), running.line())
                running.feed(path)
                result = running.finish()
                self.assertEqual(0 if status == b"ok" else 1, result.code)
                self.assertEqual([path, status], result.stdout.split(b",")[:2])


class UnderWay(SkincheckTest):
    def score_while(self, change, name: str, times: int) -> harness.Result:
        """Scores `name` many times while another thread calls `change` over and over."""
        ended = threading.Event()

        def over_and_over() -> None:
            while not ended.is_set():
                change()

        thread = threading.Thread(target=over_and_over)
        thread.start()
        try:
            result = self.score("-q", *[name] * times)
        finally:
            ended.set()
            thread.join()
        self.assertIn(result.code, (0, 1), result.stderr)
        rows = csv_rows(result.stdout)
        self.assertEqual([name] * times, [row["path"] for row in rows])
        return result


class Growing(UnderWay):
    def test_of_no_length_but_the_whole_is_an_image_scored(self):
        for ending in (".jpg", ".png", ".bmp", ".tif", ".webp"):
            with self.subTest(ending):
                whole = drawn(ending, 24, 20)
                names = [f"{ending[1:]}/{length:05}{ending}" for length in range(len(whole) + 1)]
                for length, name in enumerate(names):
                    self.write(name, whole[:length])
                rows = csv_rows(self.score("-q", ending[1:]).stdout)
                self.assertEqual(names, [row["path"] for row in rows])
                scored = [row["path"] for row in rows if row["malignancy"]]
                self.assertEqual(names[-1:], scored)
                self.assertEqual("empty", rows[0]["status"])
                allowed = {"ok", "empty", "unsupported", "truncated", "corrupt"}
                self.assertEqual(set(), {row["status"] for row in rows} - allowed)

    def test_while_somebody_writes_it(self):
        """Appended piece by piece, again and again, beside a run that scores it all the time."""
        for ending in (".jpg", ".png", ".bmp", ".tif", ".webp"):
            with self.subTest(ending):
                whole = drawn(ending, 200, 150)
                self.write("whole" + ending, whole)
                right = csv_rows(self.score("whole" + ending).stdout)[0]["malignancy"]
                self.write("grows" + ending, whole)

                def grow(path=self.path("grows" + ending), whole=whole) -> None:
                    with open(path, "wb", buffering=0) as file:
                        for start in range(0, len(whole), len(whole) // 50 + 1):
                            file.write(whole[start : start + len(whole) // 50 + 1])

                result = self.score_while(grow, "grows" + ending, 300)
                for found in csv_rows(result.stdout):
                    if found["status"] == "ok":
                        self.assertEqual(right, found["malignancy"])
                    else:
                        told = ("empty", "unsupported", "truncated", "corrupt", "changed")
                        self.assertIn(found["status"], told)


class Replaced(UnderWay):
    def malignancies_while(self, change) -> set:
        return {row["malignancy"] for row in csv_rows(self.score_while(change, "a.png", 600).stdout)}

    def test_by_a_rename_a_row_is_of_the_old_or_the_new_one(self):
        """Of another format and another size, so that a mixture would not be an image."""
        self.write("a.png", png(WHITE, 300, 200))
        files = [bmp(BLACK, 200, 300), png(WHITE, 300, 200), drawn(".jpg", 64, 64, WHITE)]

        def replace() -> None:
            files.append(files.pop(0))
            os.rename(self.write("new", files[0]), self.path("a.png"))

        self.assertLessEqual(self.malignancies_while(replace), {SCORES[WHITE], SCORES[BLACK]})

    def test_between_two_rows_the_next_is_of_the_new_one(self):
        self.write("a.png", png(WHITE))
        running = self.start("-q")
        self.assertEqual(HEADER.encode(), running.line())
        for colour in (WHITE, BLACK, WHITE):
            os.rename(self.write("new", bmp(colour, 40, 30)), self.path("a.png"))
            running.feed("a.png\n")
            label = "malignant" if colour == WHITE else "benign"
            self.assertEqual(row("a.png", SCORES[colour], label).encode(), running.line())
        self.assertEqual(0, running.finish().code)

    def test_a_link_that_is_turned(self):
        self.write("white.png", png(WHITE))
        self.write("black.png", bmp(BLACK, 300, 200))
        os.symlink("white.png", self.path("a.png"))
        targets = ["black.png", "white.png", "gone.png"]

        def turn() -> None:
            targets.append(targets.pop(0))
            os.symlink(targets[0], self.path("new"))
            os.rename(self.path("new"), self.path("a.png"))

        self.assertLessEqual(self.malignancies_while(turn), {SCORES[WHITE], SCORES[BLACK], ""})


class BetweenTwoReads(SkincheckTest):
    """strace holds skincheck before its second read of a file, and the file changes meanwhile."""

    def setUp(self):
        super().setUp()
        self.size = len(self.picture(WHITE))
        if shutil.which("strace") is None:
            self.skipTest("strace is not installed")
        tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
        if tried.returncode != 0:
            self.skipTest("strace may not trace here")

    @staticmethod
    def picture(colour: tuple) -> bytes:
        return bmp(colour, 300, 200)  # BMP has no check sum that would show a mixture

    def changed_by(self, change) -> dict:
        """The row of a.bmp, white at first, to which `change` happens in the middle."""
        return self.rows_and_messages(change)[0][0]

    def rows_and_messages(self, change, *options: str) -> tuple[list[dict], str]:
        path = self.write("a.bmp", self.picture(WHITE))
        os.utime(path, (1e9, 1e9))
        trace = self.path("trace")
        traced = ["strace", "-f", "-qq", "-o", trace, "-P", path, "-e", "trace=read"]
        traced += ["-e", f"inject=read:delay_enter={DELAY}:when=2"]
        command = [*traced, harness.EXECUTABLE, *options, "--model", str(harness.MODELS / "tiny-sigmoid"), path]
        with subprocess.Popen(
            command, env=harness.environment(ASAN_OPTIONS="detect_leaks=0"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as child:
            while not (os.path.exists(trace) and b"read(" in self.read("trace")):
                self.assertIsNone(child.poll())
                time.sleep(0.002)
            change(path)
            changed_at = time.monotonic()
            printed, told = child.communicate(timeout=harness.PATIENCE)
        self.assertGreater(time.monotonic() - changed_at, 0.01)
        return csv_rows(printed), told.decode()

    def test_it_is_replaced(self):
        def replace(path: str) -> None:
            os.rename(self.write("new", self.picture(BLACK)), path)

        self.assertEqual(SCORES[WHITE], self.changed_by(replace)["malignancy"])

    def test_it_is_removed(self):
        self.assertEqual(SCORES[WHITE], self.changed_by(os.remove)["malignancy"])

    def test_it_becomes_shorter(self):
        found = self.changed_by(lambda path: os.truncate(path, self.size // 2))
        self.assertEqual("", found["malignancy"], found)

    def test_it_is_written_anew_from_its_start(self):
        found = self.changed_by(lambda _: self.write("a.bmp", self.picture(BLACK)[:5000]))
        self.assertEqual("", found["malignancy"], found)

    def write_over(self, path: str) -> None:
        with open(path, "r+b") as file:
            file.write(self.picture(BLACK))

    def test_it_is_written_over_in_place(self):
        found = self.changed_by(self.write_over)
        self.assertEqual(("changed", ""), (found["status"], found["malignancy"]), found)

    def test_with_settle_it_has_no_row_and_is_counted(self):
        rows, told = self.rows_and_messages(self.write_over, "--settle", "60")
        self.assertEqual([], rows)
        self.assertIn("1 left for the next run", told)


if __name__ == "__main__":
    harness.main()
