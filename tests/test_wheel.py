"""What is built, installed in empty environments, is complete: the library alone, the command, the source archive."""

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
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory with the source archive, and the wheel that is built from it."""
    directory = tmp_path_factory.mktemp("built")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", directory, ROOT, cwd=directory)
    return directory


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
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


def test_what_is_built_is_as_the_package_index_wants_it(built: Path) -> None:
    run(sys.executable, "-m", "twine", "check", "--strict", *built.iterdir(), cwd=built)


def test_the_source_archive_is_installed_without_network_where_the_build_back_end_is_there(
    built: Path, tmp_path: Path
) -> None:
    (archive,) = built.glob("*.tar.gz")
    scripts = install(tmp_path / "venv", "hatchling")
    offline = ("--no-index", "--no-deps", "--no-build-isolation")
    run(scripts / "python", "-m", "pip", "install", *offline, archive, cwd=tmp_path)
    version = run(scripts / "python", "-c", "import hypermnesia; print(hypermnesia.__version__)", cwd=tmp_path)
    assert archive.name == f"hypermnesia-{version.strip()}.tar.gz"


def test_the_library_alone_needs_nothing_of_the_command(wheel: Path, tmp_path: Path) -> None:
    scripts = install(tmp_path / "venv", wheel)
    names = run(scripts / "python", "-m", "pip", "list", "--format=freeze", cwd=tmp_path).lower()
    assert not re.search(r"^(typer|pyyaml|altair|vl-convert-python|optuna)==", names, flags=re.MULTILINE)

    application = ("__main__", "cli", "report", "analyses", "charts", "experiments")
    modules = [
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((ROOT / "src" / "hypermnesia").rglob("*.py"))
    ]
    library = [name for name in modules if name.split(".")[1:2] not in [[part] for part in application]]
    assert len(library) > 150
    everything = f"""
import importlib
for name in {library}:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:  # a module that only who has the extra `fast` comes to
        assert error.name == "numba", (name, error)
"""
    run(scripts / "python", "-c", everything, cwd=tmp_path)

    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), flags=re.DOTALL)
    run(scripts / "python", "-c", example, cwd=tmp_path)
    assert (tmp_path / "digits.safetensors").is_file()

    asked = subprocess.run([scripts / "hypermnesia", "run"], cwd=tmp_path, capture_output=True, text=True)
    assert asked.returncode == 2
    (sentence,) = asked.stderr.splitlines()
    assert sentence.endswith("are not installed: pip install 'hypermnesia[cli]'")


def test_installed_command_learns_the_default_experiment(wheel: Path, tmp_path: Path) -> None:
    environment, elsewhere = tmp_path / "venv", tmp_path / "elsewhere"
    elsewhere.mkdir()
    scripts = install(environment, f"{wheel}[cli]")

    location = run(scripts / "python", "-c", "import hypermnesia; print(hypermnesia.__file__)", cwd=elsewhere)
    assert Path(location.strip()).is_relative_to(environment)
    run(scripts / "hypermnesia", "run", "training.iterations=20", "--out", "run", cwd=elsewhere)
    assert (elsewhere / "run" / "accuracy.csv").is_file()


def test_the_guide_from_pictures_to_production_runs_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    follow_guide(empty, install(tmp_path / "venv", f"{wheel}[cli,onnx]", "onnxruntime"))


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
