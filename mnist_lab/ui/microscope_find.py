"""The runs that the Microscope page can look at, live ones too, and which of them belongs beside which."""

from __future__ import annotations

from dataclasses import dataclass

from mnist_lab.config import RunConfig
from mnist_lab.config_forms import same_setting
from mnist_lab.runs.library import Library
from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.record import RunSummary
from mnist_lab.ui import mistakes_text, run_text
from mnist_lab.ui.run_find import FoundRun, find_run

DEFAULT_RUNS = ("b-l1-bn", "a-l1-bn")  # with something to see


@dataclass(frozen=True)
class Option:
    """A run in the page's boxes."""

    id: str
    text: str
    config: RunConfig


def options(queue: RunQueue, library: Library) -> dict[str, Option]:
    """By id: the runs that go or wait, the pretrained variants, and the runs made here of which there is a history."""
    jobs = {job.id: Option(job.id, f"{job.name} · {_state(job.state)}", job.config) for job in queue.jobs()}
    variants = {run.id: Option(run.id, mistakes_text.run_name(run, True), run.config) for run in library.variants()}
    own = {
        run.id: Option(run.id, _own_text(run), run.config)
        for run in library.own.list() if isinstance(run, RunSummary) and run.epochs_done
    }
    return jobs | variants | {id: option for id, option in own.items() if id not in jobs}


def default_run(found: dict[str, Option]) -> str:
    """The run to begin with, of one or more: a pretrained variant with L1, else the first run with L1, else any."""
    known = next((id for id in DEFAULT_RUNS if id in found), None)
    return known or next((id for id, option in found.items() if option.config.l1), None) or next(iter(found))


def twin(id: str, found: dict[str, Option]) -> str | None:
    """The run to put beside another: the same settings without L1 and weight decay; for a run that has neither, with.

    One of the same seed before another one. None if there is no such run.
    """
    config = found[id].config
    others = sorted(
        (option for option in found.values() if option.id != id), key=lambda other: other.config.seed != config.seed
    )
    plain = [config.replace(**dict.fromkeys(off, 0.0)) for off in (("l1", "weight_decay"), ("l1",), ("weight_decay",))]
    for wanted in plain:
        match = next((other.id for other in others if same_setting(other.config, wanted)), None)
        if match and not same_setting(wanted, config):
            return match
    return next((
        other.id for other in others
        if other.config.l1 and same_setting(other.config.replace(l1=0.0, weight_decay=0.0), config)
    ), None)


def find(id: str, queue: RunQueue, library: Library) -> FoundRun:
    """The run of that id as it is now. Raises `RunError` if there is none, any more or at all."""
    own = library.own.exists(id) or queue.job(id) or not library.pretrained.exists(id)
    return find_run(id, queue, library.own if own else library.pretrained)


def _own_text(run: RunSummary) -> str:
    text = mistakes_text.run_name(run, False)
    return text if run.status == "finished" else f"{text} · {_state(run.status)}"


def _state(state: str) -> str:
    return run_text.STATES[state][0].lower()
