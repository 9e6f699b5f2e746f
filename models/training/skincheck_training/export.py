"""A trained network → the bytes of model.onnx: batch norm folded, weights of float16 precision, sigmoid inside."""

import copy
import io
import warnings

import numpy
import onnx
import onnx.reference
import torch

OPSET = 13
INPUT, OUTPUT = "input", "probability"
# What OpenCV 4.6 is known to load; anything else in the graph means that batch norm or dropout is still in it.
OPERATORS = {"Conv", "Relu", "MaxPool", "Add", "GlobalAveragePool", "Flatten", "Gemm", "Sigmoid"}


def fold(network: torch.nn.Module) -> torch.nn.Module:
    """A copy in eval mode without batch norm; convolutions and dense layers have weights of float16 precision.

    Stored they are float32, since OpenCV 4.6 refuses float16; rounded they pack to half the size. Biases are few and
    keep their precision. ValueError when a weight does not fit into float16.
    """
    folded = copy.deepcopy(network).to(memory_format=torch.contiguous_format).eval()
    _fold_pair(folded, "conv1", "bn1")
    for layer in (folded.layer1, folded.layer2, folded.layer3, folded.layer4):
        for block in layer:
            for number in (1, 2, 3):
                _fold_pair(block, f"conv{number}", f"bn{number}")
            if block.downsample is not None:
                _fold_pair(block.downsample, "0", "1")
    for name, parameter in folded.named_parameters():
        if parameter.ndim > 1:
            parameter.data = parameter.data.half().float()
        if not torch.isfinite(parameter).all():
            raise ValueError(f"the weights of {name} do not fit into float16")
    return folded.requires_grad_(False)


def _fold_pair(parent: torch.nn.Module, convolution: str, norm: str) -> None:
    conv, batch_norm = getattr(parent, convolution), getattr(parent, norm)
    factor = batch_norm.weight.double() / torch.sqrt(batch_norm.running_var.double() + batch_norm.eps)
    conv.weight = torch.nn.Parameter((conv.weight.double() * factor.view(-1, 1, 1, 1)).float().contiguous())
    conv.bias = torch.nn.Parameter((batch_norm.bias.double() - batch_norm.running_mean.double() * factor).float())
    setattr(parent, norm, torch.nn.Identity())


class _Probability(torch.nn.Module):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.network(pixels))


def export_onnx(folded: torch.nn.Module, height: int, width: int, notice: str) -> bytes:
    """The graph of a folded network, N×3×H×W → N×1 probabilities, N free; `notice` goes into its doc_string.

    The same network gives the same bytes. ValueError when the graph is not what OpenCV loads or not the network given.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the exporter that OpenCV 4.6 understands is the older one
        torch.onnx.export(
            _Probability(folded).eval(),
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
    """What ONNX's own reference (NumPy, seconds for an image) makes of the exported bytes: N probabilities."""
    evaluator = onnx.reference.ReferenceEvaluator(onnx.load_model_from_string(graph))
    return evaluator.run([OUTPUT], {INPUT: batch.numpy()})[0].reshape(-1)


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
