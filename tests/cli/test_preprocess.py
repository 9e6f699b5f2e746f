"""skincheck preprocess: what the network would see, as PNG files under a folder, and a row for each input."""

import itertools
import json
import os
import resource
import shutil
import signal
import stat
import struct
import zlib

import harness
from harness import MODELS, SkincheckTest, csv_rows, model_spec, without_time
from images import BLACK, BLUE, GREEN, WHITE, chunk, drawn, png, png_of, read_png, with_orientation

HEADER = "path,status,output,error\n"
USAGE, UNUSABLE, OUTPUT_FAILED = 2, 3, 4


class Files(SkincheckTest):
    def pixels(self, name: str) -> list[list[tuple]]:
        return read_png(self.read(name))

    def test_a_png_of_the_networks_size_and_a_row(self):
        self.write("blue.png", png(BLUE, 40, 30))
        result = self.preprocess("blue.png", "gone.png", "--output", "out")
        self.assertEqual(1, result.code)
        self.assertEqual(
            (HEADER + "blue.png,ok,out/blue.png.png,\n" + "gone.png,not_found,,no such file\n").encode(),
            result.stdout,
        )
        self.assertEqual(
            "skincheck: 2 images: 1 written, 1 failed (1 not_found); TIME\n", without_time(result.stderr)
        )
        self.assertEqual([[BLUE] * 16] * 16, self.pixels("out/blue.png.png"))
        self.assertEqual(["blue.png.png"], self.listing("out"))

    def test_the_paths_are_mirrored(self):
        for name in ("drop/a.png", "drop/deep/er/b.png", "drop/a.bmp.png"):
            self.write(name, png())
        result = self.preprocess("drop", "./drop/a.png", self.path("drop/a.png"), "--output", "made/out/")
        self.assert_ok(result)
        inside = "_" + self.path("drop/a.png")
        self.assertEqual(
            [
                ("drop/a.bmp.png", "made/out/drop/a.bmp.png.png"),
                ("drop/a.png", "made/out/drop/a.png.png"),
                ("drop/deep/er/b.png", "made/out/drop/deep/er/b.png.png"),
                ("./drop/a.png", "made/out/drop/a.png.png"),
                (self.path("drop/a.png"), f"made/out/{inside}.png"),
            ],
            [(row["path"], row["output"]) for row in csv_rows(result.stdout)],
        )
        for row in csv_rows(result.stdout):
            self.assertEqual([[WHITE] * 16] * 16, self.pixels(row["output"]))

    def test_same_names_with_other_endings_do_not_meet(self):
        self.write("a.jpg", drawn(".jpg", 16, 16, BLACK))
        self.write("a.png", png(GREEN))
        self.assert_ok(self.preprocess("a.jpg", "a.png", "-o", "out"))
        self.assertEqual([[GREEN] * 16] * 16, self.pixels("out/a.png.png"))
        self.assertEqual([[BLACK] * 16] * 16, self.pixels("out/a.jpg.png"))

    def test_no_two_files_meet_in_one(self):
        colours = itertools.product((0, 60, 120), repeat=3)
        inputs = {}
        absolute = self.path("a.png")
        for name in (
            absolute,
            absolute.lstrip("/"),
            "_" + absolute,
            "___" + absolute,
            "../b.png",
            "__/b.png",
            "____/b.png",
            "_____",
        ):
            inputs[name] = next(colours)
            self.write(os.path.join("work/", name), png(inputs[name]))
        result = self.preprocess(*inputs, "-o", "out", cwd_below="work")
        self.assert_ok(result)
        outputs = [row["output"] for row in csv_rows(result.stdout)]
        self.assertEqual(len(inputs), len(set(outputs)))
        for colour, output in zip(inputs.values(), outputs, strict=True):
            self.assertEqual([[colour] * 16] * 16, self.pixels("work/" + output))

    def test_a_second_run_does_not_take_the_first_ones_files_for_images(self):
        for name in ("a.png", "drop/b.png"):
            self.write(name, png())
        for folder in (".", "..", self.path()):
            for _ in range(2):
                where = os.path.join(folder, os.path.basename(self.folder)) if folder == ".." else folder
                result = self.preprocess(where, "-o", "drop/seen")
                self.assert_ok(result)
                self.assertEqual(2, len(csv_rows(result.stdout)))
                self.assertIn(b"the folder of the output is left out", result.stderr)

    def test_the_folder_may_be_the_one_where_it_runs(self):
        self.write("a.png", png())
        for folder in (".", "./", self.folder):
            with self.subTest(folder):
                result = self.preprocess("a.png", "--output", folder)
                self.assert_ok(result)
                self.assertEqual(["a.png", "a.png.png"], self.listing())

    def test_an_input_that_was_named_is_not_replaced(self):
        self.write("a.jpg", png())
        self.write("a.jpg.png", png(WHITE))
        result = self.preprocess("a.jpg", "./a.jpg.png", "--output", ".")
        self.assert_fails_with(result, USAGE, "take the place of an input", "a.jpg.png")
        self.assertEqual(png(WHITE), self.read("a.jpg.png"))
        self.write("drop/a.jpg", png())
        self.write("out/drop/a.jpg.png", png(WHITE))
        result = self.preprocess("drop", "out/drop/a.jpg.png", "--output", "out")
        self.assertEqual(1, result.code)
        self.assertIn(b"drop/a.jpg,io_error,,its PNG cannot be written: an input has its name\n", result.stdout)
        self.assertEqual(png(WHITE), self.read("out/drop/a.jpg.png"))

    def test_it_does_not_write_into_a_folder_that_it_searches(self):
        self.write("drop/a.png", png())
        for arguments in (["drop", "--output", "."], ["drop/", "--output", self.folder], [".", "--output", "."],
                          ["./drop/../drop", "--output", "."], ["drop", "--output", "drop"], ["drop/", "--output", "./drop"]):
            with self.subTest(arguments):
                self.assert_fails_with(self.preprocess(*arguments), USAGE, "name another one")
        self.assertEqual(["a.png"], self.listing("drop"))

    def test_nothing_is_written_outside_the_folder(self):
        self.write("a.png", png())
        self.write("work/b/c.png", png())
        result = self.preprocess(
            "../a.png", "b/../../a.png", "b/../b/c.png", "--output", "../out", cwd_below="work"
        )
        self.assert_ok(result)
        self.assertEqual(["a.png", "out", "work"], self.listing())
        self.assertEqual(["b"], self.listing("work"))
        for row in csv_rows(result.stdout):
            path = os.path.realpath(os.path.join(self.path("work"), row["output"]))
            self.assertTrue(path.startswith(self.path("out") + "/"), row)
            self.assertTrue(os.path.isfile(path), row)

    def preprocess(self, *arguments, cwd_below: str = "", **options):
        if not cwd_below:
            return super().preprocess(*arguments, **options)
        whole, self.folder = self.folder, self.path(cwd_below)
        try:
            return super().preprocess(*arguments, **options)
        finally:
            self.folder = whole

    def test_names_of_every_kind(self):
        names = [b"caf\xe9.png", b'a,"b".png', b"new\nline.png", b"[x].png"]
        for name in names:
            self.write(name, png())
        result = self.preprocess("-0", "-o", "out", stdin=b"\0".join(names))
        self.assert_ok(result)
        self.assertEqual(
            [os.fsdecode(b"out/" + name + b".png") for name in names],
            [row["output"] for row in csv_rows(result.stdout)],
        )
        for name in names:
            self.assertEqual([[WHITE] * 16] * 16, read_png(self.read(b"out/" + name + b".png")))

    def test_a_name_that_leaves_no_room_for_the_ending_is_a_row(self):
        name = "x" * 251 + ".png"
        self.write(name, png())
        self.write("a.png", png())
        result = self.preprocess(name, "a.png", "-o", "out")
        self.assertEqual(1, result.code)
        self.assertEqual(
            [(name, "io_error"), ("a.png", "ok")],
            [(row["path"], row["status"]) for row in csv_rows(result.stdout)],
        )
        self.assertEqual(["a.png.png"], self.listing("out"))

    def test_cut_jpegs(self):
        self.write("cut.jpg", drawn(".jpg", 64, 64)[:-200])
        rows = csv_rows(self.preprocess("cut.jpg", "-o", "out").stdout)
        self.assertEqual(("truncated", ""), (rows[0]["status"], rows[0]["output"]))
        result = self.preprocess("cut.jpg", "-o", "out", "--allow-truncated")
        self.assertEqual(1, result.code)
        row = csv_rows(result.stdout)[0]
        self.assertEqual(("truncated", "out/cut.jpg.png"), (row["status"], row["output"]))
        self.assertEqual(16, len(self.pixels("out/cut.jpg.png")))

    def test_any_number_of_jobs_gives_the_same_bytes_in_order(self):
        for number in range(12):
            self.write(f"drop/{number:02}.png", png((number * 20, 9, 99), 30 + number, 50))
        outputs = []
        for jobs in ("1", "4"):
            result = self.preprocess("drop", "-o", "out", "--jobs", jobs)
            outputs.append(
                (result.stdout, [self.read("out/drop/" + name) for name in self.listing("out/drop")])
            )
        self.assertEqual(outputs[0], outputs[1])
        self.assertEqual(12, len(outputs[0][1]))

    def test_the_weights_are_not_needed(self):
        self.write("a.png", png())
        shutil.copytree(MODELS / "tiny-sigmoid", self.path("model"))
        os.remove(self.path("model/model.onnx"))
        self.assert_ok(self.run_skincheck("preprocess", "--model", "model/", "-o", "out", "a.png"))

    def test_what_is_written_scores_as_the_image_did(self):
        self.write("lesion.jpg", drawn(".jpg", 100, 75))
        self.assert_ok(self.preprocess("lesion.jpg", "-o", "out"))
        rows = csv_rows(self.score("lesion.jpg", "out/lesion.jpg.png").stdout)
        self.assertEqual(rows[0]["malignancy"], rows[1]["malignancy"])

    def test_steps_that_clean_are_carried_out(self):
        """A median filter takes a single bright pixel away; the network's own steps are data."""
        spec = model_spec("tiny-sigmoid")
        spec["preprocess"].append({"op": "median", "size": 3})
        self.write("model/model.json", json.dumps(spec))
        rows = [[BLACK] * 16 for _ in range(16)]
        rows[8][8] = WHITE
        self.write("speck.png", png_of(rows))
        self.assert_ok(self.run_skincheck("preprocess", "--model", "model/", "-o", "clean", "speck.png"))
        self.assert_ok(self.preprocess("-o", "plain", "speck.png"))
        self.assertEqual([[BLACK] * 16] * 16, read_png(self.read("clean/speck.png.png")))
        self.assertEqual(rows, read_png(self.read("plain/speck.png.png")))


