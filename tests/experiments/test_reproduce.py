import json
import math
import os
import sys
import time
from pathlib import Path

import pytest

from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments import config, reproduce
from hypermnesia.experiments.published import Accuracy, PublishedTable, select
from hypermnesia.experiments.reproduce import Cell, Outcome, carry_out, changes, compare, plan
from hypermnesia.experiments.rundir import RunDirectory

TABLE = PublishedTable.model_validate(
    {
        "name": "tiny",
        "source": "somewhere",
        "seeds": 20,
        "methods": {"old": "OLD", "new": "NEW", "other": "OTHER"},
        "accuracy": {
            "digits": {"task": {"old": [90, 1], "new": [95, 0.5]}, "class": {"new": [60, 1], "other": [60, 1]}}
        },
        "runs": [
            {"method": "new", "benchmark": "digits", "preset": "split-digits", "settings": ["learner.beta=1"]},
            {"method": "other", "benchmark": "digits", "preset": "split-digits", "scenarios": ["class"]},
        ],
    }
)
NEW, OTHER = plan(TABLE)
FOUND = {"task": 0.9, "domain": 0.5, "class": 0.25}


@pytest.fixture
def finished(tmp_path):
    """Write the directory of a finished run by hand."""

    def write(run, **summary) -> Path:
        path = tmp_path / run.name
        experiment = config.load(run.cells.preset, [*run.settings, f"seed={run.seed}"])
        RunDirectory(path).open(experiment, {}, resume=False)
        (path / "summary.json").write_text(json.dumps({"scenario_accuracy": FOUND} | summary))
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
            "    (out / 'summary.json').write_text(json.dumps({'scenario_accuracy': accuracy}))",
        ]
        path = tmp_path / "program"
        path.write_text("\n".join([*head, script]))
        path.chmod(0o755)
        monkeypatch.setattr(reproduce.sys, "executable", str(path))

    return write


def test_a_run_for_each_entry_and_seed():
    runs = plan(TABLE, 2, ["training.iterations=3"])
    assert [run.name for run in runs] == [
        *("digits_new-seed0", "digits_other_class-seed0"),
        *("digits_new-seed1", "digits_other_class-seed1"),
    ]
    assert runs[2].settings == ("learner.beta=1", "training.iterations=3")
    assert (runs[0].scenarios, runs[1].scenarios) == (("task", "class"), ("class",))
    (run,) = plan(select(TABLE, ["class"], ["new"]))
    assert (run.name, run.scenarios) == ("digits_new-seed0", ("class",))


@pytest.mark.parametrize(
    "override, message",
    [
        ("seed=3", "the table decides on the seed; choose with --seeds"),
        ("scenario=class", "the table decides on the scenario; choose with --only"),
        ("learner.betta=3", "split-digits cannot be run.\nlearner.betta: unknown setting. Did you mean 'beta'"),
        ("split-digits", "'split-digits' is not understood"),
    ],
)
def test_settings_that_cannot_be_run_are_refused_before_anything_runs(override, message):
    with pytest.raises(ConfigurationError, match=message):
        plan(TABLE, 1, [override])


def test_where_and_how_a_run_is_written_down_is_no_change_of_the_experiment():
    assert changes(["device=cpu", "threads=1", "recording.log_every=3", "evaluation.tasks=all"]) == ()
    assert changes(["device=cpu", "seeds=1", "training={iterations: 3}"]) == ("seeds=1", "training={iterations: 3}")


def test_what_is_run_is_the_command_line(program, tmp_path):
    program("(out / 'words').write_text(json.dumps(words)); end({'task': 1, 'class': 0.5})")
    lines = []
    (outcome,) = carry_out([NEW], tmp_path, data=Path("d"), started=lines.append, ended=lines.append)
    assert lines == [NEW, outcome]
    assert (outcome.state, outcome.accuracy) == ("finished", {"task": 1, "class": 0.5})
    path = tmp_path / NEW.name
    assert json.loads((path / "words").read_text()) == [
        *("split-digits", "learner.beta=1", "--seed", "0", "--out", str(path), "--resume", "--quiet", "--data", "d"),
    ]


def test_a_finished_run_is_reused(finished, program, tmp_path):
    program("sys.exit('carried out')")
    finished(NEW)
    lines = []
    outcomes = carry_out([NEW], tmp_path, ended=lines.append)
    assert outcomes == lines == [Outcome(NEW, "reused", accuracy={"task": 0.9, "class": 0.25})]


def test_a_finished_run_of_other_settings_is_a_failure(finished, program, tmp_path):
    program("sys.exit('carried out')")
    (other,) = plan(select(TABLE, methods=["new"]), 1, ["training.iterations=3"])
    finished(other)
    (outcome,) = carry_out([NEW], tmp_path)
    assert outcome.state == "failed"
    assert "cannot be resumed with other settings: training.iterations is 400, was 3" in outcome.message


