"""Runs on a Dask cluster while workers, scheduler and client are killed."""

import itertools
from collections import Counter
from pathlib import Path

import psutil
import pytest

from hypermnesia.errors import ConfigurationError, Note
from hypermnesia.experiments.many_runs.carry_out import carry_out
from hypermnesia.experiments.many_runs.cluster import Cluster
from hypermnesia.experiments.many_runs.plan import PlannedRun, over_seeds
from hypermnesia.experiments.settings.benchmark import load_experiment
from tests.experiments.many_runs.clusters import Machines, expected, kill, planned, until

pytestmark = pytest.mark.slow


@pytest.fixture
def machines(tmp_path):
    folder = tmp_path / "machines"
    folder.mkdir()
    made = Machines(folder)
    yield made
    made.close()


def client(file: Path, directory: Path, runs: int) -> str:
    """A client as a program."""
    return (
        "from pathlib import Path\n"
        "from hypermnesia.experiments.many_runs.carry_out import carry_out\n"
        "from hypermnesia.experiments.many_runs.cluster import Cluster\n"
        "from hypermnesia.experiments.many_runs.plan import PlannedRun, over_seeds\n"
        "from hypermnesia.experiments.settings.benchmark import load_experiment\n"
        "run = PlannedRun('some', load_experiment('split-digits'), ('task',))\n"
        f"directory = Path({str(directory)!r})\n"
        f"executor = Cluster({str(file)!r}, directory)\n"
        "print('connected', flush=True)\n"
        f"carry_out(over_seeds([run], {runs}), directory, executor=executor)"
    )


def test_nothing_is_lost_when_workers_the_scheduler_and_the_client_are_killed(machines, tmp_path):
    runs, directory = planned(12), tmp_path / "runs"
    directory.mkdir()
    scheduler, workers = machines.scheduler(), [machines.worker(), machines.worker()]
    first = machines.python(client(machines.file, directory, len(runs)))

    for worker in (0, 1):
        started = len(machines.logged("starts"))
        until(lambda started=started: len(machines.logged("starts")) >= started + 2, first)
        kill(workers[worker])
        workers[worker] = machines.worker()
    kill(first)
    ended = len(machines.logged("ends"))
    until(lambda: len(machines.logged("ends")) >= ended + 2, scheduler)  # the cluster goes on without a client

    for worker in workers:
        kill(worker)
    second = machines.python(client(machines.file, directory, len(runs)))
    assert second.stdout.readline() == "connected\n", second.communicate()[1]
    started = len(machines.logged("starts"))
    workers = [machines.worker(), machines.worker()]
    until(lambda: len(machines.logged("starts")) >= started + 2, second)  # both workers have found the scheduler
    kill(scheduler)
    errors = second.communicate(timeout=300)[1]
    assert second.returncode == 1 and "ClusterError: The scheduler at" in errors and "same command goes on" in errors
    for worker in workers:
        worker.wait(timeout=300)

    machines.scheduler()
    workers = [machines.worker(), machines.worker()]
    killed = []

    def started(run, where) -> None:
        if len(machines.logged("starts")) % 2 == 0 and not killed:
            killed.append(where)
            kill(workers[0])
            machines.worker()

    outcomes = carry_out(runs, directory, executor=Cluster(str(machines.file), directory), started=started)
    assert killed
    assert {outcome.run.name: outcome.averages for outcome in outcomes} == {
        run.name: {"task": expected(run)} for run in runs
    }
    starts = Counter(name for name, _ in machines.logged("starts"))
    assert max(Counter(machines.logged("ends")).values()) == 1, "a run was made twice to its end"
    assert any(step for _, step in machines.logged("starts")), "none was resumed"
    assert set(starts) == {run.name for run in runs}


def test_real_runs_are_byte_for_byte_those_of_processes_whoever_is_killed(machines, tmp_path):
    changes = {"training.iterations": 60, "recording.checkpoint_every": 0.2, "threads": 1, "device": "cpu"}
    runs = [
        PlannedRun(method, load_experiment("split-digits", changes, method=method), ("task",))
        for method in ("hnet", "si")
    ]
    machines.scheduler()
    workers = [machines.worker(real=True) for _ in range(4)]
    until(lambda: (machines.folder / "errors").read_text().count("Registered to") == 4, *workers)
    killed = []

    def kill_each_once(run, where, line) -> None:
        if run.name not in killed and list((tmp_path / "cluster" / run.name).glob("checkpoint/step-*")):
            killed.append(run.name)
            port = int(where.rpartition(":")[2])
            listening = (each for each in workers if each.poll() is None and port in _ports(each.pid))
            kill(next(listening))

    for engine in ("processes", "cluster"):
        (tmp_path / engine).mkdir()
        executor = Cluster(str(machines.file), tmp_path / engine) if engine == "cluster" else None
        advanced = {"advanced": kill_each_once} if executor else {}
        outcomes = carry_out(runs, tmp_path / engine, executor=executor, **advanced)
        assert {outcome.state for outcome in outcomes} == {"finished"}
    assert sorted(killed) == sorted(run.name for run in runs)
    for run in runs:
        for file in ("metrics.jsonl", "accuracy.csv", "learner.safetensors"):
            one, other = ((tmp_path / engine / run.name / file).read_bytes() for engine in ("processes", "cluster"))
            assert one == other, (run.name, file)


