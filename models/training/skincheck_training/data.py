"""The table of images, and their pixels as `skincheck preprocess` gives them, packed into one file."""

import csv
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from PIL import Image

CHUNK = 512  # images that lie on the disk as PNG at one time


class DataError(Exception):
    """Something in the user's data that must be mended before any training; the text says what and where."""


@dataclass(frozen=True)
class Example:
    path: pathlib.Path
    file: str  # as the table names it
    malignant: bool
    diagnosis: str  # "" where the table tells none
    group: str
    split: str
    source: str
    columns: dict[str, str]  # the whole row


def executable(skincheck: str) -> pathlib.Path:
    """By a path if there is a slash in it, else in PATH, as a shell does it."""
    found = shutil.which(skincheck)
    if found is None:
        raise DataError(f"{skincheck} is not an executable; build skincheck first")
    return pathlib.Path(found).resolve()


def read_table(table: pathlib.Path, images: pathlib.Path) -> list[Example]:
    """Reads a CSV with the columns file, malignant (0 or 1), group, split (train, val) and, if there, source, diagnosis.

    `file` is relative to `images`. A group (lesion or patient) that stands in both splits is refused: the validation
    figures would be those of images that the network has learned.
    """
    examples = _read_rows(table, images)
    if not examples:
        raise DataError(f"{table}: has no rows")
    groups = {split: {e.group for e in examples if e.split == split} for split in ("train", "val")}
    shared = sorted(groups["train"] & groups["val"])
    if shared:
        raise DataError(f"{table}: {len(shared)} groups are in train and in val, for instance {shared[0]!r}")
    return examples


def check_files(table: pathlib.Path, examples: list[Example]) -> None:
    for example in examples:
        if not example.path.is_file():
            raise DataError(f"{table}: {example.path} is not there")


def check_splits(
    table: pathlib.Path, examples: list[Example], away: numpy.ndarray, kinds: dict[str, numpy.ndarray]
) -> None:
    """Each split needs images of each kind (name → bool N), not counting those that are `away`: they would not be
    learned, or not measured. And the best epoch is found by the sources' AUC, so one of them needs both."""
    for split in ("train", "val"):
        there = numpy.array([example.split == split for example in examples]) & ~away
        for name, of_it in kinds.items():
            if not (there & of_it).any():
                raise DataError(f"{table}: the {split} split has no {name} example{' left' if away.any() else ''}")
    found = {(e.source, e.malignant) for e, gone in zip(examples, away, strict=True) if e.split == "val" and not gone}
    if not any((source, not malignant) in found for source, malignant in found):
        raise DataError(f"{table}: no source has malignant and benign examples in the val split")


def _read_rows(table: pathlib.Path, images: pathlib.Path) -> list[Example]:
    content = table.read_bytes()
    try:
        # Spreadsheets put a byte order mark before the header.
        return _parse_rows(table, content.decode("utf-8-sig"), images)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table}: is not a CSV in UTF-8: {error}") from error


def _parse_rows(table: pathlib.Path, content: str, images: pathlib.Path) -> list[Example]:
    with io.StringIO(content, newline="") as lines:
        reader = csv.DictReader(lines)
        missing = {"file", "malignant", "group", "split"} - set(reader.fieldnames or [])
        if missing:
            raise DataError(f"{table}: no column {', '.join(sorted(missing))}")
        examples = []
        seen = set()
        for row in reader:
            where = f"{table}:{reader.line_num}"
            for column in ("file", "group"):
                if not row[column]:
                    raise DataError(f"{where}: {column} is empty")
            if row["malignant"] not in ("0", "1"):
                raise DataError(f"{where}: malignant is {row['malignant']!r}, not 0 or 1")
            if row["split"] not in ("train", "val"):
                raise DataError(f"{where}: split is {row['split']!r}, not train or val")
            if row["file"] in seen:
                raise DataError(f"{where}: {row['file']} is listed twice")
            seen.add(row["file"])
            examples.append(
                Example(
                    path=images / row["file"],
                    file=row["file"],
                    malignant=row["malignant"] == "1",
                    diagnosis=row.get("diagnosis") or "",
                    group=row["group"],
                    split=row["split"],
                    source=row.get("source") or "all",
                    columns=row | {"source": row.get("source") or "all"},
                )
            )
    return examples


def first_of_each_split(examples: list[Example], away: numpy.ndarray, limit: int) -> list[int]:
    """Indices of at most so many examples of each split, without those that are `away` (bool N)."""
    left = {"train": limit, "val": limit}
    chosen = []
    for index, example in enumerate(examples):
        if left[example.split] > 0 and not away[index]:
            left[example.split] -= 1
            chosen.append(index)
    return chosen


def check_source_apart(table: pathlib.Path, examples: list[Example], unseen: numpy.ndarray, name: str) -> None:
    """Of sources that are to be new to the network no group may be in the others: DataError."""
    groups = [{e.group for e, away in zip(examples, unseen, strict=True) if away == part} for part in (True, False)]
    if shared := sorted(groups[0] & groups[1]):
        raise DataError(f"{table}: {len(shared)} groups of {name} are in other sources too, for instance {shared[0]!r}")


