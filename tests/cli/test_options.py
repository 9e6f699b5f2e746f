"""The options: what they accept and refuse, each with one line; devices; messages; progress on a terminal."""

import json
import math
import os
import re
import shutil
import subprocess

import harness
import onnx_bytes as onnx
from harness import (
    EXECUTABLE,
    HEADER,
    MODELS,
    SkincheckTest,
    csv_rows,
    environment,
    model_id,
    row,
    without_time,
)
from hostile import Hostile
from images import BLACK, SCORES, WHITE, drawn, png, png_of

USAGE, UNUSABLE = 2, 3
SUMMARY = "skincheck: 1 image: 1 scored (1 malignant, 0 benign), 0 failed; TIME\n"


class CommandLine(SkincheckTest):
    def setUp(self):
        super().setUp()
        self.write("a.png", png())

    def test_what_is_no_option(self):
        for option in ("--bogus=1", "-x", "-qx", "--outputs"):
            with self.subTest(option):
                self.assert_fails_with(self.score(option, "a.png"), USAGE)
        self.assert_fails_with(self.score("a.png", "--bogus"), USAGE, "unknown option '--bogus'", "--")

    def test_what_preprocess_has_no_use_for(self):
        for option in (
            "--threshold=0.5",
            "--format=csv",
            "--device=cpu",
            "--batch-size=1",
            "--precision=fp32",
        ):
            with self.subTest(option):
                self.assert_fails_with(
                    self.preprocess("a.png", "--output", "out", option), USAGE, option.split("=")[0]
                )

    def test_options_that_lack_their_value(self):
        for option in ("--output", "--format", "--jobs", "--model", "--files-from", "--device"):
            with self.subTest(option):
                self.assert_fails_with(self.score("a.png", option), USAGE, option, "a value is missing")

    def test_empty_values(self):
        options = "--files-from --include --exclude --model --threshold --format --output --jobs --device "
        for option in (options + "--precision --batch-size").split():
            for arguments in ([f"{option}=", "a.png"], ["a.png", option, ""], [option, "", "a.png"]):
                with self.subTest(arguments):
                    self.assert_fails_with(self.score(*arguments), USAGE, option, "empty")
        for arguments in (["-o", ""], ["-j", ""]):
            self.assert_fails_with(self.score("a.png", *arguments), USAGE, "empty")
        self.assert_fails_with(self.preprocess("a.png", "-o", ""), USAGE, "--output", "empty")
        self.assertEqual(png(), self.read("a.png"))
        self.assertEqual(["a.png"], self.listing())

    def test_empty_arguments(self):
        for arguments in (["model", ""], ["merge", ""], ["merge", "a.csv", ""], ["evaluate", "--truth", "t.csv", ""]):
            with self.subTest(arguments):
                self.assert_fails_with(self.run_skincheck(*arguments), USAGE, "an argument is empty")
        self.assert_statuses(self.score("", "a.png"), ("", "not_found"), ("a.png", "ok"))

    def test_flags_take_no_value(self):
        for flag in ("--resume=no", "--hidden=0", "--no-progress=1", "--quiet=maybe", "--help=", "--null=true"):
            with self.subTest(flag):
                result = self.score(flag, "-o", "r.csv", "a.png")
                self.assert_fails_with(result, USAGE, f"{flag}: it takes no value")
        self.assertEqual(["a.png"], self.listing())

    def test_help_is_an_option(self):
        for arguments in (["help"], ["help", "evaluate"]):
            with self.subTest(arguments):
                self.assert_fails_with(self.score(*arguments), USAGE, "--help")
        self.write("help", png())
        self.assert_statuses(self.score("help"), ("help", "ok"))

    def test_a_folder_of_images_is_no_standard_output(self):
        self.assert_fails_with(self.preprocess("a.png", "-o", "-"), USAGE, "--output -", "name a folder")
        self.assertEqual(["a.png"], self.listing())

    def test_an_image_is_no_output(self):
        for name in ("a.png", "new.JPG", "folder/b.tiff"):
            with self.subTest(name):
                self.assert_fails_with(self.score("-o", name, "a.png"), USAGE, f"--output {name}", "image")
        self.assertEqual((png(), ["a.png"]), (self.read("a.png"), self.listing()))

    def test_the_command_comes_first(self):
        for arguments in (["-q", "preprocess", "-o", "out"], ["a.png", "preprocess"]):
            with self.subTest(arguments):
                self.assert_fails_with(
                    self.score(*arguments), USAGE, "preprocess comes first", "./preprocess"
                )
        self.assert_statuses(self.score("--", "preprocess"), ("preprocess", "not_found"))
        self.write("preprocess", png())
        self.assert_statuses(self.score("-q", "preprocess"), ("preprocess", "ok"))

    def test_jobs_follow_the_cores_that_are_left(self):
        core = min(os.sched_getaffinity(0))
        result = self.score("-v", "a.png", preexec_fn=lambda: os.sched_setaffinity(0, {core}))
        self.assert_ok(result)
        self.assertIn(b"jobs 1,", result.stderr)

    def test_whole_numbers(self):
        for option, texts in (
            ("--jobs", ("0", "-1", "x", "", "1.5", "2x", "99999999999999999999")),
            ("--batch-size", ("0", "-1", "x")),
        ):
            for text in texts:
                with self.subTest(option=option, text=text):
                    self.assert_fails_with(self.score("a.png", f"{option}={text}"), USAGE, option)
        self.assert_fails_with(self.score("a.png", "--jobs", "-1"), USAGE, "--jobs")
        self.assert_ok(self.score("a.png", "-j", "2", "--batch-size", "3"))

    def test_options_may_stand_behind_the_paths(self):
        self.assert_ok(
            self.score("a.png", "-q", "--threshold", "0.3"),
            HEADER + row("a.png", SCORES[WHITE], "malignant", threshold="0.3"),
        )

    def test_of_an_option_that_is_given_twice_the_last_counts(self):
        result = self.score("a.png", "-q", "--threshold", "0.3", "-j", "1", "--threshold", "0.4", "--jobs=2",
                            "-o", "one.csv", "-o", "two.csv")
        self.assert_ok(result)
        self.assertEqual(["a.png", "two.csv"], self.listing())
        self.assertIn(row("a.png", SCORES[WHITE], "malignant", threshold="0.4").encode(), self.read("two.csv"))

    def test_a_threshold_by_its_name(self):
        self.assert_fails_with(
            self.score("a.png", "--threshold", "youden"),
            USAGE, f"'youden' is not a number from 0 to 1, and no operating point of {model_id()}, which has none",
        )
        shutil.copytree(MODELS / "tiny-sigmoid", self.path("model"))
        spec = json.loads(self.read("model/model.json"))
        spec["operating_points"] = [
            {"name": name, "threshold": threshold, "sensitivity": 0.5, "specificity": 0.5}
            for name, threshold in (("sensitivity-90", 0.25), ("youden", 0.75), ("90-\u00e4", 0.3))
        ]
        self.write("model/model.json", json.dumps(spec))
        score = ["--model", "model/", "-q", "a.png", "--threshold"]
        for names, threshold in ((["youden"], 0.75), (["youden", "--threshold", "sensitivity-90"], 0.25),
                                 (["youden", "--threshold", "0.1"], 0.1), (["90-\u00e4"], 0.3)):
            label = "malignant" if float(SCORES[WHITE]) >= threshold else "benign"
            expected = HEADER + row("a.png", SCORES[WHITE], label, threshold=str(threshold))
            self.assert_ok(self.run_skincheck(*score, *names), expected)
        self.assert_fails_with(self.run_skincheck(*score, "Youden"), USAGE, "which has sensitivity-90, youden, 90-")

    def test_quiet_and_verbose_exclude_each_other(self):
        self.assert_fails_with(self.score("a.png", "-q", "-v"), USAGE)

    def test_version(self):
        for arguments in (["--version"], ["-V"], ["preprocess", "-V"], ["evaluate", "--version"]):
            result = self.run_skincheck(*arguments)
            self.assert_ok(result)
            self.assertEqual(b"", result.stderr)
            first, *lines = result.stdout.decode().removesuffix("\n").split("\n")
            self.assertRegex(first, r"\Askincheck \d+\.\d+\.\d+\Z")
            told = dict(re.split(r" {2,}", line, maxsplit=1) for line in lines)
            for name, pattern in (
                ("build", r"[A-Za-z]+ \d+\.\d+"),
                ("OpenCV", r"\d+\.\d+\.\d+"),
                ("devices", r"cpu opencv fp32"),
                ("decoders", r"libjpeg\S* \d.*, libpng \d.*, LIBTIFF, Version \d.*, libwebp \d"),
                ("processor", r"\d+ cores .* OpenCV uses \S"),
                ("system", r"Linux .* glibc \d"),
                ("model path", r"not set"),
                ("model", r"skincheck-resnet50"),
            ):
                self.assertRegex(told.pop(name), pattern)
            self.assertEqual({}, told)

    def test_version_tells_which_model_there_is(self):
        model = shutil.copytree(MODELS / "tiny-sigmoid", self.path("models/skincheck-resnet50"))
        for folder in (self.path("models"), "/nowhere:" + self.path("models")):
            told = self.run_skincheck("-V", env={"SKINCHECK_MODEL_PATH": folder}).stdout.decode()
            self.assertIn(f"\nmodel path  {folder}\n", told)
            self.assertTrue(told.endswith(f"\nmodel       {model_id()} in {model}\n"), told)
        self.write("models/skincheck-resnet50/model.json", "{")
        result = self.run_skincheck("-V", env={"SKINCHECK_MODEL_PATH": self.path("models")})
        self.assert_ok(result)
        self.assertRegex(result.stdout.decode(), r"\nmodel +\S+/skincheck-resnet50/model\.json: ")

    def test_help(self):
        for arguments in (
            ["--help"],
            ["-h"],
            ["--help", "a.png"],
            ["preprocess", "--help"],
            ["preprocess", "-h"],
        ):
            with self.subTest(arguments):
                result = self.run_skincheck(*arguments)
                self.assert_ok(result)
                self.assertEqual(b"", result.stderr)
                self.assertIn(b"Usage: skincheck", result.stdout)

    def test_help_into_a_full_device(self):
        self.need_device("/dev/full")
        with open("/dev/full", "wb") as full:
            self.assertEqual(4, self.run_skincheck("--help", stdout=full).code)


