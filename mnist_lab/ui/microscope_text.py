"""What the Microscope page says, in words, from the numbers that it draws. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mnist_lab.config import RunConfig
from mnist_lab.ui import microscope_data as data

if TYPE_CHECKING:
    from mnist_lab.microscope_ghosts import GhostStatistics
    from mnist_lab.microscope_pull import Pull, Pulls
    from mnist_lab.microscope_weights import LayerShare, NormScale
    from mnist_lab.ui.microscope_data import BatchMates

REACH = 1e-3  # as `measures.SMALL`, whose module imports torch
LITTLE = 1.0  # points of accuracy: what pruning may cost before the network is called the worse for it
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
NO_PENALTY = (
    "This run has no L1 penalty and no weight decay: nothing but the data loss was lowered, and nothing pulled its "
    "weights towards zero."
)
SOURCES = {
    data.MNIST: "",
    data.SAMPLE: "",
    data.BUNDLED: (
        "The images that this run was trained on are not here. In their place are digits that come with the lab, "
        "treated as the run's settings say."
    ),
}
TESTS = {
    data.MNIST: "1,000 of MNIST's test images (every tenth)",
    data.SAMPLE: "the sample's 1,000 test images",
    data.BUNDLED: "1,000 of the digits that come with the lab, on which it may have been trained",
}


def percent(share: float | None) -> str:
    """A share, 0 to 1, in per cent: small ones with two figures, nothing as 0 %, and no less than all as 100 %."""
    if share is None:
        return "–"
    value = min(100 * share, 99.9) if share < 1 else 100
    return f"{value:.1f} %" if value >= 1 else f"{value:.2g} %"


def histogram_text(histogram: Mapping[str, Sequence[float]], layer: str, epoch: int) -> str:
    """How many weights of a layer lie next to zero after an epoch."""
    counts, edges = histogram["counts"], histogram["edges"]
    middle, whole = counts[len(counts) // 2], sum(counts)
    # The histogram reaches at least so far, whatever the weights.
    largest = f"the largest is {edges[-1]:.2g}" if edges[-1] > REACH else f"none is above {REACH:g}"
    return (
        f"After epoch {epoch}, {percent(middle / whole if whole else None)} of the {int(whole):,} weights of {layer} "
        f"are in the middle bar (within {edges[len(edges) // 2]:.2g} of zero); {largest} in size."
    )


def zeros_text(own: Mapping[str, float], beside: Mapping[str, float] | None) -> str:
    """The share of small weights and exact zeros after the last epoch of each run's history."""
    texts = [
        f"{percent(record['small_weights'])} of the convolution weights are below 0.001 in size and "
        f"{percent(record['zero_weights'])} exactly 0"
        for record in (own, beside) if record
    ]
    return f"{texts[0]}; in the run beside it {texts[1]}." if len(texts) > 1 else f"{texts[0]}."


def shares_text(layers: Sequence[LayerShare], threshold: str) -> str:
    """How many weights are below the chosen threshold, in all and in the layer that has most of them."""
    weights, below, zeros = (sum(getattr(layer, name) for layer in layers) for name in ("weights", "below", "zeros"))
    most = max(layers, key=lambda layer: layer.below / layer.weights)
    where = f" Most of all in {most.name}: {percent(most.below / most.weights)}." if below else ""
    return (
        f"{below:,} of {weights:,} convolution weights ({percent(below / weights)}) are below {threshold} in size, "
        f"{zeros:,} of them exactly 0.{where}"
    )


def penalty_text(config: RunConfig, record: Mapping[str, float], share: float | None) -> str:
    """What part of the whole loss the L1 penalty was after an epoch."""
    if not config.l1:
        return NO_PENALTY if not config.weight_decay else (
            "This run has no L1 penalty. Its weight decay is not part of the loss that is lowered: it acts in the step."
        )
    return (
        f"After epoch {record['epoch']} the data loss is {record['train_loss']:.3g} nats and the L1 penalty "
        f"{record['penalty']:.3g}: {percent(share)} of the two together."
    )


