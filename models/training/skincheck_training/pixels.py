"""Pixels of images as `skincheck preprocess` gives them, packed into one file."""

import csv
import hashlib
import io
import json
import math
import os
import pathlib
import shutil
import subprocess

import numpy
from PIL import Image

from .data import UNREADABLE, DataError, Example, write_unreadable
from .files import locked, replace_file

CHUNK = 512  # images that lie on the disk as PNG at one time


def executable(skincheck: str) -> pathlib.Path:
    """By a path if there is a slash in it, else in PATH, as a shell does it."""
    found = shutil.which(skincheck)
    if found is None:
        raise DataError(f"{skincheck} is not an executable; build skincheck first")
    return pathlib.Path(found).resolve()


def check_draft(skincheck: pathlib.Path, draft: pathlib.Path) -> None:
    """Whether skincheck takes the model.json, its name, version and licence line above all: DataError."""
    command = [skincheck, "preprocess", "--model", draft, "--output", draft, "--null", "--no-progress", "--quiet", "-"]
    done = subprocess.run(command, input=b"", capture_output=True, check=False)
    if done.returncode != 0:
        said = os.fsdecode(done.stderr).strip() or f"exit code {done.returncode}"
        raise DataError(f"skincheck does not take {draft}: {said}")


def digest_of_pixels(pixels: numpy.ndarray, indices: numpy.ndarray) -> str:
    """Of the prepared images (uint8 N×H×W×3) at these places: a second for a gigabyte."""
    key = hashlib.sha256()
    for index in indices:
        key.update(numpy.ascontiguousarray(pixels[index]))
    return key.hexdigest()


def pack_name(examples: list[Example], skincheck: pathlib.Path, draft: pathlib.Path) -> str:
    """Another one when the files, the steps, skincheck or its decoders are others, and so the pixels may be."""
    spec = json.loads((draft / "model.json").read_text(encoding="utf-8"))
    key = hashlib.sha256()
    key.update(json.dumps([spec["preprocess"], spec["input"]["height"], spec["input"]["width"]]).encode())
    version = subprocess.run([skincheck, "--version"], stdout=subprocess.PIPE, check=False).stdout.splitlines()
    for line in version:  # another decoder or another release may give other pixels
        if line.startswith((b"skincheck ", b"OpenCV ", b"decoders ")):
            key.update(line)
    for example in examples:
        try:
            file = example.path.stat()
            state = f"{file.st_size} {file.st_mtime_ns}"
        except FileNotFoundError:
            state = "gone"
        key.update(os.fsencode(example.path) + f"\0{state}\0".encode())
    return f"prepared-{key.hexdigest()[:16]}.npy"


def prepared_pixels(
    examples: list[Example], away: numpy.ndarray, skincheck: pathlib.Path, draft: pathlib.Path, work: pathlib.Path
) -> numpy.ndarray:
    """The examples as the network would see them before normalisation: uint8 N×H×W×3, RGB, memory-mapped.

    `draft` is a model package whose model.json names the steps. The pack is made once for a list of files, steps, and the
    versions of skincheck and its decoders, and lies in work/cache. Images that cannot be used are black there; a DataError
    tells of them, and work/unreadable.csv has them all, unless they are `away` (bool N).
    """
    pack = work / "cache" / pack_name(examples, skincheck, draft)
    needed = {str(example.path) for example, gone in zip(examples, away, strict=True) if not gone}
    with locked(pack.parent, math.inf):  # several commands may share a cache
        if not pack.exists() or _unusable(pack, needed):  # what was wrong may have been the machine
            _make_pack(pack, examples, skincheck, draft)
    refused = _unusable(pack, needed)
    told = work / UNREADABLE
    if refused:
        write_unreadable(told, refused)
        first = refused[0]
        raise DataError(
            f"{len(refused)} images cannot be used, first {first['path']}: {first['status']}, {first['error']}; {told} has them "
            "all, for --leave-out file=NAME where they cannot be mended"
        )
    told.unlink(missing_ok=True)
    return numpy.load(pack, mmap_mode="r")


def _make_pack(pack: pathlib.Path, examples: list[Example], skincheck: pathlib.Path, draft: pathlib.Path) -> None:
    spec = json.loads((draft / "model.json").read_text(encoding="utf-8"))
    height, width = spec["input"]["height"], spec["input"]["width"]
    folder = pack.parent / "png"
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was interrupted
    folder.mkdir(parents=True)
    bad = []
    with replace_file(pack) as partial:
        pixels = numpy.lib.format.open_memmap(
            partial, mode="w+", dtype=numpy.uint8, shape=(len(examples), height, width, 3)
        )
        with partial.open("r+b") as file:  # or a disk that is full later ends the process by a signal
            os.posix_fallocate(file.fileno(), 0, partial.stat().st_size)
        for start in range(0, len(examples), CHUNK):
            chunk = [example.path for example in examples[start : start + CHUNK]]
            for index, row in enumerate(_preprocess(chunk, skincheck, draft, folder), start=start):
                if row["status"] != "ok":
                    bad.append(row)
                    continue
                with Image.open(row["output"]) as image:
                    if image.size != (width, height):
                        made = f"{row['output']} {image.width}×{image.height} pixels, not {width}×{height}"
                        raise DataError(f"skincheck preprocess made {made}")
                    pixels[index] = numpy.asarray(image.convert("RGB"))
                pathlib.Path(row["output"]).unlink()
            print(f"prepared {min(start + CHUNK, len(examples))}/{len(examples)} images", flush=True)
        pixels.flush()
        names = {str(example.path): example.file for example in examples}
        pack.unlink(missing_ok=True)  # the listing is not of the one before
        write_unreadable(_listing(pack), [row | {"file": names[row["path"]]} for row in bad])
    shutil.rmtree(folder)


def _preprocess(
    paths: list[pathlib.Path], skincheck: pathlib.Path, draft: pathlib.Path, folder: pathlib.Path
) -> list[dict[str, str]]:
    """A row of skincheck's for each image, in their order: path, output, status, error."""
    command = [skincheck, "preprocess", "--model", draft, "--output", folder, "--null", "--no-progress", "--quiet", "-"]
    there = [path for path in paths if path.is_file()]  # a path that is not is an error of another kind
    listing = b"".join(os.fsencode(path) + b"\0" for path in there)
    done = subprocess.run(command, input=listing, stdout=subprocess.PIPE, check=False)
    if done.returncode not in (0, 1):
        raise DataError(f"skincheck preprocess ended with exit code {done.returncode}")
    rows = list(csv.DictReader(io.StringIO(os.fsdecode(done.stdout), newline="")))
    if [row["path"] for row in rows] != [str(path) for path in there]:
        raise DataError(f"skincheck preprocess gave {len(rows)} rows for {len(there)} images, or in another order")
    found = {row["path"]: row for row in rows}
    gone = {"output": "", "status": "gone", "error": "the file is not there"}
    return [found.get(str(path)) or gone | {"path": str(path)} for path in paths]


def _listing(pack: pathlib.Path) -> pathlib.Path:
    return pack.with_suffix(".unreadable.csv")


def _unusable(pack: pathlib.Path, needed: set[str]) -> list[dict[str, str]]:
    """Rows of those whose path is needed. A pack of before they were listed has none: such an image was refused then."""
    if not _listing(pack).exists():
        return []
    with _listing(pack).open(newline="", encoding="utf-8", errors="surrogateescape") as lines:
        return [row for row in csv.DictReader(lines) if row["path"] in needed]
