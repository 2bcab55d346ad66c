"""Random changes to the training images, a whole batch at a time and on the device.

What each knob does is what torchvision's `RandomAffine` and `ColorJitter` do to a float tensor, with two differences,
both meant: a shift need not be a whole number of pixels, and what comes in from outside the image is background (0),
where source A's first rotation filled with 1.

Interpolation is bilinear, or takes the nearest pixel as torchvision does by default, and so source A did. A second
rotation is added to the first: without shear, turning twice is turning by the sum, and the image is interpolated once.
Not so with the nearest pixel: taking it twice tears a stroke twice, as in source A. Elastic bending (`elastic.py`)
moves the points at which pixels are looked up.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mnist_lab.config import RunConfig
from mnist_lab.config_forms import is_augmented
from mnist_lab.data.elastic import displacements

MEAN, STD = 0.1307, 0.3081  # of the 60,000 training images' pixels in 0..1, as in both sources
BLOCK = 1024  # images changed at once on a CPU: few enough to stay in its cache, enough to hide what a call costs


def to_unit(images: Tensor) -> Tensor:
    """uint8 [N, 28, 28] in 0..255 as float32 [N, 1, 28, 28] in 0..1, as torchvision's `ToTensor` does."""
    return images.unsqueeze(1).to(torch.float32).div_(255)


def normalise(images: Tensor) -> Tensor:
    """Images in 0..1 with the training set's mean taken off and its standard deviation divided out; any shape."""
    return images.sub(MEAN).div_(STD)


class Parameters(NamedTuple):
    """What happens to each image: float32 tensors [N], named and signed as in `torchvision.transforms.functional`.

    `angle` (clockwise) and `shear` are in degrees, `shift_x` (right) and `shift_y` (down) in image widths; `scale`,
    `brightness` and `contrast` are factors. Contrast comes before brightness where `order` is below 0.5.
    """

    angle: Tensor
    shift_x: Tensor
    shift_y: Tensor
    scale: Tensor
    shear: Tensor
    brightness: Tensor
    contrast: Tensor
    order: Tensor


class Augment:
    """Changes images at random as a config says. Every image draws nine numbers, whichever knobs are on.

    So runs that differ in one knob share all other randomness, and one generator state gives the same changes on
    every device, whether the images come in one call or in several. `is_identity` says that nothing ever changes.
    Bending takes many more numbers, from a generator of its own.
    """

    def __init__(self, config: RunConfig, device: torch.device | str):
        self.is_identity = not is_augmented(config)
        self._device = torch.device(device)
        self._moves = any((config.rotation, config.second_rotation, config.translation, config.scale, config.shear))
        self._jitters = bool(config.brightness or config.contrast)
        self._elastic = config.elastic
        self._mode = config.interpolation
        self._turns_first = config.interpolation == "nearest" and config.rotation > 0 and config.second_rotation > 0
        low, high = torch.tensor(_ranges(config)).unbind(1)
        self._low, self._span = low, high - low

    def __call__(self, images: Tensor, generator: torch.Generator, bending: torch.Generator) -> Tensor:
        """Changed copies of float32 images [N, 1, 28, 28] in 0..1 on this device.

        The generators are CPU ones; neither is advanced (and the images themselves are returned) by the identity.
        `bending` is used only where the config asks for elastic bending.
        """
        if self.is_identity:
            return images
        stages = self.parameters(len(images), generator)
        if self._device.type != "cpu":
            return self._change(images, stages, bending)
        changed = torch.empty_like(images)
        for start in range(0, len(images), BLOCK):
            block = slice(start, start + BLOCK)
            own = [Parameters(*(values[block] for values in stage)) for stage in stages]
            changed[block] = self._change(images[block], own, bending)
        return changed

    def parameters(self, count: int, generator: torch.Generator) -> list[Parameters]:
        """What the next `count` images go through, one stage after the other."""
        first_turn, second_turn, *others = self._draw(count, generator)
        if self._turns_first:
            return [turn(first_turn), Parameters(second_turn, *others)]
        return [Parameters(first_turn + second_turn, *others)]

    def _draw(self, count: int, generator: torch.Generator) -> Tensor:
        """The next draws [9, count]: made on the CPU, moved to the device in one copy."""
        draws = torch.rand(count, len(self._low), generator=generator).mul_(self._span).add_(self._low)
        return draws.t().contiguous().to(self._device, non_blocking=True)

    def _change(self, images: Tensor, stages: list[Parameters], bending: torch.Generator) -> Tensor:
        *turns, last = stages
        for first_turn in turns:
            images = affine(images, first_turn, mode=self._mode)
        if self._elastic:
            bends = displacements(len(images), bending, self._device).mul_(self._elastic)
            images = affine(images, last, bends, self._mode)
        elif self._moves:
            images = affine(images, last, mode=self._mode)
        return jitter(images, last) if self._jitters else images


