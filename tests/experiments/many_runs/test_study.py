"""Searches that several processes share: in a journal file, and in a real PostgreSQL database."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import optuna
import pytest

from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.many_runs import study as module
from hypermnesia.experiments.many_runs.processes import Processes
from hypermnesia.experiments.many_runs.search import Search
from hypermnesia.experiments.many_runs.study import open_study
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


@pytest.fixture(scope="module")
def database():
    """URL of a database on a directory and a socket of its own, which is removed at the end."""
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
    yield f"postgresql://me@/postgres?host={folder}"
    server.send_signal(signal.SIGINT)  # does not wait for connections that are still open
    server.wait()
    shutil.rmtree(folder)


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
