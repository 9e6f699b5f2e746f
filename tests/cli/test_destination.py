"""Where the rows go: a file that appears whole, or standard output; and what happens when that fails."""

import fcntl
import os
import resource
import shutil
import signal
import stat
import struct
import subprocess
import time

import harness
from harness import HEADER, MODELS, SkincheckTest, csv_rows, row
from images import SCORES, WHITE, png

USAGE, OUTPUT_FAILED = 2, 4


class OutputFile(SkincheckTest):
    def setUp(self):
        super().setUp()
        self.write("a.png", png())
        self.expected = (HEADER + row("a.png", SCORES[WHITE], "malignant")).encode()

    def test_the_bytes_of_standard_output(self):
        for option in (["--output", "r.csv"], ["-o", "r.csv"], ["--output=r.csv"], ["-or.csv"]):
            with self.subTest(option):
                result = self.score("a.png", *option)
                self.assert_ok(result, "")
                self.assertIn(b"1 image: 1 scored", result.stderr)
                self.assertEqual(self.expected, self.read("r.csv"))
                os.remove(self.path("r.csv"))
        self.assertEqual(["a.png"], self.listing())

    def test_names_of_every_kind(self):
        for name in ("[r].csv", "a b,c.csv", "r\n.csv", "x" * 251 + ".csv", "-r.csv"):
            with self.subTest(name):
                self.assert_ok(self.score("a.png", f"--output={name}"), "")
                self.assertEqual(self.expected, self.read(name))

    def test_its_mode_is_that_of_any_new_file(self):
        self.assert_ok(self.score("a.png", "-o", "r.csv", preexec_fn=lambda: os.umask(0o027)))
        self.assertEqual(0o640, stat.S_IMODE(os.stat(self.path("r.csv")).st_mode))

    def test_an_existing_file_is_replaced_and_keeps_its_mode(self):
        os.chmod(self.write("r.csv", "old"), 0o604)
        self.assert_ok(self.score("a.png", "-o", "r.csv"))
        self.assertEqual(self.expected, self.read("r.csv"))
        self.assertEqual(0o604, stat.S_IMODE(os.stat(self.path("r.csv")).st_mode))

    def test_an_access_list_is_kept_and_none_comes_from_the_folder(self):
        """Where there is one, the mode's rights of the group are only the most that anybody in it has."""
        name = "system.posix_acl_access"

        def access_list(*entries: tuple[int, int, int]) -> bytes:
            return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)

        owner, user, group, mask, other, nobody = 1, 2, 4, 16, 32, 0xFFFFFFFF
        mine = access_list((owner, 6, nobody), (user, 4, 1), (group, 0, nobody), (mask, 4, nobody), (other, 0, nobody))
        try:
            os.setxattr(self.write("r.csv", "old"), name, mine)
        except OSError as error:
            self.skipTest(f"there are no access lists here: {error}")
        self.assert_ok(self.score("a.png", "-o", "r.csv"))
        self.assertEqual(self.expected, self.read("r.csv"))
        self.assertEqual(mine, os.getxattr(self.path("r.csv"), name))

        os.chmod(self.write("folder/r.csv", "old"), 0o640)
        os.setxattr(self.path("folder"), "system.posix_acl_default", mine)
        self.assert_ok(self.score("a.png", "-o", "folder/r.csv"))
        self.assertNotIn(name, os.listxattr(self.path("folder/r.csv")))
        self.assertEqual(0o640, stat.S_IMODE(os.stat(self.path("folder/r.csv")).st_mode))

    def test_a_descriptor_that_nobody_opened(self):
        """Skincheck's own have such numbers."""
        for number in range(3, 9):
            with self.subTest(number):
                result = self.score("a.png", "-o", f"/dev/fd/{number}")
                self.assert_fails_with(result, OUTPUT_FAILED, "Bad file descriptor")
                self.assert_fails_with(self.score("a.png", "--files-from", f"/dev/fd/{number}"), USAGE, f"/dev/fd/{number}")
        with open(self.path("rows"), "wb") as rows:
            self.assert_ok(self.score("a.png", "-o", f"/dev/fd/{rows.fileno()}", pass_fds=[rows.fileno()]), "")
        self.assertEqual(self.expected, self.read("rows"))

    def test_nothing_under_the_final_name_while_it_runs(self):
        self.write("r.csv", "old")
        running = self.start("--jobs", "1", "--output", "r.csv")
        running.feed("a.png\n")
        self.until(lambda: any("skincheck-" in name for name in self.listing()))
        self.assertEqual(b"old", self.read("r.csv"))
        self.assertEqual(0, running.finish().code)
        self.assertEqual(self.expected, self.read("r.csv"))
        self.assertEqual(["a.png", "r.csv"], self.listing())

    def until(self, condition) -> None:
        for _ in range(harness.PATIENCE * 50):
            if condition():
                return
            time.sleep(0.02)
        self.fail("it did not come")

    def test_a_link_stays_a_link(self):
        self.write("real/r.csv", "old")
        os.symlink("real/r.csv", self.path("link.csv"))
        self.assert_ok(self.score("a.png", "-o", "link.csv"))
        self.assertTrue(os.path.islink(self.path("link.csv")))
        self.assertEqual(self.expected, self.read("real/r.csv"))

    def test_dev_stdout(self):
        self.assert_ok(self.score("a.png", "-o", "/dev/stdout"), self.expected)

    def test_a_dash_is_standard_output(self):
        self.assertEqual(self.score("a.png").stdout, self.score("a.png", "-o", "-").stdout)
        self.assertNotIn("-", self.listing())
        self.assert_fails_with(self.score("a.png", "--resume", "-o", "-"), 2, "--resume needs --output FILE")

    def test_a_fifo_is_written_to(self):
        os.mkfifo(self.path("fifo"))
        with subprocess.Popen(["cat", self.path("fifo")], stdout=subprocess.PIPE) as reader:
            self.assert_ok(self.score("a.png", "-o", "fifo"), "")
            self.assertEqual(self.expected, reader.communicate(timeout=harness.PATIENCE)[0])

    def test_an_image_is_not_replaced_whatever_its_name(self):
        for name in ("scan", "scan.csv"):
            with self.subTest(name):
                self.write(name, png())
                for command in (["a.png"], ["merge", "a.csv"], ["evaluate", "--truth", "t.csv", "s.csv"]):
                    options = [] if command[0] in ("merge", "evaluate") else ["--model", str(MODELS / "tiny-sigmoid")]
                    result = self.run_skincheck(*command, *options, "-o", name)
                    self.assert_fails_with(result, USAGE, name, "an image or another file that is no text lies there")
                self.assertEqual(png(), self.read(name))
        for command in (["merge", "a.csv"], ["evaluate", "--truth", "t.csv", "s.csv"]):
            self.assert_fails_with(self.run_skincheck(*command, "-o", "new.jpg"), USAGE, "new.jpg", "name of an image")

    def test_what_is_no_text_is_not_replaced(self):
        self.write("a.heic", b"\0\0\0\x18ftypheic and more")
        self.assert_fails_with(self.score("-o", "a.heic", "a.png"), USAGE, "a.heic", "no text")
        self.assertTrue(self.read("a.heic").startswith(b"\0\0\0\x18ftyp"))

    def test_a_key_without_a_nul_is_not_replaced(self):
        key = bytes(range(200, 232))
        self.write("key", key)
        self.assert_fails_with(self.score("-o", "key", "a.png"), USAGE, "key", "no text")
        self.assertEqual(key, self.read("key"))

    def test_rows_of_before_are_replaced_whatever_their_paths(self):
        for mark in (b"", b"\xef\xbb\xbf"):
            self.write("r.csv", mark + HEADER.encode() + b"\xff\x01.png,not_found,,,,,\n")
            self.assert_ok(self.score("-o", "r.csv", "a.png"), "")
            self.assertEqual(self.expected, self.read("r.csv"))

    def test_rows_of_before_are_replaced_whatever_their_first_path(self):
        for name in ("\u00e4.png", b"\xe4.png", "La\u0308sionen/" + "\u00f6" * 100 + ".png", "\U0001f52c"):
            self.write(name, png())
            for form in ("csv", "json", "jsonl", "isic"):
                with self.subTest(name=name, form=form):
                    for _ in range(2):
                        self.assert_ok(self.score(name, "--format", form, "-o", "rows"), "")
        self.write("t.csv", "image,target\na,1\nb,0\n")
        for name in ("\u00e4.csv", b"\xe4.csv"):
            self.write(name, "path,malignancy\na.png,0.9\nb.png,0.1\n")
            for _ in range(2):
                self.assert_ok(self.run_skincheck("evaluate", "--truth", "t.csv", name, "-o", "figures"))

    def test_what_is_read_is_not_replaced(self):
        self.write("notes.txt", "a.png\n")
        for arguments in (["a.png", "notes.txt", "-o", "notes.txt"], ["notes.txt", "-o", "./notes.txt"]):
            self.assert_fails_with(self.score(*arguments), USAGE, "notes.txt", "reads or writes already")
        with open(self.path("notes.txt"), "rb") as file:
            result = self.score("-", "-o", "notes.txt", stdin=file)
        self.assert_fails_with(result, USAGE, "notes.txt", "standard input")
        self.assertEqual(b"a.png\n", self.read("notes.txt"))
        shutil.copytree(MODELS / "tiny-sigmoid", self.path("package"))
        result = self.run_skincheck("--model", "./package", "a.png", "-o", "package/model.json")
        self.assert_fails_with(result, USAGE, "package/model.json", "reads or writes already")

    def test_a_dash_is_no_file(self):
        self.write("key", "x" * 16)
        for arguments in (["a.png", "--anonymise-paths", "key", "--path-map", "-"],):
            self.assert_fails_with(self.score(*arguments), USAGE, arguments[-2], "name a file")
        self.assertNotIn("-", self.listing())

    def test_a_file_that_cannot_be_replaced_is_written_in_place(self):
        def as_nobody() -> None:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)

        os.chmod(self.folder, 0o755)
        os.mkdir(self.path("shared"))
        os.chmod(self.path("shared"), 0o1777)
        self.write("shared/r.csv", "longer than what comes, " * 100)
        os.chmod(self.path("shared/r.csv"), 0o666)
        try:  # only root can make a file of somebody else, and the checkout may lie where nobody else can read it
            os.chown(self.path("shared"), 12345, 12345)
            os.chown(self.path("shared/r.csv"), 12345, 12345)
            trial = self.score("a.png", preexec_fn=as_nobody)
        except (OSError, subprocess.SubprocessError) as error:
            self.skipTest(f"no file of somebody else can be made and written to here: {error}")
        if trial.code != 0:
            self.skipTest("nobody cannot use what is to be tested")
        self.assert_ok(self.score("a.png", "-o", "shared/r.csv", preexec_fn=as_nobody), "")
        self.assertEqual(self.expected, self.read("shared/r.csv"))
        self.assertEqual(["r.csv"], os.listdir(self.path("shared")))

    def test_a_limit_of_file_size_is_told(self):
        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))

        result = self.score("a.png", "-o", "r.csv", preexec_fn=limit)
        self.assert_fails_with(result, OUTPUT_FAILED, "r.csv", "File too large")
        self.assertEqual(["a.png"], self.listing())

    def test_a_folder_that_is_missing(self):
        self.assert_fails_with(
            self.score("a.png", "-o", "gone/r.csv"), OUTPUT_FAILED, "gone/r.csv", "No such file"
        )

    def test_a_folder_in_place_of_a_file(self):
        os.mkdir(self.path("folder"))
        for name in ("folder", "folder/", "."):
            with self.subTest(name):
                self.assert_fails_with(self.score("a.png", "-o", name), OUTPUT_FAILED, name)
        self.assertEqual([], self.listing("folder"))

    def test_a_folder_that_may_not_be_written(self):
        powers = self.losing_root_powers()
        os.mkdir(self.path("closed"), 0o555)
        self.assert_fails_with(
            self.score("a.png", "-o", "closed/r.csv", preexec_fn=powers),
            OUTPUT_FAILED,
            "closed/r.csv",
            "Permission denied",
        )

    def test_a_file_that_may_not_be_written(self):
        powers = self.losing_root_powers()
        os.chmod(self.write("r.csv", "old"), 0o444)
        self.assert_fails_with(self.score("a.png", "-o", "r.csv", preexec_fn=powers), OUTPUT_FAILED, "r.csv")
        self.assertEqual(b"old", self.read("r.csv"))

    def test_a_full_disk_leaves_nothing_behind(self):
        def small_disk():
            resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        self.write("r.csv", "old")
        result = self.score(*["a.png"] * 50, "-o", "r.csv", preexec_fn=small_disk)
        self.assert_fails_with(result, OUTPUT_FAILED, "r.csv", "File too large")
        self.assertEqual(["a.png", "r.csv"], self.listing())
        self.assertEqual(b"old", self.read("r.csv"))

    def test_a_full_device(self):
        self.need_device("/dev/full")
        self.assert_fails_with(
            self.score("a.png", "-o", "/dev/full"), OUTPUT_FAILED, "/dev/full", "No space left"
        )
        with open("/dev/full", "wb") as full:
            result = self.score("a.png", stdout=full)
        self.assertEqual(OUTPUT_FAILED, result.code)
        self.assertRegex(result.stderr.decode(), r"\Askincheck: error: [^\n]*No space left[^\n]*\n\Z")

    def test_a_run_that_cannot_start_leaves_the_file_alone(self):
        self.write("r.csv", "old")
        for arguments in (
            ["--model", "gone/"],
            ["--files-from", "gone"],
            ["--device", "bogus"],
            ["--include", ""],
        ):
            with self.subTest(arguments):
                self.assertIn(self.score("a.png", "-o", "r.csv", *arguments).code, (2, 3))
                self.assertEqual(["a.png", "r.csv"], self.listing())
                self.assertEqual(b"old", self.read("r.csv"))


    def test_a_run_that_fails_keeps_its_rows_and_without_one_the_file_of_before(self):
        self.write("list", b"gone.png\0")
        for batch_size in ("1", "8"):
            for name in ("r.csv", "new.json"):
                with self.subTest(batch_size=batch_size, name=name):
                    self.write("r.csv", "old")
                    options = ("--batch-size", batch_size, "-o", name, "--files-from", "list")
                    self.assert_fails_with(self.score(*options), 2, "list", "NUL")
                    self.assertEqual(["a.png", "list", "r.csv"], self.listing())
                    self.assertEqual(b"old", self.read("r.csv"))
        self.write("list", b"a.png\na.png\nb.png\0")
        for batch_size in ("1", "8"):
            result = self.score("--batch-size", batch_size, "-o", "r.csv", "--files-from", "list")
            self.assertEqual(2, result.code)
            self.assertEqual(["a.png", "a.png"], [row["path"] for row in csv_rows(self.read("r.csv"))])
        os.mkdir(self.path("empty"))  # finished, so it says that there was nothing
        self.assert_ok(self.score("empty", "-o", "r.csv"))
        self.assertEqual(HEADER.encode(), self.read("r.csv"))


