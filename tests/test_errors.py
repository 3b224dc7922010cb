"""Notes are lines on stderr, each told once, and other warnings stay what they are."""

import warnings

import pytest

from hypermnesia.errors import note, notes_as_lines, without_notes


def test_a_note_is_a_line_told_once_even_where_filters_change_between(capsys: pytest.CaptureFixture[str]) -> None:
    with notes_as_lines():
        for text in ("one", "two", "one", "one"):
            note(text)
            with warnings.catch_warnings():
                warnings.simplefilter("default")
    assert capsys.readouterr() == ("", "Note: one\nNote: two\n")


def test_nothing_is_noted_where_it_was_before(capsys: pytest.CaptureFixture[str]) -> None:
    with notes_as_lines():
        with without_notes():
            note("one")
        note("two")
    assert capsys.readouterr() == ("", "Note: two\n")


def test_other_warnings_are_shown_as_ever() -> None:
    with pytest.warns(RuntimeWarning, match="hot"), notes_as_lines():
        warnings.warn("hot", RuntimeWarning, stacklevel=1)
