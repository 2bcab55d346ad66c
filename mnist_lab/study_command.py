"""`python -m mnist_lab study`: run the studies that ship, and write `pretrained/` from their runs."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from mnist_lab.report import report
from mnist_lab.runs.library import Library, pretrained_root
from mnist_lab.runs.record import RunError
from mnist_lab.runs.shipping import collected, ship
from mnist_lab.runs.store import RunStore
from mnist_lab.runs.study import StudyError, load_study, save_study, study_names, study_root
from mnist_lab.runs.sweep import SweepError
from mnist_lab.studies import STUDIES
from mnist_lab.sweep_command import add_workers, run_tasks, study_tasks

COMMAND = "python -m mnist_lab study"


def add_study(commands: Any) -> None:
    """Add the command and its options."""
    command = commands.add_parser("study", help="run the studies behind pretrained/, and write that folder from them")
    command.set_defaults(run=run_study)
    command.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(STUDIES)} (default: all)")
    command.add_argument("--collect", action="store_true", help="train nothing: write what the runs so far come to")
    add_workers(command)


def run_study(options: argparse.Namespace) -> int:
    """Train what is missing, then write the variants, the studies and the README; the exit status."""
    for name in options.names:
        if name not in STUDIES:
            raise SweepError(f"There is no study {name!r}. Choose from {', '.join(STUDIES)}.")
    names = options.names or list(STUDIES)
    status = 0
    for name in () if options.collect else names:
        status |= run_tasks(study_tasks(STUDIES[name]), options)
    try:
        for name in names:
            _write(name, RunStore(options.out))
        _write_readme()
    except (RunError, StudyError) as error:
        raise SweepError(str(error)) from error
    return status


def _write(name: str, store: RunStore) -> None:
    plan = STUDIES[name]
    shipped = ship(plan, store, pretrained_root()) if plan.ships else []
    study = collected(plan, store)
    if study.runs:
        save_study(study)
    result = {"study": name, "runs": len(study.runs), "of": len(plan.settings) * len(plan.seeds)}
    print(json.dumps(result | {"variants": len(shipped)}), flush=True)


def _write_readme() -> None:
    text = readme()
    if text is None:
        print(f"mnist_lab: no README yet: there is no study of the sources in {study_root()}", file=sys.stderr)
    else:
        (pretrained_root() / "README.md").write_text(text, encoding="utf-8")


def readme() -> str | None:
    """What pretrained/README.md has to say by the records there are; None while there is no study of the sources."""
    there = {name: load_study(name) for name in study_names()}
    if "sources" not in there:
        return None
    return report(
        there["sources"], Library().variants(), best=there.get("best"), small=there.get("small-data"),
        scan=there.get("scan"), search=there.get("search"), made_by=COMMAND,
    )
