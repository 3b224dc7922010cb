"""`hypermnesia analyze` on small runs: what it finds, what it writes, what it refuses, and that it goes on."""

import itertools
import json
import shutil
import signal
from pathlib import Path

import pytest
import torch

from hypermnesia import cli
from hypermnesia.analyses import files
from hypermnesia.analyses.embedding_plane import AccuracyOverPlane, embedding_plane, embedding_plane_chart
from hypermnesia.analyses.files import Parts
from hypermnesia.analyses.generated_weights import GeneratedWeights, generated_weights_chart
from hypermnesia.analyses.interpolation import AccuracyAlongLine, interpolation_chart
from hypermnesia.analyses.transfer import Transfer, transfer_chart
from hypermnesia.errors import CheckpointError
from hypermnesia.experiments.recorded_runs.finished import open_run
from tests.nested import equal

SETTINGS = [
    *(
        "tasks.num_tasks=3",
        "network.hidden=[16]",
        "learner.chunk_size=300",
        "training.iterations=60",
        "--device",
        "cpu",
    ),
    "--quiet",
]


def made(path: Path, *settings: str) -> Path:
    """The directory of a new run."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", *settings, *SETTINGS, "--out", str(path)])
    assert not ended.value.code
    return path


@pytest.fixture(scope="session")
def kept(tmp_path_factory) -> Path:
    """A run that kept its learners."""
    path = tmp_path_factory.mktemp("kept") / "run"
    return made(path, "split-digits", "recording.keep_learners=true", "training.learning_rate=0.01")


@pytest.fixture
def run(kept, tmp_path) -> Path:
    """A run of one's own."""
    return Path(shutil.copytree(kept, tmp_path / "run"))