class Devices(SkincheckTest):
    def setUp(self):
        super().setUp()
        self.write("a.png", png())

    def without_cuda(self) -> None:
        if self.score("a.png", "--device", "cuda").code == 0:
            self.skipTest("there is a CUDA card that this OpenCV can use")

    def test_cpu(self):
        self.assert_ok(
            self.score("a.png", "--device", "cpu", "--engine", "opencv", "--precision", "fp32"),
            HEADER + row("a.png", SCORES[WHITE], "malignant"),
        )

    def test_auto_takes_the_cpu_where_there_is_nothing_else(self):
        self.without_cuda()
        for arguments in ([], ["--device", "auto"]):
            result = self.score("a.png", "--format", "json", *arguments)
            self.assert_ok(result)
            self.assertRegex(result.stdout, b'"device":"cpu","engine":"(opencv|openvino)","precision":"fp32"')

    def test_cuda_is_never_replaced_by_the_cpu(self):
        self.without_cuda()
        for device in ("cuda", "cuda:0"):
            with self.subTest(device):
                self.assert_fails_with(
                    self.score("a.png", "--device", device), UNUSABLE, f"--device {device}", "--device cpu"
                )

    def test_a_card_that_is_not_there(self):
        self.assert_fails_with(self.score("a.png", "--device", "cuda:999"), UNUSABLE, "--device cuda:999")

    def test_what_is_no_device(self):
        for device in ("bogus", "", "CPU", "cuda:", "cuda:-1", "cuda:0x"):
            with self.subTest(device):
                self.assert_fails_with(self.score("a.png", f"--device={device}"), USAGE, "--device")

    def test_fp16_needs_cuda(self):
        self.assert_fails_with(
            self.score("a.png", "--device", "cpu", "--precision", "fp16"), UNUSABLE, "--precision"
        )

    def test_an_engine_is_never_replaced_by_another(self):
        result = self.score("a.png", "--engine", "openvino", "--format", "json")
        if result.code == 0:
            self.assertIn(b'"engine":"openvino","precision":"fp32"', result.stdout)
            result = self.score("a.png", "--format", "json")
            self.assert_ok(result)
            self.assertIn(b'"engine":"openvino"', result.stdout)
        else:
            self.assert_fails_with(result, UNUSABLE, "--engine openvino", "use --engine opencv")

    def test_bf16_is_computed_or_refused(self):
        result = self.score("a.png", "--device", "cpu", "--precision", "bf16", "--format", "json")
        if result.code == 0:
            self.assertIn(b'"engine":"openvino","precision":"bf16"', result.stdout)
        else:
            self.assert_fails_with(result, UNUSABLE, "--precision bf16", "--precision fp32")

    def test_openvino_is_for_the_cpu(self):
        self.assert_fails_with(
            self.score("a.png", "--engine", "openvino", "--device", "cuda"), USAGE, "--engine openvino"
        )

    def test_what_is_no_engine(self):
        self.assert_fails_with(self.score("a.png", "--engine", "bogus"), USAGE, "--engine")

    def test_what_is_no_precision(self):
        self.assert_fails_with(self.score("a.png", "--precision", "bogus"), USAGE, "--precision")


