"""Which images the Mistakes page shows and in which order, read from its URL. Pure Python: no Streamlit, no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mnist_lab.evaluation import DIGITS, Answers

PER_PAGE = 25  # as both sources show them
SORTS = {
    "loss": "Loss, largest first", "confidence": "Confidence, largest first", "unsure": "Confidence, smallest first",
    "index": "Number of the image",
}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is chosen: a label and an answer (None: any), a range of confidence in per cent, the order, the page."""

    label: int | None = None
    answer: int | None = None
    low: int = 0
    high: int = 100
    sort: str = "loss"
    page: int = 1


def read_choice(values: Mapping[str, str]) -> Choice:
    """The choice in the page's values; what makes no sense there is as if it were not there."""
    low, high = _range(values.get("confidence", ""))
    page = values.get("page", "")
    sort = values.get("sort", "")
    return Choice(
        label=_digit(values.get("true")), answer=_digit(values.get("predicted")), low=low, high=high,
        sort=sort if sort in SORTS else Choice.sort, page=int(page) if re.fullmatch(r"[1-9]\d{0,3}", page) else 1,
    )


def range_text(limits: tuple[int, int]) -> str | None:
    """A range of confidence as the page's value; all of it is not said."""
    return None if limits == (0, 100) else f"{limits[0]}-{limits[1]}"


def select(answers: Answers, choice: Choice, among: np.ndarray | None = None) -> np.ndarray:
    """Rows of `answers` that are chosen, in order: of those where `among` (bool [N]) is true, by default the errors.

    A label and the same digit as answer is no error: then it is the digits that were read right.
    """
    if among is None:
        right = choice.label is not None and choice.label == choice.answer
        among = ~answers.wrong if right else answers.wrong
    confidence = np.nan_to_num(answers.confidence)
    # The limits are whole per cents; what is shown as 100 % is below it by less than can be seen.
    chosen = among & (confidence * 100 >= choice.low) & (confidence * 100 <= choice.high)
    if choice.label is not None:
        chosen &= answers.labels == choice.label
    if choice.answer is not None:
        chosen &= answers.digits == choice.answer
    rows = np.flatnonzero(chosen)
    keys = {
        "loss": -answers.losses, "confidence": -confidence, "unsure": confidence, "index": answers.indices,
    }[choice.sort]
    return rows[np.argsort(np.nan_to_num(keys[rows].astype(float)), kind="stable")]


def image_text(kind: str, index: int) -> str:
    """An image in a link: its number, and among which images ("test-947"), since the same number may be another's."""
    return f"{kind}-{index}"


def read_image(text: str) -> tuple[str | None, int] | None:
    """Kind and number of `image_text`. Links were the number alone once: None for the kind. None if it is neither."""
    found = re.fullmatch(r"(?:([a-z]+)-)?(\d{1,6})", text, re.ASCII)
    return (found[1], int(found[2])) if found else None


def pages(count: int) -> int:
    """How many pages so many images take; at least one."""
    return max(1, -(-count // PER_PAGE))


def on_page(rows: np.ndarray, page: int) -> np.ndarray:
    """The rows on a page, counted from 1; the last page for one that is beyond it."""
    start = (min(page, pages(len(rows))) - 1) * PER_PAGE
    return rows[start : start + PER_PAGE]


def _digit(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\d", text, re.ASCII) and int(text) < DIGITS else None


def _range(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,3})-(\d{1,3})", text, re.ASCII)
    low, high = (int(part) for part in found.groups()) if found else (0, 100)
    return (low, high) if low <= high <= 100 else (0, 100)
