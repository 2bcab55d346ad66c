"""What can be taken away from the Mistakes page: a contact sheet (PNG) and a table (CSV) of the chosen images."""

from __future__ import annotations

import csv
import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mnist_lab.evaluation import DIGITS
from mnist_lab.ui.mistakes_data import Subject
from mnist_lab.ui.mistakes_text import share

COLUMNS, SCALE = 5, 4  # images side by side, as the sources show them; pixels for a pixel
MARGIN, CAPTION, HEADER = 12, 44, 40  # pixels
MAX_IMAGES = 400  # on one sheet
DISPUTED = "label disputed"


def table_csv(subject: Subject, rows: np.ndarray) -> str:
    """The images in `rows` as CSV: number, label, answer, confidence, loss, whether disputed, ten probabilities."""
    answers, disputed = subject.answers, subject.disputed
    chances = np.exp(answers.log_probabilities)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["index", "label", "predicted", "confidence", "loss", "disputed",
                     *(f"probability_{digit}" for digit in range(DIGITS))])
    for row in rows:
        writer.writerow([
            answers.indices[row], answers.labels[row], answers.digits[row], f"{answers.confidence[row]:.6f}",
            f"{answers.losses[row]:.6f}", int(disputed[row]), *(f"{chance:.6f}" for chance in chances[row]),
        ])
    return text.getvalue()


def contact_sheet(subject: Subject, rows: np.ndarray, title: str) -> bytes:
    """The images in `rows`, at most `MAX_IMAGES`, as one PNG picture, each over its number, label and answer.

    The subject must have images.
    """
    shown = rows[:MAX_IMAGES]
    side = subject.images.shape[1] * SCALE
    lines = max(1, -(-len(shown) // COLUMNS))
    width = COLUMNS * (side + MARGIN) + MARGIN
    sheet = Image.new("L", (width, HEADER + lines * (side + CAPTION + MARGIN)), 255)
    draw, large, small = ImageDraw.Draw(sheet), ImageFont.load_default(15), ImageFont.load_default(12)
    draw.text((MARGIN, 10), title, 0, large)
    for place, row in enumerate(shown):
        left = MARGIN + place % COLUMNS * (side + MARGIN)
        top = HEADER + place // COLUMNS * (side + CAPTION + MARGIN)
        sheet.paste(Image.fromarray(subject.images[row]).resize((side, side), Image.Resampling.NEAREST), (left, top))
        draw.text((left, top + side + 3), _caption(subject, row), 0, small)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _caption(subject: Subject, row: int) -> str:
    answers = subject.answers
    second = DISPUTED if subject.disputed[row] else f"{share(answers.confidence[row])} sure"
    said = f"{answers.labels[row]} read as {answers.digits[row]}"
    return f"{answers.indices[row]}: {said}\n{second}"
