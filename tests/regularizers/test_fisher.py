"""The diagonal Fisher information: batched, it is its one-example-at-a-time definition."""

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from hypermnesia.criteria import MeanSquaredError
from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.hypernetwork import Hypernetwork
from hypermnesia.layout import ParameterLayout
from hypermnesia.modules import holding
from hypermnesia.regularizers.fisher import diagonal_fisher, gradient_form
from hypermnesia.regularizers.generated_network import GeneratedNetwork

CLASSES = 4


def problem(*between):
    """A network in evaluation mode and batches of different sizes, in float64."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 5), *between, nn.Tanh(), nn.Dropout(0.5), nn.Linear(5, CLASSES)).double()
    module(torch.randn(20, 3, dtype=torch.float64))  # so that running averages are not trivial
    module.eval()
    batches = [(torch.randn(n, 3, dtype=torch.float64), torch.randint(0, CLASSES, (n,))) for n in (7, 1, 10)]
    return module, batches


def logits_of(module):
    return lambda parameters, inputs: functional_call(module, parameters, (inputs,))


def by_definition(module, batches, kind, generator=None):
    """One example, one class and one backward pass at a time."""
    parameters = dict(module.named_parameters())
    sums = {name: torch.zeros_like(p) for name, p in parameters.items()}
    for inputs, labels in batches:
        probabilities = module(inputs).softmax(1).detach()
        if kind == "exact":
            weights = probabilities
        else:
            if kind == "sampled":
                labels = torch.multinomial(probabilities, 1, generator=generator).flatten()
            weights = nn.functional.one_hot(labels, CLASSES)
        for i in range(len(inputs)):
            for label in range(CLASSES):
                log_p = module(inputs[i : i + 1]).log_softmax(1)[0, label]
                gradients = torch.autograd.grad(log_p, list(parameters.values()))
                for name, gradient in zip(parameters, gradients, strict=True):
                    sums[name] += weights[i, label] * gradient**2
    count = sum(len(inputs) for inputs, _ in batches)
    return {name: total / count for name, total in sums.items()}


@pytest.mark.parametrize("chunk_size", [1, 3, 6, 100])
@pytest.mark.parametrize("kind", ["sampled", "exact", "empirical"])
@pytest.mark.parametrize("between", [(), (nn.BatchNorm1d(5),)], ids=["linear layers alone", "others too"])
def test_batched_equals_one_example_at_a_time(kind, chunk_size, between):
    module, batches = problem(*between)
    generators = [torch.Generator().manual_seed(3) for _ in range(2)]
    parameters = dict(module.named_parameters())
    fisher = diagonal_fisher(
        logits_of(module), parameters, batches, kind, generator=generators[0], chunk_size=chunk_size
    )
    expected = by_definition(module, batches, kind, generators[1])
    assert fisher.keys() == expected.keys()
    for name in fisher:
        torch.testing.assert_close(fisher[name], expected[name], rtol=1e-10, atol=1e-14)
    # What it is taken of is left alone.
    assert all(p.grad is None and p.requires_grad for p in parameters.values())
    assert not any(f.requires_grad for f in fisher.values())


def test_the_kinds_differ():
    module, batches = problem()
    a, b, c = (
        diagonal_fisher(
            logits_of(module),
            dict(module.named_parameters()),
            batches,
            kind,
            generator=torch.Generator().manual_seed(0),
        )["0.weight"]
        for kind in ("sampled", "exact", "empirical")
    )
    assert not torch.allclose(a, b, rtol=0.01)
    assert not torch.allclose(b, c, rtol=0.01)
    assert not torch.allclose(a, c, rtol=0.01)


def test_logistic_regression_by_hand():
    """For two classes with logits (w x, 0): F = E[x² p (1 − p)]."""
    inputs, w = torch.tensor([[1.0], [2.0]]), torch.tensor([0.5])
    fisher = diagonal_fisher(
        lambda parameters, x: torch.cat([x * parameters["w"], torch.zeros_like(x)], dim=1),
        {"w": w},
        [(inputs, torch.tensor([0, 1]))],
        "exact",
    )
    p = (inputs * w).sigmoid()
    torch.testing.assert_close(fisher["w"], (inputs**2 * p * (1 - p)).mean().view(1))


def test_sampled_approaches_exact():
    generator = torch.Generator().manual_seed(0)
    parameters = {"w": torch.randn(3, 2, generator=generator)}
    inputs = torch.randn(3, 2, generator=generator)
    batches = [(inputs.repeat(20_000, 1), torch.zeros(60_000, dtype=torch.int64))]

    def logits(parameters, inputs):
        return inputs @ parameters["w"].T

    exact = diagonal_fisher(logits, parameters, [(inputs, torch.zeros(3, dtype=torch.int64))], "exact")
    sampled = diagonal_fisher(logits, parameters, batches, "sampled", generator=generator, chunk_size=10_000)
    torch.testing.assert_close(sampled["w"], exact["w"], rtol=0.05, atol=0)


def test_only_the_given_parameters_are_differentiated():
    module, batches = problem()
    head = {name: p for name, p in module.named_parameters() if name.startswith("3.")}
    fisher = diagonal_fisher(logits_of(module), head, batches, "empirical")
    everything = diagonal_fisher(logits_of(module), dict(module.named_parameters()), batches, "empirical")
    assert fisher.keys() == {"3.weight", "3.bias"}
    for name in fisher:
        torch.testing.assert_close(fisher[name], everything[name])


def test_logits_of_some_outputs_leave_the_others_alone():
    """With a head restricted to a task's classes, the others' rows do not matter; labels count within the task."""
    module, _ = problem()
    inputs, labels = torch.randn(6, 3, dtype=torch.float64), torch.tensor([0, 1, 0, 1, 1, 0])

    def of_task(parameters, inputs):
        return functional_call(module, parameters, (inputs,))[:, 2:]

    for kind in ("sampled", "exact", "empirical"):
        rows = diagonal_fisher(of_task, dict(module.named_parameters()), [(inputs, labels)], kind)["3.weight"]
        assert rows[:2].count_nonzero() == 0
        assert (rows[2:] > 0).all()


def test_images_and_labels_of_a_smaller_type():
    """Through a convolution, against backward passes of the loss itself."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)).double()
    images, labels = torch.randn(5, 1, 4, 4, dtype=torch.float64), torch.tensor([0, 1, 2, 1, 0], dtype=torch.int32)
    fisher = diagonal_fisher(logits_of(module), dict(module.named_parameters()), [(images, labels)], "empirical")
    expected = {name: torch.zeros_like(p) for name, p in module.named_parameters()}
    for i in range(5):
        module.zero_grad()
        nn.functional.cross_entropy(module(images[i : i + 1]), labels[i : i + 1].long()).backward()
        for name, p in module.named_parameters():
            expected[name] += p.grad**2 / 5
    for name in fisher:
        torch.testing.assert_close(fisher[name], expected[name])


