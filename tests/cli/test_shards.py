"""--shard and merge: parts that are joined are the whole, byte for byte, or they are refused."""

import json
import os

import harness
from harness import SkincheckTest, csv_rows
from images import BLACK, BLUE, GREEN, WHITE, png

COLOURS = (WHITE, BLACK, GREEN, BLUE)
USAGE = 2


class ShardsTest(SkincheckTest):
    def setUp(self):
        super().setUp()
        for number in range(10):
            self.write(f"drop/{number}.png", "none" if number == 4 else png(COLOURS[number % 4]))
        self.write(b"drop/caf\xe9, \n.png", png())

    def score_parts(self, count: int, *arguments, ending: str = "csv", **options) -> list[str]:
        names = []
        for index in range(1, count + 1):
            names.append(f"p{index}.{ending}")
            result = self.score("--shard", f"{index}/{count}", "-o", names[-1], "drop", *arguments, **options)
            self.assertIn(result.code, (0, 1), result)
        return names

    def merge(self, *arguments, **options):
        return self.run_skincheck("merge", *arguments, **options)


class Joined(ShardsTest):
    def test_parts_equal_the_whole_in_each_format(self):
        for ending in ("csv", "jsonl", "json"):
            for model in ("tiny-sigmoid", "tiny-softmax"):
                whole = self.score("drop", "--format", ending, model=model)
                for count in (1, 3, 11, 14):
                    with self.subTest(ending=ending, model=model, count=count):
                        parts = self.score_parts(count, ending=ending, model=model)
                        result = self.merge(*reversed(parts))
                        self.assertEqual(whole.stdout, result.stdout)
                        self.assertEqual(whole.code, result.code)

    def test_parts_are_even(self):
        for count in (2, 3, 4):
            sizes = [len(csv_rows(self.read(name))) for name in self.score_parts(count)]
            self.assertEqual(11, sum(sizes))
            self.assertLessEqual(max(sizes) - min(sizes), 1)

    def test_lists_are_split_too(self):
        names = "".join(f"drop/{number % 5}.png\n" for number in range(12)).encode()
        for index in (1, 2):
            self.score("--shard", f"{index}/2", "-o", f"p{index}.csv", "-", stdin=names)
        self.assertEqual(self.score("-", stdin=names).stdout, self.merge("p1.csv", "p2.csv").stdout)

    def test_into_a_file_and_another_format(self):
        parts = self.score_parts(2)
        self.assertEqual(1, self.merge("-o", "all.jsonl", *parts).code)
        self.assertEqual(self.score("drop", "--format", "jsonl").stdout, self.read("all.jsonl"))
        self.assertEqual(self.score("drop", "--format", "isic").stdout, self.merge("--format", "isic", *parts).stdout)
        self.assert_fails_with(self.merge("--format", "json", *parts), 2, "--format json")

    def test_parts_can_be_resumed(self):
        whole = self.score("drop").stdout
        self.score_parts(3, "--resume")
        parts = self.score_parts(3, "--resume")
        self.assertEqual(whole, self.merge(*parts).stdout)
        os.remove(self.path("drop/0.png"))
        result = self.score("--shard", "1/3", "--resume", "-o", "p1.csv", "drop")
        self.assert_fails_with(result, 2, "inputs are not those", "--force")
        result = self.score("--shard", "2/3", "--resume", "-o", "p1.csv", "drop")
        self.assert_fails_with(result, 2, "shard: 1/3", "2/3")

    def test_anonymised_parts(self):
        self.write("key", "k" * 32)
        whole = self.score("drop", "--anonymise-paths", "key").stdout
        self.assertEqual(whole, self.merge(*self.score_parts(3, "--anonymise-paths", "key")).stdout)

    def test_an_interrupted_part_does_not_look_whole(self):
        running = self.start("--shard", "1/2", "-o", "p1.csv")
        running.feed("drop/0.png\ndrop/1.png\ndrop/2.png\n")
        while not any(name.startswith(".p1.csv.skincheck-") for name in self.listing()):
            pass
        running.process.terminate()
        result = running.finish(close=False)
        self.assertEqual(143, result.code)
        self.assertNotIn("p1.csv", self.listing())


