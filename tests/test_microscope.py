"""Feature maps, saliency and features against what the network itself says."""

from __future__ import annotations

import pytest
import torch

from mnist_lab.config import RunConfig
from mnist_lab.data.augment import normalise, to_unit
from mnist_lab.evaluation import predict_logits
from mnist_lab.microscope import feature_maps, gradient_saliency, last_features, occlusion_saliency
from mnist_lab.nn.networks import build_network, layer_table

CONFIGS = {
    "a": RunConfig(network="a", dropout=0.1), "b": RunConfig(network="b", norm="ghost", num_splits=4),
    "c": RunConfig(network="c"),
}


@pytest.fixture(params=["a", "b", "c"])
def module(request):
    network = build_network(CONFIGS[request.param])
    for _ in range(20):  # in training mode, so that the norms have seen how large their inputs are
        network(normalise(to_unit(images(8))))
    return network


def images(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 28, 28), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)


def test_feature_maps_are_those_of_the_layers_in_order(module):
    image = images(1)[0]
    maps = feature_maps(module, image)
    shapes = [" x ".join(str(size) for size in output.shape) for _, output in maps]
    table = [row for row in layer_table(module) if not row.name.startswith(("dropout", "flatten"))]
    assert [(name, shape) for (name, _), shape in zip(maps, shapes, strict=True)] == [
        (row.name, row.output) for row in table
    ]
    found = dict(maps)
    assert torch.equal(found["logits"].flatten(), predict_logits(module, image[None])[0])
    assert found["conv1"].min() < 0 and torch.equal(found["relu1"], found["conv1"].relu())  # not written over


def test_gradient_saliency_is_the_slope_of_the_score(module):
    image = images(1)[0]
    saliency = gradient_saliency(module, image, digit=3)
    assert saliency.shape == (28, 28) and not saliency.requires_grad
    row, column = divmod(int(saliency.argmax()), 28)
    double = module.double().eval()
    steps = to_unit(image[None]).double().repeat(2, 1, 1, 1)
    steps[0, 0, row, column] -= 1e-7
    steps[1, 0, row, column] += 1e-7
    low, high = double(normalise(steps))[:, 3]
    assert saliency[row, column].item() == pytest.approx(abs(high - low).item() / 2e-7, rel=1e-3)
    assert all(parameter.grad is None for parameter in module.parameters())


@pytest.mark.parametrize("size", [1, 3, 5])
def test_occlusion_is_what_hiding_costs(module, size):
    image = images(1)[0]
    saliency = occlusion_saliency(module, image, digit=7, size=size)
    half = size // 2
    for row, column in [(0, 0), (13, 20), (27, 27)]:
        hidden = image.clone()
        hidden[max(row - half, 0):row + half + 1, max(column - half, 0):column + half + 1] = 0
        before, after = predict_logits(module, torch.stack([image, hidden])).log_softmax(1)[:, 7]
        assert saliency[row, column].item() == pytest.approx((before - after).item(), abs=1e-4)


def test_what_hides_nothing_costs_nothing(module):
    image = torch.zeros(28, 28, dtype=torch.uint8)
    image[10:18, 10:18] = 255
    saliency = occlusion_saliency(module, image, digit=0)
    assert saliency[:7].abs().max() < 1e-5 < saliency[14, 14].abs()


def test_last_features_lead_to_the_logits(module):
    few = images(600)  # more than one batch
    features = last_features(module, few)
    weight = module.get_submodule("logits").weight.detach().flatten(1)
    assert torch.allclose(features @ weight.T, predict_logits(module, few), atol=1e-4)


@pytest.mark.parametrize("look", [
    lambda module, image: feature_maps(module, image), lambda module, image: gradient_saliency(module, image, 1),
    lambda module, image: last_features(module, image[None]),
])
def test_the_module_and_its_mode_are_left_as_they_were(module, look):
    before = {name: value.clone() for name, value in module.state_dict().items()}
    look(module, images(1)[0])
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
