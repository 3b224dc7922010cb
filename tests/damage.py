"""Damage to files and to what they hold, as hypothesis draws it: cut, flipped, swapped, retyped, enlarged, replaced."""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

HOSTILE: tuple[Any, ...] = (
    *(None, True, -1, 0, 3, 10**30, 10**6, 1e300, -0.5, float("nan"), float("inf")),
    *("", "3", "x", "nul\0", "\udcff", "\x1b[31m", "x" * 5000, "[/bold]", "</script><script>alert(1)</script>"),
    *([], {}, [[1]], {"a": 1}, [None] * 1000),
)
"""Values that somebody may put in the place of any other."""


def places(node: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Places of all values in nested dicts and lists."""
    yield place
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield from places(value, (*place, key))


def replaced(node: Any, place: tuple[Any, ...], value: Any) -> Any:
    """The nested value with another one at a place."""
    if not place:
        return value
    result = copy.copy(node)
    result[place[0]] = replaced(node[place[0]], place[1:], value)
    return result


def damage(draw: st.DataObject, run: Path) -> str:
    """Damage one file of a run directory; returns what was done."""
    files = sorted(path for path in run.rglob("*") if path.is_file() and not path.name.startswith("."))
    file = draw.draw(st.sampled_from(files), label="file")
    content = file.read_bytes()
    kind = draw.draw(st.sampled_from(["cut", "flip", "swap", "retype", "retype", "enlarge", "replace"]), label="kind")
    if kind == "cut":
        file.write_bytes(content[: draw.draw(st.integers(0, len(content)))])
    elif kind == "flip":
        place, mask = draw.draw(st.integers(0, max(len(content) - 1, 0))), draw.draw(st.integers(1, 255))
        file.write_bytes(content[:place] + bytes([content[place] ^ mask]) + content[place + 1 :] if content else b"?")
    elif kind == "swap":
        other = draw.draw(st.sampled_from(files), label="other")
        file.write_bytes(other.read_bytes())
        other.write_bytes(content)
    elif kind == "retype":
        file.write_bytes(_retyped(draw, file.suffix, content))
    elif kind == "enlarge":
        piece = draw.draw(st.sampled_from([content, b"0", b"\0", b"[", b"\n", b"\xff"]))
        file.write_bytes(content + piece * (3_000_000 // max(len(piece), 1)))
    else:
        _replace(draw, file)
    return f"{kind} {file.name}"


def _replace(draw: st.DataObject, file: Path) -> None:
    by = draw.draw(st.sampled_from(["nothing", "folder", "pipe", "device", "loop", "elsewhere", "sparse"]), label="by")
    file.unlink()
    if by == "folder":
        file.mkdir()
    elif by == "pipe":
        os.mkfifo(file)
    elif by == "sparse":
        file.touch()
        os.truncate(file, 1 << 40)
    elif by != "nothing":
        file.symlink_to({"device": "/dev/zero", "loop": file.name, "elsewhere": "/etc/passwd"}[by])


def _retyped(draw: st.DataObject, suffix: str, content: bytes) -> bytes:
    """The content with one value of it replaced by any other."""
    value = draw.draw(st.sampled_from(HOSTILE), label="value")
    text = content.decode(errors="surrogateescape")
    if suffix == ".yaml":
        tree = yaml.safe_load(text)
        place = draw.draw(st.sampled_from(list(places(tree))), label="place")
        return yaml.safe_dump(replaced(tree, place, value)).encode(errors="surrogatepass")
    if suffix == ".json":
        tree = json.loads(text)
        place = draw.draw(st.sampled_from(list(places(tree))), label="place")
        return json.dumps(replaced(tree, place, value)).encode()
    lines = text.splitlines()
    if not lines:
        return str(value).encode(errors="surrogatepass")
    number = draw.draw(st.integers(0, len(lines) - 1), label="line")
    if suffix == ".jsonl":
        record = json.loads(lines[number])
        if draw.draw(st.booleans(), label="key"):
            record[str(value)] = 1.0
        else:
            record[draw.draw(st.sampled_from(sorted(record)))] = value
        lines[number] = json.dumps(record)
    else:
        cells = lines[number].split(",")
        cells[draw.draw(st.integers(0, len(cells) - 1))] = str(value).replace("\n", " ")
        lines[number] = ",".join(cells)
    return ("\n".join(lines) + "\n").encode(errors="surrogateescape" if "\udcff" in text else "surrogatepass")


def copied(run: Path, to: Path) -> Path:
    """A copy of a directory, in the place of what was there."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(run, to)
    return to
