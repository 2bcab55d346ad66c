"""What the two sources claim, in our words, and which comparison of settings each claim is about.

`verdicts.judge` holds them against a study. A claim that a source makes only by its table is marked as implied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mnist_lab.config import RunConfig

# What is compared, one number a run. Accuracies are in per cent.
MEASURES = {
    "test": "test accuracy, mean of the last five epochs",
    "train": "train accuracy, mean of the last five epochs",
    "test before": "test accuracy, mean of the five epochs before the last five",
    "wobble": "standard deviation of the test accuracy over the last five epochs",
    "test at the end": "test accuracy after the last epoch",
    "disputed": "share of its errors after the last epoch that are on disputed labels",
}
HIGHER, LOWER, SAME, NOT_HIGHER, BEST, REACHES = "higher", "lower", "same", "not higher", "best", "reaches"
LOWEST = "lowest"
OPEN = "open"  # about people: no run of a network can decide it
MARGIN = 0.1
"""Points (10 of 10,000 images). "No difference" is supported when the whole interval is within that of zero."""


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a setting of the study, and the measure.

    A setting of the small-data study is found by its knobs (`knobs`), whatever its name is there.
    """

    setting: str
    measure: str = "test"
    knobs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    said: str = ""

    @property
    def name(self) -> str:
        """What a sentence calls it."""
        return self.said or self.setting

    def matches(self, config: RunConfig) -> bool:
        """Whether a setting of a study with this config is the one that is meant by `knobs`."""
        return all(getattr(config, name) == value for name, value in self.knobs.items())


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim that A is `relation` than B (or than each of `rivals`, or than the number `target`).

    With `cannot_support` the comparison is our reading of what it says, which can speak against it and no more.

    A claim that is `OPEN` has nothing to be compared with: A's measure is told, and what it leaves open.

    `rows` are the source's own rows behind it, where they are not those of `a` and `b`. `study` is the one that can
    tell.
    """

    id: str
    source: str
    text: str
    relation: str
    a: Side
    b: Side | None = None
    rivals: tuple[Side, ...] = ()
    target: float | None = None
    rows: tuple[str, ...] | None = None
    implied: bool = False
    cannot_support: bool = False
    note: str = ""
    study: str = "sources"

    @property
    def pairs(self) -> list[tuple[Side, Side]]:
        """The comparisons of two sides that it takes; none for a claim about a number, or an open one."""
        return [(self.a, other) for other in ((self.b,) if self.b else self.rivals)]

    def source_rows(self) -> tuple[str, ...]:
        """Names of the published rows that the claim rests on."""
        sides = [self.a, *(other for _, other in self.pairs)]
        return self.rows if self.rows is not None else tuple(dict.fromkeys(side.setting for side in sides))


def _sides(*settings: str, measure: str = "test") -> tuple[Side, ...]:
    return tuple(Side(setting, measure) for setting in settings)


_B_ROWS = ("b-bn", "b-l1-bn", "b-l2-bn", "b-l1-l2-bn", "b-gbn", "b-l1-gbn", "b-l2-gbn", "b-l1-l2-gbn")
_SMALL = dict(train_images=1_000, label_noise=0.3, norm="batch", l1=0.0, dropout=0.0)

_STILL_RISING = (
    "What 25 epochs can show is whether the test accuracy still rises at their end. If it did not, that would speak "
    "against the claim. A rise does not speak for it, because the learning rate is halved before the last five epochs, "
    "which alone may bring one; only a longer run could tell."
)

SOURCE_A = (
    Claim(
        id="a-l1-same", source="A", relation=SAME, a=Side("a-l1-bn"), b=Side("a-bn"),
        text="Adding L1 to batch norm does not change the test accuracy.",
    ),
    Claim(
        id="a-l2-lower", source="A", relation=LOWER, a=Side("a-l2-bn"), b=Side("a-bn"), rows=("a-source-l2-bn", "a-bn"),
        text="Adding L2 to batch norm lowers the test accuracy slightly.",
    ),
    Claim(
        id="a-l2-no-help", source="A", relation=NOT_HIGHER, a=Side("a-l2-bn"), b=Side("a-bn"),
        rows=("a-source-l2-bn", "a-bn"),
        text="L2 helps only where the data is complex, so on MNIST it does not help.",
    ),
    Claim(
        id="a-l2-complex", source="A", relation=HIGHER, rows=(), study="small-data",
        a=Side("weight decay 5e-3", "test at the end", {**_SMALL, "weight_decay": 5e-3}),
        b=Side("batch norm alone", "test at the end", {**_SMALL, "weight_decay": 0.0}),
        text="Where the task is harder, L2 does help.",
        note="The write-up says so (“L2 regularization only helps if the dataset is complex”) and has no run of it. "
             "Tested here with what the lab can make harder: 1,000 training images, 30 % of their labels wrong.",
    ),
    Claim(
        id="a-l1-l2-no-help", source="A", relation=NOT_HIGHER, a=Side("a-l1-l2-bn"), b=Side("a-bn"),
        rows=("a-source-l1-l2-bn", "a-bn"), text="L1 and L2 together do not improve on batch norm alone.",
    ),
    Claim(
        id="a-l1-l2-because-of-l2", source="A", relation=LOWER, a=Side("a-l1-l2-bn"), b=Side("a-l1-bn"),
        rows=("a-source-l1-l2-bn", "a-l1-bn"),
        text="L1 and L2 together do worse than L1 alone: L2 is to blame.",
    ),
    Claim(
        id="a-gbn-below-l1", source="A", relation=LOWER, a=Side("a-gbn"), b=Side("a-l1-bn"),
        text="Ghost batch norm gets a lower test accuracy than L1 with batch norm.",
    ),
    Claim(
        id="a-gbn-below-bn", source="A", relation=LOWER, a=Side("a-gbn"), b=Side("a-bn"), implied=True,
        text="Ghost batch norm gets a lower test accuracy than batch norm.",
    ),
    Claim(
        id="a-gbn-train", source="A", relation=LOWER, a=Side("a-gbn", "train"), b=Side("a-bn", "train"),
        text="Ghost batch norm lowers the train accuracy.",
    ),
    Claim(
        id="a-gbn-train-l1-l2", source="A", relation=LOWER, rows=("a-source-l1-l2-gbn", "a-source-l1-l2-bn"),
        a=Side("a-l1-l2-gbn", "train"), b=Side("a-l1-l2-bn", "train"),
        text="With L1 and L2, too, ghost batch norm lowers the train accuracy.",
    ),
    Claim(
        id="a-gbn-more-epochs", source="A", relation=HIGHER, rows=("a-gbn",),
        a=Side("a-gbn", said="a-gbn in its last five epochs"),
        b=Side("a-gbn", "test before", said="in the five before"),
        cannot_support=True, text="Ghost batch norm has room for improvement with more epochs.",
        note=f"The write-up’s reason is that its train accuracy is lower. {_STILL_RISING}",
    ),
    Claim(
        id="a-l1-l2-gbn-more-epochs", source="A", relation=HIGHER, rows=("a-source-l1-l2-gbn",),
        a=Side("a-l1-l2-gbn", said="a-l1-l2-gbn in its last five epochs"),
        b=Side("a-l1-l2-gbn", "test before", said="in the five before"),
        cannot_support=True, note=_STILL_RISING,
        text="With L1 and L2, too, ghost batch norm has room for more improvement with more epochs.",
    ),
    Claim(
        id="a-l2-problem", source="A", relation=LOWER, a=Side("a-l1-l2-gbn"), b=Side("a-l1-gbn"),
        rows=("a-source-l1-l2-gbn",), text="With ghost batch norm and L1, adding L2 is the problem.",
    ),
    Claim(
        id="a-l1-helps-gbn", source="A", relation=HIGHER, a=Side("a-l1-gbn"), b=Side("a-gbn"),
        rows=("a-source-l1-l2-gbn", "a-gbn"), text="L1 improves ghost batch norm somewhat.",
    ),
    Claim(
        id="a-humans", source="A", relation=OPEN, a=Side("a-gbn", "disputed"), rows=(),
        text="Most of the digits that ghost batch norm gets wrong would be read wrong by humans too.",
        note="Disputed are the fifteen test images whose label fewer than three of five human raters confirmed "
             "(Northcutt, Athalye, Mueller 2021).",
    ),
)
SOURCE_B = (
    Claim(
        id="b-best-gbn", source="B", relation=BEST, a=Side("b-gbn"),
        rivals=_sides(*(row for row in _B_ROWS if row != "b-gbn")),
        text="The best model is ghost batch norm, without L1 or L2.",
        note="The 99.46 % that it gives as ghost batch norm's are those of its row with L2. It has no row with batch "
             "norm alone; ours is among the rivals.",
    ),
    Claim(
        id="b-l2-second", source="B", relation=BEST, a=Side("b-l2-bn"),
        rivals=_sides(*(row for row in _B_ROWS if row not in ("b-gbn", "b-l2-bn"))),
        text="Batch norm with L2 comes next, before all others.",
    ),
    Claim(
        id="b-gbn-above-l2", source="B", relation=HIGHER, a=Side("b-gbn"), b=Side("b-l2-bn"),
        text="Ghost batch norm beats batch norm with L2.",
    ),
    Claim(
        id="b-gbn-stable", source="B", relation=LOWEST, a=Side("b-gbn", "wobble"),
        rivals=_sides(*(row for row in _B_ROWS if row != "b-gbn"), measure="wobble"),
        text="Ghost batch norm, without L1 or L2, is the most stable.",
        note="The write-up does not say what it calls stable. Here it is how little the test accuracy moves over the "
             "last five epochs.",
    ),
    Claim(
        id="b-l2-over-l1", source="B", relation=HIGHER, a=Side("b-l2-bn"), b=Side("b-l1-bn"),
        text="L2 works better than L1, with batch norm.",
    ),
    Claim(
        id="b-l2-over-l1-gbn", source="B", relation=HIGHER, a=Side("b-l2-gbn"), b=Side("b-l1-gbn"),
        text="L2 works better than L1, with ghost batch norm.",
    ),
    Claim(
        id="b-l2-helps-gbn", source="B", relation=HIGHER, a=Side("b-l2-gbn"), b=Side("b-gbn"), implied=True,
        text="L2 improves ghost batch norm: that row has the highest figure.",
    ),
    Claim(
        id="b-l1-hurts-gbn", source="B", relation=LOWER, a=Side("b-l1-gbn"), b=Side("b-gbn"), implied=True,
        text="L1 lowers the test accuracy of ghost batch norm.",
    ),
    Claim(
        id="b-l1-l2-below-l2", source="B", relation=LOWER, a=Side("b-l1-l2-bn"), b=Side("b-l2-bn"), implied=True,
        text="L1 and L2 together do worse than L2 alone, with batch norm.",
    ),
    Claim(
        id="b-l1-l2-below-l2-gbn", source="B", relation=LOWER, a=Side("b-l1-l2-gbn"), b=Side("b-l2-gbn"), implied=True,
        text="L1 and L2 together do worse than L2 alone, with ghost batch norm.",
    ),
    Claim(
        id="b-l1-l2-below-l1", source="B", relation=LOWER, a=Side("b-l1-l2-bn"), b=Side("b-l1-bn"), implied=True,
        text="L1 and L2 together do worse than L1 alone, with batch norm.",
    ),
    Claim(
        id="b-reaches", source="B", relation=REACHES, a=Side("b-gbn"), target=99.4, rows=("b-gbn",),
        text="Ghost batch norm reaches 99.4 % with under 10,000 parameters in 25 epochs.",
    ),
)
CLAIMS = SOURCE_A + SOURCE_B
