"""LoRA by peft around a tiny transformer that was trained here: protected as what it is, nothing of it copied."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import hypermnesia as hm
from hypermnesia.errors import CheckpointError

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning")]

GROUPS, WORDS, LENGTH = 6, 6, 10
GENERATED = {"chunk_size": 128, "hidden": (16,), "embedding_dim": 8, "chunk_embedding_dim": 8}
HEAD_NAME = "model.base_model.model.classifier.modules_to_save.default"
HEAD = {"own": ("*classifier*",), "own_start": "drawn"}
TRAINING = {"iterations": 60, "learning_rate": 0.01, "batch_size": 32}


class Logits(nn.Module):
    """Token ids `[n, length]` to logits `[n, classes]`."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        return self.model(input_ids=tokens).logits


def sentences(groups: tuple[int, ...], number: int, seed: int) -> tuple[Tensor, Tensor]:
    """Random words, three of which come from the group that is the sentence's class."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(2, 2 + GROUPS * WORDS, (number, LENGTH), generator=generator)
    tokens[:, 0] = 1
    labels = torch.arange(number) % len(groups)
    for sentence, label in zip(tokens, labels, strict=True):
        places = 1 + torch.randperm(LENGTH - 1, generator=generator)[:3]
        sentence[places] = 2 + WORDS * groups[label] + torch.randint(WORDS, (3,), generator=generator)
    return tokens, labels


def task(number: int) -> hm.Task:
    """Two groups to be told apart."""
    groups = (2 * number, 2 * number + 1)
    train, test = (sentences(groups, 200, 10 * number + seed) for seed in (0, 1))
    return hm.Task.of(train, test=test, name=f"task {number}")


def pretrained(seed: int = 0) -> nn.Module:
    """A transformer that tells all groups apart."""
    import transformers  # takes seconds

    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=2 + GROUPS * WORDS,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=LENGTH,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        num_labels=GROUPS,
    )
    model = transformers.BertForSequenceClassification(config)
    tokens, labels = sentences(tuple(range(GROUPS)), 600, seed=100)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(150):
        batch = torch.randint(len(tokens), (64,))
        optimizer.zero_grad()
        functional.cross_entropy(model(input_ids=tokens[batch]).logits, labels[batch]).backward()
        optimizer.step()
    return model


@pytest.fixture(scope="module")
def base() -> nn.Module:
    return pretrained()


def with_lora(base: nn.Module, seed: int = 0) -> nn.Module:
    import peft

    torch.manual_seed(seed)  # lora_A is drawn
    config = peft.LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["query", "value"], lora_dropout=0.0)
    return Logits(peft.get_peft_model(copy.deepcopy(base), config))


def first_step(learner: hm.HypernetworkLearner, examples: hm.Task) -> dict[str, float]:
    """What the monitor is told of the first step, which is taken on all examples."""
    steps: list[dict[str, float]] = []
    learner.learn(examples, monitor=lambda p: steps.append({name: float(s) for name, s in p.scalars.items()}))
    return steps[0]


def factors(weights: dict[str, Tensor], factor: str) -> list[Tensor]:
    found = [weight.detach() for name, weight in weights.items() if f".lora_{factor}." in name]
    assert len(found) == 4  # queries and values of two layers
    return found


def test_it_starts_as_the_pretrained_model(base):
    whole_batch = {"iterations": 1, "batch_size": 200}
    tokens, labels = next(task(0).train.in_order(200))
    outputs = Logits(base)(tokens).detach()

    reported = first_step(hm.HypernetworkLearner(with_lora(base), training=whole_batch, **GENERATED), task(0))
    assert reported["task_loss"] == pytest.approx(functional.cross_entropy(outputs, labels).item(), rel=1e-5)
    assert reported["accuracy"] == (outputs.argmax(1) == labels).float().mean()
    assert reported["accuracy"] > 0.5  # its first two classes, of six, are those of the task

    next_to_nothing = {**whole_batch, "learning_rate": 1e-12}
    learner = hm.HypernetworkLearner(with_lora(base), training=next_to_nothing, **GENERATED)
    learner.learn(task(0))
    torch.testing.assert_close(learner.predict(tokens, task=0).outputs, outputs)

    from_zero = hm.HypernetworkLearner(with_lora(base), start="zero", training=whole_batch, **GENERATED)
    assert first_step(from_zero, task(0))["task_loss"] > 2 * reported["task_loss"]


def test_both_factors_learn_from_where_peft_starts_them(base):
    module = with_lora(base)
    begun = dict(module.named_parameters())
    assert not any(factor.any() for factor in factors(begun, "B"))
    learner = hm.HypernetworkLearner(module, training=TRAINING, **GENERATED, **HEAD)
    learner.learn(task(0))
    learned = learner.hypernetwork(0)
    for before, after in zip(factors(begun, "A"), factors(learned, "A"), strict=True):
        assert after.norm() > before.norm() / 2
        assert not torch.equal(after, before)
    assert all(factor.all() for factor in factors(learned, "B"))
    # The module itself is not touched.
    assert not any(factor.any() for factor in factors(dict(module.named_parameters()), "B"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_tasks_are_learned_and_remembered_with_a_head_each(base, dtype):
    module = with_lora(copy.deepcopy(base).to(dtype))
    learner = hm.HypernetworkLearner(module, training=TRAINING, **GENERATED, **HEAD)
    accuracies = hm.learn_sequence(learner, [task(number) for number in range(3)])
    assert accuracies[-1].min() > 0.85
    assert hm.evaluation.forgetting(accuracies) < 0.05
    heads = [of_task[f"{HEAD_NAME}.weight"] for of_task in learner.state_dict()["parts"]["network"]["of_task"]]
    assert len(heads) == 3
    assert not torch.equal(heads[0], heads[1])


def test_a_file_without_the_base_is_small_and_asks_for_the_same_base(base, tmp_path: Path):
    learner = hm.HypernetworkLearner(with_lora(base), training=TRAINING, **GENERATED, **HEAD)
    for number in range(2):
        learner.learn(task(number))
    whole, without = tmp_path / "whole", tmp_path / "without"
    learner.save(whole)
    learner.save(without, module=False)
    bytes_of_base = 4 * sum(parameter.numel() for parameter in base.parameters())
    assert whole.stat().st_size - without.stat().st_size > 0.9 * bytes_of_base
    assert without.stat().st_size < 0.4 * bytes_of_base
    assert learner.memory_bytes < 0.2 * bytes_of_base

    tokens, _ = next(task(1).test.in_order(50))
    loaded = hm.load(without, with_lora(base))
    assert torch.equal(loaded.predict(tokens, task=1).outputs, learner.predict(tokens, task=1).outputs)
    for other in (with_lora(pretrained(1)), with_lora(base, seed=1)):
        with pytest.raises(CheckpointError, match=r"those of the module given now are others: '.*give the same module"):
            hm.load(without, other)
