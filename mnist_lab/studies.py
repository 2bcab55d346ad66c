"""The studies that ship: which settings, with how many seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_lab.config import RunConfig
from mnist_lab.presets import PRESETS


@dataclass(frozen=True)
class Plan:
    """A study before it is run."""

    name: str
    title: str
    settings: dict[str, RunConfig]
    seeds: Sequence[int]


SOURCES = Plan(
    "sources", "Every variant of both sources, with that source's own recipe",
    {name: preset.config for name, preset in PRESETS.items() if name.startswith(("a-", "b-"))},
    range(5),
)
STUDIES = {plan.name: plan for plan in (SOURCES,)}
