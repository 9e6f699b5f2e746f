"""The training loop: all layers, the lower ones with smaller rates; averaged weights; the best epoch is kept."""

import copy
import csv
import math
import pathlib
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy
import torch
from tqdm import tqdm

from .artefacts import add_artefacts
from .augment import augment, shrink
from .curves import draw_curves
from .goals import GOALS
from .metrics import roc_auc, roc_auc_by_source
from .network import normalise
from .settings import Settings

SAVE_EVERY = 600  # seconds; what a kill may cost
SOON = 30  # seconds; an epoch that ends sooner after the last checkpoint makes none, for on a card it may take seconds
COUNTED = ("epoch", "step", "loss", "history", "best", "machines")  # what a checkpoint holds besides tensors
# Validation images are so much wider than the training crops of their stage: crops show a part, and so lesions larger. In
# the last stage they are as wide as the network's input; before it this saves most of the time.
VALIDATED = 1.4
CHOSEN_BY = "val_auc_mean_of_sources"
LAYERS = ("fc", "layer4", "layer3", "layer2", "layer1", "")  # "" is the stem; rates fall in this order


@dataclass(frozen=True)
class Task:
    """What is learned. Arrays run over all images; `train` and `val` are indices into them."""

    pixels: numpy.ndarray  # uint8 N×H×W×3, RGB
    malignant: numpy.ndarray  # bool
    diagnosis: numpy.ndarray  # index into diagnoses.DIAGNOSES, or -1
    source: numpy.ndarray  # str
    train: numpy.ndarray
    val: numpy.ndarray


def epoch_order(task: Task, settings: Settings, epoch: int) -> numpy.ndarray:
    """Indices of an epoch's training images in its order: always as many, the benign ones drawn anew for each epoch.

    Benign images are the more redundant ones, most of all in the largest source; and where one source is malignant more
    often than the others, its look becomes a sign of malignancy.
    """
    order = numpy.random.default_rng((settings.seed, epoch)).permutation(task.train)
    malignant, source = task.malignant[order], task.source[order]
    kept = malignant.copy()
    for name in numpy.unique(source):
        benign = numpy.flatnonzero((source == name) & ~malignant)
        most = math.ceil(settings.benign_share * numpy.count_nonzero((source == name) & malignant)) or len(benign)
        kept[benign[:most]] = True
    return order[kept]


@dataclass(frozen=True)
class Trained:
    figures: dict  # of the best epoch, whose weights the network has
    history: list[dict]  # figures of each epoch
    machines: list[dict]  # on which it ran, one after the other


