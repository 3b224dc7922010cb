"""Several objectives in the same steps: each is learned as if it were alone."""

import pytest
import torch
from torch import nn

from hypermnesia.seeds import Seeds
from hypermnesia.tasks import TensorExamples
from hypermnesia.training import Objective, Trainer, TrainingSettings
from hypermnesia.training.objective import CombinedObjective

CPU = torch.device("cpu")
EXAMPLES = TensorExamples(torch.randn(40, 3, generator=torch.Generator().manual_seed(0)), torch.arange(40).remainder(2))


class Fitting(Objective):
    """A linear map, learned with noise of its own."""

    def __init__(self, seed: int):
        torch.manual_seed(seed)
        self.module, self.seed = nn.Linear(3, 2), seed

    def named_parameters(self):
        return dict(self.module.named_parameters())

    def prepare(self, iteration):
        self.noise = torch.randn(3, generator=Seeds(self.seed).child(iteration).generator())

    def add_gradients(self, inputs, labels, portion):
        loss = nn.functional.cross_entropy(self.module(inputs + self.noise), labels)
        portion.loss(loss).backward()
        return {"loss": loss.detach(), "number": torch.tensor(float(self.seed))}


def learn(objective: Objective, name: str) -> list[dict[str, float]]:
    found = []
    settings = TrainingSettings(optimizer=name, learning_rate=0.1, iterations=5, batch_size=8)
    trainer = Trainer(objective, EXAMPLES, settings, Seeds(0), CPU)
    trainer.run(lambda progress: found.append({key: float(value) for key, value in progress.scalars.items()}))
    return found


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
def test_each_is_learned_as_if_alone_and_reports_under_its_name(optimizer):
    alone, together = [Fitting(seed) for seed in range(3)], [Fitting(seed) for seed in range(3)]
    apart = [learn(objective, optimizer) for objective in alone]
    main, one, two = together
    joint = learn(CombinedObjective(main, {"one": one, "two": two}), optimizer)
    for expected, objective in zip(alone, together, strict=True):
        for wanted, parameter in zip(expected.parameters(), objective.parameters(), strict=True):
            assert torch.equal(parameter, wanted)
    for step, scalars in enumerate(joint):
        losses = [apart[i][step]["loss"] for i in range(3)]
        assert scalars.keys() == {"loss", "number", "one/loss", "one/number", "two/loss", "two/number"}
        assert scalars["loss"] == pytest.approx(sum(losses))
        assert [scalars["one/loss"], scalars["two/loss"]] == losses[1:]
        assert [scalars["number"], scalars["one/number"], scalars["two/number"]] == [0, 1, 2]
