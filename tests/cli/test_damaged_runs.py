"""A run directory is input from elsewhere: the page shows the others, and names what it leaves out."""

import resource

import numpy as np
import pytest
from altair.utils import schemapi
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hypermnesia.files import FORMAT
from tests.analyzed import write_analyses
from tests.damage import copied, damage
from tests.runs import triangle, write_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A directory with a run that will be damaged, and one that stays whole."""
    folder = tmp_path_factory.mktemp("runs")
    inferred = np.eye(3, dtype=int).tolist()
    write_run(folder / "template", "seed=1", inferred=inferred, replayed=(8, 8))
    write_analyses(folder / "template")
    write_run(folder / "whole", "learner.beta=3", inferred=inferred, replayed=(8, 8))
    return folder


@pytest.mark.slow
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_is_damaged_the_page_shows_the_other_run_and_names_what_it_leaves_out(call, runs, monkeypatch, data):
    run = copied(runs / "template", runs / "damaged")
    what = damage(data, run)
    figures = ["--figures", runs / "figures"] if data.draw(st.integers(0, 19), label="figures") == 0 else []
    monkeypatch.setattr(schemapi, "DEBUG_MODE", False)  # charts are built faster without their schema
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code, _, err = call("report", run, runs / "whole", "-o", runs / "page.html", *figures)
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    page = (runs / "page.html").read_text()
    assert (code, "Traceback" in err) == (0, False), (what, err)
    assert "whole" in page and "alert(1)</script>" not in page
    assert "root:x:0" not in page + err
    assert len(err) < 10_000 and "\x1b" not in err
    assert more < 500_000, what


WRONG = {
    "a text where a number belongs": ("summary.json", '{"memory_bytes": "123"}'),
    "a large integer": ("summary.json", '{"num_weights": ' + "9" * 5000 + "}"),
    "a lone surrogate": ("environment.json", f'[{{"format": {FORMAT}, "command": "\\udcff"}}]'),
    "negative iterations": ("timing.csv", "task,iterations,learning_seconds,evaluation_seconds\na,-3,1,1\n"),
    "a count of 30 digits": ("task_inference.csv", "task,a\na," + "9" * 30 + "\n"),
    "another number of tasks": ("accuracy.csv", "after,a,b\na,0.5,\nb,0.5,0.5\n"),
    "a command in a name": ("metrics.jsonl", '{"kind": "step", "step": 1, "lo\\u0000ss": 1}\n'),
    "a long name": ("metrics.jsonl", '{"kind": "step", "step": 1, "' + "x" * 300 + '": 1}\n'),
    "half a line": ("metrics.jsonl", '{"kind": "step", "step": 1, "loss": 1}\n{"kind"'),
    "a date": ("config.yaml", "name: a\nseed: 2024-01-31\n"),
    "a tag": ("config.yaml", "name: !!binary aGk=\n"),
    "a bomb": ("config.yaml", "a: &a [1, 1, 1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 3))),
    "deep nesting": ("summary.json", "[" * 100_000),
}


@pytest.mark.parametrize("kind", WRONG)
def test_each_kind_of_damage_is_a_sentence_on_the_page_beside_the_other_run(call, runs, kind):
    name, content = WRONG[kind]
    run = copied(runs / "template", runs / "damaged")
    (run / name).write_text(content)
    code, _, err = call("report", run, runs / "whole", "-o", runs / "page.html")
    assert code == 0
    assert err and all(line.endswith(".") and len(line) < 1000 for line in err.splitlines())
    assert str(run) in err
    assert "whole" in (runs / "page.html").read_text()


@pytest.mark.parametrize("name", ["config.yaml", "accuracy.csv", "metrics.jsonl", "environment.json", "summary.json"])
@pytest.mark.parametrize("target", ["/dev/zero", "/etc/passwd"])
def test_what_a_link_leads_to_is_not_read(call, runs, name, target):
    run = copied(runs / "template", runs / "damaged")
    (run / name).unlink()
    (run / name).symlink_to(target)
    code, _, err = call("report", run, runs / "whole", "-o", runs / "page.html")
    assert (code, f"{run / name}" in err or "link" in err) == (0, True)
    assert "root:x:0" not in (runs / "page.html").read_text() + err


def test_directories_without_a_config_are_left_out_by_name_and_collections_below_are_found(call, runs, tmp_path):
    lost = copied(runs / "template", tmp_path / "all" / "one" / "lost")
    (lost / "config.yaml").unlink()
    copied(runs / "whole", tmp_path / "all" / "two" / "whole")
    code, _, err = call("report", tmp_path / "all", "-o", tmp_path / "page.html")
    assert code == 0
    assert err == f"{lost} has no config.yaml, which every run has. It is left out.\n"
    assert err.strip() in (tmp_path / "page.html").read_text()


def test_runs_of_one_experiment_with_other_numbers_of_tasks_are_not_averaged(call, tmp_path):
    for seed, tasks in enumerate((3, 3, 2)):
        write_run(tmp_path / "all" / f"run-seed{seed}", f"seed={seed}", matrix=triangle(tasks))
    code, _, err = call("report", tmp_path / "all", "-o", tmp_path / "page.html")
    assert code == 0
    assert "run-seed2 has the settings of" in err and "2 tasks instead of 3" in err
