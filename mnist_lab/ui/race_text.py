"""What is said about a race, in words. Pure functions; what others wrote is made safe for Markdown here."""

from __future__ import annotations

from collections.abc import Sequence

from mnist_lab.config import ALL
from mnist_lab.contestants import Contestant
from mnist_lab.runs.race import Race
from mnist_lab.ui import run_text
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.race_model import GONE, Outcome, RaceModel, RaceRun, Standing, lead
from mnist_lab.verdict_text import many, points

STATES = run_text.STATES | {GONE: ("Gone", "gray")}
SHARED = (
    "All contestants of one seed get the same images in the same order, the same wrong labels and, where their layers "
    "have the same shapes, the same weights to start with. So what is left between them is the setting, and how it "
    "plays with chance: the seeds show how much that is."
)


def list_names(names: Sequence[str]) -> str:
    """Names in a sentence: "A, B and C"."""
    return " and ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), *names[-1:]])


def plan_text(contestants: Sequence[Contestant], seeds: int, full: int) -> str:
    """How much work a race is. `full` is how many training images "all" are."""
    runs = len(contestants) * seeds
    images = [
        one.config.epochs * (full if one.config.train_images == ALL else min(one.config.train_images, full))
        for one in contestants
    ]
    return (
        f"{many(len(contestants), 'contestant')} with {many(seeds, 'seed')}: {many(runs, 'run')}, in which "
        f"{seeds * sum(images):,} images are learned from."
    ).capitalize()


def state_text(model: RaceModel, position: int = 0) -> tuple[str, str, str]:
    """The race's state as a badge's label and color, and a sentence. `position` is its first run's place in line."""
    total, running, waiting = len(model.all_runs), model.count("running"), model.count("queued")
    over = total - running - waiting
    if waiting and not running:
        return *STATES["queued"], run_text.waiting_text(position)
    if running:
        parts = [f"{over} of {total} runs are over", f"{running} under way"] + [f"{waiting} in line"] * (waiting > 0)
        return *STATES["running"], ", ".join(parts) + "."
    finished = model.count("finished")
    if finished == total:
        return *STATES["finished"], f"All {total} runs are finished."
    parts = [
        f"{model.count(state)} {STATES[state][0].lower()}"
        for state in ("failed", "stopped", "interrupted", GONE) if model.count(state)
    ]
    return "Ended", "orange", f"{finished} of {total} runs are finished, {list_names(parts)}."


def trouble_texts(model: RaceModel) -> list[str]:
    """What went wrong with which contestants, in Markdown."""
    texts = []
    for one, runs in zip(model.race.contestants, model.runs, strict=True):
        for state, what in (
            ("failed", "failed"), (GONE, "gone: deleted, or the lab was closed before it began"),
            ("interrupted", "interrupted: the lab was closed while it ran"),
            ("stopped", "stopped before its end, so it does not count"),
        ):
            hit = [run for run in runs if run.state == state]
            if hit:
                why = f" {hit[0].message}" if hit[0].message else ""
                texts.append(plain(f"{one.name}, {_seeds(hit)}: {what}.{why}"))
    return texts


def _seeds(runs: Sequence[RaceRun]) -> str:
    return f"seed{'s' * (len(runs) > 1)} {list_names([str(run.seed) for run in runs])}"


def standing_cells(line: Standing, place: int, race: Race) -> dict[str, str]:
    """A contestant's row of the table, in Markdown."""
    mean = "–" if line.mean is None else f"{line.mean:.2f} %" if line.is_final else f"{line.mean:.2f} % so far"
    spread = f"{line.low:.2f} to {line.high:.2f} %" if line.is_final and line.seeds > 1 else "–"
    cells = {"Place": f"{place}" if line.mean is not None else "–", "Contestant": plain(line.name)}
    cells["Accuracy"] = plain(mean)
    if len(race.seeds) > 1:
        cells["Lowest to highest"] = plain(spread)
    cells["In training"] = "–" if line.train is None else f"{line.train:.2f} %"
    return cells | {"Runs": _progress(line.runs)}


