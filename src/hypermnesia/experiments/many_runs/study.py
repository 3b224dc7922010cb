"""Where the trials of a search are kept: in a file of its directory, or where several machines reach them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypermnesia.errors import ConfigurationError, HypermnesiaError, shown
from hypermnesia.experiments.many_runs.search import Search
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.single_run.same_data import digests, has_own_data
from hypermnesia.extras import needed
from hypermnesia.tasks import Task

if TYPE_CHECKING:
    import sqlite3

    import optuna
    import sqlalchemy

STUDY = "study.db"
"""File in the directory of a search."""
_JOURNAL = b'{"op_code":'
"""What the journal of a search begins with."""
_CONNECT_SECONDS = 10
_WAIT_SECONDS = 60
"""For other processes that look into the file of a search."""
HEARTBEAT_SECONDS = 60
"""A process that makes a trial says so often that it lives; after twice this time without, another takes the trial."""


class StorageError(HypermnesiaError):
    """What holds the trials of a search fails amid the search."""


def open_study(search: Search) -> optuna.Study:
    """The study of a search, made if there is none; the experiment's own settings are the first that it tries.

    Raises:
        ConfigurationError: The storage cannot be opened, or the directory holds the study of another experiment.
    """
    import optuna

    # It would tell of an interrupted trial with all of its stack.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    searched = json.dumps([search.experiment.model_dump(mode="json"), sorted(search.space)], sort_keys=True)
    # A database may hold several searches; a directory holds one.
    name = f"{search.experiment.name}-{hashlib.sha256(searched.encode()).hexdigest()[:8]}" if search.storage else "tune"
    file = None if search.storage else search.directory / STUDY
    try:
        study = optuna.create_study(
            storage=_in_file(file) if file else _storage(search.storage or ""),
            study_name=name,
            direction="maximize" if search.experiment.metric.more_is_better else "minimize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5),
        )
        for trial in study.get_trials(deepcopy=False):
            _check_types(trial)
    except HypermnesiaError:
        raise
    except Exception as error:  # whatever a database makes of what stands there
        raise ConfigurationError(
            f"{file or shown(search.storage)} cannot be read as the trials of a search ({_first_line(error)}): move it"
            f" away to begin anew, or choose another {'directory (out)' if file else 'storage'}."
        ) from error
    if study.user_attrs.setdefault("searched", searched) != searched:
        raise ConfigurationError(
            f"{search.directory} holds the search of another experiment: choose another directory (out), or remove it."
        )
    study.set_user_attr("searched", searched)
    own = {place: value_of(search.experiment, place) for place in search.space}
    if all(search.space[place].low <= value <= search.space[place].high for place, value in own.items()):
        study.enqueue_trial(own, skip_if_exists=True)
    return study


def check_same_examples(study: optuna.Study, search: Search, tasks: Sequence[Task]) -> None:
    """Refuse to go on with other examples of one's own than the trials before; write down what they are.

    Args:
        study: The study of the search.
        search: Its experiment and its place are used.
        tasks: Tasks of the trials, with their examples.

    Raises:
        ConfigurationError: The examples are others than before.
    """
    if not has_own_data(search.experiment):
        return
    now = hashlib.sha256(json.dumps(digests(tasks)).encode()).hexdigest()
    if study.user_attrs.get("examples", now) != now:
        place, other = (shown(search.storage), "storage") if search.storage else (search.directory, "directory (out)")
        raise ConfigurationError(
            f"{place} holds the search on other examples than those that there are now: bring the files back to what"
            f" they were, or choose another {other}."
        )
    study.set_user_attr("examples", now)


def _check_types(trial: optuna.trial.FrozenTrial) -> None:
    """Refuse what a journal may hold that somebody has changed; Optuna looks at no types.

    Raises:
        TypeError: It is no trial.
    """
    names, numbers = list(trial.params), [*trial.params.values(), *(trial.values or ())]
    if not (
        isinstance(trial.system_attrs, dict)
        and all(isinstance(name, str) for name in names)
        and all(isinstance(number, (int, float)) for number in numbers)
        and (trial.values is None or len(trial.values) == 1)
    ):
        raise TypeError(f"trial {trial.number} is damaged")


def take_up_unfinished(study: optuna.Study) -> None:
    """Let the settings be tried again of trials that were under way when an earlier search was stopped or killed."""
    from optuna.trial import TrialState

    unfinished = (TrialState.RUNNING, TrialState.FAIL)
    tried = [_settings(trial) for trial in study.get_trials() if trial.state not in unfinished]
    for trial in study.get_trials(states=unfinished):
        # Its process may be about to end it: whoever comes first.
        study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        if (settings := _settings(trial)) and settings not in tried:
            study.enqueue_trial(settings)
            tried.append(settings)


def _settings(trial: optuna.trial.FrozenTrial) -> dict[str, float]:
    """Those that a trial was given, or as far as it has chosen them."""
    given: dict[str, float] = trial.system_attrs.get("fixed_params", trial.params)
    return given


def value_of(experiment: Experiment, place: str) -> float:
    """The setting at a place like `learner.beta`."""
    value: Any = experiment
    for key in place.split("."):
        value = getattr(value, key)
    return float(value)


def _in_file(file: Path) -> optuna.storages.RDBStorage:
    """What the processes of one machine keep trials in.

    Optuna looks whether a trial is free, and takes it; by itself Python's SQLite begins a transaction with the second
    only, so that two processes could take the same trial.
    """
    import optuna
    from sqlalchemy import event

    storage = optuna.storages.RDBStorage(
        f"sqlite:///{file}", engine_kwargs={"connect_args": {"timeout": _WAIT_SECONDS}}
    )

    @event.listens_for(storage.engine, "connect")
    def begin_nothing_by_itself(connection: sqlite3.Connection, record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(storage.engine, "begin")
    def begin_with_the_lock(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    storage.engine.dispose()  # connections that were made before
    return storage


def _storage(storage: str) -> optuna.storages.BaseStorage:
    """What several machines keep trials in.

    Raises:
        ConfigurationError: It is no URL of a PostgreSQL database and no path of a file, or cannot be opened.
    """
    import sqlalchemy
    from optuna import storages
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import journal

    if storage.startswith("postgresql://"):
        with needed("storage: PostgreSQL", "cluster"):
            import psycopg  # noqa: F401 - SQLAlchemy finds it by name
        try:
            sqlalchemy.make_url(storage)
        except (ValueError, sqlalchemy.exc.ArgumentError) as error:
            raise ConfigurationError(
                f"storage: {shown(storage)} is no URL of a database; give postgresql://USER@HOST:PORT/NAME."
            ) from error
        try:
            with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
                return storages.RDBStorage(
                    storage.replace("postgresql://", "postgresql+psycopg://", 1),
                    engine_kwargs={"connect_args": {"connect_timeout": _CONNECT_SECONDS}},
                    heartbeat_interval=HEARTBEAT_SECONDS,
                    heartbeat_stale_trial_callback=storages.RetryHeartbeatStaleTrialCallback(),
                )
        except sqlalchemy.exc.OperationalError as error:
            reason = str(error.orig).strip().splitlines()[0]
            raise ConfigurationError(f"storage: the database cannot be opened: {reason}") from error
    if re.match(r"\w+(\+\w+)?://", storage):
        raise ConfigurationError(
            f"storage: '{storage.partition('://')[0]}' is not among what can hold a search; give"
            " postgresql://USER@HOST/NAME, or the path of a journal file that all machines reach."
        )
    file = Path(storage)
    try:
        if file.is_dir() or (file.exists() and not file.is_file()):
            what = "a directory" if file.is_dir() else "a pipe or a device"
            raise ConfigurationError(f"storage: {shown(storage)} is {what}; give the path of a journal file.")
        lock = journal.JournalFileSymlinkLock(storage)
        _cut_half_a_line(file, lock)
        return storages.JournalStorage(journal.JournalFileBackend(storage, lock_obj=lock))
    except OSError as error:
        raise ConfigurationError(f"storage: {shown(storage)} cannot be opened: {error.strerror}.") from error


def _cut_half_a_line(file: Path, lock: optuna.storages.journal.JournalFileSymlinkLock) -> None:
    """Cut what a process that was killed as it wrote has left at the end of a journal: Optuna would write on behind it.

    Whoever writes holds the lock.
    """
    if not file.exists():
        return
    lock.acquire()
    try:
        content = file.read_bytes()
        if content.startswith(_JOURNAL) and not content.endswith(b"\n"):
            os.truncate(file, content.rfind(b"\n") + 1)
    finally:
        lock.release()


@contextlib.contextmanager
def storage_at_work(search: Search) -> Iterator[None]:
    """Say in a sentence that a storage which was opened can no longer be read or written.

    Raises:
        StorageError: It cannot.
    """
    import optuna
    import sqlalchemy

    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.OptunaError, json.JSONDecodeError) as error:
        where = shown(search.storage) if search.storage else str(search.directory / STUDY)
        raise StorageError(
            f"{where}, where the trials are, can no longer be read or written ({_first_line(error)}). What it holds is"
            " kept: the same command goes on when it can."
        ) from error


def _first_line(error: Exception) -> str:
    """The reason, without SQLAlchemy's statement around it."""
    reason = error.__cause__ if type(error).__name__ == "StorageInternalError" and error.__cause__ else error
    return str(getattr(reason, "orig", reason)).strip().partition("\n")[0]
