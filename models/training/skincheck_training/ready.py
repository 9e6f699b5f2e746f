"""From the recipe's options to all that a training starts with. What can be wrong with the input is found here."""

import argparse
import collections
import os
from dataclasses import dataclass

import numpy
import torch

from . import package
from .data import (
    DataError, Example, check_files, check_splits, fingerprint, first_of_each_split, left_out, read_table, tell_contradictions,
)
from .diagnoses import diagnosis_index
from .goals import GOALS, Goal
from .network import build_network, load_backbone, to_device
from .pixels import check_draft, executable, prepared_pixels
from .settings import Settings
from .train import Task


SMALLEST_SIDE = 33  # with 32 batch norm has one value, and nothing to normalise, where golden cases are searched for
SMALLEST_CROPS = 16


@dataclass(frozen=True)
class Ready:
    settings: Settings
    goal: Goal
    terms: package.Terms
    spec: dict  # of the package, as far as it is known
    examples: list[Example]  # the whole table; the task's indices point into it
    kept: list[Example]  # without those that are left out
    parts: list[tuple[Settings, Task]]  # of the training, one after the other; more than one where the images' side changes
    network: torch.nn.Module  # with the starting weights, on the device
    digest: str  # of the starting weights
    origin: str  # fingerprint of images, labels and starting weights

    @property
    def task(self) -> Task:
        """With the images as the package takes them."""
        return self.parts[-1][1]


def get_ready(options: argparse.Namespace) -> Ready:
    """ValueError, DataError or OSError with a sentence where a training cannot begin."""
    if options.threads:
        torch.set_num_threads(options.threads)
    sides = [options.side]
    for _, side in options.restart:
        sides.append(side or sides[-1])
    settings = Settings(
        side=sides[-1],
        sides=tuple(sides[:-1]) if len(set(sides)) > 1 else (),
        stages=options.stages,
        restarts=tuple(epochs for epochs, _ in options.restart),
        batch_size=options.batch_size,
        seed=options.seed,
        learn=options.learn,
    )
    if min(sides) < SMALLEST_SIDE:
        raise ValueError(f"--side {min(sides)}: the network halves an image five times; {SMALLEST_SIDE} pixels are the least")
    if (crops := min(settings.sizes())) < SMALLEST_CROPS:
        raise ValueError(f"--stages: crops of {crops} pixels show nothing; {SMALLEST_CROPS} are the least")
    goal = GOALS[settings.learn]
    if not options.weights.is_file():
        raise ValueError(f"{options.weights} is not there")
    terms = package.read_terms(
        options.weights, options.licence, options.licence_text, options.notice, options.date or package.commit_date()
    )
    skincheck = executable(options.skincheck)
    examples = read_table(options.data, options.images)
    away = left_out(examples, options.leave_out)
    if options.limit is not None:
        chosen = first_of_each_split(examples, away, options.limit)
        if not chosen:
            raise ValueError(f"{options.data}: --leave-out leaves no image")
        examples, away = [examples[index] for index in chosen], away[chosen]
    check_files(options.data, examples, away, options.work)
    malignant = numpy.array([example.malignant for example in examples])
    kept = [example for example, gone in zip(examples, away, strict=True) if not gone]
    tell_contradictions(options.data, kept)
    named = numpy.array([diagnosis_index(example.diagnosis) for example in examples])
    diagnosis = goal.believed(named, malignant)
    try:
        check_splits(options.data, examples, away, goal.kinds(malignant, diagnosis))
    except DataError as error:
        raise DataError(f"{error} among the {options.limit} that --limit takes" if options.limit else str(error)) from error
    _tell_unnamed(kept, named[~away])
    torch.manual_seed(settings.seed)
    network = build_network(goal.outputs(settings))
    digest = load_backbone(network, options.weights)
    to_device(network, options.device)
    options.package.mkdir(parents=True, exist_ok=True)
    if not os.access(options.package, os.W_OK):
        raise ValueError(f"{options.package} cannot be written to")
    split = numpy.array([example.split for example in examples])
    parts = []
    for part in settings.parts():
        draft = options.work / "draft"
        spec = package.base_spec(options.name, options.model_version, terms.licence_text, goal, part.side, options.shrink_on_load)
        package.write_draft(draft, spec)
        check_draft(skincheck, draft)  # the pixels may be there already
        task = Task(
            prepared_pixels(examples, away, skincheck, draft, options.work),
            malignant,
            diagnosis,
            source=numpy.array([example.source for example in examples]),
            train=numpy.flatnonzero((split == "train") & ~away),
            val=numpy.flatnonzero((split == "val") & ~away),
        )
        parts.append((part, task))
    shrunk = ["shrink-on-load"] if options.shrink_on_load else []
    origin = fingerprint(examples, digest, *options.leave_out, *shrunk)
    return Ready(settings, goal, terms, spec, examples, kept, parts, network, digest, origin)


def _tell_unnamed(examples: list[Example], diagnosis: numpy.ndarray) -> None:
    """A name that is mistyped shows here."""
    unnamed = [example.diagnosis for example, index in zip(examples, diagnosis, strict=True) if index < 0]
    names = collections.Counter(name or "(none)" for name in unnamed)
    if names:
        told = ", ".join(f"{name} {count}" for name, count in names.most_common())
        print(f"{names.total()} images teach malignant or benign alone; their diagnoses: {told}", flush=True)
