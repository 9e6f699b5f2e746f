"""Installs the build into a folder that removes itself, builds tests/consumer against it, and runs both."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import harness
from harness import HEADER, MODELS, SOURCE, SkincheckTest, environment, model_id, row, setting
from images import SCORES, WHITE, png


def command(*arguments: str, code: int = 0, cwd: str = "/", **changes: str) -> str:
    """Runs a command and answers its standard output; when it ends otherwise, all that it said is told."""
    done = subprocess.run(
        arguments, cwd=cwd, env=environment(**changes), capture_output=True, check=False, timeout=500
    )
    said = (done.stdout + done.stderr).decode(errors="replace")
    if done.returncode != code:
        raise AssertionError(f"{arguments} ended with {done.returncode} in place of {code}:\n{said}")
    return done.stdout.decode()


class Installed(SkincheckTest):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="skincheck-test-")
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.prefix = os.path.join(folder, "prefix")
        command(
            setting("SKINCHECK_CMAKE"),
            "--install",
            setting("SKINCHECK_BUILD_DIR"),
            "--config",
            setting("SKINCHECK_CONFIGURATION"),
            "--prefix",
            cls.prefix,
        )

    def setUp(self):
        super().setUp()
        self.write("a.png", png())

    def command(self, *arguments: str, code: int = 0, **changes: str) -> str:
        return command(*arguments, code=code, cwd=self.folder, **changes)

    def cmake(self, *arguments: str) -> str:
        return self.command(setting("SKINCHECK_CMAKE"), *arguments)

    def build_consumer(self) -> str:
        sanitizers = os.environ.get("SKINCHECK_SANITIZERS", "")
        flags = f"-fsanitize={sanitizers}" if sanitizers else ""
        self.cmake(
            "-S",
            str(SOURCE / "tests" / "consumer"),
            "-B",
            "build",
            "-G",
            setting("SKINCHECK_GENERATOR"),
            f"-DCMAKE_CXX_COMPILER={setting('SKINCHECK_COMPILER')}",
            f"-DCMAKE_PREFIX_PATH={self.prefix}",
            f"-DCMAKE_BUILD_TYPE={setting('SKINCHECK_CONFIGURATION')}",
            f"-DCMAKE_CXX_FLAGS={flags}",
        )
        self.cmake("--build", "build")
        return self.path("build/consumer")

    def test_the_library_serves_another_project(self):
        consumer = self.build_consumer()
        model = str(MODELS / "tiny-sigmoid")
        self.assertEqual(SCORES[WHITE] + "\n", self.command(consumer, model, "a.png"))
        self.assertEqual("not_found\n", self.command(consumer, model, "gone.png", code=1))
        self.command(consumer, "gone/", "a.png", code=3)

    def test_the_executable_works_where_it_was_installed(self):
        skincheck = str(pathlib.Path(self.prefix) / "bin" / "skincheck")
        self.assertEqual(
            HEADER + row("a.png", SCORES[WHITE], "malignant"),
            self.command(skincheck, "--model", "tiny-sigmoid", "a.png", SKINCHECK_MODEL_PATH=str(MODELS)),
        )
        # It finds the models that were installed beside it, whatever the prefix.
        shipped = pathlib.Path(self.prefix) / "share" / "skincheck" / "models" / "skincheck-resnet50"
        if (shipped / "model.json").exists():
            self.assertRegex(self.command(skincheck, "a.png"), r"\na\.png,ok,[01]\.\d{6},")
        else:
            shipped.mkdir(parents=True, exist_ok=True)
            for file in (MODELS / "tiny-sigmoid").iterdir():
                (shipped / file.name).write_bytes(file.read_bytes())
            self.assertIn(model_id(), self.command(skincheck, "a.png"))

    def test_what_else_is_installed(self):
        prefix = pathlib.Path(self.prefix)
        self.assertTrue((prefix / "share/man/man1/skincheck.1").is_file())
        self.assertTrue((prefix / "include/skincheck/result.hpp").is_file())
        self.assertTrue(list(prefix.glob("share/doc/*/LICENSE")))
        for completion in ("bash-completion/completions/skincheck", "zsh/*/_skincheck", "fish/*/skincheck.fish"):
            self.assertTrue(list(prefix.glob(f"share/{completion}")), completion)
        self.assertEqual([], list(prefix.rglob("lintian")))

    def test_the_component_runtime_is_what_a_user_needs(self):
        self.cmake("--install", setting("SKINCHECK_BUILD_DIR"), "--component", "runtime", "--prefix", self.path("p"))
        prefix = pathlib.Path(self.path("p"))
        self.assertEqual(["bin", "share"], self.listing("p"))
        self.assertEqual([], [file for file in prefix.rglob("*") if file.suffix in (".cpp", ".hpp", ".a", ".cmake", ".so")])
        script, = prefix.glob("share/doc/*/examples/cron-drop-folder")
        self.assertTrue(os.access(script, os.X_OK))
        self.assertTrue(list(prefix.glob("share/doc/*/docs/own-model.md")))
        self.assertIn("skincheck 0.", self.command(str(prefix / "bin" / "skincheck"), "--version"))


if __name__ == "__main__":
    harness.main()
