"""`--cluster`: what it excludes, and one comparison on workers of this machine."""

import json

import pytest

SMALL = ["tasks.num_tasks=2", "network.hidden=[16]", "training.iterations=10", "device=cpu"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["compare", "split-digits", "--jobs", 2, "--cluster", "local:2"], "--jobs and --cluster exclude each other"),
        (["analyze", "strength", "split-digits", "--jobs", 1, "--cluster", "local:2"], "exclude each other"),
        (["tune", "split-digits", "--jobs", 2, "--cluster", "local:2"], "exclude each other"),
        (["compare", "split-digits", "--cluster", "somewhere"], "'somewhere' is no cluster; give the address of a"),
        (["compare", "split-digits", "--cluster", "local:0"], "'local:0' is no cluster"),
        (["tune", "split-digits", "--cluster", "tcp://127.0.0.1:1"], "its workers must reach the trials"),
    ],
)
def test_mistakes_are_explained(call, arguments, message):
    code, _, err = call(*arguments)
    assert code == 2
    assert message in err


@pytest.mark.slow
def test_where_no_scheduler_answers_it_says_how_to_start_one(call, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    import dask

    dask.config.refresh()
    code, _, err = call("compare", "split-digits", "--cluster", "tcp://127.0.0.1:1")
    assert code == 2
    assert "no scheduler answers at tcp://127.0.0.1:1" in err and "dask scheduler" in err


@pytest.mark.slow
def test_a_cluster_finds_what_processes_find(call, tmp_path, monkeypatch):
    """Real runs: the same measurements, byte for byte."""
    arguments = ["compare", "split-digits", *SMALL, "--methods", "hnet,si"]
    code, out, err = call(*arguments, "--cluster", "local:2", "--out", tmp_path / "cluster")
    assert (code, err) == (0, "")
    assert "hnet-seed0: started on tcp://127.0.0.1:" in out and "hnet-seed0: finished in" in out
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # the preset says how many
    assert call(*arguments, "--jobs", 2, "--out", tmp_path / "processes")[0] == 0
    for name in ("hnet-seed0", "si-seed0"):
        for file in ("metrics.jsonl", "accuracy.csv", "config.yaml"):
            paths = [tmp_path / engine / name / file for engine in ("cluster", "processes")]
            assert paths[0].read_bytes() == paths[1].read_bytes()
        summaries = [json.loads((tmp_path / e / name / "summary.json").read_text()) for e in ("cluster", "processes")]
        assert summaries[0]["scenario_accuracy"] == summaries[1]["scenario_accuracy"]