class ClosedPipe(SkincheckTest):
    def test_a_reader_that_goes_away_ends_the_run_silently(self):
        self.write("a.png", png())
        running = self.start("-")
        running.feed("a.png\n")
        self.assertEqual(HEADER.encode(), running.line())
        running.process.stdout.close()
        running.process.stdout = None
        running.feed("a.png\n" * 10)
        result = running.finish(close=False)
        self.assertEqual(-signal.SIGPIPE, result.code)
        self.assertEqual(b"", result.stderr)

    def test_a_reader_that_goes_away_ends_a_run_with_output_to_it_too(self):
        self.write("a.png", png())
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") as closed:
            result = self.score("a.png", "-o", "/dev/stdout", stdout=closed)
        self.assertEqual((-signal.SIGPIPE, b""), (result.code, result.stderr))

    def test_a_reader_of_the_messages_that_goes_away_costs_no_row(self):
        self.write("a.png", png())
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") as closed:
            result = self.score("-v", "a.png", "gone.png", "-o", "r.csv", stderr=closed)
        self.assertEqual(1, result.code)
        self.assertEqual(2, len(csv_rows(self.read("r.csv"))))

    def test_where_sigpipe_is_ignored_it_is_an_error_of_the_output(self):
        self.write("a.png", png())
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") as closed:
            result = self.score("a.png", stdout=closed, preexec_fn=harness.ignore_signal(signal.SIGPIPE))
        self.assertEqual(OUTPUT_FAILED, result.code)
        self.assertRegex(result.stderr.decode(), r"\Askincheck: error: [^\n]*Broken pipe[^\n]*\n\Z")

    def test_a_slow_reader_gets_every_row(self):
        self.write("a.png", png())
        running = self.start("-q", *["a.png"] * 300)
        fcntl.fcntl(running.process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        rows = [running.line() for _ in range(301)]
        self.assertEqual(300, rows.count(row("a.png", SCORES[WHITE], "malignant").encode()))
        self.assertEqual((0, b""), running.finish()[:2])


class ClosedDescriptors(SkincheckTest):
    """As cron jobs and daemons have them: what is opened first must not be taken for what is closed."""

    def setUp(self):
        super().setUp()
        self.write("a.png", png())
        self.expected = (HEADER + row("a.png", SCORES[WHITE], "malignant")).encode()

    @staticmethod
    def closing(*descriptors: int):
        def close() -> None:
            for descriptor in descriptors:
                os.close(descriptor)

        return close

    def test_without_standard_output_the_rows_cannot_be_written(self):
        for closed in ((1,), (0, 1), (1, 2), (0, 1, 2)):
            with self.subTest(closed):
                result = self.score("a.png", preexec_fn=self.closing(*closed))
                self.assertEqual(OUTPUT_FAILED, result.code, result)

    def test_without_standard_input_there_is_no_list(self):
        for arguments in ([], ["-"], ["--files-from", "-"]):
            with self.subTest(arguments):
                result = self.score(*arguments, preexec_fn=self.closing(0))
                self.assertEqual(2, result.code, result)
                self.assertIn(b"skincheck: error: ", result.stderr)

    def test_what_is_not_needed_may_be_closed(self):
        for closed in ((0,), (2,), (0, 2)):
            with self.subTest(closed):
                result = self.score("-v", "a.png", preexec_fn=self.closing(*closed))
                self.assertEqual((0, self.expected), result[:2])
        for closed in ((1,), (0, 1), (1, 2), (0, 1, 2)):
            with self.subTest(closed):
                self.assertEqual(
                    0, self.score("-v", "a.png", "-o", "r.csv", preexec_fn=self.closing(*closed)).code
                )
                self.assertEqual(self.expected, self.read("r.csv"))


if __name__ == "__main__":
    harness.main()