@pytest.mark.parametrize("kind", ["sampled", "exact", "empirical"])
@pytest.mark.parametrize("batches", [[], [(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))]], ids=["none", "0"])
def test_no_example_is_an_error(batches, kind):
    with pytest.raises(DataError, match="no example"):
        diagonal_fisher(lambda p, x: x @ p["w"], {"w": torch.zeros(3, 2)}, batches, kind)


@pytest.mark.parametrize("kind", ["sampled", "exact", "empirical"])
def test_of_numbers_predicted_by_a_linear_map(kind):
    """F = Wx with a normal distribution of variance one: the information of W_ki is E[x_i²], whatever W is."""
    torch.manual_seed(0)
    weight = {"w": torch.randn(2, 3, dtype=torch.float64)}
    inputs = torch.randn(20_000 if kind == "sampled" else 50, 3, dtype=torch.float64)
    targets = torch.randn(len(inputs), 2, dtype=torch.float64)
    fisher = diagonal_fisher(
        lambda p, x: x @ p["w"].T,
        weight,
        [(inputs, targets)],
        kind,
        MeanSquaredError(),
        generator=torch.Generator().manual_seed(0),
        chunk_size=5000,
    )["w"]
    expected = inputs.square().mean(0).expand(2, 3)
    if kind == "empirical":
        difference = targets - inputs @ weight["w"].T
        expected = (difference[:, :, None] * inputs[:, None]).square().mean(0)
    torch.testing.assert_close(fisher, expected, rtol=0.1 if kind == "sampled" else 1e-9, atol=0)


class Recurrent(nn.Module):
    """Layers for which no vectorized gradients exist."""

    def __init__(self, kind):
        super().__init__()
        self.recurrent, self.head = kind(3, 4, batch_first=True), nn.Linear(4, CLASSES)

    def forward(self, inputs):
        return self.head(self.recurrent(inputs)[0][:, -1])


class Checkpointed(nn.Module):
    """Computes a part again in the backward pass, with the weights that it has then."""

    def __init__(self, reentrant):
        super().__init__()
        self.body, self.head, self.reentrant = nn.Linear(3, 5), nn.Linear(5, CLASSES), reentrant

    def forward(self, inputs):
        inputs = inputs if inputs.requires_grad else inputs.detach().requires_grad_()
        return self.head(checkpoint(self.body, inputs, use_reentrant=self.reentrant).tanh())


SLOW = {
    "RNN": lambda: Recurrent(nn.RNN),
    "GRU": lambda: Recurrent(nn.GRU),
    "LSTM": lambda: Recurrent(nn.LSTM),
    "reentrant": lambda: Checkpointed(True),
    "not reentrant": lambda: Checkpointed(False),
}


