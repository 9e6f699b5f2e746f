"""No file is opened but those that were named: strace tells of every one.

What an image, a list or a network says of other files is only bytes.
"""

import hashlib
import json
import os
import re
import shutil
import struct
import subprocess

import harness
import onnx_bytes
from harness import EXECUTABLE, MODELS, SkincheckTest, csv_rows, model_spec
from images import BLACK, WHITE, bmp, chunk, drawn, png

OPENED = re.compile(rb'^\d+ +(?:openat\(AT_FDCWD, |open\(|creat\()"((?:[^"\\]|\\.)*)"', re.MULTILINE)

# Of the system: libraries and what they and the C library read of the machine.
SYSTEM = ("/lib", "/usr/", "/proc/", "/sys/", "/dev/", "/etc/ld.so.", "/etc/ssl/", "/etc/localtime")
SECRET = "/etc/passwd"


class Traced(SkincheckTest):
    def setUp(self):
        super().setUp()
        if shutil.which("strace") is None:
            self.skipTest("strace is not installed")
        tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
        if tried.returncode != 0:
            self.skipTest("strace may not trace here")
        os.makedirs(self.path("outside"))
        self.write("outside/secret.png", png(BLACK))

    def opened_by(self, *arguments, model: str = "", **options) -> tuple[harness.Result, set[str]]:
        """The result, and every path that was opened or tried: relative ones are below our folder."""
        trace = self.path("trace")
        command = [
            "strace",
            "-f",
            "-qq",
            "-s",
            "4096",
            "-o",
            trace,
            "-e",
            "trace=open,openat,creat",
            EXECUTABLE,
        ]
        command += [*arguments, "--model", model or str(MODELS / "tiny-sigmoid")]
        done = subprocess.run(
            [*command, "-q"],
            cwd=self.folder,
            env=harness.environment(ASAN_OPTIONS="detect_leaks=0"),
            capture_output=True,
            check=False,
            **options,
        )
        paths = set()
        for found in OPENED.findall(self.read("trace")):
            # Escapes of C, which are those of Python's bytes.
            paths.add(os.fsdecode(found.decode("unicode_escape").encode("latin-1")))
        os.remove(trace)
        return harness.Result(done.returncode, done.stdout, done.stderr), paths

    def assert_opens(self, paths: set[str], *expected: str) -> None:
        """Of all that is neither the system's nor the model's."""
        model = str(MODELS)
        # Where libraries are not the system's, the loader looks for them in one folder after the other, and they for
        # more of their own beside them.
        libraries = harness.libraries()
        beside = {os.path.dirname(file) for file in libraries.values()}
        others = {
            path
            for path in paths
            if not path.startswith((*SYSTEM, *beside, model)) and os.path.basename(path) not in libraries
        }
        self.assertNotIn(SECRET, others)
        self.assertEqual(sorted(expected), sorted(others))


class Links(Traced):
    def setUp(self):
        super().setUp()
        self.write("drop/a.png", png(WHITE))
        self.write("drop/.hidden.png", png(WHITE))
        self.write("drop/notes.txt", "no image")
        os.symlink("../outside", self.path("drop/folder"))
        os.symlink("../outside/secret.png", self.path("drop/file.png"))
        os.symlink(SECRET, self.path("drop/passwd"))  # not named as an image is
        self.taken = ["drop", "drop/a.png", "drop/file.png"]

    def test_a_folder_without_follow(self):
        result, paths = self.opened_by("drop")
        self.assert_opens(paths, *self.taken)
        self.assert_statuses(result, ("drop/a.png", "ok"), ("drop/file.png", "ok"))

    def test_with_follow_the_links_to_folders_too(self):
        result, paths = self.opened_by("--follow", "drop")
        self.assert_opens(paths, *self.taken, "drop/folder", "drop/folder/secret.png")
        self.assertEqual(3, len(csv_rows(result.stdout)))

    def test_what_is_excluded_is_not_opened(self):
        _, paths = self.opened_by("--follow", "--exclude", "folder/", "--exclude", "file*", "drop")
        self.assert_opens(paths, "drop", "drop/a.png")

    def test_a_list_names_files_and_opens_no_folder(self):
        _, paths = self.opened_by(input=b"drop\ndrop/a.png\n")
        self.assert_opens(paths, "drop/a.png")

    def test_the_output_is_the_only_file_that_is_written(self):
        _, paths = self.opened_by("drop", "-o", "out.csv")
        made = {path for path in paths if os.path.basename(path).startswith(".out.csv.skincheck-")}
        self.assertEqual(1, len(made), paths)
        self.assert_opens(paths - made, *self.taken, ".")  # the folder: so that the new name is on the disk


