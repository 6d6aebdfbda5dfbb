"""A proof as rows and as sentences, for the notebook and the commands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from workbench.areas.security.attacks.model import AttackRun, Attempt
from workbench.areas.security.attacks.probes.story import leak_story
from workbench.areas.security.audit.proof import AuditProof
from workbench.areas.security.authentication import Authentication
from workbench.areas.security.design.cost import ShapeCost
from workbench.areas.security.design.model import Design
from workbench.areas.security.encryption_proof import EncryptionProof, LeakHunts
from workbench.areas.security.intent.model import Intent
from workbench.areas.security.leaks import Sighting
from workbench.areas.security.mutants import MutantRun
from workbench.areas.security.posture.model import STATES, PostureReview
from workbench.areas.security.proving import SecurityProof
from workbench.catalog.model import qualified, quoted

Row = dict[str, Any]
_MOST_TOLD = 20


def role_rows(intent: Intent) -> list[Row]:
    """The roles of an intent: kind, whose rules they have, for whom they act."""
    return [
        {
            "role": each.name,
            "kind": each.kind,
            "inherits": ", ".join(each.inherits),
            "acts for": "one identity at a time" if each.identified == "token" else "",
            "description": each.description,
        }
        for each in intent.roles
    ]


def rule_rows(intent: Intent) -> list[Row]:
    """The rules of an intent, one a row; what is not here is refused."""
    return [
        {
            "role": rule.role,
            "may": ", ".join(rule.operations),
            "rows": " and ".join(filter(None, ["its own" if rule.rows == "own" else "all", rule.where])),
            "tables": ", ".join(qualified(*table) for table in rule.tables),
            "columns": ", ".join(rule.columns) if rule.columns is not None else "all that it may see",
        }
        for rule in intent.rules
    ]


def part_rows(design: Design) -> list[Row]:
    """How many parts of each kind a design has, and in how many ways they are broken."""
    parts, mutations = Counter[str](), Counter[str]()
    for part in design.parts:
        parts[part.kind] += 1
        mutations[part.kind] += len(part.mutations)
    return [
        {"part": kind, "number": number, "ways to break": mutations[kind]} for kind, number in parts.items()
    ]


def run_rows(runs: Sequence[AttackRun]) -> list[Row]:
    """Each run in figures: attempts, as declared, leaks, what is missing, seconds."""
    return [
        {
            "design": run.design,
            "attempts": len(run.attempts),
            "as declared": run.totals["as_declared"],
            "more than declared": sum(each.leak for each in run.attempts),
            "less than declared": sum(each.missing for each in run.attempts),
            "residual": len(residual(run)),
            "elapsed_s": round(run.elapsed_s, 1),
        }
        for run in runs
    ]


def residual(run: AttackRun) -> list[Attempt]:
    """The leaks that PostgreSQL cannot close, as far as they were seen."""
    return [each for each in run.attempts if each.declared == "residual" and each.observed == "reached"]


def residual_rows(run: AttackRun) -> list[Row]:
    """The leaks that stay open in spite of the design, one a row with its objects, and what was seen."""
    found: dict[tuple[str, str, str], list[Attempt]] = {}
    for each in sorted(residual(run), key=lambda each: each.group != "probe"):
        number = each.number if each.group == "probe" else ""
        found.setdefault((number, each.name, each.role), []).append(each)
    return [
        {
            "probe": number,
            "leak": name,
            "object": _objects(attempts),
            "role": role,
            "seen": attempts[0].detail,
        }
        for (number, name, role), attempts in found.items()
    ]


def _objects(attempts: Sequence[Attempt]) -> str:
    names = list(dict.fromkeys(qualified(*each.table) for each in attempts if each.table))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")


def attempt_rows(attempts: Sequence[Attempt]) -> list[Row]:
    """Attempts as rows: as whom, what, what was declared and what happened."""
    return [
        {
            "role": each.role,
            "for": each.identity or "nobody",
            "object": qualified(*each.table) if each.table else "",
            "what": f"{each.number}: {each.name}" if each.group == "probe" else each.name,
            "declared": each.declared,
            "observed": each.observed,
            "said": f"{each.sqlstate} {each.detail}".strip(),
        }
        for each in attempts
    ]


def mutant_rows(run: MutantRun) -> list[Row]:
    """How many mutants of each kind of part were made and killed."""
    made = Counter(each.kind for each in run.mutants if each.made)
    killed = Counter(each.kind for each in run.mutants if each.killed)
    return [{"part": kind, "broken": number, "noticed": killed[kind]} for kind, number in made.items()]


def survivor_rows(run: MutantRun) -> list[Row]:
    """What was broken without any attack noticing, and what could not be broken or mended."""
    return [
        {
            "part": each.kind,
            "object": each.object,
            "broken": each.mutation,
            "attempts": each.attempts,
            "problem": each.problem,
        }
        for each in (*run.survivors, *run.problems)
    ]


def not_as_declared_rows(proof: SecurityProof) -> list[Row]:
    """What an attack on the design found that the intent does not say."""
    return attempt_rows(proof.hardened.not_as_declared)


def proof_in_words(proof: SecurityProof) -> list[str]:
    """The proof in a few sentences."""
    totals = proof.hardened.totals
    said = [
        f"Intent {quoted(proof.intent.name)}: {proof.intent_from}. {len(proof.intent.roles)} roles, "
        f"{len(proof.intent.rules)} rules; {len(proof.design.parts)} parts of a design.",
        f"Rows: {proof.rows_from}.",
        f"{totals['run']:,} attempts in {proof.hardened.elapsed_s:.1f} s, "
        f"{totals['as_declared']:,} of them as declared.",
    ]
    if not proof.intent.owners:
        said.append(
            "The intent says of no table to whom its rows belong, so there is no row security to get around."
        )
    if proof.naive is not None:
        leaks = sum(each.leak for each in proof.naive.attempts)
        still = sum(each.leak for each in proof.hardened.attempts)
        said.append(f"The naive design let {leaks:,} through that the intent forbids; this one {still:,}.")
    if proof.found is not None:
        more = sum(each.leak for each in proof.found.attempts)
        less = sum(each.missing for each in proof.found.attempts)
        said.append(
            f"What is live today lets {more:,} of {len(proof.found.attempts):,} attempts through that the "
            f"intent forbids and refuses {less:,} that it allows: {len(proof.found_findings):,} findings."
        )
        said += [f"Of what is live, not tried: {each}" for each in proof.found.left_out[:20]]
    if proof.mutants is not None:
        counted = proof.mutants.totals
        said.append(
            f"{counted['made']:,} parts were broken one by one; the attacks noticed {counted['killed']:,}."
        )
    open_ones = residual(proof.hardened)
    if open_ones:
        ways = ", ".join(dict.fromkeys(each.number for each in open_ones if each.group == "probe"))
        said.append(
            f"{len(open_ones):,} attempts got through as PostgreSQL cannot close it"
            + (f": probes {ways}." if ways else ".")
        )
    left_out = proof.hardened.left_out
    said += [f"Not tried: {each}" for each in left_out[:_MOST_TOLD]]
    if left_out[_MOST_TOLD:]:
        said.append(f"Not tried: {len(left_out) - _MOST_TOLD} more, all of them in the JSON.")
    said += [f"Of the design: {each}" for each in proof.design.remarks]
    return said


def control_rows(review: PostureReview) -> list[Row]:
    """The controls: section, title, state, and what would help where one is not readable."""
    return [
        {
            "state": each.state,
            "section": each.section,
            "control": each.detail or each.title,
            "findings": each.found or "",
            "what helps": each.helps,
        }
        for each in sorted(review.controls, key=lambda each: STATES.index(each.state))
    ]


def leak_rows(naive: AttackRun, hardened: AttackRun) -> list[Row]:
    """The probes on both designs: how each stands, what was seen on the naive one, and the other's answer."""
    return [
        {
            "probe": each.number,
            "what was tried": each.title,
            "naive design": _standing(each.naive, each.naive_reached, each.naive_tried),
            "this design": _standing(each.hardened, each.hardened_reached, each.hardened_tried),
            "seen there": each.seen,
            "said here": each.answer,
        }
        for each in leak_story(naive, hardened)
    ]


