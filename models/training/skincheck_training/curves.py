"""history.csv → curves.png: losses, and figures of the validation images, by epoch."""

import csv
import pathlib

import matplotlib.ticker
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .files import replace_file
from .metrics import chosen_epoch

LOSSES = {"train_loss": "training (weighted, augmented)", "val_loss": "validation (malignancy)"}
# The order of colours is one that people with any colour vision tell apart (Okabe and Ito); markers repeat it.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "os^Dv<>"
AUC, BALANCED = "val_auc", "val_balanced_accuracy"


def draw_curves(history: pathlib.Path, output: pathlib.Path) -> None:
    """Replaces `output`, which is whole at any moment."""
    with history.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    figure = Figure(figsize=(12, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    _draw(left, rows, LOSSES, "loss")
    labels = _different(_validation_labels(rows[0]), rows)
    several = "AUC and balanced accuracy" if BALANCED in labels else "AUC"
    _draw(right, rows, labels, f"{several} on validation")
    best = chosen_epoch(rows)
    for axes in (left, right):
        axes.axvline(int(best["epoch"]), color="#999999", linestyle="--", linewidth=1, zorder=0, label="best epoch")
        axes.legend(fontsize=9)
        _mark_sizes(axes, rows)
    with replace_file(output) as partial:
        figure.savefig(partial, format="png")


def _validation_labels(row: dict[str, str]) -> dict[str, str]:
    labels = {AUC: "AUC, all", f"{AUC}_mean_of_sources": "AUC, mean of the sources"}
    labels |= {name: f"AUC, {name[len(AUC) + 1:]}" for name in row if name.startswith(f"{AUC}_") and name not in labels}
    if BALANCED in row:
        labels[BALANCED] = "balanced accuracy, diagnoses"
    return labels


def _different(labels: dict[str, str], rows: list[dict[str, str]]) -> dict[str, str]:
    """Without the columns that say the same as one before: with one source all, their mean and that source are one curve."""
    first = {tuple(row[name] for row in rows): name for name in reversed(labels)}
    return {name: label for name, label in labels.items() if name in first.values()}


def _draw(axes: Axes, rows: list[dict[str, str]], labels: dict[str, str], what: str) -> None:
    epochs = [int(row["epoch"]) for row in rows]
    for number, (name, label) in enumerate(labels.items()):
        style = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}
        values = [float(row[name]) for row in rows]
        axes.plot(epochs, values, label=label, markersize=5, linewidth=2 if number < 2 else 1.2, **style)
    axes.set_xlabel("epoch")
    axes.set_ylabel(what)
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)


def _mark_sizes(axes: Axes, rows: list[dict[str, str]]) -> None:
    """Where the training crops grow, above the upper edge."""
    before = None
    for row in rows:
        if row["size"] != before:
            where = (int(row["epoch"]), 1.01)
            axes.annotate(f"{row['size']} px", where, xycoords=("data", "axes fraction"), fontsize=8)
            before = row["size"]
