"""The bytes of CSV, JSON and JSON Lines; the threshold; the summary."""

import base64
import json
import os

import harness
from harness import COLUMNS, HEADER, MODELS, SkincheckTest, csv_rows, model_id, model_spec, row, without_time
from images import BLACK, BLUE, GREEN, SCORES, WHITE, drawn, png


class Csv(SkincheckTest):
    def test_every_byte_and_the_summary(self):
        for name, colour in (
            ("white.png", WHITE),
            ("black.png", BLACK),
            ("blue.png", BLUE),
            ("green.png", GREEN),
        ):
            self.write(name, png(colour))
        result = self.score("white.png", "gone.png", "black.png", "blue.png", "green.png")
        self.assertEqual(1, result.code)
        self.assertEqual(
            (
                HEADER
                + row("white.png", SCORES[WHITE], "malignant")
                + f"gone.png,not_found,,,0.5,{model_id()},no such file\n"
                + row("black.png", SCORES[BLACK], "benign")
                + row("blue.png", SCORES[BLUE], "benign")
                + row("green.png", SCORES[GREEN], "benign")
            ).encode(),
            result.stdout,
        )
        self.assertEqual(
            "skincheck: 5 images: 4 scored (1 malignant, 3 benign), 1 failed (1 not_found); TIME\n",
            without_time(result.stderr),
        )

    def test_one_image_and_none(self):
        self.write("a.png", png())
        result = self.score("a.png")
        self.assertEqual(
            (0, "skincheck: 1 image: 1 scored (1 malignant, 0 benign), 0 failed; TIME\n"),
            (result.code, without_time(result.stderr)),
        )
        result = self.score(stdin=b"")
        self.assertEqual(
            (0, HEADER.encode(), "skincheck: 0 images: 0 scored, 0 failed; TIME\n"),
            (result.code, result.stdout, without_time(result.stderr)),
        )

    def test_a_model_of_several_classes_adds_its_columns(self):
        self.write("white.png", png(WHITE))
        result = self.score("white.png", "gone.png", model="tiny-softmax")
        name = model_id("tiny-softmax")
        self.assertEqual(
            f"{','.join(COLUMNS)},p_nevus,p_melanoma,p_bcc\n"
            f"white.png,ok,0.725931,malignant,0.5,{name},,0.274069,0.451863,0.274069\n"
            f"gone.png,not_found,,,0.5,{name},no such file,,,\n",
            result.stdout.decode(),
        )

    def test_the_packed_model_says_the_same(self):
        self.write("white.png", png(WHITE))
        self.assert_ok(
            self.score("white.png", model="tiny-packed"),
            HEADER + row("white.png", SCORES[WHITE], "malignant", model=model_id("tiny-packed")),
        )


class JsonLines(SkincheckTest):
    def lines(self, *arguments, **options) -> list[dict]:
        result = self.score("--format", "jsonl", *arguments, **options)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def test_the_fields_of_the_csv_with_numbers_as_numbers(self):
        self.write("white.png", png(WHITE))
        result = self.score("--format", "jsonl", "white.png", "gone.png")
        name = model_id()
        self.assertEqual(
            f'{{"path":"white.png","status":"ok","malignancy":{SCORES[WHITE].rstrip("0")},"label":"malignant",'
            f'"threshold":0.5,"model":"{name}","error":null}}\n'
            f'{{"path":"gone.png","status":"not_found","malignancy":null,"label":null,"threshold":0.5,'
            f'"model":"{name}","error":"no such file"}}\n',
            result.stdout.decode(),
        )
        self.assertEqual(1, result.code)

    def test_several_classes(self):
        self.write("white.png", png(WHITE))
        scored, failed = self.lines("white.png", "gone.png", model="tiny-softmax")
        self.assertEqual([*COLUMNS, "p_nevus", "p_melanoma", "p_bcc"], list(scored))
        self.assertEqual([0.274069, 0.451863, 0.274069], list(scored.values())[7:])
        self.assertEqual([None] * 3, list(failed.values())[7:])

    def test_no_rows_are_no_lines(self):
        self.assert_ok(self.score("--format", "jsonl", stdin=b""), "")

    def test_names_of_every_kind_stay_one_line_each(self):
        names = ["new\nline.png", 'quote"back\\slash.png', "tab\t.png", "é–日本.png", "\x7f\x01.png"]
        for name in names:
            self.write(name, png())
        lines = self.lines("-0", stdin="\0".join(names).encode())
        self.assertEqual([(name, "ok") for name in names], [(line["path"], line["status"]) for line in lines])
        self.assertNotIn("path_base64", {key for line in lines for key in line})

    def test_a_name_that_is_not_utf_8(self):
        name = b"caf\xe9.png"
        self.write(name, png())
        for file_format in ("jsonl", "json"):
            with self.subTest(file_format):
                result = self.score("--format", file_format, name)
                self.assert_ok(result)
                text = json.loads(result.stdout.decode("utf-8", errors="strict"))
                line = text if file_format == "jsonl" else text["results"][0]
                self.assertEqual("caf\ufffd.png", line["path"])
                self.assertEqual(name, base64.b64decode(line["path_base64"], validate=True))
                self.assertEqual(["path", "path_base64", "status"], list(line)[:3])


