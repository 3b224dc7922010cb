"""Tuning through the command line."""

SHORT = ["training.iterations=6", "tasks.num_tasks=2", "threads=1", "device=cpu"]


def test_what_is_found_can_be_run(call, tmp_path):
    code, out, err = call("tune", "split-digits", *SHORT, "--trials", "2", "--out", str(tmp_path / "search"))
    assert (code, err) == (0, "")
    assert "trial 0: running, learner.beta=10 training.learning_rate=0.001" in out
    assert "trial 0: validation accuracy" in out and "2 trials, and 0 given up early" in out
    tuned = tmp_path / "search" / "tuned.yaml"
    assert str(tuned) in out.replace("\n", "")
    code, out, err = call("run", str(tuned), "--out", str(tmp_path / "run"), "--quiet")
    assert (code, err) == (0, "")


def test_a_search_that_is_complete_says_what_it_found(call, tmp_path):
    arguments = ["tune", "split-digits", *SHORT, "--trials", "1", "--out", str(tmp_path)]
    call(*arguments)
    code, out, _ = call(*arguments)
    assert code == 0
    assert "trial 0:" not in out and "1 trials, and 0 given up early" in out


def test_where_trials_are_kept_elsewhere_the_result_has_a_directory_all_the_same(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = call("tune", "split-digits", *SHORT, "--trials", "1", "--storage", "trials.journal")
    assert (code, err) == (0, "")
    assert (tmp_path / "runs" / "tune-split-digits" / "tuned.yaml").is_file()


def test_mistakes_are_explained(call, tmp_path):
    for arguments, message in (
        (["split-digit"], "Did you mean 'split-digits'"),
        (["split-digits", "--only", "learner.hidden"], "'learner.hidden' is not searched"),
        (["split-digits", "learner.beta=-1"], "learner.beta"),
    ):
        code, _, err = call("tune", *arguments, "--out", str(tmp_path))
        assert code == 2
        assert message in err
