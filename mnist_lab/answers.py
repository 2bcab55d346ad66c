"""What networks say about a digit, all at once, and how sure one of them stays while the digit is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mnist_lab.data.augment import Parameters, affine, to_unit
from mnist_lab.device import one_thread
from mnist_lab.digitize import fitting
from mnist_lab.evaluation import predict_logits
from mnist_lab.joined import joined, kind

SHIFTS = tuple(range(-8, 9))  # pixels of 28
TURNS = tuple(range(-60, 61, 10))  # degrees
WIDTHS = tuple(step / 2 for step in range(-4, 9))  # pixels of 28 that a stroke gets wider
FINE = 4  # times: the size at which strokes are made wider


@dataclass(frozen=True, eq=False)
class Curve:
    """How sure a network is of a digit while the image is changed.

    `values` [K] are the changes, in the unit of `title`; `probabilities` [K] are those of the digit; `images` uint8
    [K, 28, 28].
    """

    name: str
    title: str
    values: tuple[float, ...]
    probabilities: np.ndarray
    images: Tensor


def probabilities(networks: Sequence[nn.Module], images: Tensor) -> Tensor:
    """What each network says about each image uint8 [N, 28, 28]: float32 [networks, N, 10].

    Networks of the same layers are asked as one: for a single image, what takes long is not the arithmetic but that
    threads wait for each other, layer by layer.
    """
    alike: dict[tuple[str, ...], list[int]] = {}
    for number, network in enumerate(networks):
        alike.setdefault(kind(network), []).append(number)
    found = torch.empty(len(networks), len(images), 10)
    with one_thread():
        for numbers in alike.values():
            together = joined(tuple(networks[number] for number in numbers))
            logits = predict_logits(together, images) if together else None
            for place, number in enumerate(numbers):
                own = predict_logits(networks[number], images) if logits is None else logits[:, place]
                found[number] = own.softmax(1)
    return found


def curves(network: nn.Module, image: Tensor, digit: int) -> list[Curve]:
    """How sure `network` stays of `digit` while an image uint8 [28, 28] is shifted, turned and written with other pens.

    All changed images go through the network at once.
    """
    changes = [
        ("shift_x", "Shift to the right (pixels of 28)", SHIFTS, _moved(image, shift_x=SHIFTS)),
        ("shift_y", "Shift down (pixels of 28)", SHIFTS, _moved(image, shift_y=SHIFTS)),
        ("rotation", "Turn clockwise (degrees)", TURNS, _moved(image, angle=TURNS)),
        ("thickness", "Strokes wider by (pixels of 28)", WIDTHS, _rewritten(image)),
    ]
    sure = probabilities([network], torch.cat([images for *_, images in changes]))[0, :, digit].numpy()
    ends = np.cumsum([len(values) for _, _, values, _ in changes])[:-1]
    return [
        Curve(name, title, values, part, images)
        for (name, title, values, images), part in zip(changes, np.split(sure, ends), strict=True)
    ]


def _moved(image: Tensor, **changes: Sequence[float]) -> Tensor:
    """The image once for each value of the one change named: shifts in pixels, angles in degrees."""
    ((name, values),) = changes.items()
    count = len(values)
    usual = {field: torch.zeros(count) for field in Parameters._fields} | {"scale": torch.ones(count)}
    scale = 1 if name == "angle" else 1 / image.shape[-1]
    usual[name] = torch.tensor(values, dtype=torch.float32) * scale
    moved = affine(to_unit(image.expand(count, -1, -1)), Parameters(**usual))
    return (moved[:, 0] * 255).round().to(torch.uint8)


def _rewritten(image: Tensor) -> Tensor:
    """The image with its strokes wider by each of `WIDTHS`; as it is for 0."""
    side = image.shape[-1]
    fine = fitting.fit(image.numpy() / np.float32(255), side * FINE)
    pages = []
    for width in WIDTHS:
        wider = fitting.thicken(fine, width * FINE) if width else fine
        margin = (wider.shape[0] - fine.shape[0]) // 2
        same_size = wider[margin : margin + len(fine), margin : margin + len(fine)]
        pages.append(fitting.resize(same_size, side, side))
    rewritten = torch.from_numpy((np.stack(pages) * 255).round().astype(np.uint8))
    rewritten[WIDTHS.index(0)] = image
    return rewritten
