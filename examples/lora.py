"""LoRA by peft: the transformer stays as it is, its small additions are generated for each task, each has its own head.

It needs transformers and peft: pip install transformers peft; python examples/lora.py
"""

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification

import hypermnesia as hm

SIZES = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
TRAINING = {"iterations": 300, "learning_rate": 0.003, "batch_size": 32}


def sentences(number: int, words: tuple[int, int], seed: int) -> tuple[dict[str, Tensor], Tensor]:
    """Sentences of ten words, with one of two words in them; the question is which."""
    generator = torch.Generator().manual_seed(seed)
    tokens, labels = torch.randint(20, 60, (number, 10), generator=generator), torch.arange(number) % 2
    tokens[torch.arange(number), torch.randint(10, (number,), generator=generator)] = torch.tensor(words)[labels]
    return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}, labels


def task(words: tuple[int, int]) -> hm.Task:
    """A task of telling two words apart."""
    return hm.Task.of(sentences(400, words, 0), test=sentences(200, words, 1), name=f"{words[0]} or {words[1]}")


def pretrained() -> nn.Module:
    """A tiny BERT that can tell two words apart; `from_pretrained` gives one that can do more."""
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig(vocab_size=60, num_labels=2, hidden_dropout_prob=0.0, **SIZES))
    learner = hm.SeparateLearner(model, training=TRAINING)
    learner.learn(task((1, 2)))
    return learner.network(0)


def main() -> None:
    """Learn, and print the accuracy on each task at the end."""
    additions = LoraConfig(r=8, target_modules=["query", "value"], modules_to_save=["classifier"], task_type="SEQ_CLS")
    model = get_peft_model(pretrained(), additions)
    learner = hm.HypernetworkLearner(model, own=("*classifier*",), own_start="drawn", training=TRAINING)
    separate = hm.SeparateLearner(model, training=TRAINING)
    tasks = [task(words) for words in ((3, 4), (5, 6), (7, 8))]
    for each in tasks:
        learner.learn(each)
        separate.learn(each)
    for each in tasks:
        ours, alone = 100 * learner.score(each), 100 * separate.score(each)
        print(f"{each.name}: {ours:.1f} % at the end, {alone:.1f} % by a network of its own")


if __name__ == "__main__":
    main()