class Colours(SkincheckTest):
    """Of PNGs that are not the usual eight bits of red, green and blue."""

    def check(self, expected: tuple, bits: int, kind: int, pixel: bytes, *chunks: bytes) -> None:
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, bits, kind, 0, 0, 0))
        pixels = chunk(b"IDAT", zlib.compress((b"\0" + pixel * 16) * 16))
        self.write("a.png", b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels + chunk(b"IEND", b""))
        self.assert_ok(self.preprocess("a.png", "-o", "out"))
        self.assertEqual([[expected] * 16] * 16, read_png(self.read("out/a.png.png")))

    def test_grey(self):
        self.check((200, 200, 200), 8, 0, b"\xc8")

    def test_palette(self):
        self.check((10, 20, 30), 8, 3, b"\1", chunk(b"PLTE", bytes([1, 2, 3, 10, 20, 30])))

    def test_sixteen_bits(self):
        self.check((128, 64, 255), 16, 2, struct.pack(">HHH", 128 * 257, 64 * 257, 65535))

    def test_interlaced(self):
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 0, 0, 0, 1))
        passes = bytes([0, 10]) + bytes([0, 60]) + bytes([0, 110, 160])  # the first, the sixth, the seventh
        pixels = chunk(b"IDAT", zlib.compress(passes))
        self.write("a.png", b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b""))
        self.assert_ok(self.preprocess("a.png", "-o", "out"))
        rows = read_png(self.read("out/a.png.png"))
        self.assertEqual([10, 60], [rows[0][0][0], rows[0][-1][0]])
        self.assertEqual([110, 160], [rows[-1][0][0], rows[-1][-1][0]])

    def test_alpha_is_laid_over_white(self):
        self.check((1, 2, 3), 8, 6, bytes([1, 2, 3, 0]))  # nothing but clear pixels: it is ignored
        self.check((1, 2, 3), 8, 6, bytes([1, 2, 3, 255]))
        self.check((204, 255, 255), 8, 6, bytes([0, 255, 255, 51]))
        self.check((204, 204, 204), 8, 4, bytes([0, 51]))

    def test_a_colour_that_is_transparent(self):
        clear = chunk(b"tRNS", struct.pack(">HHH", 9, 9, 9))
        self.check((9, 9, 9), 8, 2, bytes([9, 9, 9]), clear)  # the same


