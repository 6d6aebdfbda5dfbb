"""The values that a caller gives to notebooks, checked before anything runs."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workbench.errors import ParameterError
from workbench.notebooks.reading import did_you_mean
from workbench.proof.runs import Notebook, Parameter

ParameterValues = dict[str, dict[str, Any]]
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


def check_parameters(notebooks: Sequence[Notebook], given: Mapping[str, Any]) -> ParameterValues:
    """The values of *given* that each of *notebooks* knows, by its name, each of its default's type.

    A text is read as that type; a value that has the type already is taken as it is. Raises
    ParameterError where no notebook knows a name, and where a value is not of its type.
    """
    known = sorted(set[str]().union(*(notebook.parameter_names for notebook in notebooks)))
    for name in given:
        if name not in known:
            listed = f"known are {', '.join(known)}" if known else "the notebooks have no parameters"
            raise ParameterError(f"unknown parameter {name!r}{did_you_mean(name, known)} ({listed})")
    return {
        notebook.name: {
            parameter.name: typed(parameter, given[parameter.name])
            for parameter in notebook.parameters
            if parameter.name in given
        }
        for notebook in notebooks
    }


def typed(parameter: Parameter, value: Any) -> Any:
    """*value* as the type of *parameter*. Raises ParameterError."""
    if value is None or (isinstance(value, str) and parameter.optional and value.lower() in ("", "none")):
        if parameter.optional:
            return None
        raise _ill_typed(parameter, value)
    if not isinstance(value, str):
        return _as_is(parameter, value)
    try:
        return _READERS.get(parameter.type, _literal(parameter.type))(value.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as exc:
        raise _ill_typed(parameter, value) from exc


def _as_is(parameter: Parameter, value: Any) -> Any:
    if type(value).__name__ == parameter.type:
        return value
    if parameter.type == "float" and type(value) is int:
        return float(value)
    raise _ill_typed(parameter, value)


def _ill_typed(parameter: Parameter, value: Any) -> ParameterError:
    wanted = _EXAMPLES.get(parameter.type, f"a {parameter.type} such as {parameter.default!r}")
    says = f" ({parameter.help})" if parameter.help else ""
    return ParameterError(f"parameter {parameter.name}={value!r} is not {wanted}{says}")


def _boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _literal(kind: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = ast.literal_eval(text)
        if type(value).__name__ != kind:
            raise ValueError(text)
        return value

    return read


_READERS: Mapping[str, Callable[[str], Any]] = {"bool": _boolean, "int": int, "float": _finite, "str": str}
_EXAMPLES = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
}