def _ranges(config: RunConfig) -> list[tuple[float, float]]:
    """Lowest and highest value of each of the nine draws."""

    def around(middle: float, width: float) -> tuple[float, float]:
        return middle - width, middle + width

    return [
        around(0, config.rotation), around(0, config.second_rotation), around(0, config.translation),
        around(0, config.translation), around(1, config.scale), around(0, config.shear),
        around(1, config.brightness), around(1, config.contrast), (0, 1),
    ]  # fmt: skip


def turn(angle: Tensor) -> Parameters:
    """Parameters that only turn, by `angle` [N] in degrees."""
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    return Parameters(angle, zero, zero, one, zero, one, one, zero)


def affine(images: Tensor, parameters: Parameters, bends: Tensor | None = None, mode: str = "bilinear") -> Tensor:
    """Turned, shifted, scaled and slanted about the image's centre; background where nothing was.

    The same map as `torchvision.transforms.functional.affine` with that interpolation, "bilinear" or "nearest", and an
    own one per image. `bends` [N, 2, 28, 28] says how many pixels further right and down each point is looked up.
    """
    size = images.shape[-1]
    linear, offset = _inverse(parameters)
    centres = (torch.arange(size, device=images.device) * 2 + 1) / size - 1  # of the pixels, the image being -1..1
    across = linear[:, :, :1] * centres
    down = linear[:, :, 1:] * centres + offset
    # x and y each in a plane of their own: grid_sample then loads them side by side, which makes the whole of
    # `affine` four times faster on a CPU than with affine_grid's x, y, x, y, ...
    grid = down.unsqueeze(3) + across.unsqueeze(2)
    if bends is not None:
        grid = grid.add_(bends, alpha=2 / size)
    changed = F.grid_sample(images, grid.permute(0, 2, 3, 1), mode, padding_mode="zeros", align_corners=False)
    return changed.clamp_(0, 1)  # the four weights add up to 1 but for rounding


def _inverse(parameters: Parameters) -> tuple[Tensor, Tensor]:
    """Where each output pixel comes from: [N, 2, 2] and [N, 2, 1], in half image widths from the centre.

    Elementwise only, so that autocast or TF32 never rounds a coordinate.
    """
    angle, slant = torch.deg2rad(parameters.angle), torch.tan(torch.deg2rad(parameters.shear))
    cos, sin = torch.cos(angle), torch.sin(angle)
    linear = torch.stack([cos - sin * slant, cos * slant + sin, -sin, cos], dim=1) / parameters.scale.unsqueeze(1)
    linear = linear.view(-1, 2, 2)
    shift = 2 * torch.stack([parameters.shift_x, parameters.shift_y], dim=1)
    return linear, -(linear * shift.unsqueeze(1)).sum(2, keepdim=True)


def jitter(images: Tensor, parameters: Parameters) -> Tensor:
    """Brightness and contrast as torchvision's `ColorJitter` changes them, each image in its own order.

    Both are a mix, cut to 0..1: brightness with black, contrast with the image's own mean.
    """
    brightness, contrast = parameters.brightness, parameters.contrast
    contrast_first = parameters.order < 0.5
    pixels = images.flatten(1)
    for is_contrast in (contrast_first, ~contrast_first):
        factor = torch.where(is_contrast, contrast, brightness)
        lift = torch.where(is_contrast, (1 - contrast) * pixels.mean(1), 0.0)
        pixels = pixels.mul(factor.unsqueeze(1)).add_(lift.unsqueeze(1)).clamp_(0, 1)
    return pixels.view_as(images)
