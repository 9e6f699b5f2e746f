"""Whatever an input is: exactly one row with the status that says what is wrong, never a crash or a hang."""

import fcntl
import os
import resource
import socket

import harness
from harness import HEADER, SOURCE, SkincheckTest, csv_rows, model_id, without_time
from images import BLACK, WHITE, bmp, chunk, drawn, jpeg_of_claimed_size, png, png_header


class OneByOne(SkincheckTest):
    def check(self, path: str, status: str, text: str = "", **options) -> None:
        """The row of `path`, between two good ones: its fault touches nobody else."""
        self.write("good.png", png())
        result = self.score("--", "good.png", path, "good.png", **options)
        self.assert_statuses(result, ("good.png", "ok"), (path, status), ("good.png", "ok"))
        bad = csv_rows(result.stdout)[1]
        self.assertIn(text, bad["error"])
        self.assertNotIn("\n", bad["error"])
        self.assertEqual(("0.5", model_id()), (bad["threshold"], bad["model"]))

    def test_a_missing_file(self):
        self.check("gone.png", "not_found", "no such file")

    def test_a_missing_folder(self):
        self.check("gone/a.png", "not_found")

    def test_a_file_in_place_of_a_folder(self):
        self.write("a.png", png())
        self.check("a.png/b.png", "not_found")

    def test_an_empty_path_is_no_way_to_the_current_folder(self):
        self.check("", "not_found", "the path is empty")

    def test_the_whole_line_of_a_missing_file(self):
        result = self.score("gone.png")
        self.assertEqual(
            (HEADER + f"gone.png,not_found,,,0.5,{model_id()},no such file\n").encode(), result.stdout
        )
        self.assertEqual(1, result.code)

    def test_a_directory_through_a_list(self):
        os.mkdir(self.path("folder.png"))
        self.write("good.png", png())
        self.assert_statuses(
            self.score(stdin=b"folder.png\ngood.png\n"), ("folder.png", "not_a_file"), ("good.png", "ok")
        )

    def test_no_permission_for_a_file(self):
        powers = self.losing_root_powers()
        os.chmod(self.write("closed.png", png()), 0)
        self.check("closed.png", "denied", "permission", preexec_fn=powers)

    def test_no_permission_for_a_directory(self):
        powers = self.losing_root_powers()
        for name in ("drop/a.png", "drop/closed/b.png", "drop/z.png"):
            self.write(name, png())
        os.chmod(self.path("drop/closed"), 0)
        self.assert_statuses(
            self.score("drop", preexec_fn=powers),
            ("drop/a.png", "ok"),
            ("drop/closed", "denied"),
            ("drop/z.png", "ok"),
        )
        self.assert_statuses(self.score("drop/closed", preexec_fn=powers), ("drop/closed", "denied"))
        self.assert_statuses(
            self.score("drop/closed/b.png", preexec_fn=powers), ("drop/closed/b.png", "denied")
        )

    def test_an_empty_file(self):
        self.write("empty.jpg", "")
        self.check("empty.jpg", "empty", "empty")

    def test_text_named_jpg(self):
        self.write("text.jpg", "This is no picture.\n")
        self.check("text.jpg", "unsupported")

    def test_an_image_whose_ending_lies_is_read_for_what_it_is(self):
        self.write("really-png.jpg", png())
        self.check("really-png.jpg", "ok")

    def test_a_bad_check_sum_in_a_png(self):
        data = bytearray(png(WHITE, 64, 64))
        data[data.index(b"IDAT") + 10] ^= 0x40
        self.write("bad.png", data)
        self.check("bad.png", "corrupt")

    def test_a_png_and_a_bmp_that_end_early(self):
        for name, data in (("cut.png", png(WHITE, 64, 64)), ("cut.bmp", bmp(WHITE, 64, 64))):
            with self.subTest(name):
                self.write(name, data[: -len(data) // 3])
                self.check(name, "truncated")

    def test_one_pixel_is_an_image(self):
        self.write("tiny.png", png(WHITE, 1, 1))
        self.write("tiny.jpg", drawn(".jpg", 1, 1, WHITE))
        self.check("tiny.png", "ok")
        self.check("tiny.jpg", "ok")

    def test_a_tiff_whose_decoder_would_end_the_run_or_take_all_memory(self):
        for name, compression in (("jbig_abort.tif", 34661), ("lzma_4_gib.tif", 34925)):
            with self.subTest(name):
                self.write(name, (SOURCE / "tests/fuzz/corpus/image" / name).read_bytes())
                self.check(name, "unsupported", f"compression {compression}")

    def test_a_header_that_claims_too_many_pixels(self):
        self.write("huge.png", png_header(30000, 30000) + chunk(b"IDAT", b"x\x9c") + chunk(b"IEND", b""))
        self.write("huge.jpg", jpeg_of_claimed_size(drawn(".jpg", 16, 16, WHITE), 30000, 30000))
        self.write("huge.bmp", bmp().replace(b"\x10\0\0\0\x10\0\0\0", (30000).to_bytes(4, "little") * 2))
        for name in ("huge.png", "huge.jpg", "huge.bmp"):
            with self.subTest(name):
                self.check(name, "too_large", "30000x30000")
        # The pixels alone would be 2.7 GB.
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        self.assertLess(peak, 1_500_000_000)

    def test_a_fifo_is_not_waited_for(self):
        os.mkfifo(self.path("fifo.png"))
        self.check("fifo.png", "not_a_file", "FIFO")

    def test_a_fifo_in_a_directory(self):
        self.write("drop/a.png", png())
        os.mkfifo(self.path("drop/b.png"))
        self.assert_statuses(self.score("drop"), ("drop/a.png", "ok"), ("drop/b.png", "not_a_file"))

    def test_a_socket(self):
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(self.path("socket.png"))
            self.check("socket.png", "not_a_file")

    def test_devices_are_not_read_for_ever(self):
        for device in ("/dev/null", "/dev/zero"):
            with self.subTest(device):
                self.need_device(device)
                self.check(device, "not_a_file", "device")

    def test_nothing_of_the_decoders_reaches_standard_error(self):
        self.write("cut.jpg", drawn(".jpg", 64, 64)[:-100])
        self.write("cut.tif", drawn(".tif", 64, 64)[:200])
        self.write("damaged.webp", drawn(".webp", 64, 64)[:60])
        result = self.score("-q", "cut.jpg", "cut.tif", "damaged.webp")
        self.assertEqual(1, result.code)
        self.assertEqual(b"", result.stderr)
        self.assertEqual([""] * 3, [row["malignancy"] for row in csv_rows(result.stdout)])

    def test_an_output_that_is_no_number(self):
        self.write("white.png", png(WHITE))
        self.write("black.png", png(BLACK))
        result = self.score("black.png", "white.png", "black.png", model="tiny-nan")
        self.assert_statuses(result, ("black.png", "ok"), ("white.png", "model_error"), ("black.png", "ok"))

    def test_no_number_for_any_image(self):
        self.write("white.png", png(WHITE))
        result = self.score("white.png", "white.png", "-o", "r.csv", model="tiny-nan")
        self.assertEqual(3, result.code)
        self.assertIn(b"error: the network gave no finite number for any image", result.stderr)
        self.assertEqual(["model_error"] * 2, [row["status"] for row in csv_rows(self.read("r.csv"))])


class CutJpeg(SkincheckTest):
    def setUp(self):
        super().setUp()
        whole = drawn(".jpg", 320, 240)
        data = whole.index(b"\xff\xda") + 14  # behind the header of the scan
        self.names = []
        for tenth in range(10):
            self.names.append(f"cut{tenth}.jpg")
            self.write(self.names[-1], whole[: data + (len(whole) - 2 - data) * (2 * tenth + 1) // 20])
        self.write("whole.jpg", whole)

    def test_cut_at_any_of_ten_places_it_is_never_scored(self):
        self.assert_statuses(
            self.score("whole.jpg", *self.names),
            ("whole.jpg", "ok"),
            *((name, "truncated") for name in self.names),
        )

    def test_allowed_it_is_scored_and_its_status_stays(self):
        result = self.score("--allow-truncated", "whole.jpg", *self.names)
        rows = csv_rows(result.stdout)
        self.assertEqual(["ok"] + ["truncated"] * 10, [row["status"] for row in rows])
        self.assertEqual(1, result.code)
        scored = sum(row["malignancy"] != "" for row in rows)
        self.assertRegex(
            without_time(result.stderr),
            rf"\Askincheck: 11 images: {scored} scored \(\d+ malignant, \d+ benign\), {scored - 1} of them truncated, "
            + (f"{11 - scored} failed \\({11 - scored} truncated\\)" if scored < 11 else "0 failed")
            + "; TIME\n\\Z",
        )
        for row in rows[2:]:  # of the first a few blocks may be there or none
            self.assertRegex(row["malignancy"], r"\A[01]\.\d{6}\Z")
            self.assertIn(row["label"], ("benign", "malignant"))
            self.assertNotEqual("", row["error"])
        # The more of it is there, the nearer to the whole: what is missing is grey.
        distances = [
            abs(float(row["malignancy"]) - float(rows[0]["malignancy"])) for row in (rows[2], rows[-1])
        ]
        self.assertLess(distances[1], distances[0])

    def test_the_mere_end_marker_missing_is_an_early_end_too(self):
        self.write("no-end.jpg", drawn(".jpg", 320, 240)[:-2])
        self.assert_statuses(self.score("no-end.jpg"), ("no-end.jpg", "truncated"))

    def test_cut_within_the_header(self):
        for length in (2, 3, 30, 200):
            with self.subTest(length):
                self.write("header.jpg", drawn(".jpg", 320, 240)[:length])
                for options in ([], ["--allow-truncated"]):
                    self.assert_statuses(self.score(*options, "header.jpg"), ("header.jpg", "truncated"))


class UnderWay(SkincheckTest):
    def test_a_file_that_vanishes_before_its_turn(self):
        for name in ("a.png", "b.png"):
            self.write(name, png())
        running = self.start("-q")
        running.feed("a.png\n")
        self.assertEqual(HEADER.encode(), running.line())
        self.assertTrue(running.line().startswith(b"a.png,ok,"))
        os.remove(self.path("b.png"))
        running.feed("b.png\na.png\n")
        result = running.finish()
        self.assertEqual(1, result.code)
        self.assertEqual(
            [b"b.png,not_found", b"a.png,ok"],
            [b",".join(line.split(b",")[:2]) for line in result.stdout.splitlines()],
        )

    def test_files_of_a_directory_that_vanish_while_it_is_scored(self):
        """Nobody reads the rows, so the run comes to a stop soon; what it has not come to is removed."""
        names = [f"drop/{number:03}{'x' * 200}.png" for number in range(100)]
        for name in names:
            self.write(name, png())
        running = self.start("-q", "drop", "--jobs", "2")
        fcntl.fcntl(running.process.stdout, fcntl.F_SETPIPE_SZ, 4096)  # room for fewer than twenty rows
        first = running.line() + running.line()  # with the first row the directory has been read
        for name in names[70:]:
            os.remove(self.path(name))
        result = running.finish()
        self.assert_statuses(
            result._replace(stdout=first + result.stdout),
            *((name, "ok") for name in names[:70]),
            *((name, "not_found") for name in names[70:]),
        )

    def test_ten_thousand_bad_files_among_ten_good_ones(self):
        self.write("good.png", png())
        self.write("empty.png", "")
        self.write("text.jpg", "no picture")
        self.write("cut.jpg", drawn(".jpg", 64, 64)[:-50])
        self.write("huge.png", png_header(30000, 30000) + chunk(b"IDAT", b"x\x9c") + chunk(b"IEND", b""))
        os.mkdir(self.path("folder.png"))
        os.mkfifo(self.path("fifo.png"))
        bad = [
            ("gone.png", "not_found"),
            ("empty.png", "empty"),
            ("text.jpg", "unsupported"),
            ("cut.jpg", "truncated"),
            ("huge.png", "too_large"),
            ("folder.png", "not_a_file"),
            ("fifo.png", "not_a_file"),
        ]
        expected = [bad[number % len(bad)] for number in range(10_000)]
        for number in range(10):
            expected.insert(number * 1001, ("good.png", "ok"))
        result = self.score(stdin="".join(f"{path}\n" for path, _ in expected).encode())
        self.assertEqual(10_010, len(expected))
        self.assert_statuses(result, *expected, code=1)
        self.assertIn(b"10010 images: 10 scored (10 malignant, 0 benign), 10000 failed (", result.stderr)


if __name__ == "__main__":
    harness.main()