class Sides(Hostile):
    """--tta with a network that sees the left half alone."""

    def setUp(self):
        super().setUp()
        left = [1.0 if place % 16 < 8 else 0.0 for place in range(16 * 16)]
        weights = onnx.floats("weights", [1, 768], [value / 128 for value in left] + [0.0] * 512)
        nodes = [
            onnx.node("Flatten", ["input"], ["flat"], axis=1),
            onnx.node("Gemm", ["flat", "weights"], ["logit"], transB=1),
            onnx.node("Sigmoid", ["logit"], ["output"]),
        ]
        self.spec["golden"]["tolerance"] = {"cpu-fp32": 1}  # its answers are those of another network
        self.package(onnx.model(nodes, [weights]))

    def test_an_image_that_is_not_square_has_no_quarter_turns(self):
        self.spec["input"]["width"] = 8
        self.spec["preprocess"] = [{"op": "resize", "mode": "squash", "width": 8, "height": 16, "interpolation": "area"}]
        self.package(onnx.tiny())
        self.assert_fails_with(self.run_skincheck("--model", "model/", "--tta", "8", "a.png"), USAGE, "use --tta 4")

    def test_views_are_other_sides_of_the_image(self):
        self.write("a.png", png_of([[WHITE] * 8 + [BLACK] * 8] * 16))
        whole = {}
        for views in (1, 2, 4, 8):
            result = self.run_skincheck("--model", "model/", "--tta", str(views), "a.png")
            self.assertEqual(0, result.code, result)
            whole[views] = float(csv_rows(result.stdout)[0]["malignancy"])
        left, right, both = (1 / (1 + math.exp(-logit)) for logit in (2, -2, 0))  # white is 2, black -2 for the network
        self.assertAlmostEqual(left, whole[1], places=5)
        self.assertAlmostEqual((left + right) / 2, whole[2], places=5)
        self.assertAlmostEqual((left + right) / 2, whole[4], places=5)
        self.assertAlmostEqual((left + right + 2 * both) / 4, whole[8], places=5)


