"""A lab in a process of its own, to be killed or interrupted: `lab_process.py ROOT [RUN_TO_RESUME] < config.json`.

Resumes that run, then starts a new one, on the bundled sample; with SLOW set, waiting so many seconds before
each batch; with DEAF set, by a training that does not listen to a stop. Prints the ids of the runs and then a
line for every event but the steps.
"""

from __future__ import annotations

import json
import os
import sys
import time

import fake_training

from mnist_lab.config_forms import from_dict
from mnist_lab.data.mnist import load_sample
from mnist_lab.events import LAST_EVENTS, Epoch, Step
from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.store import RunStore
from mnist_lab.training import train


def functions() -> dict:
    if "DEAF" in os.environ:
        deaf = fake_training.make_train(on_step=lambda *step: time.sleep(60))
        return {"train": deaf, "load_data": fake_training.load_data}
    return {"train": train_slowly, "load_data": lambda progress: load_sample()}


def train_slowly(config, data, emit, should_stop, **options):
    def wait_and_ask() -> bool:
        time.sleep(float(os.environ.get("SLOW", 0)))
        return should_stop()

    return train(config, data, emit, wait_and_ask, **options)


def main() -> None:
    queue = RunQueue(RunStore(sys.argv[1]), workers=1, **functions())
    jobs = [queue.submit(resume_id=id) for id in sys.argv[2:]] + [queue.submit(from_dict(json.load(sys.stdin)))]
    print(*[job.id for job in jobs], flush=True)
    for job in jobs:
        told = 0
        while not isinstance(job.log.last(), LAST_EVENTS) or told < len(job.log):
            for event in job.log.since(told):
                told += 1
                if not isinstance(event, Step):
                    print(type(event).__name__, event.epoch if isinstance(event, Epoch) else "", flush=True)
            time.sleep(0.005)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
