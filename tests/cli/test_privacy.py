"""File names can name patients: they go into the rows, and elsewhere only where that was asked for."""

import hashlib
import hmac
import os
import shutil
import stat
import subprocess

import harness
from harness import EXECUTABLE, MODELS, SkincheckTest, csv_rows, environment
from images import png

NAME = "Doe_Jane_1970"
KEY = b"0123456789abcdef0123456789abcdef"


def hashed(path: str) -> str:
    return hmac.new(KEY, path.encode(), hashlib.sha256).hexdigest()[:32]


class Messages(SkincheckTest):
    """Without -v no path of an input is in them."""

    def setUp(self):
        super().setUp()
        self.write(f"{NAME}/good.png", png())
        self.write(f"{NAME}/bad.png", "bad")
        os.symlink("..", self.path(f"{NAME}/loop"))
        os.mkdir(self.path(f"{NAME}_empty"))

    def test_scoring_and_preprocessing(self):
        names = [NAME, f"{NAME}_empty", f"{NAME}_none.png"]
        for run in (
            lambda *options: self.score("--follow", *options, *names),
            lambda *options: self.preprocess("--follow", "-o", "seen", *options, *names),
        ):
            result = run()
            self.assertEqual(1, result.code)
            self.assertIn(b"link loop", result.stderr)
            self.assertIn(b"no images", result.stderr)
            self.assertNotIn(NAME.encode(), result.stderr)
            self.assertIn(NAME.encode(), run("-v").stderr)

    def test_resuming(self):
        self.score("--resume", "-o", "r.csv", NAME)
        result = self.score("--resume", "-o", "r.csv", NAME)
        self.assertNotIn(NAME.encode(), result.stderr)
        self.assertNotIn(NAME.encode(), self.score("--resume", "-o", "r.csv", NAME, "--threshold", "0.1").stderr)


