"""Golden cases for model.json: drawn inputs on which a wrongly exported network would give itself away."""

import copy
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
import torch

from .goals import Goal
from .golden import draw_golden_input
from .network import build_network, load_backbone, normalise

SEARCHED = 512  # seeds 1, 2, ...; a good network finds few of the drawn inputs suspicious
RANGE = (0.05, 0.95)  # of malignancy; outside sigmoid and softmax are flat and hide faults
# The coarsest tolerance is 0.01 (float16 on a graphics card); these two are three times that. The drawn inputs look much
# alike to a trained network, so more cannot be asked for.
APART = 0.03  # of the two cases in some output: a network that answers the same to everything must fail
TELLING = 0.03  # by how much some output of a wrong network must differ


@dataclass(frozen=True)
class Candidate:
    seed: int
    outputs: tuple[float, ...]  # one for each class
    malignancy: float
    telling: float  # the smallest distance to a wrong network

    def fits(self) -> bool:
        return RANGE[0] <= self.malignancy <= RANGE[1] and self.telling >= TELLING


def golden_input(seed: int, height: int, width: int) -> torch.Tensor:
    drawn = numpy.ascontiguousarray(draw_golden_input(seed, height, width))
    return normalise(torch.from_numpy(drawn).permute(2, 0, 1).unsqueeze(0))


def answer(network: torch.nn.Module, goal: Goal, batch: torch.Tensor) -> numpy.ndarray:
    with torch.inference_mode():
        return goal.probabilities(network(batch)).numpy()


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """The self-test looks at each output, so the largest difference is what it sees."""
    return float(numpy.abs(numpy.subtract(one, other)).max())


def wrong_networks(network: torch.nn.Module, weights: pathlib.Path) -> list[torch.nn.Module]:
    """What mistakes at export would ship: batch norm still training, batch norm with the statistics of ImageNet."""
    training = copy.deepcopy(network).eval()
    for module in training.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.train()
            module.momentum = 0.0  # else each answer would change the next one
    start = build_network()
    load_backbone(start, weights)
    frozen = copy.deepcopy(network).eval()
    statistics = {k: v for k, v in start.state_dict().items() if k.endswith(("running_mean", "running_var"))}
    frozen.load_state_dict(statistics, strict=False)
    return [training, frozen]


def find_cases(
    network: torch.nn.Module, wrong: list[torch.nn.Module], goal: Goal, height: int, width: int
) -> tuple[list[Candidate], bool]:
    """Two cases with the network's own outputs; false beside them when they are only the best of those searched."""
    network.eval()
    candidates = []
    for seed in range(1, SEARCHED + 1):
        batch = golden_input(seed, height, width)
        output = answer(network, goal, batch)
        telling = min(distance(output, answer(other, goal, batch)) for other in wrong)
        candidates.append(Candidate(seed, tuple(output[0].tolist()), float(goal.malignancy(output)[0]), telling))
        fitting = [candidate for candidate in candidates if candidate.fits()]
        pair = _widest_pair(fitting)
        if pair and distance(pair[0].outputs, pair[1].outputs) >= APART:
            return pair, True
    most_telling = sorted(candidates, key=lambda c: c.telling)[-2:]
    return _widest_pair(fitting) or sorted(most_telling, key=lambda c: c.seed), False


def _widest_pair(candidates: list[Candidate]) -> list[Candidate]:
    if len(candidates) < 2:
        return []
    ends = min(candidates, key=lambda c: c.malignancy), max(candidates, key=lambda c: c.malignancy)
    return sorted(ends if ends[0] is not ends[1] else candidates[:2], key=lambda c: c.seed)
