"""The numbers of a training. They are in the checkpoint, which no other settings can go on from, and in model.json."""

import bisect
import itertools
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True)
class Settings:
    side: int = 224  # of the network's input and of the prepared images, in pixels
    sides: tuple[int, ...] = ()  # of the prepared images in each cycle but the last, where one of them had another
    stages: tuple[tuple[int, int], ...] = ((96, 6), (128, 7), (160, 2))  # side of the training crops, epochs of it
    restarts: tuple[int, ...] = ()  # numbers of epochs after which warm-up and cosine begin anew
    benign_share: float = 2.0  # benign images for each malignant one of the same source, at most, in an epoch; 0: all
    batch_size: int = 32
    rate: float = 2e-4  # of the highest block: a percent of its weights a step, see network.level()
    head_rate: float = 1e-3
    layer_decay: float = 0.85  # of the rate from each block to the one below
    weight_decay: float = 0.02
    positive_weight: float = 2.0
    label_smoothing: float = 0.03
    diagnosis_weight: float = 1.0  # of the diagnoses' cross-entropy beside malignancy's; 0 trains malignancy alone
    warm_up: float = 0.06  # of all steps
    average: float = 0.998  # decay of the averaged weights, a step
    patience: int = 6  # epochs of the last stage that are all worse than the best, after which training stops
    augmented: bool = True  # training images are changed by chance; otherwise they are shrunk to the size of the crops
    seed: int = 1
    learn: str = "malignancy"  # or "diagnoses"; see goals.py
    diagnosis_balance: float = 0.5  # with "diagnoses": 0 takes them as often as they come, 1 makes the rare ones equal

    def __post_init__(self) -> None:
        bounds = (0, *self.restarts, len(self.sizes()))
        if any(first >= end for first, end in itertools.pairwise(bounds)):
            told = ", ".join(map(str, self.restarts))
            raise ValueError(f"rates cannot restart after {told} of {bounds[-1]} epochs: each cycle needs one at least")
        if self.sides and len(self.sides) != len(self.restarts):
            raise ValueError(f"{len(self.sides)} sides for {len(self.restarts)} cycles before the last")

    @classmethod
    def of_json(cls, stored: dict) -> "Settings":
        """From an asdict() that went through JSON, which has no tuples."""
        tuples = {name: tuple(stored.get(name, ())) for name in ("restarts", "sides")}
        return cls(**stored | tuples | {"stages": tuple(map(tuple, stored["stages"]))})

    def sizes(self) -> list[int]:
        """The side of the crops, for each epoch."""
        return [size for size, epochs in self.stages for _ in range(epochs)]

    def cycle(self, epoch: float) -> tuple[int, int]:
        """First epoch of the cycle of rates that this one is in, and the one after its last."""
        bounds, number = (0, *self.restarts, len(self.sizes())), bisect.bisect_right(self.restarts, epoch)
        return bounds[number], bounds[number + 1]

    def side_at(self, epoch: int) -> int:
        """Of the prepared images, in pixels."""
        return (*self.sides, self.side)[bisect.bisect_right(self.restarts, epoch)] if self.sides else self.side

    def go_on_from(self, stored: dict, epochs: int) -> bool:
        """Whether `epochs` epochs with the settings `stored`, an asdict(), are all cycles before one of these settings' restarts."""
        return epochs in self.restarts and not self.first_cycles(self.restarts.index(epochs) + 1).differences(stored)

    def first_cycles(self, count: int) -> "Settings":
        """Those that end after so many cycles of the rates."""
        if count > len(self.restarts):
            return self
        sides = self.sides[:count] or (self.side,)
        return replace(
            self,
            side=sides[-1],
            sides=sides[:-1] if len(set(sides)) > 1 else (),
            stages=self._stages_until(self.restarts[count - 1]),
            restarts=self.restarts[: count - 1],
        )

    def parts(self) -> "list[Settings]":
        """One after the other, each going on from the one before: these settings, and where the side changes those until then."""
        sides = (*self.sides, self.side)
        ends = [number for number in range(1, len(sides)) if sides[number] != sides[number - 1]]
        return [*(self.first_cycles(count) for count in ends), self]

    def _stages_until(self, epochs: int) -> tuple[tuple[int, int], ...]:
        until = []
        for size, length in self.stages:
            if epochs > 0:
                until.append((size, min(length, epochs)))
            epochs -= length
        return tuple(until)

    def differences(self, stored: dict) -> list[str]:
        """Names of what is otherwise in `stored`, an asdict(); what it does not know yet had the default."""
        mine, others = asdict(self), asdict(Settings()) | stored
        return sorted(name for name in mine.keys() | others.keys() if mine.get(name) != others.get(name))
