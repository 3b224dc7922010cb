"""Which outputs of a growing classifier stand for which classes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermnesia.tasks.scenario import SCENARIOS, Outputs

CLASSES = (2, 4, 3)


@pytest.mark.parametrize(
    ("scenario", "number", "own", "competing"),
    [
        ("task", 9, [(0, 2), (2, 6), (6, 9)], [(0, 2), (2, 6), (6, 9)]),
        ("class", 9, [(0, 2), (2, 6), (6, 9)], [(0, 9)] * 3),
        ("domain", 4, [(0, 2), (0, 4), (0, 3)], [(0, 4)] * 3),
    ],
)
def test_outputs_by_hand(scenario, number, own, competing):
    outputs = Outputs(scenario, CLASSES)
    assert len(outputs) == number
    assert [outputs.of_task(task) for task in range(3)] == [slice(*ends) for ends in own]
    assert [outputs.competing(task) for task in range(3)] == [slice(*ends) for ends in competing]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_there_are_none_before_the_first_task(scenario):
    assert len(Outputs(scenario)) == 0


@given(scenario=st.sampled_from(SCENARIOS), classes=st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_one_more_task_moves_no_outputs_and_those_of_a_task_are_among_the_competing_ones(scenario, classes):
    outputs = Outputs(scenario)
    for task, number in enumerate(classes):
        before, outputs = outputs, outputs.and_task(number)
        assert before.classes == tuple(classes[:task])
        assert [outputs.of_task(past) for past in range(task)] == [before.of_task(past) for past in range(task)]
        own, among = (range(*part.indices(len(outputs))) for part in (outputs.of_task(task), outputs.competing(task)))
        assert len(own) == number
        assert set(own) <= set(among)
        if scenario != "domain":
            # No two classes share an output, and no output is without a class.
            assert own.start == len(before)
            assert own.stop == len(outputs)
    assert outputs == Outputs(scenario, tuple(classes))
