"""Networks of Hugging Face take dictionaries, keep what they have learned, and leave as ONNX and torch.export."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, GPT2Config, GPT2ForSequenceClassification

import hypermnesia as hm
from hypermnesia.errors import ConfigurationError, StopLearning
from tests.nested import equal

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning")]

TRAINING = {"iterations": 6, "learning_rate": 0.003, "batch_size": 8}
TOKENS = torch.randint(1, 30, (24, 6), generator=torch.Generator().manual_seed(0))
INPUTS = {"input_ids": TOKENS, "attention_mask": torch.ones_like(TOKENS)}
LABELS = (TOKENS[:, 0] > 15).long()


def reader() -> nn.Module:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return BertForSequenceClassification(BertConfig(vocab_size=30, num_labels=2, **sizes))


def writer() -> nn.Module:
    """One that keeps keys and values for the next call unless it is told not to."""
    torch.manual_seed(0)
    return GPT2ForSequenceClassification(
        GPT2Config(vocab_size=30, n_embd=16, n_layer=1, n_head=2, num_labels=2, pad_token_id=0, use_cache=True)
    )


LEARNERS = {
    "hnet": lambda module: hm.HypernetworkLearner(module, training=TRAINING),
    "ewc": lambda module: hm.EWCLearner(module, scenario="task", training=TRAINING),
    "er": lambda module: hm.ExperienceReplayLearner(module, scenario="task", training=TRAINING),
    "separate": lambda module: hm.SeparateLearner(module, training=TRAINING),
}


@pytest.mark.parametrize("module", [reader, writer])
@pytest.mark.parametrize("name", LEARNERS)
def test_dictionaries_are_learned_kept_and_resumed(name, module, tmp_path):
    first, second = (hm.Task.of((INPUTS, labels), name=str(n)) for n, labels in enumerate((LABELS, 1 - LABELS)))
    whole, stopped = (LEARNERS[name](module()) for _ in range(2))
    for learner in (whole, stopped):
        learner.learn(first)
    whole.learn(second)

    def stop(progress):
        if progress.iteration == 3:
            raise StopLearning

    with pytest.raises(StopLearning):
        stopped.learn(second, monitor=stop)
    stopped.save(tmp_path / "learner.safetensors")
    resumed = hm.load(tmp_path / "learner.safetensors", module())
    resumed.learn(second)
    assert equal(resumed.state_dict(), whole.state_dict())
    answer = whole.predict(INPUTS, task=0).outputs
    assert torch.equal(resumed.predict(INPUTS, task=0).outputs, answer)
    if module is writer and name in ("ewc", "er"):  # it chooses a token behind the head, which has grown
        with pytest.raises(ConfigurationError, match="something comes after the head 'score'"):
            whole.network(0)
        return
    with torch.no_grad():
        assert torch.equal(whole.network(0)(**INPUTS).logits, answer)


@pytest.mark.parametrize("module", [reader, writer])
def test_a_models_own_loss_is_its_cross_entropy(module):
    """So what is learned by it is what is learned by cross-entropy."""
    learners = [hm.HypernetworkLearner(module(), criterion=given, training=TRAINING) for given in ("model", None)]
    for learner in learners:
        learner.learn((INPUTS, LABELS))
        learner.learn((INPUTS, 1 - LABELS))
    own, usual = learners
    torch.testing.assert_close(own.predict(INPUTS, task=0).outputs, usual.predict(INPUTS, task=0).outputs)
    assert own.score((INPUTS, LABELS), task=0) == usual.score((INPUTS, LABELS), task=0)


@pytest.mark.parametrize("module", [reader, writer])
def test_exported_networks_take_other_numbers_and_lengths(module, tmp_path):
    learner = LEARNERS["hnet"](module())
    for task in range(2):
        learner.learn(hm.Task.of((INPUTS, (LABELS + task) % 2), name=str(task)))
    hm.export(learner, tmp_path / "one.onnx", task=1, example=INPUTS, dynamic=(0, 1))
    session = onnxruntime.InferenceSession(tmp_path / "one.onnx")
    assert [each.name for each in session.get_inputs()] == list(INPUTS)
    shorter = {name: part[:5, :4] for name, part in INPUTS.items()}
    (found,) = session.run(None, {name: part.numpy() for name, part in shorter.items()})
    np.testing.assert_allclose(found, learner.predict(shorter, task=1).outputs, atol=1e-5)
    hm.export(learner, tmp_path / "all.pt2", example=INPUTS)
    program = torch.export.load(tmp_path / "all.pt2").module()
    for task in range(2):
        outputs = program(**INPUTS, task=torch.tensor(task))
        torch.testing.assert_close(outputs, learner.predict(INPUTS, task=task).outputs)
