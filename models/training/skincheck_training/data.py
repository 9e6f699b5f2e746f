"""The table of images."""

import collections
import csv
import hashlib
import io
import os
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy

from .diagnoses import DIAGNOSES, MALIGNANT, diagnosis_index
from .files import replace_csv

# Of images whose table has no column split. The seed is no option: all commands and all seeds are to see the same split.
VAL_SHARE, SPLIT_SEED = 0.15, 1
UNREADABLE = "unreadable.csv"  # in the folder of work: the images that cannot be used


class DataError(ValueError):
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


def read_table(table: pathlib.Path, images: pathlib.Path) -> list[Example]:
    """Reads a CSV with the columns file, malignant (0 or 1), group, split (train, val) and, if there, source, diagnosis.

    `file` is relative to `images`. Where there is no column malignant the diagnosis tells it, and where there is no split the
    group chooses it. A group (lesion or patient) that stands in both splits is refused: the validation figures would be those
    of images that the network has learned.
    """
    examples = _examples(table, images, {"file", "malignant", "group"})
    if not examples:
        raise DataError(f"{table}: has no rows")
    if "split" not in examples[0].columns:
        examples = [replace(e, split=(split := chosen_split(e.group)), columns=e.columns | {"split": split}) for e in examples]
        val = sum(example.split == "val" for example in examples)
        print(f"{table}: no column split: {val} of {len(examples)} images are val, chosen by their groups", flush=True)
    groups = {split: {e.group for e in examples if e.split == split} for split in ("train", "val")}
    shared = sorted(groups["train"] & groups["val"])
    if shared:
        raise DataError(f"{table}: {len(shared)} groups are in train and in val, for instance {shared[0]!r}")
    return examples


def read_test_table(table: pathlib.Path, images: pathlib.Path) -> list[Example]:
    """A CSV with the columns file and malignant, and group where lesions or patients are known."""
    examples = _examples(table, images, {"file", "malignant"})
    if len({example.malignant for example in examples}) != 2:
        raise DataError(f"{table}: malignant and benign images are needed")
    return examples


def chosen_split(group: str) -> str:
    """The same for a group in any table, whatever else is in it: val for VAL_SHARE of all groups."""
    number = int.from_bytes(hashlib.sha256(f"{SPLIT_SEED}\0{group}".encode()).digest()[:8])
    return "val" if number < VAL_SHARE * 2**64 else "train"


