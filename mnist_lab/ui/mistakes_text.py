"""What the Mistakes page says, in words. Pure functions."""

from __future__ import annotations

import numpy as np

from mnist_lab.config import ALL
from mnist_lab.counts import Accuracy
from mnist_lab.data.sizes import TRAIN_IMAGES, max_train_images
from mnist_lab.evaluation import DIGITS, DISPUTED, Answers
from mnist_lab.presets import PRESETS
from mnist_lab.runs.record import RunSummary
from mnist_lab.ui import mistakes_data as data
from mnist_lab.ui import mistakes_near as near
from mnist_lab.ui import run_text
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.mistakes_data import Subject
from mnist_lab.ui.mistakes_near import Neighbours
from mnist_lab.verdict_text import article

SALIENCY = {
    True: "Orange speaks for that digit: hiding it makes the digit less likely. Blue speaks against it.",
    False: "Orange is where the score of that digit depends on the pixels most, whether for or against.",
}
CITATION = "Northcutt, Athalye, Mueller 2021, arXiv 2103.14749"
NAMES = (
    "Source A and Source B are two published exercises that this lab repeats, each with a small network of its own. BN "
    "is batch norm; GBN is ghost batch norm, which normalises parts of a batch by themselves. L1 and L2 are penalties "
    "on the size of the weights and on its square."
)
BUNDLED_DIGITS = 5_000
MANY = 0.1  # of the bundled digits: from here on it matters that a network was trained on them
POOLS = {
    data.TEST: "MNIST's test images", data.SAMPLE: "the test images of the bundled sample",
    data.BUNDLED: "the digits that come with the lab", data.UNKNOWN: "the test images of another data set",
}


def share(value: float, decimals: int = 0) -> str:
    """A share, 0 to 1, in per cent; a dash where a network that diverged gave no number."""
    return "–" if np.isnan(value) else f"{100 * value:.{decimals}f} %"


def run_name(run: RunSummary, pretrained: bool) -> str:
    """A run in a list: no two read the same."""
    known = PRESETS.get(run.id)
    if pretrained:
        return f"{known.title if known else run.name} · pretrained ({run.id})"
    return f"{run.name} · {run_text.when_text(run.timings['started'])} · {run.id[run.id.rfind('-') + 1:]}"


def short_name(run: RunSummary) -> str:
    """A run in a table or a sentence: a variant by its preset's title, another by its name."""
    return PRESETS[run.id].title if run.id in PRESETS else run.name


def images_text(subject: Subject) -> str:
    """Which images the figures are about."""
    count = f"{len(subject.answers.labels):,}"
    return {
        data.TEST: f"On MNIST's {count} test images.",
        data.SAMPLE: f"On the {count} test images of the bundled sample: not comparable with figures on MNIST.",
        data.BUNDLED: f"On the {count} digits that come with the lab, asked just now.",
        data.UNKNOWN: f"On {count} test images of a data set that is not here: there are figures, but no pictures.",
    }[subject.kind]


def bundled_warning(run: RunSummary) -> str:
    """How far the errors on the bundled digits are no test: as far as the network was trained on them."""
    config, fewer = run.config, "so it makes fewer errors here than on digits that it never saw"
    most = max_train_images(TRAIN_IMAGES, config.validation)
    trained = most if config.train_images == ALL else config.train_images
    if trained == TRAIN_IMAGES:
        what = f"It was trained on these, {fewer}."
    else:
        met = BUNDLED_DIGITS * trained / TRAIN_IMAGES
        what = (
            f"It was trained on {trained:,} of MNIST's {TRAIN_IMAGES:,} training images, about {met:,.0f} of these "
            f"among them, {fewer if met >= MANY * BUNDLED_DIGITS else 'so nearly all are new to it'}."
        )
    return (
        f"MNIST's test images are not here, only the {BUNDLED_DIGITS:,} digits that come with the lab, which are "
        f"training digits of MNIST. {what}"
    )


def other_images_text(index: int, named: str, shown: str) -> str:
    """Why the image of a link is not opened: it is numbered among other images than those that are shown."""
    return (
        f"The link names image {index} of {POOLS[named]}. Here are {POOLS[shown]}, among which that number is another "
        "image."
    )


def interval_text(found: Accuracy) -> str:
    """The Wilson interval, with what it means."""
    low, high = found.interval.low, found.interval.high
    return f"95 % interval {low:.2f} to {high:.2f} %: where the accuracy on endlessly many such images may well lie."


def disputed_text(answers: Answers) -> str:
    """How many errors fall on the disputed labels, and the accuracy without those images."""
    wrong, disputed = answers.wrong, answers.disputed
    errors, hit, rest = int(wrong.sum()), int((wrong & disputed).sum()), wrong[~disputed]
    part = f" ({share(hit / errors)})" if errors else ""
    return (
        f"{hit} of the {errors:,} errors{part} fall on the {int(disputed.sum())} images whose label is disputed: "
        f"fewer than three of five people confirmed it ({CITATION}). Without these images it reads "
        f"{len(rest) - int(rest.sum()):,} of {len(rest):,} as labelled, {100 * (1 - rest.mean()):.2f} %."
    )


