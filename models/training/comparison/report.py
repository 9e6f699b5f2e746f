"""Rows of figures → a table in Markdown and a bar chart."""

import os
import pathlib
import platform
import re
import textwrap

import numpy
import sklearn
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from skincheck_training.files import replace_file

from .results import figure

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#666666"  # of Okabe and Ito
HEADER = (
    "method", "AUC (95 % interval)", "balanced accuracy", "accuracy", "sensitivity", "specificity", "accuracy at 0.5",
    "validation AUC", "training", "by the clock", "settings chosen",
)


def table(rows: list[dict]) -> str:
    lines = ["| " + " | ".join(HEADER) + " |", "| --- |" + " ---: |" * (len(HEADER) - 2) + " --- |"]
    for row in rows:
        figures = row["test"]
        cells = [row["title"], figure(figures["roc_auc"], 3)]
        cells += [_number(figures[name]) for name in ("balanced_accuracy", "accuracy", "sensitivity", "specificity")]
        cells += [_number(row["test_at_half"]["accuracy"]), _number(row["val"]["roc_auc"])]
        cells += [duration(row["training_seconds"]), duration(row["wall_seconds"]), row["settings"]]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def machine() -> dict:
    cpu = platform.processor() or platform.machine()
    if pathlib.Path("/proc/cpuinfo").exists():
        named = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"))
        cpu = named[1] if named else cpu
    versions = {"python": platform.python_version(), "torch": torch.__version__, "scikit-learn": sklearn.__version__}
    instructions = torch.backends.cpu.get_cpu_capability()
    return {"processor": cpu, "processors": os.cpu_count(), "instructions": instructions} | versions


def notes(facts: dict) -> str:
    """What a reader of the table must know; one paragraph."""
    images, host = facts["images"], facts["machine"]
    counts = ", ".join(f"{name} {of['images']:,} ({of['malignant']:,} malignant)" for name, of in images.items())
    left_out = f"; left out: {', '.join(facts['left_out'])}" if facts["left_out"] else ""
    text = (
        f"Images: {counts}{left_out}. Settings, epoch, calibration (Platt) and threshold (greatest sensitivity + "
        "specificity) are chosen on the validation images; what is not called otherwise is measured on the test images "
        "at that threshold, all by `skincheck evaluate`. Training: time of one processor thread for the one fit with "
        "the chosen settings, without the search for them; by the clock: the same fit beside whatever else the machine "
        "did. Where a result of skincheck is given, its training time is as stated. Hand-made features come on top, "
        f"for the classics: {duration(facts['feature_seconds'])} for all images. Machine: {host['processor']}, "
        f"{host['processors']} processors, {host['instructions']}; Python {host['python']}, PyTorch {host['torch']}, "
        f"scikit-learn {host['scikit-learn']}. Seed {facts['seed']}."
    )
    return "\n".join(textwrap.wrap(text, 118, break_on_hyphens=False)) + "\n"


def _number(found: dict) -> str:
    return "-" if found["value"] is None else f"{found['value']:.3f}"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.{2 if seconds < 1 else 1 if seconds < 9.95 else 0}f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5940 else f"{seconds / 3600:.1f} h"


def draw_chart(rows: list[dict], output: pathlib.Path, what: str) -> None:
    """In the order of the rows, from the top. Replaces `output`, which is whole at any moment."""
    figure = Figure(figsize=(11, 0.55 * len(rows) + 1.6), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    ranked, accurate, timed = figure.subplots(1, 3, sharey=True)
    _bars(ranked, [row["test"]["roc_auc"] for row in rows], 0, 0.7, BLUE)
    ranked.axvline(0.5, color=GREY, linestyle="--", linewidth=1)
    ranked.set(xlim=(0, 1.18), xlabel="area under the ROC curve, 95 % interval", title="ranking")
    _bars(accurate, [row["test_at_half"]["accuracy"] for row in rows], -0.2, 0.38, ORANGE, "accuracy at 0.5")
    _bars(accurate, [row["test"]["balanced_accuracy"] for row in rows], 0.2, 0.38, GREEN, "balanced accuracy")
    accurate.set(xlim=(0, 1.18), xlabel="share of images, 95 % interval", title="accuracy")
    accurate.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, frameon=False)
    _times(timed, rows)
    ranked.set_yticks(range(len(rows)), [row["title"] for row in rows])
    ranked.invert_yaxis()
    for axes in (ranked, accurate, timed):
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
    figure.suptitle(what, fontsize=11)
    canvas.draw()
    # 64 colours are enough for bars, and a third of the bytes.
    picture = Image.fromarray(numpy.asarray(canvas.buffer_rgba())).convert("RGB").quantize(64)
    with replace_file(output) as partial:
        picture.save(partial, "PNG", optimize=True)


def _bars(axes, figures: list[dict], shift: float, height: float, colour: str, label: str | None = None) -> None:
    places = [place + shift for place in range(len(figures))]
    values = [figure["value"] for figure in figures]
    # A figure without an interval has one of no length.
    ends = [(f["value"], f["value"]) if f["low"] is None else (f["low"], f["high"]) for f in figures]
    reach = [[max(0, value - low), max(0, high - value)] for value, (low, high) in zip(values, ends, strict=True)]
    error = {"xerr": list(zip(*reach, strict=True)), "error_kw": {"elinewidth": 1, "capsize": 2}}
    axes.barh(places, values, height, color=colour, label=label, **error)
    for place, value, (_, high) in zip(places, values, ends, strict=True):
        _write_beside(axes, f"{value:.2f}", max(high, value), place)


def _times(axes, rows: list[dict]) -> None:
    minutes = [(row["training_seconds"] or 0) / 60 for row in rows]
    shortest = min([value for value in minutes if value], default=1) / 3  # where the axis begins
    axes.barh(range(len(rows)), minutes, 0.7, color=GREY)
    axes.set(xscale="log", xlabel="minutes, logarithmic", title="training time")
    axes.set_xlim(shortest, max(*minutes, 3 * shortest) * 30)
    for place, (value, row) in enumerate(zip(minutes, rows, strict=True)):
        _write_beside(axes, duration(row["training_seconds"]) if value else "none", max(value, shortest), place)


def _write_beside(axes, text: str, where: float, place: float) -> None:
    axes.annotate(text, (where, place), (4, 0), textcoords="offset points", va="center", fontsize=8)