def pulls_text(config: RunConfig, pulls: Pulls) -> str:
    """Which pulls harder on one batch, the data or L1."""
    whole = pulls.whole
    if not config.l1 and not config.weight_decay:
        return f"{NO_PENALTY} The data's gradient is {whole.data:.3g} long."
    if not config.l1:
        return (
            f"On this batch the data pull with {whole.data:.3g} and the weight decay with {whole.decay:.3g}. "
            f"{_decay(config)}"
        )
    times = whole.data / whole.l1 if whole.l1 else 0
    stronger = f"{_times(times)} times as hard as L1" if times >= 1 else f"{percent(times)} as hard as L1"
    decay = f" Weight decay pulls with {whole.decay:.3g}. {_decay(config)}" if config.weight_decay else ""
    if config.l1_kind == "proximal":
        decay = " L1 acts after the step: it shrinks every weight by the same amount and stops at zero." + decay
    return (
        f"On this batch the data pull {stronger} ({whole.data:.3g} against {whole.l1:.3g}): L1's share of the two is "
        f"{percent(whole.l1_share)}.{decay}"
    )


def _decay(config: RunConfig) -> str:
    return (
        "AdamW takes it off apart from the gradient." if config.optimizer == "adamw" else
        "It is added to the gradient."
    )


def pulls_table(config: RunConfig, pulls: Pulls) -> list[dict[str, str]]:
    """A row a layer, with a column for each force that the run has."""
    return [_pulls_row(config, pull) for pull in (*pulls.layers, pulls.whole)]


def _pulls_row(config: RunConfig, pull: Pull) -> dict[str, str]:
    row = {"Layer": pull.name, "Data": f"{pull.data:.3g}"}
    if config.l1:
        row |= {"L1": f"{pull.l1:.3g}", "L1's share": percent(pull.l1_share)}
    return row | ({"Weight decay": f"{pull.decay:.3g}"} if config.weight_decay else {})


def pruning_text(own: Sequence[float], beside: Sequence[float] | None) -> str:
    """How much can be cut before accuracy falls by more than a point."""
    text = f"Whole, it reads {own[0]:.1f} % right. {_can_lose(own)}"
    if beside is None:
        return text
    return f"{text} The run beside it: {beside[0]:.1f} %. {_can_lose(beside)}"


def _can_lose(curve: Sequence[float]) -> str:
    first_bad = next((place for place, value in enumerate(curve) if value < curve[0] - LITTLE), len(curve))
    most = 100 * data.FRACTIONS[first_bad - 1]
    if most == 0:
        return f"Cutting {100 * data.FRACTIONS[1]:.0f} % of the weights already costs more than a point."
    return f"Up to {most:.0f} % of its weights can go at a cost of at most one point."


def size_text(own: Mapping[int, float], beside: Mapping[int, float] | None, what: str) -> str:
    """How a number moved over the epochs, for one run or two."""
    text = f"{what} {_moved(own)}"
    return f"{text}; in the run beside it, it {_moved(beside)}." if beside else f"{text}."


def turned_text(own: Mapping[int, float | None], beside: Mapping[int, float | None] | None) -> str:
    """How the effective learning rate moved, and how it compares after the last epoch that both runs have."""
    text = size_text(own, None, "The effective learning rate")
    both = [epoch for epoch in own if own[epoch] and (beside or {}).get(epoch)]
    if not both:
        return text
    times = own[both[-1]] / beside[both[-1]]
    compared = "the same as" if 0.995 <= times < 1.005 else f"{_times(times)} times"
    return f"{text} After epoch {both[-1]} it is {compared} that of the run beside it."


