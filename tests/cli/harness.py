"""What the tests of the command line share: a folder that removes itself, running skincheck in it, and
assertions on its exit code, standard output and standard error.

    class Something(SkincheckTest):
        def test_it(self):
            self.write("a.png", png(WHITE))
            result = self.score("a.png")
            self.assert_ok(result, ...)

The environment names what is tested: SKINCHECK_EXECUTABLE, SKINCHECK_SOURCE_DIR, SKINCHECK_TEST_MODELS and
SKINCHECK_DRAW_IMAGES; ctest sets it.
"""

import csv
import ctypes
import functools
import io
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import unittest
from typing import NamedTuple

COLUMNS = ["path", "status", "malignancy", "label", "threshold", "model", "error"]
HEADER = ",".join(COLUMNS) + "\n"

# Only so that a hang becomes a failure; no test measures time.
PATIENCE = 240


def setting(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        sys.exit(
            f"{name} is not set: run these tests with ctest, or see tests/cli/CMakeLists.txt for what it sets"
        )
    return value


EXECUTABLE = setting("SKINCHECK_EXECUTABLE")
SOURCE = pathlib.Path(setting("SKINCHECK_SOURCE_DIR"))
MODELS = pathlib.Path(setting("SKINCHECK_TEST_MODELS"))


def model_spec(name: str) -> dict:
    return json.loads((MODELS / name / "model.json").read_text())


def model_id(name: str = "tiny-sigmoid") -> str:
    spec = model_spec(name)
    return f"{spec['name']}@{spec['sha256'][:12]}"


@functools.cache
def libraries() -> dict[str, str]:
    """The shared libraries that the executable is linked to: name → file."""
    listed = subprocess.run(["ldd", EXECUTABLE], capture_output=True, check=True, text=True).stdout
    return dict(re.findall(r"^\s+(\S+) => (/\S+)", listed, re.MULTILINE))


class Result(NamedTuple):
    code: int
    stdout: bytes
    stderr: bytes


@functools.cache
def sanitized() -> bool:
    """Whether it is a build with sanitizers, which take memory, address space and descriptors of their own."""
    with open(EXECUTABLE, "rb") as file:
        symbols = file.read()
    return any(name in symbols for name in (b"__asan_init", b"__tsan_init", b"__ubsan_handle"))


def environment(**changes: str) -> dict:
    """The tests' own, without what would change the results; `changes` on top."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("SKINCHECK_", "OPENCV_", "NO_COLOR"))
    }
    return {**kept, "LC_ALL": "C.UTF-8", **changes}


def catches(process: int, number: signal.Signals) -> bool:
    """Whether the process has come to where it handles the signal itself."""
    with open(f"/proc/{process}/status", encoding="ascii") as status:
        mask = next(line.split()[1] for line in status if line.startswith("SigCgt:"))
    return bool(int(mask, 16) >> (number - 1) & 1)


def as_bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def csv_rows(output: bytes) -> list[dict]:
    """The rows of a CSV by Python's own reader; bytes that are not UTF-8 as os.fsdecode() gives them."""
    return list(csv.DictReader(io.StringIO(os.fsdecode(output), newline=""), strict=True))


def without_time(stderr: bytes) -> str:
    return re.sub(r"; \d+\.\d s, [\d.]+/s$", "; TIME", stderr.decode(), flags=re.MULTILINE)


class Running:
    """skincheck with its standard input held open, fed and read a line at a time."""

    def __init__(self, arguments: list, cwd: str, **options):
        self.process = subprocess.Popen(
            [EXECUTABLE, *arguments],
            cwd=cwd,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            **options,
        )
        self.buffer = b""

    def feed(self, text: str | bytes) -> None:
        self.process.stdin.write(as_bytes(text))

    def line(self) -> bytes:
        """The next line of standard output, without waiting for ever."""
        while b"\n" not in self.buffer:
            readable, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
            if not readable:
                raise AssertionError(f"no line came; so far {self.buffer!r}")
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                raise AssertionError(f"the output ended; so far {self.buffer!r}")
            self.buffer += more
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line + b"\n"

    def finish(self, close: bool = True) -> Result:
        """Waits for the end. The result's output is what line() did not take. The pipe may stay open."""
        held, self.process.stdin = self.process.stdin, None  # or communicate() would close it
        if close:
            held.close()
        try:
            stdout, stderr = self.process.communicate(timeout=PATIENCE)
        finally:
            held.close()
        return Result(self.process.returncode, self.buffer + (stdout or b""), stderr)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def lose_root_powers() -> None:
    """For preexec_fn: root stays root, but a file's mode counts for it as for anybody else."""
    drop_from_bounding_set, may_override, may_search = 24, 1, 2  # linux/prctl.h, linux/capability.h
    for power in (may_override, may_search):
        if ctypes.CDLL(None).prctl(drop_from_bounding_set, power, 0, 0, 0) != 0:
            raise OSError("capabilities cannot be dropped here")


class SkincheckTest(unittest.TestCase):
    maxDiff = None

    def setUp(self) -> None:
        folder = tempfile.mkdtemp(prefix="skincheck-test-")
        self.addCleanup(self.remove, folder)
        self.folder = os.path.realpath(folder)

    @staticmethod
    def remove(folder: str) -> None:
        for path, names, _ in os.walk(folder):
            for name in names:
                if not os.path.islink(os.path.join(path, name)):
                    os.chmod(os.path.join(path, name), 0o700)
        shutil.rmtree(os.fsencode(folder))

    # Files in the folder.

    def path(self, name: str | bytes = "") -> str:
        return os.path.join(self.folder, os.fsdecode(name))

    def write(self, name: str | bytes, data: str | bytes) -> str:
        """Writes a file, makes the folders above it, returns its path."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(as_bytes(data))
        return path

    def read(self, name: str) -> bytes:
        with open(self.path(name), "rb") as file:
            return file.read()

    def listing(self, name: str = "") -> list[str]:
        return sorted(os.listdir(self.path(name)))

    # Running.

    def run_skincheck(
        self, *arguments, stdin: bytes | int = subprocess.DEVNULL, env: dict | None = None, **options
    ) -> Result:
        """`stdin`: bytes come through a pipe; else what subprocess takes."""
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        source = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
        done = subprocess.run(
            [EXECUTABLE, *arguments],
            cwd=self.folder,
            env=environment(**(env or {})),
            timeout=PATIENCE,
            check=False,
            **source,
            **options,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def score(self, *arguments, model: str = "tiny-sigmoid", **options) -> Result:
        return self.run_skincheck("--model", str(MODELS / model), *arguments, **options)

    def preprocess(self, *arguments, model: str = "tiny-sigmoid", **options) -> Result:
        return self.run_skincheck("preprocess", "--model", str(MODELS / model), *arguments, **options)

    def start(self, *arguments, **options) -> Running:
        running = Running(["--model", str(MODELS / "tiny-sigmoid"), *arguments], self.folder, **options)
        self.addCleanup(running.end)
        return running

    def losing_root_powers(self):
        """A preexec_fn under which a file without permissions cannot be read; None where none is needed."""
        if os.geteuid() != 0:
            return None
        closed = self.write("closed", "secret")
        os.chmod(closed, 0)
        try:
            seen = subprocess.run(
                ["cat", closed], capture_output=True, check=False, preexec_fn=lose_root_powers
            )
        except subprocess.SubprocessError:
            self.skipTest("root cannot give up its powers here, so nothing is denied to it")
        finally:
            os.remove(closed)
        if seen.stdout:
            self.skipTest("root may read everything here")
        return lose_root_powers

    def open_terminal(self) -> tuple[int, int]:
        """Both sides of a pseudo-terminal: that of who sits before it, and that of a program."""
        try:
            return pty.openpty()
        except OSError as error:  # as in a chroot without /dev/pts
            self.skipTest(f"there are no terminals here: {error}")

    def need_device(self, path: str) -> None:
        if not os.path.exists(path) or not stat.S_ISCHR(os.stat(path).st_mode):
            self.skipTest(f"there is no {path} here")

    # Assertions.

    def assert_ok(self, result: Result, stdout: str | bytes | None = None, code: int = 0) -> None:
        self.assertEqual(code, result.code, result)
        if stdout is not None:
            self.assertEqual(as_bytes(stdout), result.stdout)
        self.assertNotIn(b"error: ", result.stderr)

    def assert_fails_with(self, result: Result, code: int, *texts: str, stdout: str = "") -> None:
        """Exit code `code`, only `stdout` on standard output, one line on standard error that has `texts`."""
        self.assertEqual(code, result.code, result)
        self.assertEqual(as_bytes(stdout), result.stdout)
        self.assertRegex(os.fsdecode(result.stderr), r"\Askincheck: error: [^\n]+\n\Z")
        for text in texts:
            self.assertIn(text, os.fsdecode(result.stderr))

    def assert_statuses(self, result: Result, *expected: tuple, code: int | None = None) -> None:
        """`expected`: (path, status) of each row; a score is there exactly with the status ok."""
        rows = csv_rows(result.stdout)
        self.assertEqual(list(expected), [(row["path"], row["status"]) for row in rows], result.stderr)
        for row in rows:
            self.assertEqual(row["status"] == "ok", row["malignancy"] != "", row)
            self.assertEqual(row["status"] == "ok", row["label"] != "", row)
            self.assertEqual(row["status"] == "ok", row["error"] == "", row)
        all_ok = all(status == "ok" for _, status in expected)
        self.assertEqual((0 if all_ok else 1) if code is None else code, result.code, result.stderr)


def row(path: str, malignancy: str, label: str, threshold: str = "0.5", model: str | None = None) -> str:
    """A line of CSV for an image that was scored."""
    return f"{path},ok,{malignancy},{label},{threshold},{model or model_id()},\n"


def ignore_signal(number: int):
    """For preexec_fn: what `trap '' SIGNAL` does in a shell."""
    return lambda: signal.signal(number, signal.SIG_IGN)


def main() -> None:
    """Runs the tests of the file that calls it; exits with 77 if all of them were skipped."""
    result = unittest.main(exit=False, verbosity=2).result
    if result.testsRun > 0 and len(result.skipped) == result.testsRun:
        sys.exit(77)
    sys.exit(0 if result.wasSuccessful() else 1)
