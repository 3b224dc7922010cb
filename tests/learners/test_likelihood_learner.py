"""LikelihoodLearner: it infers the task by likelihood, and keeps that."""

import pytest
import torch
from torch import nn

from hypermnesia.errors import DataError
from hypermnesia.learners import LikelihoodLearner, score
from hypermnesia.networks import mlp
from hypermnesia.tasks import split

HYPERNETWORK = {"embedding_dim": 4, "chunk_embedding_dim": 4, "hidden": (10,), "chunk_size": 400, "beta": 10.0}
AUTOENCODER = {"latent_dim": 4, "encoder_hidden": (20,), "decoder_hidden": (20,)}


def learner(module: nn.Module, beta: float = 10.0, **training) -> LikelihoodLearner:
    likelihood = {**AUTOENCODER, "hypernetwork": {**HYPERNETWORK, "beta": beta}}
    training = {"iterations": 120, "learning_rate": 0.01, "batch_size": 32, **training}
    return LikelihoodLearner(module, likelihood=likelihood, training=training, **HYPERNETWORK)


def test_the_task_is_the_likeliest_and_its_network_answers(module, examples):
    trained = learner(module())
    for task in range(3):
        trained.learn(examples(task))
    inputs = torch.cat([examples(task)[0] for task in range(3)])
    labels = torch.cat([examples(task)[1] for task in range(3)])
    prediction = trained.predict(inputs)
    assert (prediction.task == torch.arange(3).repeat_interleave(60)).float().mean() > 0.95
    assert (prediction.labels == labels).float().mean() > 0.95
    for position in range(0, len(inputs), 17):  # one by one, each input by the network of its task
        alone = trained.predict(inputs[position : position + 1], int(prediction.task[position]))
        torch.testing.assert_close(alone.probabilities[0], prediction.probabilities[position])
    assert ((prediction.certainty > 1 / 3) & (prediction.certainty <= 1)).all()
    assert len(trained.predict(inputs[:0]).labels) == 0


@pytest.mark.slow
def test_without_the_regularizer_the_likelihood_of_old_tasks_is_forgotten(module, examples):
    """Measured by how much less likely the first task's inputs become under their own autoencoder."""

    def lost(beta: float) -> float:
        trained, inputs = learner(module(), beta=beta), examples(0)[0]
        trained.learn(examples(0))
        before = trained._bounds(inputs)[0].mean()
        for task in range(1, 4):
            trained.learn(examples(task))
        return float(trained._bounds(inputs)[0].mean() - before)

    kept, forgotten = lost(10.0), lost(0.0)
    assert forgotten > 0.05
    assert kept < forgotten / 4


def test_inputs_outside_the_unit_range_are_refused_unless_they_are_normal(module, examples):
    inputs, labels = examples(0)
    with pytest.raises(DataError, match="between 0 and 1"):
        learner(module()).learn((3 * inputs, labels))
    likelihood = {**AUTOENCODER, "distribution": "normal", "hypernetwork": HYPERNETWORK}
    normal = LikelihoodLearner(module(), likelihood=likelihood, training={"iterations": 2}, **HYPERNETWORK)
    normal.learn((3 * inputs, labels))
    assert normal.num_tasks == 1


@pytest.mark.slow
def test_on_digits_the_class_among_all_is_known_without_replay():
    tasks = split("digits", num_tasks=3)
    torch.manual_seed(0)
    likelihood = {"latent_dim": 10, "encoder_hidden": (60,), "decoder_hidden": (60,)}
    hypernetwork = {"embedding_dim": 8, "chunk_embedding_dim": 8, "hidden": (10,), "chunk_size": 1500, "beta": 10.0}
    trained = LikelihoodLearner(
        mlp(64, (40,), 2),
        likelihood={**likelihood, "hypernetwork": hypernetwork},
        training={"iterations": 150, "learning_rate": 0.005, "batch_size": 64},
        **hypernetwork,
    )
    for task in tasks:
        trained.learn(task)
    found = [score(trained, task.test, n, ("class",)).value["class"] for n, task in enumerate(tasks)]
    assert min(found) > 0.85  # chance: 0.17