def left_out(examples: list[Example], conditions: Sequence[str]) -> numpy.ndarray:
    """Which examples one of the conditions, COLUMN=VALUE, takes away: bool N."""
    chosen = numpy.zeros(len(examples), dtype=bool)
    for condition in conditions:
        column, equals, value = condition.partition("=")
        if not equals or column not in examples[0].columns:
            raise DataError(f"images to leave out are named as COLUMN=VALUE, with a column of the table, not {condition!r}")
        found = numpy.array([example.columns[column] == value for example in examples])
        if not found.any():
            raise DataError(f"no image has {condition}: nothing to leave out")
        chosen |= found
    return chosen


def fingerprint(examples: list[Example], *more: str) -> str:
    """Of what a training run starts from, whatever machine and folder: files, labels, splits, sources, and `more`."""
    key = hashlib.sha256()
    for example in examples:
        fields = (example.file, str(int(example.malignant)), example.diagnosis, example.split, example.source)
        key.update("".join(f"{field}\0" for field in fields).encode("utf-8", "surrogateescape"))
    for text in more:
        key.update(f"{text}\0".encode())
    return key.hexdigest()


def _pack_path(examples: list[Example], skincheck: pathlib.Path, draft: pathlib.Path, cache: pathlib.Path) -> pathlib.Path:
    spec = json.loads((draft / "model.json").read_text())
    key = hashlib.sha256()
    key.update(json.dumps([spec["preprocess"], spec["input"]["height"], spec["input"]["width"]]).encode())
    version = subprocess.run([skincheck, "--version"], stdout=subprocess.PIPE, check=False).stdout.splitlines()
    for line in version:  # another decoder or another release may give other pixels
        if line.startswith((b"skincheck ", b"OpenCV ", b"decoders ")):
            key.update(line)
    for example in examples:
        file = example.path.stat()
        key.update(os.fsencode(example.path) + f"\0{file.st_size} {file.st_mtime_ns}\0".encode())
    return cache / f"prepared-{key.hexdigest()[:16]}.npy"


def prepared_pixels(
    examples: list[Example], skincheck: pathlib.Path, draft: pathlib.Path, cache: pathlib.Path
) -> numpy.ndarray:
    """The examples as the network would see them before normalisation: uint8 N×H×W×3, RGB, memory-mapped.

    `draft` is a model package whose model.json names the steps. The pack is made once for a list of files, steps, and the
    versions of skincheck and its decoders.
    """
    pack = _pack_path(examples, skincheck, draft, cache)
    if not pack.exists():
        spec = json.loads((draft / "model.json").read_text())
        height, width = spec["input"]["height"], spec["input"]["width"]
        folder = cache / "png"
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was interrupted
        folder.mkdir(parents=True)
        partial = pack.with_suffix(".part")
        pixels = numpy.lib.format.open_memmap(
            partial, mode="w+", dtype=numpy.uint8, shape=(len(examples), height, width, 3)
        )
        with partial.open("r+b") as file:  # or a disk that is full later ends the process by a signal
            os.posix_fallocate(file.fileno(), 0, partial.stat().st_size)
        for start in range(0, len(examples), CHUNK):
            chunk = [example.path for example in examples[start : start + CHUNK]]
            for index, output in enumerate(_preprocess(chunk, skincheck, draft, folder), start=start):
                with Image.open(output) as image:
                    if image.size != (width, height):
                        raise DataError(f"skincheck preprocess made {output} {image.width}×{image.height} pixels, not {width}×{height}")
                    pixels[index] = numpy.asarray(image.convert("RGB"))
                pathlib.Path(output).unlink()
            print(f"prepared {min(start + CHUNK, len(examples))}/{len(examples)} images", flush=True)
        pixels.flush()
        partial.rename(pack)
        shutil.rmtree(folder)
    return numpy.load(pack, mmap_mode="r")


def _preprocess(
    paths: list[pathlib.Path], skincheck: pathlib.Path, draft: pathlib.Path, folder: pathlib.Path
) -> list[str]:
    command = [skincheck, "preprocess", "--model", draft, "--output", folder, "--null", "--no-progress", "--quiet", "-"]
    listing = b"".join(os.fsencode(path) + b"\0" for path in paths)
    done = subprocess.run(command, input=listing, stdout=subprocess.PIPE, check=False)
    if done.returncode not in (0, 1):
        raise DataError(f"skincheck preprocess ended with exit code {done.returncode}")
    rows = list(csv.DictReader(io.StringIO(os.fsdecode(done.stdout), newline="")))
    bad = [row for row in rows if row["status"] != "ok"]
    if bad:
        first = bad[0]
        raise DataError(f"{len(bad)} images cannot be used, first {first['path']}: {first['status']}, {first['error']}")
    if [row["path"] for row in rows] != [str(path) for path in paths]:
        raise DataError(f"skincheck preprocess gave {len(rows)} rows for {len(paths)} images, or in another order")
    return [row["output"] for row in rows]
