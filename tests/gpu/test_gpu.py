"""skincheck on an NVIDIA card, with the model that is shipped; skipped where no card passes the self-test."""

import functools
import json
import subprocess

from harness import EXECUTABLE, SOURCE, SkincheckTest, csv_rows, environment, main

MODEL = f"{SOURCE / 'models' / 'skincheck-resnet50'}/"
IMAGES = sorted((SOURCE / "examples" / "images").glob("*.jpg"))  # some of them score high: a card that answers 0 is seen
CLOSE = {"fp32": 0.001, "fp16": 0.01}  # to the CPU in fp32
CHANGING = {"fp32": 0.001, "fp16": 0.005}  # from one batch to another


@functools.cache
def lacking() -> str:
    """Why there is no card to test; empty if there is one. A card that is there and computes wrongly is no reason."""
    done = subprocess.run([EXECUTABLE, "model", MODEL], capture_output=True, text=True, env=environment(), check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("cuda:0 fp")]
    if any("self-test passed" in line or "FAILED" in line for line in lines):
        return ""
    return lines[-1] if lines else "the shipped model is not there"


class Card(SkincheckTest):
    def setUp(self):
        super().setUp()
        if lacking():
            self.skipTest(lacking())
        self.files = [str(path) for path in IMAGES]

    def rows(self, *options: str, listing: list[str] | None = None) -> list[dict]:
        names = "".join(f"{name}\n" for name in listing or self.files).encode()
        result = self.run_skincheck("--model", MODEL, *options, "-", stdin=names)
        self.assert_ok(result)
        return csv_rows(result.stdout)

    def used(self, *options: str) -> dict:
        result = self.run_skincheck("--model", MODEL, "--format", "json", *options, self.files[0])
        self.assert_ok(result)
        return json.loads(result.stdout)["skincheck"]

    def test_scores_are_those_of_the_cpu(self):
        wanted = self.rows("--device", "cpu", "--precision", "fp32")
        self.assertGreater(max(float(row["malignancy"]) for row in wanted), 0.5)
        for precision, close in CLOSE.items():
            found = self.rows("--device", "cuda", "--precision", precision)
            for one, other in zip(wanted, found, strict=True):
                self.assertEqual(one["path"], other["path"])
                self.assertAlmostEqual(float(one["malignancy"]), float(other["malignancy"]), delta=close, msg=precision)

    def test_the_provenance_says_what_was_used(self):
        self.assertEqual("cpu", self.used("--device", "cpu")["device"])
        for precision in CLOSE:
            told = self.used("--device", "cuda", "--precision", precision)
            self.assertEqual(("cuda:0", precision), (told["device"].split(" ")[0], told["precision"]))

    def test_auto_takes_the_card(self):
        self.assertTrue(self.used()["device"].startswith("cuda:0"))

    def test_many_batches_on_several_networks_say_the_same(self):
        names = self.files * 400
        for precision in CLOSE:
            rows = self.rows("--device", "cuda", "--precision", precision, "--jobs", "8", listing=names)
            self.assertEqual(names, [row["path"] for row in rows])
            first = {row["path"]: float(row["malignancy"]) for row in rows[: len(self.files)]}
            for row in rows:
                self.assertAlmostEqual(first[row["path"]], float(row["malignancy"]), delta=CHANGING[precision], msg=precision)

    def test_batches_that_are_not_full_say_the_same(self):
        """They are filled up on the card."""
        names = [*self.files * 6, "gone.jpg", *self.files, "gone.jpg"]
        for precision in CLOSE:
            listing = "".join(f"{name}\n" for name in names).encode()
            options = ["--device", "cuda", "--precision", precision, "--batch-size", "16", "--jobs", "2", "-"]
            result = self.run_skincheck("--model", MODEL, *options, stdin=listing)
            self.assertEqual(1, result.code, result)
            rows = csv_rows(result.stdout)
            self.assertEqual(names, [row["path"] for row in rows])
            first = {row["path"]: float(row["malignancy"]) for row in rows[: len(self.files)]}
            for row in rows:
                if row["path"] == "gone.jpg":
                    self.assertEqual("not_found", row["status"])
                else:
                    self.assertAlmostEqual(first[row["path"]], float(row["malignancy"]), delta=CHANGING[precision])


if __name__ == "__main__":
    main()
