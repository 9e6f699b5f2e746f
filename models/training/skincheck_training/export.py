"""A trained network → the bytes of model.onnx: batch norm folded, weights rounded, sigmoid or softmax inside."""

import copy
import io
import warnings
from collections.abc import Callable

import numpy
import onnx
import onnx.reference
import torch

from .network import normed_convolutions

OPSET = 13
# Of the weights, below the spread of their channel: the first that moves no score too far. With 11 the error is smaller than
# with twelve significant bits for each weight, and the packed file by a twelfth; each bit is 3 MB.
FRACTION_BITS = range(11, 16)
INPUT, OUTPUT = "input", "probability"
# What OpenCV 4.6 is known to load; anything else in the graph means that batch norm or dropout is still in it.
OPERATORS = {"Conv", "Relu", "MaxPool", "Add", "GlobalAveragePool", "Flatten", "Gemm", "Sigmoid", "Softmax"}
Probabilities = Callable[[torch.Tensor], torch.Tensor]  # of logits, N×classes


def fold(network: torch.nn.Module, sample: list[torch.Tensor], bits: int) -> torch.nn.Module:
    """A copy in eval mode without batch norm; convolutions and dense layers have weights in steps, see round_to_steps().

    Stored they are float32, since OpenCV 4.6 refuses float16; rounded they pack to little more than half the size.
    Biases are few and keep their precision, and take up what rounding shifts on average over the `sample`, batches of
    N×3×H×W as the network takes them (bias correction: Nagel et al., Data-Free Quantization, 2019). ValueError when a
    parameter is not finite.
    """
    exact = _fold_batch_norm(network)
    rounded = copy.deepcopy(exact)
    for name, parameter in rounded.named_parameters():
        if not torch.isfinite(parameter).all():
            raise ValueError(f"{name} holds numbers that are not finite")
        if parameter.ndim > 1:
            parameter.data = round_to_steps(parameter.data, bits)
    _correct_biases(exact, rounded, sample)
    return rounded


def round_to_steps(weights: torch.Tensor, bits: int) -> torch.Tensor:
    """float32 → float32, the nearest multiples of a step of each output channel (the first dimension): its standard
    deviation's power of two, divided by 2 to the power of `bits`."""
    spread = weights.flatten(1).std(1, correction=0).clamp_min(torch.finfo(weights.dtype).tiny)
    step = torch.exp2(torch.floor(torch.log2(spread.double())) - bits).view(-1, *[1] * (weights.ndim - 1))
    return (torch.round(weights / step) * step).float()


def round_significant(values: torch.Tensor, bits: int) -> torch.Tensor:
    """float32 → float32 of `bits` significant bits, the nearest (a tie goes away from zero); the rest are zeros."""
    dropped = 24 - bits
    pattern = values.contiguous().view(torch.int32) + (1 << (dropped - 1))
    return (pattern & ~((1 << dropped) - 1)).view(torch.float32)


def _correct_biases(exact: torch.nn.Module, rounded: torch.nn.Module, sample: list[torch.Tensor]) -> None:
    layers = {name: layer for name, layer in rounded.named_modules() if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)}
    shifts = {name: [] for name in layers}

    def record(name: str):
        def hook(layer, inputs, _) -> None:
            lost = layer.weight - layers[name].weight
            if isinstance(layer, torch.nn.Conv2d):
                shift = torch.nn.functional.conv2d(inputs[0], lost, None, layer.stride, layer.padding).mean((0, 2, 3))
            else:
                shift = torch.nn.functional.linear(inputs[0], lost).mean(0)
            shifts[name].append(shift.double())

        return hook

    hooks = [layer.register_forward_hook(record(name)) for name, layer in exact.named_modules() if name in layers]
    with torch.no_grad():
        for batch in sample:
            exact(batch)
        for name, layer in layers.items():
            layer.bias += torch.stack(shifts[name]).mean(0).float()
    for hook in hooks:
        hook.remove()


def _fold_batch_norm(network: torch.nn.Module) -> torch.nn.Module:
    folded = copy.deepcopy(network).to(memory_format=torch.contiguous_format).eval()
    for parent, convolution, norm in normed_convolutions(folded):
        _fold_pair(parent, convolution, norm)
    return folded.requires_grad_(False)


def _fold_pair(parent: torch.nn.Module, convolution: str, norm: str) -> None:
    conv, batch_norm = getattr(parent, convolution), getattr(parent, norm)
    factor = batch_norm.weight.double() / torch.sqrt(batch_norm.running_var.double() + batch_norm.eps)
    conv.weight = torch.nn.Parameter((conv.weight.double() * factor.view(-1, 1, 1, 1)).float().contiguous())
    conv.bias = torch.nn.Parameter((batch_norm.bias.double() - batch_norm.running_mean.double() * factor).float())
    setattr(parent, norm, torch.nn.Identity())


class _Probability(torch.nn.Module):
    def __init__(self, network: torch.nn.Module, probabilities: Probabilities) -> None:
        super().__init__()
        self.network, self.probabilities = network, probabilities

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.probabilities(self.network(pixels))


def export_onnx(
    folded: torch.nn.Module, probabilities: Probabilities, height: int, width: int, notice: str
) -> bytes:
    """The graph of a folded network, N×3×H×W → N×classes probabilities, N free; `notice` goes into its doc_string.

    The same network gives the same bytes. ValueError when the graph is not what OpenCV loads or not the network given.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the exporter that OpenCV 4.6 understands is the older one
        torch.onnx.export(
            _Probability(folded, probabilities).eval(),
            (torch.zeros(1, 3, height, width),),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
            verbose=False,  # with it the graph would tell source files of this machine
        )
    model = onnx.load_model_from_string(buffer.getvalue())
    model.doc_string = notice
    _check(model, folded)
    return model.SerializeToString(deterministic=True)


def reference_outputs(graph: bytes, batch: torch.Tensor) -> numpy.ndarray:
    """What ONNX's own reference (NumPy, seconds for an image) makes of the exported bytes: N×classes probabilities."""
    evaluator = onnx.reference.ReferenceEvaluator(onnx.load_model_from_string(graph))
    return evaluator.run([OUTPUT], {INPUT: batch.numpy()})[0]


def _check(model: onnx.ModelProto, folded: torch.nn.Module) -> None:
    onnx.checker.check_model(model, full_check=True)
    unknown = {node.op_type for node in model.graph.node} - OPERATORS
    if unknown:
        raise ValueError(f"the exported graph has the operators {', '.join(sorted(unknown))}")
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for name, parameter in folded.named_parameters():
        found = stored.pop(f"network.{name}", None)
        if found is None or found.dtype != numpy.float32 or not numpy.array_equal(found, parameter.numpy()):
            raise ValueError(f"the exported graph does not have the weights of {name}")
    if stored:
        raise ValueError(f"the exported graph has a weight that the network has not: {next(iter(stored))}")
