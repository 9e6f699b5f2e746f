"""What is wrong with the input is said in one line that names it, with exit code 2, before any training."""

import contextlib
import io
import pathlib
import sys
import tempfile
import unittest
import unittest.mock
from dataclasses import asdict

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from skincheck_training import __main__ as recipe
from skincheck_training import pixels, ready, train
from skincheck_training.diagnoses import DIAGNOSES
from skincheck_training.settings import Settings

HEADER = "file,malignant,group,split,diagnosis"
ROWS = [
    f"{split}{number}.png,{int(name in ('akiec', 'bcc', 'mel'))},{split}{number},{split},{name}"
    for split in ("train", "val")
    for number, name in enumerate(DIAGNOSES)
]
# Stands in for `skincheck preprocess`: files that hold "bad" are not readable, of others come grey pictures. As the name of a
# model it takes no blank.
SKINCHECK = f"""#!{sys.executable}
import csv, json, sys
from PIL import Image
if "--version" in sys.argv:
    sys.exit()
if " " in json.load(open(sys.argv[sys.argv.index("--model") + 1] + "/model.json"))["name"]:
    print("skincheck: error: model.json: name is no name", file=sys.stderr)
    sys.exit(3)
output = sys.argv[sys.argv.index("--output") + 1]
rows = csv.writer(sys.stdout)
rows.writerow(["path", "output", "status", "error"])
failed = 0
for number, path in enumerate(sys.stdin.read().split(chr(0))[:-1]):
    if open(path).read() == "bad":
        failed = 1
        rows.writerow([path, "", "unreadable", "not an image"])
    else:
        Image.new("RGB", ({Settings.side}, {Settings.side}), (128, 128, 128)).save(f"{{output}}/{{number}}.png")
        rows.writerow([path, f"{{output}}/{{number}}.png", "ok", ""])
sys.exit(failed)
"""


