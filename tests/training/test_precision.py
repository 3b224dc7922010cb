"""Half precision where the processor has no units for it is said to be a trap."""

import warnings

import pytest
import torch
from torch import nn

import hypermnesia as hm
from hypermnesia.errors import Note
from hypermnesia.training import precision

TASK = torch.eye(4), torch.arange(4) % 2


def notes(training) -> set[str]:
    """Each once, as Python shows them."""
    with warnings.catch_warnings(record=True, action="always") as caught:
        learner = hm.FineTuningLearner(nn.Linear(4, 2), training={"iterations": 2, **training})
        learner.learn(TASK)
    return {str(each.message) for each in caught if each.category is Note and "precision" in str(each.message)}


@pytest.mark.parametrize("times", [1.5, 25.4])
def test_it_is_told_with_how_much_slower_it_is_where_it_is(times, monkeypatch):
    monkeypatch.setattr(precision, "time_of_halves", lambda: {"bfloat16": times, "float16": 2 * times})
    assert notes({}) == set()
    told = [notes({"precision": kind}) for kind in ("bfloat16", "float16")]
    if times < 4:
        assert told == [set(), set()]
    else:
        (bfloat16,), (float16,) = told
        assert "training.precision=bfloat16" in bfloat16 and "25 times as long" in bfloat16
        assert "training.precision=float16" in float16 and "51 times as long" in float16


def test_it_is_measured_in_the_types_themselves_whatever_torch_would_make_of_them():
    precision.time_of_halves.cache_clear()
    kinds = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func is torch.ops.aten.mm.default:
                kinds.append((args[0].dtype, args[0].device.type))
            return func(*args, **(kwargs or {}))

    with torch.autocast("cpu", torch.bfloat16), torch.device("meta"), Watch():
        found = precision.time_of_halves()
    assert set(kinds) == {(kind, "cpu") for kind in (torch.float32, torch.bfloat16, torch.float16)}
    assert all(times > 0 for times in found.values())
    assert precision.time_of_halves() is found
