"""Every registered method learns, answers, saves, loads and resumes networks of packages, or says why not."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import timm
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch_geometric.data import Data
from torch_geometric.nn import GCNConv, global_mean_pool
from transformers import BertConfig, BertForSequenceClassification

import hypermnesia as hm
from hypermnesia.errors import HypermnesiaError
from hypermnesia.learners import METHODS
from tests.methods import CASES, Case
from tests.nested import equal
from tests.stopping import Stopped, stop_at

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("unchecked"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning"),
]

COUNT = 12
TRAINING = {"iterations": 3, "learning_rate": 0.003, "batch_size": 5}
LABELS = torch.arange(COUNT) % 2


def drawn(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """The same module each time."""

    @functools.wraps(make)
    def made() -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return make()

    return made


def numbers(*shape: int) -> torch.Tensor:
    return torch.rand(COUNT, *shape, generator=torch.Generator().manual_seed(1))


@drawn
def images() -> nn.Module:
    sizes = {"layers": (1, 1, 1, 1), "channels": (4, 4, 4, 4), "stem_width": 4}
    return timm.models.ResNet(timm.models.resnet.BasicBlock, in_chans=1, num_classes=2, **sizes)


@drawn
def transformer() -> nn.Module:
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    return BertForSequenceClassification(BertConfig(vocab_size=30, num_labels=2, **sizes))


@drawn
def lora() -> nn.Module:
    additions = LoraConfig(r=2, target_modules=["query"], modules_to_save=["classifier"], task_type="SEQ_CLS")
    return get_peft_model(transformer(), additions)


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.recurrent, self.head = nn.LSTM(1, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, series: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        packed = pack_padded_sequence(series, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return self.head(self.recurrent(packed)[1][0][0])


class GraphNetwork(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.messages, self.head = GCNConv(2, 4), nn.Linear(4, 2)

    def forward(self, graphs: Any) -> torch.Tensor:
        nodes = self.messages(graphs.x, graphs.edge_index).relu()
        return self.head(global_mean_pool(nodes, graphs.batch))


@drawn
def pixels() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))


def paths(labels: torch.Tensor) -> list[Data]:
    """Graphs of unequal size."""
    made = []
    for number in range(COUNT):
        nodes = 2 + number % 3
        edges = torch.stack([torch.arange(nodes - 1), torch.arange(1, nodes)])
        made.append(Data(x=numbers(4, 2)[number, :nodes], edge_index=edges, y=labels[number, None]))
    return made


TOKENS = {"input_ids": (numbers(5) * 29).long() + 1, "attention_mask": torch.ones(COUNT, 5, dtype=torch.long)}
SERIES = {"series": numbers(6, 1), "lengths": 3 + torch.arange(COUNT) % 4}
IGNORED = (numbers(4, 4) > 0.5).long().index_fill(1, torch.tensor([0]), -100)


class Kind(NamedTuple):
    """A network, its inputs, the labels of the first task, which the second exchanges, and the loss."""

    module: Callable[[], nn.Module]
    inputs: Any
    labels: torch.Tensor = LABELS
    criterion: str | None = None

    def case(self, method: str) -> Case:
        """The method, in the class-incremental scenario where it is trained for one and inputs are of one class."""
        cases = [case for case in CASES if case.method.name == method and case.labels == "classes"]
        return cases[-1 if self.criterion is None else 0]

    @property
    def tasks(self) -> list[hm.Task]:
        """Two tasks."""
        made = []
        for name, labels in (("first", self.labels), ("second", torch.where(self.labels < 0, -100, 1 - self.labels))):
            examples = paths(labels) if isinstance(self.inputs, list) else (self.inputs, labels)
            made.append(hm.Task.of(examples, test=examples, name=name))
        return made


KINDS = {
    "images": Kind(images, numbers(1, 8, 8)),
    "transformer": Kind(transformer, TOKENS),
    "lora": Kind(lora, TOKENS),
    "series": Kind(drawn(Reader), SERIES),
    "graphs": Kind(drawn(GraphNetwork), paths(LABELS)),
    "several labels": Kind(
        drawn(lambda: nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))),
        numbers(4),
        (numbers(3) > 0.5).long(),
        "binary-cross-entropy",
    ),
    "segmentation": Kind(pixels, numbers(1, 4, 4), IGNORED, "cross-entropy"),
}

ONE_TENSOR = r"have several parts .* must be one tensor of numbers: choose a method that"
ONE_CLASS = r"learns one class an input.* These learn any labels by any criterion: .*HypernetworkLearner"
IMITATE = ("hnet-tir", "hnet-r", "hnet-r-gan", "dgr", "dgr-distill", "hnet-likelihood")
"""Methods that imitate inputs, or ask how likely they are."""
REMEMBER = (*IMITATE[:-1], "joint", "lwf", "er", "a-gem", "der", "der-plus-plus")
"""Methods that compute targets of past tasks from the class of each input."""
REFUSED = {
    **{(method, kind): ONE_TENSOR for method in IMITATE for kind in ("transformer", "lora", "series", "graphs")},
    **{(method, kind): ONE_CLASS for method in REMEMBER for kind in ("several labels", "segmentation")},
}
"""What is said by methods that do not learn a kind; all others learn it."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_what_packages_make_is_learned_kept_and_resumed_or_refused(method, kind, tmp_path):
    made = KINDS[kind]
    case = made.case(method)

    def make() -> hm.learners.ContinualLearner:
        return case.make(module=made.module(), criterion=made.criterion, training=TRAINING)

    first, second = made.tasks
    if (method, kind) in REFUSED:
        with pytest.raises(HypermnesiaError, match=REFUSED[method, kind]):
            make().learn(first)
        return
    whole, stopped = make(), make()
    for learner in (whole, stopped):
        learner.learn(first)
    whole.learn(second)
    with pytest.raises(Stopped):
        stopped.learn(second, monitor=stop_at(2))
    stopped.save(tmp_path / "stopped.safetensors")
    resumed = hm.load(tmp_path / "stopped.safetensors", made.module())
    resumed.recall([first])
    for each in (stopped, resumed):
        each.learn(second)
        assert equal(each.state_dict(), whole.state_dict())
    whole.save(tmp_path / "whole.safetensors")
    loaded = hm.load(tmp_path / "whole.safetensors", made.module())
    for task, examples in enumerate((first, second)):
        outputs = whole.predict(made.inputs, task).outputs
        assert outputs.isfinite().all()
        for each in (stopped, resumed, loaded):
            assert torch.equal(each.predict(made.inputs, task).outputs, outputs)
            assert each.score(examples) == whole.score(examples)
