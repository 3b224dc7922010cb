"""The real trackers, offline: what they show of a run is what its directory holds, also of one that was interrupted."""

import json
import signal
import struct
from pathlib import Path

import pytest

from hypermnesia import extras
from hypermnesia.experiments.single_run import trackers
from tests.cli.conftest import TINY, signal_when_a_task_is_written_down

Curves = dict[str, dict[int, float]]


def in_the_directory(run: Path) -> Curves:
    """The figures in metrics.jsonl, by the names that trackers know them by."""
    curves: Curves = {}
    for record in map(json.loads, (run / "metrics.jsonl").read_text().splitlines()):
        of_step, of_task = record["kind"] == "step", f"/{record['task']:03d}"
        for name, value in record.items():
            if name not in ("kind", "step", "task", "iteration", "after"):
                curve = f"learning/{name}" if of_step else name + of_task
                curves.setdefault(curve, {})[record["step"]] = value
    return curves


def shown_by_tensorboard(run: Path) -> tuple[Curves, str]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    curves = {tag: {each.step: each.value for each in events.Scalars(tag)} for tag in events.Tags()["scalars"]}
    (settings,) = events.Tensors("settings/text_summary")
    return curves, settings.tensor_proto.string_val[0].decode()


def shown_by_mlflow(run: Path) -> tuple[Curves, str]:
    from mlflow import MlflowClient

    client = MlflowClient()
    (experiment,) = client.search_experiments(filter_string="name = 'hypermnesia'")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.status == "FINISHED"
    curves = {
        name: {each.step: each.value for each in client.get_metric_history(found.info.run_id, name)}
        for name in found.data.metrics
    }
    return curves, str(found.data.params)


def shown_by_wandb(run: Path) -> tuple[Curves, str]:
    """What would be sent to Weights & Biases, of both parts of the run."""
    from wandb.proto.wandb_internal_pb2 import Record

    curves: Curves = {}
    settings, identities = "", set()
    files = sorted(run.glob("wandb/offline-run-*/*.wandb"))
    assert len(files) == 2
    for file in files:
        for data in records_of_wandb(file.read_bytes()):
            record = Record()
            record.ParseFromString(data)
            if record.HasField("run"):
                identities.add(record.run.run_id)
                settings += "".join(f"{each.key}={each.value_json}" for each in record.run.config.update)
            values = {each.key or each.nested_key[0]: json.loads(each.value_json) for each in record.history.item}
            for name in values.keys() - {"step"}:
                if not name.startswith("_"):
                    curves.setdefault(name, {})[values["step"]] = values[name]
            for each in record.summary.update:
                curves[f"summary/{each.key or each.nested_key[0]}"] = {0: json.loads(each.value_json)}
    assert len(identities) == 1
    return curves, settings


def records_of_wandb(content: bytes) -> list[bytes]:
    """The records of such a file: LevelDB's log format, behind a header of seven bytes."""
    found, part, place = [], b"", 7
    while place < len(content):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        length, kind = struct.unpack_from("<HB", content, place + 4)
        part += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            found.append(part)
            part = b""
    return found


SHOWN = {"tensorboard": shown_by_tensorboard, "mlflow": shown_by_mlflow, "wandb": shown_by_wandb}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOWN)
def test_a_tracker_shows_settings_and_all_figures_of_a_run_that_was_interrupted(
    call, tiny, tmp_path, monkeypatch, name
):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    with monkeypatch.context() as patched:
        signal_when_a_task_is_written_down(patched, signal.SIGTERM)
        assert call(*tiny, "--log", name)[0] == 128 + signal.SIGTERM
    run = tmp_path / "run"
    code, out, err = call("run", "--resume", "--out", run)
    assert (code, "Resumed after 1 of 2 tasks" in out, "Note:" in err) == (0, True, False), err

    curves, settings = SHOWN[name](run)
    assert "chunk_size" in settings and "300" in settings
    expected = in_the_directory(run)
    assert {"learning/loss", "test_accuracy/000", "test_accuracy/001"} <= set(expected)
    for curve, points in expected.items():
        assert curves[curve] == pytest.approx(points, abs=1e-6), curve
    summary = json.loads((run / "summary.json").read_text())
    for figure in ("average_accuracy", "forgetting", "num_weights", "seconds"):
        assert list(curves[f"summary/{figure}"].values()) == [pytest.approx(summary[figure])]


@pytest.mark.slow
def test_a_run_goes_on_without_a_tracker_that_fails(call, tiny, tmp_path, monkeypatch):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    def refuse(*arguments, metrics=(), **options):
        if metrics:
            raise MlflowException("The server is gone.")

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setattr(MlflowClient, "log_batch", refuse)
    code, _, err = call(*tiny, "--log", "mlflow")
    assert code == 0
    assert "Note: mlflow takes no more figures (The server is gone.); the run goes on." in err.splitlines()
    assert (tmp_path / "run" / "summary.json").is_file()


@pytest.mark.slow
def test_a_tracker_that_cannot_be_begun_is_named(call, tiny, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "no-such-scheme://nowhere")
    code, _, err = call(*tiny, "--log", "mlflow")
    assert code == 2
    assert "recording.log: mlflow cannot be begun (" in err and "Traceback" not in err


@pytest.mark.slow
def test_runs_of_a_comparison_are_tracked(call, tmp_path):
    settings = [*TINY[:-2], "device=cpu", "training.iterations=5"]
    out = tmp_path / "compared"
    assert call("compare", *settings, "--methods", "hnet", "--log", "tensorboard", "--out", out)[0] == 0
    run = out / "hnet-seed0"
    assert set(in_the_directory(run)) < set(shown_by_tensorboard(run)[0])


@pytest.mark.parametrize(
    "command", [["run", "split-digits"], ["compare", "split-digits"], ["reproduce", "table-1", "--only", "split-mnist"]]
)
def test_a_missing_package_is_named_with_its_extra_before_anything_starts(call, tmp_path, monkeypatch, command):
    monkeypatch.setattr(trackers, "missing", lambda name: ["wandb"] if name == "wandb" else [])
    code, out, err = call(*command, "--log", "tensorboard,wandb", "--out", tmp_path / "made")
    sentence = "recording.log: wandb needs wandb, which is not installed: pip install 'hypermnesia[wandb]'"
    assert (code, out, err) == (2, "", f"Error: {sentence}\n")
    assert not (tmp_path / "made").exists()


def test_what_cannot_be_meant_is_refused(call):
    code, _, err = call("run", "--log", "wandbb")
    assert code == 2
    assert "recording.log.0: 'wandbb' is not allowed. Did you mean 'wandb'?" in err
    code, _, err = call("run", "recording.log=[wandb]", "--log", "mlflow")
    assert (code, err) == (2, "Error: --log mlflow and recording.log: give one of them.\n")


def test_each_tracker_has_an_extra():
    assert set(trackers._CLASSES) == set(SHOWN)
    assert set(SHOWN) <= set(extras.extras())