@pytest.mark.parametrize("text", ["", "{", "[]", '{"scenario_accuracy": null}', '{"scenario_accuracy": {"task": 1}}'])
def test_a_run_without_the_accuracies_is_carried_out(finished, program, tmp_path, text):
    (finished(NEW) / "summary.json").write_text(text)
    program("end({'task': 0.5, 'class': 0.5})")
    assert carry_out([NEW], tmp_path)[0].state == "finished"


@pytest.mark.parametrize(
    "script, message",
    [
        ("pass", "summary.json gives no accuracies by scenario"),
        ("end({'task': 1})", "summary.json gives no accuracy for class, only for task"),
        ("end({})", "summary.json gives no accuracy for task, class, only for none"),
        ("end({'task': 1, 'class': None})", "summary.json gives no accuracy for class"),
    ],
)
def test_a_run_that_does_not_say_what_it_was_asked_for_has_failed(program, tmp_path, script, message):
    program(script)
    (outcome,) = carry_out([NEW], tmp_path)
    assert outcome.state == "failed"
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
    program(
        "mine = out.with_name(f'at-work-{os.getpid()}')\n"
        "mine.touch(); time.sleep(0.3)\n"
        "count = len(list(out.parent.glob('at-work-*')))\n"
        "time.sleep(0.2); mine.unlink()\n"
        "end({'task': count, 'class': count})"
    )
    outcomes = carry_out(plan(TABLE, 2), tmp_path, jobs=jobs)
    assert len(outcomes) == 4
    assert max(outcome.accuracy["class"] for outcome in outcomes) == jobs


def test_runs_at_the_same_time_share_the_processor(program, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    program("threads = int(os.environ.get('OMP_NUM_THREADS', 0)); end({'task': threads, 'class': threads})")

    def threads(jobs: int) -> float:
        return carry_out([NEW], tmp_path, jobs=jobs)[0].accuracy["task"]

    assert threads(jobs=1) == 0
    (tmp_path / NEW.name / "summary.json").unlink()
    assert threads(jobs=3) == 2
    (tmp_path / NEW.name / "summary.json").unlink()
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert threads(jobs=3) == 7


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
    program("(out / 'pid').write_text(str(os.getpid())); (out / 'ready').touch(); time.sleep(60)")

    def stop() -> bool:
        if (tmp_path / NEW.name / "ready").exists():
            raise KeyboardInterrupt
        return False

    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        carry_out([NEW, OTHER], tmp_path, stop=stop)
    assert time.perf_counter() - start < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / NEW.name / "pid").read_text()), 0)


def test_cells_hold_one_figure_a_seed_in_percent():
    runs = plan(TABLE, 3)
    outcomes = [Outcome(run, "finished", accuracy={"task": 0.9 + run.seed / 100}) for run in reversed(runs[::2])]
    outcomes[0] = Outcome(runs[4], "failed", message="no memory left")
    comparison = compare(TABLE, outcomes)
    assert comparison.cell("digits", "task", "new").ours == pytest.approx((90, 91))
    assert comparison.cell("digits", "task", "new").published == Accuracy(95, 0.5)
    assert comparison.cell("digits", "class", "old") == Cell(None, 20, ())


def test_mean_and_standard_error():
    cell = Cell(Accuracy(95, 0.5), 20, (90.0, 92.0, 97.0))
    assert cell.mean == 93
    assert cell.sem == pytest.approx(math.sqrt((9 + 1 + 16) / 2 / 3))
    assert (Cell(None, 20, (90.0,)).mean, Cell(None, 20, (90.0,)).sem) == (90, None)
    assert (Cell(None, 20, ()).mean, Cell(None, 20, ()).sem) == (None, None)


@pytest.mark.parametrize(
    "published, ours, below",
    [
        ((95, 0.3), (93.6, 94.4), False),  # 1 below; twice the standard error is 2 · 0.5
        ((95, 0.3), (93.5, 94.3), True),
        ((95, 0.0), (94.9, 94.9), True),
        ((95, 0.5), (99.0, 99.0), False),
        ((95, 1.0), (95 - 2 * math.sqrt(21) + 0.01,), False),  # of one seed: √(1² + 20 · 1²)
        ((95, 1.0), (95 - 2 * math.sqrt(21) - 0.01,), True),
        ((95, 1.0), (), None),
        (None, (95.0,), None),
    ],
)
def test_below_is_by_more_than_two_standard_errors(published, ours, below):
    assert Cell(published and Accuracy(*published), 20, ours).below is below