class Json(SkincheckTest):
    def test_one_object_with_all_that_is_needed_to_know_where_it_came_from(self):
        self.write("white.png", png(WHITE))
        self.write("black.png", png(BLACK))
        result = self.score("--format", "json", "--threshold", "0.25", "white.png", "gone.png", "black.png")
        self.assertEqual(1, result.code)
        document = json.loads(result.stdout)
        self.assertEqual(
            ["skincheck", "model", "threshold", "preprocessing", "results", "summary"], list(document)
        )
        self.assertEqual(["version", "opencv", "device", "engine", "precision", "views"], list(document["skincheck"]))
        self.assertEqual("fp32", document["skincheck"]["precision"])
        spec = model_spec("tiny-sigmoid")
        self.assertEqual(
            {"name": "tiny-sigmoid", "version": "1", "sha256": spec["sha256"], "classes": ["malignant"]},
            document["model"],
        )
        self.assertEqual(
            {"preprocess": spec["preprocess"], "normalise": spec["normalise"]}, document["preprocessing"]
        )
        self.assertEqual(0.25, document["threshold"])
        self.assertEqual(
            [
                ("white.png", "ok", 0.7773, "malignant"),
                ("gone.png", "not_found", None, None),
                ("black.png", "ok", 0.148047, "benign"),
            ],
            [tuple(line[key] for key in COLUMNS[:4]) for line in document["results"]],
        )
        self.assertEqual(
            {"rows": 3, "by_status": {"ok": 2, "not_found": 1}, "by_label": {"benign": 1, "malignant": 1}},
            document["summary"],
        )

    def test_no_rows_are_valid_json(self):
        result = self.score("--format", "json", stdin=b"")
        self.assert_ok(result)
        document = json.loads(result.stdout)
        self.assertEqual(([], 0), (document["results"], document["summary"]["rows"]))


class SameBytes(SkincheckTest):
    def setUp(self):
        super().setUp()
        for number in range(24):
            colour = (number * 10, 255 - number * 9, number * number % 256)
            self.write(f"drop/{number:02}.png", png(colour, 16 + number, 40 - number))
        for number, size in enumerate(((100, 80), (64, 64), (33, 190))):
            self.write(f"drop/lesion{number}.jpg", drawn(".jpg", *size))
        self.write("drop/cut.jpg", drawn(".jpg", 100, 80)[:-400])
        self.write("drop/empty.png", "")

    def test_two_runs_give_the_same_bytes(self):
        for file_format in ("csv", "json", "jsonl"):
            with self.subTest(file_format):
                first, second = (
                    self.score("--format", file_format, "--jobs", "4", "drop").stdout for _ in range(2)
                )
                self.assertEqual(first, second)
                self.assertNotIn(os.uname().nodename.encode(), first)

    def test_any_number_of_jobs_and_any_batch_size_give_the_same_rows(self):
        expected = csv_rows(self.score("--jobs", "1", "--batch-size", "1", "drop").stdout)
        self.assertEqual(29, len(expected))
        self.assertEqual(27, sum(row["status"] == "ok" for row in expected))
        for jobs, batch_size in ((2, 1), (4, 1), (1, 3), (2, 3), (1, 16), (4, 16)):
            with self.subTest(jobs=jobs, batch_size=batch_size):
                result = self.score("--jobs", str(jobs), "--batch-size", str(batch_size), "drop")
                self.assertEqual(1, result.code)
                self.compare(expected, csv_rows(result.stdout))

    def compare(self, expected: list[dict], actual: list[dict]) -> None:
        def without_score(rows):
            return [{**row, "malignancy": row["malignancy"] != ""} for row in rows]

        self.assertEqual(without_score(expected), without_score(actual))
        for one, other in zip(expected, actual, strict=True):
            if one["malignancy"]:
                self.assertAlmostEqual(float(one["malignancy"]), float(other["malignancy"]), delta=1e-5)


