"""Deep generative replay: the loss of the self-replaying autoencoder, what it replays, and what it remembers."""

import copy

import pytest
import torch
from torch import distributions

import hypermnesia.replay.classifier
from hypermnesia.networks import mlp
from hypermnesia.replay import ReplayClassifier, ReplaySettings, SelfReplayingVAE, SelfReplayingVAESettings
from hypermnesia.seeds import Seeds
from hypermnesia.standard import StandardNetwork
from hypermnesia.tasks import Task, TensorExamples
from hypermnesia.training import Trainer, TrainingSettings, checkpoint
from tests.nested import equal
from tests.stopping import Stopped, stop_at

CPU = torch.device("cpu")
SHAPE = (1, 3, 3)
BATCH = 8
SETTINGS = SelfReplayingVAESettings(latent_dim=3, encoder_hidden=(7,), decoder_hidden=(12,))


def vae(seed: int = 0, settings=SETTINGS, **training) -> SelfReplayingVAE:
    return SelfReplayingVAE(SHAPE, settings, TrainingSettings(**{"batch_size": BATCH, **training}), Seeds(seed), CPU)


def images(task: int, number: int = 64) -> torch.Tensor:
    """Of every task another pair of pixels is bright."""
    generator = torch.Generator().manual_seed(task)
    bright = torch.full((9,), 0.1)
    bright[2 * task : 2 * task + 2] = 0.9
    return (bright + 0.05 * torch.randn(number, 9, generator=generator)).clamp(0, 1).view(-1, *SHAPE)


def trainer(model: SelfReplayingVAE, task: int, iterations: int) -> Trainer:
    examples = TensorExamples(images(task), torch.zeros(64, dtype=torch.int64))
    settings = TrainingSettings(iterations=iterations, learning_rate=0.02, batch_size=32)
    return Trainer(model.objective(), examples, settings, Seeds(task), CPU)


def learn(model: SelfReplayingVAE, task: int, iterations: int = 120) -> None:
    model.begin_task()
    trainer(model, task, iterations).run()
    model.end_task()


def after(number: int, **settings) -> SelfReplayingVAE:
    model = vae(**settings)
    for task in range(number):
        learn(model, task, iterations=6)
    return model


def noise(number: int = 50, seed: int = 0) -> torch.Tensor:
    return vae().latents(number, torch.Generator().manual_seed(seed))


