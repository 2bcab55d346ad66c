"""What the Compare page compares: variants, which are a setting's runs with all its seeds, wherever they come from.

A variant is a setting of a study, or the runs made here with the same settings, or a single run: see `compare_find`.
Pure Python: no Streamlit, no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mnist_lab.config import ALL, RunConfig
from mnist_lab.counts import TwoNetworks, mcnemar
from mnist_lab.data.sizes import TRAIN_IMAGES
from mnist_lab.runs.record import HISTORY, LOGITS, RunSummary
from mnist_lab.runs.study import StudyRun
from mnist_lab.statistics import Difference, StatisticsError, paired, unpaired
from mnist_lab.study_values import LAST
from mnist_lab.ui.compare_files import Stamp, read_answers, read_measures

LAST_EPOCH, LAST_FIVE, TRAIN = "last", "five", "train"
JUDGED = {
    LAST_EPOCH: "Test accuracy after the last epoch",
    LAST_FIVE: "Test accuracy, mean of the last five epochs",
    TRAIN: "Train accuracy in the last epoch",
}


@dataclass(frozen=True, eq=False)
class Member:
    """One run of a variant. `run` is where it comes from, `labels` the test labels of a study's run."""

    run: StudyRun | RunSummary
    labels: np.ndarray | None = None

    @property
    def seed(self) -> int:
        return self.run.seed if isinstance(self.run, StudyRun) else self.run.config.seed

    @property
    def summary(self) -> dict:
        return self.run.summary

    @property
    def made_on(self) -> dict:
        """Device, precision, threads and versions, as a study says them; old studies do not say the precision."""
        if isinstance(self.run, StudyRun):
            return self.run.made_on
        run = self.run
        return {"device": run.device, "precision": run.precision, "threads": run.threads, **run.versions}

    @property
    def seconds(self) -> float | None:
        """How long the training took."""
        return self.summary.get("seconds") if isinstance(self.run, StudyRun) else self.run.timings.get("seconds")

    def history(self) -> dict[str, np.ndarray]:
        """float32 [epochs] by measure, NaN where an epoch did not measure it. Raises `RunError`."""
        return self.run.history if isinstance(self.run, StudyRun) else read_measures(Stamp(self.run.folder / HISTORY))

    def answers(self) -> tuple[np.ndarray, np.ndarray]:
        """The test images' labels and what the network read in them, uint8 [images]. Raises `RunError`."""
        if isinstance(self.run, StudyRun):
            return self.labels, self.run.digits
        return read_answers(Stamp(self.run.folder / LOGITS), self.run.id)


@dataclass(frozen=True, eq=False)
class Variant:
    """A setting with its runs, one a seed, by seed.

    `key` is its name in a link, `name` what it is called, `kind` where it comes from ("study sources, 5 seeds").
    `config` has the seed of the first run. `data` is about the images ("checksum", "test_images", "source"). `preset`
    is the name, if there is one, under which the sources' figures are known.
    """

    key: str
    name: str
    kind: str
    config: RunConfig
    data: dict
    members: tuple[Member, ...]
    preset: str | None = None

    @property
    def label(self) -> str:
        """Its name in a list."""
        return f"{self.name} · {self.kind}"

    @property
    def seeds(self) -> list[int]:
        return [member.seed for member in self.members]

    @property
    def eval_name(self) -> str:
        """Which images the curves' tests were on: "test" or "validation"."""
        return "validation" if self.config.validation else "test"

    def member(self, seed: int) -> Member:
        """The run with that seed, which there must be."""
        return next(member for member in self.members if member.seed == seed)

    def values(self, measure: str) -> dict[int, float]:
        """One of `JUDGED` by seed, in per cent; NaN for a run without it. Raises `RunError`."""
        return {member.seed: _value(self, member, measure) for member in self.members}

    def images(self, measure: str) -> tuple[int | None, str]:
        """On how many images of which kind a measure is taken, for a sentence."""
        if measure != TRAIN:
            return self.data.get("test_images"), "test"
        return self.data.get("train_images") or _train_images(self.config), "training"


def _value(variant: Variant, member: Member, measure: str) -> float:
    if measure == LAST_FIVE:
        tests = member.history()["eval_accuracy"][-LAST:]
        usable = len(tests) == LAST and variant.eval_name == "test"
        return float(tests.astype(float).mean()) if usable else float("nan")
    value = member.summary.get("test_accuracy" if measure == LAST_EPOCH else "train_accuracy")
    return float("nan") if value is None else float(value)


def _train_images(config: RunConfig) -> int:
    return TRAIN_IMAGES if config.train_images == ALL else config.train_images


def known_values(variant: Variant, measure: str) -> dict[int, float]:
    """`Variant.values`, all of them numbers. Raises `StatisticsError` and `RunError`."""
    values = variant.values(measure)
    without = [seed for seed, value in values.items() if np.isnan(value)]
    if without:
        why = " It takes a test after each of the last five epochs." if measure == LAST_FIVE else ""
        raise StatisticsError(
            f"“{variant.name}” with seed {without[0]} has no figure for “{JUDGED[measure].lower()}”.{why}"
        )
    return values


def compare(a: Variant, b: Variant, measure: str) -> Difference:
    """A minus B in points: over the seeds they share, else over all. Raises `StatisticsError` and `RunError`."""
    if a.data.get("checksum") != b.data.get("checksum"):
        raise StatisticsError(
            "They were tested on different images, and runs on different test sets are never compared: a difference "
            "could come from the images."
        )
    values = [known_values(one, measure) for one in (a, b)]
    shared = values[0].keys() & values[1].keys()
    return paired(*values) if len(shared) > 1 or min(map(len, values)) < 2 else unpaired(*values)


def two_networks(a: Member, b: Member) -> TwoNetworks:
    """McNemar for two runs. Raises `StatisticsError` when they did not see the same images, and `RunError`."""
    (labels, first), (others, second) = a.answers(), b.answers()
    if not np.array_equal(labels, others):
        raise StatisticsError("The two networks were not asked about the same images.")
    return mcnemar(labels, first, second)


def names(chosen: Sequence[Variant]) -> list[str]:
    """What the chosen are called, no two alike, as briefly as that allows."""
    short = [one.name for one in chosen]
    return [
        one.name if short.count(one.name) == 1 else one.label if _once(one, chosen) else f"{one.label} ({one.key})"
        for one in chosen
    ]


def _once(one: Variant, chosen: Sequence[Variant]) -> bool:
    return [other.label for other in chosen].count(one.label) == 1