def _progress(runs: Sequence[RaceRun]) -> str:
    """How the runs of one contestant are doing: "2 of 3 finished", "running, 40 %"."""
    under_way = [run for run in runs if run.state == "running"]
    finished = sum(run.state == "finished" for run in runs)
    lost = len([run for run in runs if not run.is_live]) - finished
    parts = [f"{finished} of {len(runs)} finished"] if finished or not under_way else []
    parts += [f"running, {100 * run.done:.0f} %" for run in under_way]
    parts += [f"{lost} lost"] * (lost > 0)
    return ", ".join(parts)


def takeaway(lines: Sequence[Standing], race: Race) -> str:
    """Who is ahead, in a sentence or two; empty while nobody is anywhere."""
    is_live = any(run.is_live for line in lines for run in line.runs)
    ahead = [line for line in lines if line.mean is not None]
    if len(ahead) < 2:
        return plain(_alone(ahead, lines, is_live))
    first, second = ahead[:2]
    points_ahead, shared = lead(first, second)
    if points_ahead < 0:  # by its mean over all its seeds it is the first, and not over those that both have
        first, second, points_ahead = second, first, -points_ahead
    how = f"{first.name} is ahead of {second.name} by {points_ahead:.2f} points" if points_ahead >= 0.005 else (
        f"{first.name} and {second.name} are level")
    if not shared:
        how += ", with different seeds,"
    elif shared < max(first.seeds, second.seeds):
        how += f" over the {many(shared, 'seed')} that both have,"
    if is_live:
        return plain(f"{how} so far.")
    return plain(f"{how} in the end. {_means_anything(first, second, shared, race)}{_uneven(ahead)}")


def _alone(ahead: Sequence[Standing], lines: Sequence[Standing], is_live: bool) -> str:
    """What there is to say while fewer than two contestants have an accuracy."""
    if is_live:
        return f"Only {ahead[0].name} was tested so far: {ahead[0].mean:.2f} %." if ahead else ""
    if ahead:
        return f"Only {ahead[0].name} has a finished run, so there is nothing to compare it with."
    tested = [(run.curve[-1], run.seed, line.name) for line in lines for run in line.runs if run.curve]
    if not tested:
        return ""
    (epoch, accuracy), seed, name = max(tested, key=lambda one: one[0][1])
    return (
        f"No run came to its end, so none counts. The highest accuracy on the way: {accuracy:.2f} %, {name} with seed "
        f"{seed} after epoch {epoch}."
    )


def _means_anything(first: Standing, second: Standing, shared: int, race: Race) -> str:
    if len(race.seeds) == 1:
        return "One seed cannot tell whether that is chance."
    if shared < 2:
        return "They share too few seeds to tell whether that is chance."
    if 0 in (first.number, second.number):
        return "Whether that means anything is for the verdict."
    return f"The verdict compares each contestant with {race.contestants[0].name}, and not these two with each other."


def _uneven(ahead: Sequence[Standing]) -> str:
    if len({frozenset(run.seed for run in line.counted) for line in ahead}) == 1:
        return ""
    return " Not all accuracies in the table are of the same seeds."


def verdict_headline(found: Sequence[Outcome], race: Race, live: bool) -> str:
    """The verdict on the whole race in a few sentences, in Markdown."""
    against = plain(race.contestants[0].name)
    if live:
        return f"At the end, every contestant is compared with **{against}**, seed by seed."
    judged = [one for one in found if one.difference]
    if not judged:
        if len(race.seeds) == 1:
            return (
                "One seed does not show how much seeds differ, so there is no verdict. Race again with at least two; "
                "five are better."
            )
        return "There is no verdict: too few runs are finished."
    better = [one for one in judged if one.difference.decided and one.difference.mean > 0]
    worse = [one for one in judged if one.difference.decided and one.difference.mean < 0]
    open_ones = [one for one in judged if not one.difference.decided]
    parts = [f"**{word} than {against}**, by more than chance explains: {_with_points(some)}."
             for word, some in (("Better", better), ("Worse", worse)) if some]
    if open_ones:
        parts.append(f"**Not decided**: {list_names([plain(one.name) for one in open_ones])}.")
    return "  \n".join(parts)


def _with_points(found: Sequence[Outcome]) -> str:
    ranked = sorted(found, key=lambda one: -abs(one.difference.mean))
    return list_names([f"{plain(one.name)} ({points(one.difference.mean)})" for one in ranked])