def _ports(process: int) -> set[int]:
    return {each.laddr.port for each in psutil.Process(process).net_connections() if each.status == "LISTEN"}


def test_without_a_shared_file_system_directories_travel(machines, tmp_path, monkeypatch):
    """`/proc/self/cwd` is another directory for every process: so workers do not see that of the client."""
    (tmp_path / "client" / "runs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "client")
    directory, runs = Path("/proc/self/cwd/runs"), planned(3)
    machines.scheduler()
    workers = [machines.worker(), machines.worker()]
    killed = []

    def kill_them() -> bool:
        if not killed and list((tmp_path / "client" / "runs").glob("*/checkpoint/*")):
            for worker in workers:
                killed.append(kill(worker))
                machines.worker()
        return False

    outcomes = carry_out(runs, directory, executor=Cluster(str(machines.file), directory), stop=kill_them)
    assert [(each.state, each.averages) for each in sorted(outcomes, key=lambda each: each.run.name)] == [
        ("finished", {"task": expected(run)}) for run in runs
    ]
    assert killed
    assert len(machines.logged("ends")) == 3
    assert any(step for _, step in machines.logged("starts")), "none was resumed"
    left = [path for path in machines.folder.glob("worker-*/**/step-*") if not {"worker-1", "worker-2"} & {*path.parts}]
    assert not left, "but for what the killed ones could not remove"


def test_asked_to_stop_runs_save_and_the_others_do_not_start(machines, tmp_path):
    machines.scheduler()
    machines.worker()
    executor = Cluster(str(machines.file), tmp_path)
    outcomes = carry_out(planned(3), tmp_path, executor=executor, stop=lambda: bool(machines.logged("starts")))
    assert [outcome.state for outcome in outcomes] == ["interrupted"]
    assert len(machines.logged("starts")) == 1 and not machines.logged("ends")


def test_runs_for_a_gpu_wait_for_a_worker_that_offers_one(machines, tmp_path):
    some, places = PlannedRun("some", load_experiment("split-digits", {"device": "cuda"}), ("task",)), set()
    machines.scheduler()

    def come(*more: str) -> None:
        came = len(machines.processes)
        worker = machines.worker(*more)
        until(lambda: (machines.folder / "errors").read_text().count("Registered to") == came, worker)

    executor = Cluster(str(machines.file), tmp_path)
    with pytest.warns(Note, match=r"No worker has come to \S+ yet; the runs wait for one"):
        assert not carry_out([some], tmp_path, executor=executor, stop=itertools.count().__next__)
    come()
    executor = Cluster(str(machines.file), tmp_path)
    with pytest.warns(Note, match=r"No worker at \S+ offers a GPU; runs with device=cuda wait for one"):
        assert not carry_out([some], tmp_path, executor=executor, stop=itertools.count().__next__)
    come("--resources", "GPU=1")
    outcomes = carry_out(
        over_seeds([some], 3),
        tmp_path,
        executor=Cluster(str(machines.file), tmp_path),
        started=lambda run, where: places.add(where),
    )
    assert {outcome.state for outcome in outcomes} == {"finished"}
    assert len(places) == 1


def test_a_run_whose_workers_all_die_is_given_up_with_a_sentence(machines, tmp_path, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")
    machines.scheduler()
    worker = machines.worker()
    executor = Cluster(str(machines.file), tmp_path)
    (outcome,) = carry_out(planned(1), tmp_path, executor=executor, started=lambda run, where: kill(worker))
    assert outcome.state == "failed"
    assert "1 workers died while they carried it out" in outcome.message
    assert "newest checkpoint" in outcome.message


def test_a_cluster_of_this_machine_is_reached_from_this_machine_only(tmp_path):
    with Cluster("local:1", tmp_path):
        processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
        opened = [
            each.laddr.ip for process in processes for each in process.net_connections() if each.status == "LISTEN"
        ]
        assert len(opened) > 2 and set(opened) == {"127.0.0.1"}


OTHER = (
    "import hypermnesia.experiments.many_runs.worker as module\n"
    "module.software = lambda: 'hypermnesia 0.0.1'; module.software.__module__ = module.__name__"
)


def test_a_worker_with_another_version_is_refused(machines, tmp_path):
    machines.scheduler()
    wrong = machines.worker(before=OTHER)
    sentence = r"The worker at tcp://\S+ is refused: it has hypermnesia 0.0.1, and here is hypermnesia"
    until(lambda: "Registered to" in (machines.folder / "errors").read_text(), wrong)
    with pytest.raises(ConfigurationError, match=sentence):
        Cluster(str(machines.file), tmp_path)
    kill(wrong)

    executor = Cluster(str(machines.file), tmp_path)
    wrong = machines.worker(before=OTHER)  # also one that comes later
    until(lambda: (machines.folder / "errors").read_text().count("Registered to") == 2, wrong)
    machines.worker()
    with pytest.warns(Note, match=sentence):
        (outcome,) = carry_out(planned(1), tmp_path, executor=executor)
    assert outcome.averages == {"task": expected(outcome.run)}