class Views(SkincheckTest):
    """--tta. The tiny networks average over the whole image and see no sides, so all views score alike."""

    def setUp(self):
        super().setUp()
        self.write("a.png", png())

    def test_the_number_stands_in_the_provenance(self):
        for views in ("1", "2", "4", "8"):
            result = self.score("a.png", "--tta", views, "--format", "json")
            self.assertEqual(0, result.code)
            document = json.loads(result.stdout)
            self.assertEqual(int(views), document["skincheck"]["views"])
            self.assertEqual(float(SCORES[WHITE]), document["results"][0]["malignancy"])

    def test_batches_and_failed_inputs_change_no_row(self):
        self.write("b.png", png(BLACK))
        inputs = ("a.png", "gone.png", "b.png", "a.png")
        expected = self.score(*inputs).stdout
        for batch_size in ("1", "3", "8"):
            result = self.score(*inputs, "--tta", "4", "--batch-size", batch_size)
            self.assertEqual((1, expected), (result.code, result.stdout))

    def test_other_numbers(self):
        for views in ("0", "3", "16", "-1", "x"):
            self.assert_fails_with(self.score("a.png", f"--tta={views}"), USAGE, "--tta")

    def test_a_run_is_not_resumed_with_another_number(self):
        self.assertEqual(0, self.score("--resume", "-o", "r.csv", "a.png").code)
        self.assert_fails_with(
            self.score("--resume", "-o", "r.csv", "--tta", "2", "a.png"), USAGE, "views of each image"
        )


