"""Finding the model package and refusing one that is not right: exit 3, one line, no rows."""

import hashlib
import json
import os
import re
import shutil
import subprocess

import harness
from harness import HEADER, MODELS, SkincheckTest, csv_rows, model_id, model_spec, row
from images import SCORES, WHITE, png

UNUSABLE = 3


class Package(SkincheckTest):
    """A copy of tiny-sigmoid in the folder `model`, to be changed."""

    def setUp(self):
        super().setUp()
        self.write("a.png", png())
        shutil.copytree(MODELS / "tiny-sigmoid", self.path("model"))
        self.spec = model_spec("tiny-sigmoid")
        self.expected = HEADER + row("a.png", SCORES[WHITE], "malignant")

    def score_with(self, model: str, **options):
        return self.run_skincheck("--model", model, "a.png", **options)

    def score_changed(self, change):
        change(self.spec)
        self.write("model/model.json", json.dumps(self.spec))
        return self.score_with("model/")

    def assert_refused(self, change, *texts):
        self.assert_fails_with(self.score_changed(change), UNUSABLE, "model.json", *texts)


class Finding(Package):
    def test_by_its_folder(self):
        for folder in ("./model", "model/", self.path("model")):
            with self.subTest(folder):
                self.assert_ok(self.score_with(folder), self.expected)

    def test_by_the_name_of_a_folder_here(self):
        self.assert_ok(self.score_with("model"), self.expected)

    def test_without_a_name_no_folder_here_is_taken(self):
        os.rename(self.path("model"), self.path("skincheck-resnet50"))
        self.assert_ok(self.score_with("skincheck-resnet50"), self.expected)
        result = self.run_skincheck("--version")
        self.assertNotIn(b" in ./", result.stdout)
        self.assertNotIn(b"tiny-sigmoid@", result.stdout)

    def test_by_its_name_in_the_model_path(self):
        self.assert_ok(
            self.score_with("tiny-sigmoid", env={"SKINCHECK_MODEL_PATH": str(MODELS)}), self.expected
        )
        self.assert_ok(
            self.score_with("tiny-sigmoid", env={"SKINCHECK_MODEL_PATH": f"/nowhere::{MODELS}:"}),
            self.expected,
        )

    def test_the_first_place_of_the_model_path_wins(self):
        shutil.copytree(MODELS / "tiny-sigmoid", self.path("first/tiny-sigmoid"))
        self.spec["threshold"] = 0.9
        self.write("first/tiny-sigmoid/model.json", json.dumps(self.spec))
        path = f"{self.path('first')}:{MODELS}"
        result = self.score_with("tiny-sigmoid", env={"SKINCHECK_MODEL_PATH": path})
        self.assertEqual("0.9", csv_rows(result.stdout)[0]["threshold"])

    def test_a_folder_in_square_brackets(self):
        os.rename(self.path("model"), self.path("[m]"))
        self.assert_ok(self.score_with("[m]/"), self.expected)

    def test_beside_the_executable_in_a_chroot_without_proc(self):
        without_proc = ["unshare", "--map-root-user", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]
        if harness.sanitized():
            self.skipTest("sanitizers read /proc")
        if shutil.which("unshare") is None or subprocess.run([*without_proc, "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("no mount can be made here")
        os.makedirs(self.path("usr/bin"))
        shutil.copy(harness.EXECUTABLE, self.path("usr/bin"))
        os.makedirs(self.path("usr/share/skincheck/models"))
        os.rename(self.path("model"), self.path("usr/share/skincheck/models/skincheck-resnet50"))
        os.symlink("usr/bin/skincheck", self.path("sc"))
        for name in ("usr/bin/skincheck", "./sc"):
            with self.subTest(name):
                command = [*without_proc, name, "--quiet", "a.png"]
                done = subprocess.run(command, cwd=self.path(""), capture_output=True, check=False, timeout=60)
                self.assertEqual((b"", 0), (done.stderr, done.returncode))
                self.assertEqual(self.expected, done.stdout.decode())

    def test_missing(self):
        for model in ("gone", "gone/", "/gone/model"):
            with self.subTest(model):
                self.assert_fails_with(self.run_skincheck(f"--model={model}", "a.png"), UNUSABLE)
        self.assert_fails_with(self.score_with("gone"), UNUSABLE, '"gone"', "--model", "SKINCHECK_MODEL_PATH")

    def test_messages_name_files_with_one_slash(self):
        os.remove(self.path("model/model.json"))
        self.assert_fails_with(self.score_with("model//"), UNUSABLE, " model/model.json: ")

    def test_a_folder_without_a_model(self):
        os.mkdir(self.path("empty"))
        self.assert_fails_with(self.score_with("empty/"), UNUSABLE, "model.json")

    def test_preprocess_says_it_too(self):
        result = self.run_skincheck("preprocess", "--model", "gone/", "--output", "out", "a.png")
        self.assert_fails_with(result, UNUSABLE, "gone/")
        self.assertFalse(os.path.exists(self.path("out")))


class Json(Package):
    def test_unchanged_it_is_fine(self):
        self.assert_ok(self.score_changed(lambda spec: None), self.expected)

    def test_any_missing_field(self):
        for field in list(self.spec):
            with self.subTest(field):
                self.spec = model_spec("tiny-sigmoid")
                self.assert_refused(lambda spec, field=field: spec.pop(field), field)

    def test_a_missing_field_within(self):
        self.assert_refused(lambda spec: spec["input"].pop("height"), "input.height")

    def test_unknown_keys(self):
        self.assert_refused(lambda spec: spec.update(colour="blue"), "colour")
        self.spec = model_spec("tiny-sigmoid")
        self.assert_refused(lambda spec: spec["normalise"].update(bias=1), "normalise", "bias")

    def test_values_that_cannot_be(self):
        for change in (
            {"threshold": 1.5},
            {"threshold": "0.5"},
            {"format": 2},
            {"sha256": "abc"},
            {"name": ""},
            {"preprocess": [{"op": "sharpen"}]},
            {"preprocess": []},
            {"calibration": {"kind": "magic"}},
        ):
            with self.subTest(change):
                self.spec = model_spec("tiny-sigmoid")
                self.assert_refused(lambda spec, change=change: spec.update(change), next(iter(change)))

    def test_no_json(self):
        for text in ("", "hello", "{", "[]", "{}", "\xff"):
            with self.subTest(text):
                self.write("model/model.json", text.encode("latin-1"))
                self.assert_fails_with(self.score_with("model/"), UNUSABLE, "model.json")


class Network(Package):
    def with_network(self, data: bytes) -> None:
        self.write("model/model.onnx", data)
        self.spec["sha256"] = hashlib.sha256(data).hexdigest()
        self.write("model/model.json", json.dumps(self.spec))

    def test_a_wrong_hash(self):
        self.assert_fails_with(
            self.score_changed(lambda spec: spec.update(sha256="0" * 64)),
            UNUSABLE,
            "model.onnx",
            "SHA-256",
            "000000000000",
        )

    def test_one_changed_byte(self):
        data = bytearray((MODELS / "tiny-sigmoid" / "model.onnx").read_bytes())
        data[-1] ^= 1
        self.write("model/model.onnx", data)
        self.assert_fails_with(self.score_with("model/"), UNUSABLE, "model.onnx", "SHA-256")

    def test_no_network(self):
        os.remove(self.path("model/model.onnx"))
        self.assert_fails_with(self.score_with("model/"), UNUSABLE, "model.onnx")

    def test_text_in_place_of_a_network(self):
        for data in (b"This is no network.\n", b"", b"\0" * 1000, b"\x08\x07\x12\xff"):
            with self.subTest(data[:10]):
                self.with_network(data)
                self.assert_fails_with(self.score_with("model/"), UNUSABLE)

    def test_a_damaged_package(self):
        shutil.copytree(MODELS / "tiny-packed", self.path("packed"))
        self.write("packed/model.onnx.zst", self.read("packed/model.onnx.zst")[:-5])
        self.assert_fails_with(self.score_with("packed/"), UNUSABLE, "model.onnx.zst")

    def test_a_wrong_shape(self):
        def more_classes(spec):
            other = model_spec("tiny-softmax")
            spec.update(output=other["output"], golden=other["golden"])

        self.assert_fails_with(self.score_changed(more_classes), UNUSABLE, "model.onnx", "1x1", "1x3")

    def test_golden_vectors_that_do_not_come_out(self):
        def other_output(spec):
            spec["golden"]["cases"][1]["outputs"][0] += 0.01

        self.assert_fails_with(self.score_changed(other_output), UNUSABLE, "self-test", "seed 2")

    def test_a_golden_output_that_is_no_number(self):
        shutil.copytree(MODELS / "tiny-nan", self.path("nan"))
        spec = model_spec("tiny-nan")
        spec["normalise"]["mean"] = [-1, 0, 0]  # everything is redder than 240 now
        self.write("nan/model.json", json.dumps(spec))
        self.assert_fails_with(self.score_with("nan/"), UNUSABLE, "self-test", "nan")


class Told(Package):
    """skincheck model."""

    def told(self, *arguments) -> dict[str, str]:
        result = self.run_skincheck("model", *arguments)
        self.assertEqual((0, b""), (result.code, result.stderr))
        return dict(re.split(r"  +", line, maxsplit=1) for line in result.stdout.decode().splitlines())

    def test_what_it_is(self):
        told = self.told("model/")
        self.assertEqual(model_id(), told["model"])
        self.assertEqual("model", told["folder"])
        self.assertEqual("16x16 pixels, RGB", told["input"])
        self.assertEqual("resize (mode squash, width 16, height 16, interpolation area)", told["preprocess"])
        self.assertEqual("sigmoid of malignant; malignant: malignant", told["output"])
        self.assertEqual("0.5", told["threshold"])

    def test_what_is_free_form_stays_on_its_line(self):
        self.spec["training"] = {"best_epoch": 3, "data": {"a": [1, 2], "b": {"c": "x\ny\x1b"}}}
        self.write("model/model.json", json.dumps(self.spec))
        told = self.told("model/")
        self.assertEqual("3", told["training best epoch"])
        self.assertRegex(told["training data"], r"\Aa \(1, 2\), b \(c x[^\n\x1b]*y[^\n\x1b]*\)\Z")

    def test_the_self_test_runs_on_each_device(self):
        told = self.told("model/")
        self.assertIn(f"self-test passed: {len(self.spec['golden']['cases'])} drawn images", told["cpu opencv fp32"])
        self.assertTrue(any(name.startswith("cuda:0") for name in told))

    def test_the_default_is_the_one_that_scoring_takes(self):
        result = self.run_skincheck("model", env={"SKINCHECK_MODEL_PATH": self.path("")})
        shutil.move(self.path("model"), self.path("skincheck-resnet50"))
        other = self.run_skincheck("model", env={"SKINCHECK_MODEL_PATH": self.path("")})
        self.assertEqual(0, other.code)
        self.assertIn(model_id().encode(), other.stdout)
        self.assertNotEqual(result.stdout, other.stdout)

    def test_a_self_test_that_fails(self):
        self.spec["golden"]["cases"][0]["outputs"][0] += 0.1
        self.write("model/model.json", json.dumps(self.spec))
        result = self.run_skincheck("model", "model/")
        self.assertEqual(UNUSABLE, result.code)
        self.assertRegex(result.stdout.decode(), r"(?m)^cpu opencv fp32 +FAILED: .*self-test failed on cpu opencv fp32")

    def test_a_damaged_package_and_one_too_many(self):
        self.assert_fails_with(self.run_skincheck("model", "nowhere/"), UNUSABLE, "nowhere/")
        self.write("model/model.onnx", b"x")
        self.assert_fails_with(self.run_skincheck("model", "model/"), UNUSABLE, "model.onnx")
        self.assert_fails_with(self.run_skincheck("model", "a", "b"), 2, "one model")


if __name__ == "__main__":
    harness.main()