def transposed(rows: list[list]) -> list[list]:
    return [list(column) for column in zip(*rows, strict=True)]


class Orientation(SkincheckTest):
    """Of a camera that was held the other way: all eight values that EXIF has."""

    TURNED = {
        1: lambda rows: rows,
        2: lambda rows: [row[::-1] for row in rows],
        3: lambda rows: [row[::-1] for row in rows[::-1]],
        4: lambda rows: rows[::-1],
        5: lambda rows: transposed(rows),
        6: lambda rows: transposed(rows[::-1]),
        7: lambda rows: transposed([row[::-1] for row in rows[::-1]]),
        8: lambda rows: transposed(rows)[::-1],
    }

    def test_each_is_turned_upright(self):
        jpeg = drawn(".jpg", 48, 32)
        self.write("plain.jpg", jpeg)
        for orientation in self.TURNED:
            self.write(f"{orientation}.jpg", with_orientation(jpeg, orientation))
        names = [f"{orientation}.jpg" for orientation in self.TURNED]
        self.assert_ok(self.preprocess("plain.jpg", *names, "-o", "out"))
        plain = read_png(self.read("out/plain.jpg.png"))
        for orientation, turn in self.TURNED.items():
            with self.subTest(orientation):
                actual = read_png(self.read(f"out/{orientation}.jpg.png"))
                difference = max(
                    abs(a - b)
                    for expected_row, row in zip(turn(plain), actual, strict=True)
                    for expected, pixel in zip(expected_row, row, strict=True)
                    for a, b in zip(expected, pixel, strict=True)
                )
                self.assertLessEqual(difference, 1)
        # The picture has a top and a left, or the test would show nothing.
        self.assertEqual(8, len({self.read(f"out/{name}.png") for name in names}))


