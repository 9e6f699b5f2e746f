"""skincheck evaluate from outside: what it reads, prints, refuses, and with which exit code."""

import gzip
import hashlib
import json
import pathlib
import signal
import time

import harness
from harness import SkincheckTest
from images import BLACK, BLUE, GREEN, WHITE, png

TRUTH = "image,malignant,sex\na,1,female\nb,0,male\nc,0,female\nd,1,male\n"
SCORES = "path,malignancy\nx/a.jpg,0.9\nx/b.jpg,0.2\nx/c.jpg,0.6\nx/d.jpg,0.4\n"


class EvaluateTest(SkincheckTest):
    def setUp(self):
        super().setUp()
        self.write("truth.csv", TRUTH.encode())
        self.write("scores.csv", SCORES.encode())

    def evaluate(self, *arguments: str, **more) -> harness.Result:
        return self.run_skincheck("evaluate", *arguments, **more)

    def figures(self, *arguments: str, truth: str = "truth.csv", **more) -> dict:
        result = self.evaluate("--format", "json", "--bootstrap", "100", "--truth", truth, *arguments, **more)
        self.assertEqual(0, result.code, result.stderr)
        return json.loads(result.stdout)

    def refused(self, code: int, message: str, *arguments: str, **more):
        result = self.evaluate(*arguments, **more)
        self.assertEqual((code, b""), (result.code, result.stdout), result.stderr)
        self.assertRegex(result.stderr.decode(), rf"\Askincheck: (error: )?{message}.*\n\Z")


class Output(EvaluateTest):
    def test_the_table(self):
        result = self.evaluate("--truth", "truth.csv", "scores.csv", "--threshold", "0.5", "--bootstrap", "0")
        self.assertEqual((0, b""), (result.code, result.stderr))
        lines = result.stdout.decode().splitlines()
        self.assertIn("  cases      4: 2 malignant (50.0 %), 2 benign", lines)
        self.assertIn("  threshold  0.5 (given)", lines)
        self.assertIn("  malignant                            1               1", lines)
        self.assertIn("  ROC AUC                            0.7500  (DeLong: 0.0570 to 1.0000)", lines)
        self.assertIn("no medical device", lines[-1])
        arguments = ("--truth", "truth.csv", "scores.csv", "--bootstrap", "0", "--min-tpr", "0.925")
        self.assertIn("  Partial AUC (sensitivity >= 0.925) ", self.evaluate(*arguments).stdout.decode())

    def test_the_format_follows_the_ending_of_the_output(self):
        arguments = ("--truth", "truth.csv", "scores.csv", "--threshold", "0.5", "--bootstrap", "0")
        for output, more, is_json in (("r.json", (), True), ("r.txt", (), False), ("t.json", ("--format", "text"), False)):
            with self.subTest(output):
                self.assertEqual(0, self.evaluate(*arguments, *more, "-o", output).code)
                self.assertEqual(is_json, self.read(output).startswith(b"{"))

    def test_json_has_all_figures(self):
        found = self.figures("scores.csv", "--by", "sex", "--target-sensitivity", "1", "--target-specificity", "1")
        one = found["evaluations"][0]
        self.assertEqual(0.75, one["figures"]["roc_auc"]["value"])
        self.assertEqual({"tp": 1, "fp": 1, "fn": 1, "tn": 1}, one["figures"]["confusion"])
        self.assertEqual([0.4, 0.9], [point["threshold"] for point in one["operating_points"]])
        self.assertEqual(["female", "male"], [group["value"] for group in one["groups"]])
        self.assertTrue(one["threshold_assumed"])
        self.assertEqual(64, len(found["truth"]["sha256"]))

    def test_the_same_bytes_again_whatever_the_number_of_threads(self):
        outputs = {
            self.evaluate("--format", "json", "--truth", "truth.csv", "scores.csv", "--jobs", jobs).stdout
            for jobs in ("1", "1", "3")
        }
        self.assertEqual(1, len(outputs))

    def test_output_and_report_are_files(self):
        result = self.evaluate("--truth", "truth.csv", "scores.csv", "-o", "out.txt", "--report", "page.html", "--quiet")
        self.assertEqual((0, b"", b""), result)
        self.assertIn("ROC AUC", pathlib.Path(self.folder, "out.txt").read_text())
        page = pathlib.Path(self.folder, "page.html").read_text()
        self.assertTrue(page.startswith("<!DOCTYPE html>"))
        self.assertNotIn("<script", page)
        self.refused(4, "cannot write gone/page.html: ", "--quiet", "--truth", "truth.csv", "scores.csv", "-o", "gone/page.html")

    def test_two_files_are_compared(self):
        self.write("second.csv", SCORES.replace("0.6", "0.1").encode())
        found = self.figures("scores.csv", "second.csv")
        self.assertEqual([0.75, 1.0], [e["figures"]["roc_auc"]["value"] for e in found["evaluations"]])
        self.assertEqual(-0.25, found["comparison"]["difference"]["value"])