def _standing(standing: str, reached: int, tried: int) -> str:
    return f"{standing} ({reached} of {tried})" if reached else standing


def audit_rows(found: Sequence[AuditProof]) -> list[Row]:
    """Ways to write, on how many tables each was exact, and where it was not."""
    forms = dict.fromkeys(each.form for each in found)
    return [_audit_row(form, [each for each in found if each.form == form]) for form in forms]


def _audit_row(form: str, found: Sequence[AuditProof]) -> Row:
    written = [each for each in found if each.stopped is None]
    wrong = [each for each in written if not each.as_expected]
    return {
        "way to write": form,
        "tables": len(written),
        "changes": sum(sum(each.expected) for each in written),
        "entries": sum(sum(each.logged) for each in written),
        "exact": len(written) - len(wrong),
        "not exact on": ", ".join(qualified(*each.table) for each in wrong),
        "refused by the table": len(found) - len(written),
    }


def sighting_rows(proof: EncryptionProof | LeakHunts) -> list[Row]:
    """The hunts place by place: secrets that were looked for, and whether each was seen as it should be."""
    return [
        {"searched": searched, **_place_row(place, [each for each in hunt.sightings if each.place == place])}
        for searched, hunt in proof.hunts.items()
        for place in hunt.searched_bytes
    ]


