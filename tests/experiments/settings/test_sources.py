import itertools

import pytest

from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.settings import sources


@pytest.mark.parametrize("text, number", [("1e-3", 1e-3), ("1.5E+2", 150.0), ("-2e5", -2e5), (".5e1", 5.0)])
def test_numbers_with_an_exponent_are_numbers(text, number):
    assert sources.parse(text) == number


def test_what_is_dumped_is_parsed_again():
    values = {"a": {"b": [1, 2], "c": None, "d": "ä"}, "e": 1e-4, "f": True}
    assert sources.parse(sources.dump(values)) == values


def test_an_override_leaves_the_original_alone():
    values = {"learner": {"beta": 0.1}}
    sources.override(values, {"learner.beta": 1, "learner.hidden": [3]})
    assert values == {"learner": {"beta": 0.1}}


def test_a_whole_section_can_be_replaced():
    section = {"kind": "permuted", "num_tasks": 2}
    assert sources.override({"tasks": {"kind": "split", "padding": 1}}, {"tasks": section}) == {"tasks": section}


@pytest.mark.parametrize("given", [*itertools.permutations(["a.b.kind=y", "a.b.c.kind=z", "a.b.c.d=1"])])
def test_settings_hold_in_whichever_order_they_are_given(given):
    before = {"a": {"b": {"kind": "x", "e": 2, "c": {"f": 3}}}}
    after = {"a": {"b": {"kind": "y", "c": {"kind": "z", "d": 1}}}}
    assert sources.override(before, sources.assignments(given)) == after
    assert sources.override(before, sources.assignments(["a.b={kind: x, g: 1}", *given])) == after


def test_a_file_is_called_after_its_stem(tmp_path):
    (tmp_path / "mine.yaml").write_text("seed: 3\n")
    assert sources.read_settings(str(tmp_path / "mine.yaml")) == {"name": "mine", "seed": 3}


@pytest.mark.parametrize(
    "content, message",
    [
        (b"a: [1, 2", "is not valid YAML: .*line [12]"),
        (b"- 1\n- 2\n", "must hold settings"),
        (b"", "must hold settings"),
        (b"\xff\xfe\x00", "not a text file in UTF-8"),
    ],
)
def test_a_broken_file_has_its_message(tmp_path, content, message):
    (file := tmp_path / "mine.yaml").write_bytes(content)
    with pytest.raises(ConfigurationError, match=message):
        sources.read_settings(str(file))


@pytest.mark.parametrize(
    "source, message",
    [
        ("split-mnits", "no preset 'split-mnits'. Did you mean 'split-mnist'"),
        ("nothing-like-it", "Presets: split-digits, permuted-digits, .*split-mnist, "),
        ("missing.yaml", "missing.yaml cannot be read: No such file"),
    ],
)
def test_an_unknown_source_has_its_message(source, message):
    with pytest.raises(ConfigurationError, match=message):
        sources.read_settings(source)


@pytest.mark.parametrize(
    "assignment, message",
    [
        ("beta", "'beta' is not understood"),
        ("=3", "is not understood"),
        ("learner..beta=3", "is not understood"),
        ("seed.deeper=3", "seed.deeper: there is nothing below 'seed', which is 0"),
        ("learner.hidden=[1", "learner.hidden: .* is not valid YAML"),
    ],
)
def test_a_broken_override_has_its_message(assignment, message):
    with pytest.raises(ConfigurationError, match=message):
        sources.override({"seed": 0}, sources.assignments([assignment]))


@pytest.mark.parametrize(
    ("text", "line", "again"),
    [
        ("seed: 1\nname: a\nseed: 2\n", 1, 3),
        ("training: {iterations: 1}\nseed: 3\ntraining: {batch_size: 2}\n", 1, 3),
        ("training:\n  iterations: 1\n  iterations: 1\n", 2, 3),
        ("methods:\n  hnet: {}\n  hnet: {}\n", 2, 3),
        ("training: {iterations: 5, iterations: 500}\n", 1, 1),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_both_lines(tmp_path, text, line, again):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(
        ConfigurationError, match=rf"stands twice in one section, first on line {line};.*\(line {again},"
    ):
        sources.read_settings(str(tmp_path / "mine.yaml"))
    with pytest.raises(ConfigurationError, match="stands twice"):
        sources.assignments(["training={iterations: 5, iterations: 500}"])


def test_what_is_merged_may_be_overridden(tmp_path):
    (tmp_path / "mine.yaml").write_text("a: &a {x: 1, y: 2}\nb: &b {<<: *a, y: 3}\nc: {<<: *b, x: 4}\n")
    assert sources.read_settings(str(tmp_path / "mine.yaml"))["c"] == {"x": 4, "y": 3}


@pytest.mark.parametrize("texts", [["seed=1", "seed=2"], ["training.iterations=5", "training={batch_size: 3}"]])
def test_a_setting_that_replaces_an_earlier_one_is_refused(texts):
    with pytest.raises(ConfigurationError, match=rf"'{texts[1]}' replaces '{texts[0].partition('=')[0]}'"):
        sources.assignments(texts)