class Failures(SkincheckTest):
    def setUp(self):
        super().setUp()
        self.write("a.png", png())

    def test_without_a_folder(self):
        self.assert_fails_with(self.preprocess("a.png"), USAGE, "--output DIR")
        self.assert_fails_with(self.preprocess("a.png", "--output="), USAGE, "--output")

    def test_a_folder_that_may_not_be_written(self):
        powers = self.losing_root_powers()
        os.mkdir(self.path("closed"), 0o555)
        for folder in ("closed", "closed/below"):
            with self.subTest(folder):
                result = self.preprocess("a.png", "a.png", "--output", folder, preexec_fn=powers)
                self.assertEqual(OUTPUT_FAILED, result.code, result)
                self.assertRegex(result.stderr.decode(), r"\Askincheck: error: [^\n]*closed[^\n]*\n\Z")
        self.assertEqual([], self.listing("closed"))

    def test_one_output_that_cannot_be_written_is_a_row(self):
        powers = self.losing_root_powers()
        os.chmod(self.write("out/locked.png.png", "old"), 0o444)
        os.makedirs(self.path("out/closed"), 0o555)
        os.makedirs(self.path("out/folder.png.png"))
        os.mkfifo(self.path("out/fifo.png.png"))
        self.write("elsewhere", "old")
        os.symlink("../elsewhere", self.path("out/link.png.png"))
        self.write("out/file", "old")
        bad = ["locked.png", "closed/a.png", "folder.png", "fifo.png", "link.png", "file/a.png"]
        for name in bad:
            self.write(name, png())
        result = self.preprocess(*bad, "a.png", "-o", "out", preexec_fn=powers)
        self.assertEqual(1, result.code, result)
        rows = csv_rows(result.stdout)
        self.assertEqual(["io_error"] * 6 + ["ok"], [row["status"] for row in rows])
        for row in rows[:-1]:
            self.assertIn("its PNG cannot be written", row["error"])
        self.assertEqual(b"old", self.read("out/locked.png.png"))
        self.assertEqual(b"old", self.read("elsewhere"))

    def test_a_full_disk_ends_the_run(self):
        def small_disk():
            resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        result = self.preprocess("a.png", "a.png", "-o", "out", preexec_fn=small_disk)
        self.assertEqual(OUTPUT_FAILED, result.code)
        self.assertIn(b"File too large", result.stderr)
        self.assertEqual([], self.listing("out"))

    def test_a_file_in_place_of_the_folder(self):
        self.write("file", "old")
        self.assertEqual(OUTPUT_FAILED, self.preprocess("a.png", "--output", "file").code)
        self.assertEqual(b"old", self.read("file"))

    def test_standard_output_that_is_full(self):
        self.need_device("/dev/full")
        with open("/dev/full", "wb") as full:
            result = self.preprocess("a.png", "--output", "out", stdout=full)
        self.assertEqual(OUTPUT_FAILED, result.code)
        self.assertRegex(result.stderr.decode(), r"\Askincheck: error: [^\n]*No space left[^\n]*\n\Z")

    def test_no_temporary_files_are_left(self):
        self.assert_ok(self.preprocess("a.png", "a.png", "-o", "out", preexec_fn=lambda: os.umask(0o022)))
        self.assertEqual(["a.png.png"], self.listing("out"))
        self.assertEqual(0o644, stat.S_IMODE(os.stat(self.path("out/a.png.png")).st_mode))


if __name__ == "__main__":
    harness.main()
