"""Data sets of Hugging Face and graphs of PyTorch Geometric are tasks as they are."""

import pytest
import torch
from datasets import Dataset
from torch import nn
from torch.utils.data import DataLoader
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader as GraphLoader
from torch_geometric.nn import GCNConv, global_mean_pool

import hypermnesia as hm
from hypermnesia.errors import DataError
from tests.zoo import Function

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")]

COUNT = 12
INPUTS = torch.rand(COUNT, 3, generator=torch.Generator().manual_seed(0))
LABELS = [number % 2 for number in range(COUNT)]
TRAINING = {"iterations": 4, "batch_size": 5}


@pytest.fixture(scope="module")
def rows() -> Dataset:
    return Dataset.from_dict({"left": INPUTS.tolist(), "label": LABELS})


def module() -> nn.Module:
    return Function(lambda self, left: self.head(left), head=nn.Linear(3, 2))


def test_rows_in_the_format_of_torch_are_learned_whoever_makes_batches(rows):
    rows = rows.with_format("torch")
    learner = hm.HypernetworkLearner(module(), training=TRAINING)
    for name, source in {
        "rows": rows,
        "loader": DataLoader(rows, batch_size=4),
        "stream": rows.to_iterable_dataset(),
    }.items():
        task = hm.Task.of(source, name=name)
        batches = list(task.train.in_order(COUNT))
        assert torch.equal(torch.cat([inputs.parts["left"] for inputs, _ in batches]), INPUTS)
        assert torch.cat([labels for _, labels in batches]).tolist() == LABELS
        learner.learn(task)
    assert learner.num_tasks == 3


def test_rows_of_lists_and_texts_are_refused_with_what_to_do(rows):
    with pytest.raises(DataError, match=r"lists of numbers \('left'\).*with_format\('torch'\)"):
        hm.Task.of(rows)
    with pytest.raises(DataError, match=r"Part 'text.*leave it out"):
        hm.Task.of(rows.add_column("text", ["a"] * COUNT).with_format("torch"))


@pytest.mark.usefixtures("unchecked")  # a frame is no array, but can become one
@pytest.mark.parametrize("backend", [None, "numpy_nullable", "pyarrow"])
def test_data_frames_are_taken_whatever_holds_their_numbers_but_nothing_that_is_missing(backend):
    size = list(range(COUNT))
    frame = Dataset.from_dict({"size": size, "weight": INPUTS[:, 0].tolist(), "label": LABELS}).to_pandas()
    if backend:
        frame = frame.convert_dtypes(dtype_backend=backend)
    task = hm.Task.of((frame[["size", "weight"]], frame["label"]))
    inputs, labels = next(task.train.in_order(COUNT))
    assert torch.equal(inputs, torch.stack([torch.tensor(size, dtype=torch.float32), INPUTS[:, 0]], 1))
    assert labels.tolist() == LABELS
    frame.loc[3, "label"] = None
    with pytest.raises(DataError, match="Labels must be"):
        hm.Task.of((frame[["size", "weight"]], frame["label"]))


class GraphNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.messages, self.head = GCNConv(2, 8), nn.Linear(8, 2)

    def forward(self, graphs):
        nodes = self.messages(graphs.x, graphs.edge_index).relu()
        return self.head(global_mean_pool(nodes, graphs.batch))


def graphs() -> list[Data]:
    """Paths of unequal length."""
    generator = torch.Generator().manual_seed(0)
    made = []
    for number in range(COUNT):
        nodes = 2 + number % 3
        edges = torch.stack([torch.arange(nodes - 1), torch.arange(1, nodes)])
        x = torch.rand(nodes, 2, generator=generator)
        made.append(Data(x=x, edge_index=edges, y=torch.tensor([number % 2])))
    return made


LEARNERS = {
    "hnet": lambda: hm.HypernetworkLearner(GraphNetwork(), training=TRAINING),
    "joint": lambda: hm.JointLearner(GraphNetwork(), scenario="task", training=TRAINING),
    "si": lambda: hm.SILearner(GraphNetwork(), scenario="task", training=TRAINING),
    "ewc": lambda: hm.EWCLearner(GraphNetwork(), scenario="task", training=TRAINING),
    "lwf": lambda: hm.LwFLearner(GraphNetwork(), scenario="task", training=TRAINING),
    "er": lambda: hm.ExperienceReplayLearner(GraphNetwork(), scenario="task", training=TRAINING),
    "der": lambda: hm.DERLearner(GraphNetwork(), scenario="task", training=TRAINING),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_graphs_are_learned_asked_and_kept(name, tmp_path):
    learner = LEARNERS[name]()
    learner.learn(hm.Task.of(graphs(), name="list"))
    learner.learn(hm.Task.of(GraphLoader(graphs(), batch_size=4), name="loader"))
    answer = learner.predict(graphs(), task=0).outputs
    (one,) = (learner.predict(graphs()[:1], task=0).outputs,)
    torch.testing.assert_close(one, answer[:1])
    assert (
        learner.score(graphs(), task=1)
        == (learner.predict(graphs(), task=1).labels == torch.tensor(LABELS)).float().mean()
    )
    learner.save(tmp_path / "learner.safetensors")
    loaded = hm.load(tmp_path / "learner.safetensors", GraphNetwork())
    assert torch.equal(loaded.predict(graphs(), task=0).outputs, answer)


def test_graphs_that_do_not_fit_get_a_sentence(tmp_path):
    learner = LEARNERS["hnet"]()
    learner.learn(graphs())
    with pytest.raises(DataError, match="parts that were learned"):
        learner.predict(torch.zeros(2, 2), task=0)
    with pytest.raises(DataError, match=r"have the parts .*but .* were learned"):
        learner.predict([Data(x=torch.zeros(2, 2))], task=0)
    with pytest.raises(hm.errors.ConfigurationError, match="a network of graphs cannot be traced"):
        hm.export(learner, tmp_path / "net.onnx", task=0, example=graphs())
