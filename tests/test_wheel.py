"""The built wheel, installed with its dependencies alone, is complete: it imports and its command runs."""

import csv
import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path, scripts: Path | None = None) -> str:
    """What `command` prints, with nothing of the source tree or of this environment in reach but these scripts."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["PIP_CONSTRAINT"] = environment["PIP_BUILD_CONSTRAINT"] = (ROOT / "constraints.txt").as_uri()
    if scripts is not None:
        environment["PATH"] = f"{scripts}{os.pathsep}{environment['PATH']}"
    finished = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert finished.returncode == 0, f"{command}\n{finished.stdout}\n{finished.stderr}"
    return finished.stdout


def install(directory: Path, *packages: str | Path) -> Path:
    """The scripts of a new environment with these packages."""
    venv.create(directory, with_pip=True)
    scripts = directory / ("Scripts" if os.name == "nt" else "bin")
    run(scripts / "python", "-m", "pip", "install", "--quiet", *packages, cwd=directory)
    return scripts


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", directory, ROOT, cwd=directory)
    (path,) = directory.glob("*.whl")
    return path


def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    source = ROOT / "src"
    expected = {
        path.relative_to(source).as_posix()
        for path in (source / "hypermnesia").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_installed_wheel_learns_the_default_experiment(wheel: Path, tmp_path: Path) -> None:
    environment, elsewhere = tmp_path / "venv", tmp_path / "elsewhere"
    elsewhere.mkdir()
    scripts = install(environment, wheel)

    location = run(scripts / "python", "-c", "import hypermnesia; print(hypermnesia.__file__)", cwd=elsewhere)
    assert Path(location.strip()).is_relative_to(environment)
    run(scripts / "hypermnesia", "run", "training.iterations=20", "--out", "run", cwd=elsewhere)
    assert (elsewhere / "run" / "accuracy.csv").is_file()


def test_the_guide_from_pictures_to_production_runs_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    follow_guide(empty, install(tmp_path / "venv", f"{wheel}[onnx]", "onnxruntime"))


def follow_guide(folder: Path, scripts: Path) -> None:
    """Write the files of the guide and give its commands, one after another; what comes of them is as it says."""
    text = (ROOT / "docs" / "from-pictures-to-production.md").read_text("utf-8")
    blocks = re.findall(r"```(python|yaml|sh)\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) >= 8
    for kind, block in blocks:
        if kind == "sh":
            run("bash", "-ec", block, cwd=folder, scripts=scripts)
        else:
            name = block.partition("\n")[0].removeprefix("# ")
            (folder / name).write_text(block, "utf-8")
    assert (folder / "report.html").stat().st_size > 10_000
    for file, name in (("threes.csv", "three"), ("sixes.csv", "six")):
        with (folder / file).open(newline="") as answers:
            found = [row["class"] == name for row in csv.DictReader(answers)]
        assert len(found) > 100
        assert sum(found) > 0.9 * len(found)
    assert {answer["task"] for answer in json.loads((folder / "zeros.json").read_text())} <= {0, 1}
    served = [line.split() for line in (folder / "served.txt").read_text().splitlines()]
    right = [Path(path).parent.name == name for path, name in served]
    assert len(right) > 300
    assert sum(right) > 0.9 * len(right)
