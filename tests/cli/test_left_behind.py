"""What a killed process was writing aside, and left behind, is removed by the next that writes there alone."""

import pytest

from tests.cli.conftest import TINY

RUN = ["run", *TINY, "training.iterations=3"]


@pytest.mark.parametrize(
    ("into", "aside", "command"),
    [
        ("run", "timing.csv", [*RUN, "--out", "run", "--resume"]),
        ("run/analyses", "interpolation.png", ["analyze", "interpolation", "run"]),
        ("figures", "accuracy.svg", ["report", "run", "--figures", "figures"]),
        (
            "runs",
            "comparison.md",
            ["compare", *TINY[:-2], "device=cpu", "training.iterations=3", "--methods", "hnet", "--out", "runs"],
        ),
    ],
)
def test_what_was_left_behind_is_removed_and_nothing_else(call, tmp_path, into, aside, command):
    assert call(*RUN, "--out", "run")[0] == 0
    folder = tmp_path / into
    folder.mkdir(exist_ok=True)
    (folder / f".{aside}.4321.tmp").touch()
    (folder / ".thesis.txt.tmp").touch()
    code, _, errors = call(*command)
    assert (code, errors) == (0, "")
    assert [path.name for path in tmp_path.rglob(".*.tmp")] == [".thesis.txt.tmp"]
