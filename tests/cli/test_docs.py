"""--help and the man page tell of the same options, statuses, exit codes and columns."""

import re

import harness
from harness import SOURCE, SkincheckTest

LONG_OPTION = r"--[a-z][a-z-]*"
STATUSES = (
    "ok not_found denied not_a_file empty unsupported corrupt truncated too_large io_error model_error"
).split()


class ManPage(SkincheckTest):
    def setUp(self):
        super().setUp()
        path = SOURCE / "man" / "skincheck.1"
        self.assertTrue(path.exists(), "man/skincheck.1 is missing")
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
                found[long_names[0]] = set(re.findall(r"(?<![\w-])-\w\b", line))
        return found

    def test_every_option_of_the_help_is_explained_in_the_page_and_the_other_way_round(self):
        both = {**self.options_of_help(self.help("preprocess")), **self.options_of_help(self.help())}
        self.assertGreater(len(both), 15)
        self.assertEqual(both, self.options_of_page())

    def test_the_page_mentions_no_option_that_is_not_there(self):
        known = set(self.options_of_help(self.help())) | set(self.options_of_help(self.help("preprocess")))
        self.assertEqual(set(), set(re.findall(rf"(?<![\w-]){LONG_OPTION}", self.page)) - known)

    def test_the_help_mentions_no_option_that_is_not_there(self):
        for command in ([], ["preprocess"]):
            with self.subTest(command):
                text = self.help(*command)
                self.assertEqual(
                    set(),
                    set(re.findall(LONG_OPTION, text))
                    - set(self.options_of_help(text))
                    - set(self.options_of_help(self.help("preprocess"))),
                )

    def test_every_status_and_exit_code_is_explained(self):
        for status in STATUSES:
            self.assertRegex(self.page, rf"\b{status}\b", "man/skincheck.1")
        for code in ("0", "1", "2", "3", "4", "130", "143"):
            self.assertRegex(self.page, rf"(?m)^(\.\w+ )?\"?{code}\b")

    def test_columns_are_told(self):
        for column in harness.COLUMNS:
            self.assertRegex(self.page, rf"\b{column}\b")

    def test_both_say_that_it_is_for_research(self):
        self.assertIn("no medical device", re.sub(r"\s+", " ", self.help()))
        self.assertRegex(self.page.lower(), r"medical\s+device")

    def test_lines_of_the_help_fit_a_terminal(self):
        for command in ([], ["preprocess"]):
            long = [line for line in self.help(*command).splitlines() if len(line) > 110]
            self.assertEqual([], long)


if __name__ == "__main__":
    harness.main()
