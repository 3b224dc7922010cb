import pytest

from hypermnesia.errors import CheckpointError
from hypermnesia.experiments.single_run.records import Records


def test_records_are_cut_back_to_the_position_of_a_checkpoint(tmp_path):
    records = Records(tmp_path / "metrics.jsonl")
    records.add(step=1, loss=0.5)
    position = records.sync()
    records.add(step=2, loss=0.25)
    records.close()
    Records(tmp_path / "metrics.jsonl", position).close()
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1, "loss": 0.5}\n'


def test_a_file_that_was_cut_short_is_noticed(tmp_path):
    (tmp_path / "metrics.jsonl").write_text("{}\n")
    with pytest.raises(CheckpointError, match="has 3 bytes but had 10 when the checkpoint was made"):
        Records(tmp_path / "metrics.jsonl", 10)