def found(run: Path, name: str, kind: type):
    """What an analysis wrote, all three files of it."""
    assert (run / "analyses" / f"{name}.svg").read_bytes().startswith(b"<svg")
    assert (run / "analyses" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    result = files.read(kind, run / "analyses" / f"{name}.json")
    assert files.to_json(result) == (run / "analyses" / f"{name}.json").read_text()
    return result


def accuracies(run: Path) -> list[float]:
    return json.loads((run / "summary.json").read_text())["accuracy"][-1]


def tooltips(chart) -> int:
    """Marks that say something where the mouse is, text aside."""
    text = json.dumps(chart.to_dict())
    return text.count('"tooltip"')


def test_the_plane_of_principal_axes_holds_what_the_run_measured(call, run):
    code, out, err = call("analyze", "embedding-plane", run, "--resolution", 5)
    assert (code, err) == (0, "")
    result = found(run, "embedding-plane", AccuracyOverPlane)
    # All test images, as there are fewer than a thousand.
    assert [task.at_embedding for task in result.tasks] == pytest.approx(accuracies(run))
    assert [task.number for task in result.tasks] == [1, 2, 3]
    # Three points lie in one plane.
    assert sum(result.explained) == pytest.approx(1)
    assert all(len(task.accuracy) == len(row) == 5 for task in result.tasks for row in task.accuracy)
    assert f"{100 * accuracies(run)[1]:.2f} %" in out
    assert "embedding-plane.svg" in out
    assert tooltips(embedding_plane_chart(result)) == 3 * 3


def test_embeddings_of_two_dimensions_are_their_own_plane(call, tmp_path):
    run = made(tmp_path / "run", "split-digits", "learner.embedding_dim=2")
    assert call("analyze", "embedding-plane", run, "--resolution", 3, "--examples", 7)[0] == 0
    result = found(run, "embedding-plane", AccuracyOverPlane)
    assert result.explained is None
    embeddings = open_run(run).learner.hypernetwork.embeddings(range(3))
    torch.testing.assert_close(torch.tensor(result.learned), embeddings)
    assert {round(7 * accuracy, 6) % 1 for task in result.tasks for row in task.accuracy for accuracy in row} == {0}

    # The rest is told without what that run did not keep.
    code, out, _ = call("analyze", "weights", run)
    assert code == 0
    assert "recording.keep_learners=true" in out
    assert found(run, "weights", GeneratedWeights).drift is None
    code, _, err = call("analyze", "transfer", run)
    assert code == 2
    assert "recording.keep_learners=true" in err


def test_the_line_has_the_accuracies_of_the_run_at_its_embeddings(call, run):
    code, out, err = call("analyze", "interpolation", run, "--between", "3,2")
    assert (code, err) == (0, "")
    line = found(run, "interpolation", AccuracyAlongLine)
    assert (line.first.number, line.second.number) == (3, 2)
    at_first, at_second = (line.positions.index(place) for place in (0, 1))
    assert line.first.accuracy[at_first] == pytest.approx(accuracies(run)[2])
    assert line.second.accuracy[at_second] == pytest.approx(accuracies(run)[1])
    assert line.positions[0] < 0 and line.positions[-1] > 1
    assert "half-way" in out
    assert tooltips(interpolation_chart(line)) == 3

    assert call("analyze", "interpolation", run)[0] == 0
    line = found(run, "interpolation", AccuracyAlongLine)
    assert (line.first.number, line.second.number) == (1, 3)


def test_transfer_is_measured_after_every_number_of_tasks(call, run):
    before = {path: path.read_bytes() for path in run.rglob("*.safetensors")}
    code, out, err = call("analyze", "transfer", run, "--examples", "100,6")
    assert (code, err) == (0, "")
    result = found(run, "transfer", Transfer)
    assert [(each.learned, each.examples) for each in result.results] == list(itertools.product((1, 2), (6, 100)))
    assert result.iterations == 60
    from_scratch = [each.from_scratch for each in result.results if each.examples == 100]
    assert min(from_scratch) > 0.9
    assert "embedding alone / from scratch" in out
    assert before == {path: path.read_bytes() for path in run.rglob("*.safetensors")}
    assert tooltips(transfer_chart(result)) == 2

    # What was measured is not measured again.
    for learner in (run / "learners").iterdir():
        if learner.name != "task-001.safetensors":
            learner.unlink()
    few = Transfer(result.run, result.iterations, result.dimensions, [r for r in result.results if r.examples == 6])
    assert call("analyze", "transfer", run, "--examples", "6")[0] == 0
    assert found(run, "transfer", Transfer) == few


def test_what_is_kept_after_each_task_is_measured_as_drift(call, run):
    code, out, err = call("analyze", "weights", run)
    assert (code, err) == (0, "")
    result = found(run, "weights", GeneratedWeights)
    assert [(each.task, each.learned) for each in result.drift] == [(1, 1), (1, 2), (2, 2), (1, 3), (2, 3), (3, 3)]
    assert all((each.total == 0) == (each.task == each.learned) for each in result.drift)
    first, last = (open_run(run).learner_after(tasks).hypernetwork for tasks in (2, 3))
    before, now = (
        (each.layout.flatten(each(1)).detach() - each.base.flatten()[: each.layout.size]).double()
        for each in (first, last)
    )
    assert result.drift[4].total == pytest.approx(float((now - before).norm() / before.norm()), rel=1e-4)
    assert f"{100 * max(each.total for each in result.drift):.2f} %" in out
    assert tooltips(generated_weights_chart(result)) == 5


def parts(run: Path) -> int:
    """How many rows of the plane are written down."""
    file = run / "analyses" / "embedding-plane.parts.json"
    return len(json.loads(file.read_text())["parts"]) if file.exists() else 0


@pytest.fixture
def whole(run, tmp_path) -> AccuracyOverPlane:
    """The plane of an analysis that nothing interrupts."""
    return embedding_plane(open_run(Path(shutil.copytree(run, tmp_path / "whole"))), 5, 1000)


STOPPED = "Stopped; what was computed is kept. The same command goes on.\n"


def test_a_plane_that_was_stopped_is_finished_the_same(call, run, whole, monkeypatch):
    get = Parts.get

    def get_four(kept: Parts, name: str, *arguments):
        if parts(run) == 4:
            signal.raise_signal(signal.SIGINT)
        return get(kept, name, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Parts, "get", get_four)
        code, _, err = call("analyze", "embedding-plane", "--resolution", 5, run)
    assert (code, err, parts(run)) == (130, STOPPED, 4)
    assert not (run / "analyses" / "embedding-plane.json").exists()
    assert call("analyze", "embedding-plane", "--resolution", 5, run)[0] == 0
    assert found(run, "embedding-plane", AccuracyOverPlane) == whole


PAUSING = """
import signal, sys
from hypermnesia import cli
from hypermnesia.analyses.files import Parts

get, asked = Parts.get, []

def get_and_pause(self, name, compute, *arguments):
    value = get(self, name, compute, *arguments)
    asked.append(name)
    if len(asked) == int(sys.argv[1]):
        print("paused", flush=True)
        signal.pause()
    return value

Parts.get = get_and_pause
cli.main(sys.argv[2:])
"""
"""The command line, which waits for a signal once it has got so many parts of an analysis."""


@pytest.mark.slow
def test_a_plane_that_was_stopped_and_killed_is_finished_the_same(start, run, whole):
    arguments = ["analyze", "embedding-plane", "--resolution", "5", run]

    def paused(after: int):
        process = start(after, *arguments, code=PAUSING)
        assert "paused\n" in iter(process.stdout.readline, ""), process.communicate()[1]
        return process

    process = paused(after=4)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert (process.returncode, err, parts(run)) == (130, STOPPED, 4)

    process = paused(after=7)
    process.kill()
    process.communicate()
    assert parts(run) == 7
    assert not (run / "analyses" / "embedding-plane.json").exists()
    assert embedding_plane(open_run(run), 5, 1000) == whole


def test_a_run_that_was_analyzed_can_be_resumed_and_replaced(call, run):
    assert call("analyze", "interpolation", run)[0] == 0
    again = ["run", "split-digits", "recording.keep_learners=true", "training.learning_rate=0.01", *SETTINGS]
    assert call(*again, "--out", run, "--resume")[0] == 0
    assert (run / "analyses" / "interpolation.json").exists()
    assert call(*again, "--out", run, "--overwrite")[0] == 0
    assert not (run / "analyses").exists()
    assert len(list((run / "learners").iterdir())) == 3


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("harm", "code", "message"),
    [
        (shutil.rmtree, 2, "is not a run directory: give one that `hypermnesia run` made"),
        (lambda run: (run / "config.yaml").unlink(), 2, "is not a run directory"),
        (lambda run: (run / "config.yaml").write_text("{"), 2, "config.yaml is not valid YAML"),
        (lambda run: (run / "config.yaml").write_text("name: x"), 2, "config.yaml cannot be run.\ntasks: "),
        (lambda run: (run / "summary.json").unlink(), 2, "is not finished; resume it first"),
        (lambda run: cut(run / "learner.safetensors"), 1, "learner.safetensors is damaged"),
        (lambda run: (run / "learner.safetensors").unlink(), 1, "there is no file"),
        (lambda run: cut(run / "learners" / "task-002.safetensors"), 1, "task-002.safetensors is damaged"),
        (lambda run: (run / "learners" / "task-002.safetensors").unlink(), 1, "there is no file"),
    ],
)
def test_a_run_that_cannot_be_analyzed_is_refused_with_a_sentence(call, run, harm, code, message):
    harm(run)
    ended, out, err = call("analyze", "weights", run)
    assert (ended, out) == (code, "")
    assert message in err
    assert "Traceback" not in err
    assert not (run / "analyses").exists()


