import dataclasses

import pytest

from hypermnesia.errors import CheckpointError
from hypermnesia.experiments.many_runs import travel
from hypermnesia.experiments.many_runs.travel import pack, unpack


@pytest.fixture
def there(tmp_path):
    for name in ("checkpoint/step-1", "checkpoint/step-2", "config.yaml", "learners/a", "summary.json", ".lock"):
        path = tmp_path / "there" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "there"


def test_a_directory_arrives_as_it_was_and_then_only_what_has_changed(there, tmp_path):
    here = tmp_path / "here"
    unpack(pack(there), here)
    assert pack(here) == pack(there)
    (here / ".config.yaml.4321.tmp").touch()  # left by one that was killed while it unpacked
    (there / "checkpoint" / "step-1").unlink()
    (there / "checkpoint" / "step-3").write_text("new")
    parcel = pack(there, have=pack(here).checksums)
    assert dict(parcel.contents) == {"checkpoint/step-3": b"new"}
    unpack(parcel, here)
    assert pack(here) == pack(there)
    assert not list(here.glob(".*.tmp"))


def test_what_is_written_last_is_what_refers_to_the_rest(there, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(travel, "write_atomically", lambda path, data: written.append(path.name))
    unpack(pack(there), tmp_path / "here")
    assert written == ["config.yaml", "a", "step-1", "step-2", "summary.json"]
    assert list(pack(there).checksums)[:2] == ["checkpoint/step-1", "checkpoint/step-2"]


def test_a_damaged_file_is_refused_and_nothing_written(there, tmp_path):
    parcel = pack(there)
    damaged = dataclasses.replace(parcel, contents={**parcel.contents, "learners/a": b"x"})
    with pytest.raises(CheckpointError, match=r"learners/a of .* was damaged on its way"):
        unpack(damaged, tmp_path / "here")
    assert not (tmp_path / "here").exists()
