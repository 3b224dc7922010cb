"""Checkpoint files: whole or not at all, and never read when damaged."""

import errno
import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hypermnesia.errors import CheckpointError
from hypermnesia.training import Checkpoints
from hypermnesia.training.checkpoint import read_state, write_state

STATE = {
    "numbers": [1, 2.5, None, True, "text"],
    "tensors": {"a": torch.arange(6.0).view(2, 3), "zero-dimensional": torch.tensor(7), "empty": torch.empty(0, 3)},
    "more": [torch.tensor([True, False]), torch.arange(3, dtype=torch.uint8), torch.ones(2, dtype=torch.bfloat16)],
}


def equal(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


def test_what_was_written_is_read(tmp_path):
    write_state(tmp_path / "state", STATE)
    assert equal(read_state(tmp_path / "state"), STATE)
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_tensors_that_share_storage_or_are_not_contiguous_are_written(tmp_path):
    tensor = torch.arange(6.0)
    write_state(tmp_path / "state", [tensor, tensor[2:4], tensor.view(2, 3).T])
    assert equal(read_state(tmp_path / "state"), [tensor, tensor[2:4], tensor.view(2, 3).T])


@settings(max_examples=150)
@given(data=st.data())
def test_any_flipped_byte_is_noticed(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("flip") / "state"
    write_state(path, STATE)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        state = read_state(path)
    except CheckpointError:
        return
    # Only white space between the header and the tensors can change unnoticed.
    assert equal(state, STATE)


@pytest.mark.parametrize("length", [0, 7, 8, 100, -1])
def test_a_file_cut_short_is_refused(tmp_path, length):
    path = tmp_path / "state"
    write_state(path, STATE)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="damaged"):
        read_state(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"there is no file .*nothing"):
        read_state(tmp_path / "nothing")


def test_a_full_disk_leaves_the_file_before_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "state"
    write_state(path, {"step": 1})

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_state(path, {"step": 2})
    assert read_state(path) == {"step": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_the_newest_good_checkpoint_is_taken_and_the_bad_one_named(tmp_path):
    checkpoints = Checkpoints(tmp_path / "checkpoint")
    assert checkpoints.latest() == (None, [])
    for step in (5, 10, 15):
        checkpoints.save(step, {"step": step})
    files = sorted(p.name for p in checkpoints.directory.iterdir())
    assert files == ["step-000000010.safetensors", "step-000000015.safetensors"]
    newest = checkpoints.directory / files[-1]
    newest.write_bytes(newest.read_bytes()[:-1] + b"?")
    state, refused = checkpoints.latest()
    assert state == {"step": 10}
    assert len(refused) == 1
    assert "step-000000015" in refused[0]
    assert "damaged" in refused[0]


def test_what_a_killed_process_left_behind_is_removed(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    left = tmp_path / ".step-000000001.safetensors.123.tmp"
    left.write_bytes(b"half")
    assert checkpoints.latest() == (None, [])
    checkpoints.save(2, {"step": 2})
    assert not left.exists()
