"""What there is to compare: the settings of the studies, the runs made here by setting, and single runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from mnist_lab.config import ORIGIN_FIELDS, RunConfig
from mnist_lab.config_forms import differences, short_value, title
from mnist_lab.presets import PRESETS, preset_of
from mnist_lab.runs.library import STUDY, Library
from mnist_lab.runs.record import INTERRUPTED, BadRun, RunError, RunSummary
from mnist_lab.runs.study import Study, StudyError, load_study
from mnist_lab.ui.compare_data import Member, Variant
from mnist_lab.ui.compare_files import Stamp
from mnist_lab.ui.compare_tables import knob_names
from mnist_lab.ui.run_text import when_text

STUDIES = ("sources", "best", "small-data", "scan")


@dataclass(frozen=True, eq=False)
class Found:
    """A study and its settings as variants: the same object while its files are unchanged."""

    study: Study
    variants: tuple[Variant, ...]


def find_study(name: str, library: Library) -> Found | None:
    """The study of that name; None if there is none, or nothing in it yet. Raises `StudyError` if it is damaged."""
    root = library.pretrained.root / STUDY
    if not (root / f"{name}.json").exists():
        return None
    try:
        found = _read(Stamp(root / f"{name}.json"), Stamp(root / f"{name}.npz"))
    except RunError as error:
        raise StudyError(f"The study {name} lacks a file. {error}") from error
    return found if found.variants else None


def variants(library: Library) -> tuple[list[Variant], list[str]]:
    """All there is to compare, and a sentence for each study that cannot be read."""
    studies, problems = {}, []
    for name in STUDIES:
        try:
            found = find_study(name, library)
        except StudyError as error:
            problems.append(str(error))
            continue
        studies[name] = found.variants if found else ()
    first, rest = studies.get("sources", ()), [one for name in STUDIES[1:] for one in studies.get(name, ())]
    own = [run for run in library.list() if not library.is_pretrained(run)]
    shipped = [_single(run, "pretrained, one run") for run in library.variants()]
    return [*first, *_own(own), *shipped, *rest], problems


def why_not(key: str, there: Sequence[Variant], library: Library) -> tuple[str, str]:
    """Why a key of a link is not among the variants: what it is called, and what it is, to be put behind "is"."""
    runs = {f"run.{run.id}": run for run in library.own.list()}
    run = runs.get(key)
    if run is None:
        return key[:60], "not there, or not any more: deleted, or on another computer"
    if isinstance(run, BadRun):
        return f"The run {run.id}", "damaged: the Runs page says in what way"
    name = f"The run {run.name}"
    if run.status == "running":
        return name, "still going, and can be chosen after the end"
    if run.status == INTERRUPTED:
        return name, "interrupted: it can be resumed, and chosen after the end"
    if any(member.run.id == run.id for one in there if one.key.startswith("own.") for member in one.members):
        return name, "listed by its settings: choose it there"
    return name, "without weights: it failed, or ended before its first epoch did"


@lru_cache(maxsize=8)
def _read(settings: Stamp, arrays: Stamp) -> Found:
    found = load_study(settings.path.stem, settings.path.parent)
    return Found(found, tuple(_of_study(found)))


def _of_study(found: Study) -> list[Variant]:
    return [
        Variant(
            key=f"{found.name}.{setting}", name=title_of(found.config(setting), setting), config=found.config(setting),
            kind=f"study {found.name}, {_seeds(len(found.of(setting)))}", data=found.data,
            members=tuple(Member(run, found.labels) for run in found.of(setting)),
            preset=setting if setting in PRESETS else None,
        )
        for setting in found.settings()
    ]


def _own(runs: list[RunSummary]) -> list[Variant]:
    """The finished runs by setting, newest first; then those that are not alone there, or were stopped, one by one."""
    groups: dict[str, list[RunSummary]] = {}
    for run in runs:
        if run.status == "finished":
            groups.setdefault(_setting(run.config, run.data.get("checksum")), []).append(run)
    whole = [_group(key, members) for key, members in groups.items()]
    alone = {members[0].id for members in groups.values() if len(members) == 1}
    single = [
        _single(run, f"one run{', stopped' * (run.status == 'stopped')}, seed {run.config.seed}, "
                     f"{when_text(run.timings['started'])}")
        for run in runs if run.id not in alone
    ]
    return [*_told_apart(whole), *single]


def _group(key: str, runs: list[RunSummary]) -> Variant:
    by_seed: dict[int, RunSummary] = {}
    for run in runs:  # newest first: of two with one seed the newer counts
        by_seed.setdefault(run.config.seed, run)
    kept = [by_seed[seed] for seed in sorted(by_seed)]
    return Variant(
        key=f"own.{key}", name=title_of(kept[0].config), kind=f"runs made here, {_seeds(len(kept))}",
        config=kept[0].config, data=kept[0].data, members=tuple(Member(run) for run in kept),
        preset=preset_of(kept[0].config),
    )


def _single(run: RunSummary, kind: str) -> Variant:
    known = run.id if run.id in PRESETS else preset_of(run.config)
    return Variant(
        key=f"run.{run.id}", name=PRESETS[run.id].title if run.id in PRESETS else run.name, kind=kind,
        config=run.config, data=run.data, members=(Member(run),), preset=known,
    )


def _told_apart(found: list[Variant]) -> list[Variant]:
    """The same, those of one name with the settings in which they differ."""
    result = []
    for one in found:
        twins = [other for other in found if other.name == one.name and other is not one]
        knobs = {name for other in twins for name in differences(one.config, other.config)} - set(ORIGIN_FIELDS)
        values = one.config.to_dict()
        more = "".join(f" · {_said(name, values[name])}" for name in values if name in knobs)
        if any(other.data.get("checksum") != one.data.get("checksum") for other in twins):
            more += f" · data {one.data.get('source')}"
        result.append(replace(one, name=one.name + more))
    return result


@lru_cache(maxsize=1_024)  # a page's every run, again and again
def title_of(config: RunConfig, preset: str | None = None) -> str:
    """A preset's title, or what the settings are. Without `preset` it is looked for."""
    known = PRESETS.get(preset or "") or PRESETS.get(preset_of(config) or "")
    return known.title if known else title(config)


def _said(name: str, value: object) -> str:
    return f"{knob_names([name])[0]} {short_value(name, value)}"


@lru_cache(maxsize=1_024)
def _setting(config: RunConfig, checksum: str | None) -> str:
    """The same for runs that train alike on the same images but for seed, device and precision."""
    settings = {
        name: value for name, value in config.to_dict().items() if name not in ORIGIN_FIELDS and config.matters(name)
    }
    return hashlib.sha256(json.dumps([settings, checksum], sort_keys=True).encode()).hexdigest()[:10]


def _seeds(count: int) -> str:
    return f"{count} seed{'s' * (count != 1)}"
