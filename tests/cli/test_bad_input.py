"""Clumsy and hostile input, by kind: exit 2, a few lines that name the place, at once, and nothing changed on disk."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hypermnesia.experiments.settings import sources
from hypermnesia.experiments.settings.benchmark import load_experiment
from hypermnesia.seeds import Seeds
from tests.damage import HOSTILE, places, replaced

MILLIONS = "9" * 5000
FILES = {
    "date.yaml": "seed: 2024-01-31\n",
    "tag.yaml": "description: !!binary aGk=\n",
    "set.yaml": "description: !!set {a}\n",
    "twice.yaml": "seed: 1\nseed: 2\n",
    "aliases.yaml": "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9)),
    "merges.yaml": "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: *a{i - 1}, y: *a{i - 1}}}\n" for i in range(1, 40)),
    "deep.yaml": "x: " + "[" * 10_000,
    "self.yaml": "x: &x [*x]\n",
    "long.yaml": f"training: {{iterations: {'x' * 500_000}}}\n",
    "large.yaml": "x: " + "y" * (2 << 20),
    "keys.yaml": "".join(f"k{i}: 1\n" for i in range(10_000)),
    "two.yaml": "--- a\n--- b\n",
    "bytes.yaml": b"\xff\xfe",
}
WRONG = {  # how it is called, and what is said
    "training.iterations=true": "training.iterations: should be a valid integer, not True",
    "training.iterations='3'": "training.iterations: should be a valid integer, not '3'",
    "training.learning_rate=true": "training.learning_rate: should be a valid number, not True",
    "training.iterations=0x7fffffffffffffffffffffff": "too large to be read",
    "training.iterations=1:30": "not '1:30'",
    "training.compile=yes": "should be a valid boolean, not 'yes'",
    f"training.batch_size={10**29}": "too large to be read",
    f"seed={MILLIONS}": "too large to be read",
    "learner.hidden=[1e3]": "learner.hidden.0: should be a valid integer, not 1000.0",
    f"threads={10**12}": "threads: should be less than or equal to 1024",
    "scenario=[class]": "scenario: should be 'task', 'domain' or 'class', not ['class']",
    "scenario={}": "scenario: should be",
    "learner=3": "learner: must be a section",
    "training.iterations=": "training.iterations: there is nothing after '='",
    "training.weight_decay=.nan": "training.weight_decay: should be a finite number",
    f"network.hidden=[{','.join(['2'] * 2000)}]": "network.hidden: must have at most 1000 entries",
    "learner.shared=['nonexistent.*']": "no parameter matches 'nonexistent.*'",
    f"learner.embedding_dim={10**12}": "the largest is learner.embedding_dim=1000000000000",
    f"network.hidden=[{10**12}]": "TiB of memory, and",
    "": "There is no preset ''",
    "pipe.yaml": "it is a pipe or a device",
    "zero.yaml": "it is a pipe or a device",
    "date.yaml": "needs a learner",
    "tag.yaml": "is a tag; only plain texts",
    "set.yaml": "is a tag; only plain texts",
    "twice.yaml": "stands twice in one section, first on line 1",
    "aliases.yaml": "more than 100,000 values",
    "merges.yaml": "more than 100,000 values",
    "deep.yaml": "more than 64 levels",
    "self.yaml": "stands for nothing that ends before it",
    "large.yaml": "it has more than 1,048,576 bytes",
    "two.yaml": "a second document begins",
    "bytes.yaml": "is not a text file in UTF-8",
}


@pytest.fixture
def files(call, tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to("loop")
    return sorted(tmp_path.rglob("*"))


def refused(call, files, tmp_path, *arguments: str) -> str:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) <= 12 and len(err) < 6000 and "Traceback" not in err
    assert sorted(tmp_path.rglob("*")) == files
    return err


@pytest.mark.parametrize("argument", WRONG)
def test_wrong_settings_are_refused_in_a_few_lines(call, files, tmp_path, argument):
    assert WRONG[argument] in refused(call, files, tmp_path, "run", argument)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compare", "split-digits", "--methods", ","], "--methods: there is no name in ','"),
        (["compare", "split-digits", "--seeds", "1000000000"], "--seeds"),
        (["reproduce", "table-1", "--only", " , "], "--only: there is no name"),
        (["tune", "split-digits", "--only", ","], "--only: there is no name"),
        (["analyze", "compression", "split-digits", "--ratios", "1e12"], "--ratios: 1e+12 is more than 100"),
        (["analyze", "embedding-plane", "x", "--resolution", "1000000000"], "--resolution"),
        (["run", "permuted-digits", f"tasks.num_tasks={10**9}"], "tasks.num_tasks: should be less than or equal"),
        (["run", "permuted-digits", f"tasks.padding={10**9}"], "tasks.padding: should be less than or equal to 1000"),
        *(
            ([*command, f"{place}={size}"], f"the largest is {place}={size}")
            for command in (
                ["run", "split-digits"],
                ["compare", "split-digits", "--methods", "hnet", "--out", "new"],
                ["tune", "split-digits", "--out", "new"],
            )
            for place, size in (("network.hidden", [10**12]), ("learner.embedding_dim", 10**12))
        ),
        (
            ["run", f"network.hidden={[30_000] * 20}"],
            "The network, with the learner's copy of it, would need 127.4 GiB",
        ),
        (["analyze", "compression", "split-digits", f"network.hidden=[{10**12}]"], "Error: ratios: The network,"),
        (["compare", "toy-regression", f"tasks.examples={10**12}", "--out", "new"], "the largest is tasks.examples"),
        (
            ["run", "split-digits", "criterion={weight: [1, 2, 3]}"],
            "has 2 classes, but the criterion has weights for 3",
        ),
        (["run", "split-digits", "criterion={weight: [1]}"], "has 2 classes, but the criterion has weights for 1"),
        (["run", f"training.gradient_accumulation_steps={10**12}"], "give at most 3, or a smaller batch_size"),
        (["run", f"training.warm_up={2**63 - 1}"], "and a task has 400 (iterations)"),
        (["run", "training={epochs: 1e+308}"], "training.epochs: should be less than or equal to 1000000000"),
        (["run", "toy-regression", f"tasks.examples={10**12}"], "the largest is tasks.examples=1000000000000"),
        (["run", "toy-regression", "tasks.functions=[{coefficients: [.nan], low: 0, high: 1}]"], "finite number"),
        (["report", "x", "--figures", "loop"], "Too many levels of symbolic links"),
        (["run", "--out", "loop"], "Too many levels of symbolic links"),
        (["run", "--out", "loop/x"], "Too many levels of symbolic links"),
        (["run", "--out", "x" * 300], "File name too long"),
        (["run", "--out", "a\udcff"], "no text in UTF-8"),
        (["report", "x", "--out", "x" * 300], "File name too long"),
        (["run", "description=" + "x" * 300, "seed=-1"], "seed: should be greater"),
        (["run", "name=" + "x" * 300], "name: should have at most 200 characters"),
        (["run", "--method", ""], "There is no method ''"),
        (["run", "learner.method="], "learner.method: there is nothing after '='"),
        (["run", "--method", "x" * 100_000], "(a text of 100,000 characters)"),
        (["compare", "split-digits", "--methods", "x" * 100_000], "(a text of 100,000 characters)"),
        (["reproduce", "x" * 100_000], "(a text of 100,000 characters)"),
        (["reproduce", "table-1", "--only", "x" * 100_000], "(a text of 100,000 characters)"),
        (["tune", "split-digits", "--only", "x" * 100_000], "(a text of 100,000 characters)"),
        *(
            ([*command, "--out", out], said)
            for command in (["predict", "RUN", "x.csv"], ["export", "RUN"])
            for out, said in {
                "loop": "Too many levels of symbolic links",
                "x" * 300: "File name too long",
                ".": "is a directory",
                "nowhere/x.onnx": "'nowhere' does not exist",
                "date.yaml/x.onnx": "'date.yaml'",
            }.items()
        ),
        *(
            (["tune", "split-digits", "--out", "new", "--storage", storage], said)
            for storage, said in {
                "": "--storage: there is nothing in it",
                "mysql://user@host/name": "'mysql' is not among what can hold a search",
                "nowhere/x.log": "cannot be opened: No such file or directory",
                ".": "is a directory; give the path of a journal file",
                "pipe.yaml": "is a pipe or a device",
                "zero.yaml": "is a pipe or a device",
                "loop": "cannot be opened: Too many levels of symbolic links",
                "x" * 300: "cannot be opened: File name too long",
                "date.yaml": "cannot be read as the trials of a search",
                "bytes.yaml": "cannot be read as the trials of a search",
            }.items()
        ),
        (["compare", "split-digits", "--cluster", "nowhere", "--out", "new/one"], "is no cluster"),
        (["compare", "split-digits", "--cluster", "local:99999", "--out", "new/one"], "at most local:999"),
        (["compare", "split-digits", "--jobs", "2", "--cluster", "local:2", "--out", "new"], "exclude each other"),
    ],
)
def test_wrong_arguments_are_refused_in_a_few_lines(call, files, tmp_path, arguments, said):
    assert said in refused(call, files, tmp_path, *arguments)


def test_long_values_and_many_mistakes_make_short_messages(call, files, tmp_path):
    for argument in ("long.yaml", "keys.yaml"):
        (tmp_path / argument).write_text(
            (tmp_path / argument).read_text() + sources.dump(sources.read_preset("split-digits"))
        )
        assert len(refused(call, files, tmp_path, "run", argument)) < 3000


def test_what_is_read_as_written(call):
    assert load_experiment("split-digits", sources.assignments(["training.iterations=017"])).training.iterations == 17
    for text in ("1e5", "08", "0o17", "no", "1:30", "2024-01-31", "null", "~", "+.inf", "017"):
        assert sources.parse(sources.dump({"a": text})) == {"a": text}


def test_seeds_are_whole_numbers_in_the_library_as_in_files(unchecked):
    assert Seeds(np.int64(3)) == Seeds(3)
    for wrong in ("3", 3.0, True, None):
        with pytest.raises(ValueError, match="seed must be a whole number"):
            Seeds(wrong)
    with pytest.raises(ValueError, match="seed must be 0 or more, not -1"):
        Seeds(-1)


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_value_in_the_place_of_any_other_is_taken_or_refused(call, tmp_path, data):
    """A configuration of which one value is another: `show` prints it, or says what is wrong with it."""
    preset = data.draw(st.sampled_from(["split-digits", "permuted-mnist-10", "toy-regression", "cifar-resnet"]))
    tree = json.loads(json.dumps(load_experiment(preset).model_dump(mode="json")))
    place = data.draw(st.sampled_from(list(places(tree))), label="place")
    changed = replaced(tree, place, data.draw(st.sampled_from(HOSTILE), label="value"))
    file = tmp_path / "fuzzed.yaml"
    file.write_text(json.dumps(changed))  # which is YAML
    code, out, err = call("show", file)
    assert code in (0, 2) and "Traceback" not in err
    assert (code == 0) == bool(out) and len(err) < 6000 and len(err.splitlines()) <= 12


@pytest.mark.slow
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_words_on_the_command_line_are_taken_or_refused(call, data):
    words = ["show", "presets", "report", "analyze", "split-digits", "--method", "--seed", "--out", "--methods", "hnet"]
    words += ["training.iterations=3", "=", "a=b=c", "learner.hidden=[", "x.yaml", "", "-1", "--", "{}", "\udcff", "\0"]
    words += ["../..", "/", "*", "%s", "[/bold]", "\x1b[31m", "9" * 5000, "interpolation", "weights", "--resolution"]
    arguments = data.draw(st.lists(st.sampled_from(words), max_size=6))
    code, _, err = (
        call("show", *arguments) if data.draw(st.booleans()) else call(*(a for a in arguments if a != "report"))
    )
    assert code in (0, 2) and "Traceback" not in err and len(err) < 15_000


PRESETS = "from hypermnesia import cli; cli.main(['presets'])"


@pytest.mark.parametrize("where", [">/dev/full", ">&-"], ids=["full", "closed"])
def test_a_full_or_closed_standard_output_ends_with_one_line(where):
    code = f'exec {sys.executable} -c "$1" {where}'
    ended = subprocess.run(["sh", "-c", code, "sh", PRESETS], capture_output=True, text=True)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("Error: Standard output cannot be written: ")


COMMANDS = ("run", "compare", "tune", "reproduce", "report", "predict", "export", "analyze", "analyze weights")
ALL_HELP = f"""
from hypermnesia import cli
for command in {[*(f"{command} --help" for command in COMMANDS), "presets", "show"]!r}:
    try:
        cli.main(command.split())
    except SystemExit as end:
        assert not end.code
"""


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "cp437"])
def test_terminals_without_our_characters_get_plain_ones(encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    ended = subprocess.run([sys.executable, "-c", ALL_HELP], capture_output=True, env=environment)
    assert (ended.returncode, ended.stderr) == (0, b"")
    told = ended.stdout.decode(encoding)
    assert all(f"Usage: hypermnesia {command}" in told for command in COMMANDS)
    assert "split-digits" in told and "\ufffd" not in told
