"""What notebooks say of themselves, and what they accept, without running one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

from workbench import notebooks
from workbench.errors import BadInput, ParameterError
from workbench.notebooks.reading import parameters_of
from workbench.proof.runs import Notebook, Parameter

CELL = """\
source = "ecommerce"  # what to look at
# how big the example is;
# 1 is about 1M order items
scale = 0.01
limit: int | None = None  # rows at most
verbose = False

schemas = ["public"]  # in this order
"""


def notebook(name: str, *parameters: Parameter) -> Notebook:
    return Notebook(name, name.split("_")[1], name, "", Path(f"{name}.ipynb"), parameters)


SCALE = Parameter("scale", 0.01, "float", "1 is about 1M order items")
FIRST = notebook("01_oltp_model", SCALE, Parameter("source", "ecommerce", "str"))
SECOND = notebook("06_security", Parameter("strict", False, "bool"), Parameter("source", "ecommerce", "str"))


def write(path: Path, *cells: Any) -> Path:
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells), metadata=kernel), path)
    return path


def parameters_cell(source: str) -> Any:
    return nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})


def test_parameters_carry_default_type_and_help() -> None:
    """A parameter's help is the comment beside it, else the ones right above it."""
    assert list(parameters_of(CELL)) == [
        Parameter("source", "ecommerce", "str", "what to look at"),
        Parameter("scale", 0.01, "float", "how big the example is; 1 is about 1M order items"),
        Parameter("limit", None, "int", "rows at most", optional=True),
        Parameter("verbose", False, "bool", ""),
        Parameter("schemas", ["public"], "list", "in this order"),
    ]


def test_hash_in_a_text_is_no_comment() -> None:
    """A # inside a text belongs to the text."""
    (found,) = parameters_of("colour = '#fff'")

    assert (found.default, found.help) == ("#fff", "")


def test_names_are_those_that_papermill_finds(tmp_path: Path) -> None:
    """What papermill knows of a notebook is known, and ``int | None``, which papermill does not read."""
    path = write(tmp_path / "01_oltp_model.ipynb", parameters_cell(CELL))

    known = {each.name for each in notebooks.read(path).parameters}
    assert known - {"limit"} == set(papermill.inspect_notebook(path))


def test_heading_and_question(tmp_path: Path) -> None:
    """The title is the first heading, the question the paragraph beneath it, both without marks."""
    prose = "# The *OLTP* `model`\n\nDoes every table\nkeep its **promises**?\n\nMore.\n"
    path = write(tmp_path / "01_oltp_model.ipynb", nbformat.v4.new_markdown_cell(prose))

    found = notebooks.read(path)

    assert (found.area, found.title) == ("oltp", "The OLTP model")
    assert found.question == "Does every table keep its promises?"


def test_notebook_without_words(tmp_path: Path) -> None:
    """A notebook without heading and parameters is named as its file is."""
    found = notebooks.read(write(tmp_path / "scratch.ipynb", nbformat.v4.new_code_cell("1")))

    assert (found.area, found.title, found.question, found.parameters) == ("scratch", "scratch", "", ())


@pytest.mark.parametrize("content", [b"", b"\x89PNG", b"[]", b'{"cells": 3}', b'{"a": 1}'])
def test_file_that_is_no_notebook(tmp_path: Path, content: bytes) -> None:
    """A file that is no notebook is named, in one line."""
    (tmp_path / "x.ipynb").write_bytes(content)

    with pytest.raises(BadInput, match=r"x\.ipynb is no notebook") as raised:
        notebooks.read(tmp_path / "x.ipynb")

    assert "\n" not in str(raised.value)


def test_parameters_cell_that_computes(tmp_path: Path) -> None:
    """A default that is no literal is refused: it cannot be shown or typed without running it."""
    path = write(tmp_path / "01_a.ipynb", parameters_cell("import os\nhome = os.environ['HOME']"))

    with pytest.raises(BadInput, match="cell tagged parameters"):
        notebooks.read(path)


@pytest.mark.parametrize(
    ("type_name", "default", "text", "value"),
    [
        ("int", 1, "12", 12),
        ("int", 1, " -3 ", -3),
        ("float", 0.1, "2", 2.0),
        ("float", 0.1, "1e-3", 0.001),
        ("bool", False, "true", True),
        ("bool", False, "Yes", True),
        ("bool", True, "0", False),
        ("str", "", "", ""),
        ("str", "", " a b ", "a b"),
        ("str", "", "007", "007"),
        ("list", [], "['a', 'b']", ["a", "b"]),
        ("dict", {}, "{'a': 1}", {"a": 1}),
    ],
)
def test_text_is_read_as_the_defaults_type(type_name: str, default: Any, text: str, value: Any) -> None:
    """A text becomes a value of the default's type."""
    given = notebooks.check_parameters([notebook("01_a", Parameter("p", default, type_name))], {"p": text})

    assert given == {"01_a": {"p": value}}
    assert type(given["01_a"]["p"]) is type(value)


