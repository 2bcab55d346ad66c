"""One image, large: what the network makes of it, what others say, where it looks, and what it learned from."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from mnist_lab.data.files import DataError
from mnist_lab.runs.library import Library
from mnist_lab.runs.networks import network_of
from mnist_lab.runs.record import RunError
from mnist_lab.ui import mistakes_data, mistakes_select, mistakes_text
from mnist_lab.ui.busy import busy
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.mistakes_charts import probability_chart
from mnist_lab.ui.mistakes_data import Subject
from mnist_lab.ui.mistakes_near import can_search_more, nearest_images
from mnist_lab.ui.mistakes_state import url
from mnist_lab.ui.mistakes_text import share
from mnist_lab.ui.pictures import digit_uri, saliency_uri
from mnist_lab.verdict_text import article

if TYPE_CHECKING:
    from torch import nn

LARGE, MEDIUM, SMALL = 224, 168, 84  # pixels
GRADIENT, OCCLUSION = "Gradient", "Hide a patch"
HELP = (
    "Gradient: orange where a small change of the pixel changes the score of that digit most. Hide a patch: a square "
    "of 5 x 5 pixels is made background, everywhere in turn; orange where that makes the digit less likely, so that "
    "what is there speaks for it, blue where it makes it more likely."
)


def open_image(subject: Subject, row: int, rows: np.ndarray, library: Library) -> None:
    """Open the image of that row over the page; `rows` are the chosen ones, among which one can go on."""
    index, name = int(subject.answers.indices[row]), plain(mistakes_text.short_name(subject.run))
    # A dialog is a fragment: what is done inside draws only the dialog again.
    dialog = st.dialog(f"Image {index}, read by {name}", width="large", on_dismiss=lambda: url.go(image=None))
    dialog(_show)(subject, row, rows, library)


def _show(subject: Subject, row: int, rows: np.ndarray, library: Library) -> None:
    answers = subject.answers
    index, label, answer = (int(values[row]) for values in (answers.indices, answers.labels, answers.digits))
    _go_on(subject, row, rows)
    left, right = st.columns([2, 3])
    with left:
        if subject.images is not None:
            st.image(digit_uri(subject.images[row], 8), width=LARGE, alt=f"Image {index}, labelled {label}")
        st.markdown(mistakes_text.image_text(answers, row))
        if subject.disputed[row]:
            st.info(mistakes_text.dispute_text(index, label), icon="🚩")
    with right, st.container(key="mistakes_probabilities"):
        chart = probability_chart(np.exp(answers.log_probabilities[row]), label, answer)
        st.vega_lite_chart(spec=chart.to_dict(), width="stretch")
    try:
        _others(subject, row, library)
        if subject.images is not None:
            _saliency(subject, row)
            _nearest(subject, row)
    except (RunError, DataError) as error:
        st.error(plain(str(error)))


def _go_on(subject: Subject, row: int, rows: np.ndarray) -> None:
    place = np.flatnonzero(rows == row)
    if not len(place):
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        for name, step in (("Previous image", -1), ("Next image", 1)):
            other = int(place[0]) + step
            inside = 0 <= other < len(rows)
            if st.button(name, key=f"mistakes_step_{step}", disabled=not inside):
                url.go(image=mistakes_select.image_text(subject.kind, int(subject.answers.indices[rows[other]])))
                st.rerun()
        st.caption(f"{int(place[0]) + 1} of {len(rows):,} chosen", width="content")


def _others(subject: Subject, row: int, library: Library) -> None:
    label, answer = int(subject.answers.labels[row]), int(subject.answers.digits[row])
    said, unread = mistakes_data.opinions(subject, row, library)
    st.markdown("**What the other networks say**")
    st.caption(mistakes_text.others_text([int(chances.argmax()) for _, chances in said], label, answer))
    if said:
        table = [
            {
                "Network": mistakes_text.short_name(run), "Reads": str(int(chances.argmax())),
                "Confidence": share(chances.max(), 1), "Of the label": share(chances[label], 1),
            }
            for run, chances in said
        ]
        with st.expander(f"All {len(said)} of them") if len(said) > 1 else st.container():
            st.table(table, border="horizontal", hide_index=True)
    if unread:
        st.caption(f"{unread} more cannot be read: their records are damaged.")


def _saliency(subject: Subject, row: int) -> None:
    label, answer = int(subject.answers.labels[row]), int(subject.answers.digits[row])
    st.markdown("**Where it looks**", help=HELP)
    way = st.radio("How it is found", [OCCLUSION, GRADIENT], horizontal=True, key="mistakes_saliency")
    network = network_of(subject.run)
    image = subject.images[row].tobytes()
    with st.container(horizontal=True):
        for digit in dict.fromkeys((answer, label)):
            role = "its answer" if digit == answer else "the label"
            role = "answer and label" if label == answer else role
            with st.container(width=MEDIUM, gap="xsmall"):
                alt = f"Where the network looks for {article(digit)} {digit}, {role}"
                st.image(_saliency_picture(network, image, digit, way), width="stretch", alt=alt)
                st.caption(f"For {article(digit)} {digit}, {role}", text_alignment="center")
    st.caption(mistakes_text.SALIENCY[way == OCCLUSION])


@lru_cache(maxsize=200)  # of some 2 kB
def _saliency_picture(network: nn.Module, pixels: bytes, digit: int, way: str) -> str:
    import torch

    from mnist_lab import microscope

    find = microscope.occlusion_saliency if way == OCCLUSION else microscope.gradient_saliency
    image = np.frombuffer(pixels, np.uint8).reshape(28, 28)
    return saliency_uri(image, find(network, torch.from_numpy(image.copy()), digit).numpy(), 6)


def _nearest(subject: Subject, row: int) -> None:
    st.markdown("**Nearest training images**", help=(
        "The last layer before the ten scores describes an image by a few numbers. These training images have the "
        "numbers nearest to this one's: to the network they look alike."
    ))
    if not st.toggle("Find them", key="mistakes_nearest", help="Takes some seconds, once for a network."):
        return
    whole = can_search_more(subject) and st.toggle(
        "Among all the images that it was trained on", key="mistakes_nearest_all",
        help="Takes up to a minute, once for a network.",
    )
    found = busy(
        "Asking the network about the training images …", lambda: nearest_images(subject, row, whole), show_time=whole
    )
    with st.container(horizontal=True, gap="small"):
        for place, distance in zip(found.places, found.distances, strict=True):
            label = found.pool.labels[place]
            with st.container(width=SMALL, gap="xsmall"):
                st.image(digit_uri(found.pool.images[place]), width="stretch", alt=f"Training image labelled {label}")
                st.caption(f"{label} · {distance:.1f}", text_alignment="center")
    st.caption(mistakes_text.nearest_text(found, int(subject.answers.digits[row])))
