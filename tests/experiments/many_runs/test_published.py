import copy
import re

import pytest

from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation.statistics import Spread
from hypermnesia.experiments.many_runs.published import Accuracy, load_table, select, tables
from hypermnesia.experiments.many_runs.reproduce import compare_with_published, plan_table
from hypermnesia.experiments.settings import sources
from hypermnesia.protection import HypernetworkSettings

VALUES = {
    "source": "somewhere",
    "seeds": 20,
    "methods": {"si": "SI", "hnet": "HNET", "theirs": "THEIRS"},
    "accuracy": {
        "small": {"task": {"si": [90, 1], "hnet": [95, 0.5]}, "class": {"si": [20, 1], "hnet": [60, 1]}},
        "large": {"task": {"si": [80, 1]}},
    },
    "variants": {"wide": {"label": "wider", "note": "more units."}},
    "runs": [
        {"method": "hnet", "benchmark": "small", "preset": "split-digits"},
        {"method": "hnet", "benchmark": "large", "preset": "split-digits", "scenarios": ["task"]},
        {
            "method": "hnet",
            "benchmark": "small",
            "preset": "split-digits",
            "variant": "wide",
            "settings": {"learner.hidden": [30, 30]},
            "scenarios": ["class"],
        },
    ],
}


@pytest.fixture
def file(tmp_path):
    """Write a table with one value replaced; returns the path."""

    def write(place: str = "", value: object = None) -> str:
        values = copy.deepcopy(VALUES)
        *keys, last = place.split("/")
        inner = values
        for key in keys:
            inner = inner[int(key) if isinstance(inner, list) else key]
        if last:
            inner[last] = value
        (tmp_path / "mine.yaml").write_text(sources.dump(values))
        return str(tmp_path / "mine.yaml")

    return write


def test_the_packaged_table_is_the_published_one():
    table = load_table("table-1")
    assert table.seeds == 20
    assert list(table.methods.values()) == ["EWC", "SI", "DGR", "HNET+ENT", "HNET+TIR", "HNET+R"]
    assert table.rows == [(b, s) for b in ("permuted-mnist-10", "split-mnist") for s in ("task", "domain", "class")]
    assert all(list(table.accuracy[b][s]) == list(table.methods) for b, s in table.rows)
    assert table.accuracy["permuted-mnist-10"]["class"]["online-ewc"] == Accuracy(33.88, 0.49)
    assert table.accuracy["split-mnist"]["domain"]["si"] == Accuracy(65.36, 1.57)
    assert table.accuracy["split-mnist"]["class"]["hnet-tir"] == Accuracy(89.59, 0.59)
    for benchmark in table.accuracy:
        assert table.accuracy[benchmark]["task"]["hnet"] == table.accuracy[benchmark]["task"]["hnet-tir"]


@pytest.mark.parametrize("name", tables())
def test_every_run_of_a_packaged_table_can_be_run(name):
    assert plan_table(load_table(name))


def test_a_run_answers_for_its_scenarios_or_for_all():
    table = load_table("table-1")
    runs = {run.name: (table.scenarios(run), run.settings) for run in table.runs}
    assert len(runs) == len(table.runs) == 4 + 4 * 2 * 3 + 4 + 2 * 3
    assert runs["split-mnist_hnet"][0] == ("task", "domain", "class")
    assert runs["permuted-mnist-10_hnet-r_class"] == (("class",), {"scenario": "class"})
    module = {"learner.replay.model.hypernetwork.start": "module", "scenario": "class"}
    assert runs["permuted-mnist-10_hnet-r_module_class"] == (("class",), module)


def test_every_hypernetwork_of_the_packaged_table_generates_whole_weights_as_published_or_differences():
    table = load_table("table-1")
    starts = {"published": "zero", "module": "module"}
    generating = [method for method in table.methods if method.startswith("hnet")]
    assert [table.variants_of(method) for method in generating] == [list(starts)] * 3
    for run in table.runs:
        settings = sources.flatten(run.experiment().model_dump())
        found = {settings[place] for place in settings if place.split(".")[-1] == "start"}
        assert found == ({starts[run.variant]} if run.method in generating else set())


