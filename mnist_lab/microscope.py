"""Inside a trained network: what its layers make of an image, where it looks, and how it describes images.

A network is the flat chain of layers that `nn.networks.build_network` makes, on any device. The layers are called one
after another, without hooks, so that several sessions may look into the same module at once; keep it in evaluation
mode for that. Images are uint8 in 0..255; everything returned is float32 on the CPU.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_lab.data.augment import normalise, to_unit
from mnist_lab.evaluation import BATCH, predict_logits
from mnist_lab.nn.dropout import Dropout

LOGITS = "logits"  # the name of the layer whose output they are


def feature_maps(module: nn.Module, image: Tensor) -> list[tuple[str, Tensor]]:
    """What every layer makes of one image uint8 [28, 28]: its name and its output [C, H, W], in the order they run.

    Dropout and flattening change nothing and are left out.
    """
    maps = []
    with _evaluating(module), torch.no_grad():
        signal = _input(module, image.unsqueeze(0))
        for name, layer in module.named_children():
            signal = layer(signal)
            if not isinstance(layer, Dropout | nn.Flatten):
                maps.append((name, signal[0].to("cpu", copy=True)))  # the next layer may write over it
    return maps


def gradient_saliency(module: nn.Module, image: Tensor, digit: int) -> Tensor:
    """How much each pixel of an image uint8 [28, 28] moves the score of `digit`: |d logit / d pixel|, [28, 28].

    Simonyan, Vedaldi, Zisserman 2013, arXiv 1312.6034. A pixel runs from 0 to 1.
    """
    pixels = to_unit(image.unsqueeze(0).to(_device(module))).requires_grad_()
    with _evaluating(module), torch.enable_grad():
        (slope,) = torch.autograd.grad(module(normalise(pixels))[0, digit], pixels)
    return slope[0, 0].abs().cpu()


def occlusion_saliency(module: nn.Module, image: Tensor, digit: int, size: int = 5) -> Tensor:
    """What hiding the surroundings of each pixel costs: the fall of ln(probability of `digit`), in nats, [28, 28].

    The surroundings are `size` x `size` pixels, made background. Below 0 where the digit is more likely without them.
    The logarithm, because the probability itself hardly moves while the network is sure. Zeiler and Fergus 2013,
    arXiv 1311.2901.
    """
    hidden = image.cpu().repeat(image.numel(), 1, 1)
    rows, columns = (torch.arange(length) for length in image.shape)
    near_rows, near_columns = ((_distance(axis) <= size // 2) for axis in (rows, columns))
    patches = near_rows[:, None, :, None] & near_columns[None, :, None, :]  # [row, column of the centre, row, column]
    hidden[patches.flatten(0, 1)] = 0
    logits = predict_logits(module, torch.cat([image.cpu().unsqueeze(0), hidden]))
    chances = F.log_softmax(logits, 1)[:, digit]
    return (chances[0] - chances[1:]).view(image.shape)


def last_features(module: nn.Module, images: Tensor) -> Tensor:
    """The numbers by which the network describes images uint8 [N, 28, 28], right before the logits: [N, F].

    F is 108 for network A, 10 for B and 40 for C.
    """
    features = []
    with _evaluating(module), torch.no_grad():
        for batch in images.split(BATCH):
            signal = _input(module, batch)
            for name, layer in module.named_children():
                if name == LOGITS:
                    break
                signal = layer(signal)
            features.append(signal.flatten(1).cpu())
    return torch.cat(features)


def _distance(axis: Tensor) -> Tensor:
    return (axis[:, None] - axis[None, :]).abs()


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device


def _input(module: nn.Module, images: Tensor) -> Tensor:
    return normalise(to_unit(images.to(_device(module))))


@contextlib.contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """In evaluation mode and float32 for a while, as `evaluation.predict_logits` has it."""
    was_training = module.training
    module.eval()
    try:
        with torch.autocast(_device(module).type, enabled=False):
            yield
    finally:
        module.train(was_training)
