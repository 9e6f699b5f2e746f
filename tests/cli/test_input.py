"""Where paths come from: files, directories, lists, standard input; filters; names of every kind."""

import os

import harness
from harness import HEADER, SkincheckTest, csv_rows, row
from images import BLACK, BLUE, SCORES, WHITE, bmp, drawn, png

WHITE_ROW = (SCORES[WHITE], "malignant")
BLACK_ROW = (SCORES[BLACK], "benign")


class Paths(SkincheckTest):
    def test_files_come_in_the_order_in_which_they_are_named(self):
        self.write("b.png", png(WHITE))
        self.write("a.png", png(BLACK))
        self.assert_ok(
            self.score("b.png", "a.png", "b.png"),
            HEADER + row("b.png", *WHITE_ROW) + row("a.png", *BLACK_ROW) + row("b.png", *WHITE_ROW),
        )

    def test_files_and_directories_mixed(self):
        for name in ("drop/b.png", "drop/a.png", "last.png", "first.png"):
            self.write(name, png())
        self.assert_statuses(
            self.score("last.png", "drop", "first.png"),
            ("last.png", "ok"),
            ("drop/a.png", "ok"),
            ("drop/b.png", "ok"),
            ("first.png", "ok"),
        )

    def test_a_directory_is_searched_recursively_in_the_order_of_bytes(self):
        for name in ("b/2.png", "b/10.png", "a.png", "c.png", "B.png", "b/deep/er/x.png", "é.png"):
            self.write("drop/" + name, png())
        expected = ["B.png", "a.png", "b/10.png", "b/2.png", "b/deep/er/x.png", "c.png", "é.png"]
        self.assert_statuses(self.score("drop"), *(("drop/" + name, "ok") for name in expected))

    def test_a_slash_behind_a_directory_is_not_doubled(self):
        self.write("drop/a.png", png())
        self.assert_statuses(self.score("drop/"), ("drop/a.png", "ok"))

    def test_the_formats_that_a_directory_is_searched_for(self):
        self.write("drop/a.png", png())
        self.write("drop/b.bmp", bmp())
        for name in ("c.jpg", "d.jpeg", "e.JPG", "f.tif", "g.TIFF"):
            self.write("drop/" + name, drawn("." + name.split(".")[1].lower(), 16, 16, WHITE))
        for name in ("notes.txt", "h.png.part", "jpg", "results.csv"):
            self.write("drop/" + name, png())
        expected = ["a.png", "b.bmp", "c.jpg", "d.jpeg", "e.JPG", "f.tif", "g.TIFF"]
        self.assert_statuses(self.score("drop"), *(("drop/" + name, "ok") for name in expected))

    def test_webp(self):
        self.write("drop/a.webp", drawn(".webp", 16, 16, WHITE))
        self.assert_statuses(self.score("drop"), ("drop/a.webp", "ok"))

    def test_a_file_named_outright_is_always_tried(self):
        self.write("picture", png())
        self.write(".hidden.dat", png())
        self.assert_statuses(
            self.score("picture", ".hidden.dat", "--exclude", "picture"),
            ("picture", "ok"),
            (".hidden.dat", "ok"),
        )

    def test_an_empty_directory_gives_no_rows_and_a_warning(self):
        os.mkdir(self.path("drop"))
        result = self.score("drop")
        self.assert_ok(result, HEADER)
        self.assertIn(b"skincheck: warning: no images in a folder that was named", result.stderr)
        self.assertNotIn(b"drop", result.stderr)
        self.assertIn(b"skincheck: warning: drop: no images in a folder", self.score("drop", "-v").stderr)