def test_a_file_of_ones_own_is_a_table(file):
    table = load_table(file())
    assert (table.name, table.reproduced) == ("mine", ["hnet"])
    assert [table.scenarios(run) for run in table.runs] == [("task", "class"), ("task",), ("class",)]
    assert [run.name for run in table.runs] == ["small_hnet", "large_hnet_task", "small_hnet_wide_class"]
    assert (table.variants_of("hnet"), table.variants_of("si")) == (["published", "wide"], [])


@pytest.mark.parametrize(
    "source, message",
    [
        (
            "table-2",
            "no table 'table-2'. Did you mean 'table-1'? Tables: cifar, table-1; a file of your own must end in .yaml",
        ),
        ("missing.yaml", "missing.yaml cannot be read: No such file"),
    ],
)
def test_an_unknown_table_has_its_message(source, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        load_table(source)


@pytest.mark.parametrize(
    "place, value, message",
    [
        ("sources", "x", "sources: unknown setting. Did you mean 'source'"),
        ("seeds", 1, "seeds: should be greater than or equal to 2, not 1"),
        ("methods/a b", "AB", "methods.a b.*should match pattern"),
        ("accuracy/small/task/hnte", [1, 1], "accuracy.small.task: there is no 'hnte'. Did you mean 'hnet'"),
        (
            "accuracy/small/task/hnet",
            [101, 1],
            "accuracy.small.task.hnet.* should be less than or equal to 100, not 101",
        ),
        ("accuracy/small/task/hnet", [], "accuracy.small.task.hnet"),
        ("accuracy/small/task/hnet", [90, 1, 1], "accuracy.small.task.hnet"),
        ("by_task", ["smal"], "by_task: there is no 'smal'. Did you mean 'small'"),
        ("runs/0/method", "hnte", "runs.0.method: there is no 'hnte'. Did you mean 'hnet'. Allowed: si, hnet, theirs"),
        ("runs/0/method", "theirs", "runs.0.method: there is no 'theirs'. Allowed: hnet, hnet-unprotected, "),
        ("runs/0/settings", "learner.beta=1", "runs.0.settings"),
        ("runs/0/benchmark", "smal", "runs.0.benchmark: there is no 'smal'. Did you mean 'small'"),
        ("runs/0/scenarios", ["tasks"], "runs.0.scenarios: there is no 'tasks'. Did you mean 'task'"),
        ("runs/1/benchmark", "small", "runs.1: runs.0 answers for small task hnet already, as published."),
        ("runs/2/variant", "wied", "runs.2.variant: there is no 'wied'. Did you mean 'wide'. Allowed: published, wide"),
        ("runs/2/variant", "published", "runs.2: runs.0 answers for small class hnet already, as published"),
        ("runs/0/variant", "wide", "runs.2: runs.0 answers for small class hnet already, as wide"),
        ("runs/2/variant", "published", "variants.wide: no run has this variant; leave it out"),
        ("variants/wide", {"label": "wider"}, "variants.wide.note: missing"),
        ("variants/published", {"label": "a", "note": "b"}, "variants.published: .* have this name; choose another"),
        ("variants/class", {"label": "a", "note": "b"}, "variants.class: a scenario, .* choose another"),
        ("runs/0/settings", {"seed": 3}, "runs.0.settings: seed is decided by the table's method, name and seeds"),
        ("runs/0/settings", {"learner": {"method": "si"}}, "runs.0.settings: learner.method is decided by the table"),
        ("runs/0/presett", "x", "runs.0.presett: unknown setting. Did you mean 'preset'"),
    ],
)
def test_a_broken_table_has_its_message(file, place, value, message):
    with pytest.raises(ConfigurationError, match=f"mine.yaml is no table of accuracies.\n(.*\n)*{message}"):
        load_table(file(place, value))


def test_entries_are_counted_as_in_the_file_where_one_is_several_runs(file):
    separate = {"method": "si", "benchmark": "small", "preset": "split-digits", "separately": True}
    runs = [separate, {**separate, "benchmark": "smal"}, {**separate, "scenarios": ["class"]}, VALUES["runs"][2]]
    with pytest.raises(ConfigurationError) as caught:
        load_table(file("runs", runs))
    assert str(caught.value).splitlines()[1:] == [
        "runs.1.benchmark: there is no 'smal'. Did you mean 'small'? Allowed: small, large.",
        "runs.2: runs.0 answers for small class si already, as published.",
    ]


def test_a_selection_keeps_rows_and_the_runs_for_them(file):
    table = load_table(file())
    part = select(table, ["class"])
    assert part.rows == [("small", "class")]
    # called the same, whatever is selected
    assert [run.name for run in part.runs] == ["small_hnet", "small_hnet_wide_class"]
    assert part.scenarios(part.runs[0]) == ("class",)
    assert select(table, ["large"]).rows == [("large", "task")]
    assert select(table, ["small", "large", "task"]).rows == [("small", "task"), ("large", "task")]
    assert select(table) == table


def test_a_selection_of_methods_keeps_all_columns():
    part = select(load_table("table-1"), methods=["hnet-r"])
    assert part.reproduced == ["hnet-r"]
    assert len(part.methods) == 6
    assert len(part.runs) == 12


def test_a_selection_of_variants_keeps_their_runs_and_forgets_the_others(file):
    table = load_table(file())
    published, wide = select(table, variants=["published"]), select(table, variants=["wide"])
    assert [run.name for run in published.runs] == ["small_hnet", "large_hnet_task"]
    assert [run.name for run in wide.runs] == ["small_hnet_wide_class"]
    assert (list(published.variants), list(wide.variants)) == ([], ["wide"])
    assert list(select(table, ["large"]).variants) == []
    assert select(table, variants=["wide", "published"]) == table


@pytest.mark.parametrize(
    "only, methods, message",
    [
        (
            ["smal"],
            [],
            "only: there is no benchmark or scenario 'smal'. Did you mean 'small'.*scenarios: task, class",
        ),
        (["large", "class"], [], "only: mine has no row for large, class together"),
        ([], ["hnte"], "methods: there is no method 'hnte'. Did you mean 'hnet'? Allowed: hnet."),
        ([], ["si"], "methods: 'si' has no run of ours. Allowed: hnet."),
    ],
)
def test_what_cannot_be_selected_has_its_message(file, only, methods, message):
    with pytest.raises(ConfigurationError, match=message.replace("?", r"\?")):
        select(load_table(file()), only, methods)


@pytest.mark.parametrize(
    "methods, variant, message",
    [
        ([], "modul", "variants: no run of ours is 'modul'. Did you mean 'module'? Allowed: published, module."),
        (["si"], "module", "variants: no run of si is 'module'. Allowed: published."),
    ],
)
def test_a_variant_that_no_run_is_has_its_message(methods, variant, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        select(load_table("table-1"), [], methods, [variant])


def test_figures_may_come_without_errors_and_seeds():
    table = load_table("cifar")
    assert (table.seeds, table.accuracy["split-cifar-100"]["task"]["hnet"]) == (None, (78.58, None))
    assert table.published == f"Published: {table.source}"
    assert load_table("table-1").published.startswith("Published, 20 seeds: von Oswald")
    cell = compare_with_published(table, []).cell("split-cifar-100", "task", "hnet")
    assert (cell.published, cell.below) == (Spread(pytest.approx(0.7858), None), None)


def test_a_part_of_a_table_has_its_tasks_side_by_side():
    assert select(load_table("cifar"), ["cifar-resnet"]).by_task == ("cifar-resnet",)
    assert select(load_table("cifar"), ["split-cifar-10"]).by_task == ()


def test_default_settings_are_those_of_the_package_but_for_their_size():
    default = HypernetworkSettings(compression=1.0).model_dump()
    runs = [run for run in load_table("cifar").runs if run.variant == "default"]
    assert runs
    for run in runs:
        learner = run.experiment().learner.model_dump()
        assert {name: learner[name] for name in default} == default
