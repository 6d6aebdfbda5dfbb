"""What the report keeps: findings, claims with their outcome, figures, and files to take home."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from workbench.areas.security.attacks.run import leaks
from workbench.areas.security.audit.evidence import Tampered, Travelled
from workbench.areas.security.audit.proof import AuditProof
from workbench.areas.security.authentication import Authentication
from workbench.areas.security.charts import attack_matrix
from workbench.areas.security.encryption_proof import EncryptionProof
from workbench.areas.security.intent.writing import write_intent
from workbench.areas.security.posture.model import PostureReview
from workbench.areas.security.proving import SecurityProof
from workbench.areas.security.telling import attempt_rows, residual
from workbench.proof.plain import as_json
from workbench.proof.results import AreaResults

_CLAIM_DECLARED = "Every attempt on the design ended as the intent declares"
_CLAIM_NAIVE = "The attacks find leaks in a naive design, and none of them in this one"
_CLAIM_MUTANTS = "Each part of the design that is broken is noticed by an attack"
_CLAIM_AUDIT = "The trail holds exactly what was changed, however it was written"
_CLAIM_SEALED = "Values that the application seals are read and moved by nobody who has the database alone"
_CLAIM_HUNT = "No secret is seen anywhere that is written by {}"
_CLAIM_PGCRYPTO = "A key that enters SQL, as pgcrypto wants it, is found by others"
_CLAIM_DOCUMENTS = "Encrypted fields of documents are read by who has the keys, and cannot be stored in clear"
_CLAIM_TRAVEL = "The trail gives back the rows of a table as they were at an earlier moment"
_CLAIM_LOGINS = "Only who may log in gets in, by SCRAM and over TLS"
_CLAIM_EVIDENCE = "Who tampers with the trail is noticed, a superuser too"


def record_posture(results: AreaResults, review: PostureReview) -> None:
    """Put the posture's findings, its figures and its controls into *results*."""
    results.add_findings(review.findings)
    totals = review.totals
    results.add_fact(
        "Controls of the server's posture",
        len(review.controls),
        ", ".join(f"{number} {state}" for state, number in totals.items() if number),
    )
    results.add_artifact(
        "posture.json", as_json([asdict(each) for each in review.controls]), "the controls and their states"
    )


def record_proof(results: AreaResults, proof: SecurityProof) -> None:
    """Put findings, claims, figures, the matrix, the scripts and the intent into *results*."""
    results.add_findings(proof.findings)
    _record_attacks(results, proof)
    if proof.mutants is not None:
        totals = proof.mutants.totals
        results.add_fact("Broken parts that an attack noticed", totals["killed"], f"of {totals['made']}")
        results.add_proof(
            _CLAIM_MUTANTS,
            not proof.mutants.survivors and bool(proof.mutants.mutants),
            proof.engine,
            detail=f"{totals['killed']} of {totals['made']} noticed, in {proof.mutants.elapsed_s:.0f} s",
        )
    said = {
        "intent.yaml": f"the intent: {proof.intent_from}",
        "design.sql": "the design; may be run again",
        "undo.sql": "takes the design away again",
        "attacks.json": "every attempt and mutant",
    }
    files = proof_files(proof)
    for name, described in said.items():
        results.add_artifact(name, files[name], described)


def _record_attacks(results: AreaResults, proof: SecurityProof) -> None:
    totals = proof.hardened.totals
    stay = residual(proof.hardened)
    results.add_fact("Attempts on the design", totals["run"], f"{totals['as_declared']:,} as declared")
    results.add_fact("Leaks that PostgreSQL cannot close", len(stay), "listed on the area's page")
    results.add_proof(
        _CLAIM_DECLARED,
        not proof.hardened.not_as_declared,
        proof.engine,
        detail=f"{totals['as_declared']:,} of {totals['run']:,} in {proof.hardened.elapsed_s:.1f} s; "
        f"rows: {proof.rows_from}",
    )
    if proof.naive is not None:
        before = len(leaks(proof.naive))
        results.add_fact("Attempts that a naive design lets through", before, "of the same attempts")
        results.add_proof(
            _CLAIM_NAIVE,
            bool(before) and not leaks(proof.hardened),
            proof.engine,
            detail=f"{before:,} leaks there, {len(leaks(proof.hardened)):,} here",
        )
    if proof.found is not None:
        results.add_fact(
            "Attempts that the live design lets through", len(leaks(proof.found)), "beyond the intent"
        )
    results.add_artifact(
        "attacks.svg", matrix_picture(proof), "roles, tables, operations: declared and observed", cover=True
    )


def matrix_picture(proof: SecurityProof) -> str:
    """The attack matrix as SVG: the naive design's where it was attacked, and this one's."""
    return attack_matrix(*proof.runs)