def _place_row(place: str, sightings: Sequence[Sighting]) -> Row:
    clear = [each for each in sightings if each.expected]
    return {
        "place": place,
        "in clear, seen": f"{sum(each.found for each in clear)} of {len(clear)}",
        "kept secret, seen": f"{sum(each.found and not each.expected for each in sightings)} "
        f"of {len(sightings) - len(clear)}",
        "an example": next(
            (f"{each.marker}: {each.encoding} {each.where}" for each in clear if each.found), ""
        ),
    }


def login_rows(found: Authentication) -> list[Row]:
    """Logins that were tried: what is claimed, what was expected and observed, on which engine."""
    return [
        {
            "claim": each.claim,
            "expected": each.expected,
            "observed": each.observed,
            "engine": each.engine,
            "said": each.detail,
        }
        for each in found.attempts
    ]


def noted(lines: Iterable[str]) -> list[Row]:
    """Lines as rows of a table."""
    return [{"note": line} for line in lines]


def cost_rows(costs: Sequence[ShapeCost]) -> list[Row]:
    """Row security's cost: a row a shape of query, a column a way to write its policy, medians in ms."""
    times = {(each.shape, each.variant): round(each.median_ms, 2) for each in costs}
    variants = dict.fromkeys(variant for _, variant in times)
    return [
        {"query": shape, **{variant: times.get((shape, variant), "") for variant in variants}}
        for shape in dict.fromkeys(shape for shape, _ in times)
    ]


def sealed_rows(proof: EncryptionProof) -> list[Row]:
    """What was tried against a key in the database and against one outside; and against documents."""
    runs = [*filter(None, [proof.naive]), proof.sealed]
    found = [
        ("pgcrypto, key in a setting" if run is proof.naive else "sealed by the application", run)
        for run in runs
    ]
    rows = [{"design": design, **row} for design, run in found for row in attempt_rows(run.attempts)]
    return rows + [
        {"design": "encrypted fields of documents", **row} for row in attempt_rows(proof.documents)
    ]