class Lists(SkincheckTest):
    def setUp(self):
        super().setUp()
        for name in ("a.png", "b.png", "c.png", "line\nbreak.png"):
            self.write(name, png())

    def test_a_dash_reads_paths_from_standard_input(self):
        self.assert_statuses(self.score("-", stdin=b"b.png\na.png\n"), ("b.png", "ok"), ("a.png", "ok"))

    def test_piped_input_needs_no_dash(self):
        self.assert_statuses(self.score(stdin=b"b.png\na.png\n"), ("b.png", "ok"), ("a.png", "ok"))

    def test_a_file_on_standard_input_needs_no_dash_either(self):
        with open(self.write("list", "b.png\n"), "rb") as listed:
            self.assert_statuses(self.score(stdin=listed), ("b.png", "ok"))

    def test_standard_input_is_left_alone_when_a_path_is_named(self):
        self.assert_statuses(self.score("a.png", stdin=b"b.png\n"), ("a.png", "ok"))

    def test_the_last_line_may_lack_its_end_and_empty_lines_are_nothing(self):
        self.assert_statuses(self.score(stdin=b"\na.png\n\n\nb.png"), ("a.png", "ok"), ("b.png", "ok"))

    def test_line_ends_of_windows(self):
        self.assert_statuses(self.score(stdin=b"a.png\r\nb.png\r\n"), ("a.png", "ok"), ("b.png", "ok"))

    def test_a_byte_order_mark_of_windows(self):
        self.assert_statuses(self.score(stdin=b"\xef\xbb\xbfa.png\r\nb.png\r\n"), ("a.png", "ok"), ("b.png", "ok"))
        self.assert_statuses(self.score("-0", stdin=b"\xef\xbb\xbfa.png\0"), ("\ufeffa.png", "not_found"))
        self.assert_statuses(self.score(stdin=b"\n\xef\xbb\xbfa.png\n"), ("\ufeffa.png", "not_found"))

    def test_an_empty_list_gives_the_header(self):
        self.assert_ok(self.score(stdin=b""), HEADER)

    def test_paths_separated_by_nul(self):
        for option in ("-0", "--null"):
            with self.subTest(option):
                self.assert_statuses(
                    self.score(option, "-", stdin=b"a.png\0line\nbreak.png\0b.png\0"),
                    ("a.png", "ok"),
                    ("line\nbreak.png", "ok"),
                    ("b.png", "ok"),
                )

    def test_nul_in_a_list_of_lines_is_a_mistake_that_is_named(self):
        self.assert_fails_with(
            self.score("-", stdin=b"a.png\0b.png\0"), 2, "standard input", "--null", stdout=HEADER
        )

    def test_dash_between_other_paths(self):
        self.assert_statuses(
            self.score("a.png", "-", "c.png", stdin=b"b.png\n"),
            ("a.png", "ok"),
            ("b.png", "ok"),
            ("c.png", "ok"),
        )

    def test_files_from(self):
        self.write("list", "b.png\na.png\n")
        self.assert_statuses(self.score("--files-from", "list"), ("b.png", "ok"), ("a.png", "ok"))

    def test_several_lists_come_after_the_paths_in_their_order(self):
        self.write("one", "b.png\n")
        self.write("two", "a.png\n")
        result = self.score(
            "--files-from", "two", "c.png", "--files-from=one", "--files-from", "-", stdin=b"c.png\n"
        )
        self.assert_statuses(result, ("c.png", "ok"), ("a.png", "ok"), ("b.png", "ok"), ("c.png", "ok"))

    def test_files_from_leaves_piped_input_alone(self):
        self.write("list", "a.png\n")
        self.assert_statuses(self.score("--files-from", "list", stdin=b"b.png\n"), ("a.png", "ok"))

    def test_files_from_with_nul(self):
        self.write("list", b"line\nbreak.png\0a.png")
        self.assert_statuses(
            self.score("-0", "--files-from", "list"), ("line\nbreak.png", "ok"), ("a.png", "ok")
        )

    def test_a_list_that_is_not_there(self):
        self.assert_fails_with(self.score("a.png", "--files-from", "gone"), 2, "gone", "No such file")

    def test_a_directory_as_a_list(self):
        self.assert_fails_with(self.score("--files-from", "."), 2, "it is a folder")

    def test_a_directory_in_a_list_is_an_item_like_any_other(self):
        self.write("drop/a.png", png())
        self.assert_statuses(self.score(stdin=b"drop\na.png\n"), ("drop", "not_a_file"), ("a.png", "ok"))

    def test_a_terminal_is_not_read(self):
        terminal, typed = self.open_terminal()
        try:
            self.assert_fails_with(self.score(stdin=typed), 2, "name images or directories")
        finally:
            os.close(terminal)
            os.close(typed)


