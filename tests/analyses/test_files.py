"""What an analysis has computed is computed once, and never taken for something else."""

import json

import pytest

from hypermnesia.analyses.files import Parts


def never(*arguments):
    raise AssertionError("computed again")


def test_every_value_is_there_as_soon_as_it_is_computed(tmp_path):
    path = tmp_path / "made" / "parts.json"
    parts = Parts(path, {"seed": 1})
    for name in ("a", "b"):
        assert parts.get(name, sorted, [2, 1]) == [1, 2]
        again = Parts(path, {"seed": 1})
        assert again.get(name, never) == [1, 2]
    assert again.get("a", never) == [1, 2]
    assert [file.name for file in path.parent.iterdir()] == ["parts.json"]


def test_values_that_depend_on_something_else_are_computed_anew(tmp_path):
    path = tmp_path / "parts.json"
    Parts(path, {"seed": 1}).get("a", lambda: 1)
    assert Parts(path, {"seed": 2}).get("a", lambda: 2) == 2
    assert Parts(path, {"seed": 2}).get("a", never) == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"of": {"seed": 1}, "parts": 3}', b"\xff"])
def test_a_damaged_file_is_begun_anew(tmp_path, content):
    path = tmp_path / "parts.json"
    path.write_bytes(content)
    assert Parts(path, {"seed": 1}).get("a", lambda: 1) == 1
    assert json.loads(path.read_text())["parts"] == {"a": 1}
