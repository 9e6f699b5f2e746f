"""What a network can learn: malignancy with one sigmoid, or the seven diagnoses with a softmax (--learn)."""

import functools
from collections.abc import Callable

import numpy
import torch

from .diagnoses import DIAGNOSES, MALIGNANT, agreeing
from .metrics import balanced_accuracy
from .network import only_malignancy
from .settings import Settings

# Network's outputs, malignant (0 or 1), index of the diagnosis or -1 → one number to be made smaller.
Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


class Goal:
    """Stateless. `classes` are those of the package, whose network says a logit for each."""

    kind: str  # of the output, as model.json has it
    classes: tuple[str, ...]
    malignant: tuple[str, ...]
    description: str

    def outputs(self, settings: Settings) -> int:
        """How many the network has while it learns."""
        raise NotImplementedError

    def believed(self, diagnosis: numpy.ndarray, malignant: numpy.ndarray) -> numpy.ndarray:
        """The indices, with -1 for those that are not learned from."""
        raise NotImplementedError

    def kinds(self, malignant: numpy.ndarray, diagnosis: numpy.ndarray) -> dict[str, numpy.ndarray]:
        """What each split must have images of, and which these are: bool N."""
        return {"malignant": malignant, "benign": ~malignant}

    def loss(self, settings: Settings, diagnosis: numpy.ndarray) -> Loss:
        """`diagnosis`: of the training images, for how often each comes."""
        raise NotImplementedError

    def malignancy_logits(self, outputs: numpy.ndarray) -> numpy.ndarray:
        """Of the outputs while it learns: N."""
        raise NotImplementedError

    def packaged(self, network: torch.nn.Module) -> torch.nn.Module:
        """The network with the outputs of the package."""
        raise NotImplementedError

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Of the packaged network's logits, N×classes."""
        raise NotImplementedError

    def figures(self, outputs: numpy.ndarray, diagnosis: numpy.ndarray) -> dict[str, float]:
        """What there is to say of the outputs (logits or probabilities) besides malignancy."""
        return {}

    def malignancy(self, probabilities: numpy.ndarray) -> numpy.ndarray:
        """N×classes → N, not calibrated, as skincheck adds it up."""
        return probabilities.astype(numpy.float64)[:, [self.classes.index(name) for name in self.malignant]].sum(1)


class Malignancy(Goal):
    """The first output is malignancy; the diagnoses are learned beside it and left away in the package."""

    kind = "sigmoid"
    classes = malignant = ("malignant",)
    description = "Malignancy of a dermoscopic image: ResNet-50 with a dense head. Research use, not a medical device."

    def outputs(self, settings: Settings) -> int:
        return 1 + len(DIAGNOSES) if settings.diagnosis_weight else 1

    def believed(self, diagnosis: numpy.ndarray, malignant: numpy.ndarray) -> numpy.ndarray:
        return diagnosis

    def loss(self, settings: Settings, diagnosis: numpy.ndarray) -> Loss:
        return functools.partial(_malignancy_loss, settings)

    def malignancy_logits(self, outputs: numpy.ndarray) -> numpy.ndarray:
        return outputs[:, 0]

    def packaged(self, network: torch.nn.Module) -> torch.nn.Module:
        return only_malignancy(network)

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(logits)


