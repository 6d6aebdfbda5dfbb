"""The posture of a MongoDB, only read.

review = review_mongodb_posture("mongodb://reader@host/shop")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from workbench.areas.security.posture.model import Control, PostureReview, State
from workbench.areas.security.posture.mongodb_checks import CHECKS, Asks, MongoCheck
from workbench.areas.security.posture.mongodb_facts import ServerFacts, server_facts
from workbench.areas.security.posture.mongodb_trial import prove_roles
from workbench.areas.security.posture.review import worst_first
from workbench.engines.mongo_reading import connect_read_only
from workbench.errors import EngineError, SourceError
from workbench.proof.findings import Evidence, Finding
from workbench.source import resolve

_ONLY_READ = "it is only read on the named server"
_VIEWER = (
    "db.getSiblingDB('admin').createRole({{role: 'wb_viewer', roles: [], privileges: ["
    "{{resource: {{cluster: true}}, actions: ['viewUser']}}, "
    "{{resource: {{db: '', collection: ''}}, actions: ['viewUser', 'viewRole']}}]}}); "
    "db.getSiblingDB('{database}').grantRolesToUser('{user}', [{{role: 'wb_viewer', db: 'admin'}}])"
)
_MONITOR = (
    "db.getSiblingDB('{database}').grantRolesToUser('{user}', [{{role: 'clusterMonitor', db: 'admin'}}])"
)
_HELPS: dict[Asks, str] = {
    "options": _MONITOR,
    "profile": _MONITOR,
    "compatibility": _MONITOR,
    "users": _VIEWER,
}


def review_mongodb_posture(spec: str, *, timeout_s: float = 300.0, prove: bool = True) -> PostureReview:
    """What the checks say of the MongoDB that *spec*, a mongodb:// URL, names.

    Nothing is written; it is asked once more without the login, to see whether it answers anybody. What
    the login may not ask is said, with the role that would help. With *prove* what its users can do with
    their roles is done on a private server that has the same, where this machine has a MongoDB. Raises
    SourceError and its kinds.
    """
    source = resolve(spec)
    if source.kind != "collections":
        raise SourceError(f"{source.spec}: the posture of a MongoDB is asked of a mongodb:// URL")
    with connect_read_only(
        source.spec, source.secret, secret_options=source.secret_options, timeout_s=timeout_s
    ) as database:
        facts = server_facts(database, source.spec)
        review = review_facts(facts, looked_at_on=f"{database.server}, {database.shown}")
    return _tried(facts, review) if prove else review


def _tried(facts: ServerFacts, review: PostureReview) -> PostureReview:
    try:
        return replace(review, findings=tuple(prove_roles(facts, review.findings)))
    except EngineError as exc:  # among them that there is no MongoDB here
        why = f"{_ONLY_READ}, and no private one can be had to try it: {exc}"
        findings = (
            each if each.verified else replace(each, unverified_because=why) for each in review.findings
        )
        return replace(review, findings=tuple(findings))


def review_facts(facts: ServerFacts, *, looked_at_on: str) -> PostureReview:
    """The same of *facts* that were read."""
    findings: list[Finding] = []
    controls: list[Control] = []
    for check in CHECKS:
        readable = is_readable(check, facts)
        found = [_with_evidence(each, looked_at_on) for each in check.find(facts)] if readable else []
        findings += found
        controls.append(_control(check, facts, found, readable=readable))
    return PostureReview(tuple(worst_first(findings)), tuple(controls), looked_at_on, facts.login or "nobody")


def is_readable(check: MongoCheck, facts: ServerFacts) -> bool:
    """Whether the login could ask what *check* needs."""
    known = {
        "anonymous": facts.anonymous is not None,
        "options": facts.options is not None,
        "users": facts.people is not None and facts.roles is not None,
        "profile": facts.profile_level is not None,
        "compatibility": "featureCompatibilityVersion" in facts.parameters,
        "version": bool(facts.version),
    }
    return known[check.asks]


def _with_evidence(finding: Finding, looked_at_on: str) -> Finding:
    if finding.check != "mongodb_no_authentication":
        return replace(finding, unverified_because=_ONLY_READ)
    tried = Evidence(
        "attempt",
        "A connection without a login listed the collections of the database.",
        looked_at_on,
        {"reached": True},
    )
    return replace(finding, verified=True, evidence=(tried,))


def _control(check: MongoCheck, facts: ServerFacts, found: Sequence[Finding], *, readable: bool) -> Control:
    state: State = "failed" if found else "passed"
    detail, helps = check.title, ""
    if not readable:
        state, detail = "not readable", f"{facts.login or 'who has no login'} may not ask for it"
        database, _, user = facts.login.partition(".")
        helps = _HELPS.get(check.asks, "").format(database=database or "admin", user=user)
    elif check.name == "mongodb_values_in_log" and not facts.is_enterprise:
        state, detail = "not applicable", "log redaction is a feature of MongoDB Enterprise"
    return Control(check.section, check.control, check.name, "server", state, len(found), detail, helps)
