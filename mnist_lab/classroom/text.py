"""What is said about the class's runs and its line, in words. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from mnist_lab.classroom.pool import Curve, Group, Spread

SEED_DECIDES = (
    "The seed decides everything that is random: the weights at the start, the order of the images, which images are "
    "taken, which labels are wrong, what dropout leaves out."
)


def headline(count: int) -> str:
    """What the picture is of."""
    if count == 0:
        return "No finished run of this setting yet"
    return f"The class's {count} runs of the same setting" if count > 1 else "The class's one run of this setting"


def takeaway(found: Spread | None) -> str:
    """How much the seeds alone do, from the runs."""
    if found is None:
        return "One run does not show what chance does. It takes a second one, with another seed, to see that."
    if found.high == found.low:
        return f"All {found.runs} runs read exactly as many digits right: the seed made no difference that can be seen."
    return (
        f"The {found.runs} runs differ in nothing but the seed, and end between {found.low:.2f} % and "
        f"{found.high:.2f} %: {found.high - found.low:.2f} points apart. Two of them taken at random are "
        f"{found.gap:.2f} points apart on average. Whoever compares two settings by one run each will see a difference "
        "of about that size even where there is none."
    )


def mean_text(found: Spread) -> str:
    """The mean and what it is uncertain by."""
    if found.interval is None:
        return f"Mean {found.mean:.2f} %."
    low, high = found.interval
    return (
        f"Mean {found.mean:.2f} %, standard deviation {found.deviation:.2f} points. The 95 % interval of the mean is "
        f"{low:.2f} to {high:.2f} %. More runs make this interval narrower; they do not bring the runs closer together."
    )


def curves_text(curves: Sequence[Curve]) -> str:
    """How far apart the runs are on their way, and what the lines are; curves of different lengths are cut short."""
    ends = [tuple(zip(*points, strict=True)) for points in zip(*curves, strict=False)]
    said = [f"{max(values) - min(values):.2f} points apart after epoch {epochs[0]}" for epochs, values in ends]
    lines = "A pale line is one run, the thick one their mean."
    return f"{lines} The runs are {said[0]} and {said[-1]}." if len(said) > 1 else lines


def repeats_text(group: Group) -> str:
    """Runs that are left out because their seed is there already; empty if there are none."""
    if not group.repeats:
        return ""
    more = "One more run" if group.repeats == 1 else f"{group.repeats} more runs"
    return f"{more} used a seed that is there already. The same seed gives the same run, so each seed counts once."


def estimate(ahead: Sequence[float | None], workers: int) -> float | None:
    """Seconds until a run starts, from those that each group ahead of it still takes; None if one is unknown."""
    known = [seconds for seconds in ahead if seconds is not None]
    return sum(known) / workers if len(known) == len(ahead) else None


def group_seconds(running: Sequence[float | None], waiting: Sequence[float | None], abreast: int) -> float | None:
    """Seconds that runs of one group still take, `abreast` of them at once; None if one of them is unknown."""
    if None in (*running, *waiting):
        return None
    return max(running, default=0.0) + sum(waiting) / abreast


def line_text(live: int) -> str:
    """How many runs the whole class has under way."""
    if live == 0:
        return "Nobody's run is under way: one that is started now begins at once."
    return f"{live} run{'s' * (live > 1)} of the class {'are' if live > 1 else 'is'} under way or in line."


def wait_text(place: int, seconds: float | None, duration: str) -> str:
    """How long a run in line has to wait; `seconds` as `estimate` gives them, `duration` the same in words."""
    where = "Your run is next in line." if place == 1 else f"Your run is number {place} in line."
    if seconds is None:
        return f"{where} How long that takes is not known: nobody has finished a run like some that wait before it."
    return f"{where} It may start in about {duration}, an estimate from the runs before it."
