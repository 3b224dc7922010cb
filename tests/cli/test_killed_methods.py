"""Runs of every method, killed at random times and resumed: whole directories are compared with undisturbed ones."""

import json

import pytest

from hypermnesia.learners import METHODS
from tests.cli.conftest import TINY
from tests.directories import content

pytestmark = pytest.mark.slow

# Forked from a process that has imported everything: else most of the time would go on starting.
KILLED = """
import json, os, random, signal, sys, time
import hypermnesia.experiments.single_run.run, hypermnesia.report.summary, altair
from hypermnesia import cli

def fork(*arguments):
    if (child := os.fork()) == 0:
        for stream in (1, 2):
            os.dup2(os.open("said.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND), stream)
        try:
            cli.main(arguments)
        except SystemExit as end:
            os._exit(end.code or 0)
    return child

folder, methods, arguments = sys.argv[1], sys.argv[2].split(","), sys.argv[3:]
os.chdir(folder)
for number, method in enumerate(methods):
    chance, begun = random.Random(number), time.monotonic()
    codes = [os.waitpid(fork(*arguments, "--method", method, "--out", f"{method}-whole"), 0)[1]]
    took = time.monotonic() - begun
    for _ in range(2):
        child = fork(*arguments, "--method", method, "--out", method, "--resume")
        time.sleep(chance.uniform(0.1, 0.9) * took)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    codes.append(os.waitpid(fork(*arguments, "--method", method, "--out", method, "--resume"), 0)[1])
    print(json.dumps(codes))
"""


def test_whatever_the_method_a_killed_run_is_resumed_to_the_same_directory(start, tmp_path):
    settings = [argument for argument in TINY if "chunk_size" not in argument]
    arguments = ["run", *settings, "training.iterations=15", "recording.checkpoint_every=0"]
    printed, errors = start(tmp_path, ",".join(METHODS), *arguments, code=KILLED).communicate()
    assert errors == ""
    assert [json.loads(line) for line in printed.splitlines()] == [[0, 0]] * len(METHODS)
    assert "Resumed after" in (tmp_path / "said.txt").read_text()
    differ = {}
    for method in METHODS:
        ours, whole = content(tmp_path / method), content(tmp_path / f"{method}-whole")
        if names := sorted(name for name in ours.keys() | whole.keys() if ours.get(name) != whole.get(name)):
            differ[method] = names
    assert differ == {}
