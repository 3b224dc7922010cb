import pytest

from hypermnesia.experiments.recorded_runs.groups import deviations
from hypermnesia.experiments.settings.sources import flatten, preset_names
from hypermnesia.learners import METHODS
from tests.runs import load


def settings_of(preset, *overrides, method=None):
    return flatten(load(preset, overrides, method).model_dump(mode="json"))


@pytest.mark.parametrize("preset", preset_names())
def test_a_preset_does_not_deviate_from_itself_by_whatever_method(preset):
    for method in METHODS:
        assert deviations(settings_of(preset, method=method)) == {}, method


def test_strengths_that_a_preset_gives_by_scenario_are_its_own():
    for scenario in ("task", "domain", "class"):
        assert deviations(settings_of("split-mnist", f"scenario={scenario}", method="ewc")) == {}
    changed = settings_of("split-mnist", "scenario=task", "learner.strength=7", method="ewc")
    assert deviations(changed) == {"learner.strength": 7}


def test_what_does_not_change_what_is_learned_is_no_deviation():
    others = ["seed=7", "device=cpu", "threads=3", "evaluation.every_scenario=true", "recording.log_every=1"]
    assert deviations(settings_of("split-mnist", *others, "training.iterations=5")) == {"training.iterations": 5}


@pytest.mark.parametrize("name", ["mine", "mine.yaml", None, ["split-digits"], "split-digits-tuned"])
def test_experiments_of_ones_own_deviate_from_nothing(name):
    assert deviations({"name": name, "training.iterations": 5}) == {}


def test_damaged_settings_deviate_from_nothing():
    assert deviations({"name": "split-digits", "scenario": 3, "training.iterations": 5}) == {}