@pytest.mark.parametrize("kind", ["sampled", "exact", "empirical"])
@pytest.mark.parametrize("make", SLOW.values(), ids=SLOW)
def test_layers_without_fast_gradients_have_slow_ones(make, kind):
    torch.manual_seed(0)
    module = make().double().eval()
    inputs = torch.randn(3, *([4, 3] if isinstance(module, Recurrent) else [3]), dtype=torch.float64)
    batches = [(inputs, torch.tensor([0, 3, 1]))]
    generators = [torch.Generator().manual_seed(3) for _ in range(2)]
    fisher = diagonal_fisher(
        logits_of(module),
        dict(module.named_parameters()),
        batches,
        kind,
        generator=generators[0],
        hold=lambda parameters, action: holding(module, parameters, action),
    )
    module.reentrant = False  # which `torch.autograd.grad` refuses
    expected = by_definition(module, batches, kind, generators[1])
    for name in fisher:
        torch.testing.assert_close(fisher[name], expected[name], rtol=1e-8, atol=1e-14)
    assert all(parameter.grad is None for parameter in module.parameters())


def test_the_fastest_form_that_is_right_is_found():
    def form(module, *shape):
        return gradient_form(
            logits_of(module),
            dict(module.named_parameters()),
            torch.randn(5, *shape),
            "exact",
            hold=lambda parameters, action: holding(module, parameters, action),
        )

    assert form(nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2)), 3) == "linear layers"
    assert form(nn.Sequential(nn.Conv1d(3, 2, 1), nn.Flatten(), nn.Linear(8, 2)), 3, 4) == "vectorized"
    assert form(Recurrent(nn.GRU), 4, 3) == "one by one"


def test_a_network_that_takes_no_single_example_is_refused():
    module = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5, track_running_stats=False), nn.Linear(5, 2)).eval()
    with pytest.raises(ConfigurationError, match=r"gradient of each example by itself, which this network does not"):
        diagonal_fisher(
            logits_of(module), dict(module.named_parameters()), [(torch.rand(4, 3), torch.zeros(4).long())], "exact"
        )


class Tagger(nn.Module):
    """A class for each of two positions; the second has a layer of its own."""

    def __init__(self, *between):
        super().__init__()
        self.between = nn.Sequential(*between)
        self.first, self.second = nn.Linear(3, CLASSES), nn.Linear(3, CLASSES)

    def forward(self, inputs):
        inputs = self.between(inputs)
        return torch.stack([self.first(inputs[:, 0]), self.second(inputs[:, 1])], 2)


class Last(nn.Module):
    """Only what a recurrent layer puts out, not its state."""

    def __init__(self):
        super().__init__()
        self.recurrent = nn.GRU(3, 3, batch_first=True)

    def forward(self, inputs):
        return self.recurrent(inputs)[0]


FORMS = {
    "linear layers": Tagger,
    "vectorized": lambda: Tagger(nn.Conv1d(2, 2, 1)),
    "one by one": lambda: Tagger(Last()),
}


@pytest.mark.parametrize("kind", ["sampled", "exact", "empirical"])
@pytest.mark.parametrize("form", FORMS)
def test_what_is_ignored_informs_of_nothing(form, kind):
    """Where the second position is ignored, the information is that of a network which has the first one alone."""
    torch.manual_seed(0)
    module = FORMS[form]().double().eval()
    inputs, labels = torch.randn(5, 2, 3, dtype=torch.float64), torch.randint(0, CLASSES, (5, 2))
    labels[:, 1] = -100
    parameters = dict(module.named_parameters())

    def hold(parameters, action):
        return holding(module, parameters, action)

    assert gradient_form(logits_of(module), parameters, inputs, kind, labels=labels, hold=hold) == form
    # Chances are drawn for both positions: those of the first one are the same.
    drawn = torch.multinomial(
        module(inputs).softmax(1).movedim(1, -1).flatten(0, -2), 1, generator=torch.Generator().manual_seed(3)
    ).view(5, 2)
    of_first = drawn[:, 0] if kind == "sampled" else labels[:, 0]
    fisher, expected = (
        diagonal_fisher(outputs, parameters, [(inputs, targets)], as_kind, generator=generator, hold=hold)
        for outputs, targets, as_kind, generator in (
            (logits_of(module), labels, kind, torch.Generator().manual_seed(3)),
            (
                lambda p, x: functional_call(module, p, (x,))[:, :, 0],
                of_first,
                "empirical" if kind == "sampled" else kind,
                None,
            ),
        )
    )
    assert fisher["second.weight"].count_nonzero() == 0
    assert fisher["first.weight"].count_nonzero() > 0
    for name in fisher:
        torch.testing.assert_close(fisher[name], expected[name], rtol=1e-8, atol=1e-14)


def test_what_is_ignored_informs_of_nothing_where_weights_are_generated():
    module, inputs = Tagger().eval(), torch.randn(5, 2, 3)
    labels = torch.tensor([[0, -100]]).expand(5, 2)
    hypernetwork = Hypernetwork(ParameterLayout.of(module), embedding_dim=4)
    networks = (
        GeneratedNetwork(hypernetwork, torch.ones(4), outputs)
        for outputs in (logits_of(module), lambda p, x: functional_call(module, p, (x,))[:, :, :1])
    )
    theta = hypernetwork.shared_parameters()
    fisher, expected = (
        diagonal_fisher(network, theta, [(inputs, targets)], "exact")
        for network, targets in zip(networks, (labels, labels[:, :1]), strict=True)
    )
    for name in fisher:
        torch.testing.assert_close(fisher[name], expected[name], rtol=1e-3, atol=1e-7)
