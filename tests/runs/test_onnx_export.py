"""A run as an ONNX file: what it needs, and that it answers as the network does, for every norm."""

from __future__ import annotations

import pytest
import torch

from mnist_lab.config import RunConfig
from mnist_lab.nn.networks import build_network
from mnist_lab.runs import onnx_export
from mnist_lab.runs.record import RunError


class Record:
    """The two things of a run's record that the export looks at."""

    def __init__(self, config: RunConfig):
        self.config = config
        network = build_network(config)
        with torch.no_grad():
            for value in network.state_dict().values():
                if value.is_floating_point():
                    value.add_(0.1 * torch.rand(value.shape, generator=torch.Generator().manual_seed(0)))
        self._weights = network.state_dict()

    def weights(self):
        return self._weights


def test_a_missing_package_is_named(monkeypatch):
    there = {"onnx": object(), "onnxscript": None}
    monkeypatch.setattr(onnx_export.importlib.util, "find_spec", there.get)
    assert onnx_export.missing_packages() == ["onnxscript"]
    with pytest.raises(RunError, match="pip install onnxscript"):
        onnx_export.to_onnx(Record(RunConfig()))


@pytest.mark.parametrize("norm", ["batch", "ghost", "group"])
def test_the_file_answers_as_the_network_does(norm):
    pytest.importorskip("onnxscript")
    record = Record(RunConfig(norm=norm, dropout=0.1))
    file = onnx_export.to_onnx(record)
    network = onnx_export._network(record)
    images = torch.rand(4, 1, 28, 28)
    onnx_export._check(file, network, images)
    with torch.no_grad():
        next(network.parameters()).add_(1.0)
    with pytest.raises(RunError, match="other answers"):
        onnx_export._check(file, network, images)
