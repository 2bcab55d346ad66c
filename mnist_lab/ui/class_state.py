"""Class mode in one session: which settings are locked here and why, and whether this is the teacher's browser.

Without class mode nothing is locked and nobody is a teacher. Who is one, the class itself knows, by the browser.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from mnist_lab.classroom.locks import SEED, broken
from mnist_lab.classroom.room import Classroom, own_seed
from mnist_lab.config import DEFAULTS, RunConfig
from mnist_lab.config_forms import same_setting
from mnist_lab.presets import DEFAULT_PRESET, PRESETS
from mnist_lab.runs.job import Job
from mnist_lab.runs.record import RunError
from mnist_lab.ui import cache, token

PAGE, VIEW = "Class", "mnist_lab/ui/views/class.py"
CLASS_PRESET = "noisy-1000"  # what the Train page opens with where the default preset is too much for a class
SECTION, SECRET = "class", "password"  # in a section: Streamlit copies what is outside one into the environment
WRONG_SECONDS = 1.0  # that an answer to a wrong password takes, so that not many can be tried
BY_LINK, BY_TASK = "Locked by your teacher's link", "Locked by your teacher"
BY_CLASS = "Given out by the class, so that runs differ"


@dataclass(frozen=True)
class Lock:
    """The value that a setting is held at, and why."""

    value: Any
    why: str


def room() -> Classroom | None:
    """The class of this server; None without class mode."""
    return cache.classroom()


def owner() -> str | None:
    """The hash of this browser's token; None until the browser has sent it."""
    known = token.known_token()
    return token.owner_hash(known) if known else None


def locks(by_link: Mapping[str, Any]) -> dict[str, Lock]:
    """What is locked in this session: knob name -> lock. `by_link` is what the link that it opened says."""
    here = room()
    if here is None:
        return {}
    me, linked = owner(), {name: Lock(value, BY_LINK) for name, value in by_link.items()}
    if here.is_trusted(me):
        return linked
    seed = Lock(own_seed(me) if me else DEFAULTS[SEED], BY_CLASS)
    return {SEED: seed} | linked | {name: Lock(value, BY_TASK) for name, value in here.task.items()}


def given_out(held: Mapping[str, Lock]) -> set[str]:
    """What the class chooses for each run: no change that anybody made."""
    return {name for name, lock in held.items() if lock.why == BY_CLASS}


def default_preset() -> str:
    """The preset that a bare address opens with: one that the class may run."""
    here = room()
    too_much = here and here.limits.problems(PRESETS[DEFAULT_PRESET].config)
    return CLASS_PRESET if too_much else DEFAULT_PRESET


def too_much(config: RunConfig | None) -> dict[str, str]:
    """Why the class may not run these settings: knob name -> a sentence."""
    here = room()
    if here is None or config is None or here.is_trusted(owner()):
        return {}
    return here.limits.problems(config)


def same_run(a: RunConfig, b: RunConfig) -> bool:
    """Whether a second click meant the same run: where the class gives out seeds, whatever the seed."""
    here = room()
    return a == b if here is None or here.is_trusted(owner()) else same_setting(a, b)


def to_be_run(config: RunConfig, by_link: Mapping[str, Any], live: list[Job]) -> RunConfig:
    """The settings with the seed that the class gives out. Raises `RunError` if they break a lock."""
    here, me = room(), owner()
    if here is None or me is None:
        return config
    held = locks(by_link)
    free = given_out(held)
    if wrong := broken({name: lock.value for name, lock in held.items() if name not in free}, config):
        raise RunError(wrong)
    return config.replace(seed=here.seed_for(config, me, live)) if SEED in free else config


def refused(configs: Collection[RunConfig]) -> str | None:
    """Why this browser may not start these runs together, whatever is under way; None if it may."""
    here = room()
    if here is None or here.is_trusted(owner()):
        return None
    task, limits = here.task, here.limits
    if any(broken(task, config) for config in configs):
        return "The task that your teacher has set does not allow this race."
    if len(configs) > min(limits.queue, limits.queue_each) or any(limits.problems(config) for config in configs):
        return "The limits of this class do not allow this race."
    return None


def is_teacher() -> bool:
    """Whether the teacher is logged in in this browser, whatever the tab."""
    here = room()
    return here is not None and here.is_trusted(owner())


def password() -> str | None:
    """The teacher's password in Streamlit's secrets; None without one. Raises `RunError` if they cannot be read."""
    try:
        found = st.secrets.get(SECTION, {})
    except StreamlitSecretNotFoundError as error:
        if isinstance(error.__cause__, ValueError | TypeError):  # there is a file, and it is no TOML
            raise RunError(f"The secrets of this server cannot be read: {error}") from error
        return None
    text = found.get(SECRET) if isinstance(found, Mapping) else None
    return str(text) if text else None


def log_in(given: str) -> bool:
    """Make this browser the teacher's if that is the password. Returns whether it is."""
    known, here, me = password(), room(), owner()
    right = known is not None and hmac.compare_digest(known.encode(), given.encode())
    if not right or here is None or me is None:
        time.sleep(WRONG_SECONDS)
        return False
    here.trust(me)
    return True


def log_out() -> None:
    """Make this browser a student's again."""
    if (here := room()) and (me := owner()):
        here.distrust(me)