class Clusters(EvaluateTest):
    """Forty lesions of five images with the same truth and score: drawn one by one they would tell five times as much."""

    def setUp(self):
        super().setUp()
        truth, first, second = ["image,malignant,lesion_id,sex"], ["path,malignancy"], ["path,malignancy"]
        for lesion in range(40):
            for image in range(5):
                name, malignant, sex = f"{lesion}-{image}", lesion % 2, ("female", "male")[lesion // 2 % 2]
                truth.append(f"{name},{malignant},{lesion},{sex}")
                first.append(f"{name},{(lesion * 7 % 40 + 12 * malignant) / 60:.3f}")
                second.append(f"{name},{(lesion * 11 % 40 + 6 * malignant) / 60:.3f}")
        for name, lines in (("truth.csv", truth), ("first.csv", first), ("second.csv", second)):
            self.write(name, "\n".join([*lines, ""]))

    def widths(self, *options: str) -> list[float]:
        found = self.figures("first.csv", "second.csv", "--bootstrap", "400", "--by", "sex", *options)
        one = found["evaluations"][0]
        figures = [one["figures"]["roc_auc"], one["groups"][0]["figures"]["roc_auc"], found["comparison"]["difference"]]
        return [figure["high"] - figure["low"] for figure in figures]

    def test_images_of_one_lesion_are_drawn_together(self):
        self.assertEqual(self.widths(), self.widths("--cluster", "lesion_id"))
        for together, alone in zip(self.widths(), self.widths("--cluster", "none"), strict=True):
            self.assertGreater(together, 1.6 * alone)  # the square root of five is 2.2


class Input(EvaluateTest):
    def test_what_skincheck_writes_in_each_format(self):
        for name, colour in (("a", WHITE), ("b", BLACK), ("c", BLUE), ("d", GREEN)):
            self.write(f"{name}.png", png(colour))
        self.write("broken.png", b"no image")
        for ending in ("csv", "json", "jsonl"):
            with self.subTest(ending):
                arguments = ["a.png", "b.png", "broken.png", "c.png", "d.png", "-o", f"out.{ending}"]
                self.score("--threshold", "0.2", *arguments)
                found = self.figures(f"out.{ending}")["evaluations"][0]
                self.assertEqual(harness.model_id(), found["model"])
                self.assertFalse(found["threshold_assumed"])
                self.assertEqual(0.2, found["threshold"])
                # White and blue are called malignant, of which a and d are: at 0.5 it would be white alone.
                self.assertEqual({"tp": 1, "fp": 1, "fn": 1, "tn": 1}, found["figures"]["confusion"])
                self.assertEqual(4, found["figures"]["cases"])
                self.assertEqual([["broken"]], [[name[:6] for name in f["names"]] for f in found["left_out"]])

    def test_the_stored_threshold_is_one_of_malignancy(self):
        rows = "".join(f"{name},{i / 10},0.25,{i / 20}\n" for i, name in enumerate("abcd"))
        self.write("stored.csv", "path,malignancy,threshold,p_MEL\n" + rows)
        arguments = ("--truth", "truth.csv", "stored.csv", "--bootstrap", "0")
        result = self.evaluate(*arguments)
        self.assertEqual((0, b""), (result.code, result.stderr))
        self.assertIn("  threshold  0.25 (stored in the results)\n", result.stdout.decode())
        result = self.evaluate(*arguments, "--score-column", "p_MEL")
        self.assertIn(b"tells no threshold of these scores: 0.5 is taken", result.stderr)
        self.assertIn("  threshold  0.5 (assumed", result.stdout.decode())
        self.write("several.csv", self.read("stored.csv").replace(b"0.1,0.25", b"0.1,0.5"))
        result = self.evaluate("--truth", "truth.csv", "several.csv", "--bootstrap", "0")
        self.assertIn(b"several.csv tells several thresholds, as rows of different runs do: 0.5 is taken", result.stderr)
        self.assertIn("0.5 (assumed: none was given, and the results tell several)\n", result.stdout.decode())

    def test_standard_input(self):
        found = self.figures("-", stdin=SCORES.encode())
        self.assertEqual(4, found["evaluations"][0]["figures"]["cases"])

    def test_rows_that_stay_out_are_told_and_strict_minds_them(self):
        self.write("scores.csv", (SCORES + "a.png,0.1\nz.jpg,0.5\ne,nan\nf,1.5\n").encode())
        arguments = ("--truth", "truth.csv", "--threshold", "0.5", "scores.csv", "--bootstrap", "0")
        loose, strict = self.evaluate(*arguments), self.evaluate(*arguments, "--strict")
        self.assertEqual((0, 1), (loose.code, strict.code))
        self.assertEqual(loose.stdout, strict.stdout)
        self.assertEqual(
            "skincheck: warning: 4 rows stay out of the figures; see 'left out' in the output\n",
            loose.stderr.decode(),
        )
        for name in ("a", "z", "e", "f"):
            self.assertRegex(loose.stdout.decode(), rf"(?m)^  1 .*: {name}$")
        self.write("scores.csv", SCORES.encode())
        self.assertEqual(0, self.evaluate(*arguments, "--strict").code)

    def test_results_are_no_truth(self):
        self.write("results.csv", harness.HEADER + "a.jpg,ok,0.9,malignant,0.5,m,\n")
        self.refused(2, "results.csv: these are results of skincheck", "--truth", "results.csv", "scores.csv")

    def test_a_row_that_failed_is_counted_once(self):
        self.write("scores.csv", b"path,status,malignancy\na,ok,0.9\nb,corrupt,\nc,ok,0.6\nd,ok,0.4\n")
        result = self.evaluate("--truth", "truth.csv", "scores.csv", "--threshold", "0.5", "--strict", "--bootstrap", "0")
        self.assertEqual(1, result.code)
        self.assertIn(b"1 row stays out", result.stderr)
        self.assertIn("  1 status is not ok: b (corrupt)\n", result.stdout.decode())

    def test_why_there_is_no_figure(self):
        self.write("same.csv", SCORES.encode())
        found = self.figures("scores.csv", "same.csv", "--target-sensitivity", "1")
        self.assertIn("no variance", found["comparison"]["delong"]["reason"])
        text = self.evaluate("--truth", "truth.csv", "scores.csv", "--bootstrap", "1").stdout.decode()
        self.assertNotRegex(text, r"\)no interval")

    def test_a_case_without_all_probabilities_is_no_wrong_call(self):
        self.write("classes.csv", "image,MEL,NV,BCC\na,1,0,0\nb,0,1,0\nc,0,1,0\nd,1,0,0\n")
        rows = {"a": (0.9, 0.9, 0.1, 0), "b": (0.2, 0.2, 0.8, 0), "c": (0.1, 0.1, None, 0), "d": (0.7, 0.7, 0.3, 0)}
        table = ["path,malignancy,p_MEL,p_NV,p_BCC"]
        lines = []
        for name, values in rows.items():
            table.append(",".join([name, *("" if value is None else str(value) for value in values)]))
            keys = dict(zip(["malignancy", "p_MEL", "p_NV", "p_BCC"], values, strict=True))
            lines.append(json.dumps({"path": name} | {key: value for key, value in keys.items() if value is not None}))
        self.write("p.csv", "\n".join([*table, ""]))
        self.write("p.jsonl", "\n".join([*lines, ""]))
        what = "without all probabilities, out of the classes' figures alone"
        for name in ("p.csv", "p.jsonl"):
            with self.subTest(name):
                found = self.figures(name, "--threshold", "0.5", truth="classes.csv")["evaluations"][0]
                self.assertEqual(4, found["figures"]["cases"])
                self.assertEqual([0, 0, 0], found["multi_class"]["undecided"])
                self.assertEqual(1, found["multi_class"]["balanced_accuracy"]["value"])
                self.assertEqual([{"what": what, "count": 1, "names": ["c"]}], found["left_out"])
        arguments = ("--truth", "classes.csv", "p.csv", "--threshold", "0.5", "--bootstrap", "0", "--report", "page.html")
        result = self.evaluate(*arguments, "--strict")
        self.assertEqual(1, result.code)
        self.assertIn(f"  1 {what}: c\n", result.stdout.decode())
        self.assertIn("without all probabilities", self.read("page.html").decode())

    def test_remarks_are_not_left_out(self):
        self.write("more.csv", b"image,age\na,20\n")
        self.write("scores.csv", b"path,malignancy,threshold\na,0.9,0.5\nb,0.2,0.4\nc,0.6,0.5\nd,0.4,0.5\n")
        arguments = ("--truth", "truth.csv", "--metadata", "more.csv", "scores.csv", "--strict", "--bootstrap", "0")
        result = self.evaluate(*arguments)
        self.assertEqual(0, result.code)
        self.assertIn(b"tells several thresholds, as rows of different runs do: 0.5 is taken", result.stderr)
        self.assertIn("remarks on the results\n  2 several thresholds", result.stdout.decode())
        self.assertIn("remarks on the truth\n  3 no metadata: b, c, d", result.stdout.decode())

    def test_what_is_read_is_never_written(self):
        for option in ("--report", "-o"):
            for name in ("truth.csv", "./scores.csv"):
                self.refused(2, "--(report|output) .* reads or writes already", "--truth", "truth.csv", "scores.csv", option, name)
        self.assertEqual(TRUTH.encode(), self.read("truth.csv"))

    def test_ages_in_bands_with_some_unknown(self):
        truth = "".join(f"i{n},{n % 2},{'NA' if n == 3 else 20 + n}\n" for n in range(70))
        self.write("truth.csv", f"image,malignant,Age\n{truth}".encode())
        self.write("scores.csv", ("path,malignancy\n" + "".join(f"i{n},{n / 70}\n" for n in range(70))).encode())
        groups = self.figures("scores.csv", "--by", "age")["evaluations"][0]["groups"]
        self.assertEqual(["20-29", "80-89", "(unknown)"], [groups[i]["value"] for i in (0, 6, 7)])

    def test_scores_that_are_none_and_metadata_of_other_images(self):
        self.write("percent.csv", "path,malignancy\na.jpg,90\nb.jpg,10\n")
        self.refused(2, r"percent.csv: no row has a usable score \(2 ", "--truth", "truth.csv", "percent.csv")
        self.write("other.csv", "image,lesion_id\nx1,1\nx2,1\n")
        self.refused(2, r"other.csv: none of its ids \(first id 'x1'\) is in truth.csv \(first id 'a'\)", "--truth", "truth.csv", "--metadata", "other.csv",
                     "scores.csv")

    def test_what_a_table_says_does_not_play_with_the_terminal(self):
        self.write("scores.csv", SCORES.replace("malignancy", "malignancy,model").replace(
            ".9", ".9,m\x1b[31m@1").replace(".2", ".2,m\x1b[31m@1").replace(".6", ".6,m\x1b[31m@1").replace(
            ".4", ".4,m\x1b[31m@1"))
        result = self.evaluate("--truth", "truth.csv", "scores.csv", "--bootstrap", "0")
        self.assertEqual(0, result.code, result.stderr)
        self.assertIn(b"[31m@1", result.stdout)
        self.assertNotIn(b"\x1b", result.stdout)

    def test_what_is_no_table_at_all(self):
        for name, data, reason in (
            ("t.csv.gz", gzip.compress(b"image,target\n"), "it is compressed by gzip"),
            ("t.xlsx", b"PK\x03\x04more", "it is a ZIP archive or a spreadsheet"),
            ("t.csv.skincheck", b"SQLite format 3\0", "it is a database"),
            ("t.csv", "image,target\n".encode("utf-16"), "it is in UTF-16"),
        ):
            self.write(name, data)
            for command in (["evaluate", "--truth", name, "scores.csv"], ["evaluate", "--truth", "truth.csv", name],
                            ["merge", name, name]):
                with self.subTest(command):
                    result = self.run_skincheck(*command)
                    self.assert_fails_with(result, 2, name, reason)

    def test_metadata_whose_ids_have_a_name_of_their_own(self):
        self.write("meta.csv", "photo,sex\na.jpg,female\nb.jpg,male\n")
        options = ["--truth", "truth.csv", "--metadata", "meta.csv", "scores.csv", "--bootstrap", "0", "--by", "sex"]
        self.refused(2, "meta.csv: which column .*; name it with --metadata-id-column", *options)
        self.refused(2, 'meta.csv: --metadata-id-column "x": no such column', *options, "--metadata-id-column", "x")
        self.refused(2, "--metadata-id-column goes with --metadata", "--truth", "truth.csv", "scores.csv",
                     "--metadata-id-column", "photo")
        result = self.evaluate(*options, "--metadata-id-column", "photo")
        self.assertEqual(0, result.code, result)
        self.assertIn(b"female", result.stdout)

    def test_two_outputs_that_are_one_file(self):
        self.refused(2, "--report ./new.txt is new.txt, which this run reads or writes", "--truth", "truth.csv", "scores.csv",
                     "-o", "new.txt", "--report", "./new.txt")
        self.assertEqual(["scores.csv", "truth.csv"], self.listing())

    def test_nothing_is_left_of_a_run_that_is_ended(self):
        running = harness.Running(["evaluate", "--truth", "truth.csv", "-", "-o", "out.txt", "--report", "r.html"],
                                  self.folder)
        self.addCleanup(running.end)
        running.feed(SCORES)  # it waits for the rest
        time.sleep(0.5)
        running.process.send_signal(signal.SIGTERM)
        self.assertEqual(-signal.SIGTERM, running.process.wait(harness.PATIENCE))
        self.assertEqual(["scores.csv", "truth.csv"], self.listing())

    def test_columns_of_another_name(self):
        self.write("truth.csv", b"Bild;x,Befund\na,boese\nb,gut\nc,gut\nd,boese\n".replace(b";x", b""))
        self.write("scores.csv", SCORES.replace("path,malignancy", "name,p").encode())
        found = self.figures(
            *("--id-column", "Bild", "--label-column", "Befund", "--positive", "boese"),
            *("--results-id-column", "name", "--score-column", "p", "scores.csv"),
        )
        self.assertEqual(2, found["evaluations"][0]["figures"]["malignant"])

    def test_metadata_of_another_file(self):
        self.write("more.csv", b"isic_id,lesion_id,age_approx\na,l1,20\nb,l1,30\nc,l2,40\nd,l3,50\n")
        found = self.figures("--metadata", "more.csv", "--by", "age_approx", "scores.csv")
        self.assertEqual(("lesion_id", 3), (found["evaluations"][0]["cluster"], found["evaluations"][0]["clusters"]))
        self.assertEqual(4, len(found["evaluations"][0]["groups"]))

    def test_two_columns_that_may_both_be_the_score(self):
        self.write("oof.csv", b"isic_id,fold,target,prediction\na,0,1,0.9\nb,0,0,0.2\nc,1,0,0.6\nd,1,1,0.4\n")
        self.refused(2, 'oof.csv: which column holds the scores, "target", "prediction"', "--truth", "truth.csv", "oof.csv")
        self.write("oof.jsonl", b'{"isic_id":"a","target":1,"score":0.9}\n')
        self.refused(2, "oof.jsonl: row 1: more than one key may be the score", "--truth", "truth.csv", "oof.jsonl")
        found = self.figures("oof.csv", "--score-column", "prediction")
        self.assertEqual(0.75, found["evaluations"][0]["figures"]["roc_auc"]["value"])

    def test_a_column_that_is_there_twice(self):
        self.write("twice.csv", b"image,malignant,malignant\na,1,0\nb,0,1\n")
        self.refused(2, 'twice.csv: the column "malignant" is there twice', "--truth", "twice.csv", "scores.csv")
        self.write("twice.csv", b"path,score,score\na,1,0\nb,0,1\n")
        self.refused(2, 'twice.csv: the column "score" is there twice', "--truth", "truth.csv", "twice.csv")

    def test_cases_that_belong_together_where_some_are_unknown(self):
        def clusters(patient, lesion):
            rows = [f"{name},{i % 2},{p},{l}\n" for i, (name, p, l) in enumerate(zip("abcd", patient, lesion))]
            self.write("groups.csv", ("image,malignant,patient_id,lesion_id\n" + "".join(rows)).encode())
            found = self.figures("scores.csv", truth="groups.csv")["evaluations"][0]
            return found["cluster"], found["clusters"]

        self.assertEqual(("patient_id", 2), clusters(["p", "p", "q", "q"], "xyzx"))
        self.assertEqual(("lesion_id", 2), clusters([""] * 4, "xxyy"))
        self.assertEqual(("lesion_id", 2), clusters(["NA"] * 4, "xxyy"))
        self.assertEqual(("patient_id or lesion_id", 2), clusters(["p", "p", "", "NA"], "xyzz"))
        self.assertEqual((None, 4), clusters(["NA"] * 4, ["", "null", "NaN", "N/A"]))

    def test_labels_that_say_nothing_are_not_benign(self):
        labels = ("melanoma", "nevus", "NA", "indeterminate")
        self.write("labels.csv", ("image,diagnosis\n" + "".join(map("{},{}\n".format, "abcd", labels))).encode())
        found = self.figures("scores.csv", "--positive", "melanoma", truth="labels.csv")
        self.assertEqual([{"what": "unknown truth", "count": 2, "names": ["c", "d"]}], found["truth"]["left_out"])
        found = self.figures("scores.csv", "--positive", "melanoma,Indeterminate", truth="labels.csv")
        self.assertEqual(["c"], found["truth"]["left_out"][0]["names"])

    def test_by_the_diagnoses_of_a_table_with_a_column_for_each(self):
        self.write("classes.csv", "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\na,1,0,0,0,0,0,0\nb,0,1,0,0,0,0,0\n"
                                  "c,0,1,0,0,0,0,0\nd,0,0,1,0,0,0,0\n")
        found = self.figures("scores.csv", "--by", "diagnosis", truth="classes.csv")
        groups = {group["value"]: group["figures"]["cases"] for group in found["evaluations"][0]["groups"]}
        self.assertEqual({"MEL": 1, "NV": 2, "BCC": 1}, groups)

    def test_a_label_with_a_comma(self):
        self.write("labels.csv", b'image,diagnosis\na,"Melanoma, NOS"\nb,Nevus\nc,Nevus\nd,BCC\n')
        found = self.figures("scores.csv", "--positive", '"Melanoma, NOS", BCC', truth="labels.csv")
        self.assertEqual(2, found["evaluations"][0]["figures"]["malignant"])

    def test_the_score_of_a_submission_follows_positive(self):
        classes = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\n"
        rows = ("a,1,0,0,0,0,0,0\n", "b,0,1,0,0,0,0,0\n", "c,0,0,1,0,0,0,0\n", "d,1,0,0,0,0,0,0\n")
        self.write("classes.csv", (classes + "".join(rows)).encode())
        spaced = self.figures("classes.csv", "--positive", "MEL, BCC", "--threshold", "0.5", truth="classes.csv")
        close = self.figures("classes.csv", "--positive", "MEL,BCC", "--threshold", "0.5", truth="classes.csv")
        self.assertEqual(close["evaluations"], spaced["evaluations"])
        found = self.figures("classes.csv", "--positive", "MEL", "--threshold", "0.5", truth="classes.csv")
        self.assertEqual(1, found["evaluations"][0]["figures"]["accuracy"]["value"])
        self.write("no-mel.csv", b"image,MEL,NV,BCC\na,1,0,0\nb,0,1,0\n")
        self.refused(2, 'no-mel.csv: no column "AKIEC", which --positive', "--truth", "classes.csv", "no-mel.csv",
                     "--positive", "MEL,AKIEC")
        self.write("2017.csv", b"image_id,melanoma,seborrheic_keratosis\na,1,0\nb,0,1\nc,0,0\nd,0,1\n")
        found = self.figures("2017.csv", "--positive", "seborrheic_keratosis", "--threshold", "0.5", truth="2017.csv")
        self.assertEqual(1, found["evaluations"][0]["figures"]["accuracy"]["value"])
        self.refused(2, "2017.csv: there are scores of melanoma and", "--truth", "2017.csv", "2017.csv", "--positive", "other")

    def test_classes_that_are_no_probabilities_of_one_whole_have_no_sum(self):
        self.write("truth.csv", b"image,MEL,NV,BCC\na,0,1,0\nb,1,0,0\nc,0,0,1\nd,0,1,0\n")
        self.write("rounded.csv", b"image,MEL,NV,BCC\na,0,1,0\nb,0.51,0,0.5\nc,0,0,1\nd,0,1,0\n")
        self.write("sigmoids.csv", b"image,MEL,NV,BCC\na,0.7,1,0.4\nb,0.9,0,0.6\nc,0.2,0,0.9\nd,0,1,0\n")
        truth = ("--truth", "truth.csv", "--threshold", "0.5")
        self.assertEqual(0, self.run_skincheck("evaluate", "-q", *truth, "rounded.csv").code)
        self.refused(2, "sigmoids.csv:2: the malignant classes add up to 1.1: .*--score-column", *truth, "sigmoids.csv")
        self.assertEqual(0, self.run_skincheck("evaluate", "-q", *truth, "--score-column", "MEL", "sigmoids.csv").code)

    def test_positive_labels_are_the_classes_whose_sum_is_the_score(self):
        self.write("truth.csv", b"image_id,dx\na,nv\nb,mel\nc,akiec\nd,bcc\n")
        self.write("classes.csv", b"image,MEL,NV,BCC,AKIEC\na,0.1,0.9,0,0\nb,0.8,0.1,0,0.1\nc,0.1,0,0,0.9\nd,0.2,0.1,0.7,0\n")
        found = self.figures("classes.csv", "--threshold", "0.5", "--positive", "mel", truth="truth.csv")
        self.assertEqual(1, found["evaluations"][0]["figures"]["accuracy"]["value"])
        self.write("binary.csv", b"image_id,y\na,0\nb,1\nc,0\nd,0\n")
        self.refused(2, 'classes.csv: no column "1", which --positive', "--truth", "binary.csv", "--label-column", "y",
                     "--positive", "1", "classes.csv")

    def test_a_group_that_is_named_twice_is_there_once(self):
        self.write("truth.csv", b"image,target,sex\na,1,f\nb,0,f\nc,1,m\nd,0,m\n")
        self.write("scores.csv", b"path,malignancy\na,0.9\nb,0.2\nc,0.8\nd,0.1\n")
        found = self.figures("scores.csv", "--threshold", "0.5", "--by", "sex,sex", "--by", "sex", truth="truth.csv")
        self.assertEqual(2, len(found["evaluations"][0]["groups"]))

    def test_standard_input_is_read_once(self):
        self.refused(2, "'-' is named twice", "--truth", "-", "-", stdin=TRUTH.encode())
        found = self.figures("-", stdin=SCORES.encode())
        self.assertEqual(hashlib.sha256(SCORES.encode()).hexdigest(), found["evaluations"][0]["results_sha256"])

    def test_hashes_are_of_the_bytes_that_were_read(self):
        self.write("scores.json", json.dumps([{"path": "a", "malignancy": 0.9}, {"path": "b", "malignancy": 0.2}]) + "\n\n")
        self.write("truth.csv", "\ufeffid,malignant\na,1\nb,0\n")
        self.write("metadata.csv", "id,age\na,50\nb,60\n")
        found = self.figures("scores.json", "--metadata", "metadata.csv", "--threshold", "0.5", truth="truth.csv")
        for name, hash in {
            "scores.json": found["evaluations"][0]["results_sha256"],
            "truth.csv": found["truth"]["sha256"],
            "metadata.csv": found["truth"]["metadata_sha256"],
        }.items():
            self.assertEqual(hashlib.sha256(pathlib.Path(self.folder, name).read_bytes()).hexdigest(), hash)

    def test_what_is_refused_is_refused_before_the_work(self):
        """Each of these is told before what comes out last: of two files that have too few cases in common."""
        self.write("ab.csv", "path,malignancy\na,0.9\nb,0.2\n")
        self.write("cd.csv", "path,malignancy\nc,0.9\nd,0.2\n")
        both = ("--truth", "truth.csv", "ab.csv", "cd.csv", "--report", "page.html")
        self.refused(2, "ab.csv and cd.csv share 0 images", *both)
        self.refused(2, "--by: .* has no column 'height'", *both, "--by", "sex,height")
        self.refused(2, "the images' folder gone cannot be read: No such file", *both, "--images", "gone")
        self.refused(2, "the images' folder truth.csv cannot be read: Not a dir", *both, "--images", "truth.csv")
        self.assertEqual(["ab.csv", "cd.csv", "scores.csv", "truth.csv"], self.listing())

    def test_one_sentence_for_what_cannot_be_evaluated(self):
        both = ("--truth", "truth.csv")
        self.refused(2, "evaluate needs --truth FILE", "scores.csv")
        self.refused(2, "evaluate takes one file of results, or two to compare, not 0", *both)
        self.refused(2, "cannot read gone.csv: No such file", *both, "gone.csv")
        self.refused(2, "--threshold: '2' is not a number from 0 to 1", *both, "scores.csv", "--threshold", "2")
        self.refused(2, "--by: .* has no column 'height'", *both, "scores.csv", "--by", "height")
        self.refused(2, "--report -: this does not go to standard output; name a file", *both, "scores.csv",
                     "--report", "-")
        self.assertEqual(["scores.csv", "truth.csv"], self.listing())
        before = self.read("scores.csv")
        with open(self.path("scores.csv"), "rb") as scores:
            result = self.run_skincheck("evaluate", *both, "-", "-o", "scores.csv", stdin=scores)
        self.assert_fails_with(result, 2, "scores.csv is what is read on standard input")
        self.assertEqual(before, self.read("scores.csv"))
        self.refused(2, "--images goes with --report", *both, "scores.csv", "--images", ".")
        self.refused(2, "unknown option '--nonsense'", *both, "scores.csv", "--nonsense")
        self.write("other.csv", b"path,malignancy\nq,0.5\n")
        self.refused(2, "no image is both in truth.csv .* and in other.csv", *both, "other.csv")
        self.write("words.csv", b"path,malignancy\na,high\n")
        self.refused(2, "words.csv:2: .*high", *both, "words.csv")
        self.write("one.csv", b"image,malignant\na,1\nd,1\n")
        self.refused(2, "all 2 images .* are malignant: both kinds are needed", "--truth", "one.csv", "scores.csv")


class Submission(SkincheckTest):
    def test_a_binary_model_writes_the_layout_of_2024(self):
        self.write("folder/ISIC_1.png", png(WHITE))
        result = self.score("folder/ISIC_1.png", "folder/gone.jpg", "no-folder//", "--format", "isic")
        self.assertEqual(1, result.code)
        lines = result.stdout.decode().splitlines()
        self.assertEqual("isic_id,target", lines[0])
        self.assertRegex(lines[1], r"^ISIC_1,0\.\d{6}$")
        self.assertEqual(["gone,", "no-folder,"], lines[2:])

    def test_a_submission_can_be_evaluated(self):
        self.write("a.png", png(WHITE))
        self.write("b.png", png(BLACK))
        self.write("truth.csv", b"image,malignant\na,1\nb,0\n")
        self.score("a.png", "b.png", "--format", "isic", "-o", "submission.csv")
        result = self.run_skincheck("evaluate", "--truth", "truth.csv", "submission.csv", "--format", "json", "-q")
        self.assertEqual(2, json.loads(result.stdout)["evaluations"][0]["figures"]["cases"])


if __name__ == "__main__":
    harness.main()
