"""Small modules of every kind that people bring, each with inputs that it takes."""

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

FEATURES, LENGTH, WORDS, OUTPUTS, COUNT = 8, 5, 12, 3, 12


class Function(nn.Module):
    """Layers by name, and a forward function of them and the inputs."""

    def __init__(self, forward: Callable[..., Any], **layers: nn.Module):
        super().__init__()
        self._function = forward
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self._function(self, *inputs, **named)


class Tied(nn.Module):
    """One weight there and back."""

    def __init__(self):
        super().__init__()
        self.there, self.back, self.head = nn.Linear(FEATURES, 4), nn.Linear(4, 4), nn.Linear(4, OUTPUTS)
        self.third = nn.Linear(4, 4)
        self.third.weight = self.back.weight

    def forward(self, inputs):
        return self.head(self.third(self.back(self.there(inputs)).tanh()).tanh())


class Counting(nn.Module):
    """Statistics of its own, which it changes in place or replaces by others."""

    def __init__(self, replace: bool):
        super().__init__()
        self.body, self.head, self.replace = nn.Linear(FEATURES, 4), nn.Linear(4, OUTPUTS), replace
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, inputs):
        hidden = self.body(inputs)
        if self.training:
            if self.replace:
                self.calls = self.calls + 1
                self.mean = 0.5 * self.mean + 0.5 * hidden.detach().mean(0)
            else:
                self.calls += 1
                self.mean.mul_(0.5).add_(0.5 * hidden.detach().mean(0))
        return self.head((hidden - self.mean).tanh())


class Recent(nn.Module):
    """Remembers what it was given last in a buffer that no state dict has, and how it was set in a state of its own."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(FEATURES, OUTPUTS)
        self.register_buffer("recent", torch.zeros(FEATURES), persistent=False)

    def forward(self, inputs):
        if self.training:
            self.recent.copy_(inputs.detach().mean(0))
        return self.head(inputs - self.recent)

    def get_extra_state(self):
        return {"version": (1, "a")}

    def set_extra_state(self, state):
        assert state == self.get_extra_state()


class Checkpointed(nn.Module):
    """Computes its body again in the backward pass."""

    def __init__(self, reentrant: bool):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(FEATURES, 6), nn.Tanh(), nn.Linear(6, 6), nn.Tanh())
        self.head, self.reentrant = nn.Linear(6, OUTPUTS), reentrant

    def forward(self, inputs):
        if torch.is_grad_enabled() and not inputs.requires_grad:
            inputs = inputs.detach().requires_grad_()
        return self.head(checkpoint(self.body, inputs, use_reentrant=self.reentrant))


class Keeping(nn.Module):
    """Keeps what it has computed last, with the gradient, in plain attributes."""

    def __init__(self, keeps: bool = True):
        super().__init__()
        self.body, self.norm, self.head = nn.Linear(FEATURES, 4), nn.LayerNorm(4), nn.Linear(4, OUTPUTS)
        self.keeps, self.attention, self.kept = keeps, None, []

    def forward(self, inputs):
        attention = self.norm(self.body(inputs)).softmax(1)
        if self.keeps:
            self.attention, self.kept = attention, [attention, {"twice": (2 * attention,)}]
        return self.head(attention)


class Complex(nn.Module):
    """A spectral layer, whose weights are complex."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(FEATURES // 2 + 1, 4, dtype=torch.complex64))
        self.head = nn.Linear(4, OUTPUTS)

    def forward(self, inputs):
        return self.head((torch.fft.rfft(inputs) @ self.weight).abs())


class Mixed(nn.Module):
    """A body in double precision before a head in single precision."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(FEATURES, 4).double(), nn.Linear(4, OUTPUTS)

    def forward(self, inputs):
        return self.head(self.body(inputs.double()).tanh().float())


class Scaled(nn.Module):
    """A parameter that is a single number, one in a list, and one that nothing uses."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.5))
        self.shifts = nn.ParameterList([nn.Parameter(torch.zeros(4))])
        self.unused = nn.Linear(2, 2)
        self.body, self.head = nn.Linear(FEATURES, 4), nn.Linear(4, OUTPUTS)

    def forward(self, inputs):
        return self.head((self.scale * self.body(inputs) + self.shifts[0]).tanh())


class InUse(nn.BatchNorm1d):
    """Keeps itself in evaluation mode."""

    def train(self, mode: bool = True):
        return super().train(False)


def mlp(*between: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(FEATURES, 6), *between, nn.Tanh(), nn.Linear(6, OUTPUTS))


def with_two_names() -> nn.Module:
    """One layer, and its normalization, at two places; and the head, too."""
    body, norm, head = nn.Linear(FEATURES, FEATURES), nn.BatchNorm1d(FEATURES), nn.Linear(FEATURES, OUTPUTS)
    return Function(
        lambda net, x: net.head(net.second(net.first(x).tanh()).tanh()),
        first=nn.Sequential(body, norm),
        second=nn.Sequential(body, norm),
        head=head,
        classifier=head,
    )


