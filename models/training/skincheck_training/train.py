"""The training loop: all layers, the lower ones with smaller rates; averaged weights; the best epoch is kept."""

import copy
import csv
import ctypes
import itertools
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
from .ending import ending_in_order, leave_interrupts
from .files import replace_csv, replace_file
from .goals import GOALS
from .metrics import CHOSEN_BY, chosen_epoch, mean_auc_of_sources, roc_auc, roc_auc_by_source
from .network import normalise
from .pixels import digest_of_pixels
from .settings import Settings

SAVE_EVERY = 600  # seconds; what a kill may cost
SOON = 60  # seconds; an epoch that ends sooner after the last checkpoint makes none, for on a card it may take seconds
LOOKED_AT = 50  # steps after which the losses are looked at: a look makes a card wait
USUAL_BATCH = 32  # that the settings' rates and average are meant for
COUNTED = ("epoch", "step", "loss", "history", "best", "machines")  # what a checkpoint holds besides tensors
# Validation images are so much wider than the training crops of their stage: crops show a part, and so lesions larger. In
# the last stage they are as wide as the network's input; before it this saves most of the time.
VALIDATED = 1.4
# Of glibc's mallopt(3), with the values that make it keep what was freed: all in one arena, no mapping of its own for large
# blocks, nothing given back.
MALLOC = {"M_ARENA_MAX": (-8, 1), "M_MMAP_MAX": (-4, 0), "M_TRIM_THRESHOLD": (-1, -1)}
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
    random = numpy.random.default_rng((settings.seed, epoch))
    order = random.permutation(task.train)
    malignant, source = task.malignant[order], task.source[order]
    kept = malignant.copy()
    for name in numpy.unique(source):
        benign = numpy.flatnonzero((source == name) & ~malignant)
        most = math.ceil(settings.benign_share * numpy.count_nonzero((source == name) & malignant)) or len(benign)
        kept[benign[:most]] = True
    return random.permutation(order[kept])  # or an epoch would end with malignant images alone


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
        for chosen in numpy.array_split(indices, max(1, len(indices) // (32 if device.type == "cpu" else 256))):
            batch = torch.from_numpy(numpy.ascontiguousarray(pixels[chosen])).to(device).permute(0, 3, 1, 2)
            batch = batch if size is None else shrink(batch, size)
            outputs.append(network(_arrange(normalise(batch))).float().cpu())
    return torch.cat(outputs).numpy()


def train(
    network: torch.nn.Module, task: Task, settings: Settings, work: pathlib.Path, origin: str, workers: int = 0,
    seconds: float = math.inf, stops_early: bool = True,
) -> Trained:
    """Trains, and leaves the averaged weights of the best epoch in the network.

    Which epoch is best: see chosen_epoch(). The state goes to work/checkpoint.pt every ten minutes and after each epoch that
    takes long; a run with the same settings and `origin` (a fingerprint of images, labels and starting weights) goes on
    from there, another one is a ValueError; but where a cycle of the rates has ended, further ones may be added
    (settings.restarts). Order and augmentation come from seed, epoch and step alone, so on a CPU neither interruptions nor
    `workers` (processes that load) change the result.

    Without `stops_early` it goes on to the last epoch, whatever the figures are: another part of the training follows.

    With `seconds`, for a machine that is lent, the clock decides in place of the number of epochs: the stages share the time
    in proportion to their epochs, the rates fall with it, and nothing stops early.
    """
    _keep_freed_memory()
    torch.use_deterministic_algorithms(_device(network).type == "cpu")
    torch.utils.deterministic.fill_uninitialized_memory = False  # costs a pass over each new tensor, changes no result
    network.to(memory_format=torch.channels_last)
    run = _Run(network, task, settings, work / "checkpoint.pt", origin, workers, seconds, stops_early)
    if run.history:
        _write_history(work, run.history)
    first = run.epoch
    with ending_in_order(run.interrupt), (work / "train.log").open("a", encoding="utf-8") as log:
        for epoch in itertools.count(run.epoch):
            started = time.monotonic()
            if reason := run.over():
                print(f"{reason}: training ends after {epoch} epochs", flush=True)
                break
            run.note_machine()
            run.learn()
            run.validate()
            _write_history(work, run.history)
            if run.interrupted:
                run.end()
            if time.monotonic() - run.saved > SOON:
                run.save()
                draw_curves(work / "history.csv", work / "curves.png")
            line = f"epoch {epoch}, {time.monotonic() - started:.0f} s: {run.history[-1]}"
            print(line, flush=True)
            print(line, file=log, flush=True)
        if run.interrupted:  # while the last epoch was saved
            run.end()
    if run.epoch > first:
        run.save()
    if run.best is None:
        raise ValueError(f"{seconds} seconds are too few for a step")
    draw_curves(work / "history.csv", work / "curves.png")
    network.load_state_dict(run.best["state"])
    return Trained(run.best["figures"], run.history, run.machines)


def has_gone_on(work: pathlib.Path, settings: Settings) -> bool:
    """Whether the checkpoint in `work`, if there is one, is of a training that begins with that of `settings` and is longer."""
    checkpoint = work / "checkpoint.pt"
    if not checkpoint.exists():
        return False
    try:
        stored = Settings.of_json(torch.load(checkpoint, weights_only=True, map_location="cpu", mmap=True)["settings"])
    except Exception:  # train() tells what is wrong with it
        return False
    return stored != settings and any(stored.first_cycles(count) == settings for count in range(1, len(stored.restarts) + 1))


def best_so_far(network: torch.nn.Module, work: pathlib.Path) -> Trained | None:
    """Of a training that did not come to its end: as train() leaves it; nothing when no epoch is in its checkpoint."""
    checkpoint = work / "checkpoint.pt"
    if not checkpoint.exists():
        return None
    state = torch.load(checkpoint, weights_only=True, map_location=_device(network))
    if not state["best"]:
        return None
    network.load_state_dict(state["best"]["state"])
    return Trained(state["best"]["figures"], state["history"], state["machines"])


def adopt(network: torch.nn.Module, task: Task, settings: Settings, work: pathlib.Path, origin: str, trained: Trained) -> None:
    """Writes the checkpoint of a training that has ended elsewhere with these weights: train() has nothing left to do. Further
    cycles start from these weights, with an optimiser that knows no steps."""
    work.mkdir(parents=True, exist_ok=True)
    checkpoint = work / "checkpoint.pt"
    if checkpoint.exists():
        raise ValueError(f"{checkpoint} is there already; remove it, or name another --work")
    run = _Run(network, task, settings, checkpoint, origin)
    run.epoch, run.history, run.machines = len(settings.sizes()), trained.history, trained.machines
    run.best = {"figures": trained.figures, "state": network.state_dict()}
    run.schedule.last_epoch = run.epoch * run.steps
    run.save()


class _Run:
    """A training under way: all that a checkpoint holds, and the steps that change it."""

    def __init__(
        self, network, task: Task, settings: Settings, checkpoint: pathlib.Path, origin: str, workers: int = 0,
        seconds: float = math.inf, stops_early: bool = True,
    ) -> None:
        self.network, self.task, self.settings, self.workers = network, task, settings, workers
        self.pixels = digest_of_pixels(task.pixels, numpy.concatenate([task.train, task.val]))
        self.seconds, self.began, self.stops_early = seconds, time.monotonic(), stops_early
        self.checkpoint, self.origin = checkpoint, origin
        self.goal = GOALS[settings.learn]
        self.loss_of = self.goal.loss(settings, task.diagnosis[task.train])
        self.average = copy.deepcopy(network)
        states = zip(self.average.state_dict().values(), network.state_dict().values(), strict=True)
        self.averaged = [(kept, new) for kept, new in states if kept.is_floating_point()]
        self.optimiser = _optimiser(network, settings)
        self.steps = math.ceil(len(epoch_order(task, settings, 0)) / settings.batch_size)  # of an epoch
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, lambda step: self.rate(step))
        self.device = _device(network)
        self.epoch, self.step, self.loss, self.history, self.best, self.machines = 0, 0, 0.0, [], None, []
        self.saved = -math.inf
        self.stream: Iterator[tuple[torch.Tensor, torch.Tensor]] | None = None
        self.losses: list[torch.Tensor] = []  # of the last steps
        self.size = 0  # of the epoch's crops
        self.interrupted = False  # by Ctrl-C
        self.measuring = False  # nothing changes meanwhile, so it may end at any moment
        if checkpoint.exists():
            self._resume()

    def progress(self, step: int) -> float:
        """From 0 to 1, after so many steps in all."""
        if math.isfinite(self.seconds):
            return min(1.0, (time.monotonic() - self.began) / self.seconds)
        return step / (self.steps * len(self.settings.sizes()))

    def rate(self, step: int) -> float:
        """What all rates are multiplied by after so many steps: linear warm-up, then a half cosine down to nothing."""
        epoch = self.progress(step) * len(self.settings.sizes())
        first, end = self.settings.cycle(epoch + 1e-9)
        progress, warm_up = (epoch - first) / (end - first), self.settings.warm_up
        if progress < warm_up:
            return (progress + 1e-3) / (warm_up + 1e-3)
        return 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))

    def over(self) -> str:
        """Why training ends now; empty if it does not. Before the last stage of the last cycle the rates are high or will rise,
        and it goes on whatever the figures are."""
        if self.progress(self.epoch * self.steps) >= 1:
            return "all is learned"
        sizes, (first, end) = self.settings.sizes(), self.settings.cycle(self.epoch)
        if not self.stops_early or math.isfinite(self.seconds) or end < len(sizes):
            return ""
        since = self.history[len(self.history) - (self.epoch - first) :]  # figures of this cycle
        if self.best is None or self.best["figures"] not in since or self.best["figures"]["size"] != sizes[-1]:
            return ""
        worse = len(since) - 1 - since.index(self.best["figures"])
        return "" if worse < self.settings.patience else f"no better epoch in {self.settings.patience}"

    def learn(self) -> None:
        """The rest of an epoch, or what there is time for."""
        sizes = self.settings.sizes()
        self.size = sizes[min(int(self.progress(self.epoch * self.steps) * len(sizes) + 1e-9), len(sizes) - 1)]
        self.network.train()
        begun = time.monotonic()
        progress = tqdm(self._batches(), f"epoch {self.epoch}", self.steps, initial=self.step, disable=None, leave=False)
        for chosen, pixels in progress:
            self.losses.append(self._step(chosen.numpy(), pixels))
            self.step += 1
            if len(self.losses) == LOOKED_AT:
                self._add_losses()
                progress.set_postfix_str(f"loss {self.loss / self.step:.4f}", refresh=False)
            if self.interrupted:
                self.end()
            if time.monotonic() - max(begun, self.saved) > SAVE_EVERY:
                self.save()
            if math.isfinite(self.seconds) and self.progress(0) >= 1:
                break
        self._add_losses()

    def interrupt(self, *_) -> None:
        """After Ctrl-C: training ends behind the step, with a checkpoint; a second time it ends at once."""
        if self.interrupted or self.measuring:
            raise KeyboardInterrupt
        self.interrupted = True

    def end(self) -> None:
        self.save()
        raise KeyboardInterrupt(f"interrupted; the same command goes on from {self.checkpoint}")

    def _add_losses(self) -> None:
        if self.losses:
            loss = torch.stack(self.losses).double().sum().item()
            self.losses = []
            if not math.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss} in epoch {self.epoch}, by step {self.step}: lower the rate")
            self.loss += loss

    def validate(self) -> None:
        """Ends the epoch: figures of the averaged weights; the best are kept."""
        task, size = self.task, self.size
        last = size == self.settings.sizes()[-1]
        width = self.settings.side if last else min(self.settings.side, round(VALIDATED * size))
        self.measuring = True
        try:
            outputs = predict(self.average, task.pixels, task.val, width)
        except KeyboardInterrupt:
            self.end()
        self.measuring = False
        logits = self.goal.malignancy_logits(outputs)
        truth = task.malignant[task.val]
        by_source = roc_auc_by_source(truth, logits, task.source[task.val])
        loss = torch.nn.functional.binary_cross_entropy_with_logits(torch.from_numpy(logits), torch.from_numpy(truth).float())
        figures = {
            "epoch": self.epoch,
            "size": size,
            "side": self.settings.side,
            "train_loss": round(self.loss / max(1, self.step), 6),
            "val_loss": round(loss.item(), 6),
            "val_auc": round(roc_auc(truth, logits), 6),
            CHOSEN_BY: round(mean_auc_of_sources(truth, logits, task.source[task.val]), 6),
        } | {f"val_auc_{name}": round(value, 6) for name, value in by_source.items()}
        more = self.goal.figures(outputs, task.diagnosis[task.val])
        figures |= {f"val_{name}": round(value, 6) for name, value in more.items()}
        self.history.append(figures)
        if chosen_epoch(self.history) is figures:
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
        self._add_losses()
        parts = {name: getattr(self, name).state_dict() for name in ("network", "average", "optimiser", "schedule")}
        numbers = {name: getattr(self, name) for name in (*COUNTED, "origin", "pixels")}
        with replace_file(self.checkpoint) as partial:
            try:
                torch.save(parts | numbers | {"settings": asdict(self.settings)}, partial)
            except RuntimeError as error:  # PyTorch's word for a full disk
                raise OSError(f"{partial} cannot be written; is the disk full? ({str(error).splitlines()[0]})") from error
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
        if self.settings.go_on_from(state["settings"], state.get("epoch", 0)):
            others = []
        what = f"settings ({', '.join(others)})" if others else "data or starting weights"
        # Images of another side have other pixels, and those of the first checkpoints were not noted.
        same = state["settings"].get("side") != self.settings.side or state.get("pixels", self.pixels) == self.pixels
        if others or state.get("origin") != self.origin or not same:
            raise ValueError(f"{self.checkpoint} is of other {what}; remove it, or name another --work")
        for name in ("network", "average", "optimiser", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        for name in COUNTED:
            setattr(self, name, state.get(name, getattr(self, name)))  # machines were not noted at first
        for figures in (*self.history, *([self.best["figures"]] if self.best else [])):  # nor was the side
            figures.setdefault("side", self.settings.side_at(figures["epoch"]))
        for group in self.optimiser.param_groups:  # where a cycle has ended, the next one's
            group["lr"] = group["initial_lr"] * self.rate(self.schedule.last_epoch)
        print(f"{self.checkpoint}: going on at epoch {self.epoch}, step {self.step} of {self.steps}", flush=True)

    def _batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Indices and pixels (uint8 N×H×W×3) of the epoch's steps from self.step on."""
        if self.stream is None:  # one for all epochs: the processes that load go on while the last epoch is validated
            items = _Items(self.task.pixels, self.settings)
            loader = torch.utils.data.DataLoader(
                items, batch_sampler=self._all_batches(), num_workers=self.workers, pin_memory=self.device.type == "cuda",
                worker_init_fn=leave_interrupts,
            )
            self.stream = iter(loader)
        return itertools.islice(self.stream, self.steps - self.step)

    def _all_batches(self) -> Iterator[list[tuple[int, int]]]:
        """(epoch, index) of each image, from where it is now on and without an end."""
        first, done = self.epoch, self.step
        for epoch in itertools.count(first):
            batches = numpy.array_split(epoch_order(self.task, self.settings, epoch), self.steps)
            for batch in batches[done if epoch == first else 0 :]:
                yield [(epoch, index) for index in batch.tolist()]

    def _step(self, chosen: numpy.ndarray, pixels: torch.Tensor) -> torch.Tensor:
        settings, device, size = self.settings, self.device, self.size
        seed = int(numpy.random.SeedSequence((settings.seed, self.epoch, self.step)).generate_state(1)[0])
        torch.manual_seed(seed)  # dropout
        generator = torch.Generator().manual_seed(seed)
        batch = pixels.to(device, non_blocking=True).permute(0, 3, 1, 2)
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
        decay = settings.average ** (settings.batch_size / USUAL_BATCH)
        _move_average(self.averaged, min(decay, (1 + taken) / (10 + taken)))
        return loss.detach()


class _Items(torch.utils.data.Dataset):
    """Index and pixels of (epoch, index), with artefacts drawn on if augmented; what chance draws depends on seed, epoch and
    image alone."""

    def __init__(self, pixels: numpy.ndarray, settings: Settings) -> None:
        self.pixels, self.settings = pixels, settings

    def __getitem__(self, place: tuple[int, int]) -> tuple[int, torch.Tensor]:
        epoch, index = place
        pixels = numpy.asarray(self.pixels[index])
        if self.settings.augmented:
            pixels = add_artefacts(pixels, numpy.random.default_rng((self.settings.seed, epoch, index)))
        return index, torch.from_numpy(numpy.array(pixels))


def _keep_freed_memory() -> None:
    """Activations of each step take the place of the last one's; otherwise glibc gives them back, and the kernel spends a
    noticeable part of each step on clearing their pages anew."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    for parameter, value in MALLOC.values() if mallopt else ():
        mallopt(parameter, value)


@torch.no_grad()
def _move_average(averaged: list[tuple[torch.Tensor, torch.Tensor]], decay: float) -> None:
    """An exponential average of weights and of batch norm's statistics, as (average, new)."""
    kept, new = zip(*averaged, strict=True)
    torch.optim.swa_utils.get_ema_multi_avg_fn(decay)(kept, new, None)


def _device(network: torch.nn.Module) -> torch.device:
    return next(network.parameters()).device


def bfloat16_pays(device: torch.device) -> bool:
    """Whether the processor has units for it: a CPU with AVX-512's instructions alone, and a card older than Ampere (8.0),
    where PyTorch emulates it, are slower with it than with float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and torch.cpu._is_amx_tile_supported()


def _arrange(batch: torch.Tensor) -> torch.Tensor:
    return batch.contiguous(memory_format=torch.channels_last)


def _optimiser(network: torch.nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """AdamW; biases and batch norm do not decay. Rates go with the square root of the batch size (Malladi 2022)."""
    groups, larger = {}, math.sqrt(settings.batch_size / USUAL_BATCH)
    for name, parameter in network.named_parameters():
        depth = next(number for number, layer in enumerate(LAYERS) if name.startswith(layer))
        groups.setdefault((depth, parameter.ndim > 1), []).append(parameter)
    rates = [settings.head_rate, *(settings.rate * settings.layer_decay**below for below in range(len(LAYERS) - 1))]
    chosen = [
        {"params": parameters, "lr": larger * rates[depth], "weight_decay": settings.weight_decay if decays else 0.0}
        for (depth, decays), parameters in groups.items()
    ]
    return torch.optim.AdamW(chosen, fused=True)


def _write_history(work: pathlib.Path, history: list[dict]) -> None:
    with replace_csv(work / "history.csv") as out:
        writer = csv.DictWriter(out, history[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