def read_csv(
    table: pathlib.Path, columns: set[str], errors: str = "strict", instead: dict[str, str] | None = None
) -> list[tuple[str, dict[str, str]]]:
    """Rows of a CSV with a header that has these columns at least, each with the place it is at; DataError with a sentence
    for another file. Another column may stand `instead` of a missing one. Cells that are not there are None."""
    try:
        # Spreadsheets put a byte order mark before the header.
        content = table.read_bytes().decode("utf-8-sig", errors)
        reader = csv.DictReader(io.StringIO(content, newline=""), strict=True)
        header = set(reader.fieldnames or [])
        if twice := [name for name, count in collections.Counter(reader.fieldnames or []).items() if name and count > 1]:
            raise DataError(f"{table}: the column {twice[0]} is there twice; leave one of the two away")
        if missing := {name for name in columns - header if (instead or {}).get(name) not in header}:
            raise DataError(f"{table}: no column {', '.join(sorted(missing))}")
        return [(f"{table}:{reader.line_num}", row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table}: is not a CSV in UTF-8: {error}") from error


def _examples(table: pathlib.Path, images: pathlib.Path, columns: set[str]) -> list[Example]:
    """Groups need not be known where group is not among these columns. Without a column split all are of the split test."""
    examples = []
    seen = set()
    rows = read_csv(table, columns, instead={"malignant": "diagnosis"})
    _derive_malignant(table, [row for _, row in rows])
    for where, row in rows:
        for column in columns & {"file", "group"}:
            if not row[column]:
                raise DataError(f"{where}: {column} is empty")
        if row["malignant"] not in ("0", "1"):
            raise DataError(f"{where}: malignant is {row['malignant']!r}, not 0 or 1")
        if "group" in columns and "split" in row and row["split"] not in ("train", "val"):
            raise DataError(f"{where}: split is {row['split']!r}, not train or val")
        path = images / row["file"]
        one = os.path.normpath(path)  # a.jpg, ./a.jpg and b/../a.jpg
        if one in seen:
            raise DataError(f"{where}: {row['file']} is listed twice")
        seen.add(one)
        examples.append(
            Example(
                path=path,
                file=row["file"],
                malignant=row["malignant"] == "1",
                diagnosis=row.get("diagnosis") or "",
                group=row.get("group") or "",
                split=row["split"] if "group" in columns and "split" in row else "test",
                source=row.get("source") or "all",
                columns=row | {"source": row.get("source") or "all"},
            )
        )
    return examples


def check_files(table: pathlib.Path, examples: list[Example], away: numpy.ndarray, work: pathlib.Path) -> None:
    """Whether all are there that are not `away` (bool N): DataError, and a list of those that are not in `work`."""
    needed = [example for example, gone in zip(examples, away, strict=True) if not gone]
    missing = [example for example in needed if not example.path.is_file()]
    (work / UNREADABLE).unlink(missing_ok=True)  # of an earlier run
    if missing:
        others = f", nor are {len(missing) - 1} others" if missing[1:] else ""
        rows = [{"file": e.file, "path": e.path, "status": "gone", "error": "the file is not there"} for e in missing]
        write_unreadable(work / UNREADABLE, rows)
        raise DataError(f"{table}: {missing[0].path} is not there{others}; see {work / UNREADABLE}")


def write_unreadable(table: pathlib.Path, rows: list[dict]) -> None:
    """Of images that cannot be used: file (as the table names it), path, status, error."""
    with replace_csv(table) as out:
        writer = csv.DictWriter(out, ["file", "path", "status", "error"], extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


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


def _derive_malignant(table: pathlib.Path, rows: list[dict[str, str]]) -> None:
    """From the diagnosis, where there is no such column; DataError where one says too little."""
    if not rows or "malignant" in rows[0]:
        return
    for row in rows:
        index = diagnosis_index(row["diagnosis"] or "")
        row["malignant"] = "" if index < 0 else str(int(DIAGNOSES[index] in MALIGNANT))
    if unknown := collections.Counter(row["diagnosis"] or "(none)" for row in rows if not row["malignant"]):
        names = ", ".join(f"{name} {count}" for name, count in unknown.most_common())
        raise DataError(f"{table}: no column malignant, and {unknown.total()} diagnoses do not tell it: {names}; take these rows away, or add the column")


def tell_contradictions(table: pathlib.Path, examples: list[Example]) -> None:
    """One line of the images whose diagnosis says the opposite of malignant, by which all is measured; DataError where most
    do, of the malignant diagnoses and of the benign ones: 0 and 1 are changed for each other there."""
    indices = [diagnosis_index(example.diagnosis) for example in examples]
    known = [(e, DIAGNOSES[index] in MALIGNANT) for e, index in zip(examples, indices, strict=True) if index >= 0]
    opposite = [example for example, malignant in known if malignant != example.malignant]
    if not opposite:
        return
    counts = collections.Counter((e.diagnosis, "malignant" if e.malignant else "benign") for e in opposite)
    names = ", ".join(f"{name} called {kind} {count}" for (name, kind), count in counts.most_common())
    told = f"{len(opposite)} images: the column malignant contradicts the diagnosis ({names}), first {opposite[0].file}"
    kinds = ([malignant != e.malignant for e, malignant in known if malignant == kind] for kind in (True, False))
    if all(2 * sum(changed) > len(changed) > 0 for changed in kinds):
        raise DataError(f"{table}: {told}; 1 is to be malignant, 0 benign")
    print(told, flush=True)


def first_of_each_split(examples: list[Example], away: numpy.ndarray, limit: int) -> list[int]:
    """Indices of at most so many examples of each split, without those that are `away` (bool N): of each source the first
    malignant and the first benign one, then the second ones, and so on. The first rows of a table may all be of one kind."""
    sources = list(dict.fromkeys(example.source for example in examples))
    taken: collections.Counter = collections.Counter()
    order = []
    for index, example in enumerate(examples):
        if not away[index]:
            kind = (sources.index(example.source), not example.malignant)
            order.append((taken[example.split, kind], kind, index))
            taken[example.split, kind] += 1
    chosen = []
    for split in ("train", "val"):
        chosen += [index for *_, index in sorted(order) if examples[index].split == split][:limit]
    return sorted(chosen)


def check_source_apart(table: pathlib.Path, examples: list[Example], unseen: numpy.ndarray, name: str) -> None:
    """Of sources that are to be new to the network no group may be in the others: DataError."""
    groups = [{e.group for e, away in zip(examples, unseen, strict=True) if away == part} for part in (True, False)]
    if shared := sorted(groups[0] & groups[1]):
        raise DataError(f"{table}: {len(shared)} groups of {name} are in other sources too, for instance {shared[0]!r}")


def check_both_kinds(table: pathlib.Path, examples: list[Example], source: str) -> None:
    """Whether there is something to measure of a source: DataError."""
    if len({example.malignant for example in examples if example.source == source}) != 2:
        raise DataError(f"{table}: {source} has not both malignant and benign images: nothing to measure; name other sources")


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