def _times(value: float) -> str:
    """A ratio above 0: 3,200 or 120 or 1.04 or 0.0031, to two figures at least."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _moved(values: Mapping[int, float | None]) -> str:
    known = {epoch: value for epoch, value in values.items() if value is not None}
    if not known:
        return "has no value"
    first, last = min(known), max(known)
    if first == last:
        return f"is {_figures(known[last])[0]} after epoch {last}"
    begin, end = _figures(known[first], known[last])
    return f"goes from {begin} (epoch {first}) to {end} (epoch {last})"


def _figures(*values: float) -> list[str]:
    """Numbers of one kind to three figures, all in one notation: 0.0123, or 1.23 × 10⁻⁵ where one is that small."""
    if all(value == 0 or abs(value) >= 1e-4 for value in values):
        return [f"{value:.3g}" for value in values]
    return [_raised(value) if value else "0" for value in values]


def _raised(value: float) -> str:
    figures, power = f"{value:.2e}".split("e")
    return f"{figures} × 10{str(int(power)).translate(RAISED)}"


def scales_text(scales: Sequence[NormScale]) -> str:
    """Where the norms' scales lie, and which channels they all but switch off."""
    if not any(scale.trained for scale in scales):
        return "Gamma is frozen at 1 in this run: its norms scale every channel alike."
    values = [(value, scale.name, channel) for scale in scales for channel, value in enumerate(scale.gamma.tolist())]
    low, high = min(values, key=lambda value: abs(value[0])), max(values, key=lambda value: abs(value[0]))
    off = sum(abs(value) < 1e-3 for value, *_ in values)
    return (
        f"From {low[0]:.3g} ({low[1]}, channel {low[2]}) to {high[0]:.3g} ({high[1]}, channel {high[2]}) in size; "
        f"{off} of {len(values)} channels are switched off (below 0.001)."
    )


def means_text(found: GhostStatistics) -> str:
    """How far the means of the ghost batches are from the mean kept for evaluation."""
    away = found.from_kept
    typical, channels = away.square().mean().sqrt().item(), away.abs().amax(0)
    return (
        f"{_whose(found)} means typically lie {typical:.2f} standard deviations from the kept mean, the farthest "
        f"{channels.max():.2f} (channel {channels.argmax().item()})."
    )


def variances_text(found: GhostStatistics) -> str:
    """Between how many times the variance kept for evaluation those of the ghost batches are."""
    ratios = found.variance_ratios
    if not len(ratios):
        return "The kept variances are 0: this layer gives every image the same."
    return (
        f"{_whose(found)} variances lie between {_times(ratios.min().item())} and "
        f"{_times(ratios.max().item())} times the kept ones."
    )


def _whose(found: GhostStatistics) -> str:
    return "The ghost batches'" if len(found.means) > 1 else "The batch's"


def ghosts_text(found: GhostStatistics, splits: int, images: int) -> str:
    """How far the ghosts' means scatter."""
    count = len(found.means)
    if count == 1:
        return (
            f"One split is plain batch norm: all {images} images share one mean and variance. Cut the batch to see "
            "them scatter."
        )
    each = f"about {images / count:.0f}" if images % count else f"{images // count}"
    more = f" (the batch has only {images} images)" if count < splits else ""
    return (
        f"{count} ghost batches of {each} image{'s' * (images > count)} each{more}: their means typically lie "
        f"{found.scatter:.2f} standard deviations from the whole batch's. That is the noise an image meets in training."
    )


def mates_text(found: BatchMates, label: int) -> str:
    """By how much the logits move with the batch mates, and whether the answer changes."""
    sets = len(found.training)
    training, evaluation = (logits[:, label].std().item() for logits in (found.training, found.evaluation))
    answers = len(set(found.training.argmax(1).tolist()))
    read = f"it is always read as a {found.training[0].argmax().item()}" if answers == 1 else (
        f"it is read as {answers} different digits")
    return (
        f"Among {sets} sets of batch mates, in training mode the logit of {label} moves by {training:.2f} (standard "
        f"deviation) and {read}. In evaluation mode it moves by {evaluation:.2f}: there the mates do not matter."
    )