class Messages(SkincheckTest):
    def setUp(self):
        super().setUp()
        self.write("a.png", png())

    def test_the_summary_is_one_line_and_all_there_is(self):
        result = self.score("a.png")
        self.assertEqual(SUMMARY, without_time(result.stderr))

    def test_quiet_says_nothing(self):
        for option in ("-q", "--quiet"):
            result = self.score(option, "a.png", "gone.png")
            self.assertEqual((1, b""), (result.code, result.stderr))
        os.mkdir(self.path("empty"))
        self.assertEqual((0, HEADER.encode(), b""), self.score("-q", "empty"))

    def test_quiet_does_not_keep_errors_back(self):
        self.assert_fails_with(self.score("-q", "a.png", "--device", "bogus"), USAGE)

    def test_verbose_names_what_is_used_and_what_failed(self):
        for option in ("-v", "--verbose"):
            with self.subTest(option):
                result = self.score(option, "a.png", "gone.png", "--jobs", "2", "--device", "cpu")
                self.assertEqual(1, result.code)
                used, failed, summary = result.stderr.decode().splitlines()
                for word in (
                    model_id(),
                    str(MODELS / "tiny-sigmoid"),
                    "cpu",
                    "fp32",
                    "threshold 0.5",
                    "jobs 2",
                ):
                    self.assertIn(word, used)
                self.assertEqual("skincheck: gone.png: not_found: no such file", failed)
                self.assertIn("2 images: 1 scored", summary)

    def test_verbose_of_preprocess_too(self):
        result = self.preprocess("-v", "-o", "out", "a.png", "gone.png")
        used, failed, _ = result.stderr.decode().splitlines()
        self.assertIn(model_id(), used)
        self.assertEqual("skincheck: gone.png: not_found: no such file", failed)

    def test_a_name_cannot_play_with_the_terminal(self):
        result = self.score("-v", "gone\n\x1b[31m\u009b31m\u00a0.png")
        self.assertEqual(3, result.stderr.count(b"\n"))
        self.assertNotIn(b"\x1b", result.stderr)
        self.assertNotIn("\u009b", result.stderr.decode())
        self.assertIn("31m\u00a0.png", result.stderr.decode())

    def test_no_colour_and_no_progress_without_a_terminal(self):
        result = self.score("a.png", "gone.png", "--device", "bogus")
        self.assertNotIn(b"\x1b", result.stderr)
        self.assertNotIn(b"\r", self.score(*["a.png"] * 50).stderr)


