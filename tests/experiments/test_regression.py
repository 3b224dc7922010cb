"""Experiments whose tasks ask for numbers."""

import pytest

from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.settings.build import build_learner, build_tasks
from tests.runs import load


@pytest.mark.parametrize(
    ("source", "override", "message"),
    [
        (
            "toy-regression",
            "scenario=class",
            "tasks.kind=polynomials asks for numbers, so the scenario must be task or",
        ),
        ("toy-regression", "data={name: digits}", "tasks.kind=polynomials has no use for data; leave it out"),
        ("toy-regression", "tasks.functions=[]", "tasks.functions"),
        ("toy-regression", "tasks.functions=[{coefficients: [1], low: 1, high: 1}]", "low must be less than high"),
        ("toy-regression", "tasks.noise=-1", "tasks.noise"),
        ("split-digits", "data=null", "tasks.kind=split needs data, as in 'data: {name: mnist}'"),
    ],
)
def test_settings_that_do_not_go_together_are_told(source, override, message):
    with pytest.raises(ConfigurationError) as caught:
        load(source, [override])
    assert message in str(caught.value)


@pytest.mark.parametrize("method", ["hnet-r", "lwf", "er", "hnet-tir"])
def test_methods_for_classes_only_are_told_before_anything_runs(method):
    experiment = load("toy-regression", ["scenario=domain"], method)
    with pytest.raises(ConfigurationError, match=f"learner.method={method} only learns classes"):
        build_learner(experiment, build_tasks(experiment))


def test_a_hypernetwork_must_be_told_which_function_is_asked():
    experiment = load("toy-regression", ["scenario=domain"])
    with pytest.raises(ConfigurationError, match="hnet answers only where the scenario is task"):
        build_learner(experiment, build_tasks(experiment))
