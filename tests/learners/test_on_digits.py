"""On real data, small networks and few iterations: what is to be seen of each method where nobody says the task."""

import pytest
import torch

from hypermnesia.learners import ContinualLearner, HypernetworkLearner, ReplayLearner, TaskInferenceLearner, score
from hypermnesia.networks import mlp
from hypermnesia.tasks import Task, permuted, split

pytestmark = pytest.mark.slow

HYPERNETWORK = {"embedding_dim": 8, "chunk_embedding_dim": 8, "hidden": (10,), "chunk_size": 1000, "beta": 10.0}
REPLAY_MODEL = {
    "kind": "vae",
    "latent_dim": 10,
    "condition_dim": 5,
    "hidden": (40,),
    "encoder_hidden": (60,),
    "hypernetwork": HYPERNETWORK,
}
TRAINING = {"iterations": 110, "learning_rate": 0.005, "batch_size": 64}


def network(outputs: int) -> torch.nn.Module:
    torch.manual_seed(0)
    return mlp(64, (40,), outputs)


def accuracy(learner: ContinualLearner, tasks: list[Task]) -> float:
    """Average over tasks in the class-incremental scenario, after all were learned."""
    for task in tasks:
        learner.learn(task)
    return sum(score(learner, t.test, n, ("class",)).value["class"] for n, t in enumerate(tasks)) / len(tasks)


def test_protected_replay_is_far_above_fine_tuning():
    tasks = split("digits", num_tasks=3)
    replay = {"model": REPLAY_MODEL}
    assert accuracy(ReplayLearner(network(2), replay=replay, training=TRAINING), tasks) > 0.85
    # With next to no replay it answers with the classes of the last task only.
    fine_tuning, briefly = {**replay, "weight": 1e-9}, {**TRAINING, "iterations": 40}
    assert accuracy(ReplayLearner(network(2), replay=fine_tuning, training=briefly), tasks) < 0.35


def test_an_inferred_task_is_far_above_fine_tuning():
    tasks = split("digits", num_tasks=3)
    replay = {"model": REPLAY_MODEL, "temperature": None}
    learner = TaskInferenceLearner(network(2), replay=replay, training=TRAINING, **HYPERNETWORK)
    assert accuracy(learner, tasks) > 0.75


def test_entropy_tells_the_task_well_above_chance():
    """Permuted: on split digits, networks as small and as briefly trained are sure of every digit."""
    tasks = permuted("digits", num_tasks=3)
    learner = HypernetworkLearner(network(10), training=TRAINING, **HYPERNETWORK)
    found = accuracy(learner, tasks)
    counts = torch.tensor([score(learner, t.test, n, ("class",)).inferred for n, t in enumerate(tasks)])
    inferred = (counts.diagonal() / counts.sum(1)).mean().item()
    assert inferred > 0.5  # chance: 0.33
    assert found > 0.5  # chance: 0.03
