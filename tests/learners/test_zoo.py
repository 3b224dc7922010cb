"""Modules of every kind, with every method: each behaves as it does by itself, or is refused with a sentence."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

import hypermnesia as hm
from hypermnesia.errors import HypermnesiaError, StopLearning
from hypermnesia.learners import METHODS, AGEMLearner, ContinualLearner
from hypermnesia.learners.consolidation import ConsolidatedLearner
from hypermnesia.learners.generated import GeneratedNetworkLearner
from hypermnesia.regularizers.fisher import gradient_form
from hypermnesia.training.trainer import _seed_modules
from tests.methods import ONE_EACH, Case
from tests.nested import equal, snapshot
from tests.zoo import COUNT, OUTPUTS, ZOO, Keeping, Specimen, keeping_since_a_call

pytestmark = [
    pytest.mark.usefixtures("unchecked"),
    pytest.mark.filterwarnings("ignore:Complex modules:UserWarning", "ignore:There is a performance drop:UserWarning"),
]

CASES = {case.method.name: case for case in ONE_EACH}
TRAINING = {"iterations": 6, "learning_rate": 0.01, "batch_size": 5}
LABELS = torch.arange(COUNT) % OUTPUTS
LEARNED = [specimen for specimen in ZOO if "all" not in specimen.refused]

each_specimen = pytest.mark.parametrize("specimen", ZOO, ids=str)


def examples(specimen: Specimen) -> tuple[torch.Tensor, torch.Tensor]:
    return specimen.inputs(COUNT), LABELS


def loss(module: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """As learners have it: in single precision at least."""
    outputs = module(inputs)
    return functional.cross_entropy(outputs if outputs.dtype is torch.float64 else outputs.float(), labels)


def refusal(specimen: Specimen, kind: type[ContinualLearner]) -> str | None:
    """What is said where a learner of that class refuses a module."""
    groups = {
        "all": True,
        "generated": issubclass(kind, GeneratedNetworkLearner | hm.FromScratchLearner),
        "held": issubclass(kind, ConsolidatedLearner),
        "projected": kind is AGEMLearner,
        "replayed": kind in (hm.ReplayLearner, hm.TaskInferenceLearner, hm.LikelihoodLearner),
    }
    return next((specimen.refused[g] for g, is_one in groups.items() if is_one and g in specimen.refused), None)


def test_there_are_many_and_their_names_are_their_own():
    assert len({specimen.name for specimen in ZOO}) == len(ZOO) >= 30


@pytest.mark.parametrize("specimen", LEARNED, ids=str)
def test_a_first_task_is_learned_as_by_the_module_alone(specimen):
    """The same batches, the same dropout: the same weights and statistics."""
    # Where the gradient is zero but for rounding, Adam would make steps of it.
    training = {**TRAINING, "optimizer": "sgd", "learning_rate": 0.1}
    learner = hm.FineTuningLearner(specimen.module(), training=training)
    learner.learn(examples(specimen))
    same = hm.FineTuningLearner(specimen.module(), training=training)
    same._standard.find_head(specimen.inputs(2))
    same._standard.begin_task(OUTPUTS)
    alone = same._standard.network.module
    real = all(parameter.is_floating_point() for parameter in alone.parameters())  # as fused optimizers want them
    optimizer = torch.optim.SGD(alone.parameters(), training["learning_rate"], fused=real)
    seeds = learner.seeds.child("task", 0)
    batches = hm.Task.of(examples(specimen)).train.batches(training["batch_size"], seeds.child("batches"))
    with torch.random.fork_rng(devices=[]):
        for number in range(training["iterations"]):
            _seed_modules(seeds.child("modules", number), torch.device("cpu"))
            optimizer.zero_grad()
            loss(alone, *next(batches)).backward()
            optimizer.step()
    learned = learner._standard.network.module
    learned = dict([*learned.named_parameters(), *learned.named_buffers()])
    for name, tensor in [*alone.named_parameters(), *alone.named_buffers()]:
        loose = 0.02 if tensor.dtype is torch.bfloat16 else 1e-5
        torch.testing.assert_close(learned[name], tensor, rtol=loose, atol=loose)


@pytest.mark.parametrize("specimen", [s for s in LEARNED if "generated" not in s.refused], ids=str)
def test_generated_weights_are_used_and_learned_as_the_modules_own(specimen):
    """Loaded into the module they give the same outputs, and the first step is that of the same gradient."""
    rate = 1e-3
    training = {**TRAINING, "iterations": 1, "optimizer": "sgd", "learning_rate": rate}
    learner = CASES["hnet"].make(module=specimen.module(), training=training)
    start = {name: tensor.detach().clone() for name, tensor in learner.hypernetwork.named_parameters()}
    learner.learn(examples(specimen))

    twin = CASES["hnet"].make(module=specimen.module(), training=training)
    twin._network.begin_task()
    module = twin._module
    seeds = learner.seeds.child("task", 0)
    inputs, labels = next(hm.Task.of(examples(specimen)).train.batches(TRAINING["batch_size"], seeds.child("batches")))
    with torch.random.fork_rng(devices=[]):
        _seed_modules(seeds.child("modules", 0), torch.device("cpu"))
        loss(module, inputs, labels).backward()
    own = dict(module.named_parameters())
    generated = twin.hypernetwork(0)
    used = [name for name in generated if own[name].grad is not None]
    torch.autograd.backward([generated[n] for n in used], [own[n].grad.to_dense().float() for n in used])
    factor = rate * twin._network.objective(lambda *_: None).rate_factors()[twin.hypernetwork.readout]
    loose = 2e-2 if inputs.dtype is torch.bfloat16 else 1e-3
    for name, parameter in twin.hypernetwork.shared_parameters().items():
        step = start[name] - learner.hypernetwork.shared_parameters()[name].detach()
        expected = factor * (torch.zeros_like(parameter) if parameter.grad is None else parameter.grad)
        torch.testing.assert_close(step, expected, rtol=loose, atol=loose * float(expected.abs().max()) + 1e-7)

    here = dict([*module.named_parameters(), *module.named_buffers()])
    with torch.no_grad():
        for name, tensor in {**learner.hypernetwork(0), **learner._network.of_task(0)}.items():
            here[name].copy_(tensor)
        answer = module.eval()(specimen.inputs())
    found = learner.predict(specimen.inputs(), 0).outputs
    torch.testing.assert_close(found, answer.to(found.dtype), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("specimen", [s for s in LEARNED if "held" not in s.refused], ids=str)
def test_gradients_of_single_examples_exist_for_every_module(specimen):
    """In the form that is named, so that no module falls to a slower one unnoticed."""
    learner = hm.EWCLearner(specimen.module(), training=TRAINING)
    learner._standard.find_head(specimen.inputs(2))
    learner._standard.begin_task(OUTPUTS)
    form = gradient_form(
        learner._answers(), learner._standard.trained, specimen.inputs(), "exact", hold=learner._holding
    )
    assert form == specimen.gradients


@pytest.mark.parametrize("case", ONE_EACH, ids=str)
def test_what_a_module_keeps_of_its_last_call_makes_no_difference(case):
    """Neither amid a task, where learners are asked and copied as well, nor to what is learned."""

    def answers(make):
        module = Specimen("keeping", make).module()
        learner = case.make(module=module, training={**TRAINING, "iterations": 2})
        data, found = examples(Specimen("keeping", make)), []

        def asked(progress):
            found.append(learner.predict(data[0], learner.num_tasks).outputs)

        def stopped(progress):
            raise StopLearning

        learner.learn(data)
        learner.learn(data, monitor=asked)
        with pytest.raises(StopLearning):
            learner.learn(data, monitor=stopped)
        for each in (learner, copy.deepcopy(learner)):
            found += [each.predict(data[0], task).outputs for task in range(3)]
        return found

    plain = answers(lambda: Keeping(keeps=False))
    assert len(plain) == 8
    assert all(map(torch.equal, answers(keeping_since_a_call), plain))


def check(case: Case, specimen: Specimen, path) -> None:
    """Refused before anything is learned; or learned, kept over a second task, and the same in a file."""
    message = refusal(specimen, case.kind)
    module = specimen.module()
    before = snapshot(dict(module.state_dict()))
    if message is not None:
        with pytest.raises(HypermnesiaError, match=message):
            learner = case.make(module=module, training=TRAINING)
            learner.learn(examples(specimen), monitor=lambda progress: pytest.fail("it was learned"))
        return
    learner = case.make(module=module, training=TRAINING)
    inputs = specimen.inputs()
    for _ in range(2):
        learner.learn(examples(specimen))
    assert learner.num_tasks == 2
    assert equal(dict(module.state_dict()), before)
    answers = [learner.predict(inputs, task).outputs for task in range(2)]
    state = snapshot(learner.state_dict())  # afterwards: embeddings of bounded norm shorten what they are asked for
    assert all(answer.isfinite().all() and len(answer) == COUNT for answer in answers)
    learner.save(path)
    loaded = case.kind.load(path, specimen.module(seed=1))
    assert equal(snapshot(loaded.state_dict()), state)
    for task, answer in enumerate(answers):
        assert torch.equal(loaded.predict(inputs, task).outputs, answer)


@pytest.mark.slow
@each_specimen
@pytest.mark.parametrize("name", ["hnet", "ewc", "hnet-r"])
def test_every_module_is_learned_or_refused(specimen, name, tmp_path):
    check(CASES[name], specimen, tmp_path / "learner.safetensors")


@pytest.mark.slow
@each_specimen
@pytest.mark.parametrize("name", sorted(METHODS.keys() - {"hnet", "ewc", "hnet-r"}))
def test_every_module_is_learned_or_refused_by_every_method(specimen, name, tmp_path):
    check(CASES[name], specimen, tmp_path / "learner.safetensors")