def dispute_text(index: int, label: int) -> str:
    """What people made of one image with a disputed label."""
    seen = DISPUTED[index]
    if len(seen) == 1:
        what = f"most of them saw a {seen[0]}"
    elif seen:
        what = f"they were tied between {seen[0]} and {seen[1]}"
    else:
        what = "they agreed on no digit"
    return f"The label {label} is disputed: fewer than three of five people confirmed it, {what} ({CITATION})."


def confusion_text(table: np.ndarray) -> str:
    """The most frequent error and the digit that is hardest to read, of counts int64 [10, 10]."""
    errors = table * (1 - np.eye(DIGITS, dtype=np.int64))
    if not errors.any():
        return "No digit is read as another."
    true, read = np.unravel_index(errors.argmax(), errors.shape)
    shares = errors.sum(1) / np.maximum(table.sum(1), 1)
    hardest, most = int(shares.argmax()), int(errors.max())
    same = int((errors == most).sum())
    often = f"{most} time{'s' * (most > 1)}" + (f", as often as {same - 1} other{'s' * (same > 2)}" if same > 1 else "")
    return (
        f"Most frequent error: {_read_as(true, read)}, {often}. Hardest digit: {hardest}, "
        f"of which {share(shares[hardest], 1)} are misread."
    )


def chosen_text(shown: int, answers: Answers, label: int | None, answer: int | None) -> str:
    """What the gallery holds."""
    if not shown:
        right = label is not None and label == answer
        there = right or answers.wrong.any()
        what = "No image read as labelled" if right else "No error"
        return f"{what} fits this choice; widen it." if there else "Nothing is misread."
    images = f"{shown:,} image{'s' * (shown != 1)}"
    if label is not None and label == answer:
        return f"{images} of {article(label)} {label}, read as labelled."
    if shown == int(answers.wrong.sum()) and label is None and answer is None:
        return f"All {images} that {'is' if shown == 1 else 'are'} misread."
    of = "" if label is None else f"of {article(label)} {label}"
    which = (of, "" if answer is None else f"read as {answer}")
    return f"{images} {' '.join(part for part in which if part)}, misread.".replace(" ,", ",")


def others_text(answers: list[int], label: int, answer: int) -> str:
    """How many other networks say the same as this one, of their answers to one image."""
    if not answers:
        return "There is no other run that was tested on the same images."
    count = len(answers)
    right, same = answers.count(label), answers.count(answer)
    what = f"{right} of {count} other network{'s' * (count > 1)} read{'s' * (right == 1)} it as labelled"
    if label == answer:
        return what + "."
    rest = count - right - same
    return f"{what}, {same} make{'s' * (same == 1)} the same mistake" + (f", {rest} another one." if rest else ".")


def image_text(answers: Answers, row: int) -> str:
    """One image's label, answer, confidence and loss, in Markdown."""
    label, answer = int(answers.labels[row]), int(answers.digits[row])
    judged = "as labelled" if label == answer else f"but its label is **{label}**"
    return (
        f"The network reads {article(answer)} **{answer}**, {judged}. It is {share(answers.confidence[row], 1)} sure. "
        f"Its loss is {answers.losses[row]:.2f} nats: minus the natural logarithm of the "
        f"{share(np.exp(answers.log_probabilities[row, label]), 2)} that it gives the label."
    )


def nearest_text(found: Neighbours, answer: int) -> str:
    """Of which images these are the nearest, and what they are."""
    where = {
        near.OWN: f"the {len(found.pool.labels):,} images that it was trained on",
        near.FIRST: f"{near.POOL:,} of the images that it was trained on",
        near.DIGITS: "the 5,000 digits that come with the lab; MNIST's training images are not here",
    }[found.pool.source]
    labels = found.pool.labels[found.places]
    same = int((labels == answer).sum())
    return (
        f"{same} of these {len(labels)} are labelled {answer}, as the network reads the image. Under each: label and "
        f"distance. They are the nearest among {where}."
    )


def difference_text(first: np.ndarray, second: np.ndarray) -> str:
    """The cell in which two networks' errors, int64 [10, 10], differ most."""
    more = (second - first) * (1 - np.eye(DIGITS, dtype=np.int64))
    if not more.any():
        return "Both make every error equally often."
    true, read = np.unravel_index(np.abs(more).argmax(), more.shape)
    return (
        f"Largest difference: {_read_as(true, read)}, {first[true, read]} times by the first and "
        f"{second[true, read]} times by the second."
    )


def _read_as(true: int, read: int) -> str:
    return f"{article(true)} {true} read as {article(read)} {read}"


def seen_text(run: RunSummary, count: int) -> str:
    """Whose answers the gallery of two networks shows."""
    if not count:
        return "There is no such image."
    return f"Under each image: its label and what {plain(short_name(run))} reads."
