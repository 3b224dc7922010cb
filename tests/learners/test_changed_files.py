"""Saved learners that somebody has changed: refused with a sentence, also under a valid checksum."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import hypermnesia as hm
from hypermnesia.errors import CheckpointError, StopLearning
from hypermnesia.training.checkpoint import read_state, write_state
from tests.damage import HOSTILE, places, replaced

LEARNERS = {
    "hnet": (hm.HypernetworkLearner, {"chunk_size": 20, "hidden": (4,)}),
    "ewc": (hm.EWCLearner, {}),
    "er": (hm.ExperienceReplayLearner, {"buffer_size": 8}),
    "hnet-r": (
        hm.ReplayLearner,
        {
            "replay": {
                "model": {
                    "kind": "vae",
                    "hidden": (4,),
                    "encoder_hidden": (4,),
                    "distribution": "normal",
                    "hypernetwork": {"chunk_size": 20, "hidden": (4,)},
                }
            }
        },
    ),
}
OTHER_TENSORS = (
    *(torch.ones(()), torch.ones(1), torch.zeros(0), torch.ones(2, 3), torch.ones(5, dtype=torch.int64)),
    *(torch.ones(3, 1, dtype=torch.float64), torch.ones(4, dtype=torch.bool), torch.full((6,), torch.nan)),
)
INPUTS = torch.linspace(0, 1, 12).view(6, 2)


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 2))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """File of each learner after two tasks."""
    files = {}
    for name, (kind, arguments) in LEARNERS.items():
        learner = kind(network(), training={"iterations": 3, "batch_size": 4}, **arguments)
        for shift in (0, 1):
            learner.learn((INPUTS + shift, torch.tensor([0, 1] * 3)))
        files[name] = tmp_path_factory.mktemp("saved") / f"{name}.safetensors"
        learner.save(files[name])
    return files


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_a_changed_state_under_a_valid_checksum_is_refused_or_taken(saved, tmp_path_factory, unchecked, data):
    name = data.draw(st.sampled_from(sorted(saved)))
    state, path = read_state(saved[name]), tmp_path_factory.getbasetemp() / "changed.safetensors"
    place = data.draw(st.sampled_from(list(places(state))), label="place")
    value = data.draw(st.sampled_from([*HOSTILE, *OTHER_TENSORS]), label="value")
    write_state(path, replaced(state, place, value))
    try:
        LEARNERS[name][0].load(path, network())
    except CheckpointError as error:
        assert len(str(error)) < 2000
        assert str(path) in str(error)


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused(saved, tmp_path_factory, data):
    name = data.draw(st.sampled_from(sorted(saved)))
    path, content = tmp_path_factory.getbasetemp() / "damaged.safetensors", saved[name].read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    kind = data.draw(st.sampled_from(["cut", "flip", "enlarge"]))
    mask = data.draw(st.integers(1, 255))
    flipped = content[:place] + bytes([content[place] ^ mask]) + content[place + 1 :]
    path.write_bytes({"cut": content[:place], "flip": flipped, "enlarge": content + b"\0" * (place + 1)}[kind])
    with pytest.raises(CheckpointError, match=str(path)):
        LEARNERS[name][0].load(path, network())


def nested(depth: int) -> list:
    node: list = []
    for _ in range(depth):
        node = [node]
    return node


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ((), []),
        (("kind",), {}),
        (("settings",), 3),
        (("settings", "embedding_dim"), 10**12),
        (("arguments",), {"seeds": 3}),
        (("arguments", "seed"), "3"),
        (("state",), nested(100)),
        (("state", "learned", 0, "outputs"), True),
        (("state", "learned", 0, "name"), None),
        (("state", "parts"), {}),
        (("state", "labels"), []),
        (("state", "input_shape"), 3),
        (("state", "parts", "network", "task_embeddings", 0), torch.ones(1)),
        (("state", "parts", "network", "task_embeddings", 0), torch.ones(24, dtype=torch.int64)),
    ],
)
def test_what_is_no_state_of_this_learner_is_refused_in_a_sentence(saved, tmp_path, unchecked, place, value):
    state = read_state(saved["hnet"])
    write_state(tmp_path / "changed", replaced(state, place, value))
    with pytest.raises(CheckpointError) as caught:
        hm.HypernetworkLearner.load(tmp_path / "changed", network())
    assert str(tmp_path / "changed") in str(caught.value) and len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("hnet", ("learned", 0, "outputs"), 10**18),
        ("hnet", ("input_shape", 0), 10**18),
        ("hnet", ("input_shape", 0), -1),
        ("ewc", ("parts", "consolidation", "num_tasks"), 10**18),
        ("ewc", ("parts", "consolidation", "num_tasks"), -1),
        ("ewc", ("parts", "consolidation", "penalty", "spread"), torch.tensor(-1.0)),
        ("er", ("parts", "buffer", "kept", 0, 1), torch.full((4,), -1)),
        ("hnet-r", ("parts", "classifier", "model", "num_tasks"), 10**18),
    ],
)
def test_numbers_of_the_right_type_that_cannot_be_are_refused(saved, tmp_path, name, place, value):
    write_state(tmp_path / "changed", replaced(read_state(saved[name]), ("state", *place), value))
    with pytest.raises(CheckpointError, match=r"changed.* must be .*|changed.* is negative .*"):
        LEARNERS[name][0].load(tmp_path / "changed", network())


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("current", "number"), 7),
        (("current", "number"), -1),
        (("trainer", "iteration"), -1),
        (("parts", "network", "current"), 9),
    ],
)
def test_so_are_those_of_a_task_in_progress(place, value):
    def made() -> hm.HypernetworkLearner:
        return hm.HypernetworkLearner(
            network(), training={"iterations": 3, "batch_size": 4}, chunk_size=20, hidden=(4,)
        )

    def stop(progress) -> None:
        raise StopLearning

    learner, task = made(), (INPUTS, torch.tensor([0, 1] * 3))
    learner.learn(task)
    with pytest.raises(StopLearning):
        learner.learn((INPUTS + 1, torch.tensor([0, 1] * 3)), monitor=stop)
    with pytest.raises(CheckpointError, match="must be from 0 to"):
        made().load_state_dict(replaced(learner.state_dict(), place, value))
    further = made()
    further.load_state_dict(replaced(learner.state_dict(), ("trainer", "iteration"), 10**9))
    with pytest.raises(CheckpointError, match="1,000,000,000 iterations of this task are said to be done"):
        further.learn((INPUTS + 1, torch.tensor([0, 1] * 3)))


def test_files_of_equal_states_are_equal_in_whatever_order_their_keys_were_made(tmp_path):
    a, b = torch.ones(2), torch.zeros(3)
    write_state(tmp_path / "one", {"first": a, "second": {"x": b, "y": 1}})
    write_state(tmp_path / "two", {"second": {"y": 1, "x": b}, "first": a})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert b'{"000000":{' in (tmp_path / "one").read_bytes()[8:40]  # keys of the header in order


def test_a_pipe_or_a_link_to_a_device_is_no_file(tmp_path):
    (tmp_path / "zero").symlink_to("/dev/zero")
    with pytest.raises(CheckpointError, match="it is a pipe or a device"):
        read_state(tmp_path / "zero")
