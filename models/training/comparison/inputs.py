"""What the methods see of the prepared images: hand-made features, or small pixels. Made once, kept in a file."""

import json
import pathlib
import time

import numpy
import torch

from skincheck_training.files import replace_file, replace_text

from .features import features
from .images import Shared
from .methods import code_digest

SIDE = 64  # of the small pixels
BATCH = 64


def small_pixels(pixels: numpy.ndarray) -> numpy.ndarray:
    """uint8 N×64×64×3 of prepared images (uint8, N×H×W×3)."""
    batch = torch.from_numpy(numpy.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float()
    shrunk = torch.nn.functional.interpolate(batch, size=SIDE, mode="bilinear", antialias=True)
    return shrunk.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()


def feature_rows(pixels: numpy.ndarray) -> numpy.ndarray:
    """float32 N×features."""
    return numpy.array([list(features(image).values()) for image in pixels], dtype=numpy.float32)


MAKERS = {"features": feature_rows, "pixels": small_pixels}


def inputs(sees: str, work: pathlib.Path, shared: Shared) -> numpy.ndarray:
    """For all images, in their order."""
    path = _path(sees, work, shared)
    if not path.exists():
        began, parts = time.process_time(), []
        count = len(shared.examples)
        batches = numpy.array_split(numpy.arange(count), max(1, count // BATCH))
        for number, batch in enumerate(batches, start=1):
            parts.append(MAKERS[sees](shared[batch]))
            if number % 20 == 0:
                print(f"{sees} of {batch[-1] + 1}/{count} images", flush=True)
        with replace_file(path) as partial:
            with partial.open("wb") as out:
                numpy.save(out, numpy.concatenate(parts))
            spent = {"processor_seconds": round(time.process_time() - began, 2)}
            replace_text(path.with_suffix(".json"), json.dumps(spent) + "\n")
    return numpy.load(path)


def seconds_of(sees: str, work: pathlib.Path, shared: Shared) -> float:
    """Of a processor, that making them took."""
    return json.loads(_path(sees, work, shared).with_suffix(".json").read_text(encoding="utf-8"))["processor_seconds"]


def _path(sees: str, work: pathlib.Path, shared: Shared) -> pathlib.Path:
    return work / f"{sees}-{shared.origin[:12]}-{code_digest('inputs', 'features')[:12]}.npy"
