"""Real images through the model that is shipped; only where both are present."""

import harness
from harness import HEADER, SOURCE, SkincheckTest, csv_rows

MODEL = SOURCE / "models" / "skincheck-resnet50"
IMAGES = SOURCE.parent / "shared" / "data" / "isic2018_test_600x450"


class ShippedModel(SkincheckTest):
    def setUp(self):
        super().setUp()
        if not (MODEL / "model.json").exists():
            self.skipTest("models/skincheck-resnet50 is not there")

    def need_images(self) -> list[str]:
        if not IMAGES.is_dir():
            self.skipTest("../shared/data/isic2018_test_600x450 is not there")
        return [str(path) for path in sorted(IMAGES.glob("*.jpg"))[:20]]

    def test_the_first_images_of_isic_2018(self):
        paths = self.need_images()
        first = self.run_skincheck(*paths, "--jobs", "2")
        self.assert_ok(first)
        self.assert_statuses(first, *((path, "ok") for path in paths))
        self.assertEqual(first.stdout, self.run_skincheck(*paths, "--jobs", "2").stdout)
        scores = [float(row["malignancy"]) for row in csv_rows(first.stdout)]
        self.assertGreater(len(set(scores)), 15)
        self.check_batches(paths, scores)

    def check_batches(self, paths: list[str], scores: list[float]) -> None:
        batched = self.run_skincheck(*paths[:8], "--jobs", "1", "--batch-size", "4")
        self.assert_ok(batched)
        for row, score in zip(csv_rows(batched.stdout), scores[:8], strict=True):
            self.assertAlmostEqual(score, float(row["malignancy"]), delta=1e-5)

    def test_the_examples(self):
        examples = sorted((SOURCE / "examples" / "images").glob("*.*"))
        if not examples:
            self.skipTest("examples/images is not there")
        result = self.run_skincheck(str(SOURCE / "examples" / "images"), "--jobs", "2")
        self.assert_ok(result)
        self.assertTrue(result.stdout.startswith(HEADER.encode()))
        self.assertEqual([str(path) for path in examples], [row["path"] for row in csv_rows(result.stdout)])


if __name__ == "__main__":
    harness.main()
