import json

import pytest

from hypermnesia.claims import claimed
from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.files import FORMAT


@pytest.fixture
def run(tmp_path, tiny):
    directory = RunDirectory(tmp_path / "runs" / "tiny")
    assert not opened(directory, tiny, {"torch": "2"})
    return directory


def opened(directory, experiment, environment=None, *, resume=False, overwrite=False) -> bool:
    """Open a run directory and leave it as it is; returns whether a run in it would be continued."""
    with directory.opened(experiment, environment or {}, resume=resume, overwrite=overwrite) as resumed:
        return resumed


def environments(run):
    """What was written of each start, but for the format of the directory, which all have."""
    found = json.loads(run.environment.read_text())
    assert all(each.pop("format") == FORMAT for each in found)
    return found


def test_a_new_run_directory_says_what_is_run_and_on_what(run, tiny):
    assert run.read_experiment() == tiny
    assert environments(run) == [{"torch": "2"}]
    assert sorted(path.name for path in run.path.parent.iterdir()) == ["tiny"]


def test_resuming_adds_an_environment(run, tiny):
    run.check(tiny, resume=True, overwrite=False)
    assert opened(run, tiny, {"torch": "3"}, resume=True)
    assert environments(run) == [{"torch": "2"}, {"torch": "3"}]


def test_an_existing_run_is_not_touched_without_being_asked(run, tiny):
    with pytest.raises(
        ConfigurationError, match=r"already holds a run: continue it \(resume\), replace it \(overwrite\)"
    ):
        run.check(tiny, resume=False, overwrite=False)


def test_resuming_with_other_settings_says_what_differs(run, tiny):
    other = tiny.model_copy(update={"seed": 7, "device": "auto"})
    with pytest.raises(ConfigurationError, match="seed is 7, was 0; device is 'auto', was 'cpu'"):
        run.check(other, resume=True, overwrite=False)


def test_overwriting_replaces_the_whole_run(run, tiny):
    run.checkpoint.mkdir()
    (run.checkpoint / "step-000000001.safetensors").touch()
    run.metrics.touch()
    (run.path / ".accuracy.csv.x.tmp").touch()  # left by a killed run
    run.check(tiny, resume=False, overwrite=True)
    assert not opened(run, tiny, {"torch": "3"}, overwrite=True)
    assert {path.name for path in run.path.iterdir()} == {"config.yaml", "environment.json", ".lock"}
    assert [path.name for path in run.path.parent.iterdir()] == ["tiny"]


def test_overwriting_never_deletes_what_no_run_writes(run, tiny):
    (run.path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match=r"files that no run writes \(notes.txt\)"):
        run.check(tiny, resume=False, overwrite=True)


@pytest.mark.parametrize("how", [{"resume": True}, {"overwrite": True}, {}])
def test_a_run_that_another_process_carries_out_is_refused(run, tiny, how):
    how = {"resume": False, "overwrite": False} | how
    with claimed(run.path):
        for refused in (RunDirectory(run.path).check, lambda *args, **how: opened(run, *args, **how)):
            with pytest.raises(ConfigurationError, match="is in use: another process writes into it"):
                refused(tiny, **how)
    RunDirectory(run.path).check(tiny, resume=True, overwrite=False)


@pytest.mark.parametrize("how", [{"resume": True}, {"overwrite": True}, {}])
def test_a_directory_of_somebody_else_is_refused(tmp_path, tiny, how):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "config.yaml").touch()
    (tmp_path / "file").touch()
    for name in ("thesis", "file"):
        with pytest.raises(ConfigurationError, match="is not a run directory"):
            RunDirectory(tmp_path / name).check(tiny, **{"resume": False, "overwrite": False} | how)


def test_an_empty_directory_is_taken(tmp_path, tiny):
    directory = RunDirectory(tmp_path)
    directory.check(tiny, resume=False, overwrite=False)
    opened(directory, tiny)
    assert directory.is_run()


def test_a_directory_that_cannot_be_made_has_its_message(tmp_path, tiny):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be made: Not a directory"):
        opened(RunDirectory(tmp_path / "file" / "run"), tiny)


def test_there_is_nothing_to_resume_where_nothing_was_run(tmp_path):
    with pytest.raises(ConfigurationError, match="holds no run"):
        RunDirectory(tmp_path).read_experiment()


@pytest.mark.parametrize(("written", "found"), [({}, 1), ({"format": FORMAT + 1}, FORMAT + 1)])
def test_a_directory_of_another_format_is_refused_in_a_sentence(run, tiny, written, found):
    run.environment.write_text(json.dumps([written]))
    told = rf"another version of hypermnesia \(format {found}, here {FORMAT}\).*; use that version, or run .* again\.$"
    for refused in (run.check_format, run.read_experiment, lambda: run.check(tiny, resume=True, overwrite=False)):
        with pytest.raises(ConfigurationError, match=told):
            refused()
    run.check(tiny, resume=False, overwrite=True)
