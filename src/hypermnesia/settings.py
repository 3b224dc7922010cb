"""Settings: what all classes of them have in common, and what is wrong with given ones, as sentences."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from types import UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError, model_validator
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError
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
        return no_info_before_validator_function(own_number, strict) if numeric else strict
    bound = {"max_length": _ENTRIES} if "variadic_item_index" in schema else {}
    return bound | {key: _unconverted(value) for key, value in schema.items()}


def own_number(value: Any) -> Any:
    """A number of NumPy's, say, as one of Python's; any other value as it is.

    Example:
        >>> import numpy as np
        >>> own_number(np.int64(3)), own_number("3")
        (3, '3')
    """
    if isinstance(value, Integral) and not isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, Real) and not isinstance(value, int | float) else value


class Settings(BaseModel):
    """Base class of all settings: immutable, and without room for unknown fields or for such as have no effect.

    Values are what they are: true is no 1, "3" and 3.0 are no whole number; but 3 is one whoever has made it, as NumPy.

    Raises:
        ConfigurationError: A field is unknown, of the wrong type, out of range, or without effect beside the others
            (:class:`OnlyWith`); one sentence for each.

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
            f"{name}: settings are not changed but made anew, as in {type(self).__name__}({name}={value!r}) or"
            f" settings.model_copy(update={{{name!r}: {value!r}}}); a learner may be given other ones for training"
            " (learner.training = …), and others only when it is made"
        )

    def model_copy(self: SettingsKind, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> SettingsKind:
        """Return a copy in which some fields are replaced; they are checked like all others.

        Args:
            update: New values by name.
            deep: Whether to copy what is in the fields, too.

        Raises:
            ConfigurationError: A field is unknown, of the wrong type, out of range or without effect.

        Example:
            >>> class Training(Settings):
            ...     iterations: int = 100
            >>> Training().model_copy(update={"iterations": 3})
            Training(iterations=3)
        """
        same = BaseModel.model_copy(self, deep=deep)
        return checked(type(self), {**dict(same), **update}) if update else same

    @model_validator(mode="after")
    def _have_an_effect(self) -> Settings:
        if idle := [name for name in type(self).model_fields if not has_effect(self, name) and self._is_given(name)]:
            raise PydanticCustomError("without_effect", "without effect", {"of": self, "names": idle})
        return self

    def _is_given(self, name: str) -> bool:
        # Told by its value, not by whether somebody wrote it down: what is saved has all fields, and reads back alike.
        return bool(getattr(self, name) != type(self).model_fields[name].get_default(call_default_factory=True))

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


@dataclasses.dataclass(frozen=True)
class OnlyWith:
    """Condition under which a setting has an effect, declared in its annotation. Where it fails, giving it is refused.

    Only another value than the default is refused: the default happens anyway.

    Args:
        settings: Other setting beside it, or several of which one suffices.
        values: Values that this must have; none for any but zero, false, null and empty.
        other_than: Values that this must not have.

    Example:
        >>> from typing import Annotated
        >>> Momentum = Annotated[float, OnlyWith("optimizer", ("sgd", "rmsprop"))]
        >>> from hypermnesia.training import TrainingSettings
        >>> TrainingSettings(momentum=0.9)
        Traceback (most recent call last):
        hypermnesia.errors.ConfigurationError: momentum: has an effect only where optimizer is sgd or rmsprop, and it \
is adam. Leave momentum out, or set it to 0.0.
    """

    settings: str | tuple[str, ...]
    values: tuple[Any, ...] = ()
    other_than: tuple[Any, ...] = ()

    def names(self, section: BaseModel) -> list[str]:
        """Those of the other settings that a section has."""
        names = (self.settings,) if isinstance(self.settings, str) else self.settings
        return [name for name in names if name in type(section).model_fields]

    def holds(self, section: BaseModel) -> bool:
        """Whether a section fulfills it."""
        values = [getattr(section, name) for name in self.names(section)]
        if self.values or self.other_than:
            return any((not self.values or v in self.values) and v not in self.other_than for v in values)
        return any(values)

    def sentence(self, section: BaseModel) -> str:
        """What it asks for, and what is there instead."""
        names = self.names(section)
        found = _written(getattr(section, names[0]))
        wanted = " or ".join(map(_written, self.values)) or f"not {found}"
        instead = f", and it is {found}" if self.values else ""
        return f"has an effect only where {' or '.join(names)} is {wanted}{instead}"


def has_effect(section: BaseModel, name: str) -> bool:
    """Whether a setting has an effect beside the others of its section, by what its annotation declares."""
    return all(condition.holds(section) for condition in _conditions(section, name))


def without_effect(kind: type[BaseModel], values: Mapping[str, Any]) -> dict[str, set[str]]:
    """The given settings that have no effect beside others, by place, with the places of those others.

    Args:
        kind: The class of settings that values are for.
        values: Nested settings, valid or not.

    Example:
        >>> from hypermnesia.training import TrainingSettings
        >>> without_effect(TrainingSettings, {"momentum": 0.9})
        {'momentum': {'optimizer'}}
    """
    found = {}
    try:
        kind.model_validate(values)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            if details["type"] != "without_effect":
                continue
            place, section = _place(details["loc"], kind)[0], details["ctx"]["of"]
            for name in details["ctx"]["names"]:
                others = {other for each in _conditions(section, name) for other in each.names(section)}
                found[".".join([*place, name])] = {".".join([*place, other]) for other in others}
    return found


def _conditions(section: BaseModel, name: str) -> list[OnlyWith]:
    return [each for each in type(section).model_fields[name].metadata if isinstance(each, OnlyWith)]


def _idle(section: BaseModel, name: str) -> str:
    condition = next(each for each in _conditions(section, name) if not each.holds(section))
    default = type(section).model_fields[name].get_default(call_default_factory=True)
    return f"{name}: {condition.sentence(section)}. Leave {name} out, or set it to {_written(default)}."


def _written(value: Any) -> str:
    """A value as it is written in a configuration file."""
    return value if isinstance(value, str) else json.dumps(value)


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
    if details["type"] == "without_effect":
        of, names = details["ctx"]["of"], details["ctx"]["names"]
        return "\n".join(".".join([*place, _idle(of, name)]) for name in names)
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
        case "model_type" | "model_attributes_type" | "dict_type":
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
        if key == "[key]" or (alternatives and not sections and isinstance(key, str)):
            continue  # an entry's name itself; or one of several simple types, as in `chunk_size.constrained-int`
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
