"""Security: who may do what to which rows, as a design that was attacked."""

from workbench.areas.security.attacks.run import leaks as leaks_of
from workbench.areas.security.attacks.run import run_attacks
from workbench.areas.security.audit.evidence import (
    evidence_rows,
    prove_evidence,
    prove_time_travel,
    travel_rows,
)
from workbench.areas.security.audit.proof import prove_audit
from workbench.areas.security.auditing import AuditCoverage, coverage_of
from workbench.areas.security.authentication import Authentication, prove_authentication
from workbench.areas.security.design.cost import row_security_cost
from workbench.areas.security.encryption_proof import EncryptionProof, LeakHunts, hunt_leaks, prove_encryption
from workbench.areas.security.ground import (
    Ground,
    hold_ground,
    intent_of,
    proposed_intent,
    security_ground,
)
from workbench.areas.security.intent.problems import IntentError
from workbench.areas.security.intent.reading import require_intent
from workbench.areas.security.intent.writing import write_intent
from workbench.areas.security.posture import prove_posture, review_mongodb_posture, review_posture
from workbench.areas.security.proving import SecurityProof, prove_design
from workbench.areas.security.recording import (
    matrix_picture,
    proof_as_dict,
    proof_files,
    record_audit,
    record_encryption,
    record_logins,
    record_posture,
    record_proof,
)
from workbench.areas.security.scripting import scripted_design
from workbench.areas.security.subject import Subject, hold_subject, open_subject, review_subject
from workbench.areas.security.telling import (
    attempt_rows,
    audit_rows,
    control_rows,
    cost_rows,
    leak_rows,
    login_rows,
    mutant_rows,
    not_as_declared_rows,
    noted,
    part_rows,
    proof_in_words,
    residual_rows,
    role_rows,
    rule_rows,
    run_rows,
    sealed_rows,
    sighting_rows,
    survivor_rows,
)

__all__ = [
    "AuditCoverage",
    "Authentication",
    "EncryptionProof",
    "Ground",
    "IntentError",
    "LeakHunts",
    "SecurityProof",
    "Subject",
    "attempt_rows",
    "audit_rows",
    "control_rows",
    "cost_rows",
    "coverage_of",
    "evidence_rows",
    "hold_ground",
    "hold_subject",
    "hunt_leaks",
    "intent_of",
    "leak_rows",
    "leaks_of",
    "login_rows",
    "matrix_picture",
    "mutant_rows",
    "not_as_declared_rows",
    "noted",
    "open_subject",
    "part_rows",
    "proof_as_dict",
    "proof_files",
    "proof_in_words",
    "proposed_intent",
    "prove_audit",
    "prove_authentication",
    "prove_design",
    "prove_encryption",
    "prove_evidence",
    "prove_posture",
    "prove_time_travel",
    "record_audit",
    "record_encryption",
    "record_logins",
    "record_posture",
    "record_proof",
    "require_intent",
    "residual_rows",
    "review_mongodb_posture",
    "review_posture",
    "review_subject",
    "role_rows",
    "row_security_cost",
    "rule_rows",
    "run_attacks",
    "run_rows",
    "scripted_design",
    "sealed_rows",
    "security_ground",
    "sighting_rows",
    "survivor_rows",
    "travel_rows",
    "write_intent",
]