def convolutional(*between: nn.Module, groups: int = 1) -> nn.Module:
    layers = [nn.Unflatten(1, (2, 4)), nn.Conv1d(2, 4, 3, padding=1, groups=groups), *between, nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, OUTPUTS))


def recurrent(kind: type[nn.RNNBase], **settings) -> nn.Module:
    width = 4 * (1 + settings.get("bidirectional", False))
    return Function(
        lambda net, inputs: net.head(net.body(inputs)[0][:, -1]),
        body=kind(4, 4, batch_first=True, **settings),
        head=nn.Linear(width, OUTPUTS),
    )


def embedding(**settings) -> nn.Module:
    return Function(
        lambda net, words: net.head(net.words(words).sum(1)),
        words=nn.Embedding(WORDS, 4, **settings),
        head=nn.Linear(4, OUTPUTS),
    )


def with_frozen_statistics() -> nn.Module:
    module = mlp(nn.BatchNorm1d(6))
    module(vectors(64))
    module[1].eval()
    return module


def with_frozen_body() -> nn.Module:
    module = mlp()
    module[0].requires_grad_(False)
    return module


def keeping_since_a_call() -> nn.Module:
    module = Keeping()
    module(vectors())
    return module


def called_once() -> nn.Module:
    module = nn.Sequential(nn.LazyLinear(6), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(OUTPUTS))
    module(vectors(4))
    return module


def scripted() -> nn.Module:
    with warnings.catch_warnings(action="ignore"):
        return nn.Sequential(torch.jit.script(nn.Linear(FEATURES, 6)), nn.Tanh(), nn.Linear(6, OUTPUTS))


