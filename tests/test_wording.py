"""Whoever uses the library has no command line: only the command line's own texts name its options."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "hypermnesia"
OPTION = re.compile(r"(?<![\w(-])--[a-z][\w-]*")
ALLOWED = {
    # Commands that a process is started with.
    "experiments/many_runs/carry_out.py": {"--resume"},
    "experiments/many_runs/child.py": {"--out", "--data", "--with-parent"},
    "experiments/many_runs/cluster.py": {"--nthreads", "--resources", "--scheduler-file"},
    "experiments/many_runs/tune.py": {"--join", "--only", "--out", "--storage", "--trials"},
    "experiments/single_run/environment.py": {"--porcelain", "--untracked-files"},
    # Where the names of methods are listed.
    "experiments/settings/config.py": {"--help"},
    "experiments/settings/own_files.py": {"--trust"},
}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] != "cli")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_texts_name_settings_and_arguments_but_no_options_of_the_command_line(file):
    texts = [
        node.value
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    found = {option for text in texts for option in OPTION.findall(text)}
    assert found <= ALLOWED.get(str(file.relative_to(PACKAGE)), set())
