"""The chosen images, 25 at a time, the one that is opened, and the files to take away."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_lab.runs.library import Library
from mnist_lab.ui import mistakes_files, mistakes_select, mistakes_text
from mnist_lab.ui.mistakes_data import Subject
from mnist_lab.ui.mistakes_state import is_meant, url
from mnist_lab.ui.pictures import digit_uri
from mnist_lab.verdict_text import article

TILE = 96  # pixels; three beside each other on a phone
FLAG = "⚑"


def show_gallery(subject: Subject, rows: np.ndarray, page: int, library: Library, runs: dict[str, str]) -> None:
    """The images in `rows` on one page, each with a button that opens it.

    `runs` are the runs on the page, by their names in the URL. While the URL names others, which are not there any
    more, its image is one of theirs, and is not opened.
    """
    page = min(page, mistakes_select.pages(len(rows)))
    shown = mistakes_select.on_page(rows, page)
    if subject.images is None:
        _table(subject, shown)
    else:
        with st.container(horizontal=True, gap="small", key="mistakes_gallery"):
            for row in shown:
                _tile(subject, int(row), runs)
    if len(shown) and subject.images is not None:
        flags = f" {FLAG} marks a label that people dispute." if subject.disputed[shown].any() else ""
        st.caption(f"A button says the label and what it was read as; it opens the image.{flags}")
    if len(rows):
        _pager(len(rows), page)
    if all(is_meant(name, id) for name, id in runs.items()):
        _opened(subject, rows, library)


def _tile(subject: Subject, row: int, runs: dict[str, str]) -> None:
    answers = subject.answers
    index, label, answer = (int(values[row]) for values in (answers.indices, answers.labels, answers.digits))
    flag = f" {FLAG}" if subject.disputed[row] else ""
    with st.container(width=TILE, gap="xsmall", key=f"mistakes_tile_{index}"):
        alt = f"Image {index}, {article(label)} {label} read as {answer}"
        st.image(digit_uri(subject.images[row]), width="stretch", alt=alt)
        st.button(
            f"{label} as {answer}{flag}", key=f"mistakes_open_{index}", width="stretch", on_click=url.go,
            kwargs=runs | {"image": mistakes_select.image_text(subject.kind, index)},
        )
        st.caption(f"{mistakes_text.share(answers.confidence[row])} sure", text_alignment="center")


def _table(subject: Subject, rows: np.ndarray) -> None:
    """What there is to say of images that are not here."""
    answers = subject.answers
    st.dataframe(
        [
            {
                "Image": int(answers.indices[row]), "Label": int(answers.labels[row]),
                "Read as": int(answers.digits[row]), "Confidence": mistakes_text.share(answers.confidence[row], 1),
                "Loss (nats)": round(float(answers.losses[row]), 3),
            }
            for row in rows
        ],
        hide_index=True, alt="The chosen images",
    )


def _pager(count: int, page: int) -> None:
    last = mistakes_select.pages(count)
    with st.container(horizontal=True, vertical_alignment="center", key="mistakes_pager"):
        st.button("Previous", key="mistakes_previous", disabled=page <= 1, on_click=url.go, kwargs={"page": page - 1})
        st.button("Next", key="mistakes_next", disabled=page >= last, on_click=url.go, kwargs={"page": page + 1})
        st.caption(f"Page {page} of {last}", width="content")


def _opened(subject: Subject, rows: np.ndarray, library: Library) -> None:
    asked = url.values().get("image")
    if asked is None:
        return
    kind, index = mistakes_select.read_image(asked) or (None, None)
    if kind in mistakes_text.POOLS and kind != subject.kind:
        st.warning(mistakes_text.other_images_text(index, kind, subject.kind), icon="⚠️")
        return
    row = None if index is None or kind not in (None, subject.kind) else subject.answers.row(index)
    if row is None:
        st.warning("The link names an image that is not among those this network was tested on.", icon="⚠️")
        return
    from mnist_lab.ui.mistakes_image import open_image

    open_image(subject, row, rows, library)


def show_downloads(subject: Subject, rows: np.ndarray) -> None:
    """The chosen images as files, all pages of them."""
    name = f"{subject.run.id}-mistakes"
    title = f"{mistakes_text.short_name(subject.run)}: {len(rows):,} images"
    with st.container(horizontal=True, key="mistakes_files"):
        st.download_button(
            "Contact sheet (PNG)", lambda: mistakes_files.contact_sheet(subject, rows, title), f"{name}.png",
            "image/png", on_click="ignore", key="mistakes_png", disabled=subject.images is None or not len(rows),
        )
        st.download_button(
            "Table (CSV)", lambda: mistakes_files.table_csv(subject, rows), f"{name}.csv", "text/csv",
            on_click="ignore", key="mistakes_csv", disabled=not len(rows),
        )
    if len(rows) > mistakes_files.MAX_IMAGES:
        st.caption(f"The contact sheet holds the first {mistakes_files.MAX_IMAGES} images.")
