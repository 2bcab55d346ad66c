"""What happens to the images between the data set and the network."""

from __future__ import annotations

import torch
from torch import Tensor

MEAN, STD = 0.1307, 0.3081  # of the 60,000 training images' pixels in 0..1, as both sources and PyTorch's example have


def to_unit(images: Tensor) -> Tensor:
    """uint8 [N, 28, 28] in 0..255 as float32 [N, 1, 28, 28] in 0..1, as torchvision's `ToTensor` does."""
    return images.unsqueeze(1).to(torch.float32).div_(255)


def normalise(images: Tensor) -> Tensor:
    """Images in 0..1 with the training set's mean taken off and its standard deviation divided out."""
    return (images - MEAN) / STD
