"""A race: several settings trained with the same seeds. It is a group of ordinary runs; a small file says which.

`<runs>/.races/<id>.json` holds the contestants, the seeds and the id of every run. The runs know nothing of it: they
can be opened, compared and deleted like any other, and a race whose file is deleted leaves them where they are.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from mnist_lab.config import ConfigError
from mnist_lab.config_forms import from_dict
from mnist_lab.contestants import MOST_CONTESTANTS, MOST_SEEDS, Contestant
from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.record import RunError, fits
from mnist_lab.runs.store import RunStore, may_change, tidy_name
from mnist_lab.runs.writer import write_atomically

FOLDER = ".races"
SCHEMA = 1
_ID = re.compile(r"\d{8}-\d{6}-[a-z0-9]{4}")
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"


@dataclass(frozen=True, kw_only=True)
class Race:
    """What raced. `runs` are ids of runs: a tuple for each contestant, in the order of `seeds`.

    `started` is ISO 8601, UTC. `owner_hash` is as in `RunSummary`: never show it. The first contestant is the one
    that the others are measured against.
    """

    id: str
    name: str
    started: str
    contestants: tuple[Contestant, ...]
    seeds: tuple[int, ...]
    runs: tuple[tuple[str, ...], ...]
    owner_hash: str | None = None

    @property
    def run_ids(self) -> list[str]:
        """Every run, in the order in which they were put in line: seed by seed, so that all get a first result soon."""
        return [of_one[place] for place in range(len(self.seeds)) for of_one in self.runs]


class RaceStore:
    """The races whose runs are in the store's folder."""

    def __init__(self, store: RunStore):
        self.folder = store.root / FOLDER

    def save(self, race: Race) -> None:
        """Write the file, at once and whole. Raises `OSError` if it cannot be written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / f"{race.id}.json", (json.dumps(_to_dict(race), indent=1) + "\n").encode())

    def load(self, id: str) -> Race:
        """The race of that id, which may come from a link. Raises `RunError` if there is none or it is damaged."""
        if not _ID.fullmatch(id):
            raise RunError(f"{id[:40]!r} cannot be the id of a race.")
        try:
            values = json.loads((self.folder / f"{id}.json").read_text("utf-8"))
        except FileNotFoundError:
            raise RunError(f"There is no race {id}. It may have been deleted.") from None
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"The race {id} cannot be read: {error}.") from error
        return _from_dict(id, values)

    def list(self) -> list[Race]:
        """Every race that can be read, newest first."""
        races = []
        for path in sorted(self.folder.glob("*.json"), reverse=True):
            try:
                races.append(self.load(path.stem))
            except RunError:  # said to whoever opens it; the others are none the worse for it
                continue
        return races

    def delete(self, id: str) -> None:
        """Forget the race; its runs stay. Nothing happens if there is none."""
        if _ID.fullmatch(id):
            (self.folder / f"{id}.json").unlink(missing_ok=True)


def start_race(
    queue: RunQueue, contestants: Sequence[Contestant], seeds: Sequence[int], *, name: str,
    owner: str | None = None,
) -> Race:
    """Put a run for every contestant and seed in line, seed by seed, and keep the race. Returns it at once.

    A seed decides the initial weights, the order of the images, wrong labels and dropout, whatever the settings: for
    one seed all contestants see the same batches, and where their layers have the same shapes they start alike.

    Raises:
        ValueError: fewer than two contestants, too many of them or of seeds, or names or seeds that are not distinct.
        RunError: the queue is shutting down. No run of the race is left in line.
    """
    _check(contestants, seeds)
    race = Race(
        id=_new_id(), name=tidy_name(name), started=datetime.now(UTC).isoformat(timespec="milliseconds"),
        contestants=tuple(replace(one, config=one.config.replace(seed=0)) for one in contestants),
        seeds=tuple(seeds), runs=tuple(("",) * len(seeds) for _ in contestants), owner_hash=owner,
    )
    return complete_race(queue, race, {""})


def complete_race(queue: RunQueue, race: Race, lost: Collection[str]) -> Race:
    """Put the runs with these ids in line again, as new runs in their places, and keep the race with the new ids.

    What is left of the old runs stays among all runs. Raises what `start_race` raises of the queue and the disk.
    """
    runs = [list(ids) for ids in race.runs]
    places = [
        (number, place) for place in range(len(race.seeds)) for number, ids in enumerate(runs) if ids[place] in lost
    ]
    wanted = [(race.contestants[number], race.seeds[place]) for number, place in places]
    jobs = queue.submit_group(
        [(one.config.replace(seed=seed), run_name(one.name, seed)) for one, seed in wanted], owner=race.owner_hash,
        group=race.id, abreast=len(race.contestants),
    )
    for (number, place), job in zip(places, jobs, strict=True):
        runs[number][place] = job.id
    race = replace(race, runs=tuple(map(tuple, runs)))
    try:
        RaceStore(queue.store).save(race)
    except BaseException:
        stop_runs(queue, [job.id for job in jobs])
        raise
    return race


def stop_runs(queue: RunQueue, ids: Sequence[str]) -> None:
    """Stop all of these runs; those in line leave it first, from its end, so that none starts in the meantime."""
    for id in reversed(ids):
        queue.stop(id)


def stop_race(queue: RunQueue, race: Race, owner_hash: str | None) -> bool:
    """Stop what is left of a race, if the browser with that token's hash may. Returns whether it may."""
    if not may_change(race.owner_hash, owner_hash):
        return False
    stop_runs(queue, race.run_ids)
    return True


