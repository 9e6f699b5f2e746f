"""ResNet-50 with its top removed and a dense head with dropout; sigmoid or softmax come with the loss or the export."""

import copy
import hashlib
import lzma
import math
import pathlib
from collections.abc import Iterator

import safetensors
import safetensors.torch
import torch
import torchvision

MEAN = (0.485, 0.456, 0.406)  # of ImageNet, RGB in [0,1]; what the backbone was trained with
STD = (0.229, 0.224, 0.225)
# Root mean square of a convolution's starting weights, in parts of He's (2015) for its inputs: near that of trained networks.
SPREAD = 0.5


def build_network(outputs: int = 1, dropout: float = 0.3) -> torch.nn.Module:
    """N×3×H×W, normalised → N×outputs logits."""
    network = torchvision.models.resnet50(weights=None)
    network.fc = torch.nn.Sequential(
        torch.nn.Linear(2048, 256),
        torch.nn.ReLU(),
        torch.nn.Dropout(dropout),
        torch.nn.Linear(256, outputs),
    )
    return network


def only_malignancy(network: torch.nn.Module) -> torch.nn.Module:
    """A copy whose output is the first alone, N×1."""
    single = copy.deepcopy(network)
    last = single.fc[-1]
    last.weight, last.bias = torch.nn.Parameter(last.weight[:1].clone()), torch.nn.Parameter(last.bias[:1].clone())
    last.out_features = 1
    return single


def load_backbone(network: torch.nn.Module, weights: pathlib.Path) -> str:
    """Fills all but the head from an ImageNet ResNet-50 in torchvision's names; returns the file's SHA-256.

    What the network computes is that of the file, but the convolutions' weights come to one scale, see level().
    Takes .safetensors, .safetensors.xz and PyTorch's .pth. Weights that do not fit are an error.
    """
    content = weights.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    try:
        if weights.suffix == ".xz":
            state = safetensors.torch.load(lzma.decompress(content))
        elif weights.suffix == ".safetensors":
            state = safetensors.torch.load(content)
        else:
            state = torch.load(weights, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # over foreign bytes the unpickler trips in many ways
        raise ValueError(f"{weights}: cannot be read as weights") from error
    if not isinstance(state, dict) or not all(torch.is_tensor(value) for value in state.values()):
        raise ValueError(f"{weights}: holds more than weights by name, as a training's checkpoint does; save its state_dict alone")
    state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    body = {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}
    try:
        missing, unexpected = network.load_state_dict(body, strict=False)
    except RuntimeError as error:  # a tensor of another shape
        raise ValueError(f"{weights}: not a ResNet-50") from error
    missing = [name for name in missing if not name.startswith("fc.") and not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ValueError(f"{weights}: not a ResNet-50 in torchvision's names (first: {(missing + unexpected)[0]})")
    level(network)
    return digest


def to_device(network: torch.nn.Module, device: str) -> None:
    """ValueError where there is no such device."""
    try:
        network.to(device)
    except (RuntimeError, AssertionError) as error:  # the latter by a PyTorch without CUDA; the text can be a page
        raise ValueError(f"--device {device} cannot be used: {str(error).splitlines()[0]}") from error


@torch.no_grad()
def level(network: torch.nn.Module) -> None:
    """Scales each convolution's weights to SPREAD; batch norm takes the factor up, so the outputs stay (but for its eps).

    Adam's steps have a size of their own, whatever the weights'. Weights ten times as large as usual, which batch norm
    allows and some files have, would be learned ten times slower than their rate says, and the layers not alike.
    """
    for parent, conv, batch_norm in normed_convolutions(network):
        convolution, norm = getattr(parent, conv), getattr(parent, batch_norm)
        weights = convolution.weight
        factor = weights.square().mean().sqrt() / (SPREAD * math.sqrt(2 / weights[0].numel()))
        if factor > 0:
            weights.div_(factor)
            norm.running_mean.div_(factor)
            norm.running_var.div_(factor**2)


def normed_convolutions(network: torch.nn.Module) -> Iterator[tuple[torch.nn.Module, str, str]]:
    """Each convolution and the batch norm behind it: the module that has both, and their names there."""
    yield network, "conv1", "bn1"
    for layer in (network.layer1, network.layer2, network.layer3, network.layer4):
        for block in layer:
            for number in (1, 2, 3):
                yield block, f"conv{number}", f"bn{number}"
            if block.downsample is not None:
                yield block.downsample, "0", "1"


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 or float N×3×H×W in 0..255, RGB → what the network takes."""
    mean = torch.tensor(MEAN, device=pixels.device).view(1, 3, 1, 1) * 255
    std = torch.tensor(STD, device=pixels.device).view(1, 3, 1, 1) * 255
    return (pixels.float() - mean) / std