@pytest.mark.parametrize(
    ("type_name", "default", "text"),
    [
        ("int", 1, "1.5"),
        ("int", 1, ""),
        ("int", 1, "9" * 5000),
        ("float", 0.1, "much"),
        ("float", 0.1, "nan"),
        ("float", 0.1, "inf"),
        ("bool", False, "maybe"),
        ("list", [], "a, b"),
        ("list", [], "__import__('os')"),
        ("list", [], "(1, 2)"),
        ("dict", {}, "["),
    ],
)
def test_ill_typed_value_is_refused(type_name: str, default: Any, text: str) -> None:
    """A value that is not of the default's type names the parameter."""
    with pytest.raises(ParameterError, match=r"parameter p=.* is not "):
        notebooks.check_parameters([notebook("01_a", Parameter("p", default, type_name))], {"p": text})


def test_ill_typed_value_is_explained() -> None:
    """The message says what is wanted, with the parameter's help."""
    with pytest.raises(
        ParameterError,
        match=r"^parameter scale='big' is not a number \(1 is about 1M order items\)$",
    ):
        notebooks.check_parameters([FIRST], {"scale": "big"})


def test_unknown_parameter_names_the_known_ones() -> None:
    """An unknown name is an error with the closest and all known names."""
    with pytest.raises(
        ParameterError,
        match=r"^unknown parameter 'scael': did you mean 'scale'\? \(known are scale, source, strict\)$",
    ):
        notebooks.check_parameters([FIRST, SECOND], {"scael": "1"})


def test_unknown_parameter_where_none_is_known() -> None:
    """Notebooks without parameters say so."""
    with pytest.raises(ParameterError, match="the notebooks have no parameters"):
        notebooks.check_parameters([notebook("01_a")], {"x": "1"})


def test_parameter_goes_to_the_notebooks_that_know_it() -> None:
    """One notebook knowing a name is enough; the others do not get it."""
    given = notebooks.check_parameters([FIRST, SECOND], {"scale": "1", "source": "a.sql"})

    assert given == {
        "01_oltp_model": {"scale": 1.0, "source": "a.sql"},
        "06_security": {"source": "a.sql"},
    }


def test_no_parameters() -> None:
    """Nothing given leaves every notebook its defaults."""
    assert notebooks.check_parameters([FIRST, SECOND], {}) == {"01_oltp_model": {}, "06_security": {}}


def test_optional_parameter_may_be_none() -> None:
    """None, as a value or as a word, is taken where the parameter is optional, and only there."""
    optional = notebook("01_a", Parameter("p", None, "int", optional=True))
    required = notebook("01_b", Parameter("p", 1, "int"))

    assert notebooks.check_parameters([optional], {"p": "none"}) == {"01_a": {"p": None}}
    assert notebooks.check_parameters([optional], {"p": "3"}) == {"01_a": {"p": 3}}
    with pytest.raises(ParameterError):
        notebooks.check_parameters([required], {"p": None})


def test_typed_value_is_taken_as_it_is() -> None:
    """A caller from Python gives values; an int will do for a float, a bool not for an int."""
    assert notebooks.check_parameters([FIRST], {"scale": 2}) == {"01_oltp_model": {"scale": 2.0}}
    with pytest.raises(ParameterError):
        notebooks.check_parameters([notebook("01_a", Parameter("p", 1, "int"))], {"p": True})


def test_selection_by_area_and_name() -> None:
    """A notebook is chosen by its area or its name; none named means all."""
    assert notebooks.select([FIRST, SECOND], ["security"]) == [SECOND]
    assert notebooks.select([FIRST, SECOND], ["01_oltp_model"]) == [FIRST]
    assert notebooks.select([FIRST, SECOND], []) == [FIRST, SECOND]
    with pytest.raises(
        BadInput, match=r"no area 'securty': did you mean 'security'\? \(areas: oltp, security\)"
    ):
        notebooks.select([FIRST, SECOND], ["oltp", "securty"])


def test_own_notebooks_are_found() -> None:
    """Each of the workbench's notebooks has a title, a question, and help for every parameter."""
    found = notebooks.available()

    assert found
    for each in found:
        assert each.title != each.name, each.name
        assert each.question.endswith("?"), each.name
        assert [parameter.name for parameter in each.parameters if not parameter.help] == [], each.name
        assert json.loads(each.path.read_bytes())["nbformat"] == 4


def test_notebooks_that_cannot_look_at_a_source_are_told_apart() -> None:
    """A notebook says which kinds of source it reads; one that is asked for by name must be able to."""
    documents = replace(SECOND, sources=("collections", "dump"))

    assert notebooks.for_source([FIRST, documents], "file", []) == ([FIRST], [documents])
    assert notebooks.for_source([FIRST, documents], "dump", []) == ([documents], [FIRST])
    assert notebooks.for_source([documents], "dump", ["security"]) == ([documents], [])
    with pytest.raises(BadInput, match=r"01_oltp_model: cannot look at a source of this kind \(a MongoDB"):
        notebooks.for_source([FIRST], "collections", ["oltp"])
    with pytest.raises(BadInput, match="06_security: cannot look at"):
        notebooks.for_source([documents], "file", [])


def test_kinds_of_source_are_read_from_the_notebook(tmp_path: Path) -> None:
    """The metadata's list counts; a notebook without one reads SQL."""
    path = write(tmp_path / "02_nosql_model.ipynb", nbformat.v4.new_markdown_cell("# T\n\nQ?"))
    assert notebooks.read(path).sources == ("example", "file", "database")
    book = json.loads(path.read_text())
    book["metadata"]["workbench"] = {"sources": ["dump"]}
    path.write_text(json.dumps(book))

    assert notebooks.read(path).sources == ("dump",)
