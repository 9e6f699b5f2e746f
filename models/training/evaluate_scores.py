#!/usr/bin/env python3
"""skincheck's CSV and a table of the truth → the figures of the model card. The same files give the same lines."""

import argparse
import csv
import pathlib
import sys

import numpy

from skincheck_training.metrics import roc_auc

RESAMPLES = 2000
BINS = 10


class InputError(Exception):
    """Something in the two files; the text says what and where."""


def read_truth(table: pathlib.Path, column: str) -> dict[str, bool]:
    """Image id (the stem of column `file`, or column `image_id` where there is no `file`) → malignant."""
    truth = {}
    with table.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        names = reader.fieldnames or []
        name = next((n for n in ("file", "image_id") if n in names), None)
        if name is None or column not in names:
            raise InputError(f"{table}: wants the columns file or image_id, and {column}")
        for row in reader:
            where = f"{table}:{reader.line_num}"
            if row[column] not in ("0", "1"):
                raise InputError(f"{where}: {column} is {row[column]!r}, not 0 or 1")
            image = pathlib.PurePath(row[name]).stem if name == "file" else row[name]
            if image in truth:
                raise InputError(f"{where}: {image} is there twice")
            truth[image] = row[column] == "1"
    return truth


def read_scores(table: pathlib.Path) -> tuple[dict[str, float], float, str, list[str]]:
    """Image id → malignancy; the threshold and the model, which are the same in all rows; paths without a score."""
    scores, thresholds, models, failed = {}, set(), set(), []
    with table.open(newline="", encoding="utf-8", errors="surrogateescape") as lines:
        reader = csv.DictReader(lines)
        missing = {"path", "status", "malignancy", "threshold", "model"} - set(reader.fieldnames or [])
        if missing:
            raise InputError(f"{table}: not skincheck's CSV, no column {', '.join(sorted(missing))}")
        for row in reader:
            if not row["malignancy"]:
                failed.append(row["path"])
                continue
            image = pathlib.PurePath(row["path"]).stem
            if image in scores:
                raise InputError(f"{table}:{reader.line_num}: {image} is there twice")
            scores[image] = float(row["malignancy"])
            thresholds.add(row["threshold"])
            models.add(row["model"])
    if len(thresholds) != 1 or len(models) != 1:
        raise InputError(f"{table}: {len(thresholds)} thresholds and {len(models)} models; one of each is wanted")
    return scores, float(thresholds.pop()), models.pop(), failed


def bootstrap_interval(truth: numpy.ndarray, scores: numpy.ndarray, seed: int) -> tuple[float, float]:
    """95 % of the AUC over images drawn with replacement, malignant and benign apart (percentiles)."""
    generator = numpy.random.Generator(numpy.random.PCG64(seed))
    malignant, benign = numpy.flatnonzero(truth), numpy.flatnonzero(~truth)
    areas = []
    for _ in range(RESAMPLES):
        drawn = numpy.concatenate([generator.choice(kind, len(kind)) for kind in (malignant, benign)])
        areas.append(roc_auc(truth[drawn], scores[drawn]))
    low, high = numpy.percentile(areas, [2.5, 97.5])
    return float(low), float(high)


def average_precision(truth: numpy.ndarray, scores: numpy.ndarray) -> float:
    """Sum of precision times the recall gained, from the highest score down; equal scores come together."""
    values, inverse = numpy.unique(-scores, return_inverse=True)
    found = numpy.bincount(inverse, weights=truth, minlength=len(values))
    called = numpy.cumsum(numpy.bincount(inverse, minlength=len(values)))
    return float((numpy.cumsum(found) / called * found).sum() / truth.sum())


def calibration_error(truth: numpy.ndarray, scores: numpy.ndarray) -> float:
    """Expected calibration error: mean distance of malignancy and share of malignant images, in bins of equal width."""
    bins = numpy.minimum((scores * BINS).astype(int), BINS - 1)
    total = 0.0
    for number in range(BINS):
        inside = bins == number
        if inside.any():
            total += abs(scores[inside].mean() - truth[inside].mean()) * inside.sum()
    return float(total / len(scores))


def figures(truth: numpy.ndarray, scores: numpy.ndarray, threshold: float, seed: int) -> list[tuple[str, str]]:
    called = scores >= threshold
    hits, misses = int((called & truth).sum()), int((~called & truth).sum())
    alarms, spared = int((called & ~truth).sum()), int((~called & ~truth).sum())
    precision = f"{hits / (hits + alarms):.4f}" if hits + alarms else "undefined, nothing is called malignant"
    low, high = bootstrap_interval(truth, scores, seed)
    return [
        ("images", f"{len(truth)}, {int(truth.sum())} malignant"),
        ("AUC", f"{roc_auc(truth, scores):.4f} (95 % interval {low:.4f} to {high:.4f})"),
        ("average precision", f"{average_precision(truth, scores):.4f}"),
        ("Brier score", f"{float(((scores - truth) ** 2).mean()):.4f}"),
        ("ECE", f"{calibration_error(truth, scores):.4f}"),
        ("threshold", f"{threshold:.6f}"),
        ("sensitivity", f"{hits / (hits + misses):.4f} ({hits} of {hits + misses})"),
        ("specificity", f"{spared / (spared + alarms):.4f} ({spared} of {spared + alarms})"),
        ("accuracy", f"{(hits + spared) / len(truth):.4f}"),
        ("precision", precision),
        ("F1", f"{2 * hits / (2 * hits + alarms + misses):.4f}"),
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scores", type=pathlib.Path, help="what skincheck wrote (CSV)")
    parser.add_argument("truth", type=pathlib.Path, help="CSV with file or image_id, and the label as 0 or 1")
    parser.add_argument("--column", default="malignant", help="of the label (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the bootstrap (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        truth = read_truth(options.truth, options.column)
        scores, threshold, model, failed = read_scores(options.scores)
        images = sorted(scores)
        unknown = [image for image in images if image not in truth]
        if unknown:
            raise InputError(f"{options.truth}: nothing about {len(unknown)} scored images, first {unknown[0]}")
        labels = numpy.array([truth[image] for image in images], dtype=bool)
        lines = figures(labels, numpy.array([scores[image] for image in images]), threshold, options.seed)
    except (InputError, ValueError, OSError) as error:
        print(f"evaluate_scores: {error}", file=sys.stderr)
        return 2
    lines = [("model", model), *lines, ("without a score", f"{len(truth) - len(images)} of {len(truth)} in the table")]
    for name, text in lines:
        print(f"{name:<18} {text}")
    for path in failed:
        print(f"evaluate_scores: no score for {path}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