class Refused(ShardsTest):
    def assert_refuses(self, parts: list[str], *texts: str) -> None:
        self.assert_fails_with(self.merge(*parts), 2, *texts)

    def test_parts_that_are_missing_or_double(self):
        one, two, three = self.score_parts(3)
        self.assert_refuses([one, three], "part 2/3 is missing")
        self.assert_refuses([one, two], "part 3/3 is missing")
        self.assert_refuses([one, two, two, three], "p2.csv and p2.csv are both part 2/3")

    def test_parts_of_different_runs(self):
        one, two = self.score_parts(2)
        self.score("--shard", "2/2", "-o", "t.csv", "--threshold", "0.3", "drop")
        self.assert_refuses([one, "t.csv"], "p1.csv", "t.csv", "threshold")
        self.score("--shard", "2/2", "-o", "m.csv", "drop", model="tiny-softmax")
        self.assert_refuses([one, "m.csv"], "model")
        self.score("--shard", "2/2", "-o", "j.jsonl", "drop")
        self.assert_refuses([one, "j.jsonl"], "format")
        self.score("--shard", "1/2", "-o", "1.json", "drop")
        self.score("--shard", "2/2", "-o", "2.json", "--tta", "2", "drop")
        self.assert_refuses(["1.json", "2.json"], "number of views")
        self.score("--shard", "2/3", "-o", "n.csv", "drop")
        self.assert_refuses([one, "n.csv"], "one of 2 parts", "one of 3")

    def test_parts_of_different_runs_beside_one_without_a_row(self):
        """It may tell neither model nor threshold, and all others are held against each other all the same."""
        for ending in ("csv", "jsonl", "json"):
            with self.subTest(ending):
                one, two, *empty = self.score_parts(7, ending=ending)
                self.score("--shard", "2/7", "-o", two, "--threshold", "0.3", "drop")
                self.assert_refuses([*reversed(empty), one, two], two, "threshold")
                self.score("--shard", "2/7", "-o", two, "drop", model="tiny-softmax")
                self.assert_refuses([*reversed(empty), one, two], two, "model")

    def test_parts_of_different_inputs(self):
        for change in (lambda: self.write("drop/00.png", png()), lambda: os.remove(self.path("drop/0.png"))):
            one = "p1.csv"
            self.score("--shard", "1/2", "-o", one, "drop")
            change()
            self.score("--shard", "2/2", "-o", "p2.csv", "drop")
            result = self.merge(one, "p2.csv")
            self.assertEqual(2, result.code)
            self.assertRegex(result.stderr, rb"not made from the|is missing|twice")

    def test_parts_that_are_not_whole(self):
        one, two = self.score_parts(2)
        for name, gone in ((one, 2), (two, 3), (two, -1)):
            with self.subTest(name=name, gone=gone):
                lines = self.read(name).split(b"\n")[:-1]
                whole = self.read(name)
                del lines[gone]
                self.write(name, b"\n".join(lines) + b"\n")
                result = self.merge(one, two)
                self.assertEqual(2, result.code, result)
                self.write(name, whole)

    def test_parts_that_have_lost_their_last_rows(self):
        files = sorted(os.listdir(self.path("drop")))
        for shards in (1, 2, 3):
            for count in (len(files), shards + 1, max(2, shards)):  # of a single row its header alone would be left
                inputs = [f"drop/{name}" for name in files[:count]]
                parts = [f"{i}.csv" for i in range(1, shards + 1)]
                for i, part in enumerate(parts, 1):
                    self.score("--shard", f"{i}/{shards}", "-o", part, *inputs)
                self.assertEqual(count, len(csv_rows(self.merge(*parts).stdout)))
                part = f"{(count - 1) % shards + 1}.csv"
                with self.subTest(shards=shards, count=count, part=part):
                    cut = self.read(part).rsplit(b"\n", 2)[0] + b"\n"
                    self.write(part, cut)
                    result = self.merge(*parts)
                    self.assertEqual(2, result.code, result)

    def test_rows_that_were_changed(self):
        one, two = self.score_parts(2)
        whole = self.read(two).decode(errors="surrogateescape")
        for old, new in (
            ("drop/1.png", "drop/x.png"),
            (",ok,", ",fine,"),
            (",benign,", ",bad,"),
            ("2/2,2,", "2/2,3,"),
            ("2/2,2,", "2/2,12,"),
            ("2/2,2,", "2/2,0,"),
            ("2/2,2,", f"2/2,{2**63},"),
            ("2/2,2,", "2/2,-2,"),
            (",benign,0.5,", ",,0.5,"),
            ("0.148047", "1.148047"),
            ("0.148047", "0.648047"),
            (",benign,", ",malignant,"),
            (",ok,", ",corrupt,"),
            (",ok,0.148047,benign,", ",ok,,,"),
            ("shard,item", "shard,thing"),
        ):
            with self.subTest(new):
                changed = whole.replace(old, new, 1)
                self.assertNotEqual(whole, changed)
                self.write(two, os.fsencode(changed))
                self.assert_fails_with(self.merge(one, two), 2, *(["p2.csv"] if "2/2," in new else []))

    def test_a_head_that_contradicts_its_rows(self):
        parts = self.score_parts(2, ending="json")
        head = json.loads(self.read(parts[1]))
        for change, told in (
            ({"threshold": 0.3}, "at its head the threshold is 0.3, and 0.5 in its rows"),
            ({"model": head["model"] | {"name": "other"}}, "at its head the model is other@"),
            ({"skincheck": head["skincheck"] | {"precision": "fp16"}}, "precision"),
            ({"preprocessing": head["preprocessing"] | {"normalise": {}}}, "preprocessing"),
        ):
            with self.subTest(told):
                self.write("changed.json", json.dumps(head | change, indent=1))
                self.assert_fails_with(self.merge(parts[0], "changed.json"), USAGE, "changed.json", told)

    def test_rows_with_some_of_their_numbers(self):
        one, two = self.score_parts(2, model="tiny-softmax")
        rows = csv_rows(self.read(two))
        for column in ("malignancy", "p_nevus", "p_bcc"):
            with self.subTest(column):
                self.write("changed.csv", self.read(two).replace(rows[0][column].encode(), b"", 1))
                self.assert_fails_with(self.merge(one, "changed.csv"), USAGE, "changed.csv", "row 1: it has ")

    def test_values_within_values_without_an_end(self):
        one, two = self.score_parts(2, ending="json")
        deep = "[" * 200_000 + "]" * 200_000
        whole = self.read(two).decode()
        self.write("deep.json", whole.replace('"preprocessing": ', f'"deep": {deep}, "preprocessing": ', 1))
        self.assertNotEqual(whole.encode(), self.read("deep.json"))
        self.assert_fails_with(self.merge(one, "deep.json"), USAGE, "deep.json: nested more than 32 deep")
        self.write("deep.jsonl", '{"path": ' + deep + "}\n")
        self.assert_fails_with(self.merge("deep.jsonl"), USAGE, "deep.jsonl: nested more than 32 deep")

    def test_devices_of_a_part_that_was_resumed(self):
        one, two = self.score_parts(2, ending="json")
        whole = self.read(two).decode()
        self.write(two, whole.replace('"device":"cpu"', '"device":"cpu, cuda:0"', 1))
        result = self.merge("--format", "json", one, two)
        self.assertEqual("cpu, cuda:0", json.loads(result.stdout)["skincheck"]["device"])

    def test_a_text_without_an_end(self):
        one, two = self.score_parts(2, ending="json")
        self.write("long.json", self.read(two).replace(b'"path":"', b'"path":"' + b"x" * (3 << 20), 1))
        self.assert_fails_with(self.merge(one, "long.json"), USAGE, "long.json:", "more than 1 MiB in one text")

    def test_a_row_without_an_end(self):
        self.write("long.jsonl", '{"path": "' + "x" * (1 << 21))
        self.assert_fails_with(self.merge("long.jsonl"), USAGE, "long.jsonl:1: more than 1 MiB in one row")

    def test_a_part_is_a_file_and_stays_one(self):
        parts = self.score_parts(2)
        os.mkfifo(self.path("fifo"))
        for part in ("-", "fifo", "/dev/stdin"):
            with self.subTest(part):
                result = self.merge(part, parts[0], stdin=b"")
                self.assert_fails_with(result, USAGE, part, "a part must be a file")
        before = self.read(parts[0])
        for name in (parts[0], f"./{parts[0]}"):
            self.assert_fails_with(self.merge("-o", name, *parts), USAGE, "reads or writes already")
        self.assertEqual(before, self.read(parts[0]))

    def test_what_is_no_part(self):
        self.score("-o", "whole.csv", "drop")
        self.assert_refuses(["whole.csv"], "no shard", "--shard")
        for text in ("", "a,b\n1,2\n", "{", "{}\n", "[1]\n", '{"results": [1]}', '{\n"results": [{"path": 1}]}'):
            with self.subTest(text):
                self.write("x", text)
                result = self.merge("x")
                self.assertIn(result.code, (0, 2), result)
                if text:
                    self.assertEqual(2, result.code, result)
        self.assert_refuses(["none.csv"], "none.csv")
        self.assert_refuses([], "name the parts")

    def test_shards_that_are_none(self):
        for text in ("0/2", "3/2", "1", "a/b", "1/0"):
            with self.subTest(text):
                self.assert_fails_with(self.score("--shard", text, "drop"), 2, "--shard", text)
        self.assert_fails_with(self.score("--shard", "1/2", "--settle", "5", "drop"), 2, "--settle")
        self.assert_fails_with(self.score("--shard", "1/2", "--format", "isic", "drop"), 2, "submission")


class Fields(ShardsTest):
    def test_a_shards_rows_have_their_place(self):
        row = csv_rows(self.score("--shard", "2/3", "drop").stdout)[1]
        self.assertEqual(("2/3", "5"), (row["shard"], row["item"]))
        self.assertRegex(row["inputs"], r"\A[0-9a-f]{16}\Z")
        line = self.score("--shard", "2/3", "--format", "jsonl", "drop").stdout.split(b"\n")[1]
        self.assertEqual(("2/3", 5, row["inputs"]), tuple(json.loads(line)[key] for key in ("shard", "item", "inputs")))


if __name__ == "__main__":
    harness.main()
