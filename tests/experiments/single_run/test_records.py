import pytest

from hypermnesia.errors import CheckpointError
from hypermnesia.experiments.single_run.records import Position, Records


def test_records_are_cut_back_to_the_position_of_a_checkpoint(tmp_path):
    records = Records(tmp_path / "metrics.jsonl")
    records.add(step=1, loss=0.5)
    position = records.sync()
    records.add(step=2, loss=0.25)
    records.close()
    Records(tmp_path / "metrics.jsonl", position).close()
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1, "loss": 0.5}\n'


@pytest.mark.parametrize("content", ["", '{"step": 1}', '{"step": 9}\n', '{"step": 9}\n{"step": 2}\n'])
def test_a_file_that_does_not_begin_as_it_did_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "metrics.jsonl"
    records = Records(path)
    records.add(step=1)
    position = records.sync()
    records.close()
    path.write_text(content)
    with pytest.raises(CheckpointError, match=r"does not begin with the 12 bytes that it had .* Put it back"):
        Records(path, position)
    assert path.read_text() == content


def test_a_file_that_is_missing_or_no_file_is_refused(tmp_path):
    path = tmp_path / "metrics.jsonl"
    with pytest.raises(CheckpointError, match="No such file"):
        Records(path, Position(3, ""))
    path.symlink_to("/dev/zero")
    with pytest.raises(CheckpointError, match="it is a link"):
        Records(path, Position(3, ""))
