"""Which columns look as if they held what not everybody may read: a guess, by name, type and comment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from workbench.catalog.model import Catalog, Column, Table

Sensitivity = Literal["secret", "payment", "personal"]
_TEXTS = ("text", "character varying", "character", "citext", "bpchar", '"char"', "name")
_NUMBERS = ("smallint", "integer", "bigint", "numeric")

_SECRET = re.compile(
    r"password|passwd|passphrase|^pwd$|pwdhash|^salt$|apikey|privatekey|secretkey|clientsecret|"
    r"^secret$|accesstoken|refreshtoken|totpsecret|resettoken"
)
_PAYMENT = re.compile(
    r"^iban|iban$|cardnumber|cardno$|creditcardno|^cvv2?$|^cvc$|bankaccount|routingnumber|sortcode"
)
_PERSONAL_NAME = re.compile(
    r"^(first|last|middle|full|given|family|maiden|sur|user|contact|customer|reviewer|nick)names?$|^surname$|"
    r"^login(id)?$"
)
_PERSONAL = re.compile(
    r"e?mail(address)?$|^email|phone(number|no)?\d?$|^mobile|^fax(number)?$|^ssn$|socialsecurity|"
    r"nationalid(number)?$|passport(number|no)?$|taxid$|^vatnumber$|"
    r"^dob$|birth(day|date)?$|dateofbirth|^gender$|^sex$|maritalstatus|^ip(address)?$|clientip"
)
_ADDRESS = re.compile(
    r"^street|street(address)?\d?$|address(line)?\d?$|postalcode$|^zip(code)?$|postcode$|houseno|housenumber"
)
_PLACE = re.compile(r"(^|ship|billing|shipping)(city|district|region|state|stateprovince|province|county)$")
_SAID = {
    "secret": re.compile(r"\b(passwords?|passphrase|api key|secret key)\b", re.IGNORECASE),
    "payment": re.compile(r"\b(iban|credit card number|card number|bank account)\b", re.IGNORECASE),
    "personal": re.compile(
        r"\b(e-?mail address|phone number|date of birth|social security|home address|personal data|pii)\b",
        re.IGNORECASE,
    ),
}
_PERSON_TABLE = re.compile(
    r"(^|_)(user|customer|person|people|employee|contact|member|patient|student|client|account|profile|staff)s?$"
)


@dataclass(frozen=True)
class Guess:
    """A column that looks *sensitivity*, by its ``name`` or its ``comment``."""

    column: tuple[str, str, str]
    sensitivity: Sensitivity
    by: Literal["name", "comment"]


def sensitive_columns(catalog: Catalog) -> list[Guess]:
    """The guesses for all base tables, in the order of the tables' names and their columns."""
    return [
        guess
        for table in sorted(catalog.base_tables, key=lambda each: (each.schema, each.name))
        for guess in _of_table(table)
    ]


def _of_table(table: Table) -> list[Guess]:
    keys = {name for key in table.foreign_keys for name in key.columns}
    columns = [each for each in table.columns if each.name not in keys]
    known = _is_about_persons(table, columns)
    address = any(_ADDRESS.search(_flat(each.name)) and _is_text(each) for each in columns)
    found = []
    for column in columns:
        sensitivity = _by_name(table, column, with_address=address, about_persons=known)
        if sensitivity:
            found.append(Guess((table.schema, table.name, column.name), sensitivity, "name"))
        elif (said := _by_comment(column)) is not None:
            found.append(Guess((table.schema, table.name, column.name), said, "comment"))
    return found


def _is_about_persons(table: Table, columns: list[Column]) -> bool:
    """Names alone may be those of authors and actors: there must be more, or a table that says persons."""
    return bool(_PERSON_TABLE.search(table.name.lower())) or any(
        pattern.search(_flat(column.name)) for column in columns for pattern in (_PERSONAL, _ADDRESS)
    )


def _flat(name: str) -> str:
    return name.lower().replace("_", "").replace(" ", "").replace("-", "")


def _type(column: Column) -> str:
    return column.base_type.partition("(")[0].removesuffix("[]").split(".")[-1]


def _is_text(column: Column) -> bool:
    return _type(column) in _TEXTS


def _by_name(table: Table, column: Column, *, with_address: bool, about_persons: bool) -> Sensitivity | None:
    names = {_flat(column.name), _flat((column.domain or "").split(".")[-1])} - {""}
    kind = _type(column)
    text = _is_text(column)

    def fits(pattern: re.Pattern[str]) -> bool:
        return any(pattern.search(name) for name in names)

    if (text or kind == "bytea") and fits(_SECRET):
        return "secret"
    if (text or kind in _NUMBERS) and fits(_PAYMENT):
        return "payment"
    if text and (fits(_PERSONAL) or fits(_ADDRESS) or (about_persons and fits(_PERSONAL_NAME))):
        return "personal"
    if text and with_address and fits(_PLACE):
        return "personal"
    if text and "name" in names and _PERSON_TABLE.search(table.name.lower()):
        return "personal"
    if (kind == "date" or kind.startswith("timestamp")) and fits(re.compile(r"^dob$|birth")):
        return "personal"
    if kind in _NUMBERS and fits(re.compile(r"^ssn$|socialsecurity|^(mobile|phone|fax)(number)?$")):
        return "personal"
    return "personal" if kind == "inet" and fits(re.compile("ip|address|client|host")) else None


def _by_comment(column: Column) -> Sensitivity | None:
    if column.comment is None or not (_is_text(column) or _type(column) in ("bytea", "jsonb", "json", "xml")):
        return None
    for sensitivity in ("secret", "payment", "personal"):
        if _SAID[sensitivity].search(column.comment):
            return sensitivity
    return None