class Anonymised(SkincheckTest):
    def setUp(self):
        super().setUp()
        self.write("key", KEY + b"\n")
        self.write(f"drop/{NAME}.png", png())
        self.write(f"drop/{NAME}.bad.png", "bad")

    def test_rows_have_a_keyed_hash_in_place_of_the_path(self):
        for form in ("csv", "jsonl", "json", "isic"):
            result = self.score("--anonymise-paths", "key", "--format", form, "-v", "--follow", "drop", "none.png")
            self.assertEqual(1, result.code)
            self.assertNotIn(b"Doe", result.stdout + result.stderr)
            self.assertNotIn(b"drop", result.stdout + result.stderr)
            for path in (f"drop/{NAME}.png", f"drop/{NAME}.bad.png", "none.png"):
                self.assertIn(hashed(path).encode(), result.stdout)

    def test_the_journal_holds_no_path_either(self):
        for _ in range(2):
            self.score("--anonymise-paths", "key", "--resume", "-o", "r.csv", "drop")
            self.assertNotIn(b"Doe", self.read("r.csv.skincheck"))
        self.assertEqual(2, len(csv_rows(self.read("r.csv"))))
        self.write("other", "x" * 16)
        for key in (["--anonymise-paths", "other"], []):
            result = self.score(*key, "--resume", "-o", "r.csv", "drop")
            self.assert_fails_with(result, 2, "its rows differ in names: of the key")

    def test_the_map(self):
        os.umask(0)
        self.addCleanup(os.umask, 0o22)
        arguments = ["--anonymise-paths", "key", "--path-map", "map.csv", "--resume", "-o", "r.csv", "drop"]
        self.score(*arguments)
        self.assertEqual(0o600, stat.S_IMODE(os.stat(self.path("map.csv")).st_mode))
        expected = [{"name": hashed(path), "path": path} for path in (f"drop/{NAME}.bad.png", f"drop/{NAME}.png")]
        self.assertEqual(expected, csv_rows(self.read("map.csv")))
        os.remove(self.path(f"drop/{NAME}.bad.png"))
        self.write("drop/new.png", png())
        os.chmod(self.path("map.csv"), 0o644)
        self.score(*arguments)
        expected.append({"name": hashed("drop/new.png"), "path": "drop/new.png"})
        self.assertEqual(expected, csv_rows(self.read("map.csv")))
        self.assertEqual(0o600, stat.S_IMODE(os.stat(self.path("map.csv")).st_mode))

    def test_a_map_that_comes_later_or_was_lost_has_all(self):
        arguments = ["--anonymise-paths", "key", "--resume", "-o", "r.csv", "drop"]
        self.score(*arguments)
        expected = [{"name": hashed(path), "path": path} for path in (f"drop/{NAME}.bad.png", f"drop/{NAME}.png")]
        for _ in range(2):
            self.score(*arguments, "--path-map", "map.csv")
            self.assertEqual(expected, csv_rows(self.read("map.csv")))

    def test_a_map_that_was_cut_at_any_byte_becomes_whole(self):
        self.write('odd/a,"b\nc"\n.png', "none")
        self.write("odd/z.png", "none")
        arguments = ["--anonymise-paths", "key", "-q", "--path-map", "map.csv", "odd"]
        self.score(*arguments)
        whole = self.read("map.csv")
        self.assertEqual(['odd/a,"b\nc"\n.png', "odd/z.png"], [row["path"] for row in csv_rows(whole)])
        for length in (*range(60), *range(len(whole) - 48, len(whole) + 1)):
            with self.subTest(length):
                self.write("map.csv", whole[:length])
                self.score(*arguments)
                self.assertEqual(whole, self.read("map.csv"))

    def test_behind_half_a_record_of_a_map_nothing_is_lost(self):
        half = b"name,path\n" + b"0" * 32 + b',"odd/a,\n'  # to which another run went on adding
        others = b"".join(hashed(f"far/{number}").encode() + f",far/{number}\n".encode() for number in range(5))
        self.write("map.csv", half + others)
        self.score("--anonymise-paths", "key", "-q", "--path-map", "map.csv", "drop")
        self.assertTrue(self.read("map.csv").startswith(half + others))
        self.assertEqual(9, self.read("map.csv").count(b"\n"))

    def test_a_map_that_cannot_be_read_stays(self):
        arguments = ["--anonymise-paths", "key", "-q", "--path-map", "map.csv", "drop"]
        self.score(*arguments)
        before = self.read("map.csv")
        command = ["strace", "-f", "-o", "/dev/null", "-P", self.path("map.csv"), "-e", "inject=read:error=EIO"]
        command += [EXECUTABLE, "--model", str(MODELS / "tiny-sigmoid"), *arguments]
        if shutil.which("strace") is None or harness.sanitized():
            self.skipTest("strace is not there, or does not go with a sanitizer")
        result = subprocess.run(command, cwd=self.folder, env=environment(), capture_output=True, check=False)
        if b"ptrace" in result.stderr.lower():
            self.skipTest("strace may not trace here")
        self.assertEqual(4, result.returncode, result)
        self.assertIn(b"cannot read map.csv", result.stderr)
        self.assertEqual(before, self.read("map.csv"))

    def test_keys_and_maps_that_cannot_be_used(self):
        self.write("short", "x" * 15)
        self.write("key2", "x" * 40)
        os.chmod(self.path("key2"), 0o644)
        os.symlink("map.csv", self.path("link"))
        for arguments, code, text in (
            (["--anonymise-paths", "short"], 2, "15 bytes"),
            (["--anonymise-paths", "none"], 2, "none"),
            (["--path-map", "map.csv"], 2, "--path-map goes with --anonymise-paths"),
            (["--anonymise-paths", "key", "--path-map", "no/map.csv"], 4, "no/map.csv"),
            (["--anonymise-paths", "key", "--path-map", "r.csv", "-o", "r.csv"], 2, "reads or writes already"),
            (["--anonymise-paths", "key", "--path-map", "./r.csv", "-o", "r.csv"], 2, "reads or writes already"),
            (["--anonymise-paths", "key", "--path-map", "key"], 2, "reads or writes already"),
            (["--anonymise-paths", "key", "-o", "key"], 2, "reads or writes already"),
            (["--anonymise-paths", "key", "--path-map", "map.csv", "-o", "link"], 2, "reads or writes already"),
            (["--anonymise-paths", "-"], 2, "not read from standard input"),
            (["--anonymise-paths", "key", "--path-map", "link"], 4, "link: it is a symbolic link"),
            (["--anonymise-paths", "key", "--path-map", "key2"], 2, "key2: it holds something else than a map"),
        ):
            with self.subTest(arguments):
                self.assert_fails_with(self.score(*arguments, "drop"), code, text)
        self.assertEqual(0o644, stat.S_IMODE(os.stat(self.path("key2")).st_mode))


class Permissions(SkincheckTest):
    """While a file is being written nobody else reads it, and the umask decides who may when it is whole."""

    def setUp(self):
        super().setUp()
        self.write("a.png", png())
        self.addCleanup(os.umask, os.umask(0o22))

    def mode(self, name: str) -> int:
        return stat.S_IMODE(os.stat(self.path(name)).st_mode)

    def test_the_umask_decides(self):
        for mask, mode in ((0o22, 0o644), (0o77, 0o600), (0o27, 0o640), (0o2, 0o664)):
            with self.subTest(oct(mask)):
                os.umask(mask)
                for options in ([], ["--resume"]):
                    self.assert_ok(self.score(*options, "-o", f"{mask}{len(options)}.csv", "a.png"))
                    self.assertEqual(mode, self.mode(f"{mask}{len(options)}.csv"))
                self.assertEqual(0o600, self.mode(f"{mask}1.csv.skincheck"))

    def test_the_temporary_file_is_private(self):
        running = self.start("-o", "r.csv")
        running.feed("a.png\n")
        while not (names := [name for name in self.listing() if name.startswith(".r.csv.skincheck-")]):
            pass
        self.assertEqual(0o600, self.mode(names[0]))
        self.assertEqual(0, running.finish().code)
        self.assertEqual(0o644, self.mode("r.csv"))


if __name__ == "__main__":
    harness.main()
