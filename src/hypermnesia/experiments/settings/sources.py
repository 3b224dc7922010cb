"""Where an experiment's text comes from: presets, a user's YAML file, and settings from the command line.

Everything here is plain dictionaries; what they mean is `hypermnesia.experiments.settings.config`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from hypermnesia.errors import ConfigurationError, did_you_mean

DEFAULT_PRESET = "split-digits"


class _Loader(yaml.SafeLoader):
    """YAML whose numbers are those of YAML 1.2: `1e-3` is a number, not a string."""


# PyYAML keeps its resolvers in a table that subclasses share, so this one gets a copy before it adds its own.
_Loader.yaml_implicit_resolvers = {
    first: list(rules) for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+\Z"), list("-+.0123456789")
)


class _Dumper(yaml.SafeDumper):
    """YAML with one setting a line and lists in brackets."""


_Dumper.add_representer(
    list, lambda dumper, values: dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=True)
)


# The keys that say which settings a section has.
_DISCRIMINATORS = ("method", "kind")


def parse(text: str) -> Any:
    """The value that a piece of YAML stands for.

    Example:
        >>> parse("1e-3"), parse("[400, 400]"), parse("relu")
        (0.001, [400, 400], 'relu')
    """
    return yaml.load(text, _Loader)


def dump(values: Mapping[str, Any]) -> str:
    """The YAML text of `values`.

    Example:
        >>> print(dump({"network": {"hidden": [400, 400]}}), end="")
        network:
          hidden: [400, 400]
    """
    return yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def presets() -> dict[str, str]:
    """Name and description of every preset."""
    described = {name: parse(_preset(name)) for name in _preset_names()}
    by_size = sorted(
        described, key=lambda name: ([int(part) if part.isdigit() else 0 for part in name.split("-")], name)
    )
    ordered = sorted(by_size, key=lambda name: (name != DEFAULT_PRESET, "digits" not in name))
    return {name: described[name]["description"] for name in ordered}


def _preset_names() -> list[str]:
    files = (resources.files(__package__) / "presets").iterdir()
    return [file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")]


def _preset(name: str) -> str:
    return (resources.files(__package__) / "presets" / f"{name}.yaml").read_text("utf-8")


def read(source: str) -> dict[str, Any]:
    """The settings in a preset or in a YAML file.

    Args:
        source: A preset's name, or the path of a file that ends in `.yaml` or `.yml`.

    Raises:
        ConfigurationError: Neither a preset nor a readable YAML file with a mapping in it.

    Example:
        >>> read("split-mnist")["data"]
        {'name': 'mnist'}
    """
    if source in _preset_names():
        name, text = source, _preset(source)
    elif source.endswith((".yaml", ".yml")):
        name, text = Path(source).stem, _file(Path(source))
    else:
        raise ConfigurationError(
            f"There is no preset '{source}'.{did_you_mean(source, presets())} "
            f"Presets: {', '.join(presets())}; a file of your own must end in .yaml."
        )
    try:
        values = parse(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{source} is not valid YAML: {_on_one_line(error)}.") from error
    if not isinstance(values, dict):
        raise ConfigurationError(
            f"{source} must hold settings, as 'training: {{iterations: 500}}' does; it holds {values!r}."
        )
    return {"name": name} | values


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their full names.

    Example:
        >>> flatten({"data": {"name": "mnist"}, "seed": 0})
        {'data.name': 'mnist', 'seed': 0}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def override(values: Mapping[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """The settings with some of them replaced.

    Another `method` or `kind` has settings of its own, so it takes the place of its whole section.

    Args:
        values: Nested settings; left as they are.
        assignments: Texts like `learner.beta=0.01`; what follows `=` is YAML.

    Raises:
        ConfigurationError: A text without `=`, with broken YAML, or with a dot below what is no section.

    Example:
        >>> override({"learner": {"beta": 0.1}}, ["learner.beta=0.01", "seed=3"])
        {'learner': {'beta': 0.01}, 'seed': 3}
        >>> override({"learner": {"method": "hypernetwork", "beta": 0.1}}, ["learner.method=ewc"])
        {'learner': {'method': 'ewc'}}
    """
    result = dict(values)
    for assignment in assignments:
        place, equals, text = assignment.partition("=")
        if not equals or not all(place.split(".")):
            raise ConfigurationError(
                f"'{assignment}' is not understood; a setting is changed by section.key=value, "
                "as in training.iterations=500."
            )
        try:
            value = parse(text)
        except yaml.YAMLError as error:
            raise ConfigurationError(f"{place}: '{text}' is not valid YAML: {_on_one_line(error)}.") from error
        result = _with(result, place.split("."), value, place)
    return result


def _with(values: Mapping[str, Any], keys: list[str], value: Any, place: str) -> dict[str, Any]:
    first, *rest = keys
    if not rest:
        if first in _DISCRIMINATORS and values.get(first, value) != value:
            return {first: value}
        return {**values, first: value}
    inner = values.get(first, {})
    if not isinstance(inner, dict):
        raise ConfigurationError(f"{place}: there is nothing below '{first}', which is {inner!r}.")
    return {**values, first: _with(inner, rest, value, place)}


def _file(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not a text file in UTF-8.") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error


def _on_one_line(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"{error.problem} (line {mark.line + 1}, column {mark.column + 1})"
    return " ".join(str(error).split()).rstrip(".")
