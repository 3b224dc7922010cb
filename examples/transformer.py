"""A transformer of Hugging Face reads dictionaries: token numbers and an attention mask, padded batch by batch.

It needs transformers: pip install transformers; python examples/transformer.py
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader
from transformers import BertConfig, BertForSequenceClassification

import hypermnesia as hm

SIZES = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}


def network() -> nn.Module:
    """A tiny BERT, drawn from the seed; `from_pretrained` gives one that can read."""
    torch.manual_seed(0)
    return BertForSequenceClassification(BertConfig(vocab_size=40, num_labels=2, hidden_dropout_prob=0.0, **SIZES))


def sentences(number: int, word: int, seed: int) -> list[dict[str, Tensor]]:
    """Sentences of unequal length; the question is whether a certain word is in them."""
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for label in torch.arange(number) % 2:
        tokens = torch.randint(10, 40, (5 + int(torch.randint(7, (), generator=generator)),), generator=generator)
        if label:
            tokens[int(torch.randint(len(tokens), (), generator=generator))] = word
        rows.append({"input_ids": tokens, "labels": label})
    return rows


def padded(rows: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """A batch, as `DataCollatorWithPadding` makes it, too."""
    tokens = pad_sequence([row["input_ids"] for row in rows], batch_first=True)
    labels = torch.stack([row["labels"] for row in rows])
    return {"input_ids": tokens, "attention_mask": (tokens > 0).long(), "labels": labels}


def main() -> None:
    """Learn, and print the accuracy on each task at the end."""
    training = {"epochs": 12, "learning_rate": 0.002}
    learners = [kind(network(), training=training) for kind in (hm.HypernetworkLearner, hm.SeparateLearner)]
    tasks = []
    for word in (1, 2, 3):
        train, test = (DataLoader(sentences(400, word, seed), 32, collate_fn=padded) for seed in (0, 1))
        tasks.append(hm.Task.of(train, test=test, name=f"word {word}"))
        for learner in learners:
            learner.learn(tasks[-1])
    for task in tasks:
        ours, alone = (100 * learner.score(task) for learner in learners)
        print(f"{task.name}: {ours:.1f} % at the end, {alone:.1f} % by a network of its own")


if __name__ == "__main__":
    main()
