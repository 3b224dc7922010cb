"""Two processes that are started at once and write into the same directory: one does, the other is told so."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import TINY

pytestmark = pytest.mark.slow

PAIRS = 10
RUN = ["run", *TINY, "training.iterations=60"]
MANY = [*TINY[:-2], "device=cpu", "--out", "made"]
SIZELESS = [each for each in MANY if "size" not in each]
# Forked from a process that has imported everything, so that both are at the same place at the same time.
AT_ONCE = """
import json, os, sys
from pathlib import Path
import hypermnesia.analyses.registry, hypermnesia.experiments.many_runs.tune, hypermnesia.experiments.single_run.run
import hypermnesia.report.page.build, hypermnesia.report.summary, altair, optuna
from hypermnesia import cli

def fork(folder, name):
    if (child := os.fork()) == 0:
        os.chdir(folder)
        file = os.open(folder / f"{name}.txt", os.O_CREAT | os.O_WRONLY)
        os.dup2(file, 1), os.dup2(file, 2)
        os.close(writing), os.read(reading, 1)  # until the writing end is closed
        try:
            cli.main(sys.argv[2:])
        except SystemExit as end:
            os._exit(end.code or 0)
    return child

for folder in sorted(Path(sys.argv[1]).iterdir()):
    reading, writing = os.pipe()
    children = [fork(folder, name) for name in ("one", "other")]
    os.close(writing)
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]))
"""


@pytest.fixture(scope="module")
def alone(start, tmp_path_factory) -> Path:
    """A run that nobody disturbs."""
    path = tmp_path_factory.mktemp("alone") / "run"
    process = start(*RUN, "--out", path)
    assert process.communicate()[1] == ""
    return path


@pytest.fixture
def pairs(start, tmp_path):
    """Start pairs of processes, each pair in a directory of its own that holds these runs."""

    def go(*arguments: str, runs: dict[str, Path]) -> list[tuple[Path, str, str]]:
        """Directory, and what the one that did it and the one that was refused have said."""
        folders = [tmp_path / str(pair) for pair in range(PAIRS)]
        for folder in folders:
            folder.mkdir()
            for name, run in runs.items():
                shutil.copytree(run, folder / name)
        printed, errors = start(tmp_path, *arguments, code=AT_ONCE).communicate()
        assert errors == ""
        found = []
        for folder, line in zip(folders, printed.splitlines(), strict=True):
            said = [(folder / f"{name}.txt").read_text() for name in ("one", "other")]
            assert sorted(json.loads(line)) == [0, 2], said
            done = json.loads(line).index(0)
            assert len(said[1 - done].splitlines()) == 1
            found.append((folder, said[done], said[1 - done]))
        return found

    return go


def contents(path: Path) -> dict[str, bytes]:
    names = ("metrics.jsonl", "accuracy.csv", "learner.safetensors", "accuracy.png")
    return {name: (path / name).read_bytes() for name in names}


IN_USE = " is in use: another process writes into it; wait for it, stop it, or choose another directory.\n"


@pytest.mark.parametrize("how", [[], ["--resume"], ["--overwrite"]], ids=["fresh", "resumed", "overwritten"])
def test_one_of_two_runs_that_are_started_at_once_is_carried_out(pairs, alone, how):
    replaced = {"run": alone} if how == ["--overwrite"] else {}
    for folder, _, refused in pairs(*RUN, "--out", "run", *how, runs=replaced):
        assert refused.endswith(IN_USE) or "already holds a run" in refused
        assert contents(folder / "run") == contents(alone)
        assert sorted(path.name for path in folder.iterdir()) == ["one.txt", "other.txt", "run"]


@pytest.mark.parametrize(
    "command",
    [
        ["compare", *MANY, "training.iterations=3", "--methods", "hnet"],
        ["tune", *MANY, "training.iterations=60", "--trials", "1"],
        ["analyze", "interpolation", "run"],
        ["analyze", "compression", *SIZELESS, "training.iterations=3", "--ratios", "3"],
        ["report", "run", "--figures", "made"],
    ],
    ids=lambda command: "-".join(command[:2]),
)
def test_one_of_two_commands_that_write_into_one_directory_does(pairs, alone, command):
    for _, done, refused in pairs(*command, runs={"run": alone}):
        assert "written to" in done or "the best settings are in" in done
        assert refused.endswith(IN_USE)
