"""The networks are exactly the tabled ones, and one seed gives one set of initial weights."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mnist_lab.config import KNOBS, RunConfig
from mnist_lab.nn.networks import NETWORKS, build_network, count_parameters, layer_table

# (output, parameters) after each convolution, norm and pooling, as tabled in the sources; norm of the block or None.
TABLE_A = [
    ("conv1", "10 x 28 x 28", 90), ("norm1", "10 x 28 x 28", 20),
    ("conv2", "10 x 26 x 26", 900), ("norm2", "10 x 26 x 26", 20), ("pool1", "10 x 13 x 13", 0),
    ("conv3", "11 x 13 x 13", 990), ("norm3", "11 x 13 x 13", 22),
    ("conv4", "11 x 11 x 11", 1_089), ("norm4", "11 x 11 x 11", 22), ("pool2", "11 x 5 x 5", 0),
    ("conv5", "12 x 5 x 5", 1_188), ("norm5", "12 x 5 x 5", 24),
    ("conv6", "12 x 3 x 3", 1_296), ("norm6", "12 x 3 x 3", 24),
    ("logits", "10 x 1 x 1", 1_080),
]
TABLE_B = [
    ("conv1", "16 x 26 x 26", 144), ("norm1", "16 x 26 x 26", 32),
    ("conv2", "16 x 24 x 24", 2_304), ("norm2", "16 x 24 x 24", 32),
    ("conv3", "16 x 24 x 24", 256), ("pool1", "16 x 12 x 12", 0),
    ("conv4", "16 x 10 x 10", 2_304), ("norm4", "16 x 10 x 10", 32),
    ("conv5", "16 x 8 x 8", 2_304), ("norm5", "16 x 8 x 8", 32),
    ("conv6", "10 x 6 x 6", 1_440), ("norm6", "10 x 6 x 6", 20),
    ("conv7", "10 x 6 x 6", 900), ("norm7", "10 x 6 x 6", 20), ("pool2", "10 x 1 x 1", 0),
    ("logits", "10 x 1 x 1", 100),
]
TABLE_C = [
    ("conv1", "16 x 12 x 12", 400), ("norm1", "16 x 12 x 12", 32),
    ("depthwise2", "16 x 12 x 12", 144), ("conv2", "24 x 12 x 12", 384), ("norm2", "24 x 12 x 12", 48),
    ("depthwise3", "24 x 12 x 12", 216), ("conv3", "24 x 12 x 12", 576), ("norm3", "24 x 12 x 12", 48),
    ("depthwise4", "24 x 12 x 12", 216), ("conv4", "24 x 12 x 12", 576), ("norm4", "24 x 12 x 12", 48),
    ("pool1", "24 x 6 x 6", 0),
    ("depthwise5", "24 x 6 x 6", 216), ("conv5", "32 x 6 x 6", 768), ("norm5", "32 x 6 x 6", 64),
    ("depthwise6", "32 x 6 x 6", 288), ("conv6", "32 x 6 x 6", 1_024), ("norm6", "32 x 6 x 6", 64),
    ("depthwise7", "32 x 6 x 6", 288), ("conv7", "32 x 6 x 6", 1_024), ("norm7", "32 x 6 x 6", 64),
    ("depthwise8", "32 x 6 x 6", 288), ("conv8", "40 x 6 x 6", 1_280), ("norm8", "40 x 6 x 6", 80),
    ("depthwise9", "40 x 1 x 1", 1_440), ("logits", "10 x 1 x 1", 400),
]
IMAGES = torch.randn(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def convolutions(network):
    return {name: p for name, p in network.named_parameters() if p.ndim > 1}


@pytest.mark.parametrize(("network", "table"), [("a", TABLE_A), ("b", TABLE_B), ("c", TABLE_C)])
def test_every_row_is_as_tabled(network, table):
    rows = [r for r in layer_table(build_network(RunConfig(network=network))) if not r.name.startswith("relu")]
    assert [(r.name, r.output, r.parameters) for r in rows] == [*table, ("flatten", "10", 0)]
    assert all(r.trainable == r.parameters for r in rows)


@pytest.mark.parametrize(
    ("network", "with_norm", "norm_parameters"), [("a", 6_765, 132), ("b", 9_920, 168), ("c", 9_976, 448)]
)
@pytest.mark.parametrize("norm", KNOBS["norm"].choices)
def test_parameter_counts(network, with_norm, norm_parameters, norm):
    expected = with_norm - norm_parameters if norm == "none" else with_norm
    built = build_network(RunConfig(network=network, norm=norm, dropout=0.1))
    assert count_parameters(built) == (expected, expected) and expected < 10_000
    assert sum(row.parameters for row in layer_table(built)) == expected
    assert not any(isinstance(module, nn.Linear) for module in built)
    assert all(module.bias is None for module in built if isinstance(module, nn.Conv2d))
    assert KNOBS["network"].choices[network] == f"{network.upper()} ({with_norm:,} parameters with BN)"


def test_source_b_ghost_norm_trains_9836_of_9920():
    network = build_network(RunConfig(network="b", norm="ghost", freeze_gamma=True))
    assert count_parameters(network) == (9_920, 9_836)
    assert sum(row.trainable for row in layer_table(network)) == 9_836


def test_a_block_is_convolution_relu_norm_dropout():
    names = [name for name, _ in build_network(RunConfig(network="b", dropout=0.1)).named_children()]
    assert names[:10] == [
        "conv1", "relu1", "norm1", "dropout1", "conv2", "relu2", "norm2", "dropout2", "conv3", "relu3",
    ]
    assert names[10:12] == ["pool1", "conv4"]
    assert names[-7:] == ["conv7", "relu7", "norm7", "dropout7", "pool2", "logits", "flatten"]


@pytest.mark.parametrize("network", NETWORKS)
def test_it_computes_what_the_table_says(network):
    """Against the network written out with functions, with the weights of the built one."""
    built = build_network(RunConfig(network=network, norm="none"))
    w = dict(built.named_parameters())
    if network == "a":
        x = F.relu(F.conv2d(F.relu(F.conv2d(IMAGES, w["conv1.weight"], padding=1)), w["conv2.weight"]))
        x = F.max_pool2d(x, 2)
        x = F.relu(F.conv2d(F.relu(F.conv2d(x, w["conv3.weight"], padding=1)), w["conv4.weight"]))
        x = F.max_pool2d(x, 2)
        x = F.relu(F.conv2d(F.relu(F.conv2d(x, w["conv5.weight"], padding=1)), w["conv6.weight"]))
    elif network == "c":
        x = F.relu(F.conv2d(IMAGES, w["conv1.weight"], stride=2))
        for number in range(2, 9):
            x = F.conv2d(x, w[f"depthwise{number}.weight"], padding=1, groups=x.shape[1])
            x = F.relu(F.conv2d(x, w[f"conv{number}.weight"]))
            x = F.max_pool2d(x, 2) if number == 4 else x
        x = F.conv2d(x, w["depthwise9.weight"], groups=40)
    else:
        x = IMAGES
        for name in ("conv1", "conv2", "conv3"):
            x = F.relu(F.conv2d(x, w[f"{name}.weight"]))
        x = F.max_pool2d(x, 2)
        for name in ("conv4", "conv5", "conv6"):
            x = F.relu(F.conv2d(x, w[f"{name}.weight"]))
        x = F.avg_pool2d(F.relu(F.conv2d(x, w["conv7.weight"], padding=1)), 6)
    expected = F.conv2d(x, w["logits.weight"]).flatten(1)
    assert expected.shape == (6, 10)
    torch.testing.assert_close(built(IMAGES), expected, rtol=1e-4, atol=1e-5)


def test_the_norm_follows_the_relu():
    network = build_network(RunConfig(network="b")).train()
    seen = {}
    network.norm1.register_forward_pre_hook(lambda _module, inputs: seen.update(x=inputs[0].detach().clone()))
    network(IMAGES)
    assert seen["x"].min() == 0


@pytest.mark.parametrize("network", NETWORKS)
def test_initial_weights_are_pytorchs_own(network):
    built = build_network(RunConfig(network=network, seed=7))
    with torch.random.fork_rng():
        torch.manual_seed(7)
        own = [
            nn.Conv2d(m.in_channels, m.out_channels, m.kernel_size, groups=m.groups, bias=False).weight
            for m in built if isinstance(m, nn.Conv2d)
        ]
    assert all(torch.equal(a, b) for a, b in zip(convolutions(built).values(), own, strict=True))


@pytest.mark.parametrize("network", NETWORKS)
def test_one_seed_gives_every_arm_the_same_convolutions(network):
    base = RunConfig(network=network, seed=3)
    expected = convolutions(build_network(base))
    for changes in (*({"norm": norm} for norm in KNOBS["norm"].choices), {"dropout": 0.2}, {"num_splits": 16}):
        arm = convolutions(build_network(base.replace(**changes)))
        assert arm.keys() == expected.keys()
        assert all(torch.equal(arm[name], expected[name]) for name in arm)
    other = convolutions(build_network(base.replace(seed=4)))
    assert not torch.equal(other["conv1.weight"], expected["conv1.weight"])


def test_building_touches_no_other_random_state():
    state = torch.get_rng_state()
    build_network(RunConfig(dropout=0.1, norm="ghost"))
    assert torch.equal(torch.get_rng_state(), state)


def test_dropout_changes_neither_the_state_nor_the_numbering():
    without, with_dropout = (build_network(RunConfig(dropout=p)) for p in (0.0, 0.3))
    assert list(without.state_dict()) == list(with_dropout.state_dict())
    layers = {name: module.layer for name, module in with_dropout.named_children() if name.startswith("dropout")}
    assert layers == {"dropout1": 1, "dropout2": 2, "dropout4": 4, "dropout5": 5, "dropout6": 6, "dropout7": 7}


@pytest.mark.parametrize("norm", KNOBS["norm"].choices)
@pytest.mark.parametrize("network", NETWORKS)
def test_every_norm_trains_in_channels_last(network, norm):
    built = build_network(RunConfig(network=network, norm=norm, dropout=0.1)).to(memory_format=torch.channels_last)
    loss = F.cross_entropy(built(IMAGES), torch.arange(6))
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in built.parameters())


def test_the_layer_table_leaves_the_module_as_it_was():
    network = build_network(RunConfig(norm="ghost", freeze_gamma=True, dropout=0.1))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    rows = {row.name: row.text for row in layer_table(network)}
    assert rows["conv2"] == "conv 3x3, 16 -> 16"
    assert rows["conv7"] == "conv 3x3, 10 -> 10, padding 1"
    assert rows["norm1"] == "ghost batch norm, 4 splits, gamma frozen"
    assert (rows["pool1"], rows["pool2"]) == ("max pool 2x2", "average pool 6x6")
    assert (rows["relu1"], rows["dropout1"], rows["flatten"]) == ("ReLU", "dropout 0.1", "flatten")
    rows = {row.name: row.text for row in layer_table(build_network(RunConfig(network="c")))}
    assert rows["conv1"] == "conv 5x5, 1 -> 16, stride 2" and rows["conv2"] == "conv 1x1, 16 -> 24"
    assert rows["depthwise2"] == "conv 3x3, 16 each by itself, padding 1"
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
