"""The few figures that training needs; `skincheck`'s own output is what the model card's figures are made from."""

import itertools
from collections.abc import Sequence

import numpy

CHOSEN_BY = "val_auc_mean_of_sources"
# Epochs whose means differ by less are as good: a source may have a few dozen malignant images for validation.
CLOSE = 0.005
FEW = 10  # malignant or benign images


def chosen_epoch(history: Sequence[dict]) -> dict:
    """Of the epochs of the latest stage, which began when the size last changed: the last that is CLOSE to the highest mean of the sources' validation AUCs. One large
    source would drown the others; stages, and cycles of another side, are measured on images of another size; and where
    nothing else tells epochs apart the last one has the lowest rates behind it."""
    latest = tuple(history[-1][of] for of in ("size", "side"))
    stage = list(itertools.takewhile(lambda figures: (figures["size"], figures["side"]) == latest, reversed(history)))
    highest = max(float(figures[CHOSEN_BY]) for figures in stage)
    return next(figures for figures in stage if float(figures[CHOSEN_BY]) > highest - CLOSE)


def roc_auc(truth: numpy.ndarray, scores: numpy.ndarray) -> float:
    """The probability that a malignant image scores higher than a benign one; ties count one half (Mann-Whitney).

    Raises ValueError unless both kinds are there.
    """
    truth = numpy.asarray(truth, dtype=bool)
    if truth.all() or not truth.any():
        raise ValueError("the area under the curve needs malignant and benign images")
    _, inverse, counts = numpy.unique(scores, return_inverse=True, return_counts=True)
    ranks = (numpy.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives = truth.sum()
    negatives = len(truth) - positives
    return float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def roc_auc_by_source(truth: numpy.ndarray, scores: numpy.ndarray, source: numpy.ndarray) -> dict[str, float]:
    """Of each source that has malignant and benign images, in the order of their names."""
    found = {}
    for name in sorted(set(source)):
        of_it = source == name
        if truth[of_it].any() and not truth[of_it].all():
            found[str(name)] = roc_auc(truth[of_it], scores[of_it])
    return found


def mean_auc_of_sources(truth: numpy.ndarray, scores: numpy.ndarray, source: numpy.ndarray) -> float:
    """Of the sources that have malignant and benign images. The AUC of a few is chance: sources with less than FEW of either
    count as one together, and not at all if that too has less, unless there are no others."""
    large, small = [], numpy.zeros(len(truth), dtype=bool)
    for name in sorted(set(source)):
        of_it = source == name
        fewest = _fewest(truth[of_it])
        if fewest >= FEW:
            large.append(roc_auc(truth[of_it], scores[of_it]))
        elif fewest > 0:
            small |= of_it
    if small.any() and (not large or _fewest(truth[small]) >= FEW):
        large.append(roc_auc(truth[small], scores[small]))
    return sum(large) / len(large)


def _fewest(truth: numpy.ndarray) -> int:
    """How many there are of the rarer kind."""
    return int(min(truth.sum(), (~truth).sum()))


def balanced_accuracy(truth: numpy.ndarray, found: numpy.ndarray) -> float:
    """Mean over the classes that `truth` has of the share of their images that were named right."""
    return float(numpy.mean([(found[truth == name] == name).mean() for name in numpy.unique(truth)]))


def operating_point(truth: numpy.ndarray, scores: numpy.ndarray, threshold: float) -> dict[str, float]:
    """Sensitivity and specificity of `scores >= threshold`."""
    truth = numpy.asarray(truth, dtype=bool)
    called = scores >= threshold
    return {"sensitivity": float(called[truth].mean()), "specificity": float((~called[~truth]).mean())}


def threshold_for_sensitivity(truth: numpy.ndarray, scores: numpy.ndarray, sensitivity: float) -> float:
    """The highest threshold that finds at least this share of the malignant images."""
    malignant = numpy.sort(scores[numpy.asarray(truth, dtype=bool)])[::-1]
    return float(malignant[int(numpy.ceil(sensitivity * len(malignant))) - 1])