def vectors(count: int = COUNT, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(count, FEATURES, generator=torch.Generator().manual_seed(1)).to(dtype)


def sequences(count: int = COUNT) -> Tensor:
    return torch.rand(count, LENGTH, 4, generator=torch.Generator().manual_seed(2))


def words(count: int = COUNT) -> Tensor:
    return torch.randint(0, WORDS, (count, LENGTH), generator=torch.Generator().manual_seed(3))


@dataclasses.dataclass(frozen=True)
class Specimen:
    """A module of the zoo.

    Args:
        name: What it is.
        make: Makes it, with weights from torch's default generator.
        inputs: Makes that many inputs.
        gradients: How EWC gets gradients of single examples of it.
        refused: What is said where a learner of one of these groups refuses it: `generated` and `held` weights,
            `projected` gradients, `replayed` inputs, or `all`.
    """

    name: str
    make: Callable[[], nn.Module]
    inputs: Callable[..., Tensor] = vectors
    gradients: str = "vectorized"
    refused: dict[str, str] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def module(self, seed: int = 0) -> nn.Module:
        """The module, as made from a seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.make()


LINEAR, SLOW = "linear layers", "one by one"
_NOT_IMITATED = {"replayed": "what is to be imitated must be torch.float32"}
_WHOLE_TYPE = "must share one real floating type"


ZOO = [
    Specimen("linear", lambda: nn.Linear(FEATURES, OUTPUTS), gradients=LINEAR),
    Specimen("linear without bias", lambda: nn.Linear(FEATURES, OUTPUTS, bias=False), gradients=LINEAR),
    Specimen("perceptron", mlp, gradients=LINEAR),
    Specimen("dropout", lambda: mlp(nn.Dropout(0.3)), gradients=LINEAR),
    Specimen("frozen body", with_frozen_body, gradients=LINEAR),
    Specimen("convolution", convolutional),
    Specimen("grouped convolution", lambda: convolutional(groups=2)),
    Specimen("batch normalization", lambda: mlp(nn.BatchNorm1d(6))),
    Specimen("averaged batch normalization", lambda: mlp(nn.BatchNorm1d(6, momentum=None))),
    Specimen("frozen batch normalization", with_frozen_statistics),
    Specimen("batch normalization in use", lambda: mlp(InUse(6))),
    Specimen("layer normalization", lambda: mlp(nn.LayerNorm(6))),
    Specimen("group normalization", lambda: convolutional(nn.GroupNorm(2, 4))),
    Specimen(
        "instance normalization", lambda: convolutional(nn.InstanceNorm1d(4, affine=True, track_running_stats=True))
    ),
    Specimen("root mean square normalization", lambda: mlp(nn.RMSNorm(6))),
    Specimen(
        "weight normalization",
        lambda: nn.Sequential(parametrizations.weight_norm(nn.Linear(FEATURES, 6)), nn.Tanh(), nn.Linear(6, OUTPUTS)),
    ),
    Specimen(
        "spectral normalization",
        lambda: nn.Sequential(parametrizations.spectral_norm(nn.Linear(FEATURES, 6)), nn.Linear(6, OUTPUTS)),
    ),
    Specimen(
        "orthogonal",
        lambda: nn.Sequential(parametrizations.orthogonal(nn.Linear(FEATURES, 6)), nn.Tanh(), nn.Linear(6, OUTPUTS)),
    ),
    Specimen("tied weights", Tied),
    Specimen(
        "several calls",
        lambda: Function(
            lambda net, x: net.head(net.body(net.body(x).tanh()).tanh()),
            body=nn.Linear(FEATURES, FEATURES),
            head=nn.Linear(FEATURES, OUTPUTS),
        ),
    ),
    Specimen(
        "residual",
        lambda: Function(
            lambda net, x: net.head(x + net.body(x).tanh()),
            body=nn.Linear(FEATURES, FEATURES),
            head=nn.Linear(FEATURES, OUTPUTS),
        ),
        gradients=LINEAR,
    ),
    Specimen(
        "head before the body",
        lambda: Function(
            lambda net, x: net.head(net.body(x).tanh()), head=nn.Linear(5, OUTPUTS), body=nn.Linear(FEATURES, 5)
        ),
        gradients=LINEAR,
    ),
    Specimen("probabilities", lambda: nn.Sequential(nn.Linear(FEATURES, OUTPUTS), nn.LogSoftmax(1)), gradients=LINEAR),
    Specimen(
        "bilinear",
        lambda: Function(
            lambda net, x: net.head(net.body(x, x)), body=nn.Bilinear(FEATURES, FEATURES, 4), head=nn.Linear(4, OUTPUTS)
        ),
    ),
    Specimen("single numbers", Scaled),
    Specimen("lazy, called once", called_once),
    Specimen("statistics in place", lambda: Counting(False), gradients=LINEAR),
    Specimen("statistics by assignment", lambda: Counting(True), gradients=LINEAR),
    Specimen("parts of two names", with_two_names),
    Specimen("buffers outside of the state", Recent, gradients=LINEAR),
    Specimen("keeps what it computed", Keeping),
    Specimen("keeps what it computed, called once", keeping_since_a_call),
    Specimen("recurrent", lambda: recurrent(nn.RNN), sequences, SLOW),
    Specimen("gated recurrent", lambda: recurrent(nn.GRU, num_layers=2), sequences, SLOW),
    Specimen("long short-term memory", lambda: recurrent(nn.LSTM, bidirectional=True), sequences, SLOW),
    Specimen(
        "attention",
        lambda: Function(
            lambda net, x: net.head(net.body(x, x, x, need_weights=False)[0].mean(1)),
            body=nn.MultiheadAttention(4, 2, batch_first=True),
            head=nn.Linear(4, OUTPUTS),
        ),
        sequences,
    ),
    Specimen(
        "transformer",
        lambda: Function(
            lambda net, x: net.head(net.body(x).mean(1)),
            head=nn.Linear(4, OUTPUTS),
            body=nn.TransformerEncoderLayer(4, 2, 8, batch_first=True),
        ),
        sequences,
    ),
    Specimen("embedding", embedding, words, refused=_NOT_IMITATED),
    Specimen("embedding with padding", lambda: embedding(padding_idx=0), words, refused=_NOT_IMITATED),
    Specimen("sparse embedding", lambda: embedding(sparse=True), words, refused=_NOT_IMITATED),
    Specimen("embedding of bounded norm", lambda: embedding(max_norm=0.5), words, SLOW, _NOT_IMITATED),
    Specimen(
        "bag of words",
        lambda: nn.Sequential(nn.EmbeddingBag(WORDS, 4, padding_idx=0), nn.Linear(4, OUTPUTS)),
        words,
        refused=_NOT_IMITATED,
    ),
    Specimen("checkpointed", lambda: Checkpointed(False), gradients=LINEAR),
    Specimen("checkpointed, reentrant", lambda: Checkpointed(True), gradients=SLOW),
    Specimen("compiled", lambda: torch.compile(mlp(), backend="eager"), gradients=LINEAR),
    Specimen(
        "compiled part",
        lambda: nn.Sequential(torch.compile(nn.Linear(FEATURES, 6), backend="eager"), nn.Linear(6, OUTPUTS)),
        gradients=LINEAR,
    ),
    Specimen(
        "scripted part",
        scripted,
        refused={"all": "its part '0' is compiled by torch.jit: give the module that it was made from"},
    ),
    Specimen(
        "double precision", lambda: mlp().double(), lambda n=COUNT: vectors(n, torch.float64), LINEAR, _NOT_IMITATED
    ),
    Specimen(
        "half precision", lambda: mlp().bfloat16(), lambda n=COUNT: vectors(n, torch.bfloat16), LINEAR, _NOT_IMITATED
    ),
    Specimen("mixed precision", Mixed, gradients=SLOW, refused={"generated": _WHOLE_TYPE}),
    Specimen(
        "complex weights",
        Complex,
        refused={
            "generated": _WHOLE_TYPE,
            "held": r"parameter 'weight' is torch\.complex64",
            "projected": "not implemented for",
        },
    ),
]
"""The modules; names are unique."""
