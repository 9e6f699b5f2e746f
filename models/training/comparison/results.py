"""Scores as skincheck writes them, the threshold they are called by, and figures as `skincheck evaluate` finds them."""

import csv
import json
import os
import pathlib
import subprocess

import numpy

from skincheck_training.calibrate import fit_platt, operating_points, sigmoid
from skincheck_training.data import DataError, Example, read_csv
from skincheck_training.files import replace_file

COLUMNS = ("path", "status", "malignancy", "label", "threshold", "model", "error")


def check_stems(table: pathlib.Path, examples: list[Example]) -> None:
    """Scores and truth are joined by the file's name without folder and ending: two images of one name are a DataError."""
    seen: dict[str, str] = {}
    for example in examples:
        stem = pathlib.Path(example.file).stem
        if stem in seen:
            raise DataError(f"{table}: {seen[stem]} and {example.file} have the same name; rename one, for scores go by it")
        seen[stem] = example.file


def calibrated(val: numpy.ndarray, test: numpy.ndarray, truth: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Logits → probabilities, by Platt's line through the validation images, as the recipe calibrates a network."""
    slope, intercept = fit_platt(val, truth)
    return sigmoid(slope * val + intercept), sigmoid(slope * test + intercept)


def youden_threshold(scores: numpy.ndarray, truth: numpy.ndarray) -> float:
    """Of the greatest sensitivity + specificity - 1 on the images of these scores."""
    points = operating_points(truth, scores)[1]
    return next(point["threshold"] for point in points if point["name"] == "youden")


def write_results(
    path: pathlib.Path, examples: list[Example], scores: numpy.ndarray, threshold: float, model: str
) -> None:
    """Replaces the file, which is whole at any moment."""
    with (
        replace_file(path) as partial,
        partial.open("w", newline="", encoding="utf-8", errors="surrogateescape") as out,
    ):
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for example, score in zip(examples, numpy.round(scores, 6), strict=True):
            label = "malignant" if score >= threshold else "benign"
            writer.writerow((example.path, "ok", f"{score:.6f}", label, f"{threshold:.6f}", model, ""))


def write_truth(path: pathlib.Path, examples: list[Example]) -> None:
    """What `skincheck evaluate` is to compare scores with: these images and no others, with the columns of their table."""
    columns = dict.fromkeys([*examples[0].columns, "file", "malignant", "group"])
    columns.pop(None, None)  # cells beyond the header
    with (
        replace_file(path) as partial,
        partial.open("w", newline="", encoding="utf-8", errors="surrogateescape") as out,
    ):
        writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for example in examples:
            own = {"file": example.file, "malignant": int(example.malignant), "group": example.group}
            writer.writerow(example.columns | own)


def score_images(
    paths: list[pathlib.Path], skincheck: pathlib.Path, package: pathlib.Path, results: pathlib.Path, more: list[str]
) -> None:
    """Replaces the results by what skincheck says of these images, if it has a score for each of them: DataError otherwise."""
    partial = results.with_suffix(".part.csv")  # skincheck leaves what it has if it is stopped
    command = [skincheck, "--model", package, *more, "--null", "--quiet", "--output", partial, "-"]
    listing = b"".join(os.fsencode(path) + b"\0" for path in paths)
    if subprocess.run(command, input=listing, check=False).returncode != 0:
        raise DataError(f"skincheck could not score all {len(paths)} images; see {partial}")
    partial.replace(results)


def result_rows(path: pathlib.Path) -> dict[str, dict[str, str]]:
    """Of results of skincheck, those with a score, by the file's name without folder and ending."""
    rows = read_csv(path, {"path", "status", "malignancy", "model"}, "surrogateescape")
    return {pathlib.Path(row["path"]).stem: row for _, row in rows if row["status"] == "ok"}


def read_results(path: pathlib.Path, examples: list[Example]) -> tuple[numpy.ndarray, str]:
    """The scores of these images and the model's name, from results of skincheck; rows are found by the file's stem.

    Rows of further images do no harm; an image without a score is a DataError.
    """
    rows = result_rows(path)
    without = [example.file for example in examples if pathlib.Path(example.file).stem not in rows]
    if without:
        raise DataError(f"{path}: no score for {len(without)} images, for instance {without[0]}")
    chosen = [rows[pathlib.Path(example.file).stem] for example in examples]
    if len(models := sorted({row["model"] for row in chosen})) > 1:
        raise DataError(f"{path}: is of several models: {', '.join(models)}")
    return numpy.array([float(row["malignancy"]) for row in chosen]), chosen[0]["model"]


def figure(found: dict, digits: int = 4) -> str:
    """One of `skincheck evaluate`'s figures with its interval, which is not there where all resamples give the same."""
    if found["value"] is None:
        return "-"
    interval = "" if found.get("low") is None else f" ({found['low']:.{digits}f} to {found['high']:.{digits}f})"
    return f"{found['value']:.{digits}f}{interval}"


def evaluate(
    skincheck: pathlib.Path, truth: pathlib.Path, results: pathlib.Path, clusters: bool, threshold: float | None = None
) -> dict:
    """The figures of `skincheck evaluate`, at the results' own threshold unless another is named. With `clusters` the
    intervals draw images of one group together."""
    more = [] if threshold is None else ["--threshold", str(threshold)]
    return evaluation(skincheck, truth, results, clusters, more)["figures"]


def evaluation(
    skincheck: pathlib.Path, truth: pathlib.Path, results: pathlib.Path, clusters: bool, more: list[str]
) -> dict:
    """All that `skincheck evaluate` says of one file of results, with `more` of its options."""
    command = [skincheck, "evaluate", "--quiet", "--format", "json", "--truth", truth, "--id-column", "file"]
    command += ["--label-column", "malignant", "--positive", "1", "--cluster", "group" if clusters else "none"]
    done = subprocess.run([*command, *more, results], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DataError(f"skincheck evaluate ended with exit code {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)["evaluations"][0]
