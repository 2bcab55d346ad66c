"""What is said in every lesson, and what a session did elsewhere as figures. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mnist_lab.lessons.figures import Rows
from mnist_lab.ui.mistakes_game_text import Line

PREDICT_FIRST = "Predict first: the button waits for it."
RECORDED_INSTEAD = "You can look at the recorded runs instead."
NOT_SO = (
    "The runs that are recorded here do not bear out everything that this lesson says. What they show stands below the "
    "explanation; where the two differ, believe the runs."
)


def compared(predicted: int, found: Mapping[str, int]) -> str:
    """The prediction beside what came out: `found` maps who to the place of the option that it bears out."""
    if not found:
        return "What is recorded does not answer this question. Try it to see."
    right = [who for who, place in found.items() if place == predicted]
    if len(right) == len(found):
        return "**It came out as you predicted.**"
    if len(set(found.values())) == 1:
        return "**It came out otherwise than you predicted.**"
    return (
        "**Your own runs and the recorded ones do not agree.** The recorded ones are more, so trust them more: a few "
        "runs can come out either way by chance."
    )


def game_rows(tally: Sequence[Line]) -> Mapping[str, Rows] | None:
    """What the session's rounds of "Beat the network" came to, as the source "game"; None before there is a round."""
    misread = [line for line in tally if line.network != line.label]
    if not misread:
        return None
    read = sum(line.human == line.label for line in misread)
    return {"you": {0: {"read": 100 * read / len(misread)}}}