class Threshold(SkincheckTest):
    def setUp(self):
        super().setUp()
        self.write("white.png", png(WHITE))
        self.write("lesion.jpg", drawn(".jpg", 90, 70))

    def label(self, name: str, threshold: str) -> str:
        result = self.score("--threshold", threshold, name)
        self.assert_ok(result)
        return csv_rows(result.stdout)[0]["label"]

    def test_malignant_from_the_threshold_on(self):
        for name in ("white.png", "lesion.jpg"):
            with self.subTest(name):
                printed = csv_rows(self.score(name).stdout)[0]["malignancy"]
                self.assertEqual("malignant", self.label(name, printed))
                self.assertEqual("benign", self.label(name, f"{float(printed) + 1e-6:.6f}"))
                self.assertEqual("malignant", self.label(name, f"{float(printed) - 1e-6:.6f}"))
                self.assertEqual("benign", self.label(name, printed + "00001"))

    def test_both_ends(self):
        self.assertEqual("malignant", self.label("white.png", "0"))
        self.assertEqual("benign", self.label("white.png", "1"))

    def test_it_stands_in_every_row_as_it_was_used(self):
        for threshold in ("0", "1", "0.3", "0.7773", "0.123456789"):
            with self.subTest(threshold):
                result = self.score("--threshold", threshold, "white.png", "gone.png")
                self.assertEqual([threshold] * 2, [row["threshold"] for row in csv_rows(result.stdout)])

    def test_whoever_applies_it_to_the_file_gets_the_labels(self):
        for number in range(30):
            self.write(f"drop/{number:02}.png", png((number * 8, 128, 200)))
        for line in csv_rows(self.score("--threshold", "0.2", "drop").stdout):
            self.assertEqual("malignant" if float(line["malignancy"]) >= 0.2 else "benign", line["label"])

    def test_the_models_own_by_default(self):
        folder = self.copy_model(threshold=0.9)
        line = csv_rows(self.run_skincheck("--model", folder, "white.png").stdout)[0]
        self.assertEqual(("benign", "0.9"), (line["label"], line["threshold"]))

    def copy_model(self, **changes) -> str:
        spec = {**model_spec("tiny-sigmoid"), **changes}
        self.write("model/model.onnx", (MODELS / "tiny-sigmoid" / "model.onnx").read_bytes())
        self.write("model/model.json", json.dumps(spec))
        return self.path("model")

    def test_refused_outside_0_to_1(self):
        for text in ("-0.1", "1.000001", "nan", "inf", "", "half", "0.5x", "0,5"):
            with self.subTest(text):
                self.assert_fails_with(self.score("white.png", f"--threshold={text}"), 2, "--threshold")
        self.assert_fails_with(self.score("white.png", "--threshold", "-0.1"), 2, "--threshold")
        self.assert_fails_with(self.score("white.png", "--threshold"), 2, "--threshold")


class Formats(SkincheckTest):
    def setUp(self):
        super().setUp()
        self.write("a.png", png())
        self.beginnings = {"csv": b"path,status", "json": b"{\n", "jsonl": b'{"path":'}

    def test_named(self):
        for file_format, beginning in self.beginnings.items():
            with self.subTest(file_format):
                result = self.score("a.png", "--format", file_format)
                self.assert_ok(result)
                self.assertTrue(result.stdout.startswith(beginning))

    def test_by_the_ending_of_the_output(self):
        for name, file_format in (
            ("r.csv", "csv"),
            ("r.json", "json"),
            ("r.jsonl", "jsonl"),
            ("r.ndjson", "jsonl"),
            ("r.JSON", "json"),
            ("r.txt", "csv"),
            ("json", "csv"),
            ("r.json.csv", "csv"),
        ):
            with self.subTest(name):
                self.assert_ok(self.score("a.png", "--output", name), "")
                self.assertTrue(self.read(name).startswith(self.beginnings[file_format]))

    def test_named_goes_before_the_ending(self):
        self.assert_ok(self.score("a.png", "--output", "r.json", "--format", "csv"), "")
        self.assertTrue(self.read("r.json").startswith(b"path,status"))

    def test_what_is_none_of_them(self):
        for text in ("xml", "CSV", "csv,json", " "):
            with self.subTest(text):
                self.assert_fails_with(
                    self.score("a.png", f"--format={text}"), 2, "--format", "csv, json, jsonl"
                )
        self.assert_fails_with(self.score("a.png", "--format="), 2, "--format")


if __name__ == "__main__":
    harness.main()
