"""An analysis is its declaration: with a line in the registry it has a command, files, and a figure on the page."""

import dataclasses
import json

import altair
import pytest

from hypermnesia.analyses import registry
from hypermnesia.analyses.analysis import Analysis, Option
from hypermnesia.experiments.recorded_runs.groups import group
from hypermnesia.experiments.recorded_runs.recorded import find
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.report.page.sections.analyses import analyses


@dataclasses.dataclass(frozen=True)
class Names:
    """First letters of the names of tasks."""

    letters: list[str]


def names(directory: RunDirectory, letters: int, of: list[int] | None) -> Names:
    tasks = json.loads(directory.summary.read_text())["tasks"]
    return Names([tasks[number - 1][:letters] for number in of or range(1, len(tasks) + 1)])


NAMES = Analysis(
    name="names",
    help="First letters of the names of tasks.",
    compute=names,
    result=Names,
    chart=lambda result: altair.Chart(altair.InlineData([{"x": text} for text in result.letters])).mark_point(),
    lines=lambda result: result.letters,
    title="Names",
    alternative="What tasks are called.",
    options=(Option("letters", "integer", 5, "N", "How many."), Option("of", "integers", "", "N,N", "Which tasks.")),
    of_finished=False,
)


@pytest.fixture
def run(call, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "ALL", (*registry.ALL, NAMES))
    monkeypatch.setitem(registry.ANALYSES, "names", NAMES)
    settings = ["tasks.num_tasks=2", "network.hidden=[8]", "training.iterations=1", "--device", "cpu", "--quiet"]
    assert call("run", "split-digits", *settings, "--out", tmp_path / "run")[0] == 0
    return tmp_path / "run"


def test_a_declared_analysis_has_a_command_files_and_a_figure(call, run):
    code, out, err = call("analyze", "names", run, "--letters", 8, "--of", "2,1")
    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == ["digits 2", "digits 0"]
    assert {path.name for path in (run / "analyses").iterdir()} == {"names.json", "names.svg", "names.png"}
    groups, _ = group(find([run])[0])
    section = analyses(groups)
    assert not section.problems
    (figure,) = section.blocks[0].blocks
    assert (figure.title, figure.alternative) == ("Names", "What tasks are called.")


def test_its_help_tells_options_and_defaults(call, run):
    assert "First letters of the names of tasks." in call("analyze", "--help")[1]
    out = call("analyze", "names", "--help")[1]
    assert "How many.  [default: 5; 1<=x<=1000000]" in out and "Which tasks." in out
    assert "--of: 'two' must be whole numbers" in call("analyze", "names", run, "--of", "two")[2]


def test_no_two_analyses_have_one_name():
    assert len({each.name for each in registry.ALL}) == len(registry.ALL)
