"""The package folder: model.json, model.onnx.zst, licence and notice."""

import datetime
import hashlib
import json
import math
import pathlib
import platform
import subprocess
from dataclasses import dataclass

import torch
import torchvision

from .export import INPUT, OUTPUT
from .files import replace_file, replace_text
from .goals import Goal
from .golden_cases import Candidate
from .network import MEAN, STD

LARGEST_MOVE = 0.002  # that folding and rounding may change in the score of any validation image or golden case
PACK_LEVEL = 19  # of zstd; higher ones gain nothing
DEFAULT_LICENCE = "LICENSE.uber-noncommercial"
DEFAULT_LICENCE_TEXT = "non-commercial research use; see LICENSE.uber-noncommercial and the notice"
NOTICE = """\
NOTICE

The network in this folder (model.onnx.zst) is for NON-COMMERCIAL research use only. It is not a medical device.

It is a derivative work. The Work that it is derived from: the compressed ImageNet ResNet-50 of
  J. Martinez, J. Shewakramani, T. W. Liu, I. A. Bârsan, W. Zeng, R. Urtasun: Permute, Quantize, and Fine-tune:
  Efficient Compression of Neural Networks. CVPR 2021. https://github.com/uber-research/permute-quantize-finetune
It is available under the licence in {licence}, a verbatim copy of which lies beside this file. That licence
applies to this network too, with its disclaimer of warranties and of liability.

CHANGED on {date}: the Work was decoded, its top was replaced by a dense head, all layers were trained further on
dermoscopic images, batch norm was folded into the convolutions, and the weights were rounded.
You are not receiving the original Work.

The images it was trained on come from the ISIC Archive (CC BY-NC and CC-0) and HAM10000 (CC BY-NC 4.0):
  P. Tschandl, C. Rosendahl, H. Kittler: The HAM10000 dataset, a large collection of multi-source dermatoscopic images
  of common pigmented skin lesions. Scientific Data 5, 180161 (2018). https://doi.org/10.1038/sdata.2018.161
  N. C. F. Codella et al.: Skin lesion analysis toward melanoma detection: a challenge at the 2017 International
  Symposium on Biomedical Imaging (ISBI), hosted by the International Skin Imaging Collaboration (ISIC). ISBI 2018,
  168-172. https://doi.org/10.1109/ISBI.2018.8363547
  V. Rotemberg et al.: A patient-centric dataset of images and metadata for identifying melanomas using clinical
  context. Scientific Data 8, 34 (2021). https://doi.org/10.1038/s41597-021-00815-z
"""


@dataclass(frozen=True)
class Terms:
    """What goes along with the weights."""

    licence_text: str
    licence_name: str
    licence: bytes
    notice: str


def read_terms(
    weights: pathlib.Path,
    licence: pathlib.Path | None,
    licence_text: str | None,
    notice: pathlib.Path | None,
    date: str,
) -> Terms:
    """The notice that the recipe brings is true of the default starting weights and data alone, and says so by date:
    whoever names another licence names its line for model.json and a notice as well (ValueError otherwise)."""
    if licence is None and (licence_text or notice):
        raise ValueError("--licence-text and --notice go with --licence")
    if licence is not None and not (licence_text and notice):
        raise ValueError("--licence needs --licence-text and --notice: the recipe's own tell of other weights and data")
    if licence is None:
        path = weights.parent / DEFAULT_LICENCE
        if not path.is_file():
            raise ValueError(f"{path} is not there; for other weights give --licence, --licence-text and --notice")
        if not date:
            raise ValueError("give --date YYYY-MM-DD: the licence wants the date of the change in the notice")
        datetime.date.fromisoformat(date)
        return Terms(
            DEFAULT_LICENCE_TEXT, DEFAULT_LICENCE, path.read_bytes(), NOTICE.format(licence=DEFAULT_LICENCE, date=date)
        )
    if licence.name in ("NOTICE", "model.json", "model.onnx", "model.onnx.zst"):
        raise ValueError(f"--licence {licence}: the package has another file of that name; give it another one")
    return Terms(licence_text, licence.name, licence.read_bytes(), notice.read_text(encoding="utf-8"))