def test_a_run_of_another_method_is_refused(call, tmp_path):
    run = tmp_path / "run"
    settings = ["split-digits", "--method", "fine-tuning", "network.hidden=[8]", "training.iterations=1"]
    assert call("run", *settings, "tasks.num_tasks=2", "--quiet", "--out", run)[0] == 0
    code, _, err = call("analyze", "interpolation", run)
    assert code == 2
    assert "is a run of learner.method=fine-tuning; only runs of learner.method=hnet can be analyzed." in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["interpolation", "--between", "1,4"], "there is no task 4; the run has 3 tasks, counted from 1"),
        (["interpolation", "--between", "0,1"], "there is no task 0"),
        (["interpolation", "--between", "2,2"], "name two tasks, as in 1,2"),
        (["interpolation", "--between", "1"], "'1' must name two tasks, as 1,2 does"),
        (["interpolation", "--between", "a,b"], "'a,b' must be whole numbers with commas between, as 1,2"),
        (["transfer", "--examples", "10,0"], "examples: 0 is not possible; the smallest task has 28"),
        (["transfer", "--examples", "1000"], "examples: 1000 is not possible"),
        (["transfer", "--examples", "x"], "'x' must be whole numbers"),
        (["transfer", "--examples", ","], "there is no name in ','"),
        (["embedding-plane", "--resolution", "1"], "resolution must be at least 2, not 1"),
        (["embedding-plane", "--examples", "0"], "greater than or equal to 1"),
        (["weights", "--data"], "--data"),
    ],
)
def test_wrong_options_end_with_2_and_a_sentence(call, kept, arguments, message):
    code, out, err = call("analyze", arguments[0], kept, *arguments[1:])
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert not (kept / "analyses").exists()


def test_a_result_that_is_none_is_told(run):
    for content in (b"", b"{}", b'{"run": 3}', b'{"run": NaN}', b'{"run": 1e999}', b"\xff"):
        (run / "weights.json").write_bytes(content)
        with pytest.raises(CheckpointError, match=r"weights\.json is damaged or no GeneratedWeights"):
            files.read(GeneratedWeights, run / "weights.json")


def test_help_names_every_analysis(call):
    code, out, _ = call("analyze", "--help")
    assert code == 0
    assert all(name in out for name in ("embedding-plane", "interpolation", "transfer", "weights"))


def test_what_is_kept_is_the_learner_after_each_task(kept):
    run = open_run(kept)
    assert [run.learner_after(tasks).num_tasks for tasks in (1, 2, 3)] == [1, 2, 3]
    assert equal(run.learner_after(3).state_dict(), run.learner.state_dict())
