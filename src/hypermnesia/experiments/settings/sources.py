"""Settings as nested dictionaries: read from presets and YAML files, merged, changed and written.

What they mean is the business of `hypermnesia.experiments.settings.config`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from hypermnesia.errors import ConfigurationError, did_you_mean, shown
from hypermnesia.experiments.settings.plain_yaml import needs_quotation, parse
from hypermnesia.files import read_regular

DEFAULT_PRESET = "split-digits"
_LARGEST_FILE = 1 << 20
"""Most bytes of settings that are read."""
# Written in C where PyYAML was built with it, as its wheels are: ten times as fast, which many runs notice.
_SafeDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_SafeDumper):  # type: ignore[misc]
    """YAML with one setting a line and lists in brackets."""


_Dumper.add_representer(
    list, lambda dumper, values: dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=True)
)
_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="'" if needs_quotation(text) else None
    ),
)


def dump(values: Mapping[str, Any]) -> str:
    """The YAML text of `values`.

    Example:
        >>> print(dump({"network": {"hidden": [400, 400]}}), end="")
        network:
          hidden: [400, 400]
    """
    return yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def inline(value: Any) -> str:
    """A value as it is written behind `key=` on the command line.

    Example:
        >>> inline(None), inline(1e-3), inline([400, 400])
        ('null', '0.001', '[400, 400]')
    """
    return (
        yaml.dump(value, Dumper=_Dumper, default_flow_style=True, width=10**6).removesuffix("\n").removesuffix("\n...")
    )


def preset_names() -> list[str]:
    """Names of all presets, in the order in which people are shown them."""
    files = (resources.files(__package__) / "presets").iterdir()
    names = [file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")]
    by_size = sorted(names, key=lambda name: ([int(part) if part.isdigit() else 0 for part in name.split("-")], name))
    return sorted(by_size, key=lambda name: (name != DEFAULT_PRESET, "digits" not in name))


@functools.cache
def read_preset(name: str) -> dict[str, Any]:
    """The settings in a preset; read once, so they are not to be changed."""
    values: dict[str, Any] = parse((resources.files(__package__) / "presets" / f"{name}.yaml").read_text("utf-8"))
    return values


def read_settings(source: str) -> dict[str, Any]:
    """The settings in a preset or in a YAML file.

    Args:
        source: A preset's name, or the path of a file that ends in `.yaml` or `.yml`.

    Raises:
        ConfigurationError: Neither a preset nor a readable YAML file with a mapping in it.

    Example:
        >>> read_settings("split-mnist")["data"]
        {'name': 'mnist'}
    """
    if source.endswith((".yaml", ".yml")):
        return read_file(Path(source))
    if source in (names := preset_names()):
        return {"name": source} | read_preset(source)
    raise ConfigurationError(
        f"There is no preset {shown(source)}.{did_you_mean(source, names)} "
        f"Presets: {', '.join(names)}; a file of your own must end in .yaml."
    )


def read_file(path: Path, *, within: Path | None = None) -> dict[str, Any]:
    """The settings in a YAML file, called after it unless they have a name of their own.

    Args:
        path: The file.
        within: Directory above it, from which no link may lead away; None where links are followed.

    Raises:
        ConfigurationError: It is no readable YAML file with a mapping in it.
    """
    try:
        values = parse(read_regular(path, _LARGEST_FILE, within=within).decode())
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not a text file in UTF-8.") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not valid YAML: {on_one_line(error)}.") from error
    if not isinstance(values, dict):
        raise ConfigurationError(
            f"{path} must hold settings, as 'training: {{iterations: 500}}' does; it holds {shown(values)}."
        )
    return {"name": path.stem} | values


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their full names.

    Example:
        >>> flatten({"data": {"name": "mnist"}, "seed": 0, "arguments": {}})
        {'data.name': 'mnist', 'seed': 0, 'arguments': {}}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        is_section = isinstance(value, dict) and value  # an empty one is a value, to be shown
        flat |= flatten(value, f"{prefix}{key}.") if is_section else {f"{prefix}{key}": value}
    return flat


def override(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with some of them replaced.

    Another `kind` has settings of its own, so it takes the place of its whole section, with the other changes of that
    section in it, in whichever order they come.

    Args:
        values: Nested settings; left as they are.
        changes: New values by place, as `learner.beta`.

    Raises:
        ConfigurationError: A place lies below what is no section.

    Example:
        >>> override({"learner": {"beta": 0.1}}, {"learner.beta": 0.01, "seed": 3})
        {'learner': {'beta': 0.01}, 'seed': 3}
        >>> override({"tasks": {"kind": "split", "shuffle": 1}}, {"tasks.padding": 2, "tasks.kind": "permuted"})
        {'tasks': {'kind': 'permuted', 'padding': 2}}
    """
    result = dict(values)
    for place in sorted(changes, key=_whole_sections_first):
        result = _with(result, place.split("."), changes[place], place)
    return result


