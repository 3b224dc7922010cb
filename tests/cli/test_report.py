"""`hypermnesia report` on runs as they are, half done, damaged, and on what is none."""

import csv
import dataclasses
import html
import json
import re
import shutil
import signal
import time
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from hypermnesia.analyses.files import to_json
from hypermnesia.criteria import ERROR
from tests.analyzed import RESULTS, write_analyses
from tests.cli.conftest import TINY, signal_when_a_task_is_written_down
from tests.runs import triangle, write_run
from tests.scene import rows


class Page(HTMLParser):
    """A page, taken apart."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self._words: list[str] = []
        self._inside: list[tuple[str, dict[str, str | None]]] = []
        self.source = path.read_text("utf-8")
        self.feed(self.source.replace("<wbr>", ""))  # where a word may break
        self.body = self.source.partition("<body>")[2].partition("<script")[0]
        self.text = " ".join(" ".join(self._words).split())
        self.charts = json.loads(self.scripts["charts"])

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if self._inside and self._inside[-1][0] == tag:
            self._inside.pop()

    def handle_data(self, data):
        if not self._inside:
            self._words.append(data)
        elif name := self._inside[-1][1].get("id"):
            self.scripts[name] = self.scripts.get(name, "") + data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def report(call, tmp_path):
    """Make a report of these runs; returns exit code, the page if there is one, and stderr."""

    def go(*arguments):
        code, _, err = call("report", *arguments, "-o", tmp_path / "page.html")
        assert "Traceback" not in err
        page = tmp_path / "page.html"
        return code, Page(page) if page.exists() else None, err

    return go


def headings(page: Page) -> list[str]:
    return [html.unescape(title) for title in re.findall(r"<h2[^>]*>([^<]*)</h2>", page.body)]


def test_a_real_run_is_a_page_that_needs_nothing_else(call, report, tiny, tmp_path):
    assert call(*tiny, "--quiet")[0] == 0
    code, page, err = report(tmp_path / "run")
    assert (code, err) == (0, "")
    assert headings(page) == [
        *("Summary", "Accuracy", "Forgetting", "Learning", "Task inference", "Cost", "Settings", "Runs", "Environment"),
    ]
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    for figure in ("average_accuracy", "forgetting"):
        assert f"{100 * summary[figure]:.2f}" in page.text
    assert f"{summary['num_weights']:,}" in page.text
    assert "task-incremental" in page.text
    assert "Not as in the preset split-digits:" in page.text and "network.hidden=[16]" in page.text
    for _, attributes in page.tags:
        assert not {"src", "srcset", "data", "action"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#")
    (policy,) = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv")]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert 'http-equiv="refresh"' not in page.source
    assert "location.reload" not in page.source
    settings = [line.partition(":")[0] for line in (tmp_path / "run" / "config.yaml").read_text().splitlines()]
    assert [key for key in settings if key.strip() not in page.text] == []
    places = [attributes["data-chart"] for attributes in page.all("div") if "data-chart" in attributes]
    assert sorted(places) == sorted(page.charts)
    assert len(page.source) < 2_000_000


def test_figures_are_also_files_for_a_paper(report, tmp_path):
    runs = [write_run(tmp_path / f"a-seed{seed}", f"seed={seed}", replayed=(8, 8)) for seed in range(2)]
    code, page, _ = report(*runs, "--figures", tmp_path / "deep" / "figures")
    assert code == 0
    files = {path.name for path in (tmp_path / "deep" / "figures").iterdir()}
    assert files == {f"{name}.{ending}" for name in page.charts for ending in ("svg", "pdf")}
    assert {"accuracy-matrix.svg", "task-curves.pdf", "forgetting.pdf", "learning-loss.svg", "replay.pdf"} <= files
    for path in (tmp_path / "deep" / "figures").iterdir():
        if path.suffix == ".svg":
            assert ElementTree.parse(path).getroot().tag.endswith("svg")
            assert "var(--" not in path.read_text()
        else:
            assert path.read_bytes().startswith(b"%PDF")


def test_seeds_are_averaged_and_other_settings_set_side_by_side(report, tmp_path):
    for seed, last in enumerate((0.6, 0.8)):
        write_run(tmp_path / "all" / f"ours-seed{seed}", f"seed={seed}", matrix=triangle(3, last=last))
    write_run(tmp_path / "all" / "other-seed0", "learner.beta=7", matrix=triangle(3, last=0.5))
    code, page, err = report(tmp_path / "all")
    assert (code, err) == (0, "")
    finals = [100 * np.mean([last, last, 0.99]) for last in (0.6, 0.8)]
    ours = f"{np.mean(finals):.2f} ± {np.std(finals, ddof=1) / np.sqrt(2):.2f}"
    assert re.search(rf"ours {re.escape(ours)} .* other 66.33", page.text)
    assert "Mean ± standard error of 2 seeds (0, 1)." in page.text
    assert "runs learner.beta other 7.0 ours 10.0" in page.text
    assert "Side by side" in headings(page)
    options = re.findall(r"<option[^>]*>([^<]*)</option>", page.source)
    assert options == ["other", "ours"]
    assert {"ranking-accuracy", "curves-first-task", "accuracy-matrix-ours", "accuracy-matrix-other"} <= set(
        page.charts
    )


def test_what_was_not_recorded_has_no_section(report, tmp_path):
    sparse = np.full((3, 3), np.nan)
    np.fill_diagonal(sparse, 0.9)
    sparse[-1] = 0.8
    code, page, _ = report(write_run(tmp_path / "a", matrix=sparse))
    assert code == 0
    assert not {"Accuracy", "Task inference", "Replay", "Beside published results"} & set(headings(page))
    assert "forgetting" in page.charts
    assert "accuracy-matrix" not in page.charts


def test_a_published_experiment_stands_beside_what_was_published(report, tmp_path):
    run = write_run(
        tmp_path / "a", "scenario=class", preset="split-mnist", method="hnet-r", matrix=triangle(5, last=0.9)
    )
    _, page, _ = report(run)
    assert "HNET+R, split-mnist class 95.30 ± 0.13 91.80 (1) ↓" in page.text
    assert "arXiv 1906.00695" in page.text
    assert "as a difference" not in page.text


def test_a_variant_of_a_published_experiment_has_a_column_of_its_own(report, tmp_path):
    runs = [
        write_run(tmp_path / start, f"learner.start={start}", preset="split-mnist", matrix=triangle(5, last=last))
        for start, last in (("zero", 0.9), ("module", 0.8))
    ]
    _, page, _ = report(*runs)
    assert "published ours (seeds) ours (seeds), as a difference" in page.text
    assert "HNET+ENT, split-mnist task 99.79 ± 0.01 91.80 (1) ↓ 83.80 (1) ↓" in page.text
    assert "Ours, as a difference: generated weights are a difference from" in page.text


@pytest.mark.parametrize(
    ("learned", "said"), [(0, "This run is learning the first task."), (2, "This run is not finished: 2 of 3 tasks.")]
)
def test_an_unfinished_run_is_shown_as_far_as_it_is(report, tmp_path, learned, said):
    code, page, err = report(write_run(tmp_path / "run", learned=learned))
    assert (code, err) == (0, "")
    assert said in page.text
    assert "Learning" in headings(page)
    assert ("Accuracy" in headings(page)) == bool(learned)


def test_a_run_that_has_just_been_stopped_is_shown(call, report, tiny, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        signal_when_a_task_is_written_down(patched, signal.SIGINT)
        assert call(*tiny)[0] == 130
    code, page, err = report(tmp_path / "run")
    assert (code, err) == (0, "")
    assert "This run is not finished: 1 of 2 tasks." in page.text


DAMAGE = {
    "accuracy.csv": "nonsense,\n1",
    "metrics.jsonl": "{\n",
    "timing.csv": "task,iterations\na,b\n",
    "summary.json": "[",
    "environment.json": "{}",
    "task_inference.csv": "task,a\na,x\n",
    "replay.safetensors": "nonsense",
    "config.yaml": "a: [",
}


def test_what_is_damaged_is_told_and_the_rest_is_shown(report, tmp_path):
    inferred = np.diag([5, 5, 5]).tolist()
    runs = {}
    for number, name in enumerate(["nothing", *DAMAGE]):
        path = tmp_path / name.replace(".", "-")
        runs[name] = write_run(path, f"learner.beta={number}", inferred=inferred, replayed=(8, 8))
    for name, content in DAMAGE.items():
        (runs[name] / name).write_text(content)
    code, page, err = report(*runs.values())
    assert code == 0
    lines = err.splitlines()
    assert len(lines) == len(DAMAGE)
    for name, line in zip(DAMAGE, lines, strict=True):
        assert str(runs[name] / name) in line
        assert line in page.text
    assert "Not everything could be read" in headings(page)
    assert "9 experiments side by side" in page.text
    lost = {"accuracy.csv": "accuracy-matrix", "metrics.jsonl": "learning-loss", "replay.safetensors": "replay"}
    for file, figure in lost.items():
        without = {name for name in runs if f"{figure}-{re.sub('[._]', '-', name)}" not in page.charts}
        assert without == {file}


def test_what_analyses_found_is_shown(report, tmp_path):
    run = write_run(tmp_path / "run")
    analyses = write_analyses(run)
    (analyses / "embedding-plane.parts.json").write_text("{}")
    code, page, err = report(run, "--figures", tmp_path / "figures")
    assert (code, err) == (0, "")
    assert "Analyses" in headings(page)
    shown = [place["data-chart"] for place in page.all("div") if place.get("data-chart") in RESULTS]
    assert shown == list(RESULTS)
    assert all((tmp_path / "figures" / f"{name}.{ending}").exists() for name in RESULTS for ending in ("svg", "pdf"))
    # Titles stand above figures, subtitles below.
    assert not any("title" in page.charts[name] for name in RESULTS)
    assert "They are 1.25 apart; all test images." in page.text
    assert "Between two embeddings" in page.text


def test_analyses_of_each_seed_are_shown(report, tmp_path):
    runs = [write_run(tmp_path / f"ours-seed{seed}", f"seed={seed}") for seed in range(3)]
    for run in runs[1:]:
        write_analyses(run)
    code, page, err = report(*runs)
    assert (code, err) == (0, "")
    assert {name for name in page.charts if name.startswith("weights")} == {"weights-seed1", "weights-seed2"}
    assert "Between two embeddings, seed 2" in page.text


def test_analyses_that_cannot_be_read_are_told_and_the_others_shown(report, tmp_path):
    run = write_run(tmp_path / "run", learned=2)
    analyses = write_analyses(run)
    damage = {
        "embedding-plane": to_json(dataclasses.replace(RESULTS["embedding-plane"], x=[0.0])),
        "interpolation": to_json(RESULTS["interpolation"]).replace("1.25", "NaN"),
        "transfer": to_json(RESULTS["transfer"])[:100],
        "mine": "{}",
    }
    for name, content in damage.items():
        (analyses / f"{name}.json").write_text(content)
    code, page, err = report(run)
    assert code == 0
    lines = err.splitlines()
    assert len(lines) == len(damage)
    for name, line in zip(damage, lines, strict=True):
        assert str(analyses / f"{name}.json") in line
        assert line.endswith("; the report does without it.")
        assert line in page.text
    assert {name for name in RESULTS if name in page.charts} == {"weights", "long-sequence"}
    for name in ("weights", "long-sequence"):
        (analyses / f"{name}.json").unlink()
        (analyses / f"{name}.json").mkdir()
    code, page, err = report(run)
    assert code == 0
    assert len(err.splitlines()) == len(damage) + 2
    assert "Analyses" not in headings(page)


def test_names_cannot_break_the_page(report, tmp_path):
    name = "<script>alert(1)</script> & 'a'"
    run = write_run(tmp_path / "run")
    rows = list(csv.reader((run / "accuracy.csv").open()))
    rows[0][1] = rows[1][0] = name
    with (run / "accuracy.csv").open("w") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("description: ", "description: </p><b>bold</b> "))
    code, page, _ = report(run)
    assert code == 0
    assert "<script>alert(1)" not in page.source
    assert "<b>" not in page.source
    assert "</p><b>bold</b>" in page.text
    assert name in json.dumps(page.charts["task-curves"])


def test_what_is_no_run_is_told_and_others_are_shown(report, tmp_path):
    run = write_run(tmp_path / "run")
    code, page, err = report(run, tmp_path / "nowhere", run)
    assert code == 0
    assert err == f"{tmp_path / 'nowhere'} does not exist.\n"
    assert err.strip() in page.text


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: None])
def test_nothing_to_show_ends_with_2_and_writes_nothing(call, tmp_path, make):
    make(tmp_path / "it")
    before = sorted(tmp_path.iterdir())
    code, out, err = call("report", tmp_path / "it", "-o", tmp_path / "page.html", "--figures", tmp_path / "figures")
    assert (code, out) == (2, "")
    assert str(tmp_path / "it") in err
    assert "There is nothing to show; name a run directory." in err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("missing/page.html", "There is no directory {tmp_path}/missing; make it, or choose another --out."),
        ("run", "{tmp_path}/run is a directory; name a file, as {tmp_path}/run/report.html."),
        ("run/config.yaml/page.html", "{tmp_path}/run/config.yaml is no directory; choose another --out."),
    ],
)
def test_a_page_that_has_no_place_ends_with_2(call, tmp_path, out, message):
    run = write_run(tmp_path / "run")
    code, _, err = call("report", run, "-o", tmp_path / out)
    assert code == 2
    assert message.format(tmp_path=tmp_path) in err
    code, _, err = call("report", run, "--figures", run / "config.yaml")
    assert code == 2
    assert "cannot be made" in err


def test_a_page_that_cannot_be_written_leaves_the_old_one(call, tmp_path, monkeypatch):
    run, page = write_run(tmp_path / "run"), tmp_path / "page.html"
    page.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device", str(page))

    monkeypatch.setattr("os.fsync", full)
    code, _, err = call("report", run, "-o", page)
    assert code == 1
    assert "No space left on device" in err
    assert page.read_text() == "old"
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_hundred_tasks_make_a_small_page(report, tmp_path):
    inferred = (np.eye(100, dtype=int) * 9 + 1).tolist()
    runs = [
        write_run(
            tmp_path / f"run-seed{seed}", f"seed={seed}", matrix=triangle(100), inferred=inferred, replayed=(28, 28)
        )
        for seed in range(2)
    ]
    code, page, _ = report(*runs)
    assert code == 0
    assert len(page.source) < 3_000_000
    assert len(page.charts) > 5


def test_watching_follows_a_run_until_interrupted(call, tmp_path, monkeypatch):
    run, page = write_run(tmp_path / "run", learned=1), tmp_path / "page.html"
    whole, shown = write_run(tmp_path / "whole"), []

    def instead_of_waiting(_: float) -> None:
        shown.append(page.read_text())
        if len(shown) == 1:
            replace_files(run, whole)
        else:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("hypermnesia.report.page.watching.time.sleep", instead_of_waiting)
    code, out, err = call("report", run, "-o", page, "--watch")
    assert (code, err) == (0, "")
    for text, said in zip(shown, ("not finished: 1 of 3 tasks", "Seed 0."), strict=True):
        assert said in text and "location.reload" in text
    assert out.splitlines()[-1] == f"No longer watching; {page} shows the runs as they are now."
    assert "location.reload" not in page.read_text()


def replace_files(run: Path, by: Path) -> None:
    """Each of them at once and whole, as a run does."""
    for file in by.iterdir():
        shutil.copy(file, run / f"{file.name}.new")
        (run / f"{file.name}.new").replace(run / file.name)


@pytest.mark.slow
def test_watching_in_a_process_of_its_own_follows_a_run_until_interrupted(start, tmp_path):
    run, page = write_run(tmp_path / "run", learned=1), tmp_path / "page.html"
    process = start("report", run, "-o", page, "--watch")

    def shows(text: str) -> bool:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and process.poll() is None:
            if page.exists() and text in page.read_text():
                return True
            time.sleep(0.05)
        return False

    try:
        assert shows("not finished: 1 of 3 tasks")
        assert "location.reload" in page.read_text()
        for further in (write_run(tmp_path / "two", learned=2), write_run(tmp_path / "whole")):
            replace_files(run, further)
            assert shows("not finished: 2 of 3 tasks" if further.name == "two" else "Seed 0.")
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[-1] == f"No longer watching; {page} shows the runs as they are now."
    assert "location.reload" not in page.read_text()
    assert "not finished" not in page.read_text().partition("<main")[2].partition("<script")[0]


def test_the_learning_curves_are_those_of_tensorboard(call, report, tmp_path):
    run = tmp_path / "run"
    assert call("run", *TINY, "training.iterations=10", "--log", "tensorboard", "--out", run, "--quiet")[0] == 0
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    _, page, _ = report(run)
    tags = {tag.removeprefix("learning/") for tag in events.Tags()["scalars"] if tag.startswith("learning/")}
    assert {f"learning-{tag.replace('_', '-').replace('/', '-')}" for tag in tags} == {
        name for name in page.charts if name.startswith("learning-")
    }
    (curve,) = rows(page.charts["learning-loss"])
    written = events.Scalars("learning/loss")
    assert curve["step"] == [event.step for event in written]
    np.testing.assert_allclose(curve["value"], [event.value for event in written], atol=1e-4)


def test_help_says_what_it_takes(call):
    code, out, _ = call("report", "--help")
    assert code == 0
    for word in ("RUNS...", "--out", "--figures", "--watch"):
        assert word in out


def test_errors_are_shown_where_numbers_are_predicted(report, tmp_path):
    matrix = np.array([[0.1, np.nan], [0.5, 0.2]])
    runs = [
        write_run(tmp_path / f"toy-seed{seed}", f"seed={seed}", matrix=factor * matrix, metric=ERROR)
        for seed, factor in enumerate((1, 2))
    ]
    better = write_run(tmp_path / "better-seed0", "learner.beta=3", matrix=matrix / 10, metric=ERROR)
    code, page, err = report(*runs, better)
    assert (code, err) == (0, "")
    assert "Error" in headings(page)
    assert "runs mean squared error on test data forgetting" in page.text
    # The smaller is the better: the best stands first; what has become larger was forgotten.
    assert re.search(r"better 0\.0350 0\.0400 .* toy 0\.5250 ± 0\.1750 0\.6000 ± 0\.2000", page.text)
    assert "test accuracy (%)" not in page.body
    assert "accuracy-matrix-toy" not in page.charts
    (points,) = [row for row in rows(page.charts["task-curves-better"]) if row["number"] == 1]
    assert points["value"] == [0.01, 0.05]
    assert {"ranking-error", "forgetting-toy", "curves-average"} <= set(page.charts)


def test_a_real_run_that_predicts_numbers_is_shown(call, report, tmp_path):
    run = tmp_path / "run"
    assert call("run", "toy-regression", "training.iterations=5", "device=cpu", "--out", run, "--quiet")[0] == 0
    code, page, err = report(run)
    assert (code, err) == (0, "")
    summary = json.loads((run / "summary.json").read_text())
    assert f"{summary['average_error']:.4f}" in page.text
    assert f"{summary['forgetting']:.4f}" in page.text
