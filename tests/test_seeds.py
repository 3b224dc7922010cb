"""The tree of seeds: a place of its own for every use of chance, and nothing outside of it touched."""

import pytest
import torch

from hypermnesia.seeds import Seeds


def test_a_node_depends_on_the_root_and_its_path_alone():
    assert Seeds(0).child("a", 1).integer() == Seeds(0).child("a").child(1).integer()
    numbers = {
        Seeds(root).child(*path).integer() for root in (0, 1) for path in ((), ("a",), ("b",), ("a", 1), (1, "a"))
    }
    assert len(numbers) == 10
    assert all(0 <= number < 2**63 for number in numbers)


def test_modules_made_in_its_place_are_the_same_and_the_global_generator_goes_on():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    modules = []
    for _ in range(2):
        with Seeds(0).child("module").default_generator():
            modules.append(torch.nn.Linear(3, 2))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(modules[0].weight, modules[1].weight)
    with Seeds(1).child("module").default_generator():
        assert not torch.equal(torch.nn.Linear(3, 2).weight, modules[0].weight)


def test_the_global_generator_goes_on_also_after_an_error():
    state = torch.random.get_rng_state()
    with pytest.raises(ZeroDivisionError), Seeds(0).default_generator():
        torch.rand(1)
        raise ZeroDivisionError
    assert torch.equal(torch.random.get_rng_state(), state)


def test_generators_of_other_devices_are_left_alone(monkeypatch):
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    monkeypatch.setattr(torch.cuda, "manual_seed", seeded.append)
    with Seeds(0).default_generator():
        torch.nn.Linear(3, 2)
    assert seeded == []
