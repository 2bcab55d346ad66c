"""A trained network as an ONNX file, for whoever wants to use it outside PyTorch. Needs optional packages."""

from __future__ import annotations

import importlib.util
import io

from mnist_lab.runs.record import RunError, RunRecord

NEEDED = ("onnx", "onnxscript")  # what torch.onnx.export itself imports
TOLERANCE = 1e-4  # of the largest logit; float32 sums in another order differ by some 1e-6 of it


def missing_packages() -> list[str]:
    """The optional packages that are not installed; empty when an ONNX file can be made."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def to_onnx(record: RunRecord) -> bytes:
    """The network of a run as an ONNX file, checked against PyTorch on a few images.

    Input `images` is float32 [N, 1, 28, 28] from 0 (background) to 1 (ink): normalization is part of the file. Output
    `logits` is float32 [N, 10]. Takes some seconds.

    Raises:
        RunError: packages are missing, the run has no weights, or the file does not give PyTorch's answers.
    """
    if missing := missing_packages():
        raise RunError(f"An ONNX file needs: pip install {' '.join(missing)}")
    import torch

    network = _network(record)
    images = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    program = torch.onnx.export(
        network, (images,), input_names=["images"], output_names=["logits"], dynamo=True, verbose=False,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    file = io.BytesIO()
    program.save(file)
    # Another batch size than the one exported with: that it may vary is part of what is checked.
    _check(file.getvalue(), network, torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(1)))
    return file.getvalue()


def _network(record: RunRecord):
    from torch import nn

    from mnist_lab.data.augment import normalise
    from mnist_lab.nn.networks import build_network

    class Normalised(nn.Module):
        def __init__(self, network: nn.Module):
            super().__init__()
            self.network = network

        def forward(self, images):
            return self.network(normalise(images))

    network = build_network(record.config)
    network.load_state_dict(record.weights())
    return Normalised(network).eval()


def _check(file: bytes, network, images) -> None:
    import onnx
    import torch
    from onnx.reference import ReferenceEvaluator

    model = onnx.load_from_string(file)
    onnx.checker.check_model(model)
    (logits,) = ReferenceEvaluator(model).run(None, {"images": images.numpy()})
    with torch.no_grad():
        expected = network(images)
    difference = (torch.from_numpy(logits) - expected).abs().max().item()
    if not difference < TOLERANCE * max(1.0, expected.abs().max().item()):
        raise RunError(f"The ONNX file gives other answers than PyTorch (logits differ by up to {difference:.2g}).")