def base_spec(name: str, version: str, licence: str, goal: Goal, side: int, shrink_on_load: bool = False) -> dict:
    """All of model.json that is known before training; hash, golden cases and threshold are placeholders.

    The network sees the middle square of the image, shrunk to `side` pixels.
    """
    return {
        "format": 1,
        "name": name,
        "version": version,
        "licence": licence,
        "description": goal.description,
        "sha256": "0" * 64,
        "input": {"name": INPUT, "height": side, "width": side, "channels": "RGB", "layout": "NCHW"},
        "preprocess": [
            *([{"op": "shrink_on_load", "times": 2}] if shrink_on_load else []),
            {"op": "resize", "mode": "shortest_side", "size": side, "interpolation": "area"},
            {"op": "center_crop", "width": side, "height": side},
        ],
        "normalise": {"scale": 1 / 255, "mean": list(MEAN), "std": list(STD)},
        "output": {
            "name": OUTPUT,
            "kind": goal.kind,
            "classes": list(goal.classes),
            "malignant": list(goal.malignant),
        },
        "calibration": {"kind": "platt", "slope": 1.0, "intercept": 0.0},
        "threshold": 0.5,
        "operating_points": [],
        "golden": {"cases": [{"seed": 1, "outputs": [0.5] * len(goal.classes)}], "tolerance": {"cpu-fp32": 0.0005}},
        "training": {},
    }


def write_draft(folder: pathlib.Path, spec: dict) -> None:
    """A package without a network: enough for `skincheck preprocess`."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_text(folder / "model.json", _json(spec))


def golden_section(cases: list[Candidate], largest_move: float) -> dict:
    """Room for what rounding moved, and as much again for the order of sums; graphics cards compute more coarsely."""
    exact = max(0.0005, math.ceil(2 * largest_move * 1e4) / 1e4)
    return {
        "cases": [{"seed": case.seed, "outputs": [round(output, 7) for output in case.outputs]} for case in cases],
        "tolerance": {"cpu-fp32": exact, "cpu-bf16": 0.01, "cuda-fp32": max(0.001, exact), "cuda-fp16": 0.01},
    }


def write_package(folder: pathlib.Path, spec: dict, onnx: bytes, terms: Terms, level: int = PACK_LEVEL) -> None:
    """Replaces the package's files; each is whole at any moment, and model.json comes last."""
    import zstandard  # the one library that a machine that only learns (elsewhere.py) need not have

    spec = spec | {"sha256": hashlib.sha256(onnx).hexdigest()}
    packed = zstandard.ZstdCompressor(level=level, write_content_size=True, write_checksum=True).compress(onnx)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").unlink(missing_ok=True)  # it would be taken before the packed one
    files = {
        terms.licence_name: terms.licence,
        "NOTICE": terms.notice.encode(),
        "model.onnx.zst": packed,
        "model.json": _json(spec).encode(errors="replace"),  # a file's name that is no UTF-8 is in it
    }
    for name, content in files.items():
        with replace_file(folder / name) as partial:
            partial.write_bytes(content)


def _json(spec: dict) -> str:
    return json.dumps(spec, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def versions() -> dict:
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "cpu": torch.backends.cpu.get_cpu_capability(),  # decides which kernels compute, and so the last bits
    }


def commit() -> str:
    """Of the repository that this recipe lies in; "+changes" when the recipe is not as committed there."""
    found = _git("rev-parse", "HEAD")
    if not found:
        return "unknown"
    return found + ("+changes" if _git("--no-optional-locks", "status", "--porcelain", "--", "..") else "")


def commit_date() -> str:
    return _git("log", "-1", "--format=%cs")


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", pathlib.Path(__file__).parent, *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
