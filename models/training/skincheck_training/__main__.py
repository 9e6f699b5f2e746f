"""One command: a CSV, a folder of images and an ImageNet ResNet-50 → a model package. See ../README.md."""

import argparse
import collections
import os
import pathlib
import shutil
import sys
from dataclasses import asdict

import numpy
import torch

from . import package
from .data import DataError, Example, check_splits, fingerprint, left_out, prepared_pixels, read_table
from .diagnoses import diagnosis_index
from .finish import finish
from .goals import GOALS
from .network import build_network, load_backbone
from .settings import Settings
from .train import Task, train


def parse(arguments: list[str] | None) -> argparse.Namespace:
    def positive(text: str) -> int:
        if int(text) < 1:
            raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
        return int(text)

    def stages(text: str) -> tuple[tuple[int, int], ...]:
        pairs = [part.split(":") for part in text.split(",")]
        return tuple((positive(size), positive(epochs)) for size, epochs in pairs)

    parser = argparse.ArgumentParser("skincheck_training", description=__doc__)
    path = pathlib.Path
    parser.add_argument("--data", type=path, required=True, help="CSV; see README.md for its columns")
    parser.add_argument("--leave-out", action="append", default=[], metavar="COLUMN=VALUE", help="images; may be repeated")
    parser.add_argument("--images", type=path, required=True, help="folder that the column file is relative to")
    parser.add_argument("--weights", type=path, required=True, help="ResNet-50: .safetensors, .safetensors.xz or .pth")
    parser.add_argument("--skincheck", type=path, required=True, help="the executable; its preprocess makes the pixels")
    parser.add_argument("--work", type=path, required=True, help="folder for pixels, checkpoint and history")
    parser.add_argument("--package", type=path, required=True, help="folder of the package; its model is replaced")
    parser.add_argument("--learn", choices=GOALS, default=Settings.learn,
                        help="malignancy with a sigmoid (default), or the seven diagnoses with a softmax")
    parser.add_argument("--side", type=positive, default=Settings.side,
                        help="of the prepared images and of the network's input, in pixels (288)")
    parser.add_argument("--stages", type=stages, default=Settings.stages, metavar="SIZE:EPOCHS,...",
                        help="side of the training crops in pixels, and for how long (160:9,224:7)")
    parser.add_argument("--batch-size", type=positive, default=Settings.batch_size)
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--limit", type=positive, help="first so many images of each split: a trial")
    parser.add_argument("--threads", type=positive, help="of the CPU; another number may move the last digits")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=0, help="processes that load images; for a graphics card")
    parser.add_argument("--name", default="skincheck-resnet50")
    parser.add_argument("--model-version", default="0.1.0")
    parser.add_argument("--licence", type=path, help=f"default: {package.DEFAULT_LICENCE} beside the weights")
    parser.add_argument("--licence-text", help="the line in model.json, with --licence")
    parser.add_argument("--notice", type=path, help="a text file, with --licence")
    parser.add_argument("--date", default="", help="of the change, in the notice (YYYY-MM-DD); default: the commit's")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> None:
    """Everything that can be wrong with the input is looked at before the hours begin."""
    if options.threads:
        torch.set_num_threads(options.threads)
    settings = Settings(
        side=options.side,
        stages=options.stages,
        batch_size=options.batch_size,
        seed=options.seed,
        learn=options.learn,
    )
    goal = GOALS[settings.learn]
    if not options.weights.is_file():
        raise ValueError(f"{options.weights} is not there")
    terms = package.read_terms(
        options.weights, options.licence, options.licence_text, options.notice, options.date or package.commit_date()
    )
    executable = shutil.which(options.skincheck)
    if executable is None:
        raise ValueError(f"{options.skincheck} is not an executable; build skincheck first")
    examples = read_table(options.data, options.images, options.limit)
    away = left_out(examples, options.leave_out)
    malignant = numpy.array([example.malignant for example in examples])
    diagnosis = goal.believed(numpy.array([diagnosis_index(example.diagnosis) for example in examples]), malignant)
    check_splits(options.data, examples, away, goal.kinds(malignant, diagnosis))
    _tell_unnamed(examples, diagnosis)
    torch.manual_seed(settings.seed)
    network = build_network(goal.outputs(settings))
    digest = load_backbone(network, options.weights)
    network.to(options.device)

    options.package.mkdir(parents=True, exist_ok=True)
    if not os.access(options.package, os.W_OK):
        raise ValueError(f"{options.package} cannot be written to")
    draft = options.work / "draft"
    spec = package.base_spec(options.name, options.model_version, terms.licence_text, goal, settings.side)
    package.write_draft(draft, spec)
    pixels = prepared_pixels(examples, pathlib.Path(executable).resolve(), draft, options.work / "cache")
    split = numpy.array([example.split for example in examples])
    task = Task(
        pixels,
        malignant,
        diagnosis,
        source=numpy.array([example.source for example in examples]),
        train=numpy.flatnonzero((split == "train") & ~away),
        val=numpy.flatnonzero((split == "val") & ~away),
    )
    best = train(network, task, settings, options.work, fingerprint(examples, digest, *options.leave_out), options.workers)
    network = goal.packaged(network).cpu()
    spec["training"] = {
        "commit": package.commit(),
        "data": {"table": options.data.name, "left_out": options.leave_out, "limit": options.limit, "images": _counts(examples)},
        "starting_weights": {"file": options.weights.name, "sha256": digest},
        "settings": asdict(settings) | {"threads": torch.get_num_threads()},
        "versions": package.versions(),
        "best_epoch": best["epoch"],
    }
    scores = options.work / "validation.csv"
    onnx = finish(spec, network, goal, task, examples, options.weights, terms.notice, scores)
    package.write_package(options.package, spec, onnx, terms)
    print(f"{options.package}: validation AUC {spec['training']['validation']['auc']}, threshold {spec['threshold']}")


def _tell_unnamed(examples: list[Example], diagnosis: numpy.ndarray) -> None:
    """A name that is mistyped shows here."""
    unnamed = [example.diagnosis for example, index in zip(examples, diagnosis, strict=True) if index < 0]
    names = collections.Counter(name or "(none)" for name in unnamed)
    if names:
        told = ", ".join(f"{name} {count}" for name, count in names.most_common())
        print(f"{names.total()} images teach malignant or benign alone; their diagnoses: {told}", flush=True)


def _counts(examples: list[Example]) -> dict:
    counts = collections.Counter((e.split, e.source, "malignant" if e.malignant else "benign") for e in examples)
    table: dict = {}
    for (split, source, kind), count in sorted(counts.items()):
        table.setdefault(split, {}).setdefault(source, {})[kind] = count
    return table


def main(arguments: list[str] | None = None) -> int:
    """0, or 2 with one line on stderr."""
    options = parse(arguments)
    try:
        run(options)
    except OSError as error:
        problem = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except (DataError, ValueError, FloatingPointError) as error:
        problem = str(error)
    else:
        return 0
    print("skincheck_training: " + " ".join(problem.split()), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
