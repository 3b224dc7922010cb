"""What is done by other machines and programs names things that exist here."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))


def read(path: Path) -> dict:
    return yaml.safe_load(path.read_text("utf-8"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_make_targets_that_there_are_with_actions_of_a_major_version(path):
    jobs = read(path)["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    commands = " ; ".join(step["run"] for step in steps if "run" in step)
    made = set(re.findall(r"\bmake ([a-z-]+)", commands))
    assert made and made <= TARGETS
    for action in (step["uses"] for step in steps if "uses" in step):
        assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action)
    for job in jobs.values():
        assert job["timeout-minutes"] and re.fullmatch(r"ubuntu-latest|\$\{\{ matrix\.system \}\}", job["runs-on"])


def test_every_kind_of_machine_runs_what_a_change_must_pass():
    jobs = read(GITHUB / "workflows" / "tests.yml")["jobs"]
    matrix = jobs["quick"]["strategy"]["matrix"]
    assert {each.partition("-")[0] for each in matrix["system"]} == {"ubuntu", "macos", "windows"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["requires-python"] == f">={matrix['python'][0]}"
    run = " ".join(step.get("run", "") for job in jobs.values() for step in job["steps"])
    assert {"test", "test-slow", "test-lowest", "coverage", "docs"} <= set(re.findall(r"make ([a-z-]+)", run))


def test_hooks_run_the_tools_that_make_installs():
    (local,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    check = (ROOT / "Makefile").read_text("utf-8").partition("\ncheck: ")[2]
    for hook in local["hooks"]:
        tool = hook["entry"].removeprefix(".venv/bin/").partition(" --")[0]
        assert f"$(BIN)/{tool}" in check


@pytest.mark.parametrize("name", ["ISSUE_TEMPLATE/fault.yml", "ISSUE_TEMPLATE/wish.yml", "pull_request_template.md"])
def test_who_reports_is_asked_what_the_doctor_says(name):
    text = (GITHUB / name).read_text("utf-8")
    assert "hypermnesia doctor" in text
    if name.endswith(".yml"):
        fields = {field["id"]: field for field in yaml.safe_load(text)["body"]}
        assert fields["doctor"]["attributes"]["render"] == "text"