class Terminal(SkincheckTest):
    """Standard error is a terminal; the rows go elsewhere."""

    def shown(self, *arguments, env: dict | None = None, stdin=subprocess.DEVNULL) -> str:
        terminal, stderr = self.open_terminal()
        with (
            open(self.path("rows"), "wb") as rows,
            subprocess.Popen(
                [EXECUTABLE, "--model", str(MODELS / "tiny-sigmoid"), *arguments],
                cwd=self.folder,
                stdout=rows,
                stdin=stdin,
                stderr=stderr,
                env=environment(**(env or {})),
            ) as process,
        ):
            os.close(stderr)
            text = b""
            while True:
                try:
                    more = os.read(terminal, 65536)
                except OSError:  # the other side was closed
                    break
                if not more:
                    break
                text += more
            os.close(terminal)
            process.wait(harness.PATIENCE)
        return text.decode().replace("\r\n", "\n")

    def setUp(self):
        super().setUp()
        self.write("a.png", png())

    def test_progress_tells_what_is_done_how_fast_and_what_failed(self):
        text = self.shown("gone.png", "a.png")
        self.assertRegex(text, r"\r\x1b\[K1( of 2)? done, \d+\.\d/s(, \d+:\d\d left)?, .*1 failed")
        # It is wiped away before the summary.
        self.assertRegex(text, r"\r\x1b\[Kskincheck: 2 images: 1 scored [^\n]*\n\Z")

    def test_no_progress_among_rows_on_the_same_terminal(self):
        terminal, child_side = self.open_terminal()
        command = [EXECUTABLE, "--model", str(MODELS / "tiny-sigmoid"), "a.png", "gone.png"]
        with subprocess.Popen(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=child_side, stderr=child_side, env=environment()
        ) as process:
            os.close(child_side)
            text = b""
            try:
                while more := os.read(terminal, 65536):
                    text += more
            except OSError:  # the other side was closed
                pass
            os.close(terminal)
            process.wait(harness.PATIENCE)
        self.assertNotIn(b"done", text)
        self.assertIn(b"\r\na.png,ok,", text)

    def test_a_list_on_standard_input_is_read_once(self):
        """Even where a file has the name that stands for it."""
        self.write("-", "gone.png\n")
        names = [f"{number}.png" for number in range(200)]
        for name in names:
            self.write(name, png())
        read, write = os.pipe()
        with os.fdopen(write, "w") as list_of_paths:
            list_of_paths.write("".join(name + "\n" for name in names))
        with os.fdopen(read, "rb") as stdin:
            self.shown("--files-from", "-", stdin=stdin)
        self.assertEqual(names, [row["path"] for row in csv_rows(self.read("rows"))])

    def test_the_time_that_is_left_is_told_once_the_inputs_are_counted(self):
        self.write("large.jpg", drawn(".jpg", 1600, 1200))
        count = 20
        while True:
            text = self.shown(*["large.jpg"] * count)
            if re.search(rf"\d+ of {count} done, \d+\.\d/s, \d+:\d\d left, 0 failed", text) or count > 2000:
                break
            count *= 3  # too fast to be seen on this machine
        self.assertRegex(text, rf"\d+ of {count} done, \d+\.\d/s, \d+:\d\d left, 0 failed")

    def test_no_progress(self):
        for options in (["--no-progress"], ["-q"]):
            with self.subTest(options):
                text = self.shown(*options, "gone.png", "a.png")
                self.assertNotIn("done", text)
                self.assertNotIn("\r", text)
        self.assertEqual("", text)

    def test_colour_and_no_color(self):
        colour = re.compile(r"\x1b\[[\d;]*m")
        self.assertRegex(self.shown("gone.png"), colour)
        self.assertRegex(self.shown("gone.png", env={"NO_COLOR": ""}), colour)
        text = self.shown("gone.png", env={"NO_COLOR": "1"})
        self.assertNotRegex(text, colour)
        self.assertIn("1 failed", text)
        self.assertRegex(self.shown("--device", "bogus"), r"skincheck: \x1b\[[\d;]*merror: \x1b\[0m")
        self.assertNotRegex(self.shown("--device", "bogus", env={"NO_COLOR": "1"}), colour)

    def test_the_rows_are_the_same_as_without_a_terminal(self):
        self.write("b.png", png(BLACK))
        self.shown("a.png", "b.png", "gone.png")
        self.assertEqual(self.score("a.png", "b.png", "gone.png").stdout, self.read("rows"))
        self.assertEqual(3, len(csv_rows(self.read("rows"))))


if __name__ == "__main__":
    harness.main()
