"""Human against network against label, in words and numbers. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_lab.counts import wilson

INTRO = (
    "One of the two published exercises that this lab repeats, source A, says that people would get most of the digits "
    "wrong that its network with ghost batch norm misread. Try it with this network: digits that it misread and "
    "ordinary ones, mixed. Half of a round is misread, if there are enough, so the network's score in it "
    "says nothing: what counts is how many of the misread ones you can read."
)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One guess: of which run and which of its images, and the three readings."""

    run: str
    images: str
    index: int
    label: int
    network: int
    human: int
    disputed: bool


def line_text(line: Line) -> str:
    """Under an image: the three readings, and whether the label is disputed."""
    disputed = "  \nlabel disputed" if line.disputed else ""
    return f"label {line.label}  \nnetwork {line.network}  \nyou {line.human}{disputed}"


def round_text(lines: Sequence[Line]) -> str:
    """What came of one round."""
    misread = [line for line in lines if line.network != line.label]
    ordinary = [line for line in lines if line.network == line.label]
    parts = []
    if misread:
        right = _as_labelled(misread)
        parts.append(f"Of the {len(misread)} that the network misread, you read **{right}** as labelled")
    if ordinary:
        parts.append(f"of the {len(ordinary)} ordinary ones **{_as_labelled(ordinary)}**")
    text = ", ".join(parts)
    same = sum(line.human == line.network for line in misread)
    return text[0].upper() + text[1:] + (f". {same} you misread exactly as the network did." if same else ".")


def tally_table(tally: Sequence[Line]) -> list[dict[str, str]]:
    """Misread and ordinary digits: how many, and how often the human agrees with the label and with the network."""
    rows = []
    for name, wrong in (("Misread by the network", True), ("Ordinary", False)):
        some = [line for line in tally if (line.network != line.label) == wrong]
        rows.append({
            "Digits": name, "Shown": str(len(some)), "You read as labelled": str(_as_labelled(some)),
            "You and the network agree": str(sum(line.human == line.network for line in some)),
        })
    return rows


def claim_text(tally: Sequence[Line]) -> str:
    """What the tally says about the claim that people would get most of the misread digits wrong too."""
    misread = [line for line in tally if line.network != line.label]
    if not misread:
        return "None of these digits was misread by the network, so they say nothing about the claim."
    right = _as_labelled(misread)
    found = wilson(right, len(misread))
    low, high = found.interval.low, found.interval.high
    if low > 50:
        verdict = "So far the claim is refuted: you read most of them as labelled"
    elif high < 50:
        verdict = "So far the claim holds: you get most of them wrong too"
    else:
        verdict = "That does not decide the claim yet; play on"
    return (
        f"You read {right} of {len(misread)} misread digits as labelled, {found.percent:.0f} % (95 % interval "
        f"{low:.0f} to {high:.0f} %). {verdict}."
    )


def _as_labelled(lines: Sequence[Line]) -> int:
    return sum(line.human == line.label for line in lines)
