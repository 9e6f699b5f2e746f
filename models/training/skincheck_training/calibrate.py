"""From a network's outputs on the validation images: calibration, threshold and operating points of model.json."""

import math

import numpy

from .metrics import operating_point, threshold_for_sensitivity

SENSITIVITIES = (0.90, 0.95, 0.98)
DEFAULT_SENSITIVITY = 0.95


def logit(outputs: numpy.ndarray) -> numpy.ndarray:
    """log(p / (1 - p)) of the network's float32 probabilities, as skincheck takes it before it calibrates."""
    # The bounds keep outputs of exactly 0 and 1 finite.
    p = numpy.clip(numpy.asarray(outputs, dtype=numpy.float64), 1e-7, 1 - 1e-7)
    return numpy.log(p / (1 - p))


def fit_platt(logits: numpy.ndarray, truth: numpy.ndarray) -> tuple[float, float]:
    """Slope and intercept of sigmoid(slope * logit + intercept), by Newton's method in float64.

    The targets are Platt's (1999), a little inside of 0 and 1, so that the fit stays finite on images that the network
    tells apart without an error. When the network ranks worse than chance the slope stays 1: calibration never turns
    the order of scores around. Both are rounded to six decimals, as they are stored.
    """
    z = numpy.asarray(logits, dtype=numpy.float64)
    truth = numpy.asarray(truth, dtype=bool)
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if positives == 0 or negatives == 0:
        raise ValueError("calibration needs malignant and benign images")
    targets = numpy.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    slope, intercept = _newton(numpy.stack([z, numpy.ones_like(z)], axis=1), targets, numpy.zeros_like(z))
    if slope < 1e-3:
        slope, (intercept,) = 1.0, _newton(numpy.ones((len(z), 1)), targets, z)
    return round(float(slope), 6), round(float(intercept), 6)


def _newton(columns: numpy.ndarray, targets: numpy.ndarray, offset: numpy.ndarray) -> numpy.ndarray:
    """Logistic regression of `targets` on `columns`, beside a fixed `offset`; a step that overshoots is halved."""

    def loss(weights: numpy.ndarray) -> float:
        values = columns @ weights + offset
        return float(numpy.mean(numpy.logaddexp(0, values) - targets * values))

    weights = numpy.zeros(columns.shape[1])
    for _ in range(200):
        p = sigmoid(columns @ weights + offset)
        gradient = columns.T @ (p - targets) / len(targets)
        hessian = (columns * (p * (1 - p))[:, None]).T @ columns / len(targets)
        step = numpy.linalg.solve(hessian + 1e-12 * numpy.eye(len(weights)), gradient)
        before, share = loss(weights), 1.0
        while loss(weights - share * step) > before and share > 1e-10:
            share /= 2
        weights = weights - share * step
        if numpy.abs(gradient).max() < 1e-12 or share <= 1e-10:
            break
    return weights


def sigmoid(values: numpy.ndarray) -> numpy.ndarray:
    return numpy.exp(-numpy.logaddexp(0, -numpy.asarray(values, dtype=numpy.float64)))


def malignancy(outputs: numpy.ndarray, platt: tuple[float, float]) -> numpy.ndarray:
    """The network's probabilities → the calibrated ones, not rounded."""
    return sigmoid(platt[0] * logit(outputs) + platt[1])


def uncalibrated(malignancy: numpy.ndarray, probabilities: numpy.ndarray | None, spec: dict) -> numpy.ndarray:
    """What a package's network says before its calibration, from skincheck's scores: N. They have six decimals, so at the
    ends it is a little off. `probabilities`, N×classes, are needed for several classes. ValueError for an unknown kind."""
    calibration, output = spec["calibration"], spec["output"]
    kind = calibration["kind"]
    if kind == "none":
        return malignancy
    if kind == "temperature" and output["kind"] == "softmax":  # it moves the classes, and so their sum
        powers = (probabilities / probabilities.max(axis=1, keepdims=True)) ** calibration["temperature"]
        chosen = [output["classes"].index(name) for name in output["malignant"]]
        return powers[:, chosen].sum(axis=1) / powers.sum(axis=1)
    logits = logit(numpy.clip(malignancy, 1e-6, 1 - 1e-6))
    if kind == "temperature":
        return sigmoid(logits * calibration["temperature"])
    if kind == "platt":
        return sigmoid((logits - calibration["intercept"]) / calibration["slope"])
    raise ValueError(f"a calibration of kind {kind} is not known here; none, temperature and platt are")


def floor_to_six_decimals(value: float) -> float:
    # skincheck rounds scores to six decimals before it compares: a threshold rounded up would lose the very image that
    # it was taken from.
    return math.floor(value * 1e6) / 1e6


def operating_points(truth: numpy.ndarray, scores: numpy.ndarray) -> tuple[float, list[dict]]:
    """The default threshold and the named points, with sensitivity and specificity as measured on these scores."""
    truth = numpy.asarray(truth, dtype=bool)
    names = {wanted: f"sensitivity-{round(100 * wanted)}" for wanted in SENSITIVITIES}
    thresholds = {name: threshold_for_sensitivity(truth, scores, wanted) for wanted, name in names.items()}
    thresholds["youden"] = _youden(truth, scores)
    rounded = numpy.round(scores, 6)
    points = []
    for name, value in thresholds.items():
        threshold = floor_to_six_decimals(value)
        figures = operating_point(truth, rounded, threshold)
        figures = {key: round(figure, 6) for key, figure in figures.items()}
        points.append({"name": name, "threshold": threshold} | figures)
    default = next(point for point in points if point["name"] == names[DEFAULT_SENSITIVITY])
    return default["threshold"], points


def _youden(truth: numpy.ndarray, scores: numpy.ndarray) -> float:
    """The threshold with the greatest sensitivity + specificity - 1; of equals, the lowest (the most sensitive)."""
    candidates = numpy.unique(scores[truth])
    malignant, benign = numpy.sort(scores[truth]), numpy.sort(scores[~truth])
    found = 1 - numpy.searchsorted(malignant, candidates) / len(malignant)
    spared = numpy.searchsorted(benign, candidates) / len(benign)
    return float(candidates[numpy.argmax(found + spared)])
