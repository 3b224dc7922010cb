"""Inputs of several tasks at once: each is answered by its own."""

import numpy as np
import pandas as pd
import pytest
import torch

from hypermnesia.errors import ConfigurationError, DataError
from tests.methods import CASES, FEATURES, ONE_EACH, Case

pytestmark = pytest.mark.usefixtures("unchecked")

NUMBERS = [2, 0, 1, 1, 0, 2, 2, 0]
INPUTS = torch.rand(len(NUMBERS), FEATURES, generator=torch.Generator().manual_seed(5))


@pytest.fixture(params=CASES, ids=str)
def case(request) -> Case:
    """Each method in each scenario and problem."""
    return request.param


def test_each_input_is_answered_by_its_own_task(case):
    learner = case.learned.learner
    answer = learner.predict(INPUTS, task=NUMBERS)
    assert answer.task.tolist() == NUMBERS
    assert answer.certainty.tolist() == [1.0] * len(NUMBERS)
    for place, number in enumerate(NUMBERS):
        alone = learner.predict(INPUTS, task=number)
        width = alone.outputs.shape[1]
        torch.testing.assert_close(answer.outputs[place, :width], alone.outputs[place])
        rest = answer.outputs[place, width:]
        if case.labels == "numbers":
            assert rest.isnan().all()
            continue
        assert (rest == -torch.inf).all()
        assert answer.labels[place] == alone.labels[place]
        assert answer.classes[place] == alone.classes[place]
    if case.labels != "numbers":
        torch.testing.assert_close(answer.probabilities.sum(1), torch.ones(len(NUMBERS)))


def test_tasks_may_come_in_any_form(case):
    learner = case.learned.learner
    expected = learner.predict(INPUTS, task=NUMBERS)
    names = [f"task {number}" for number in NUMBERS]
    mixed = [name if place % 2 else number for place, (name, number) in enumerate(zip(names, NUMBERS, strict=True))]
    forms = [tuple(NUMBERS), torch.tensor(NUMBERS), torch.tensor(NUMBERS, dtype=torch.uint8), np.array(NUMBERS)]
    frame = pd.DataFrame({"number": NUMBERS, "name": names}, index=range(3, 3 + len(NUMBERS)))
    forms += [frame["number"], frame["number"].astype("Int64"), frame["name"], frame["name"].astype("category")]
    for form in [*forms, names, np.array(names), mixed, [torch.tensor(number) for number in NUMBERS]]:
        answer = learner.predict(INPUTS, task=form)
        assert torch.equal(answer.outputs.nan_to_num(), expected.outputs.nan_to_num())
        assert torch.equal(answer.task, expected.task)
    for one in (torch.tensor(1), np.int64(1), np.array(1), np.str_("task 1")):
        assert torch.equal(learner.predict(INPUTS, task=one).outputs, learner.predict(INPUTS, task=1).outputs)
    nothing = learner.predict(INPUTS[:0], task=[])
    assert nothing.outputs.shape[0] == nothing.task.shape[0] == 0


WRONG = {
    "too few": ([0, 1], DataError, "2 tasks for 8 inputs: give one for all inputs, or one for each"),
    "too many": (torch.zeros(9, dtype=torch.int64), DataError, "9 tasks for 8 inputs"),
    "a table": (torch.zeros(8, 1, dtype=torch.int64), DataError, r"tasks have shape \[8, 1\]: give one number"),
    "unknown": ([0] * 7 + [3], ConfigurationError, "there is no task 3: 3 tasks were learned, counted from 0"),
    "negative": (torch.tensor([-1] * 8), ConfigurationError, "there is no task -1"),
    "unknown name": (["task 0"] * 7 + ["tusk 1"], ConfigurationError, "no task 'tusk 1'. Did you mean 'task 1'"),
    "fractions": (torch.zeros(8), ConfigurationError, r"by its number.* or by its name, not by 0\.0 \(float\)"),
    "a fraction": (1.0, ConfigurationError, r"not by 1\.0 \(float\)"),
    "truth": (torch.ones(8, dtype=torch.bool), ConfigurationError, r"not by True \(bool\)"),
    "bytes": (b"task 1", ConfigurationError, r"not by b'task 1' \(bytes\)"),
    "a number as text": ("1", ConfigurationError, "there is no task '1'"),
    "nothing known": ({"task": 1}, ConfigurationError, r"not by \{'task': 1\} \(dict\)"),
    "nested": ([[0, 1]] * 8, ConfigurationError, r"not by \[0, 1\] \(list\)"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_choices_that_make_no_sense_are_refused(kind):
    task, error, message = WRONG[kind]
    for learner in (ONE_EACH[0].learned.learner, ONE_EACH[-1].learned.learner):
        with pytest.raises(error, match=message):
            learner.predict(INPUTS, task=task)