class BadInput(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for row in ROWS:
            (self.folder / row.split(",")[0]).write_text("good")
        (self.folder / "weights").write_text("")
        (self.folder / "terms").write_text("none")
        executable = self.folder / "skincheck"
        executable.write_text(SKINCHECK)
        executable.chmod(0o755)

    def paths(self) -> list[str]:
        names = {"data": "table.csv", "images": "", "weights": "weights", "skincheck": "skincheck", "work": "work",
                 "package": "package", "licence": "terms", "notice": "terms"}
        return [text for name, file in names.items() for text in (f"--{name}", str(self.folder / file))]

    @contextlib.contextmanager
    def patched(self):
        """Starting weights are another test's matter; nothing is learned."""
        small = torch.nn.Linear(1, 1)
        with (
            unittest.mock.patch.object(ready, "load_backbone", lambda *_: "digest"),
            unittest.mock.patch.object(ready, "build_network", lambda *_: small),
            unittest.mock.patch.object(train, "LAYERS", ("",)),
            unittest.mock.patch.object(train._Run, "learn", side_effect=AssertionError("training has begun")),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            yield

    def refused(self, message: str, *rows: str, more: tuple[str, ...] = (), header: str = HEADER) -> None:
        (self.folder / "table.csv").write_text("\n".join([header, *rows]) + "\n")
        with self.patched(), contextlib.redirect_stderr(io.StringIO()) as said:
            code = recipe.main([*self.paths(), "--licence-text", "none", *more])
        self.assertEqual(code, 2)
        self.assertTrue(message, said.getvalue())
        lines = said.getvalue().splitlines()
        self.assertEqual(len(lines), 1, lines)
        self.assertRegex(lines[0], f"^skincheck_training: .*{message}")
        self.assertFalse((self.folder / "package" / "model.json").exists())

    def test_good_input_reaches_the_training(self):
        """Else the other tests could pass for a reason of their own."""
        for learn in ("malignancy", "diagnoses"):
            with self.assertRaisesRegex(AssertionError, "training has begun"):
                self.refused("", *ROWS, more=("--learn", learn))

    def test_a_missing_image(self):
        self.refused(r"table\.csv: .*/gone\.png is not there", *ROWS, "gone.png,1,g,train,mel")

    def test_an_unreadable_image(self):
        (self.folder / "val3.png").write_text("bad")
        self.refused(r"1 images cannot be used, first .*/val3\.png: unreadable, not an image", *ROWS)

    def test_all_unreadable_images_are_found_at_once_and_those_left_out_are_not_needed(self):
        bad, gone = ("train2.png", "val3.png"), "val4.png"
        for name in bad:
            (self.folder / name).write_text("bad")
        (self.folder / gone).unlink()
        rows = [*ROWS, *(f"more{number}.png,1,more{number},{split},mel" for number, split in enumerate(("train", "val")))]
        for number in range(2):
            (self.folder / f"more{number}.png").write_text("good")
        away = ("--leave-out", f"file={gone}")
        with unittest.mock.patch.object(pixels, "CHUNK", 3):
            message = r"2 images cannot be used, first .*/train2\.png: .* .*unreadable\.csv has them all"
            self.refused(message, *rows, more=away)
            told = self.folder / "work" / "unreadable.csv"
            self.assertEqual(["file", *bad], [line.partition(",")[0] for line in told.read_text().splitlines()])
            for name in bad:
                away += ("--leave-out", f"file={name}")
            with self.assertRaisesRegex(AssertionError, "training has begun"):
                self.refused("", *rows, more=away)
            self.assertFalse(told.exists())
            self.refused("1 images cannot be used, first .*/val3", *rows, more=away[:4])  # the pack is there

    def test_malignant_that_contradicts_the_diagnosis_is_told(self):
        turned = [row.replace(",1,", ",0,") if row.endswith((",mel", ",bcc")) else row for row in ROWS[:7]] + ROWS[7:]
        names = "bcc called benign 1, mel called benign 1"
        wanted = f"2 images: the column malignant contradicts the diagnosis ({names}), first train1.png"
        more = [ROWS[1].replace("train1", "more1"), ROWS[4].replace("train4", "more4")]  # each diagnosis still has an example
        (self.folder / "table.csv").write_text("\n".join([HEADER, *turned, *more]) + "\n")
        for name in ("more1.png", "more4.png"):
            (self.folder / name).write_text("good")
        for learn in ("malignancy", "diagnoses"):
            with self.subTest(learn), self.patched(), contextlib.redirect_stdout(io.StringIO()) as said:
                ready.get_ready(recipe.parse([*self.paths(), "--licence-text", "none", "--learn", learn]))
            self.assertEqual([wanted], [line for line in said.getvalue().splitlines() if "contradicts" in line])
        swapped = [row.replace(",1,", ",x,").replace(",0,", ",1,").replace(",x,", ",0,") for row in ROWS]
        self.refused("14 images: the column malignant contradicts .* 1 is to be malignant", *swapped)

    def test_what_skincheck_would_refuse_in_the_package(self):
        """Though the pixels are there already."""
        with self.assertRaisesRegex(AssertionError, "training has begun"):
            self.refused("", *ROWS)
        self.refused("does not take .*/draft: skincheck: error: .*name is no name", *ROWS, more=("--name", "two words"))

    def test_a_column_that_is_there_twice(self):
        """The last one would count, and turn the labels round without a word."""
        rows = [f"{row},{1 - int(row.split(',')[1])}" for row in ROWS]
        self.refused("table.csv: the column malignant is there twice", *rows, header=f"{HEADER},malignant")

    def test_an_image_by_two_names(self):
        self.refused("listed twice", *ROWS, f"sub/../{ROWS[0]}")

    def test_sides_that_are_too_small(self):
        self.refused("--side 32: .* 33 pixels are the least", *ROWS, more=("--side", "32"))
        self.refused("--stages: crops of 8 pixels", *ROWS, more=("--stages", "8:1,64:1"))

    def test_a_licence_by_the_name_of_another_file_of_the_package(self):
        (self.folder / "NOTICE").write_text("none")
        self.refused("the package has another file of that name", *ROWS, more=("--licence", str(self.folder / "NOTICE")))

    def test_pixels_of_another_size(self):
        self.refused(f"preprocess made .*0.png {Settings.side}×{Settings.side} pixels, not 96×96", *ROWS, more=("--side", "96"))

    def test_a_device_that_is_not_there(self):
        self.refused("--device fpga:9 cannot be used: ", *ROWS, more=("--device", "fpga:9"))

    def test_numbers_below_zero(self):
        for option in ("--seed", "--workers"):
            with self.subTest(option), self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()) as said:
                recipe.parse([option, "-1"])
            self.assertIn(f"{option}: -1 is not 0 or more", said.getvalue())

    def test_a_level_that_zstd_does_not_have(self):
        with self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()) as said:
            recipe.parse(["--pack-level", "23"])
        self.assertIn("--pack-level: 23 is not from 1 to 22", said.getvalue())

    def test_a_label_that_is_not_known(self):
        rows = [ROWS[0], ROWS[1].replace(",1,", ",bcc,")]
        self.refused(r"table\.csv:3: malignant is 'bcc', not 0 or 1", *rows)

    def test_a_group_in_two_splits(self):
        rows = [*ROWS[:-1], "val6.png,0,train0,val,vasc"]
        self.refused("1 groups are in train and in val, for instance 'train0'", *rows)

    def test_a_class_without_an_example(self):
        benign = [row for row in ROWS if ",1,val" not in row]
        self.refused(r"table\.csv: the val split has no malignant example", *benign)
        without = [row for row in ROWS if not row.endswith("train,df")]
        self.refused("the train split has no df example", *without, more=("--learn", "diagnoses"))
        away = ("--learn", "diagnoses", "--leave-out", "file=val5.png")
        self.refused("the val split has no nv example left", *ROWS, more=away)
        contradicting = [row.replace(",1,", ",0,") if row.endswith("val,mel") else row for row in ROWS]
        self.refused("the val split has no mel example", *contradicting, more=("--learn", "diagnoses"))

    def test_a_limit_and_nothing_left(self):
        self.refused("the train split has no malignant example", *ROWS, more=("--leave-out", "source=all"))
        self.refused(r"table\.csv: --leave-out leaves no image", *ROWS, more=("--leave-out", "source=all", "--limit", "5"))

    def test_a_trial_on_the_first_images_wants_no_others(self):
        with self.assertRaisesRegex(AssertionError, "training has begun"):
            self.refused("", *ROWS, "gone.png,1,g,train,mel", more=("--limit", "6"))

    def test_a_limit_that_leaves_too_little_is_named(self):
        self.refused("the train split has no benign example among the 1 that --limit takes", *ROWS, more=("--limit", "1"))

    def test_what_is_left_out_is_neither_learned_nor_validated(self):
        away = ("train5.png", "val3.png")
        (self.folder / "table.csv").write_text("\n".join([HEADER, *ROWS]) + "\n")
        options = [text for name in away for text in ("--leave-out", f"file={name}")]
        with self.patched():
            found = ready.get_ready(recipe.parse([*self.paths(), "--licence-text", "none", *options]))
        names = [example.file for example in found.examples]
        learned, validated = ({names[index] for index in part} for part in (found.task.train, found.task.val))
        self.assertEqual({name for name in names if name.startswith("train")} - {away[0]}, learned)
        self.assertEqual({name for name in names if name.startswith("val")} - {away[1]}, validated)

    def test_no_source_with_both_kinds(self):
        rows = [f"{row},{row.split(',')[1]}" for row in ROWS]
        self.refused("no source has malignant and benign examples in the val split", *rows, header=f"{HEADER},source")

    def test_a_checkpoint_of_another_configuration(self):
        (self.folder / "work").mkdir()
        checkpoint = self.folder / "work" / "checkpoint.pt"
        torch.save({"settings": asdict(Settings(seed=5)), "origin": "x"}, checkpoint)
        self.refused(r"work/checkpoint\.pt is of other settings \(seed\)", *ROWS)
        torch.save({"settings": asdict(Settings()), "origin": "x"}, checkpoint)
        self.refused(r"work/checkpoint\.pt is of other data or starting weights", *ROWS)
        torch.save([1], checkpoint)
        self.refused(r"work/checkpoint\.pt is no checkpoint of this recipe", *ROWS)
        checkpoint.write_bytes(b"half a checkp")
        self.refused(r"work/checkpoint\.pt cannot be read", *ROWS)


if __name__ == "__main__":
    unittest.main()
