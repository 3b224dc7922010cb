"""`--cluster`: what it excludes, and one comparison on workers of this machine."""

import json
import socket

import dask
import pytest
from distributed import LocalCluster, Security

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


@pytest.fixture
def impatient():
    """Dask gives up after two seconds, and then looks at its environment again."""
    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        yield


def test_a_file_that_is_no_schedulers_is_told_apart(call, tmp_path):
    for text in ("", "garbage", "[" * 100_000, "{}", '{"address": 1}', '{"address": "tcp:/x"}'):
        (tmp_path / "file.json").write_text(text)
        code, _, err = call("compare", "split-digits", "--cluster", tmp_path / "file.json")
        assert code == 2
        assert "file.json is no scheduler file; `dask scheduler --scheduler-file FILE` writes one" in err


@pytest.mark.usefixtures("impatient")
def test_where_no_scheduler_answers_it_says_how_to_start_one(call):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (1, silent.getsockname()[1]):
            code, _, err = call("compare", "split-digits", "--cluster", f"tcp://127.0.0.1:{port}")
            assert code == 2
            assert f"no connection to a scheduler at 'tcp://127.0.0.1:{port}' (" in err
            assert "Start one with `dask scheduler`" in err
    assert "whoever listens there does not answer as a scheduler does" in err


@pytest.mark.usefixtures("impatient")
def test_encryption_that_cannot_be_had_is_no_traceback(call):
    for address, settings in (
        ("tls://127.0.0.1:1", {}),
        ("tls://127.0.0.1:1", {"tls.ca-file": "nowhere.pem"}),
        ("tcp://127.0.0.1:1", {"require-encryption": True}),
    ):
        with dask.config.set({f"distributed.comm.{name}": value for name, value in settings.items()}):
            code, _, err = call("compare", "split-digits", "--cluster", address)
        assert code == 2
        assert "where they use TLS, this process needs their certificates, too" in err


@pytest.mark.slow
def test_a_cluster_that_encrypts_is_used_by_who_has_the_certificate(call, tmp_path):
    """As docs/scaling.md says, by names in Dask's configuration; one certificate for all."""
    security = Security.temporary()
    for name, text in (("me.pem", security.tls_ca_file), ("me-key.pem", security.tls_client_key)):
        (tmp_path / name).write_text(text)
    tls = {"tls.ca-file": str(tmp_path / "me.pem"), "require-encryption": True}
    for role in ("scheduler", "worker", "client"):
        tls |= {f"tls.{role}.cert": str(tmp_path / "me.pem"), f"tls.{role}.key": str(tmp_path / "me-key.pem")}
    with (
        dask.config.set({f"distributed.comm.{name}": value for name, value in tls.items()}),
        LocalCluster(n_workers=1, threads_per_worker=1, host="tls://127.0.0.1", dashboard_address=None) as cluster,
    ):
        assert cluster.scheduler_address.startswith("tls://")
        arguments = ["compare", "split-digits", *SMALL, "--methods", "hnet,si", "--out", tmp_path / "out"]
        code, out, err = call(*arguments, "--cluster", cluster.scheduler_address)
    assert (code, err) == (0, "")
    assert "hnet-seed0: finished in" in out


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
