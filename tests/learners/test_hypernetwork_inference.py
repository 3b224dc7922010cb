"""HNET+ENT: HypernetworkLearner that is not told the task, against the definition, one task and one input at a time."""

import weakref
from typing import get_args

import pytest
import torch
from torch import nn
from torch.func import functional_call

from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.learners import FromScratchLearner, HypernetworkLearner
from hypermnesia.learners.inference_criteria import Criterion, uncertainty

TASKS = 3
SMALL = {"embedding_dim": 4, "chunk_embedding_dim": 4, "hidden": (10,), "chunk_size": 100, "beta": 0.1}


def network(norm: bool = False) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(28, 12), *([nn.BatchNorm1d(12)] if norm else []), nn.ReLU(), nn.Linear(12, 3))


def learned(
    examples, tasks: int = TASKS, inference: dict | None = None, norm: bool = False, classes=(3, 2, 3)
) -> HypernetworkLearner:
    """Briefly, so that networks differ and none is sure of everything."""
    training = {"iterations": 15, "learning_rate": 0.01, "batch_size": 16}
    published = {"start": "zero", "embedding_candidates": 1, "rate_factor": 1.0}
    learner = HypernetworkLearner(network(norm), training=training, inference=inference or {}, **published, **SMALL)
    for task in range(tasks):
        learner.learn(examples(task, classes[task]))
    return learner


@pytest.fixture(scope="module")
def inputs(examples) -> torch.Tensor:
    """Of all tasks, in no order."""
    everything = torch.cat([examples(task, classes)[0][:20] for task, classes in enumerate((3, 2, 3))])
    return everything[torch.randperm(len(everything), generator=torch.Generator().manual_seed(0))]


def by_definition(learner: HypernetworkLearner, inputs: torch.Tensor):
    """Task, certainty and probabilities of each input."""
    settings, statistics = learner.settings.inference, learner.state_dict()["parts"]["network"]["of_task"]
    module, generate = network(norm=bool(statistics[0])).eval(), learner.hypernetwork.generate
    answers = []
    for one in inputs:
        unsure, logits = [], []
        for task in range(learner.num_tasks):
            embedding = learner.hypernetwork.task_embeddings[task].detach()
            generator = learner.seeds.child("inference", task).generator()
            embeddings = [embedding] + [
                embedding + settings.noise * torch.randn(len(embedding), generator=generator)
                for _ in range(settings.copies - 1)
            ]
            with torch.no_grad():
                of_copies = torch.stack(
                    [functional_call(module, {**generate(e), **statistics[task]}, (one[None],)) for e in embeddings]
                )
            classes = learner.tasks[task].outputs  # the head has more
            unsure.append(uncertainty(of_copies[..., :classes], settings).item())
            of_copies[..., classes:] = -torch.inf
            logits.append(of_copies[0, 0])
        task = unsure.index(min(unsure))
        answers.append((task, torch.tensor(unsure).neg().softmax(0)[task], logits[task].softmax(0)))
    tasks, certainties, probabilities = zip(*answers, strict=True)
    return torch.tensor(tasks), torch.stack(certainties), torch.stack(probabilities)


