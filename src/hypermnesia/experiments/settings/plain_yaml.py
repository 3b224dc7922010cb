"""YAML as plain values, and nothing else: the core schema of YAML 1.2, with bounds on what a text may become.

PyYAML finds the structure; what its scalars mean is decided here, because it knows YAML 1.1 only, in which `no` is
false, `1:30` is ninety, and 2024-01-31 is no text.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import yaml

from hypermnesia.errors import shown

DEEPEST, MOST = 64, 100_000
"""Most levels of a value, and most values in it, those that aliases stand for included."""
LARGEST = 2**63 - 1
"""Largest whole number, with either sign."""

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, but for the speed
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **{f"{sign}.{word}": float(f"{sign}inf") for sign in ("", "+", "-") for word in ("inf", "Inf", "INF")},
}
_NUMBERS: list[tuple[re.Pattern[str], Callable[[str], int | float]]] = [
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"0o[0-7]+"), lambda text: int(text[2:], 8)),
    (re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text[2:], 16)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
]
_DIGITS = 1000  # of a number that is worth reading


def parse(text: str) -> Any:
    """The value that a piece of YAML stands for: texts, numbers, true and false, null, lists of them, dicts by text.

    Args:
        text: One document, or nothing, which is null.

    Raises:
        yaml.YAMLError: It is no YAML, or has a key twice, a tag, a second document, a number that is too large, or more
            levels or values than there may be.

    Example:
        >>> parse("[1e-3, 017, no, 1:30, 2024-01-31, 0x1F]")
        [0.001, 17, 'no', '1:30', '2024-01-31', 31]
    """
    try:
        return _Reading(yaml.parse(text, Loader=_PARSER)).document()
    except UnicodeEncodeError as error:
        raise yaml.YAMLError(f"character {error.start + 1} is none that a text may have") from error


@dataclasses.dataclass(frozen=True)
class _Node:
    """A value with the number of values and of levels that it has, itself included."""

    value: Any
    size: int = 1
    height: int = 1


class _Reading:
    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._anchors: dict[str, _Node] = {}
        self._size = 0

    def document(self) -> Any:
        value = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                value = self._node(next(self._events), 1).value
                self._expect(next(self._events), yaml.DocumentEndEvent)
                self._expect(next(self._events), yaml.StreamEndEvent)
        return value

    def _expect(self, event: Any, kind: type[yaml.Event]) -> None:
        if not isinstance(event, kind):
            _refuse(event, "a second document begins; there may be one only")

    def _node(self, event: Any, depth: int) -> _Node:
        if getattr(event, "tag", None) not in (None, "!"):
            _refuse(event, f"{shown(event.tag)} is a tag; only plain texts, numbers, lists and sections are read")
        if isinstance(event, yaml.AliasEvent):
            if (known := self._anchors.get(event.anchor or "")) is None:
                _refuse(event, f"*{event.anchor} stands for nothing that ends before it")
            self._count(event, known.size, depth + known.height - 1)
            return known
        self._count(event, 1, depth)
        if isinstance(event, yaml.ScalarEvent):
            node = _Node(_scalar(event))
        else:
            made = self._list(depth) if isinstance(event, yaml.SequenceStartEvent) else self._section(depth)
            value, inner = made
            node = _Node(value, 1 + sum(each.size for each in inner), 1 + max((n.height for n in inner), default=0))
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _count(self, event: Any, values: int, depth: int) -> None:
        self._size += values
        if depth > DEEPEST:
            _refuse(event, f"there are more than {DEEPEST} levels")
        if self._size > MOST:
            _refuse(event, f"there are more than {MOST:,} values, with those that aliases stand for")

    def _list(self, depth: int) -> tuple[list[Any], list[_Node]]:
        inner = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            inner.append(self._node(event, depth + 1))
        return [node.value for node in inner], inner

    def _section(self, depth: int) -> tuple[dict[str, Any], list[_Node]]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        lines: dict[str, int] = {}
        inner = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                _refuse(event, "a key must be a text")
            if first := lines.get(event.value):
                _refuse(event, f"{shown(event.value)} stands twice in one section, first on line {first}; keep one")
            mark: Any = event.start_mark
            lines[event.value] = mark.line + 1
            node = self._node(following := next(self._events), depth + 1)
            inner.append(node)
            if event.value == "<<" and event.implicit[0]:
                merged = _merged(following, node.value)
            else:
                own[event.value] = node.value
        return {**merged, **own}, inner


def _merged(event: Any, value: Any) -> dict[str, Any]:
    """Sections that `<<` puts below one, of which the first to have a key counts."""
    result: dict[str, Any] = {}
    for section in value if isinstance(value, list) else [value]:
        if not isinstance(section, dict):
            _refuse(event, "<< must be followed by a section, or a list of sections")
        result = {**section, **result}
    return result


def needs_quotation(text: str) -> bool:
    """Whether a text would be read as something else where it stands without quotation marks.

    Example:
        >>> needs_quotation("1e5"), needs_quotation("no")
        (True, False)
    """
    return text in _WORDS or any(form.fullmatch(text) for form, _ in _NUMBERS)


def _scalar(event: Any) -> Any:
    text: str = event.value
    if not event.implicit[0]:  # it stands in quotation marks, or is a block
        return text
    if text in _WORDS:
        return _WORDS[text]
    for form, number in _NUMBERS:
        if form.fullmatch(text):
            value = number(text) if len(text) <= _DIGITS else math.inf
            if math.isinf(value) or (isinstance(value, int) and abs(value) > LARGEST):
                _refuse(event, f"{shown(text)} is a number too large to be read; whole ones end at 2^63 - 1")
            return value
    return text


def _refuse(event: Any, problem: str) -> NoReturn:
    raise yaml.MarkedYAMLError(None, None, problem, event.start_mark)
