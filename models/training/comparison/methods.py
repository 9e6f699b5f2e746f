"""What is compared: each method is a grid of settings, of which the validation images choose one."""

import ast
import hashlib
import itertools
import json
import pathlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy

from skincheck_training.files import replace_text
from skincheck_training.metrics import mean_auc_of_sources


def code_digest(*modules: str) -> str:
    """Of the code that decides a result; comments and blank lines do not count."""
    key = hashlib.sha256()
    for module in modules:
        text = (pathlib.Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8")
        key.update(ast.dump(ast.parse(text)).encode())
    return key.hexdigest()


@dataclass(frozen=True)
class Images:
    """Of all images, training, validation and test; the indices choose."""

    inputs: numpy.ndarray  # features, or small pixels
    malignant: numpy.ndarray  # bool
    source: numpy.ndarray  # str
    train: numpy.ndarray
    val: numpy.ndarray
    test: numpy.ndarray


@dataclass(frozen=True)
class Method:
    name: str  # of its files
    title: str  # of its row in the table
    sees: str  # "features" or "pixels"
    grid: dict[str, tuple]  # settings to try, all combinations
    # (images, settings, seed) → a fitted function from inputs to logits, and settings that the fit itself has chosen
    fit: Callable[[Images, dict, int], tuple[Callable[[numpy.ndarray], numpy.ndarray], dict]]
    source_code: tuple[str, ...]  # modules that decide its result

    def settings(self) -> list[dict]:
        return [dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())]

    def digest(self) -> str:
        return code_digest(*self.source_code)


@dataclass(frozen=True)
class Outcome:
    """Of the settings with the best mean of the sources' AUCs on the validation images: as the recipe chooses."""

    settings: dict
    val: numpy.ndarray  # logits
    test: numpy.ndarray
    wall_seconds: float  # of the one fit with these settings
    processor_seconds: float
    search_processor_seconds: float  # of all fits
    tried: list[dict]


def search(method: Method, images: Images, seed: int, tell: Callable[[str], None] = print) -> Outcome:
    """Fits with all settings; the test images are scored once, by the best fit."""
    best, tried = None, []
    for settings in method.settings():
        began, wall = time.process_time(), time.monotonic()
        predict, chosen = method.fit(images, settings, seed)
        wall, seconds = time.monotonic() - wall, time.process_time() - began
        val = predict(images.inputs[images.val])
        figure = mean_auc_of_sources(images.malignant[images.val], val, images.source[images.val])
        figures = {"auc_mean_of_sources": round(figure, 6), "processor_seconds": round(seconds, 2)}
        tried.append(settings | chosen | figures)
        tell(f"{method.title}: {tried[-1]}")
        if best is None or figure > best[0]:
            best = figure, settings | chosen, predict, val, wall, seconds
    _, settings, predict, val, wall, seconds = best
    total = sum(attempt["processor_seconds"] for attempt in tried)
    return Outcome(settings, val, predict(images.inputs[images.test]), wall, seconds, total, tried)


def stored_outcome(path: pathlib.Path, key: dict) -> Outcome | None:
    """What save_outcome() wrote for the same key."""
    if not path.exists():
        return None
    stored = json.loads(path.read_text(encoding="utf-8"))
    if stored.pop("key") != key:
        return None
    return Outcome(**stored | {split: numpy.array(stored[split]) for split in ("val", "test")})


def save_outcome(path: pathlib.Path, key: dict, outcome: Outcome) -> None:
    """Replaces the file, which is whole at any moment."""
    logits = {split: getattr(outcome, split).tolist() for split in ("val", "test")}
    replace_text(path, json.dumps({"key": key} | vars(outcome) | logits) + "\n")
