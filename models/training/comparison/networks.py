"""Two small networks from scratch on 64×64 pixels: a recurrent one that reads rows, and the plain CNN of the paper."""

import copy
import functools
from collections.abc import Callable

import numpy
import torch
from torch import nn

from skincheck_training.metrics import mean_auc_of_sources
from skincheck_training.network import normalise

from .inputs import SIDE
from .methods import Images, Method

EPOCHS = 15  # at most; the best on validation is kept
BATCH = 64
WEIGHT_DECAY = 0.02
CHANNELS = (24, 48, 96, 192)  # of the CNN
HIDDEN = 128  # units of the recurrent net, in each direction


class RowReader(nn.Module):
    """Each row of pixels is a step of a gated recurrent unit; the mean of its states is what the head sees."""

    def __init__(self) -> None:
        super().__init__()
        self.reader = nn.GRU(3 * SIDE, HIDDEN, batch_first=True, bidirectional=True)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(2 * HIDDEN, 1))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        rows = batch.permute(0, 2, 1, 3).flatten(2)  # N×rows×(channels × columns)
        return self.head(self.reader(rows)[0].mean(dim=1)).squeeze(1)


class PlainCnn(nn.Module):
    """Four convolutions of 3×3, each with batch norm, ReLU and a pooling that halves the side."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((3, *CHANNELS), CHANNELS, strict=False):
            convolution = nn.Conv2d(before, after, 3, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(CHANNELS[-1], 1))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(batch)).squeeze(1)


def fit_network(build: Callable[[], nn.Module], images: Images, settings: dict, seed: int):
    """AdamW and a cosine; flips and quarter turns. The epoch with the best mean of the sources' AUCs is kept."""
    torch.manual_seed(seed)
    random = numpy.random.default_rng(seed)
    network = build()
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings["rate"], weight_decay=WEIGHT_DECAY)
    steps = -(-len(images.train) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * steps)
    malignant = torch.from_numpy(images.malignant).float()
    share = float(malignant[images.train].mean())
    loss_of = nn.BCEWithLogitsLoss(pos_weight=torch.tensor((1 - share) / share))
    best = None
    for epoch in range(EPOCHS):
        network.train()
        for chosen in numpy.array_split(random.permutation(images.train), steps):
            batch = _turned(_batch(images.inputs[chosen]), random)
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16):
                outputs = network(batch)
            loss_of(outputs.float(), malignant[chosen]).backward()
            optimiser.step()
            schedule.step()
        outputs = _predict(network, images.inputs[images.val])
        mean = mean_auc_of_sources(images.malignant[images.val], outputs, images.source[images.val])
        if best is None or mean > best[0]:
            best = mean, epoch, copy.deepcopy(network.state_dict())
    network.load_state_dict(best[2])
    return functools.partial(_predict, network), {"epoch": best[1]}


def _batch(pixels: numpy.ndarray) -> torch.Tensor:
    batch = torch.from_numpy(numpy.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
    return normalise(batch).contiguous(memory_format=torch.channels_last)


def _turned(batch: torch.Tensor, random: numpy.random.Generator) -> torch.Tensor:
    """A lesion has no up: one of the eight ways to lay the square, for the whole batch."""
    batch = torch.rot90(batch, int(random.integers(4)), (2, 3))
    return batch.flip(3) if random.integers(2) else batch


@torch.inference_mode()
def _predict(network: nn.Module, pixels: numpy.ndarray) -> numpy.ndarray:
    network.eval()
    parts = numpy.array_split(pixels, max(1, len(pixels) // 256))
    return torch.cat([network(_batch(part)) for part in parts]).double().numpy()


CODE = ("methods", "inputs", "networks")
NETWORKS = (
    Method("rnn", "RNN (GRU over rows)", "pixels", {"rate": (1e-3, 3e-3)},
           functools.partial(fit_network, RowReader), CODE),
    Method("cnn", "plain CNN", "pixels", {"rate": (1e-3, 3e-3)},
           functools.partial(fit_network, PlainCnn), CODE),
)
