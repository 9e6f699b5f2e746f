"""What a user would write in Python in place of skincheck: files to scores, with the same network.

    score.py PEER MODEL LIST [--threads N]

PEER is one of

    onnxruntime            one session whose threads are the cores; a thread pool decodes ahead
    onnxruntime-per-core   a session of one thread for each core, each on a worker that also decodes
    torch-fp32, torch-bf16 batches of 32 on the CPU, DataLoader workers decode (channels_last; bf16 by autocast)
    cuda-fp16              the same on a card, float16 by autocast
    cuda-fp16-compiled     the same through torch.compile

MODEL is a package's folder, LIST a file with a path on each line. Pillow decodes, resizes the shorter side with its
bilinear filter and crops the middle, as timm and torchvision do. Prints a line for each image, path and score, as it
is known; the order does not matter to the driver.
"""

import argparse
import concurrent.futures
import json
import pathlib
import queue
import threading

import numpy
from PIL import Image

PEERS = ("onnxruntime", "onnxruntime-per-core", "torch-fp32", "torch-bf16", "cuda-fp16", "cuda-fp16-compiled")
BATCH = 32  # of PyTorch; larger ones gained nothing on the CPU


class Package:
    def __init__(self, folder: pathlib.Path) -> None:
        self.spec = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        self.side = self.spec["input"]["height"]
        normalise = self.spec["normalise"]
        self.mean = numpy.array(normalise["mean"], numpy.float32)
        self.std = numpy.array(normalise["std"], numpy.float32)
        packed = folder / "model.onnx.zst"
        if packed.exists():
            import zstandard

            self.onnx = zstandard.ZstdDecompressor().decompress(packed.read_bytes())
        else:
            self.onnx = (folder / "model.onnx").read_bytes()

    def load(self, path: str) -> numpy.ndarray:
        """float32 3×H×W, as the network takes it."""
        with Image.open(path) as image:
            image = image.convert("RGB")
        scale = self.side / min(image.size)
        image = image.resize([max(self.side, round(length * scale)) for length in image.size], Image.Resampling.BILINEAR)
        left, top = ((length - self.side) // 2 for length in image.size)
        image = image.crop((left, top, left + self.side, top + self.side))
        pixels = numpy.asarray(image, numpy.float32) / 255
        return ((pixels - self.mean) / self.std).transpose(2, 0, 1)


def session_of(package: Package, threads: int):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(package.onnx, options, providers=["CPUExecutionProvider"])


def with_one_session(package: Package, paths: list[str], threads: int) -> None:
    session = session_of(package, threads)
    name = package.spec["input"]["name"]
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        waiting = queue.SimpleQueue()
        ahead = iter(paths)

        def begin() -> None:
            if (path := next(ahead, None)) is not None:
                waiting.put((path, pool.submit(package.load, path)))

        for _ in range(4 * threads):
            begin()
        for _ in paths:
            path, blob = waiting.get()
            begin()
            print(path, session.run(None, {name: blob.result()[None]})[0].item(), flush=True)


def with_a_session_per_core(package: Package, paths: list[str], threads: int) -> None:
    name = package.spec["input"]["name"]
    local = threading.local()

    def score(path: str) -> str:
        if not hasattr(local, "session"):
            local.session = session_of(package, 1)
        return f"{path} {local.session.run(None, {name: package.load(path)[None]})[0].item()}"

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for line in pool.map(score, paths):
            print(line, flush=True)


def torch_network(package: Package):
    """torchvision's ResNet-50 with the weights of the package, whose batch norm is folded into the convolutions."""
    import onnx
    import onnx.numpy_helper
    import torch
    import torchvision

    network = torchvision.models.resnet50(weights=None, norm_layer=lambda _: torch.nn.Identity())
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, torch.nn.Conv2d):
                child.bias = torch.nn.Parameter(torch.zeros(child.out_channels))
    initializers = onnx.load_from_string(package.onnx).graph.initializer
    state = {i.name.removeprefix("network."): torch.from_numpy(onnx.numpy_helper.to_array(i).copy()) for i in initializers}
    hidden, features = state["fc.0.weight"].shape
    network.fc = torch.nn.Sequential(
        torch.nn.Linear(features, hidden), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(hidden, 1), torch.nn.Sigmoid()
    )
    network.load_state_dict(state)
    return network.eval().to(memory_format=torch.channels_last)


def with_torch(package: Package, paths: list[str], threads: int, peer: str) -> None:
    import torch

    class Images(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(paths)

        def __getitem__(self, index: int):
            return index, torch.from_numpy(package.load(paths[index]))

    on_card = peer.startswith("cuda")
    device = "cuda" if on_card else "cpu"
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = on_card
    network = torch_network(package).to(device)
    if peer.endswith("compiled"):
        network = torch.compile(network)
    loader = torch.utils.data.DataLoader(
        Images(), BATCH * 4 if on_card else BATCH, num_workers=threads, pin_memory=on_card
    )
    kind = torch.bfloat16 if peer == "torch-bf16" else torch.float16
    with torch.inference_mode(), torch.autocast(device, kind, enabled=peer != "torch-fp32"):
        for indices, batch in loader:
            batch = batch.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)
            for index, score in zip(indices.tolist(), network(batch)[:, 0].float().tolist(), strict=True):
                print(paths[index], score, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("list", type=pathlib.Path)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    package, paths = Package(options.model), options.list.read_text().splitlines()
    if options.peer == "onnxruntime":
        with_one_session(package, paths, options.threads)
    elif options.peer == "onnxruntime-per-core":
        with_a_session_per_core(package, paths, options.threads)
    else:
        with_torch(package, paths, options.threads, options.peer)


if __name__ == "__main__":
    main()