def predict(
    network: torch.nn.Module, pixels: numpy.ndarray, indices: numpy.ndarray, size: int | None = None, exact: bool = False
) -> numpy.ndarray:
    """The network's outputs, N×outputs, for prepared images (uint8 N×H×W×3), shrunk to `size` pixels if that is named.

    `exact` computes in float32, as skincheck does.
    """
    network.eval()
    device = _device(network)
    outputs = []
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=not exact and bfloat16_pays(device)):
        for chosen in numpy.array_split(indices, max(1, len(indices) // 32)):
            batch = torch.from_numpy(numpy.ascontiguousarray(pixels[chosen])).to(device).permute(0, 3, 1, 2)
            batch = batch if size is None else shrink(batch, size)
            outputs.append(network(_arrange(normalise(batch))).float().cpu())
    return torch.cat(outputs).numpy()


def train(
    network: torch.nn.Module, task: Task, settings: Settings, work: pathlib.Path, origin: str, workers: int = 0,
    seconds: float = math.inf,
) -> Trained:
    """Trains, and leaves the averaged weights of the best epoch in the network.

    Best is the highest mean of the sources' validation AUCs among the epochs of the latest stage: one large source would
    drown the others, and stages are measured on images of another size. The state goes to work/checkpoint.pt every ten
    minutes and after each epoch that takes long; a run with the same settings and `origin` (a fingerprint of images,
    labels and starting weights) goes on from there, another one is a ValueError. Order and augmentation come from seed,
    epoch and step alone, so neither interruptions nor `workers` (processes that load) change the result. After `seconds`
    no epoch is begun.
    """
    torch.use_deterministic_algorithms(True, warn_only=_device(network).type != "cpu")
    torch.utils.deterministic.fill_uninitialized_memory = False  # costs a pass over each new tensor, changes no result
    network.to(memory_format=torch.channels_last)
    run = _Run(network, task, settings, work / "checkpoint.pt", origin, workers)
    if run.history:
        _write_history(work, run.history)
    sizes = settings.sizes()
    began, first = time.monotonic(), run.epoch
    with (work / "train.log").open("a", encoding="utf-8") as log:
        for epoch in range(run.epoch, len(sizes)):
            started = time.monotonic()
            if reason := "time is over" if started - began > seconds else run.over():
                print(f"{reason}: training ends after {epoch} of {len(sizes)} epochs", flush=True)
                break
            run.note_machine()
            run.learn(sizes[epoch])
            run.validate()
            _write_history(work, run.history)
            if time.monotonic() - run.saved > SOON:
                run.save()
                draw_curves(work / "history.csv", work / "curves.png")
            line = f"epoch {epoch}, {time.monotonic() - started:.0f} s: {run.history[-1]}"
            print(line, flush=True)
            print(line, file=log, flush=True)
    if run.epoch > first:
        run.save()
    if run.best is None:
        raise ValueError(f"no epoch ended within {seconds} seconds")
    draw_curves(work / "history.csv", work / "curves.png")
    network.load_state_dict(run.best["state"])
    return Trained(run.best["figures"], run.history, run.machines)


def adopt(network: torch.nn.Module, task: Task, settings: Settings, work: pathlib.Path, origin: str, trained: Trained) -> None:
    """Writes the checkpoint of a training that has ended elsewhere with these weights: train() has nothing left to do."""
    work.mkdir(parents=True, exist_ok=True)
    checkpoint = work / "checkpoint.pt"
    if checkpoint.exists():
        raise ValueError(f"{checkpoint} is there already; remove it, or name another --work")
    run = _Run(network, task, settings, checkpoint, origin, workers=0)
    run.epoch, run.history, run.machines = len(settings.sizes()), trained.history, trained.machines
    run.best = {"figures": trained.figures, "state": network.state_dict()}
    run.save()


class _Run:
    """A training under way: all that a checkpoint holds, and the steps that change it."""

    def __init__(self, network, task: Task, settings: Settings, checkpoint: pathlib.Path, origin: str, workers: int) -> None:
        self.network, self.task, self.settings, self.workers = network, task, settings, workers
        self.checkpoint, self.origin = checkpoint, origin
        self.goal = GOALS[settings.learn]
        self.loss_of = self.goal.loss(settings, task.diagnosis[task.train])
        self.average = copy.deepcopy(network)
        self.optimiser = _optimiser(network, settings)
        self.steps = math.ceil(len(epoch_order(task, settings, 0)) / settings.batch_size)  # of an epoch
        total = self.steps * len(settings.sizes())
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, lambda step: _rate(step / total, settings))
        self.device = _device(network)
        self.epoch, self.step, self.loss, self.history, self.best, self.machines = 0, 0, 0.0, [], None, []
        self.saved = -math.inf
        if checkpoint.exists():
            self._resume()

    def over(self) -> str:
        """Why it stops early; empty if it does not. Before the last stage the rates are high, and nothing is decided."""
        best, sizes = self.best and self.best["figures"], self.settings.sizes()
        patient = not best or best["size"] != sizes[-1] or self.epoch - 1 - best["epoch"] < self.settings.patience
        return "" if patient else f"no better epoch in {self.settings.patience}"

    def learn(self, size: int) -> None:
        """The rest of an epoch."""
        self.network.train()
        begun = time.monotonic()
        progress = tqdm(self._batches(), f"epoch {self.epoch}", self.steps, initial=self.step, disable=None, leave=False)
        for chosen, pixels in progress:
            loss = self._step(chosen, pixels, size)
            if not math.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss} in epoch {self.epoch}, step {self.step}: lower the rate")
            self.step += 1
            self.loss += loss
            progress.set_postfix_str(f"loss {self.loss / self.step:.4f}", refresh=False)
            if time.monotonic() - max(begun, self.saved) > SAVE_EVERY:
                self.save()

    def validate(self) -> None:
        """Ends the epoch: figures of the averaged weights; the best are kept."""
        task = self.task
        size = self.settings.sizes()[self.epoch]
        last = size == self.settings.sizes()[-1]
        width = self.settings.side if last else min(self.settings.side, round(VALIDATED * size))
        outputs = predict(self.average, task.pixels, task.val, width)
        logits = self.goal.malignancy_logits(outputs)
        truth = task.malignant[task.val]
        by_source = roc_auc_by_source(truth, logits, task.source[task.val])
        loss = torch.nn.functional.binary_cross_entropy_with_logits(torch.from_numpy(logits), torch.from_numpy(truth).float())
        figures = {
            "epoch": self.epoch,
            "size": size,
            "train_loss": round(self.loss / self.steps, 6),
            "val_loss": round(loss.item(), 6),
            "val_auc": round(roc_auc(truth, logits), 6),
            CHOSEN_BY: round(sum(by_source.values()) / len(by_source), 6),
        } | {f"val_auc_{name}": round(value, 6) for name, value in by_source.items()}
        more = self.goal.figures(outputs, task.diagnosis[task.val])
        figures |= {f"val_{name}": round(value, 6) for name, value in more.items()}
        self.history.append(figures)
        best = self.best and self.best["figures"]
        if not best or figures["size"] != best["size"] or figures[CHOSEN_BY] > best[CHOSEN_BY]:
            state = {name: value.clone() for name, value in self.average.state_dict().items()}
            self.best = {"figures": figures, "state": state}
        self.epoch, self.step, self.loss = self.epoch + 1, 0, 0.0

    def note_machine(self) -> None:
        device = self.device
        machine = {
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability(),
            "bfloat16": bfloat16_pays(device),
            "threads": torch.get_num_threads(),
            "torch": str(torch.__version__),
        }
        if machine not in self.machines[-1:]:
            self.machines.append(machine)

    def save(self) -> None:
        partial = self.checkpoint.with_suffix(".part")
        parts = {name: getattr(self, name).state_dict() for name in ("network", "average", "optimiser", "schedule")}
        numbers = {name: getattr(self, name) for name in (*COUNTED, "origin")}
        torch.save(parts | numbers | {"settings": asdict(self.settings)}, partial)
        partial.replace(self.checkpoint)
        self.saved = time.monotonic()

    def _resume(self) -> None:
        try:
            state = torch.load(self.checkpoint, weights_only=True, map_location=self.device)
        except OSError:
            raise
        except Exception as error:  # over foreign bytes the unpickler trips in many ways
            raise ValueError(f"{self.checkpoint} cannot be read; remove it, or name another --work") from error
        if not isinstance(state, dict) or not isinstance(state.get("settings"), dict):
            raise ValueError(f"{self.checkpoint} is no checkpoint of this recipe; remove it, or name another --work")
        others = self.settings.differences(state["settings"])
        what = f"settings ({', '.join(others)})" if others else "data or starting weights"
        if others or state.get("origin") != self.origin:
            raise ValueError(f"{self.checkpoint} is of other {what}; remove it, or name another --work")
        for name in ("network", "average", "optimiser", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        for name in COUNTED:
            setattr(self, name, state.get(name, getattr(self, name)))  # machines were not noted at first
        print(f"{self.checkpoint}: going on at epoch {self.epoch}, step {self.step} of {self.steps}", flush=True)

    def _batches(self) -> Iterator[tuple[numpy.ndarray, torch.Tensor]]:
        """Indices and pixels (uint8 N×H×W×3) of the epoch's steps from self.step on."""
        batches = numpy.array_split(epoch_order(self.task, self.settings, self.epoch), self.steps)[self.step :]
        items = _Items(self.task.pixels, self.settings, self.epoch)
        loader = torch.utils.data.DataLoader(items, batch_sampler=batches, num_workers=self.workers)
        return zip(batches, loader, strict=True)

    def _step(self, chosen: numpy.ndarray, pixels: torch.Tensor, size: int) -> float:
        settings, device = self.settings, self.device
        seed = int(numpy.random.SeedSequence((settings.seed, self.epoch, self.step)).generate_state(1)[0])
        torch.manual_seed(seed)  # dropout
        generator = torch.Generator().manual_seed(seed)
        batch = pixels.to(device).permute(0, 3, 1, 2)
        batch = normalise(augment(batch, size, generator) if settings.augmented else shrink(batch, size))
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16_pays(device)):
            outputs = self.network(_arrange(batch))
        malignant = torch.from_numpy(self.task.malignant[chosen]).float().to(device)
        diagnosis = torch.from_numpy(self.task.diagnosis[chosen]).to(device)
        loss = self.loss_of(outputs.float(), malignant, diagnosis)
        loss.backward()
        self.optimiser.step()
        self.schedule.step()
        taken = self.epoch * self.steps + self.step
        _move_average(self.average, self.network, min(settings.average, (1 + taken) / (10 + taken)))
        return loss.item()


