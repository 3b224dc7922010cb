"""Searches that several processes share: in a journal file, and in a real PostgreSQL database."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import optuna
import pytest

from hypermnesia.errors import ConfigurationError, HypermnesiaError
from hypermnesia.experiments.many_runs import study as module
from hypermnesia.experiments.many_runs.processes import Processes
from hypermnesia.experiments.many_runs.search import Search
from hypermnesia.experiments.many_runs.study import StorageError, open_study
from hypermnesia.experiments.many_runs.tune import TUNED, tune
from tests.runs import load

SHORT = ["training.iterations=6", "tasks.num_tasks=2", "threads=1", "device=cpu"]


def search(directory: Path, storage: str, trials: int = 3, *settings: str) -> Search:
    directory.mkdir(exist_ok=True)
    return Search(load("split-digits", [*SHORT, *settings]), directory, trials, storage=storage)


def programs() -> Path | None:
    """Where PostgreSQL's programs are; Debian puts them beside the path."""
    found = shutil.which("postgres")
    return Path(found).resolve().parent if found else max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


@contextlib.contextmanager
def postgresql():
    """A server with a directory and a socket of its own, which is removed at the end; and the URL of a database."""
    place, owner = programs(), "postgres" if os.getuid() == 0 else None  # it refuses to be run by root
    assert place, "PostgreSQL is not installed: on Debian the package `postgresql`"
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    if owner:
        shutil.chown(folder, owner)
    run = {"user": owner, "cwd": folder, "stdout": subprocess.DEVNULL}
    subprocess.run([place / "initdb", "-D", folder / "data", "-U", "me", "-A", "trust"], check=True, **run)
    server = subprocess.Popen(
        [place / "postgres", "-D", folder / "data", "-k", folder, "-c", "listen_addresses="],
        stderr=subprocess.DEVNULL,
        **run,
    )
    while subprocess.run([place / "pg_isready", "-h", folder], **run).returncode:
        assert server.poll() is None
    yield server, f"postgresql://me@/postgres?host={folder}"
    server.send_signal(signal.SIGINT)  # does not wait for connections that are still open
    server.wait()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def database():
    with postgresql() as (_, url):
        yield url


def test_what_others_have_tried_counts(tmp_path):
    journal = str(tmp_path / "journal")
    one = tune(search(tmp_path / "one", journal, 2))
    other = tune(search(tmp_path / "other", journal, 3))
    assert len(one) == 2 and len(other) == 3 and all(trial in other for trial in one)
    assert len({tuple(trial.settings.items()) for trial in other}) == 3
    assert (tmp_path / "other" / TUNED).is_file()
    # Others may be at work in it, so nothing is forgotten; another experiment is another search.
    open_study(search(tmp_path / "one", journal)).ask()
    assert [trial.state for trial in tune(search(tmp_path / "one", journal, 3))].count("running") == 1
    assert len(tune(search(tmp_path / "one", journal, 1, "seed=1"))) == 1


def test_half_a_line_that_a_killed_process_has_left_is_no_hindrance(tmp_path):
    journal = tmp_path / "journal"
    (first,) = tune(search(tmp_path / "one", str(journal), 1))
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole.splitlines()[-1][:30])
    assert first in tune(search(tmp_path / "one", str(journal), 2))
    other = tmp_path / "other"
    other.write_bytes(b"no journal\n of ours")
    with pytest.raises(ConfigurationError, match="cannot be read as the trials of a search"):
        tune(search(tmp_path, str(other), 1))
    assert other.read_bytes() == b"no journal\n of ours"


@pytest.mark.slow
def test_a_journal_whose_values_were_changed_is_read_or_refused(tmp_path):
    journal, changed = tmp_path / "journal", tmp_path / "changed"
    tune(search(tmp_path / "out", str(journal), 1))
    lines = journal.read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    one_each = {entry["op_code"]: place for place, entry in enumerate(entries)}.values()
    refused = 0
    for place, entry in ((place, entries[place]) for place in one_each):
        for key in entry:
            rest = {name: value for name, value in entry.items() if name != key}
            for other in (rest, *(rest | {key: value} for value in ("x", None, -1, 1e400, True, [], {}, "\ud800"))):
                changed.write_text("\n".join([*lines[:place], json.dumps(other), *lines[place + 1 :]]) + "\n")
                try:
                    tune(search(tmp_path / "out", str(changed), 1))
                except HypermnesiaError as error:
                    refused += 1
                    assert len(str(error)) < 500
    assert refused > 50


@pytest.mark.parametrize(
    "storage, message",
    [
        ("mysql://me@host/name", "'mysql' is not among what can hold a search; give postgresql://"),
        (
            "postgresql://me@host:port/name",
            "'postgresql://me@host:port/name' is no URL of a database; give postgresql://",
        ),
        ("postgresql://me@127.0.0.1:1/name", "the database cannot be opened: .*refused"),
        ("nowhere/journal", "'nowhere/journal' cannot be opened: No such file"),
    ],
)
def test_mistakes_are_explained(tmp_path, storage, message):
    with pytest.raises(ConfigurationError, match=f"storage: {message}"):
        tune(search(tmp_path, storage))


@pytest.mark.slow
@pytest.mark.postgresql
def test_several_processes_share_a_database(tmp_path, database):
    found = tune(search(tmp_path, database, 4), executor=Processes(2))
    assert sum(trial.state in ("complete", "pruned") for trial in found) >= 4
    assert len({tuple(trial.settings.items()) for trial in found}) == len(found)
    assert tune(search(tmp_path, database, 4)) == found


DIES = """
import os, signal, sys
from pathlib import Path
from hypermnesia.experiments.many_runs import study as module, tune
from hypermnesia.experiments.many_runs.search import Search
from hypermnesia.experiments.settings.benchmark import load_experiment
module.HEARTBEAT_SECONDS = 1
settings = {"training.iterations": 6, "tasks.num_tasks": 2, "threads": 1, "device": "cpu", "seed": 7}
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
tune.learn_and_evaluate = die
tune.tune(Search(load_experiment("split-digits", settings), Path(sys.argv[1]), 2, storage=sys.argv[2]))
"""


@pytest.mark.slow
@pytest.mark.postgresql
def test_the_trial_of_a_dead_process_is_made_by_another(tmp_path, database, monkeypatch):
    dead = subprocess.run([sys.executable, "-c", DIES, str(tmp_path), database])
    assert dead.returncode == -9
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 1)
    mine = search(tmp_path, database, 2, "seed=7")
    study = open_study(mine)
    (lost,) = study.get_trials()
    assert lost.state == optuna.trial.TrialState.RUNNING
    while not study._storage._get_stale_trial_ids(study._study_id):
        pass
    found = {trial.number: trial for trial in tune(mine)}
    assert found[lost.number].state == "fail"
    retried = [trial for trial in found.values() if trial.settings == lost.params and trial.number != lost.number]
    assert [trial.state for trial in retried] == ["complete"]


@pytest.mark.slow
@pytest.mark.postgresql
def test_a_database_that_goes_away_amid_a_search_is_said_to_have(tmp_path):
    sentence = r"can no longer be read or written .* the same command goes on"
    with postgresql() as (server, url), pytest.raises(StorageError, match=sentence):
        tune(search(tmp_path, url, 3), told=lambda trial: server.send_signal(signal.SIGQUIT))
