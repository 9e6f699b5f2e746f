"""How commands end, and the files that they write."""

import argparse
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from skincheck_training.command_line import alone, told
from skincheck_training.data import DataError
from skincheck_training.files import locked, replace_file


class Told(unittest.TestCase):
    def end(self, error: BaseException | None) -> tuple[int, str]:
        def command() -> None:
            if error:
                raise error

        with contextlib.redirect_stderr(io.StringIO()) as said:
            return told("name", command), said.getvalue()

    def test_what_is_wrong_is_one_line_and_a_code(self):
        for error, wanted in (
            (None, (0, "")),
            (DataError("two\nlines"), (2, "name: two lines\n")),
            (FileNotFoundError(2, "No such file", "gone.csv"), (2, "name: gone.csv: No such file\n")),
            (OSError("a full disk"), (2, "name: a full disk\n")),
            (FloatingPointError("nan"), (2, "name: nan\n")),
            (MemoryError(), (2, "name: there is not enough memory\n")),
            (KeyboardInterrupt(), (130, "name: interrupted\n")),
            (KeyboardInterrupt("what is kept"), (130, "name: what is kept\n")),
        ):
            with self.subTest(error):
                self.assertEqual(self.end(error), wanted)

    def test_a_fault_of_the_program_is_not_hidden(self):
        with self.assertRaises(KeyError):
            self.end(KeyError("name"))


class ReplaceFile(unittest.TestCase):
    def test_the_old_content_is_there_until_all_is_written(self):
        with tempfile.TemporaryDirectory() as name:
            file = pathlib.Path(name) / "a.csv"
            file.write_text("old")
            with self.assertRaises(OSError), replace_file(file) as partial:
                partial.write_text("ne")
                raise OSError("a full disk")
            self.assertEqual(([file], "old"), (list(file.parent.iterdir()), file.read_text()))
            with replace_file(file) as partial:
                partial.write_text("new")
                self.assertEqual("old", file.read_text())
            self.assertEqual(([file], "new"), (list(file.parent.iterdir()), file.read_text()))


class Locked(unittest.TestCase):
    def test_a_second_command_is_told(self):
        with tempfile.TemporaryDirectory() as name:
            options = argparse.Namespace(work=pathlib.Path(name) / "work")
            with locked(options.work):
                with self.assertRaisesRegex(ValueError, "work: another command is at work there"), locked(options.work, 0.3):
                    self.fail("both are there")
            ran = []
            alone(lambda *given: ran.append(given), options, "more")
            self.assertEqual(ran, [(options, "more")])


if __name__ == "__main__":
    unittest.main()