class Names(Traced):
    def test_a_name_is_never_taken_apart(self):
        names = [
            "..png",
            "...png",
            "..%2foutside%2fsecret.png",
            "..\\outside\\secret.png",
            "file:outside.png",
            "$(cat secret).png",
            "a.png\n..",
            "%s%n.png",
            "*.png",
            "~.png",
            "-.png",
        ]
        for name in names:
            self.write("drop/" + name, png(WHITE))
        result, paths = self.opened_by("drop", "--hidden", "--include", "*")
        images = ["drop/" + name for name in names if name != "a.png\n.."]  # which has no image's ending
        self.assert_opens(paths, "drop", *images)
        self.assertEqual({"ok"}, {row["status"] for row in csv_rows(result.stdout)})

    def test_preprocess_writes_within_its_folder(self):
        self.write("a.png", png(WHITE))
        names = ["../a.png", "../outside/../a.png", self.path("outside/secret.png")]
        result, _ = self.opened_by("preprocess", "--output", "seen", *names)
        self.assertEqual(1, result.code)  # ../a.png is above our folder, where there is none
        self.assertEqual(["a.png", "outside", "seen"], self.listing())
        for found in csv_rows(result.stdout):
            self.assertTrue(found["output"] == "" or found["output"].startswith("seen/"), found)
            self.assertNotIn("..", found["output"].split("/"))


class Contents(Traced):
    def hostile(self) -> dict[str, bytes]:
        """Files that name the secret where their format, or a library's other formats, would have it."""
        secret = self.path("outside/secret.png")
        text = secret.encode() + b"\0" + SECRET.encode() + b"\0"
        picture = png(WHITE)
        tiff = bytearray(drawn(".tif", 16, 16, WHITE))
        jpeg = drawn(".jpg", 16, 16, WHITE)
        xml = (
            f"<VRTDataset rasterXSize='16' rasterYSize='16'><VRTRasterBand dataType='Byte' band='1'>"
            f"<SimpleSource><SourceFilename>{secret}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
        )
        return {
            "text.png": picture[:33] + chunk(b"tEXt", b"Comment\0" + text) + picture[33:],
            "profile.png": picture[:33] + chunk(b"iCCP", b"../outside/secret.png\0\0x") + picture[33:],
            "comment.jpg": jpeg[:2] + b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text + jpeg[2:],
            "named.tif": bytes(tiff) + text,
            "described.tif": with_description(bytes(tiff), text),
            "trailing.bmp": bmp(WHITE) + text,
            "list.png": f"@{secret}\n{secret}\n".encode(),
            "dataset.tif": xml.encode(),
            "svg.png": f"<svg xmlns='http://www.w3.org/2000/svg'><image href='file://{secret}'/></svg>".encode(),
            "scene.tiff": b"RIFF" + text,
            "referenced.dcm": dicom_that_names(secret),
        }

    def test_what_an_image_says_of_other_files_opens_none(self):
        files = self.hostile()
        for name, data in files.items():
            self.write("drop/" + name, data)
        result, paths = self.opened_by("drop")
        self.assert_opens(paths, "drop", *["drop/" + name for name in files])
        statuses = {row["path"]: row["status"] for row in csv_rows(result.stdout)}
        self.assertEqual(len(files), len(statuses))
        for name in ("text.png", "comment.jpg", "named.tif", "described.tif", "trailing.bmp"):
            self.assertEqual("ok", statuses["drop/" + name], name)  # they were read as far as that goes


class Network(Traced):
    def test_weights_in_another_file_are_not_opened(self):
        self.write("a.png", png(WHITE))
        for location in (SECRET, "../outside/weights", self.path("outside/weights"), "weights"):
            with self.subTest(location):
                self.write("outside/weights", b"\0" * 12)
                data = onnx_bytes.tiny(weights=onnx_bytes.external("weights", [1, 3], location))
                self.write("model/model.onnx", data)
                spec = model_spec("tiny-sigmoid")
                spec["sha256"] = hashlib.sha256(data).hexdigest()
                self.write("model/model.json", json.dumps(spec))
                result, paths = self.opened_by("a.png", model="model/")
                self.assert_fails_with(result, 3, "model.onnx", "another file")
                self.assert_opens(paths, "model/model.json", "model/model.onnx")


def with_description(tiff: bytes, text: bytes) -> bytes:
    """The little-endian TIFF with ImageDescription and DocumentName added: its directory moves to the end."""
    (start,) = struct.unpack_from("<I", tiff, 4)
    (count,) = struct.unpack_from("<H", tiff, start)
    entries = [tiff[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(count)]
    at = len(tiff)
    entries += [struct.pack("<HHII", tag, 2, len(text), at) for tag in (269, 270)]
    entries.sort(key=lambda entry: struct.unpack_from("<H", entry))
    body = (
        tiff[:4]
        + struct.pack("<I", at + len(text) + len(text) % 2)
        + tiff[8:]
        + text
        + b"\0" * (len(text) % 2)
    )
    return body + struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", 0)


def dicom_that_names(path: str) -> bytes:
    """A DICOM file without pixels whose directory record refers to another file (0004,1500)."""
    value = path.encode() + b" " * (len(path) % 2)
    element = struct.pack("<HH2sH", 4, 0x1500, b"CS", len(value)) + value
    syntax = b"1.2.840.10008.1.2.1\0"
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", len(syntax)) + syntax
    length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta))
    return b"\0" * 128 + b"DICM" + length + meta + element


if __name__ == "__main__":
    harness.main()
