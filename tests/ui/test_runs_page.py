"""The Runs page through the whole app: every state, open, rename, delete, damaged folders, and the list behind it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lab import CONFIG, OTHER, OWNER, RUNS_PAGE, Lab, button, fake_training, query, words

from mnist_lab.ui.run_list import is_anything_live, list_runs


@pytest.fixture
def lab(tmp_path, monkeypatch):
    lab = Lab(tmp_path, monkeypatch)
    yield lab
    lab.close()


def page(lab, browser=OWNER):
    return lab.page(browser=browser, path=RUNS_PAGE)


def pick(at, id: str):
    return at.selectbox(key="runs_box").set_value(id).run()


def table_rows(at) -> list[int]:
    """The rows that are marked in the table."""
    _, version = at.session_state["runs_table"]
    return at.session_state[f"runs_table_{version}"]["selection"]["rows"]


def popovers(at) -> dict[str, bool]:
    """Label -> whether it is disabled."""
    return {block.proto.popover.label: block.proto.popover.disabled for block in at.get("popover")}


def test_nothing_there_yet(lab):
    at = page(lab)
    assert "No run is kept yet" in words(at) and not at.dataframe
    assert [link.proto.label for link in at.get("page_link")] == ["Start one on the Train page"]


def test_every_state_is_listed_newest_first(lab):
    finished = lab.ended()
    lab.use(fake_training.make_train(on_step=lambda *_: 1 / 0))
    failed = lab.ended()
    interrupted = lab.interrupted()
    lab.gated()
    running = lab.submit()
    lab.gate.wait()
    lab.gate.let(1)
    lab.gate.wait()
    queued = lab.submit()
    rows, bad = list_runs(lab.queue, lab.store)
    assert bad == [] and is_anything_live(rows)
    assert rows[0].id == queued.id
    assert {row.id: row.state_text for row in rows} == {
        queued.id: "Waiting", running.id: "Running, 33 %", interrupted: "Interrupted", failed: "Failed",
        finished: "Finished",
    }
    table = page(lab).dataframe[0].value
    assert list(table["State"])[:2] == ["Waiting", "Running, 33 %"] and len(table) == 5


def test_runs_in_line_stand_above_those_on_disk_the_last_first(lab):
    done = lab.ended()
    lab.gated()
    running = lab.submit()
    lab.gate.wait()
    waiting = [lab.submit().id for _ in range(2)]
    rows, _ = list_runs(lab.queue, lab.store)
    assert [row.id for row in rows] == [waiting[1], waiting[0], running.id, done]


def test_results(lab, monkeypatch):
    result = fake_training.result
    monkeypatch.setattr(fake_training, "result", lambda *arguments: _with_summary(result(*arguments)))
    lab.ended()
    row = page(lab).dataframe[0].value.iloc[0]
    assert (row["Test accuracy"], row["Train accuracy"], row["Seconds"]) == (97.25, 99.5, 3.0)
    assert "Batch size: 64" in row["Settings"] and "Seed: 7" in row["Settings"]
    assert row["Started"].startswith("20")


def _with_summary(trained):
    trained.summary.update(test_accuracy=97.25, train_accuracy=99.5)
    return trained


def test_open(lab):
    lab.ended(config=CONFIG.replace(epochs=5))
    older = lab.store.list()[0].id
    lab.ended()
    at = pick(page(lab), older)
    button(at, "Open run").click().run()
    assert query(at)["run"] == older and query(at)["epochs"] == "5"
    assert "All 5 epochs are done." in words(at)


def test_rename(lab):
    id = lab.ended()
    at = page(lab)
    at.text_input(key=f"runs_name_{id}").set_value("Mine *own*")
    button(at, "Save name").click().run()
    assert lab.store.load(id).name == "Mine *own*"
    assert list(at.dataframe[0].value["Run"]) == ["Mine *own*"]


def test_an_empty_name_is_explained(lab):
    id = lab.ended()
    at = page(lab)
    at.text_input(key=f"runs_name_{id}").set_value(" ")
    button(at, "Save name").click().run()
    assert "needs a name" in words(at) and not at.exception


def test_delete_after_confirmation(lab):
    id, other = lab.ended(), lab.ended()
    at = pick(page(lab), id)
    assert "cannot be brought back" in words(at)
    button(at, "Yes, delete it").click().run()
    assert not lab.store.exists(id) and lab.store.exists(other)
    assert len(at.dataframe[0].value) == 1 and at.selectbox(key="runs_box").value == other


def test_only_the_owner_can_change_it(lab):
    lab.ended()
    at = page(lab, browser=OTHER)
    assert popovers(at) == {"Rename": True, "Delete": True}
    assert "Only the browser that started this run can rename or delete it." in words(at)
    assert popovers(page(lab)) == {"Rename": False, "Delete": False}


def test_anybody_can_change_a_run_of_the_command_line(lab):
    lab.ended(owner=None)
    assert popovers(page(lab, browser=OTHER)) == {"Rename": False, "Delete": False}


def test_not_while_it_runs_or_waits(lab):
    lab.gated()
    running = lab.submit()
    lab.gate.wait()
    waiting = lab.submit()
    for job in (running, waiting):
        at = pick(page(lab), job.id)
        assert popovers(at) == {"Rename": True, "Delete": True}
        assert "when it has ended" in words(at)


def test_deleted_in_another_tab(lab):
    id, other = lab.ended(), lab.ended()
    at = pick(page(lab), id)
    lab.store.delete(id)
    button(at, "Open run").click().run()
    assert not at.exception and at.selectbox(key="runs_box").value == other


def test_damaged_folders_are_reported(lab):
    lab.ended()
    (lab.store.root / "broken").mkdir()
    (lab.store.root / "not a run!").mkdir()
    at = page(lab)
    assert any("cannot be read (2)" in box.label for box in at.expander)
    assert "There is no run.json in it" in words(at) and "not the name of a run" in words(at)
    assert len(at.dataframe[0].value) == 1


def test_the_picked_run_stays_picked_when_rows_move(lab):
    first = lab.ended()
    at = pick(page(lab), first)
    lab.ended()
    at.run()
    assert at.selectbox(key="runs_box").value == first
    assert table_rows(at) == [1]


def test_two_hundred_runs(lab):
    one = lab.store.root / lab.ended()
    for number in range(199):
        shutil.copytree(one, one.with_name(f"20260101-000000-copy-{number:04d}"))
    at = page(lab)
    assert len(at.dataframe[0].value) == len(set(at.selectbox(key="runs_box").options)) == 200


def test_runs_of_the_same_name_can_be_told_apart(lab):
    ids = [lab.ended() for _ in range(3)]
    at = page(lab)
    assert len(set(at.selectbox(key="runs_box").options)) == 3
    for id in ids:
        assert pick(at, id).selectbox(key="runs_box").value == id


def test_a_renamed_run_stays_picked(lab):
    first = lab.ended()
    lab.ended()
    at = pick(page(lab), first)
    at.text_input(key=f"runs_name_{first}").set_value("Mine")
    button(at, "Save name").click().run()
    assert at.selectbox(key="runs_box").value == first and lab.store.load(first).name == "Mine"
