import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hypermnesia.claims import claimed
from hypermnesia.criteria import ACCURACY
from hypermnesia.errors import ConfigurationError, Note
from hypermnesia.experiments.many_runs import child
from hypermnesia.experiments.many_runs.carry_out import carry_out
from hypermnesia.experiments.many_runs.plan import PlannedRun, over_seeds
from hypermnesia.experiments.many_runs.processes import Processes
from hypermnesia.experiments.settings.benchmark import load_experiment
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.files import FORMAT

NEW = PlannedRun("new", load_experiment("split-digits", {"learner.beta": 1}), ("task", "class"))
OTHER = PlannedRun("other", load_experiment("split-digits"), ("class",))
FOUND = {"task": 0.9, "domain": 0.5, "class": 0.25}


def changed(run: PlannedRun, **settings) -> PlannedRun:
    return dataclasses.replace(run, experiment=run.experiment.model_copy(update=settings))


@pytest.fixture
def finished(tmp_path):
    """Write the directory of a finished run by hand."""

    def write(run, **summary) -> Path:
        path = tmp_path / run.name
        directory = RunDirectory(path)
        with directory.opened(run.experiment, {}, resume=False):
            pass
        directory.write_matrix(np.array([[0.9]]), ["digits"], ACCURACY)
        directory.write_timing([("digits", 10, 2.5, 0.5)])
        directory.write_summary({"measure": "accuracy", "scenario_accuracy": FOUND} | summary)
        return path

    return write


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a script in the place of the command line. It finds its arguments in `words`, its directory in `out`."""

    def write(script: str) -> None:
        head = [
            f"#!{sys.executable}",
            "import json, os, pathlib, signal, sys, time",
            "words = sys.argv[sys.argv.index('run') + 1 :]",
            "out = pathlib.Path(words[words.index('--out') + 1])",
            "out.mkdir(exist_ok=True)",
            "def end(accuracy):",
            "    (out / 'config.yaml').write_bytes(pathlib.Path(words[0]).read_bytes())",
            f"    (out / 'environment.json').write_text(json.dumps([{{'format': {FORMAT}}}]))",
            "    (out / 'accuracy.csv').write_text('after,a\\na,0.5\\n')",
            "    (out / 'timing.csv').write_text('task,iterations,learning_seconds,evaluation_seconds\\n')",
            "    found = {'measure': 'accuracy', 'scenario_accuracy': accuracy}",
            "    (out / 'summary.json').write_text(json.dumps(found))",
        ]
        path = tmp_path / "program"
        path.write_text("\n".join([*head, script]))
        path.chmod(0o755)
        monkeypatch.setattr(child.sys, "executable", str(path))

    return write


def test_what_is_run_is_the_command_line(program, tmp_path):
    program("(out / 'words').write_text(json.dumps(words)); end({'task': 1, 'class': 0.5})")
    lines = []
    files = dataclasses.replace(NEW, experiment=load_experiment("split-mnist", {"learner.beta": 1}))
    told = {"started": lambda run, where: lines.append(run), "ended": lines.append}
    (outcome,) = carry_out([files], tmp_path, data=Path("d"), **told)
    assert lines == [files, outcome]
    assert (outcome.state, outcome.averages) == ("finished", {"task": 1, "class": 0.5}), outcome.message
    path = tmp_path / NEW.name
    file, *words = json.loads((path / "words").read_text())
    assert words == ["--out", str(path), "--resume", "--data", "d"]
    assert not Path(file).exists()


def test_notes_of_runs_are_noted_here(program, tmp_path):
    program("print('Note: the clock stands still.\\nanother line', file=sys.stderr); end({'task': 1, 'class': 0.5})")
    with pytest.warns(Note) as caught:
        carry_out([NEW, OTHER], tmp_path)
    assert {str(each.message) for each in caught if each.category is Note} == {"the clock stands still."}


def test_settings_reach_the_run_unchanged_whatever_yaml_makes_of_their_characters(program, tmp_path):
    program("end({'class': 1})")
    odd = {
        "description": "null, a: b # [c] {d} 'e' \"f\" \\\\ 1e-3\n- über = yes",
        "learner.chunk_size": None,
        "learner.compression": 0.5,
        "network.hidden": [7, 9],
        "training.learning_rate": 1e-7,
        "tasks.num_tasks": None,
        "threads": None,
    }
    run = PlannedRun("odd", load_experiment("split-digits", odd, "hnet-tir"), ("class",))
    runs = over_seeds([run, dataclasses.replace(changed(run, description="null"), group="text")], 2)
    for outcome in carry_out(runs, tmp_path):
        assert outcome.state == "finished", outcome.message
        assert outcome.recorded.experiment == outcome.run.experiment
        assert load_experiment(str(tmp_path / outcome.run.name / "config.yaml")) == outcome.run.experiment
    again = carry_out(runs, tmp_path)
    assert [(outcome.run, outcome.state) for outcome in again] == [(run, "reused") for run in runs]


def test_a_finished_run_is_reused(finished, program, tmp_path):
    program("sys.exit('carried out')")
    finished(NEW)
    lines = []
    outcomes = carry_out([NEW], tmp_path, ended=lines.append)
    assert outcomes == lines and len(outcomes) == 1
    assert (outcomes[0].run, outcomes[0].state, outcomes[0].recorded.averages) == (NEW, "reused", FOUND)
    assert outcomes[0].averages == {"task": 0.9, "class": 0.25}


def test_a_finished_run_of_other_settings_is_refused_before_anything_begins(finished, program, tmp_path):
    program("sys.exit('carried out')")
    planned = over_seeds([NEW], 5)
    for run in planned:
        finished(changed(run, training=NEW.experiment.training.model_copy(update={"iterations": 3})))
    lines = []
    with pytest.raises(ConfigurationError, match=r"with other settings: training\.iterations is 400, was 3") as caught:
        carry_out([OTHER, *planned], tmp_path, started=lambda run, where: lines.append(run), ended=lines.append)
    assert not lines
    assert len(str(caught.value).splitlines()) == 4 and str(caught.value).endswith("\nAnd so for 2 more.")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"measure": "accuracy", "scenario_accuracy": null}',
        '{"measure": "accuracy", "scenario_accuracy": {"task": 1}}',
    ],
)
def test_a_run_without_the_accuracies_is_carried_out(finished, program, tmp_path, text):
    (finished(NEW) / "summary.json").write_text(text)
    program("end({'task': 0.5, 'class': 0.5})")
    assert carry_out([NEW], tmp_path)[0].state == "finished"


@pytest.mark.parametrize(
    "script, message",
    [
        ("pass", "config.yaml cannot be read"),
        ("end({'task': 1})", "holds no average for class, only for task"),
        ("end({})", "holds no average for task, class, only for none"),
        ("end({'task': 1, 'class': None})", "summary.json is damaged"),
        ("end({'task': 1, 'class': 1}); (out / 'accuracy.csv').unlink()", "accuracy.csv is missing"),
    ],
)
def test_a_run_that_does_not_say_what_it_was_asked_for_has_failed(program, tmp_path, script, message):
    program(script)
    (outcome,) = carry_out([NEW], tmp_path)
    assert (outcome.state, outcome.recorded, outcome.averages) == ("failed", None, {})
    assert message in outcome.message


def test_a_failed_run_tells_why_and_takes_no_other_along(program, tmp_path):
    program("if 'new' in out.name: sys.exit('\\n'.join(map(str, range(9))))\nend({'class': 0.5})")
    new, other = carry_out([NEW, OTHER], tmp_path)
    assert (new.state, new.message) == ("failed", "exit code 1\n4\n5\n6\n7\n8")
    assert other.state == "finished"


def test_a_killed_run_has_failed(program, tmp_path):
    program("os.kill(os.getpid(), signal.SIGKILL)")
    assert carry_out([NEW], tmp_path)[0].message == "ended by SIGKILL"


@pytest.mark.parametrize("jobs", [1, 2])
def test_so_many_runs_at_a_time(program, tmp_path, jobs):
    # Each waits until as many have begun as may be at work together; the sleep lets one too many be seen.
    program(
        "def tell(what): out.with_name(f'{what}-{os.getpid()}').touch()\n"
        "def number(what): return len(list(out.parent.glob(f'{what}-*')))\n"
        "def wait(what):\n"
        "    for _ in range(6000):\n"
        f"        if number(what) >= {jobs}: break\n"
        "        time.sleep(0.01)\n"
        "tell('at-work'); tell('begun'); wait('begun'); time.sleep(0.2)\n"
        "count = number('at-work'); tell('counted'); wait('counted')\n"
        "out.with_name(f'at-work-{os.getpid()}').unlink(); end({'task': count / 100, 'class': count / 100})"
    )
    runs = over_seeds([NEW, OTHER], 2)
    outcomes = carry_out(runs, tmp_path, executor=Processes(jobs))
    assert len(outcomes) == 4
    assert max(outcome.averages["class"] for outcome in outcomes) == jobs / 100


def test_threads_are_those_of_the_plan_whatever_goes_on_at_the_same_time(program, tmp_path, monkeypatch):
    program("threads = int(os.environ['OMP_NUM_THREADS']); end({'task': threads / 100, 'class': threads / 100})")

    def used(run: PlannedRun, jobs: int) -> int:
        shutil.rmtree(tmp_path / run.name, ignore_errors=True)
        return round(100 * carry_out([run], tmp_path, executor=Processes(jobs))[0].averages["task"])

    free, five = changed(NEW, threads=None), changed(NEW, threads=5)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [used(free, 1), used(free, 3), used(five, 3)] == [1, 1, 5]
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert [used(free, 1), used(free, 3), used(five, 3)] == [7, 7, 5]


def test_what_a_run_prints_is_told(program, tmp_path):
    program(
        "print('task 1/2', flush=True); told = out / 'told'\n"
        "while not told.exists(): time.sleep(0.01)\n"
        "end({'task': 1, 'class': 1})"
    )
    lines = []

    def advanced(run, where, line) -> None:
        lines.append((run, where, line))
        (tmp_path / run.name / "told").touch()

    carry_out([NEW], tmp_path, advanced=advanced)
    assert lines == [(NEW, "", "task 1/2")]


def test_asked_to_stop_it_asks_the_runs_and_starts_no_more(program, tmp_path):
    program(
        "def stop(*_): (out / 'saved').touch(); sys.exit(143)\n"
        "signal.signal(signal.SIGTERM, stop); (out / 'ready').touch(); time.sleep(60)"
    )
    ready = tmp_path / NEW.name / "ready"
    outcomes = carry_out([NEW, OTHER], tmp_path, stop=ready.exists)
    assert [(outcome.run, outcome.state) for outcome in outcomes] == [(NEW, "interrupted")]
    assert (tmp_path / NEW.name / "saved").exists()


def test_no_run_outlives_an_error(program, tmp_path):
    program(
        "(out / 'pid').write_text(str(os.getpid())); (out / 'ready').touch()\n"
        "time.sleep(60); (out / 'by itself').touch()"
    )

    def stop() -> bool:
        if (tmp_path / NEW.name / "ready").exists():
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        carry_out([NEW, OTHER], tmp_path, stop=stop)
    assert not (tmp_path / NEW.name / "by itself").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / NEW.name / "pid").read_text()), 0)


@pytest.mark.slow
def test_real_runs_have_the_settings_planned_and_a_failed_one_names_its_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    small = {"network.hidden": [8], "tasks.num_tasks": 2, "training.iterations": 3, "description": "null, a: [b] # c"}
    fine = PlannedRun("fine", load_experiment("split-digits", small, "si"), ("task",))
    wrong = PlannedRun("wrong", load_experiment("split-digits", {**small, "training.learning_rate": 1e30}), ("task",))
    finished, failed = sorted(
        carry_out([fine, wrong], tmp_path, executor=Processes(2)), key=lambda outcome: outcome.run.group
    )
    assert finished.state == "finished", finished.message
    assert finished.recorded.experiment == fine.experiment
    assert failed.state == "failed"
    assert failed.message.startswith("exit code 1\n") and "training.learning_rate" in failed.message
    assert "Traceback" not in failed.message


@pytest.mark.slow
def test_a_run_ends_with_the_process_that_has_started_it_even_if_that_is_killed(tmp_path):
    settings = {"network.hidden": [8], "tasks.num_tasks": 2, "training.iterations": 10**6, "recording.log_every": 1}
    code = (
        "import sys; from pathlib import Path\n"
        "from hypermnesia.experiments.many_runs.carry_out import carry_out\n"
        "from hypermnesia.experiments.many_runs.plan import PlannedRun\n"
        "from hypermnesia.experiments.settings.benchmark import load_experiment\n"
        f"carry_out([PlannedRun('long', load_experiment('split-digits', {settings}), ('task',))], Path(sys.argv[1]))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    directory = RunDirectory(tmp_path / "long-seed0")
    while not (directory.metrics.exists() and directory.metrics.stat().st_size):
        assert parent.poll() is None
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    while True:  # the system frees it with the process; nothing else does
        with contextlib.suppress(ConfigurationError), claimed(directory.path):
            break
        time.sleep(0.05)
