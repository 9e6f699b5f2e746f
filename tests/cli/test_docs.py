"""--help and the man page tell of the same options, statuses, exit codes and columns."""

import re

import harness
from harness import SOURCE, SkincheckTest

LONG_OPTION = r"--[a-z][a-z-]*"
STATUSES = (
    "ok not_found denied not_a_file empty unsupported corrupt truncated too_large io_error model_error changed"
).split()


class Page:
    """What holds for each page; PAGE is its name, COMMANDS are those that it explains."""

    PAGE = ""
    COMMANDS = ()

    def setUp(self):
        super().setUp()
        path = SOURCE / "man" / self.PAGE
        self.assertTrue(path.exists(), f"man/{self.PAGE} is missing")
        # As a reader sees it: without the backslashes that keep a dash a dash, without changes of the font.
        self.page = (
            re.sub(r"\\f(\[[^]]*\]|\(..|.)", "", path.read_text()).replace("\\-", "-").replace("\\&", "")
        )

    def help(self, *command: str) -> str:
        result = self.run_skincheck(*command, "--help")
        self.assert_ok(result)
        return result.stdout.decode()

    @staticmethod
    def options_of_help(text: str) -> dict[str, set]:
        """Long option → its short ones, of the lines that explain options."""
        found = {}
        for line in re.findall(rf"^ +((?:-\w, ?)?{LONG_OPTION}.*)$", text, re.MULTILINE):
            names = re.match(rf"((?:-\w, ?)*)({LONG_OPTION})", line)
            found[names[2]] = set(re.findall(r"-\w\b", names[1]))
        return found

    def options_of_page(self) -> dict[str, set]:
        """The same of the page's entries: a line behind .TP that begins with the option."""
        found = {}
        for line in re.findall(r"^\.TP\b.*\n(.+)$", self.page, re.MULTILINE):
            long_names = re.findall(LONG_OPTION, line)
            if long_names and re.match(r"(\.\w+ )?\"?-", line):
                for name in long_names:
                    found[name] = set(re.findall(r"(?<![\w-])-\w\b", line))
        return found

    def options_of_commands(self) -> dict[str, set]:
        both = {}
        for command in self.COMMANDS:
            both |= self.options_of_help(self.help(*command))
        return both

    def test_every_option_of_the_help_is_explained_in_the_page_and_the_other_way_round(self):
        self.assertGreater(len(self.options_of_commands()), 15)
        self.assertEqual(self.options_of_commands(), self.options_of_page())

    def test_the_page_mentions_no_option_that_is_not_there(self):
        self.assertEqual(
            set(), set(re.findall(rf"(?<![\w-]){LONG_OPTION}", self.page)) - set(self.options_of_commands()) - {"--truth"}
        )

    def test_the_help_mentions_no_option_that_is_not_there(self):
        for command in self.COMMANDS:
            with self.subTest(command):
                # The first help shows how the other commands are called.
                known = set(self.options_of_commands()) | {"--truth"}
                self.assertEqual(set(), set(re.findall(LONG_OPTION, self.help(*command))) - known)

    def test_both_say_that_it_is_for_research(self):
        for command in self.COMMANDS[:1]:
            self.assertIn("no medical device", re.sub(r"\s+", " ", self.help(*command)))
        self.assertRegex(self.page.lower(), r"medical\s+device")

    def test_lines_of_the_help_fit_a_terminal(self):
        for command in self.COMMANDS:
            long = [line for line in self.help(*command).splitlines() if len(line) > 110]
            self.assertEqual([], long)


class Evaluate(Page, SkincheckTest):
    PAGE = "skincheck-evaluate.1"
    COMMANDS = (["evaluate"],)

    def test_exit_codes_are_told(self):
        for code in ("0", "1", "2", "4"):
            self.assertRegex(self.page, rf"(?m)^\.B {code}\b")


class Score(Page, SkincheckTest):
    PAGE = "skincheck.1"
    COMMANDS = ([], ["preprocess"], ["merge"], ["model"])

    def test_every_status_and_exit_code_is_explained(self):
        self.assertEqual(set(STATUSES), set(self.entries("STATUS")))
        self.assertEqual({"0", "1", "2", "3", "4", "129", "130", "143"}, set(self.entries("EXIT STATUS")))

    def test_columns_are_told(self):
        told = self.entries("OUTPUT")
        for column in [*harness.COLUMNS, "shard", "item", "inputs"]:
            self.assertIn(column, told)

    def entries(self, section: str) -> list[str]:
        """What the section explains, each in a paragraph of its own."""
        text = re.search(rf"(?ms)^\.SH {section}$(.*?)^\.SH ", self.page)[1]
        return re.findall(r"\w+", " ".join(re.findall(r"(?m)^\.TP\n\.B[RI]? (.*)$", text)))


if __name__ == "__main__":
    harness.main()
