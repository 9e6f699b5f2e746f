"""The training of a recipe on another machine: one with a card, say, that is lent for minutes and has no network.

    python -m skincheck_training.elsewhere pack BUNDLE [--quality 85] RECIPE_OPTION...
    python -m skincheck_training.elsewhere learn BUNDLE RESULTS [--device cuda] [--workers 16] [--stages ...] [--seconds 500]
    python -m skincheck_training.elsewhere unpack RESULTS RECIPE_OPTION...

`pack` puts the prepared pixels, packed again with some loss (WebP), and all else that `learn` needs into a folder: some 4 kB an
image. `learn`, on the other machine, needs this folder and the recipe; neither skincheck nor the images. Its RESULTS are
a few files below 16 MB: what the best epoch's weights are in 14 significant bits, the history, the settings. `unpack`
makes them the checkpoint of --work: the recipe's command with the same options then has nothing left to learn, and
calibrates, measures and packages the network on the true pixels.
"""

import argparse
import concurrent.futures
import hashlib
import io
import json
import math
import pathlib
import shutil
import signal
import sys
import tempfile
import traceback
from dataclasses import asdict, replace

import numpy
import torch
from PIL import Image

from .__main__ import parse as parse_recipe
from .__main__ import stages
from .command_line import alone, positive, told, whole
from .export import round_significant
from .files import replace_text
from .goals import GOALS
from .network import build_network, load_backbone, to_device
from .pixels import digest_of_pixels
from .ready import get_ready
from .settings import Settings
from .train import Task, Trained, adopt, best_so_far, train

SIGNIFICANT_BITS = 14  # of the weights that come back
PART = 15_000_000  # bytes of a file of the weights
LOOKED_AT = 20  # each so many-th image is looked at for what packing did to it
CHUNK = 256  # images that one process unpacks at a time


def pack(options: argparse.Namespace, bundle: pathlib.Path, quality: int) -> None:
    """With the recipe's options."""
    ready = get_ready(options)
    if ready.settings.sides:
        raise ValueError("on another machine the side cannot change: --restart takes no :SIDE")
    task = ready.task
    used = numpy.concatenate([task.train, task.val])
    bundle.mkdir(parents=True, exist_ok=True)
    ends, total, squares = [], 0, []
    with (bundle / "pixels.bin").open("wb") as out:
        for number, index in enumerate(used, start=1):
            image = _encoded(task.pixels[index], quality)
            total += out.write(image)
            ends.append(total)
            if number % LOOKED_AT == 0:
                squares.append(((_decoded([image])[0].astype(int) - task.pixels[index]) ** 2).mean())
            if number % 1000 == 0:
                print(f"packed {number}/{len(used)} images", flush=True)
    numpy.savez_compressed(
        bundle / "task.npz",
        ends=numpy.array(ends),
        malignant=task.malignant[used],
        diagnosis=task.diagnosis[used],
        source=task.source[used],
        learned=numpy.arange(len(used)) < len(task.train),
    )
    shutil.copyfile(options.weights, bundle / options.weights.name)
    about = {
        "settings": asdict(ready.settings), "origin": ready.origin, "pixels": digest_of_pixels(task.pixels, used),
        "weights": options.weights.name, "quality": quality,
        "sha256": {name: digest_of(bundle / name) for name in ("pixels.bin", "task.npz", options.weights.name)},
    }
    replace_text(bundle / "about.json", json.dumps(about, indent=1) + "\n")
    size = sum(path.stat().st_size for path in bundle.iterdir())
    away = f", whose pixels moved by {numpy.sqrt(numpy.mean(squares)):.1f} of 255 (root mean square)" if squares else ""
    print(f"{bundle}: {len(used)} images, {size / 1e6:.1f} MB{away}")


