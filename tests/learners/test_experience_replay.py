"""What experience replay learns from the examples that it keeps."""

import pytest
from torch.nn import functional

from hypermnesia.learners import ExperienceReplayLearner

SHORT = {"iterations": 3, "batch_size": 16}


def make(module, buffer_size: int, **settings) -> ExperienceReplayLearner:
    training = {**SHORT, **settings.pop("training", {})}
    return ExperienceReplayLearner(module(), buffer_size=buffer_size, training=training, **settings)


@pytest.mark.parametrize(("scenario", "shift"), [("task", 2), ("domain", 0), ("class", 2)])
@pytest.mark.parametrize("weight", [0.3, "equal"])
def test_the_loss_is_a_share_of_that_on_stored_examples_with_their_own_classes(
    scenario, shift, weight, examples, module
):
    """Of a single stored example of the second task, so that there is nothing to choose, and without moving."""
    training = {"iterations": 1, "optimizer": "sgd", "learning_rate": 1e-30}
    learner = make(module, 3, scenario=scenario, weight=weight, training=training)
    for number in range(2):
        learner.learn(examples(number))
    state, found = learner.state_dict(), {}
    (none, no_labels), (stored, label) = state["parts"]["buffer"]["kept"]
    only = [[none[:0], no_labels[:0]], [stored, label]]
    learner.load_state_dict({**state, "parts": {**state["parts"], "buffer": {"kept": only}}})
    inputs, labels = (part[:2] for part in examples(2))
    learner.learn((inputs, labels), monitor=lambda progress: found.update(progress.scalars))

    network = module(outputs=2 + 2 * shift)
    learned = learner.state_dict()["parts"]["network"]["network"]
    network.load_state_dict({name.removeprefix("module."): tensor for name, tensor in learned.items()})
    current, past = network(inputs), network(stored)
    if scenario == "task":
        task_loss = functional.cross_entropy(current[:, 4:], labels)
        replay_loss = functional.cross_entropy(past[:, 2:4], label)
    else:
        task_loss = functional.cross_entropy(current, labels + 2 * shift)
        replay_loss = functional.cross_entropy(past, label + shift)
    share = 2 / 3 if weight == "equal" else weight
    expected = {"task_loss": task_loss, "replay_loss": replay_loss}
    expected["loss"] = (1 - share) * task_loss + share * replay_loss
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value.item(), rel=1e-5), name
