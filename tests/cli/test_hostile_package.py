"""A package that does harm by what is around its network, or by what only shows while it is loaded."""

import ctypes
import ctypes.util
import os
import shutil
import struct
import subprocess

import harness
import onnx_bytes as onnx
from harness import EXECUTABLE
from hostile import UNUSABLE, Hostile, chain, numbers


class Guarded(Hostile):
    """What no check of the file finds."""

    def test_constants_that_grow_while_it_is_read(self):
        """The limit on memory while a network is loaded is 2 GiB beyond what the process has."""
        doubled = [
            onnx.node("Concat", ["grain" if n == 0 else f"n{n}"] * 2, [f"n{n + 1}"], axis=1)
            for n in range(26)
        ]
        end = onnx.node("Sigmoid", ["logit"], ["output"])
        shape = onnx.tensor("shape", [4], numbers(1, 1, 30_000, 30_000), onnx.INT64)
        filled = onnx.node("ConstantOfShape", ["shape"], ["filled"])
        for name, data in {
            "doubled": onnx.tiny(onnx.floats("grain", [1, 16], [0] * 16), last=[*doubled, end]),
            "filled": onnx.tiny(shape, last=[filled, end]),
        }.items():
            with self.subTest(name):
                self.package(data)
                result, memory = self.score_it()
                self.assert_fails_with(result, UNUSABLE, "model.onnx", "memory")
                self.assertLess(memory, (2 << 30) + self.memory_allowed())

    def test_a_crash_in_the_reader_is_one_line_and_exit_code_3(self):
        """SIGSEGV and its like are sent from outside, since no file that does it is known."""
        if shutil.which("strace") is None:
            self.skipTest("strace is not installed")
        self.package(onnx.tiny(last=chain(2000)))
        for number in ("SIGSEGV", "SIGFPE", "SIGABRT", "SIGBUS", "SIGILL"):
            with self.subTest(number):
                # The limit on memory is set at the start of loading, and taken back at its end.
                trace = ["strace", "-f", "-qq", "-o", self.path("trace"), "-e", "trace=prlimit64"]
                trace += ["-e", f"inject=prlimit64:signal={number}:when={self.last_limit()}"]
                command = [*trace, EXECUTABLE, "--device", "cpu", "-q", "--model", "model/", "a.png"]
                done = subprocess.run(
                    command, cwd=self.folder, env=harness.environment(), capture_output=True, check=False
                )
                result = harness.Result(done.returncode, done.stdout, done.stderr)
                self.assert_fails_with(result, UNUSABLE, "model.onnx", "crashed", "do not use it")

    def last_limit(self) -> int:
        """Which of its calls to setrlimit() takes the limit back."""
        trace = self.path("trace")
        command = ["strace", "-f", "-qq", "-o", trace, "-e", "trace=prlimit64"]
        command += [EXECUTABLE, "--device", "cpu", "-q", "--model", "model/", "a.png"]
        subprocess.run(command, cwd=self.folder, env=harness.environment(), capture_output=True, check=False)
        calls = [line for line in self.read("trace").splitlines() if b"prlimit64(" in line]
        where = [number for number, line in enumerate(calls, 1) if b"RLIMIT_DATA, {" in line]
        if not where:
            self.skipTest("strace may not trace here, or this build sets no limit")
        return where[-1]


class Packed(Hostile):
    """model.onnx.zst that unpacks to far more than it is."""

    def setUp(self):
        super().setUp()
        name = ctypes.util.find_library("zstd")
        if name is None:
            self.skipTest("libzstd is not here")
        self.library = ctypes.CDLL(name)

    def zstd(self, data: bytes) -> bytes:
        size = ctypes.c_size_t
        self.library.ZSTD_compressBound.restype = self.library.ZSTD_compress.restype = size
        room = ctypes.create_string_buffer(self.library.ZSTD_compressBound(size(len(data))))
        got = self.library.ZSTD_compress(room, size(len(room)), data, size(len(data)), 1)
        return room.raw[:got]

    @staticmethod
    def frame(claimed: int, blocks: int) -> bytes:
        """A frame that says it holds `claimed` bytes, of blocks that each are 128 KiB of one byte."""
        header = (
            b"\x28\xb5\x2f\xfd" + bytes([0b11000000, 0x60]) + struct.pack("<Q", claimed)
        )  # a window of 4 MiB
        block = struct.pack("<I", (131072 << 3) | (1 << 1))[:3] + b"\0"
        last = struct.pack("<I", (131072 << 3) | (1 << 1) | 1)[:3] + b"\0"
        return header + block * (blocks - 1) + last

    def test_a_frame_by_hand_is_one(self):
        self.package(self.frame(131072 * 3, 3), "model.onnx.zst", network=b"\0" * 131072 * 3)
        self.assert_refused("model.onnx", "not ONNX")  # it was unpacked, and its hash was right

    def test_bombs(self):
        forty_gigabytes = 320 * 1024
        networks = {
            "40 GiB that it tells of": self.frame(forty_gigabytes << 17, forty_gigabytes),
            "40 GiB, told as 1 MiB": self.frame(1 << 20, forty_gigabytes),
            "1.9 GiB": self.frame(15200 << 17, 15200),
            "2 GiB told, nothing held": self.frame((2 << 30) - 1, 1),
            "all that a number holds": self.frame((1 << 64) - 3, 1),
            "many frames": self.zstd(onnx.tiny()) + self.frame(1 << 30, 8192) * 8,
        }
        for name, data in networks.items():
            with self.subTest(name):
                self.package(data, "model.onnx.zst")
                self.assert_refused("model.onnx.zst")

    def test_a_packed_network_is_checked_as_any_other(self):
        network = onnx.tiny(weights=onnx.tensor("weights", [1 << 40], b"\0" * 12))
        self.package(self.zstd(network), "model.onnx.zst", network)
        self.assert_refused("claims the size")


class BesideTheNetwork(Hostile):
    def test_a_network_that_is_no_file(self):
        for name in ("model.onnx", "model.onnx.zst"):
            for target in ("/dev/zero", "fifo", "folder"):
                with self.subTest(name=name, target=target):
                    self.package(b"")
                    os.remove(self.path("model/model.onnx"))
                    if target == "fifo":
                        os.mkfifo(self.path("model/" + name))
                    elif target == "folder":
                        os.mkdir(self.path("model/" + name))
                    else:
                        os.symlink(target, self.path("model/" + name))
                    self.assert_refused(name, "not a file")

    def test_a_model_json_that_is_huge_or_deep(self):
        self.package(onnx.tiny())
        with open(self.path("model/model.json"), "wb") as file:
            file.truncate(10 << 30)  # with a hole for its content
        self.assert_refused("model.json", "more than")
        self.write("model/model.json", "[" * 1_000_000)
        self.assert_refused("model.json", "deep")

    def test_a_model_onnx_with_holes_larger_than_any(self):
        self.package(b"")
        with open(self.path("model/model.onnx"), "wb") as file:
            file.truncate(10 << 30)
        self.assert_refused("model.onnx", "more than")


if __name__ == "__main__":
    harness.main()