def _whole_sections_first(place: str) -> tuple[int, bool]:
    """Sorts a section before its kind, and both before the rest of it, which they would discard."""
    keys = place.split(".")
    is_kind = keys[-1] == "kind"
    return len(keys) - is_kind, is_kind


def without(values: Mapping[str, Any], places: Iterable[str]) -> dict[str, Any]:
    """The settings without some of them.

    Example:
        >>> without({"learner": {"beta": 0.0, "max_tasks": 3}}, ["learner.max_tasks"])
        {'learner': {'beta': 0.0}}
    """
    result = dict(values)
    for place in places:
        first, _, rest = place.partition(".")
        if rest:
            result[first] = without(result[first], [rest])
        else:
            del result[first]
    return result


def _with(values: Mapping[str, Any], keys: list[str], value: Any, place: str) -> dict[str, Any]:
    first, *rest = keys
    if not rest:
        if first == "kind" and values.get(first, value) != value:
            return {first: value}
        return {**values, first: value}
    inner = values.get(first, {})
    if not isinstance(inner, dict):
        raise ConfigurationError(f"{place}: there is nothing below '{first}', which is {shown(inner)}.")
    return {**values, first: _with(inner, rest, value, place)}


def assignments(texts: Iterable[str]) -> dict[str, Any]:
    """Values by place, from texts as people type them.

    Args:
        texts: Texts like `learner.beta=0.01`; what follows `=` is YAML.

    Raises:
        ConfigurationError: A text without `=`, with broken YAML, or one that replaces an earlier one.

    Example:
        >>> assignments(["learner.beta=1e-2", "network.hidden=[8]"])
        {'learner.beta': 0.01, 'network.hidden': [8]}
    """
    changes: dict[str, Any] = {}
    for text in texts:
        place, equals, value = text.partition("=")
        if not equals or not all(place.split(".")):
            raise ConfigurationError(
                f"{shown(text)} is not understood; a setting is changed by section.key=value, as in"
                " training.iterations=500."
            )
        if again := next((each for each in changes if f"{each}.".startswith(f"{place}.")), None):
            raise ConfigurationError(f"{shown(text)} replaces '{again}', given before it: give one of them.")
        try:
            changes[place] = _given(place, value)
        except yaml.YAMLError as error:
            raise ConfigurationError(f"{place}: {shown(value)} is not valid YAML: {on_one_line(error)}.") from error
    return changes


def _given(place: str, text: str) -> Any:
    if not text.strip():
        raise ConfigurationError(f"{place}: there is nothing after '='; give a value, or null for none.")
    return parse(text)


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two nested settings as one; where both have a value, that of `above` holds.

    A section of another `kind` takes the place of the one below it.

    Example:
        >>> merged({"replay": {"weight": 0.5, "temperature": 2}}, {"replay": {"temperature": None}})
        {'replay': {'weight': 0.5, 'temperature': None}}
    """
    if "kind" in below and "kind" in above and below["kind"] != above["kind"]:
        return dict(above)
    result = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def on_one_line(error: yaml.YAMLError) -> str:
    """Description of what is wrong with a YAML text, and where."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return " ".join(str(error).split()).rstrip(".")
    parts = ((error.problem, error.problem_mark), (error.context, error.context_mark))
    found = [f"{text} (line {mark.line + 1}, column {mark.column + 1})" for text, mark in parts if text and mark]
    return ", ".join(found)