@pytest.mark.parametrize("norm", [False, True], ids=["", "statistics of each task"])
@pytest.mark.parametrize("criterion", get_args(Criterion))
def test_task_and_answer_are_those_of_the_definition(criterion, norm, examples, inputs):
    of_agreement = {"samples": 2, "noise": 0.5} if criterion == "agreement" else {}
    learner = learned(examples, inference={"criterion": criterion, "temperature": 1.5, **of_agreement}, norm=norm)
    tasks, certainties, probabilities = by_definition(learner, inputs)
    prediction = learner.predict(inputs)
    assert torch.equal(prediction.task, tasks)
    torch.testing.assert_close(prediction.certainty, certainties, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(prediction.probabilities, probabilities, rtol=1e-3, atol=1e-5)
    assert torch.equal(prediction.labels, probabilities.argmax(1))
    assert len(tasks.unique()) > 1


@pytest.mark.parametrize("criterion", ["entropy", "max-probability"])
def test_the_task_whose_network_is_sure_is_inferred(criterion, examples, inputs, monkeypatch):
    """All networks but one are made unsure: their logits become almost zero."""
    learner = learned(examples, inference={"criterion": criterion})
    generate, embeddings = learner.hypernetwork.generate, learner.hypernetwork.task_embeddings
    for sure in range(TASKS):

        def changed(embedding, *arguments, sure=sure):
            factor = 5.0 if torch.equal(embedding, embeddings[sure]) else 1e-3
            return {name: factor * weight for name, weight in generate(embedding, *arguments).items()}

        monkeypatch.setattr(learner.hypernetwork, "generate", changed)
        learner._network.kept.clear()
        assert (learner.predict(inputs).task == sure).float().mean() > 0.9


def test_a_batch_is_answered_as_its_inputs_one_by_one(examples, inputs):
    learner = learned(examples)
    whole = learner.predict(inputs)
    for row in range(len(inputs)):
        alone = learner.predict(inputs[row : row + 1])
        assert (alone.task[0], alone.labels[0]) == (whole.task[row], whole.labels[row])
        torch.testing.assert_close(alone.certainty[0], whole.certainty[row])


def test_more_inputs_than_are_asked_at_a_time(examples, inputs, monkeypatch):
    learner = learned(examples, inference={"criterion": "agreement"})
    whole = learner.predict(inputs)
    monkeypatch.setattr("hypermnesia.learners.least_unsure.INPUTS_AT_A_TIME", 7)
    parts = learner.predict(inputs)
    assert torch.equal(parts.task, whole.task)
    torch.testing.assert_close(parts.probabilities, whole.probabilities)


@pytest.mark.parametrize(("criterion", "copies"), [("entropy", 1), ("agreement", 5)])
def test_a_network_is_generated_once_for_all_inputs_and_let_go_before_the_next(
    criterion, copies, examples, inputs, monkeypatch
):
    """Memory does not grow with tasks."""
    learner = learned(examples, inference={"criterion": criterion})
    generate, generated, alive = learner.hypernetwork.generate, [], []

    def watched(*arguments):
        alive.append(sum(reference() is not None for reference in generated))
        weights = generate(*arguments)
        generated.append(weakref.ref(weights["0.weight"]))
        return weights

    monkeypatch.setattr(learner.hypernetwork, "generate", watched)
    learner.predict(torch.cat([inputs, inputs]))
    assert len(generated) == TASKS * copies
    assert max(alive) <= 1  # the one before, while the next is generated
    assert not any(reference() is not None for reference in generated)


def test_uncertainty_is_the_same_each_time_it_is_asked(examples, inputs):
    learner = learned(examples, inference={"criterion": "agreement"})
    one, other = learner.predict(inputs), learner.predict(inputs)
    assert torch.equal(one.task, other.task)
    assert torch.equal(one.certainty, other.certainty)


def test_the_task_may_still_be_told_and_is_then_certain(examples):
    learner = learned(examples)
    assert learner.scenarios == ("task", "domain", "class")
    asked = examples(0, 3)[0]
    for task in range(TASKS):
        prediction = learner.predict(asked, task)
        assert prediction.task.tolist() == [task] * 60
        assert prediction.certainty.tolist() == [1.0] * 60


def test_a_single_task_is_certain(examples, inputs):
    prediction = learned(examples, tasks=1).predict(inputs)
    assert prediction.task.unique().tolist() == [0]
    assert prediction.certainty.unique().tolist() == [1.0]


def test_the_task_that_is_being_learned_counts_too(examples, inputs):
    learner, certainties = learned(examples, tasks=1), []
    learner.learn(examples(1, 3), monitor=lambda _: certainties.append(learner.predict(inputs).certainty))
    assert torch.cat(certainties).max() < 1
    # and asking changes nothing about what is learned
    undisturbed = learned(examples, tasks=1)
    undisturbed.learn(examples(1, 3))
    assert torch.equal(undisturbed.predict(inputs).probabilities, learner.predict(inputs).probabilities)


@pytest.mark.parametrize(
    ("inference", "message"),
    [({"criterion": "entropie"}, "criterion: "), ({"temprature": 2}, "Did you mean 'temperature'")],
)
def test_wrong_settings_are_explained(inference, message):
    with pytest.raises(ConfigurationError, match=message):
        HypernetworkLearner(network(), inference=inference)


@pytest.mark.parametrize("criterion", ["entropy", "max-probability"])
def test_of_networks_that_are_all_as_sure_as_numbers_can_say_the_surest_answers(
    criterion, examples, inputs, monkeypatch
):
    """Not the one whose task was learned first."""
    learner = learned(examples, inference={"criterion": criterion, "temperature": 1e-3})
    factors, outputs = [1.0, 3.0, 2.0], torch.tensor([[500.0, 0.0, 0.0]]).expand(len(inputs), 3)
    answered = iter(factors)
    monkeypatch.setattr(type(learner._network), "answer", lambda *_, **__: next(answered) * outputs)
    assert learner.predict(inputs).task.unique().tolist() == [1]


@pytest.mark.parametrize("kind", [HypernetworkLearner, FromScratchLearner])
def test_a_network_that_is_sure_of_anything_infers_no_task(kind, examples):
    learner = kind(network(), chunk_size=100, training={"iterations": 2})
    for _ in range(2):
        learner.learn(examples(0, 1), if_known="new")
        if learner.num_tasks == 1:
            assert learner.predict(examples(0, 1)[0]).task.unique().tolist() == [0]
    with pytest.raises(ConfigurationError, match=r"single class.*predict\(inputs, task=0\).*LikelihoodLearner"):
        learner.predict(examples(0, 1)[0])
    assert learner.predict(examples(0, 1)[0], task=1).task.unique().tolist() == [1]
    if learner.forgets:
        learner.forget(0)
        assert learner.predict(examples(0, 1)[0]).task.unique().tolist() == [1]


def test_a_network_that_answers_no_numbers_is_not_sure(examples, inputs):
    learner = learned(examples, tasks=2)
    before = learner.predict(inputs, 0).labels
    learner.hypernetwork.task_embeddings[1].data.fill_(torch.nan)
    learner._network.kept.clear()
    answer = learner.predict(inputs)
    assert answer.task.unique().tolist() == [0] and torch.equal(answer.labels, before)
    with pytest.raises(DataError, match=r"no task's network answers numbers to input 2 .*leave such inputs out"):
        learner.predict(torch.where(torch.arange(len(inputs))[:, None] < 2, inputs, torch.nan))


@pytest.mark.parametrize("kind", [HypernetworkLearner, FromScratchLearner])
def test_a_criterion_for_a_regression_is_refused_before_it_is_learned(kind):
    learner = kind(nn.Linear(3, 1), chunk_size=4, inference={"criterion": "energy"}, training={"iterations": 2})
    with pytest.raises(ConfigurationError, match=r"^inference has no effect on task 'task': of a regression"):
        learner.learn((torch.rand(4, 3), torch.rand(4)))
