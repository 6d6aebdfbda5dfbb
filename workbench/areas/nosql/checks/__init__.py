"""The checks of a database of collections: each finds one thing, and has a page in docs/checks.

A check is a pure function of a `Context`: catalog, shapes, operations, and what one pass over the
documents counted for its questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from workbench.areas.nosql.checks import (
    arrays,
    documents,
    expiry,
    field_types,
    indexes,
    matching,
    namespaces,
    references,
    shard_keys,
    side_by_side,
)
from workbench.areas.nosql.checks.context import AREA, Context
from workbench.areas.nosql.checks.tallies import Question
from workbench.proof.findings import Finding, Severity


@dataclass(frozen=True)
class Check:
    """A check: its name, the worst level that it gives, what it finds, and what it wants counted."""

    name: str
    level: Severity
    title: str
    find: Callable[[Context], Iterator[Finding]]
    questions: Callable[[Context], Iterator[Question]] | None = None

    @property
    def page(self) -> str:
        """The page that documents it, from the root of the repository."""
        return f"docs/checks/{AREA}_{self.name}.md"


CHECKS: tuple[Check, ...] = (
    Check(
        "unbounded_array",
        "warn",
        "Arrays that grow with no limit",
        arrays.unbounded_array,
        arrays.array_lengths,
    ),
    Check(
        "parallel_arrays",
        "error",
        "Indexes and queries over two arrays, and records cut into arrays",
        side_by_side.parallel_arrays,
        side_by_side.questions,
    ),
    Check("bloated_documents", "error", "Documents of many bytes", documents.bloated_documents),
    Check("keys_are_data", "warn", "Field names that are data", documents.keys_are_data),
    Check("dots_and_dollars", "warn", "Field names that no path can name", documents.dots_and_dollars),
    Check("deep_nesting", "warn", "Documents of many levels", documents.deep_nesting),
    Check(
        "entity_attribute_value",
        "warn",
        "A document for each attribute",
        documents.entity_attribute_value,
        documents.attribute_questions,
    ),
    Check(
        "too_many_collections", "error", "Collections that are one in pieces", namespaces.too_many_collections
    ),
    Check("too_many_indexes", "error", "Too many indexes", indexes.too_many_indexes),
    Check("redundant_index", "warn", "Indexes that another one serves", indexes.redundant_index),
    Check("unused_index", "warn", "Indexes that nothing uses", indexes.unused_index),
    Check(
        "mixed_types", "warn", "Fields of several types", field_types.mixed_types, field_types.type_questions
    ),
    Check(
        "money_as_double", "warn", "Money as double", field_types.money_as_double, field_types.money_questions
    ),
    Check(
        "date_as_string", "warn", "Dates as strings", field_types.date_as_string, field_types.string_questions
    ),
    Check(
        "number_as_string",
        "warn",
        "Numbers as strings",
        field_types.number_as_string,
        field_types.string_questions,
    ),
    Check(
        "id_as_string", "warn", "ObjectIds as strings", field_types.id_as_string, field_types.string_questions
    ),
    Check(
        "case_insensitive_match_without_collation",
        "warn",
        "Matches without regard to case, and no collation",
        matching.case_insensitive_match_without_collation,
        matching.case_questions,
    ),
    Check("unanchored_regex", "warn", "Patterns that may match anywhere", matching.unanchored_regex),
    Check(
        "case_variants",
        "info",
        "Values that differ in case alone",
        matching.case_variants,
        matching.case_questions,
    ),
    Check("missing_ttl", "warn", "Expired documents that stay", expiry.missing_ttl, expiry.expiry_questions),
    Check("ttl_on_non_dates", "error", "TTL indexes on what is no date", expiry.ttl_on_non_dates),
    Check(
        "low_cardinality_shard_key",
        "error",
        "Shard keys of few values",
        shard_keys.low_cardinality_shard_key,
        shard_keys.key_questions,
    ),
    Check(
        "monotonic_shard_key",
        "warn",
        "Shard keys that only grow",
        shard_keys.monotonic_shard_key,
        shard_keys.key_questions,
    ),
    Check(
        "reference_without_target",
        "warn",
        "References without a target",
        references.reference_without_target,
        references.reference_questions,
    ),
    Check("unindexed_lookup", "warn", "Joins without an index", references.unindexed_lookup),
    Check("frequent_lookup", "warn", "Joins on a hot path", references.frequent_lookup),
)

__all__ = ["AREA", "CHECKS", "Check", "Context"]
