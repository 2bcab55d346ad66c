"""The class's line, said on the page: how many runs are in it, where one's own is, how long that may take."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from mnist_lab.classroom import text
from mnist_lab.classroom.room import Classroom
from mnist_lab.runs.job import Job
from mnist_lab.ui import cache, class_state, run_text
from mnist_lab.ui.run_model import look

POLL_SECONDS = 2.0


def show_line(room: Classroom) -> None:
    """The line, kept up to date, on a page that has no other reason to be drawn again."""
    st.fragment(say_line, run_every=POLL_SECONDS)(room)


def say_line(room: Classroom) -> None:
    """One line of text; inside a fragment that is drawn again and again."""
    queue = cache.queue()
    live, me = queue.jobs(), class_state.owner()
    mine = next((job for job in live if job.state == "queued" and me is not None and job.owner_hash == me), None)
    said = [text.line_text(len(live))]
    if mine is not None:
        seconds = text.estimate(_ahead(live[: live.index(mine)], room), queue.workers)
        said.append(text.wait_text(queue.position(mine), seconds, run_text.duration(seconds or 0)))
    st.caption(" ".join(said))


def _ahead(jobs: Sequence[Job], room: Classroom) -> list[float | None]:
    """What each group of these still takes: a run that goes by its own count, others as those of their setting took."""
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.group, []).append(job)
    left = []
    for group in groups.values():
        running = [step.seconds_left for job in group if (step := look(job.log).step)]
        waiting = [room.pool().seconds(job.config) for job in group if not look(job.log).step]
        left.append(text.group_seconds(running, waiting, group[0].abreast))
    return left