def record_audit(
    results: AreaResults,
    audited: Sequence[AuditProof],
    kept: Sequence[Tampered],
    travelled: Sequence[Travelled],
    engine: str,
) -> None:
    """Put the claims about the audit trail into *results*."""
    right = sum(each.as_expected for each in audited)
    results.add_fact("Ways to write that the trail was compared with", len(audited), f"{right} exact")
    if audited:
        results.add_proof(
            _CLAIM_AUDIT, right == len(audited), engine, detail=f"{right} of {len(audited)} forms on tables"
        )
    results.add_proof(
        _CLAIM_EVIDENCE,
        all(each.noticed == each.should_be_noticed for each in kept),
        engine,
        detail=", ".join(each.name for each in kept if each.should_be_noticed),
    )
    if travelled:
        results.add_proof(
            _CLAIM_TRAVEL,
            all(each.exact for each in travelled),
            engine,
            detail=f"{sum(each.equal for each in travelled):,} rows of {len(travelled)} tables",
        )


def record_encryption(results: AreaResults, proof: EncryptionProof) -> None:
    """Put the claims about encrypted values into *results*, and what could not be proved here."""
    sealed, engine = proof.sealed, proof.sealed.engine
    results.add_proof(
        _CLAIM_SEALED,
        not sealed.not_as_declared and bool(sealed.attempts),
        engine,
        detail=f"{sealed.totals['as_declared']} of {sealed.totals['run']} attempts as declared",
    )
    for searched, hunt in proof.hunts.items():
        results.add_proof(
            _CLAIM_HUNT.format(searched),
            hunt.proved,
            hunt.engine,
            detail=f"{len(hunt.searched_bytes)} places, {sum(hunt.searched_bytes.values()):,} bytes; "
            "in each a secret in clear was found",
        )
    if proof.naive is not None:
        results.add_proof(
            _CLAIM_PGCRYPTO,
            bool(proof.naive.not_as_declared),
            proof.naive.engine,
            detail=f"{len(proof.naive.not_as_declared)} of {len(proof.naive.attempts)} attempts reached it",
        )
    if proof.documents:
        results.add_proof(
            _CLAIM_DOCUMENTS, all(each.as_declared for each in proof.documents), proof.documents_engine
        )
    for why in proof.left_out:
        claim = _CLAIM_PGCRYPTO if "pgcrypto" in why else _CLAIM_DOCUMENTS
        results.add_proof(claim, "not proved", engine, why_not=why, how_to=why.rpartition(": ")[2])


def record_logins(results: AreaResults, found: Authentication) -> None:
    """Put the claim about logins into *results*, one an engine, and what could not be tried here."""
    for engine in dict.fromkeys(each.engine for each in found.attempts):
        tried = [each for each in found.attempts if each.engine == engine]
        results.add_proof(
            _CLAIM_LOGINS,
            all(each.as_declared for each in tried),
            engine,
            detail=f"{sum(each.as_declared for each in tried)} of {len(tried)} logins ended as they should",
        )
    for why in found.left_out:
        results.add_proof(
            _CLAIM_LOGINS, "not proved", "no engine here", why_not=why, how_to=why.rpartition(": ")[2]
        )


def proof_files(proof: SecurityProof) -> dict[str, str]:
    """What is taken home, by the name of its file: intent, scripts, the matrix, every attempt and mutant."""
    return {
        "intent.yaml": write_intent(proof.intent),
        "design.sql": proof.design.script,
        "undo.sql": proof.design.undo_script,
        "attacks.svg": matrix_picture(proof),
        "attacks.json": as_json(proof_as_dict(proof)),
    }


def proof_as_dict(proof: SecurityProof) -> dict[str, Any]:
    """The proof as plain data: findings, totals, and every attempt and mutant."""
    return {
        "intent": proof.intent.name,
        "intent_from": proof.intent_from,
        "engine": proof.engine,
        "rows_from": proof.rows_from,
        **proof.totals,
        "mutants": _mutants_as_dict(proof),
        "findings": [finding.as_dict() for finding in proof.findings],
        "residual": attempt_rows(residual(proof.hardened)),
        "left_out": list(proof.hardened.left_out),
        "remarks": list(proof.design.remarks),
        "runs": [
            {
                "design": run.design,
                "elapsed_s": run.elapsed_s,
                "attempts": [asdict(each) for each in run.attempts],
            }
            for run in proof.runs
        ],
        "mutants_tried": [asdict(each) for each in proof.mutants.mutants] if proof.mutants else None,
    }


def _mutants_as_dict(proof: SecurityProof) -> dict[str, Any] | None:
    """How many were made and killed, and the survivors by name."""
    if proof.mutants is None:
        return None
    return {**proof.mutants.totals, "survivors": [each.name for each in proof.mutants.survivors]}
