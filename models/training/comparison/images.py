"""The images that all methods share: the recipe's training and validation images, and a test table of its own."""

import pathlib
from dataclasses import dataclass

import numpy

from skincheck_training import package
from skincheck_training.data import (
    DataError, Example, check_files, check_splits, fingerprint, left_out, read_table, read_test_table,
)
from skincheck_training.goals import GOALS
from skincheck_training.pixels import digest_of_pixels, prepared_pixels

from .results import check_stems

SIDE = 224  # of the prepared images, in pixels


@dataclass(frozen=True)
class Shared:
    """Train and validation images without those left out, then test images; the arrays run over all of them."""

    examples: list[Example]
    pixels: list[numpy.ndarray]  # memory-mapped packs, uint8 N×H×W×3
    places: numpy.ndarray  # N×2: the pack of each image, and where in it
    origin: str  # fingerprint of files, labels, splits, pixels and what was left out

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
    away = left_out(table, leave_out)
    check_files(data, table, away, work)
    malignant = numpy.array([example.malignant for example in table])
    check_splits(data, table, away, {"malignant": malignant, "benign": ~malignant})
    test = read_test_table(test_data, test_images)
    none_away = numpy.zeros(len(test), dtype=bool)
    check_files(test_data, test, none_away, work)
    check_apart(table, test, test_data)
    check_stems(data, table)
    check_stems(test_data, test)
    draft = work / "draft"
    package.write_draft(draft, package.base_spec("comparison", "0.0.0", "none", GOALS["malignancy"], SIDE))
    tables = ((table, away), (test, none_away))
    packs = [prepared_pixels(examples, gone, skincheck, draft, work) for examples, gone in tables]
    kept = numpy.flatnonzero(~away)
    places = [(0, index) for index in kept] + [(1, index) for index in range(len(test))]
    examples = [table[index] for index in kept] + test
    digests = [digest_of_pixels(pack, indices) for pack, indices in zip(packs, (kept, range(len(test))), strict=True)]
    return Shared(examples, packs, numpy.array(places), fingerprint(examples, str(SIDE), *digests))
