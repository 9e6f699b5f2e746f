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

from . import calibrate, package
from .data import DataError, Example, fingerprint, left_out, prepared_pixels, read_table
from .diagnoses import DIAGNOSES, diagnosis_index
from .export import export_onnx, fold, reference_outputs
from .golden_cases import find_cases, golden_input, wrong_networks
from .metrics import roc_auc, roc_auc_by_source
from .network import build_network, load_backbone, normalise, only_malignancy
from .train import Settings, Task, predict, train

SAMPLE = 256  # training images over which the shift by rounding is averaged


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
    parser.add_argument("--stages", type=stages, default=Settings.stages, metavar="SIZE:EPOCHS,...",
                        help="side of the training crops in pixels, and for how long (128:6,160:8,224:2)")
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
    settings = Settings(stages=options.stages, batch_size=options.batch_size, seed=options.seed)
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
    torch.manual_seed(settings.seed)
    network = build_network(len(DIAGNOSES) if settings.diagnosis_weight else 0)
    digest = load_backbone(network, options.weights)
    network.to(options.device)

    options.package.mkdir(parents=True, exist_ok=True)
    if not os.access(options.package, os.W_OK):
        raise ValueError(f"{options.package} cannot be written to")
    draft = options.work / "draft"
    spec = package.base_spec(options.name, options.model_version, terms.licence_text)
    package.write_draft(draft, spec)
    pixels = prepared_pixels(examples, pathlib.Path(executable).resolve(), draft, options.work / "cache")
    split = numpy.array([example.split for example in examples])
    task = Task(
        pixels,
        malignant=numpy.array([example.malignant for example in examples]),
        diagnosis=numpy.array([diagnosis_index(example.diagnosis) for example in examples]),
        source=numpy.array([example.source for example in examples]),
        train=numpy.flatnonzero((split == "train") & ~away),
        val=numpy.flatnonzero((split == "val") & ~away),
    )
    best = train(network, task, settings, options.work, fingerprint(examples, digest, *options.leave_out), options.workers)
    network = only_malignancy(network).cpu()
    spec["training"] = {
        "commit": package.commit(),
        "data": {"table": options.data.name, "left_out": options.leave_out, "limit": options.limit, "images": _counts(examples)},
        "starting_weights": {"file": options.weights.name, "sha256": digest},
        "settings": asdict(settings) | {"threads": torch.get_num_threads()},
        "versions": package.versions(),
        "best_epoch": best["epoch"],
    }
    validation = [examples[index] for index in task.val]
    sample = _batches(pixels, task.train[:: max(1, len(task.train) // SAMPLE)])
    onnx = _finish(spec, network, pixels[task.val], validation, sample, options.weights, terms.notice)
    package.write_package(options.package, spec, onnx, terms)
    print(f"{options.package}: validation AUC {spec['training']['validation']['auc']}, threshold {spec['threshold']}")


def _finish(
    spec: dict,
    network: torch.nn.Module,
    pixels: numpy.ndarray,
    validation: list[Example],
    sample: list[torch.Tensor],
    weights: pathlib.Path,
    notice: str,
) -> bytes:
    """Folds, calibrates on the validation images and exports; completes `spec` and returns the graph."""
    print("validation in float32, before and after folding and rounding", flush=True)
    folded = fold(network, sample)
    everything = numpy.arange(len(validation))
    raw = _probabilities(predict(network, pixels, everything, exact=True))
    outputs = _probabilities(predict(folded, pixels, everything, exact=True))
    truth = numpy.array([example.malignant for example in validation])
    platt = calibrate.fit_platt(calibrate.logit(outputs), truth)
    scores = calibrate.malignancy(outputs, platt)
    move = float(max(abs(raw - outputs).max(), abs(calibrate.malignancy(raw, platt) - scores).max()))
    print(f"largest move of a score by folding and rounding: {move:.6f}", flush=True)
    if move >= package.LARGEST_MOVE:
        raise ValueError(f"folding and rounding move a validation score by {move:.6f}, {package.LARGEST_MOVE} or more")
    onnx = export_onnx(folded, package.HEIGHT, package.WIDTH, notice)
    spec["calibration"] = {"kind": "platt", "slope": platt[0], "intercept": platt[1]}
    spec["threshold"], spec["operating_points"] = calibrate.operating_points(truth, scores)
    spec["golden"] = _golden(network, onnx, weights, move)
    spec["training"]["validation"] = _figures(validation, truth, scores)
    spec["training"]["largest_move_by_rounding"] = round(move, 6)
    return onnx


def _batches(pixels: numpy.ndarray, indices: numpy.ndarray) -> list[torch.Tensor]:
    """Prepared images as the network takes them, 32 at a time."""
    chosen = numpy.array_split(indices, max(1, len(indices) // 32))
    return [normalise(torch.from_numpy(pixels[some]).permute(0, 3, 1, 2)).contiguous() for some in chosen]


def _probabilities(logits: numpy.ndarray) -> numpy.ndarray:
    return torch.sigmoid(torch.from_numpy(logits)).numpy()


def _golden(network: torch.nn.Module, onnx: bytes, weights: pathlib.Path, move: float) -> dict:
    """The cases hold what the trained network says; the exported graph is run on them before it is shipped."""
    height, width = package.HEIGHT, package.WIDTH
    cases, fitting = find_cases(network, wrong_networks(network, weights), height, width)
    if not fitting:
        print("skincheck_training: no two drawn inputs fit as golden cases; these are the best", file=sys.stderr)
    exported = reference_outputs(onnx, torch.cat([golden_input(case.seed, height, width) for case in cases]))
    for case, found in zip(cases, exported.tolist(), strict=True):
        moved = abs(case.output - found)
        print(
            f"golden case: seed {case.seed}, output {case.output:.6f}, moved {moved:.6f} in the exported graph, "
            f"a wrong network is {case.telling:.3f} away",
            flush=True,
        )
        if moved >= package.LARGEST_MOVE:
            raise ValueError(f"golden input {case.seed}: the exported graph answers {found:.6f}, not {case.output:.6f}")
        move = max(move, moved)
    return package.golden_section(cases, move)


def _counts(examples: list[Example]) -> dict:
    counts = collections.Counter((e.split, e.source, "malignant" if e.malignant else "benign") for e in examples)
    table: dict = {}
    for (split, source, kind), count in sorted(counts.items()):
        table.setdefault(split, {}).setdefault(source, {})[kind] = count
    return table


def _figures(validation: list[Example], truth: numpy.ndarray, scores: numpy.ndarray) -> dict:
    """AUC of all and of each source that has both kinds."""
    by_source = roc_auc_by_source(truth, scores, numpy.array([example.source for example in validation]))
    return {
        "auc": round(roc_auc(truth, scores), 4),
        "auc_by_source": {name: round(value, 4) for name, value in by_source.items()},
        "images": len(validation),
    }


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
