"""The completions: what completions/generate writes is what is there, and bash offers what --help tells."""

import re
import shutil
import subprocess
import sys

import harness
from harness import EXECUTABLE, MODELS, SOURCE, SkincheckTest, environment
from test_docs import Page

FOLDER = SOURCE / "completions"

# Calls the function as bash does: $1 is the program, the words of the line follow, and the last is to be completed.
# compopt works only while bash itself completes, so this one tells what was asked of it.
DRIVER = """
compopt() { printf 'compopt %s\\n' "$*"; }
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_skincheck "$1" "${@: -1}" "${@: -2:1}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


class Completions(SkincheckTest):
    def setUp(self):
        super().setUp()
        usage = self.run_skincheck("--help").stdout.decode().split("\n\n")[0]
        self.commands = re.findall(r"^ +skincheck (\w+) ", usage, re.MULTILINE)
        self.assertLessEqual({"preprocess", "evaluate"}, set(self.commands))

    def options(self, *command: str) -> dict[str, set]:
        told = Page.options_of_help(self.run_skincheck(*command, "--help").stdout.decode())
        self.assertGreaterEqual(len(told), 2)
        return told

    def bash(self, *words: str, **env: str) -> list[str]:
        """What is offered for the last word; the word "=" stands alone, as bash splits words."""
        done = subprocess.run(
            ["bash", "--norc", "-c", DRIVER, "bash", str(FOLDER / "skincheck"), EXECUTABLE, *words],
            cwd=self.folder,
            env=environment(**env),
            capture_output=True,
            check=True,
            text=True,
        )
        self.assertEqual("", done.stderr)
        return sorted(line for line in done.stdout.split("\n") if line)

    def test_behind_a_flag_comes_what_comes_anywhere(self):
        for flag in ("-q", "-v", "--hidden"):
            self.assertEqual(["--output"], self.bash(flag, "--ou"))

    def test_they_are_what_generate_writes(self):
        done = subprocess.run(
            [sys.executable, "-B", FOLDER / "generate", EXECUTABLE, "--check"],
            capture_output=True,
            check=False,
            text=True,
        )
        self.assertEqual((0, ""), (done.returncode, done.stderr))

    def test_generate_check_tells_a_file_that_is_old(self):
        copy = shutil.copytree(FOLDER, self.path("completions"))
        for name in ("skincheck", "_skincheck", "skincheck.fish"):
            whole = self.read(f"completions/{name}")
            self.write(f"completions/{name}", whole.replace(b"jsonl", b""))
            command = [sys.executable, "-B", f"{copy}/generate", EXECUTABLE]
            done = subprocess.run([*command, "--check"], capture_output=True, check=False, text=True)
            self.assertEqual(1, done.returncode)
            self.assertIn(f"generate: {name}: ", done.stderr)
            subprocess.run(command, check=True)
            self.assertEqual(whole, self.read(f"completions/{name}"))

    def test_bash_offers_the_options_of_the_help_and_no_others(self):
        for command in ([], *([name] for name in self.commands)):
            with self.subTest(command):
                told = self.options(*command)
                every = sorted({*told, *(short for shorts in told.values() for short in shorts)})
                self.assertEqual(every, self.bash(*command, "a.png", "-"))
                self.assertEqual([n for n in every if n.startswith("--")], self.bash(*command, "--"))

    def test_bash_offers_the_commands_first(self):
        self.write("pre.png", "")
        self.assertEqual(sorted(["compopt -o filenames", "pre.png", *self.commands]), self.bash(""))
        self.assertEqual(["compopt -o filenames", "pre.png", "preprocess"], self.bash("pre"))
        # Behind it readline itself offers files, where this offers nothing.
        self.assertEqual([], self.bash("pre.png", "pre"))
        self.assertEqual([], self.bash("preprocess", "eval"))
        self.assertEqual([], self.bash("--", "--"))

    def test_bash_offers_words_that_are_values(self):
        every = ["auto", "compopt +o default", "cpu", "cuda"]
        self.assertEqual(every, self.bash("a.png", "--device", ""))
        self.assertEqual(every, self.bash("--device", "="))
        self.assertEqual(["compopt +o default", "json", "jsonl"], self.bash("--format", "=", "j"))
        self.assertEqual(["compopt +o default", "json", "text"], self.bash("evaluate", "--format", ""))
        self.assertEqual(["compopt +o default", "fp16", "fp32"], self.bash("--precision", "f"))
        self.assertEqual(["compopt +o default", "opencv", "openvino"], self.bash("--engine", "o"))

    def test_bash_offers_no_file_where_a_number_is_wanted(self):
        for words in (["--jobs", ""], ["-j", ""], ["--threshold", "=", "0"], ["evaluate", "--seed", ""]):
            self.assertEqual(["compopt +o default"], self.bash(*words))

    def test_bash_offers_folders_and_models(self):
        self.write("folder/a.png", "")
        self.assertEqual(["compopt +o default -o dirnames"], self.bash("preprocess", "-o", ""))
        self.assertEqual([], self.bash("-o", ""))
        for words in (["model", ""], ["model", "--", ""]):
            self.assertEqual(["compopt +o default -o filenames", "folder", "tiny-sigmoid"],
                             [word for word in self.bash(*words, SKINCHECK_MODEL_PATH=str(MODELS))
                              if word in ("folder", "tiny-sigmoid") or word.startswith("compopt")])
        found = self.bash("--model", "", SKINCHECK_MODEL_PATH=f"/nowhere:{MODELS}")
        self.assertLessEqual({"folder", "tiny-sigmoid", "tiny-softmax"}, set(found))
        self.assertEqual(
            ["compopt +o default -o filenames", "tiny-sigmoid"],
            self.bash("--model", "tiny-si", SKINCHECK_MODEL_PATH=str(MODELS)),
        )

    def test_zsh_and_fish_can_read_theirs(self):
        missing = []
        for shell, name in (("zsh", "_skincheck"), ("fish", "skincheck.fish")):
            if not shutil.which(shell):
                missing.append(shell)
                continue
            subprocess.run([shell, "-n", FOLDER / name], check=True, capture_output=True)
        if missing:
            self.skipTest(f"not installed: {', '.join(missing)}")

    def test_fish_offers_the_same(self):
        if not shutil.which("fish"):
            self.skipTest("fish is not installed")

        def offered(line: str) -> list[str]:
            code = f"source {FOLDER}/skincheck.fish; complete -C '{line}'"
            done = subprocess.run(
                ["fish", "--no-config", "-c", code],
                cwd=self.folder,
                env=environment(HOME=self.folder),
                capture_output=True,
                check=True,
                text=True,
            )
            return sorted(found.split("\t")[0] for found in done.stdout.splitlines())

        for command in ([], *([name] for name in self.commands)):
            line = " ".join(["skincheck", *command, "--"])
            self.assertEqual(sorted(self.options(*command)), offered(line))
        self.assertEqual(["auto", "cpu", "cuda"], offered("skincheck --device "))
        self.assertLessEqual(set(self.commands), set(offered("skincheck ")))


if __name__ == "__main__":
    harness.main()
