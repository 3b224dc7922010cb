"""An LSTM learns series of unequal length: padded ones, with their lengths beside them.

python examples/series.py
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import hypermnesia as hm


class Reader(nn.Module):
    """What an LSTM knows after the last number of each series."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent, self.head = nn.LSTM(1, 32, batch_first=True), nn.Linear(32, 2)

    def forward(self, series: Tensor, lengths: Tensor) -> Tensor:
        """Return the logits of series `[n, longest, 1]` that have these lengths `[n]`."""
        packed = pack_padded_sequence(series, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return self.head(self.recurrent(packed)[1][0][0])


def waves(number: int, period: float, seed: int) -> tuple[dict[str, Tensor], Tensor]:
    """Noisy waves of a period, or of one and a half of it."""
    generator = torch.Generator().manual_seed(seed)
    labels, lengths = torch.arange(number) % 2, torch.randint(12, 25, (number,), generator=generator)
    phases = 6.3 * torch.rand(number, 1, generator=generator)
    angles = 6.3 * torch.arange(24) / (period * (1 + labels[:, None] / 2)) + phases
    series = angles.sin() + 0.1 * torch.randn(number, 24, generator=generator)
    series[torch.arange(24) >= lengths[:, None]] = 0
    return {"series": series[..., None], "lengths": lengths}, labels


def main() -> None:
    """Learn, and print the accuracy on each task at the end."""
    torch.manual_seed(0)
    training = {"iterations": 250, "learning_rate": 0.005, "batch_size": 64}
    learners = [kind(Reader(), training=training) for kind in (hm.HypernetworkLearner, hm.SeparateLearner)]
    tasks = []
    for period in (4.0, 5.0, 6.0):
        train, test = (waves(500, period, seed) for seed in (0, 1))
        tasks.append(hm.Task.of(train, test=test, name=f"periods {period:g} and {1.5 * period:g}"))
        for learner in learners:
            learner.learn(tasks[-1])
    for task in tasks:
        ours, alone = (100 * learner.score(task) for learner in learners)
        print(f"{task.name}: {ours:.1f} % at the end, {alone:.1f} % by a network of its own")


if __name__ == "__main__":
    main()
