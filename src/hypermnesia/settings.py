"""Settings: what all classes of them have in common, and what is wrong with given ones, as sentences."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from types import UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, ErrorDetails
from pydantic_core.core_schema import no_info_before_validator_function

from hypermnesia.errors import ConfigurationError, did_you_mean, shown

SettingsKind = TypeVar("SettingsKind", bound=BaseModel)

_LARGEST = 2**63 - 1
_ENTRIES = 1000
"""Most entries of a list of settings that does not say otherwise."""
_SENTENCES = 8


def _unconverted(schema: Any) -> Any:
    """The schema of pydantic in which numbers, texts, true and false are not made of each other."""
    if isinstance(schema, list | tuple):
        return type(schema)(map(_unconverted, schema))
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") in ("int", "float", "bool", "str") and "strict" not in schema:
        strict = {**schema, "strict": True}
        if schema["type"] == "int":
            strict.setdefault("le", _LARGEST)
        numeric = schema["type"] in ("int", "float")
        return no_info_before_validator_function(_own_number, strict) if numeric else strict
    bound = {"max_length": _ENTRIES} if "variadic_item_index" in schema else {}
    return bound | {key: _unconverted(value) for key, value in schema.items()}


def _own_number(value: Any) -> Any:
    """A number of NumPy's, say, as one of Python's."""
    if isinstance(value, Integral) and not isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, Real) and not isinstance(value, int | float) else value


class Settings(BaseModel):
    """Base class of all settings: immutable, and without room for unknown fields.

    Values are what they are: true is no 1, "3" and 3.0 are no whole number; but 3 is one whoever has made it, as NumPy.

    Raises:
        ConfigurationError: A field is unknown, of the wrong type or out of range; one sentence for each.

    Example:
        >>> class Training(Settings):
        ...     iterations: int = 100
        >>> checked(Training, {"iteration": 3})
        Traceback (most recent call last):
        hypermnesia.errors.ConfigurationError: iteration: unknown setting. Did you mean 'iterations'? Allowed here: \
iterations.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return cast(CoreSchema, _unconverted(handler(source)))

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigurationError(_sentences(error, type(self))) from error

    def __setattr__(self, name: str, value: Any) -> None:
        raise ConfigurationError(
            f"{name}: settings are not changed but made anew, as in {type(self).__name__}({name}={value!r})"
        )

    # So that pydantic validates sections by itself: the outermost settings then say where in them a mistake is.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


class NoSettings(Settings):
    """Settings of what has none to choose.

    Example:
        >>> NoSettings()
        NoSettings()
    """


@dataclasses.dataclass(frozen=True)
class SearchRange:
    """Search range of a setting, declared in its annotation; `hypermnesia tune` looks there.

    Args:
        low: Smallest value.
        high: Largest value.
        log: Whether all orders of magnitude count alike.

    Example:
        >>> from typing import Annotated
        >>> Beta = Annotated[float, SearchRange(1e-4, 1.0, log=True)]
    """

    low: float
    high: float
    log: bool = False


def checked(
    kind: type[SettingsKind], values: SettingsKind | Mapping[str, Any] | None, complaint: str = ""
) -> SettingsKind:
    """Validate settings.

    Args:
        kind: The class of settings wanted.
        values: Such settings, which are returned as they are, or their fields; None for the defaults.
        complaint: First line of the error, in front of what is wrong in detail.

    Raises:
        ConfigurationError: A field is unknown, of the wrong type or out of range; one sentence for each.
    """
    if isinstance(values, kind):
        return values
    if not isinstance(values, Mapping | BaseModel | None):
        raise ConfigurationError(
            f"settings must be given as {kind.__name__}, or as a dict of their fields, not as {type(values).__name__}"
        )
    try:
        return kind.model_validate(dict(values or {}))
    except ValidationError as error:
        raise ConfigurationError("\n".join(filter(None, [complaint, _sentences(error, kind)]))) from error


def chosen(
    kind: type[SettingsKind], settings: SettingsKind | Mapping[str, Any] | None, arguments: Mapping[str, Any]
) -> SettingsKind:
    """Validate settings that are given either together or as keyword arguments of their names.

    Args:
        kind: The class of settings wanted.
        settings: Such settings, or their fields; None where keyword arguments are given instead.
        arguments: Keyword arguments by name, defaults included; others than fields of `kind` are passed over.

    Raises:
        ConfigurationError: Both are given, or a field is unknown, of the wrong type or out of range.
    """
    fields = {name: arguments[name] for name in kind.model_fields}
    if settings is None:
        return checked(kind, fields)
    if twice := [name for name, value in fields.items() if value != kind.model_fields[name].default]:
        raise ConfigurationError(
            f"{', '.join(twice)}: give either settings or keyword arguments, not both; settings may be changed by"
            f" settings.model_copy(update={{'{twice[0]}': ...}})"
        )
    return checked(kind, settings)


