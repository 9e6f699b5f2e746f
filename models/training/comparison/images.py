"""The images that all methods share: the recipe's training and validation images, and a test table of its own."""

import csv
import io
import pathlib
from dataclasses import dataclass

import numpy

from skincheck_training import package
from skincheck_training.data import (
    DataError, Example, check_files, check_splits, fingerprint, left_out, prepared_pixels, read_table,
)
from skincheck_training.goals import GOALS

from .results import check_stems

SIDE = 224  # of the prepared images, in pixels


@dataclass(frozen=True)
class Shared:
    """Train and validation images without those left out, then test images; the arrays run over all of them."""

    examples: list[Example]
    pixels: list[numpy.ndarray]  # memory-mapped packs, uint8 N×H×W×3
    places: numpy.ndarray  # N×2: the pack of each image, and where in it
    origin: str  # fingerprint of files, labels, splits and what was left out

    def indices(self, split: str) -> numpy.ndarray:
        return numpy.flatnonzero([example.split == split for example in self.examples])

    def of(self, split: str) -> list[Example]:
        return [example for example in self.examples if example.split == split]

    def malignant(self) -> numpy.ndarray:
        return numpy.array([example.malignant for example in self.examples])

    def __getitem__(self, indices: int | numpy.ndarray) -> numpy.ndarray:
        """Pixels, of one image or of several."""
        places = self.places[indices]
        if places.ndim == 1:
            return self.pixels[places[0]][places[1]]
        return numpy.array([self.pixels[pack][place] for pack, place in places])


def read_test_table(table: pathlib.Path, images: pathlib.Path) -> list[Example]:
    """A CSV with the columns file and malignant, and group where lesions or patients are known."""
    try:
        content = table.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{table}: is not a CSV in UTF-8: {error}") from error
    with io.StringIO(content, newline="") as lines:
        reader = csv.DictReader(lines)
        missing = {"file", "malignant"} - set(reader.fieldnames or [])
        if missing:
            raise DataError(f"{table}: no column {', '.join(sorted(missing))}")
        examples = []
        for row in reader:
            if not row["file"]:
                raise DataError(f"{table}:{reader.line_num}: file is empty")
            if row["malignant"] not in ("0", "1"):
                raise DataError(f"{table}:{reader.line_num}: malignant is {row['malignant']!r}, not 0 or 1")
            path = images / row["file"]
            if not path.is_file():
                raise DataError(f"{table}: {path} is not there")
            examples.append(
                Example(
                    path=path,
                    file=row["file"],
                    malignant=row["malignant"] == "1",
                    diagnosis=row.get("diagnosis") or "",
                    group=row.get("group") or "",
                    split="test",
                    source=row.get("source") or "all",
                    columns=row,
                )
            )
    if len({example.malignant for example in examples}) != 2:
        raise DataError(f"{table}: malignant and benign images are needed")
    return examples


def check_apart(known: list[Example], test: list[Example], table: pathlib.Path) -> None:
    """No test image, and no group of one, among those that are learned from or chosen by. Files count by their stem, as
    `skincheck evaluate` matches them."""
    columns = {"group": lambda example: example.group, "file": lambda example: pathlib.Path(example.file).stem}
    for what, of in columns.items():
        shared = sorted({of(e) for e in known} & {of(e) for e in test if of(e)})
        if shared:
            raise DataError(f"{table}: {len(shared)} {what}s are in the training table too, for instance {shared[0]!r}")


def read_shared(
    data: pathlib.Path, images: pathlib.Path, leave_out: list[str], test_data: pathlib.Path, test_images: pathlib.Path,
    skincheck: pathlib.Path, work: pathlib.Path,
) -> Shared:
    """Reads both tables and prepares the pixels, the test images' in a pack of their own."""
    table = read_table(data, images)
    check_files(data, table)
    away = left_out(table, leave_out)
    malignant = numpy.array([example.malignant for example in table])
    check_splits(data, table, away, {"malignant": malignant, "benign": ~malignant})
    test = read_test_table(test_data, test_images)
    check_apart(table, test, test_data)
    check_stems(data, table)
    check_stems(test_data, test)
    draft = work / "draft"
    package.write_draft(draft, package.base_spec("comparison", "0.0.0", "none", GOALS["malignancy"], SIDE))
    packs = [prepared_pixels(examples, skincheck, draft, work / "cache") for examples in (table, test)]
    kept = numpy.flatnonzero(~away)
    places = [(0, index) for index in kept] + [(1, index) for index in range(len(test))]
    examples = [table[index] for index in kept] + test
    return Shared(examples, packs, numpy.array(places), fingerprint(examples, str(SIDE)))