def run_name(contestant: str, seed: int) -> str:
    """What a run of a race is called among all runs."""
    return f"{contestant} · seed {seed}"


def _check(contestants: Sequence[Contestant], seeds: Sequence[int]) -> None:
    names = {one.name for one in contestants}
    if not 2 <= len(contestants) <= MOST_CONTESTANTS or len(names) < len(contestants):
        raise ValueError(f"A race has 2 to {MOST_CONTESTANTS} contestants with different names.")
    if not 1 <= len(seeds) <= MOST_SEEDS or len(set(seeds)) < len(seeds) or not all(isinstance(s, int) for s in seeds):
        raise ValueError(f"A race has 1 to {MOST_SEEDS} different seeds.")


def _new_id() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{''.join(secrets.choice(_ALPHABET) for _ in range(4))}"


def _to_dict(race: Race) -> dict[str, Any]:
    contestants = [
        {"name": one.name, "config": one.config.to_dict(), "runs": list(runs)}
        for one, runs in zip(race.contestants, race.runs, strict=True)
    ]
    return {
        "schema": SCHEMA, "name": race.name, "started": race.started, "owner_hash": race.owner_hash,
        "seeds": list(race.seeds), "contestants": contestants,
    }


_KINDS = {"name": str, "started": str, "owner_hash": str | None, "seeds": list, "contestants": list}
_CONTESTANT = {"name": str, "config": dict, "runs": list}


def _from_dict(id: str, values: Any) -> Race:
    """The race that `_to_dict` wrote. Raises `RunError` for anything else."""
    if not isinstance(values, dict) or values.get("schema") != SCHEMA or _misfit(values, _KINDS):
        raise RunError(f"The file of the race {id} is not one that this version of MNIST Lab wrote.")
    entries, seeds = values["contestants"], values["seeds"]
    for entry in entries:
        texts = entry["runs"] if isinstance(entry, dict) and not _misfit(entry, _CONTESTANT) else []
        if len(texts) != len(seeds) or not all(isinstance(text, str) for text in texts):
            raise RunError(f"The file of the race {id} is damaged: it does not say which runs belong to it.")
    try:
        contestants = tuple(Contestant(entry["name"], from_dict(entry["config"])) for entry in entries)
        datetime.fromisoformat(values["started"])
        _check(contestants, seeds)
    except (ConfigError, ValueError, TypeError) as error:
        raise RunError(f"The file of the race {id} is damaged: {error}") from error
    return Race(
        id=id, name=values["name"], started=values["started"], contestants=contestants, seeds=tuple(seeds),
        runs=tuple(tuple(entry["runs"]) for entry in entries), owner_hash=values["owner_hash"],
    )


def _misfit(values: dict[str, Any], kinds: dict[str, Any]) -> bool:
    return any(not fits(values.get(name), kind) for name, kind in kinds.items())