class Diagnoses(Goal):
    """Malignancy is the sum of the malignant diagnoses, and so the sum is what an image without a diagnosis teaches."""

    kind = "softmax"
    classes, malignant = DIAGNOSES, MALIGNANT
    description = (
        "Seven diagnoses of a dermoscopic image and its malignancy: ResNet-50 with a dense head. "
        "Research use, not a medical device."
    )

    def outputs(self, settings: Settings) -> int:
        return len(DIAGNOSES)

    def believed(self, diagnosis: numpy.ndarray, malignant: numpy.ndarray) -> numpy.ndarray:
        return agreeing(diagnosis, malignant)

    def kinds(self, malignant: numpy.ndarray, diagnosis: numpy.ndarray) -> dict[str, numpy.ndarray]:
        return super().kinds(malignant, diagnosis) | {name: diagnosis == i for i, name in enumerate(DIAGNOSES)}

    def loss(self, settings: Settings, diagnosis: numpy.ndarray) -> Loss:
        return functools.partial(_diagnoses_loss, settings, diagnosis_weights(diagnosis, settings))

    def malignancy_logits(self, outputs: numpy.ndarray) -> numpy.ndarray:
        return malignancy_logits(torch.from_numpy(outputs)).numpy()

    def packaged(self, network: torch.nn.Module) -> torch.nn.Module:
        return network

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        return torch.softmax(logits, dim=1)

    def figures(self, outputs: numpy.ndarray, diagnosis: numpy.ndarray) -> dict[str, float]:
        known = diagnosis >= 0
        return {"balanced_accuracy": balanced_accuracy(diagnosis[known], outputs[known].argmax(1))}


GOALS: dict[str, Goal] = {"malignancy": Malignancy(), "diagnoses": Diagnoses()}
_IS_MALIGNANT = torch.tensor([name in MALIGNANT for name in DIAGNOSES])


def malignancy_logits(outputs: torch.Tensor) -> torch.Tensor:
    """log(p / (1 - p)) of p, the sum of the malignant diagnoses' softmax; exact where p is nearly 0 or 1."""
    chosen = _IS_MALIGNANT.to(outputs.device)
    malignant, benign = (outputs.masked_fill(others, -torch.inf) for others in (~chosen, chosen))
    return torch.logsumexp(malignant, 1) - torch.logsumexp(benign, 1)


def diagnosis_weights(diagnosis: numpy.ndarray, settings: Settings) -> torch.Tensor:
    """How much an image of each diagnosis counts: more the rarer it is, by the power of `diagnosis_balance`.

    On average over the benign images 1, over the malignant ones `positive_weight`: between the two sides all is as it
    is where malignancy alone is learned.
    """
    counts = numpy.bincount(diagnosis[diagnosis >= 0], minlength=len(DIAGNOSES)).astype(numpy.float64)
    weights = numpy.maximum(counts, 1) ** -settings.diagnosis_balance
    for side, wanted in ((_IS_MALIGNANT.numpy(), settings.positive_weight), (~_IS_MALIGNANT.numpy(), 1.0)):
        weights[side] *= wanted * max(counts[side].sum(), 1) / max((counts * weights)[side].sum(), 1e-12)
    return torch.from_numpy(weights).float()


def _binary(settings: Settings, logits: torch.Tensor, malignant: torch.Tensor, reduction: str) -> torch.Tensor:
    smooth = malignant * (1 - settings.label_smoothing) + settings.label_smoothing / 2
    weight = torch.tensor(settings.positive_weight, device=logits.device)
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, smooth, pos_weight=weight, reduction=reduction)


def _malignancy_loss(
    settings: Settings, outputs: torch.Tensor, malignant: torch.Tensor, diagnosis: torch.Tensor
) -> torch.Tensor:
    """Binary cross-entropy of the first output; the others learn the diagnosis where it is known."""
    loss = _binary(settings, outputs[:, 0], malignant, "mean")
    if outputs.shape[1] > 1 and (diagnosis >= 0).any():
        named = torch.nn.functional.cross_entropy(
            outputs[:, 1:], diagnosis, ignore_index=-1, label_smoothing=settings.label_smoothing
        )
        loss = loss + settings.diagnosis_weight * named
    return loss


def _diagnoses_loss(
    settings: Settings, weights: torch.Tensor, outputs: torch.Tensor, malignant: torch.Tensor, diagnosis: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy where the diagnosis is known; elsewhere marginal likelihood: binary cross-entropy of the sum."""
    known = diagnosis >= 0
    index = diagnosis.clamp(min=0)
    smoothing = settings.label_smoothing
    named = torch.nn.functional.cross_entropy(outputs, index, reduction="none", label_smoothing=smoothing)
    summed = _binary(settings, malignancy_logits(outputs), malignant, "none")
    return torch.where(known, weights.to(outputs.device)[index] * named, summed).mean()
