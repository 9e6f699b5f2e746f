"""A trained network → all that goes into its package: folded, exported, calibrated and measured on validation."""

import csv
import pathlib
import sys

import numpy
import torch

from . import calibrate, package
from .data import Example
from .export import FRACTION_BITS, export_onnx, fold, reference_outputs
from .files import replace_csv
from .goals import Goal
from .golden_cases import Candidate, answer, distance, find_cases, golden_input, wrong_networks
from .metrics import roc_auc, roc_auc_by_source
from .network import normalise
from .train import Task, predict

SAMPLE = 256  # training images over which the shift by rounding is averaged


def finish(
    spec: dict,
    network: torch.nn.Module,
    goal: Goal,
    task: Task,
    examples: list[Example],
    weights: pathlib.Path,
    notice: str,
    scores_table: pathlib.Path,
) -> bytes:
    """Completes `spec`, writes the validation images' scores into a table and returns the graph."""
    side = spec["input"]["height"]
    truth = task.malignant[task.val]
    sample = _batches(task.pixels, task.train[:: max(1, len(task.train) // SAMPLE)])
    print("validation in float32, before and after folding and rounding", flush=True)
    raw = _probabilities(network, goal, task)
    cases, drawn = _golden_cases(network, goal, weights, side)
    for bits in FRACTION_BITS:
        folded = fold(network, sample, bits)
        outputs = _probabilities(folded, goal, task)
        platt = calibrate.fit_platt(calibrate.logit(goal.malignancy(outputs)), truth)
        scores = calibrate.malignancy(goal.malignancy(outputs), platt)
        move = max(distance(raw, outputs), distance(calibrate.malignancy(goal.malignancy(raw), platt), scores))
        golden_move = distance([case.outputs for case in cases], answer(folded, goal, drawn))
        print(
            f"weights to {bits} bits below their spread: largest move of a score {move:.6f}, of a golden case "
            f"{golden_move:.6f}",
            flush=True,
        )
        if max(move, golden_move) < package.LARGEST_MOVE:
            break
    else:
        raise ValueError(
            f"folding and rounding move a score by {max(move, golden_move):.6f}, {package.LARGEST_MOVE} or more"
        )
    onnx = export_onnx(folded, goal.probabilities, side, side, notice)
    spec["calibration"] = {"kind": "platt", "slope": platt[0], "intercept": platt[1]}
    spec["threshold"], spec["operating_points"] = calibrate.operating_points(truth, scores)
    spec["golden"] = package.golden_section(cases, max(move, _move_of_graph(onnx, cases, drawn)))
    figures = _figures(truth, scores, task.source[task.val]) | goal.figures(outputs, task.diagnosis[task.val])
    spec["training"]["validation"] = _rounded(figures) | {"images": len(truth)}
    spec["training"]["rounding"] = {"bits_below_spread": bits, "largest_move": round(move, 6)}
    _write_scores(scores_table, [examples[index] for index in task.val], scores, goal, outputs)
    return onnx


def _batches(pixels: numpy.ndarray, indices: numpy.ndarray) -> list[torch.Tensor]:
    """Prepared images as the network takes them, 32 at a time."""
    chosen = numpy.array_split(indices, max(1, len(indices) // 32))
    return [normalise(torch.from_numpy(pixels[some]).permute(0, 3, 1, 2)).contiguous() for some in chosen]


def _probabilities(network: torch.nn.Module, goal: Goal, task: Task) -> numpy.ndarray:
    return goal.probabilities(torch.from_numpy(predict(network, task.pixels, task.val, exact=True))).numpy()


def _golden_cases(
    network: torch.nn.Module, goal: Goal, weights: pathlib.Path, side: int
) -> tuple[list[Candidate], torch.Tensor]:
    """The cases hold what the trained network says; with their drawn inputs, as the network takes them."""
    cases, fitting = find_cases(network, wrong_networks(network, weights), goal, side, side)
    if not fitting:
        print("skincheck_training: no two drawn inputs fit as golden cases; these are the best", file=sys.stderr)
    return cases, torch.cat([golden_input(case.seed, side, side) for case in cases])


def _move_of_graph(onnx: bytes, cases: list[Candidate], drawn: torch.Tensor) -> float:
    """The exported graph is run on the golden cases before it is shipped."""
    largest = 0.0
    for case, found in zip(cases, reference_outputs(onnx, drawn).tolist(), strict=True):
        moved = distance(case.outputs, found)
        print(
            f"golden case: seed {case.seed}, malignancy {case.malignancy:.6f}, moved {moved:.6f} in the exported "
            f"graph, a wrong network is {case.telling:.3f} away",
            flush=True,
        )
        if moved >= package.LARGEST_MOVE:
            raise ValueError(f"golden input {case.seed}: the exported graph answers {found}, not {list(case.outputs)}")
        largest = max(largest, moved)
    return largest


def _figures(truth: numpy.ndarray, scores: numpy.ndarray, source: numpy.ndarray) -> dict:
    """AUC of all and of each source that has both kinds."""
    return {"auc": roc_auc(truth, scores), "auc_by_source": roc_auc_by_source(truth, scores, source)}


def _rounded(figures: dict) -> dict:
    return {k: _rounded(v) if isinstance(v, dict) else round(v, 4) for k, v in figures.items()}


def _write_scores(
    path: pathlib.Path, examples: list[Example], scores: numpy.ndarray, goal: Goal, outputs: numpy.ndarray
) -> None:
    """With the names of skincheck's own columns where it has the same; what the package answers to these images."""
    several = len(goal.classes) > 1
    with replace_csv(path) as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["file", "source", "malignant", "malignancy", *(f"p_{c}" for c in goal.classes if several)])
        for example, score, output in zip(examples, scores, outputs.tolist(), strict=True):
            numbers = [f"{number:.6f}" for number in [score, *(output if several else [])]]
            writer.writerow([example.file, example.source, int(example.malignant), *numbers])
