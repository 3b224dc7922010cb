"""What holds for every test: shapes and types checked at run time, and property tests that repeat in CI."""

import os
import sys

import hypothesis
import jaxtyping
import pytest

import tests.cpu_torchvision
import tests.type_checks

if sys.platform == "win32":  # these stop processes and fill disks as only POSIX can
    collect_ignore = [
        "cli/test_children.py",
        "cli/test_damaged_runs.py",
        "cli/test_killed.py",
        "cli/test_killed_methods.py",
        "cli/test_terminals.py",
    ]

# Before anything imports the package: every call in it then checks its arguments' types and tensor shapes.
tests.type_checks.install()

# A slow machine is no failure. CI tries the same examples every time: a red build is then the change's doing.
hypothesis.settings.register_profile("hypermnesia", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("hypermnesia")


@pytest.fixture
def unchecked():
    """Let wrong types reach the package's own checks, as they do outside of tests."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