class _Items(torch.utils.data.Dataset):
    """Single images, with artefacts drawn on if augmented; what chance draws depends on seed, epoch and image alone."""

    def __init__(self, pixels: numpy.ndarray, settings: Settings, epoch: int) -> None:
        self.pixels, self.settings, self.epoch = pixels, settings, epoch

    def __getitem__(self, index: int) -> torch.Tensor:
        pixels = numpy.asarray(self.pixels[index])
        if self.settings.augmented:
            pixels = add_artefacts(pixels, numpy.random.default_rng((self.settings.seed, self.epoch, int(index))))
        return torch.from_numpy(numpy.array(pixels))


@torch.no_grad()
def _move_average(average: torch.nn.Module, network: torch.nn.Module, decay: float) -> None:
    """An exponential average of weights and of batch norm's statistics."""
    for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


def _device(network: torch.nn.Module) -> torch.device:
    return next(network.parameters()).device


def bfloat16_pays(device: torch.device) -> bool:
    """Whether the processor has units for it: a CPU with AVX-512's instructions alone is slower with it than with float32."""
    return device.type != "cpu" or torch.cpu._is_amx_tile_supported()


def _arrange(batch: torch.Tensor) -> torch.Tensor:
    return batch.contiguous(memory_format=torch.channels_last)


def _rate(progress: float, settings: Settings) -> float:
    """Linear warm-up, then a half cosine down to nothing."""
    if progress < settings.warm_up:
        return (progress + 1e-3) / (settings.warm_up + 1e-3)
    return 0.5 * (1 + math.cos(math.pi * (progress - settings.warm_up) / (1 - settings.warm_up)))


def _optimiser(network: torch.nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """AdamW; biases and batch norm do not decay."""
    groups = {}
    for name, parameter in network.named_parameters():
        depth = next(number for number, layer in enumerate(LAYERS) if name.startswith(layer))
        groups.setdefault((depth, parameter.ndim > 1), []).append(parameter)
    rates = [settings.head_rate, *(settings.rate * settings.layer_decay**below for below in range(len(LAYERS) - 1))]
    chosen = [
        {"params": parameters, "lr": rates[depth], "weight_decay": settings.weight_decay if decays else 0.0}
        for (depth, decays), parameters in groups.items()
    ]
    return torch.optim.AdamW(chosen, fused=True)


def _write_history(work: pathlib.Path, history: list[dict]) -> None:
    with (work / "history.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, history[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
