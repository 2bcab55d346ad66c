"""Work that takes so long that somebody may want another page meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

import streamlit as st

from mnist_lab.ui import page_state

T = TypeVar("T")
LOOK_SECONDS = 0.1


def busy(text: str, work: Callable[[], T], show_time: bool = False) -> T:
    """What `work` returns, or raises, worked out in a thread of its own under a spinner. It must not draw anything.

    A session's page is drawn in one thread, which takes up a new request only where it touches Streamlit. What is left
    behind goes on to its end, so that whoever asks again finds it in its cache.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    with st.spinner(text, show_time=show_time):
        threading.Thread(target=run, name="busy").start()  # no daemon: torch must not be cut off at exit
        while not wait([future], LOOK_SECONDS).done:
            page_state.is_drawn("busy")  # any look at the session's state: here the page may be left
    return future.result()
