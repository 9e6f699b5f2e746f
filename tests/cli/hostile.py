"""What the tests of hostile packages share: one whose hash is right, and a run whose memory and time are known.

Whoever makes the network can make model.json too.
"""

import hashlib
import json
import os
import resource
import shutil
import struct
import subprocess
import tempfile

import harness
import onnx_bytes as onnx
from harness import EXECUTABLE, MODELS, SkincheckTest, model_spec
from images import png

UNUSABLE = 3
MEMORY = 256 << 20  # resident, beyond what a good network takes with the libraries of this build
# malloc() answers as it does in a plain build; what OpenCV's reader loses when it fails is not looked for.
SANITIZERS = {"ASAN_OPTIONS": "allocator_may_return_null=1:detect_leaks=0"}
SECONDS = 20  # of processor time, for a machine that is slow; it is a tenth of one


def numbers(*values: int) -> bytes:
    return b"".join(struct.pack("<q", one) for one in values)


def chain(length: int) -> list[bytes]:
    names = ["logit", *(f"n{number}" for number in range(1, length)), "output"]
    return [onnx.node("Sigmoid", [names[i]], [names[i + 1]]) for i in range(length)]


class Hostile(SkincheckTest):
    usual = None  # resident memory with a good network, once it is known

    def setUp(self):
        super().setUp()
        self.write("a.png", png())
        self.spec = model_spec("tiny-sigmoid")

    def package(self, data: bytes, name: str = "model.onnx", network: bytes | None = None) -> None:
        """`network`: what `data` unpacks to."""
        shutil.rmtree(self.path("model"), ignore_errors=True)
        self.write(f"model/{name}", data)
        self.spec["sha256"] = hashlib.sha256(data if network is None else network).hexdigest()
        self.write("model/model.json", json.dumps(self.spec))

    def score_it(self, model: str = "model/") -> tuple[harness.Result, int]:
        """The result, and the largest resident memory in bytes."""

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = subprocess.Popen(
                [EXECUTABLE, "--device", "cpu", "-q", "--model", model, "a.png"],
                cwd=self.folder,
                env=harness.environment(**SANITIZERS),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                preexec_fn=limit,
            )
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0), err.seek(0)
            result = harness.Result(child.returncode, out.read(), err.read())
        return result, usage.ru_maxrss * 1024

    def assert_refused(self, *texts: str) -> None:
        result, memory = self.score_it()
        self.assert_fails_with(result, UNUSABLE, *texts)
        self.assertLess(memory, self.memory_allowed())

    def memory_allowed(self) -> int:
        """OpenVINO alone takes as much as all the rest."""
        if Hostile.usual is None:
            result, Hostile.usual = self.score_it(str(MODELS / "tiny-sigmoid"))
            self.assert_ok(result)
        return Hostile.usual + (4 * MEMORY if harness.sanitized() else MEMORY)

    def each(self, networks: dict[str, bytes], *texts: str) -> None:
        for name, data in networks.items():
            with self.subTest(name):
                self.package(data)
                self.assert_refused(*texts)