def digest_of(file: pathlib.Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _encoded(pixels: numpy.ndarray, quality: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", quality=quality, method=6)
    return out.getvalue()


def learn(options: argparse.Namespace) -> None:
    about = json.loads((options.bundle / "about.json").read_text(encoding="utf-8"))
    for name, digest in about.get("sha256", {}).items():  # not in a bundle of before they were noted
        if digest_of(options.bundle / name) != digest:
            raise ValueError(f"{options.bundle / name} is not what was packed; bring it once more")
    settings = Settings.of_json(about["settings"])
    settings = replace(settings, stages=options.stages or settings.stages, batch_size=options.batch_size or settings.batch_size)
    goal, pixels = GOALS[settings.learn], f"WebP, quality {about['quality']}"
    torch.manual_seed(settings.seed)
    network = build_network(goal.outputs(settings))
    load_backbone(network, options.bundle / about["weights"])
    options.results.mkdir(parents=True, exist_ok=True)
    task = _task(options.bundle, settings.side)  # forks, so before a card is begun with
    to_device(network, options.device)
    print(f"{len(task.train)} images to learn, {len(task.val)} to validate", flush=True)
    with tempfile.TemporaryDirectory() as work:
        trained = _learned(network, task, settings, pathlib.Path(work), about["origin"], options)
        for name in ("train.log", "curves.png"):
            if (pathlib.Path(work) / name).exists():  # not where drawing them is what failed
                shutil.copyfile(pathlib.Path(work) / name, options.results / name)
    for machine in trained.machines:  # what else is not as the settings say
        machine["pixels"] = pixels
        if math.isfinite(options.seconds):
            machine["seconds"] = options.seconds
    content = pack_state(network.state_dict())
    parts = [content[start : start + PART] for start in range(0, len(content), PART)]
    for number, part in enumerate(parts):
        (options.results / f"weights.{number}").write_bytes(part)
    result = {
        "settings": asdict(settings), "origin": about["origin"], "parts": len(parts),
        "sha256": hashlib.sha256(content).hexdigest(), "trained": asdict(trained),
    }
    if "pixels" in about:  # a bundle of before they were noted
        result["pixels"] = about["pixels"]
    replace_text(options.results / "result.json", json.dumps(result, indent=1) + "\n")
    print(f"{options.results}: epoch {trained.figures['epoch']} of {len(trained.history)}, {len(content) / 1e6:.1f} MB")


def _learned(network, task: Task, settings: Settings, work: pathlib.Path, origin: str, options) -> Trained:
    """Whatever ends it early: the machine may not be there a second time."""
    try:
        return train(network, task, settings, work, origin, options.workers, options.seconds)
    except (Exception, KeyboardInterrupt) as error:
        traceback.print_exc()
        # After some errors nothing of a card can be read any more.
        trained = best_so_far(network.to_empty(device="cpu"), work)
        if trained is None:
            if isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt("interrupted before the first epoch ended: nothing comes back") from error
            raise
        print(f"training ended by {type(error).__name__}: what comes back is the best of the last checkpoint", file=sys.stderr)
        return trained


def _task(bundle: pathlib.Path, side: int) -> Task:
    with numpy.load(bundle / "task.npz") as stored:
        ends, malignant, diagnosis, source, learned = (
            stored[name] for name in ("ends", "malignant", "diagnosis", "source", "learned")
        )
    content = (bundle / "pixels.bin").read_bytes()
    images = [content[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    pixels = numpy.empty((len(images), side, side, 3), numpy.uint8)
    chunks = [slice(start, start + CHUNK) for start in range(0, len(images), CHUNK)]
    with concurrent.futures.ProcessPoolExecutor() as pool:
        for chunk, unpacked in zip(chunks, pool.map(_decoded, (images[chunk] for chunk in chunks)), strict=True):
            pixels[chunk] = unpacked
    return Task(pixels, malignant, diagnosis, source, numpy.flatnonzero(learned), numpy.flatnonzero(~learned))


def _decoded(images: list[bytes]) -> numpy.ndarray:
    return numpy.stack([numpy.asarray(Image.open(io.BytesIO(image)).convert("RGB")) for image in images])


def unpack(options: argparse.Namespace, results: pathlib.Path) -> None:
    """With the recipe's options."""
    ready = get_ready(options)
    result = json.loads((results / "result.json").read_text(encoding="utf-8"))
    others = ready.settings.differences(asdict(Settings.of_json(result["settings"])))
    task = ready.task
    pixels = digest_of_pixels(task.pixels, numpy.concatenate([task.train, task.val]))
    if others or result["origin"] != ready.origin or result.get("pixels", pixels) != pixels:
        what = f"settings ({', '.join(others)})" if others else "data or starting weights"
        raise ValueError(f"{results} is of other {what} than these options name")
    content = b"".join((results / f"weights.{number}").read_bytes() for number in range(result["parts"]))
    if hashlib.sha256(content).hexdigest() != result["sha256"]:
        raise ValueError(f"{results}: weights.* are not what was written there")
    ready.network.load_state_dict(unpack_state(content, ready.network.state_dict()))
    adopt(ready.network, task, ready.settings, options.work, ready.origin, Trained(**result["trained"]))
    print(f"{options.work}: the checkpoint of epoch {result['trained']['figures']['epoch']}; the recipe's command makes the package")


def pack_state(state: dict[str, torch.Tensor]) -> bytes:
    """All numbers that are not whole, rounded to SIGNIFICANT_BITS, in the order of the names: over 50 MB of a ResNet-50.

    Signs and exponents repeat, mantissas do not: byte by byte they pack better, without the byte that rounding emptied.
    """
    values = torch.cat([state[name].detach().cpu().float().reshape(-1) for name in _floating(state)])
    rounded = round_significant(values, SIGNIFICANT_BITS).numpy()
    planes = numpy.ascontiguousarray(rounded.view(numpy.uint8).reshape(-1, 4).T)
    if planes[0].any():
        raise ValueError("rounding left bits in the lowest byte")
    out = io.BytesIO()
    numpy.savez_compressed(out, **{f"byte{number}": planes[number] for number in (1, 2, 3)})
    return out.getvalue()


def unpack_state(content: bytes, like: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state of a network that has the names and shapes of `like`; whole numbers are those of `like`."""
    with numpy.load(io.BytesIO(content)) as stored:
        planes = [stored[f"byte{number}"] for number in (1, 2, 3)]
    whole = numpy.stack([numpy.zeros_like(planes[0]), *planes], axis=1)
    values = torch.from_numpy(whole.view(numpy.float32)[:, 0].copy())
    state, start = dict(like), 0
    for name in _floating(like):
        state[name] = values[start : start + like[name].numel()].reshape(like[name].shape)
        start += like[name].numel()
    if start != len(values):
        raise ValueError(f"{len(values)} numbers for a network of {start}")
    return state


def _floating(state: dict[str, torch.Tensor]) -> list[str]:
    return sorted(name for name, tensor in state.items() if tensor.is_floating_point())


def end_in_order(*_) -> None:
    """A machine's time limit, which reaches the processes that load as well: PyTorch must not tell of their end in the midst of
    what saves the result."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    raise KeyboardInterrupt


def positive_seconds(text: str) -> float:
    if not float(text) > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return float(text)


def run(arguments: list[str] | None) -> None:
    parser = argparse.ArgumentParser(
        "skincheck_training.elsewhere", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    path = pathlib.Path
    packing = commands.add_parser("pack", help="further options are the recipe's")
    packing.add_argument("bundle", type=path)
    packing.add_argument("--quality", type=int, default=85, help="of the pixels as WebP (85)")
    learning = commands.add_parser("learn")
    learning.add_argument("bundle", type=path)
    learning.add_argument("results", type=path)
    learning.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    learning.add_argument("--workers", type=whole, default=0, help="processes that load images")
    learning.add_argument("--stages", type=stages, help="others than those that were packed; unpack wants the same then")
    learning.add_argument("--batch-size", type=positive, help="likewise")
    learning.add_argument("--seconds", type=positive_seconds, default=math.inf, help="that the stages share, in place of their numbers of epochs")
    unpacking = commands.add_parser("unpack", help="further options are the recipe's")
    unpacking.add_argument("results", type=path)
    options, recipe = parser.parse_known_args(arguments)
    if options.command == "learn":
        if recipe:
            parser.error(f"learn knows no {recipe[0]}")
        signal.signal(signal.SIGTERM, end_in_order)
        learn(options)
    elif options.command == "pack":
        alone(pack, parse_recipe(recipe), options.bundle, options.quality)
    else:
        alone(unpack, parse_recipe(recipe), options.results)


if __name__ == "__main__":
    sys.exit(told("skincheck_training.elsewhere", lambda: run(None)))
