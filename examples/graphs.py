"""A graph network of PyTorch Geometric learns which trees have a node with so many leaves.

It needs torch-geometric: pip install torch-geometric; python examples/graphs.py
"""

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GINConv, global_add_pool

import hypermnesia as hm


class Network(nn.Module):
    """Three rounds of messages, and the sum over nodes."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        torch.manual_seed(0)
        mlps = (nn.Sequential(nn.Linear(n, width), nn.ReLU(), nn.Linear(width, width)) for n in (1, width, width))
        self.rounds = nn.ModuleList(map(GINConv, mlps))
        self.head = nn.Linear(width, 2)

    def forward(self, graphs: Batch) -> Tensor:
        """Return the logits of a batch of graphs."""
        nodes = graphs.x
        for messages in self.rounds:
            nodes = messages(nodes, graphs.edge_index).relu()
        return self.head(global_add_pool(nodes, graphs.batch) / 10)


def graphs(number: int, leaves: int, seed: int) -> list[Data]:
    """Draw paths with leaves: all on one node, or all but one."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for label in torch.arange(number) % 2:
        length, center = (int(torch.randint(*ends, (), generator=generator)) for ends in ((5, 9), (1, 3)))
        ends = [*range(length - 1), *[center] * (leaves - 1), center if label else 0]
        edges = torch.stack([torch.tensor(ends), torch.arange(1, length + leaves)])
        both = torch.cat([edges, edges.flip(0)], 1)
        made.append(Data(x=torch.ones(length + leaves, 1), edge_index=both, y=label[None]))
    return made


def main() -> None:
    """Learn, and print the accuracy on each task at the end."""
    training = {"iterations": 150, "learning_rate": 0.003, "batch_size": 32}
    tasks = [hm.Task.of(graphs(200, n, 0), test=graphs(200, n, 1), name=f"{n} leaves") for n in (3, 4, 5)]
    learners = hm.HypernetworkLearner(Network(), training=training), hm.SeparateLearner(Network(), training=training)
    for learner in learners:
        for task in tasks:
            learner.learn(task)
    for task in tasks:
        ours, alone = (100 * learner.score(task) for learner in learners)
        print(f"{task.name}: {ours:.1f} % at the end, {alone:.1f} % by a network of its own")


if __name__ == "__main__":
    main()
