"""What counts as right in each scenario, asked of a learner whose answers are written in the inputs."""

import pytest
import torch
from torch import nn
from torch.nn.functional import one_hot

import hypermnesia as hm
import hypermnesia.learners.scoring
from hypermnesia.criteria import CrossEntropy, measure_of
from hypermnesia.errors import ConfigurationError
from hypermnesia.learners import ContinualLearner, Prediction, Score, score
from hypermnesia.learners.prediction import LearnedTask
from hypermnesia.tasks import SCENARIOS, TensorExamples
from hypermnesia.tasks.input_kind import InputKind

TASK = 1
# Label when told the task, label and task when not told, and the right label.
ANSWERS = [
    (0, 0, 1, 0),  # all right
    (1, 1, 0, 1),  # another task's network was right by chance
    (2, 0, 1, 2),  # right only when told the task
    (0, 0, 2, 1),  # nothing right
    (1, 0, 1, 0),  # right only when not told the task
]
ACCURACY = {"task": 3 / 5, "domain": 3 / 5, "class": 2 / 5}


class Oracle(ContinualLearner):
    """Answers what stands in the input, and remembers what it was asked."""

    device = torch.device("cpu")
    in_progress = None
    input_kind, kind_of_labels = InputKind(torch.float32), ("classes", 0)
    criterion = CrossEntropy()
    measure = measure_of(None, criterion)

    def __init__(self, scenarios=SCENARIOS, infers: bool = True, num_tasks: int = 3):
        self._scenarios, self._infers, self._known = scenarios, infers, num_tasks
        self.asked: list[tuple[int, int | None]] = []

    @property
    def num_tasks(self) -> int:
        return self._known

    @property
    def scenarios(self):
        return self._scenarios

    def predict(self, inputs, task=None):
        self.asked.append((len(inputs), task))
        told, untold, inferred = inputs.long().unbind(1)
        tasks = (LearnedTask("any", 3),) * self._known
        if task is not None:
            return Prediction(one_hot(told, 3).float(), None, None, tasks=tasks)
        return Prediction(one_hot(untold, 3).float(), inferred if self._infers else None, None, tasks=tasks)

    _make_parts = _objective = _predict = networks_with = _infer = None


def examples() -> TensorExamples:
    table = torch.tensor(ANSWERS)
    return TensorExamples(table[:, :3].float(), table[:, 3])


@pytest.mark.parametrize(
    "scenarios", [("task",), ("domain",), ("class",), ("domain", "class"), ("class", "task"), SCENARIOS], ids="+".join
)
def test_accuracy_in_each_scenario_asked_for(scenarios):
    learner = Oracle()
    found = score(learner, examples(), TASK, scenarios)
    assert found.value == {scenario: ACCURACY[scenario] for scenario in scenarios}
    assert found.inferred == (None if scenarios == ("task",) else [1, 3, 1])
    # Nothing is asked that nobody wants to know.
    told, untold = ({(5, TASK)} if "task" in scenarios else set()), ({(5, None)} if scenarios != ("task",) else set())
    assert set(learner.asked) == told | untold
    assert len(learner.asked) == len(told | untold)


def test_by_default_the_task_is_told():
    assert score(Oracle(), examples(), TASK) == Score({"task": 3 / 5}, None)


def test_a_learner_that_infers_no_task_has_no_counts():
    learner = Oracle(scenarios=("domain",), infers=False)
    assert score(learner, examples(), TASK, ("domain",)) == Score({"domain": 3 / 5}, None)


@pytest.mark.parametrize("size", [1, 2])
def test_it_is_no_matter_how_many_are_asked_at_a_time(size, monkeypatch):
    monkeypatch.setattr(hypermnesia.learners.scoring, "_MOST_INPUTS", size)
    learner = Oracle()
    found = score(learner, examples(), TASK, SCENARIOS)
    assert max(number for number, _ in learner.asked) == size
    assert found == Score(ACCURACY, [1, 3, 1])


def test_huge_inputs_are_asked_one_at_a_time(monkeypatch):
    monkeypatch.setattr(hypermnesia.learners.scoring, "_MOST_NUMBERS", 2)  # fewer than one input has
    learner = Oracle()
    assert score(learner, examples(), TASK).value["task"] == 3 / 5
    assert {number for number, _ in learner.asked} == {1}


def test_there_is_a_count_for_every_task_also_where_none_was_taken_for_it():
    assert score(Oracle(num_tasks=5), examples(), TASK, ("class",)).inferred == [1, 3, 1, 0, 0]


def test_the_task_being_learned_has_a_count_too(monkeypatch):
    monkeypatch.setattr(hypermnesia.learners.scoring, "_MOST_INPUTS", 1)
    learner = Oracle(num_tasks=2)
    learner.in_progress = 7
    assert score(learner, examples(), TASK, ("class",)).inferred == [1, 3, 1]


def test_a_scenario_in_which_the_learner_does_not_answer_is_refused():
    learner = Oracle(scenarios=("task", "domain"))
    with pytest.raises(ConfigurationError, match="not answer in the class-incremental scenario, only in: task, domain"):
        score(learner, examples(), TASK, ("task", "class"))
    assert learner.asked == []


@pytest.mark.parametrize("kind", [hm.HypernetworkLearner, hm.FineTuningLearner])
def test_gray_levels_go_in_alike_when_they_are_learned_scored_and_predicted(kind):
    levels = torch.arange(32, dtype=torch.uint8).reshape(8, 4) * 8
    seen = []
    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    module[0].register_forward_pre_hook(lambda _, inputs: seen.append((inputs[0].dtype, float(inputs[0].amax()))))
    arguments = {"chunk_size": 20} if kind is hm.HypernetworkLearner else {}
    learner = kind(module, **arguments, training={"iterations": 2})
    task = hm.Task.of((levels, torch.arange(8) % 2), test=(levels, torch.arange(8) % 2))
    learner.learn(task)
    correct = learner.predict(levels, 0).labels == torch.arange(8) % 2
    assert learner.score(task) == pytest.approx(correct.float().mean().item())
    assert torch.equal(learner.predict(levels / 255, 0).outputs, learner.predict(levels, 0).outputs)
    assert seen and all(dtype == torch.float32 and largest <= 1 for dtype, largest in seen)