def _sentences(error: ValidationError, kind: type[BaseModel]) -> str:
    """What is wrong, a line for each mistake, up to a few."""
    mistakes = error.errors(include_url=False)
    told = [_sentence(mistake, kind) for mistake in _without_consequences(mistakes[:_SENTENCES])]
    more = len(mistakes) - _SENTENCES
    return "\n".join([*told, f"And {more:,} more mistakes."] if more > 0 else told)


def _without_consequences(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """The errors but for a list that pydantic calls too short because its entries are wrong."""

    def follows(error: ErrorDetails) -> bool:
        place = error["loc"]
        return error["type"] == "too_short" and any(
            other["loc"][: len(place)] == place for other in errors if other is not error
        )

    return [error for error in errors if not follows(error)]


def _sentence(details: ErrorDetails, model: type[BaseModel]) -> str:
    place, section = _place(details["loc"], model)
    where = f"{'.'.join(place)}: " if place else ""
    given = details["input"]
    match details["type"]:
        case "extra_forbidden":
            keys = [key for key in section.model_fields if key not in place[:-1]]
            return f"{where}unknown setting.{did_you_mean(place[-1], keys)} Allowed here: {', '.join(keys) or 'none'}."
        case "missing":
            return f"{where}missing."
        case "union_tag_not_found":
            return f"{'.'.join([*place, _tag(details)])}: missing."
        case "union_tag_invalid":
            allowed = re.findall(r"'([^']*)'", details["ctx"]["expected_tags"])
            return _choice(f"{'.'.join([*place, _tag(details)])}: ", details["ctx"]["tag"], allowed)
        case "literal_error" if isinstance(given, str):
            return _choice(where, given, re.findall(r"'([^']*)'", details["ctx"]["expected"]))
        case "value_error":
            return f"{where}{details['ctx']['error']}."
        case "too_short":
            return f"{where}must have at least {details['ctx']['min_length']} entry, not {shown(given)}."
        case "too_long":
            return f"{where}must have at most {details['ctx']['max_length']} entries, not {shown(given)}."
        case "model_type" | "model_attributes_type":
            return f"{where}must be a section with keys and values, not {shown(given)}."
        case _:
            return f"{where}{_without_repetition(details['msg'])}, not {shown(given)}."


def _choice(where: str, given: str, allowed: list[str]) -> str:
    return f"{where}{shown(given)} is not allowed.{did_you_mean(given, allowed)} Allowed: {', '.join(allowed)}."


def _tag(details: ErrorDetails) -> str:
    return str(details["ctx"]["discriminator"]).strip("'")


def _without_repetition(message: str) -> str:
    message = message.replace("Input should", "should").replace("String should", "should")
    # "should be a valid integer, unable to parse string as an integer" says the same thing twice.
    return re.sub(r"^(should be a valid \w+), unable to parse.*", r"\1", message)


def _place(loc: tuple[int | str, ...], model: type[BaseModel]) -> tuple[list[str], type[BaseModel]]:
    """The keys a user would write to get there, and the section that holds the last of them.

    Pydantic's own location also names the chosen alternative of a section, as in `tasks.split.num_tasks`.
    """
    place: list[str] = []
    section, sections, alternatives = model, [model], False
    for key in loc:
        if alternatives and not sections and isinstance(key, str):
            continue  # what pydantic calls one of several simple types, as in `chunk_size.constrained-int`
        chosen = [alternative for alternative in sections if len(sections) > 1 and key in _tags(alternative)]
        if chosen:
            sections = chosen
            continue
        place.append(str(key) if len(str(key)) <= 60 else f"{str(key)[:60]}…")
        if sections:
            section = sections[0]
        field = section.model_fields.get(str(key)) if sections else None
        sections = list(_models(field.annotation)) if field else []
        alternatives = field is not None and get_origin(field.annotation) in (Union, UnionType)
    return place, section


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _tags(model: type[BaseModel]) -> set[Any]:
    literals = (field.annotation for field in model.model_fields.values() if get_origin(field.annotation) is Literal)
    return {tag for literal in literals for tag in get_args(literal)}