def parts_of(state: dict[str, torch.Tensor]) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Encoder and decoder of a saved network."""
    encoder, decoder = mlp(9, (7,), 6), mlp(3, (12,), 9)
    for name, part in (("encoder.", encoder), ("decoder.", decoder)):
        own = {key.removeprefix(name): tensor for key, tensor in state.items() if key.startswith(name)}
        part.load_state_dict(copy.deepcopy(own))
    return encoder, decoder


def bound(encoder, decoder, inputs: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    """Minus the evidence lower bound of each input, per pixel, by torch.distributions."""
    mean, log_variance = encoder(inputs).split(3, dim=1)
    posterior = distributions.Normal(mean, (8 * (log_variance / 8).tanh() / 2).exp())
    logits = decoder(mean + posterior.stddev * drawn)
    pixels = distributions.Bernoulli(logits=logits, validate_args=False).log_prob(inputs.flatten(1))
    divergence = distributions.kl_divergence(posterior, distributions.Normal(0, 1)).sum(1)
    return (divergence - pixels.sum(1)) / 9


@pytest.mark.parametrize("past", [0, 1, 3])
def test_the_loss_is_a_share_of_the_bound_on_new_inputs_and_the_rest_on_replayed_ones(past):
    """1/T and 1 − 1/T of T tasks so far."""
    model = after(past)
    model.begin_task()
    with torch.no_grad():
        for parameter in model.objective().parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(parameter)))
    objective = model.objective()
    objective.prepare(4)
    state, inputs = model.state(), images(3, number=5)
    encoder, decoder = parts_of(state["network"])
    torch.manual_seed(3)
    drawn = torch.randn(5 + (BATCH if past else 0), 3)
    new = bound(encoder, decoder, inputs, drawn[:5]).mean()
    loss, expected = new, {"new": new}
    if past:
        # Of the network before the task, from the noise of the step.
        generator = Seeds(0).child("task", past, "replay", 4).generator()
        _, before = parts_of(state["before"])
        with torch.no_grad():
            imitated = before(torch.randn(BATCH, 3, generator=generator)).sigmoid()
        expected["replayed"] = bound(encoder, decoder, imitated, drawn[5:]).mean()
        loss = new / (past + 1) + expected["replayed"] * past / (past + 1)
    expected["loss"] = loss
    gradients = torch.autograd.grad(loss, [*encoder.parameters(), *decoder.parameters()])

    torch.manual_seed(3)
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.1)
    optimizer.zero_grad()
    scalars = objective.accumulate_gradients([(inputs, torch.zeros(5, dtype=torch.int64))], optimizer)
    assert scalars.keys() == expected.keys()
    for name, value in expected.items():
        assert scalars[name].item() == pytest.approx(value.item(), rel=1e-4), name
    for parameter, wanted in zip(objective.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, wanted, rtol=1e-3, atol=1e-5)


def test_every_step_replays_from_other_noise_and_the_same_again_for_the_same_step():
    def replayed(iteration: int) -> float:
        model = after(1)
        model.begin_task()
        objective = model.objective()
        objective.prepare(iteration)
        torch.manual_seed(0)
        labels = torch.zeros(5, dtype=torch.int64)
        scalars = objective.accumulate_gradients([(images(1, 5), labels)], torch.optim.SGD(objective.parameters()))
        return scalars["replayed"].item()

    found = [replayed(iteration) for iteration in (0, 1, 2, 1)]
    assert len(set(found)) == 3 and found[3] == found[1]


def test_while_a_task_is_learned_replay_is_as_before_it():
    model = after(1)
    before = model.replay(0, noise())
    assert before.shape == (50, *SHAPE)
    assert ((before > 0) & (before < 1)).all()
    model.begin_task()
    assert model.num_tasks == 1
    trainer(model, 1, iterations=5).run()
    assert torch.equal(model.replay(0, noise()), before)
    model.end_task()
    assert model.num_tasks == 2
    assert not torch.equal(model.replay(0, noise()), before)


def test_it_does_not_tell_tasks_apart():
    model = after(2)
    assert not model.tells_tasks_apart
    assert torch.equal(model.replay(0, noise()), model.replay(1, noise()))
    assert model.labels(0, 3) is None


def share(samples: torch.Tensor, task: int) -> float:
    """Of samples nearest to the mean of that task, of the first three."""
    means = torch.stack([images(number).flatten(1).mean(0) for number in range(3)])
    return (torch.cdist(samples.flatten(1), means).argmin(1) == task).float().mean().item()


def test_what_it_replays_resembles_what_it_learned_also_after_another_task():
    model = vae()
    learn(model, 0, iterations=200)
    samples = model.replay(0, noise())
    assert (samples.mean(0) - images(0).mean(0)).abs().max() < 0.1
    learn(model, 1, iterations=300)
    samples = model.replay(0, noise(400, seed=1))
    # Both tasks come, each like itself, and nothing else.
    shares = [share(samples, task) for task in range(3)]
    assert min(shares[:2]) > 0.2
    assert shares[2] == 0
    for task in range(2):
        means = torch.stack([images(number).flatten(1).mean(0) for number in range(2)])
        nearest = torch.cdist(samples.flatten(1), means).argmin(1) == task
        assert (samples[nearest].mean(0) - images(task).mean(0)).abs().max() < 0.3


@pytest.mark.parametrize("channels", [(), (4,)], ids=["perceptron", "convolutional"])
def test_it_replays_normal_inputs_in_their_range(channels):
    model = vae(settings=SETTINGS.model_copy(update={"distribution": "normal", "channels": channels}))
    settings = TrainingSettings(iterations=300, learning_rate=0.01, batch_size=32)
    for task in range(2):
        model.begin_task()
        examples = TensorExamples(5 * images(task) - 1, torch.zeros(64, dtype=torch.int64))
        Trainer(model.objective(), examples, settings, Seeds(task), CPU).run()
        model.end_task()
    samples = (model.replay(0, noise(400, seed=1)) + 1) / 5
    shares = [share(samples, task) for task in range(3)]
    assert min(shares[:2]) > 0.2
    assert shares[2] < 0.02


def test_without_its_own_replay_it_would_forget(monkeypatch):
    """The same two tasks, the second learned by one that thinks it is the first."""
    model = vae()
    learn(model, 0, iterations=200)
    monkeypatch.setattr(SelfReplayingVAE, "num_tasks", 0)
    learn(model, 1, iterations=300)
    assert share(model.replay(0, noise(400, seed=1)), 0) < 0.02


def test_an_abandoned_task_leaves_no_trace():
    model, never = after(1), after(1)
    model.begin_task()
    trainer(model, 1, iterations=3).run()
    assert not equal(model.state()["network"], never.state()["network"])
    model.abandon_task()
    assert equal(model.state(), never.state())
    assert model.num_tasks == 1
    for each in (model, never):
        learn(each, 1, iterations=3)
    assert equal(model.state(), never.state())
    assert torch.equal(model.replay(0, noise()), never.replay(0, noise()))


def test_a_state_amid_a_task_goes_on_elsewhere_bit_for_bit(tmp_path):
    whole = after(1)
    learn(whole, 1, iterations=6)

    model = after(1)
    model.begin_task()
    stopped = trainer(model, 1, iterations=6)
    with pytest.raises(Stopped):
        stopped.run(stop_at(3))
    checkpoint.write_state(tmp_path / "state", {"model": model.state(), "trainer": stopped.state_dict()})
    saved = checkpoint.read_state(tmp_path / "state")
    other = vae(seed=0)
    with torch.no_grad():
        for parameter in other.objective().parameters():
            parameter.fill_(0.5)  # what was there does not matter
    other.load_state(saved["model"])
    assert equal(other.state(), model.state())
    assert torch.equal(other.replay(0, noise()), model.replay(0, noise()))
    resumed = trainer(other, 1, iterations=6)
    resumed.load_state_dict(saved["trainer"])
    kept = copy.deepcopy(model.state())
    resumed.run()
    assert equal(model.state(), kept)  # nothing is shared
    other.end_task()
    assert equal(other.state(), whole.state())
    assert other.num_tasks == 2

    again = vae()
    again.load_state(saved["model"])
    again.abandon_task()
    assert equal(again.state(), after(1).state())


def test_the_seed_decides_the_first_weights_and_weights_do_not_grow():
    def start(seed: int) -> dict[str, torch.Tensor]:
        return vae(seed).state()["network"]

    assert equal(start(0), start(0))
    assert not torch.equal(start(0)["encoder.1.weight"], start(1)["encoder.1.weight"])
    assert not torch.equal(start(0)["decoder.1.weight"], start(1)["decoder.1.weight"])
    expected = (9 + 1) * 7 + (7 + 1) * 6 + (3 + 1) * 12 + (12 + 1) * 9
    assert [after(number).num_weights for number in range(3)] == [expected] * 3


def test_in_lower_precision_replay_is_near_and_still_float32():
    exact, coarse = vae(), vae(precision="bfloat16")
    for model in (exact, coarse):
        model.begin_task()
        model.end_task()
    found = coarse.replay(0, noise())
    assert found.dtype == torch.float32
    assert 0 < (found - exact.replay(0, noise())).abs().max() < 0.02


CLASSES = (2, 3, 2)


def classifier(scenario: str, temperature: float | None) -> tuple[ReplayClassifier, StandardNetwork]:
    """Amid the third task, with large random weights."""
    training = TrainingSettings(batch_size=BATCH)
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    standard = StandardNetwork(mlp(9, (20,), 1), scenario, training, Seeds(0))
    made = ReplayClassifier(standard, ReplaySettings(model=SETTINGS, temperature=temperature), training, Seeds(0))
    for classes in CLASSES[:2]:
        made.begin_task(classes, SHAPE)
        with torch.no_grad():
            for parameter in [*standard.network.parameters(), *made.objectives()[1].parameters()]:
                parameter += 2 * torch.randn(parameter.shape, generator=generator)
        made.end_task(Task.of((images(0), torch.zeros(64, dtype=torch.int64))))
    made.begin_task(CLASSES[2], SHAPE)
    return made, standard


@pytest.mark.parametrize(
    ("scenario", "allowed"),
    [("task", [(0, 2), (2, 5)]), ("domain", [(0, 3), (0, 3)]), ("class", [(0, 5), (0, 5)])],
)
def test_hard_labels_are_the_likeliest_of_all_classes_that_come_into_question(scenario, allowed, monkeypatch):
    """Nobody knows which task an input is of; where each task has outputs of its own, it stands for one in turns."""
    made, standard = classifier(scenario, None)
    streams = []

    class Watched(hypermnesia.replay.classifier.ReplayStream):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            streams.append(self)

    monkeypatch.setattr(hypermnesia.replay.classifier, "ReplayStream", Watched)
    made.objectives()
    found, expected, tasks = [], [], []
    for iteration in range(4):
        streams[0].prepare(iteration)
        batch = streams[0].batch()
        tasks += batch.tasks.tolist()
        logits = standard.logits_before(batch.inputs)
        for row, target, task in zip(logits.tolist(), batch.targets, batch.tasks.tolist(), strict=True):
            assert sorted(target.tolist()) == [0.0] * (len(target) - 1) + [1.0]
            found.append(int(target.argmax()))
            expected.append(max(range(*allowed[task]), key=row.__getitem__))
    assert found == expected
    assert len(set(found)) > 1
    strangers = {(task, label) for task, label in zip(tasks, found, strict=True) if (label < 2) != (task == 0)}
    assert bool(strangers) == (scenario != "task")