class Filters(SkincheckTest):
    def setUp(self):
        super().setUp()
        for name in (
            "a.png",
            "b.png",
            "[a].png",
            "mask_a.png",
            "masks/a.png",
            "deep/masks/b.png",
            ".h.png",
            ".d/a.png",
        ):
            self.write("drop/" + name, png())

    def scored(self, *arguments) -> list[str]:
        result = self.score("drop", *arguments)
        self.assert_ok(result)
        return [row["path"].removeprefix("drop/") for row in csv_rows(result.stdout)]

    def test_without_any(self):
        self.assertEqual(
            ["[a].png", "a.png", "b.png", "deep/masks/b.png", "mask_a.png", "masks/a.png"], self.scored()
        )

    def test_include(self):
        self.assertEqual(["a.png", "masks/a.png"], self.scored("--include", "a.*"))
        self.assertEqual(
            ["a.png", "b.png", "deep/masks/b.png", "masks/a.png"],
            self.scored("--include", "a.*", "--include", "b.*"),
        )
        self.assertEqual(["masks/a.png"], self.scored("--include=masks/*"))

    def test_include_does_not_widen_what_an_image_is(self):
        self.write("drop/a.txt", png())
        self.assertEqual(["a.png", "masks/a.png"], self.scored("--include", "a.*"))

    def test_exclude(self):
        self.assertEqual(["[a].png", "a.png", "b.png"], self.scored("--exclude", "mask*"))
        self.assertEqual(
            ["[a].png", "a.png", "b.png", "deep/masks/b.png", "mask_a.png"],
            self.scored("--exclude", "masks/*"),
        )
        self.assertEqual(
            ["[a].png", "mask_a.png"],
            self.scored("--exclude", "masks/", "--exclude", "a.png", "--exclude", "b.png"),
        )

    def test_globs_in_square_brackets(self):
        self.assertEqual(
            ["a.png", "b.png", "deep/masks/b.png", "masks/a.png"], self.scored("--include", "[ab].png")
        )
        self.assertEqual(["[a].png", "mask_a.png"], self.scored("--exclude", "[ab].png"))

    def test_globs_that_begin_with_a_dash(self):
        self.write("drop/-x.png", png())
        self.assertIn("-x.png", self.scored())
        self.assertNotIn("-x.png", self.scored("--exclude=-x*"))

    def test_hidden(self):
        self.assertEqual(
            [
                ".d/a.png",
                ".h.png",
                "[a].png",
                "a.png",
                "b.png",
                "deep/masks/b.png",
                "mask_a.png",
                "masks/a.png",
            ],
            self.scored("--hidden"),
        )

    def test_a_hidden_directory_that_is_named_is_searched(self):
        self.assert_statuses(self.score("drop/.d"), ("drop/.d/a.png", "ok"))

    def test_a_glob_that_can_match_nothing(self):
        for option in ("--include", "--exclude"):
            with self.subTest(option):
                self.assert_fails_with(self.score("drop", option, ""), 2, option)


