"""The training loop: all layers, the lower ones with a smaller rate; the best epoch on validation is kept."""

import csv
import math
import pathlib
import pickle
import time
from dataclasses import asdict, dataclass

import numpy
import torch

from .augment import augment
from .metrics import roc_auc
from .network import normalise


@dataclass(frozen=True)
class Settings:
    epochs: int = 3
    batch_size: int = 32
    size: int = 160  # of the training crops in pixels; validation and scoring use the full prepared size
    rate: float = 3e-4
    head_rate: float = 1.5e-3
    weight_decay: float = 0.02
    positive_weight: float = 2.0
    label_smoothing: float = 0.03
    warm_up: float = 0.1  # of all steps
    seed: int = 1


def predict(network: torch.nn.Module, pixels: numpy.ndarray, indices: numpy.ndarray, exact: bool = False) -> numpy.ndarray:
    """Logits of malignancy for prepared images (uint8 N×H×W×3). `exact` computes in float32, as skincheck does."""
    network.eval()
    logits = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=not exact):
        for chosen in numpy.array_split(indices, max(1, len(indices) // 32)):
            logits.append(network(_batch(pixels, chosen)).float().squeeze(1))
    return torch.cat(logits).numpy()


def train(
    network: torch.nn.Module,
    pixels: numpy.ndarray,
    malignant: numpy.ndarray,
    splits: dict[str, numpy.ndarray],
    settings: Settings,
    work: pathlib.Path,
    origin: str,
) -> dict[str, float]:
    """Trains in place and leaves the weights of the best epoch in the network; returns that epoch's figures.

    `splits` has the indices of "train" and "val". After every epoch the state goes to work/checkpoint.pt, and a run
    with the same settings and the same `origin` (a fingerprint of images, labels and starting weights) goes on from
    there; one of others is a ValueError. The order of the images and the augmentation depend on the seed and the epoch
    alone.
    """
    torch.use_deterministic_algorithms(True)
    network.to(memory_format=torch.channels_last)
    optimiser = _optimiser(network, settings)
    loss_of = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(settings.positive_weight))
    steps = math.ceil(len(splits["train"]) / settings.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step / (steps * settings.epochs), settings))
    checkpoint = work / "checkpoint.pt"
    done, history, best = _resume(checkpoint, network, optimiser, schedule, settings, origin)
    for epoch in range(done, settings.epochs):
        started = time.monotonic()
        generator = torch.Generator().manual_seed(settings.seed * 1000 + epoch)
        torch.manual_seed(settings.seed * 1000 + epoch)  # dropout
        order = splits["train"][torch.randperm(len(splits["train"]), generator=generator).numpy()]
        network.train()
        total = 0.0
        for step, chosen in enumerate(numpy.array_split(order, steps)):
            batch = torch.from_numpy(numpy.ascontiguousarray(pixels[numpy.sort(chosen)])).permute(0, 3, 1, 2).float()
            batch = normalise(augment(batch, settings.size, generator)).contiguous(memory_format=torch.channels_last)
            truth = torch.from_numpy(malignant[numpy.sort(chosen)]).float()
            smooth = truth * (1 - settings.label_smoothing) + settings.label_smoothing / 2
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(batch).squeeze(1)
            loss = loss_of(logits.float(), smooth)
            if not torch.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss.item()} in epoch {epoch}, step {step}: lower the rate")
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
            if step % 20 == 0:
                rate = (step + 1) * settings.batch_size / (time.monotonic() - started)
                print(f"epoch {epoch} step {step}/{steps} loss {total / (step + 1):.4f} {rate:.1f} images/s", flush=True)
        logits = predict(network, pixels, splits["val"])
        auc = roc_auc(malignant[splits["val"]], logits)
        history.append({"epoch": epoch, "train_loss": round(total / steps, 6), "val_auc": round(auc, 6)})
        print(f"epoch {epoch}: {history[-1]}, {time.monotonic() - started:.0f} s", flush=True)
        if best is None or auc > best["val_auc"]:
            best = {"epoch": epoch, "val_auc": auc, "state": {k: v.clone() for k, v in network.state_dict().items()}}
        _save(checkpoint, network, optimiser, schedule, settings, origin, epoch + 1, history, best)
        _write_history(work / "history.csv", history)
    network.load_state_dict(best["state"])
    return {"best_epoch": best["epoch"], "val_auc": round(best["val_auc"], 6)}


def _batch(pixels: numpy.ndarray, chosen: numpy.ndarray) -> torch.Tensor:
    batch = torch.from_numpy(numpy.ascontiguousarray(pixels[chosen])).permute(0, 3, 1, 2)
    return normalise(batch).contiguous(memory_format=torch.channels_last)


def _rate(progress: float, settings: Settings) -> float:
    if progress < settings.warm_up:
        return (progress + 1e-3) / (settings.warm_up + 1e-3)
    return 0.5 * (1 + math.cos(math.pi * (progress - settings.warm_up) / (1 - settings.warm_up)))


def _optimiser(network: torch.nn.Module, settings: Settings) -> torch.optim.Optimizer:
    groups = []
    for head in (False, True):
        for decay in (False, True):
            chosen = [
                parameter
                for name, parameter in network.named_parameters()
                if name.startswith("fc.") == head and (parameter.ndim > 1) == decay
            ]
            groups.append(
                {
                    "params": chosen,
                    "lr": settings.head_rate if head else settings.rate,
                    "weight_decay": settings.weight_decay if decay else 0.0,
                }
            )
    return torch.optim.AdamW(groups)


def _resume(checkpoint, network, optimiser, schedule, settings, origin):
    if not checkpoint.exists():
        return 0, [], None
    try:
        state = torch.load(checkpoint, weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{checkpoint} cannot be read; remove it, or name another --work") from error
    for key, wanted, what in (("settings", asdict(settings), "settings"), ("origin", origin, "data or starting weights")):
        if state.get(key) != wanted:
            raise ValueError(f"{checkpoint} is of other {what}; remove it, or name another --work")
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    schedule.load_state_dict(state["schedule"])
    print(f"{checkpoint}: {state['done']} of {settings.epochs} epochs are done", flush=True)
    return state["done"], state["history"], state["best"]


def _save(checkpoint, network, optimiser, schedule, settings, origin, done, history, best):
    partial = checkpoint.with_suffix(".part")
    torch.save(
        {
            "network": network.state_dict(),
            "optimiser": optimiser.state_dict(),
            "schedule": schedule.state_dict(),
            "settings": asdict(settings),
            "origin": origin,
            "done": done,
            "history": history,
            "best": best,
        },
        partial,
    )
    partial.replace(checkpoint)


def _write_history(path: pathlib.Path, history: list[dict]) -> None:
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, history[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
