"""Smooth random displacements: what bends a digit as no turn, shift or slant can.

Simard, Steinkraus, Platt 2003, "Best practices for convolutional neural networks applied to visual document
analysis": uniform noise, smoothed with a Gaussian. Here the noise sits on a coarse grid (98 draws an image instead of
1,568), which the smoothing hides, and the displacement is equally large everywhere, at the image's edge too.
"""

from __future__ import annotations

import torch
from torch import Tensor

SIZE = 28
KNOTS = 7  # the grid has a point every four pixels
SMOOTH = 4.0  # standard deviation of the Gaussian, in pixels


def displacements(count: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """How far each pixel of each image is moved, right and down: [count, 2, 28, 28] with standard deviation 1.

    The numbers come from the CPU `generator`, 98 for each image, one image after another.
    """
    noise = torch.rand(count, 2, KNOTS, KNOTS, generator=generator).sub_(0.5).mul_(12**0.5)
    weights = _weights()
    with torch.autocast("cpu", enabled=False):  # a coordinate must not be rounded
        smooth = weights @ noise @ weights.t()
    return smooth.to(device, non_blocking=True)


def _weights() -> Tensor:
    """What each point of the grid adds to each pixel along one axis: [28, 7], the squares of a row add up to 1.

    So a pixel's displacement, a sum of independent numbers with variance 1, has variance 1 as well.
    """
    pixels = torch.arange(SIZE)
    knots = (torch.arange(KNOTS) + 0.5) * (SIZE / KNOTS) - 0.5
    weights = torch.exp(-((pixels.unsqueeze(1) - knots) ** 2) / (2 * SMOOTH**2))
    return weights / weights.norm(dim=1, keepdim=True)
