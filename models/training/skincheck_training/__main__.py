"""One command: a CSV, a folder of images and an ImageNet ResNet-50 → a model package. See ../README.md."""

import argparse
import collections
import pathlib
import sys
from dataclasses import asdict

import torch

from . import package
from .command_line import alone, positive, told, whole
from .data import Example
from .finish import finish
from .goals import GOALS
from .ready import get_ready
from .settings import Settings
from .train import has_gone_on, train


def stages(text: str) -> tuple[tuple[int, int], ...]:
    pairs = [part.split(":") for part in text.split(",")]
    return tuple((positive(size), positive(epochs)) for size, epochs in pairs)


def restart(text: str) -> tuple[int, int | None]:
    epochs, colon, side = text.partition(":")
    return positive(epochs), positive(side) if colon else None


def zstd_level(text: str) -> int:
    if not 1 <= int(text) <= 22:
        raise argparse.ArgumentTypeError(f"{text} is not from 1 to 22")
    return int(text)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("skincheck_training", description=__doc__)
    path = pathlib.Path
    parser.add_argument("--data", type=path, required=True, help="CSV; see README.md for its columns")
    parser.add_argument("--leave-out", action="append", default=[], metavar="COLUMN=VALUE", help="images; may be repeated")
    parser.add_argument("--images", type=path, required=True, help="folder that the column file is relative to")
    parser.add_argument("--weights", type=path, required=True, help="ResNet-50: .safetensors, .safetensors.xz or .pth")
    parser.add_argument("--skincheck", required=True, help="the executable; its preprocess makes the pixels")
    parser.add_argument("--work", type=path, required=True, help="folder for pixels, checkpoint and history")
    parser.add_argument("--package", type=path, required=True, help="folder of the package; its model is replaced")
    parser.add_argument("--learn", choices=GOALS, default=Settings.learn,
                        help="malignancy with a sigmoid (default), or the seven diagnoses with a softmax")
    parser.add_argument("--side", type=positive, default=Settings.side,
                        help="of the prepared images and of the network's input, in pixels (224)")
    parser.add_argument("--stages", type=stages, default=Settings.stages, metavar="SIZE:EPOCHS,...",
                        help="side of the training crops in pixels, and for how long (96:6,128:7,160:2)")
    parser.add_argument("--restart", type=restart, action="append", default=[], metavar="EPOCHS[:SIDE]",
                        help="after so many epochs the rates rise and fall once more, and --side changes; may be repeated")
    parser.add_argument("--batch-size", type=positive, default=Settings.batch_size)
    parser.add_argument("--seed", type=whole, default=Settings.seed)
    parser.add_argument("--limit", type=positive, help="so many images of each split, the first malignant and benign ones of each source in turn: a trial")
    parser.add_argument("--threads", type=positive, help="of the CPU; another number may move the last digits")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=whole, default=0, help="processes that load images; for a graphics card")
    parser.add_argument("--shrink-on-load", action="store_true",
                        help="large JPEGs are decoded at a fraction of their size, which is faster and moves scores a little")
    parser.add_argument("--pack-level", type=zstd_level, default=package.PACK_LEVEL, metavar="LEVEL",
                        help="of zstd: 3 packs the network in a second, but larger; 19 (default) takes minutes")
    parser.add_argument("--name", default="skincheck-resnet50")
    parser.add_argument("--model-version", default="0.1.0")
    parser.add_argument("--licence", type=path, help=f"default: {package.DEFAULT_LICENCE} beside the weights")
    parser.add_argument("--licence-text", help="the line in model.json, with --licence")
    parser.add_argument("--notice", type=path, help="a text file, with --licence")
    parser.add_argument("--date", default="", help="of the change, in the notice (YYYY-MM-DD); default: the commit's")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> None:
    ready = get_ready(options)
    commit = package.commit()  # of the code that trains, not of what lies there hours later
    for settings, task in ready.parts:
        last = settings is ready.settings
        if last or not has_gone_on(options.work, settings):
            best = train(ready.network, task, settings, options.work, ready.origin, options.workers, stops_early=last)
    network = ready.goal.packaged(ready.network).cpu()
    spec = ready.spec
    spec["training"] = {
        "commit": commit,
        "data": {
            "table": options.data.name,
            "left_out": options.leave_out,
            "limit": options.limit,
            "images": _counts(ready.kept),
        },
        "starting_weights": {"file": options.weights.name, "sha256": ready.digest},
        "settings": asdict(ready.settings),
        "machines": best.machines,
        "versions": package.versions(),
        "epochs": len(best.history),
        "best_epoch": best.figures["epoch"],
    }
    scores = options.work / "validation.csv"
    onnx = finish(spec, network, ready.goal, ready.task, ready.examples, options.weights, ready.terms.notice, scores)
    package.write_package(options.package, spec, onnx, ready.terms, options.pack_level)
    print(f"{options.package}: validation AUC {spec['training']['validation']['auc']}, threshold {spec['threshold']}")


def _counts(examples: list[Example]) -> dict:
    counts = collections.Counter((e.split, e.source, "malignant" if e.malignant else "benign") for e in examples)
    table: dict = {}
    for (split, source, kind), count in sorted(counts.items()):
        table.setdefault(split, {}).setdefault(source, {})[kind] = count
    return table


def main(arguments: list[str] | None = None) -> int:
    return told("skincheck_training", lambda: alone(run, parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