class Links(SkincheckTest):
    def setUp(self):
        super().setUp()
        self.write("drop/a.png", png())
        self.write("elsewhere/b.png", png())

    def test_links_to_directories_are_entered_with_follow_only(self):
        os.symlink("../elsewhere", self.path("drop/link"))
        self.assert_statuses(self.score("drop"), ("drop/a.png", "ok"))
        self.assert_statuses(self.score("drop", "--follow"), ("drop/a.png", "ok"), ("drop/link/b.png", "ok"))

    def test_a_link_to_a_directory_that_is_named_is_entered(self):
        os.symlink("elsewhere", self.path("named"))
        self.assert_statuses(self.score("named"), ("named/b.png", "ok"))

    def test_links_to_files_are_read(self):
        os.symlink("../elsewhere/b.png", self.path("drop/link.png"))
        self.assert_statuses(self.score("drop"), ("drop/a.png", "ok"), ("drop/link.png", "ok"))

    def test_a_link_that_leads_nowhere_gets_a_row(self):
        os.symlink("gone.png", self.path("drop/link.png"))
        self.assert_statuses(self.score("drop"), ("drop/a.png", "ok"), ("drop/link.png", "not_found"))

    def test_a_link_loop_ends_with_a_warning(self):
        os.symlink("..", self.path("drop/loop"))
        os.symlink("../drop", self.path("elsewhere/back"))
        os.symlink("../elsewhere", self.path("drop/there"))
        result = self.score("drop", "--follow")
        self.assert_ok(result)
        paths = [row["path"] for row in csv_rows(result.stdout)]
        self.assertIn("drop/a.png", paths)
        self.assertIn("drop/there/b.png", paths)
        self.assertIn(b"warning: link loop: ", result.stderr)

    def test_a_link_to_itself_gets_a_row(self):
        os.symlink("self.png", self.path("drop/self.png"))
        self.assert_statuses(
            self.score("drop", "--follow"), ("drop/a.png", "ok"), ("drop/self.png", "not_found")
        )


class Names(SkincheckTest):
    def check(self, name: str | bytes, *before: str) -> None:
        self.write(name, png())
        self.assert_statuses(self.score(*before, name), (os.fsdecode(name), "ok"))

    def test_space(self):
        self.check(" a  b.png ")

    def test_comma_and_quotes_are_quoted_as_rfc_4180_says(self):
        self.write('a,"b".png', png())
        self.assert_ok(self.score('a,"b".png'), HEADER + row('"a,""b"".png"', *WHITE_ROW))

    def test_line_breaks(self):
        self.check("a\nb.png")
        self.check("a\r\nb.png")

    def test_square_brackets_are_part_of_the_name(self):
        self.check("[a].png")
        self.check("[a,b].png")
        self.check("[]")

    def test_characters_that_mean_something_to_a_shell(self):
        self.check("$HOME*?~`'\\;%s{}.png")

    def test_a_leading_dash(self):
        self.check("-a.png", "--")
        self.check("--output", "--")
        self.write("plain.png", png())
        self.assert_statuses(
            self.score("plain.png", "--", "-a.png", "--output"),
            ("plain.png", "ok"),
            ("-a.png", "ok"),
            ("--output", "ok"),
        )

    def test_255_bytes(self):
        self.check("x" * 251 + ".png")
        self.check("é" * 125 + "x.png")

    def test_256_bytes_are_a_row_too(self):
        name = "x" * 252 + ".png"
        self.assert_statuses(self.score(name), (name, "not_found"))

    def test_bytes_that_are_not_utf_8(self):
        name = b"caf\xe9-\xff.png"
        self.check(name)
        self.assertTrue(self.score(name).stdout.startswith(HEADER.encode() + name + b",ok,"))

    def test_such_names_in_directories_and_lists(self):
        names = [
            b"\xff.png",
            b"a,b.png",
            b'"q".png',
            b"[x].png",
            b"-dash.png",
            b"new\nline.png",
            b"x" * 251 + b".png",
        ]
        for name in names:
            self.write(b"drop/" + name, png(BLUE))
        paths = sorted(b"drop/" + name for name in names)
        expected = [(os.fsdecode(path), "ok") for path in paths]
        self.assert_statuses(self.score("drop"), *expected)
        self.assert_statuses(self.score("-0", stdin=b"\0".join(paths)), *expected)

    def test_an_absolute_path_stays_as_it_is(self):
        path = self.write("a.png", png())
        self.assert_statuses(self.score(path), (path, "ok"))
        self.assert_statuses(self.score("./a.png"), ("./a.png", "ok"))


if __name__ == "__main__":
    harness.main()
