"""Write and read concerns shown under failure: what three members of our own keep when their primary dies.

The failures are real: members are killed as a power cut would, or kept from applying what they receive.
Source: MongoDB manual, "Write Concern", "Read Concern", "Rollbacks During Replica Set Failover".
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pymongo import ReadPreference, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import (
    AutoReconnect,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)
from pymongo.read_concern import ReadConcern

from workbench.engines.mongo import Client, MongoCluster, MongoServer, private_mongod
from workbench.errors import EngineError, FeatureUnavailable
from workbench.proof.documents.claims import Claim

DATABASE = "workbench_failures"
WAIT_MS = 300  # for what cannot come
_PATIENCE_S = 90.0  # of a busy machine
_TRIES = 3
_ALL = WriteConcern(w=3, wtimeout=20_000)
_MAJORITY = WriteConcern(w="majority", wtimeout=20_000)


@dataclass
class Observed:
    """What was acknowledged, by write concern, and what there was after the primary had died.

    *seen* says what the isolated primary showed by read concern; *rolled_back* whether the old primary,
    back again, had given up what it alone had.
    """

    acknowledged: dict[str, set[str]] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    seen: dict[str, bool] = field(default_factory=dict)
    found: set[str] = field(default_factory=set)
    found_on_old_primary: set[str] = field(default_factory=set)
    uncommitted_left: int = 0
    committed_left: int = 0

    def lost(self, concern: str) -> set[str]:
        """What was acknowledged with *concern* and is no more."""
        return self.acknowledged.get(concern, set()) - self.found


def prove_under_failure() -> list[Claim]:
    """The claims on concerns, causal sessions and transactions, tried on a private set of three members.

    Raises FeatureUnavailable where there is no server of ours to start, EngineError where it fails.
    """
    with private_mongod(members=3) as (server, cluster):
        lagging = prove_with_a_lagging_member(server, cluster)
        return [*lagging, *claims_of(lose_the_primary(server, cluster))]


def not_proved(claims: str, why: FeatureUnavailable) -> Claim:
    """The claim that stands for all of them where no private server can be started."""
    return Claim(claims, False, "", why_not=str(why))


# A member that lags


def prove_with_a_lagging_member(server: MongoServer, cluster: MongoCluster) -> list[Claim]:
    """What ``w: 3`` and reads of a secondary do while one secondary applies nothing."""
    with server.client() as client:
        events = client[DATABASE]["lagging"]
        events.with_options(write_concern=_ALL).insert_one({"_id": "before"})
        _, secondaries = _complete(client)
        with cluster.member_client(secondaries[0]) as lagging, _applies_nothing(lagging):
            waited = _acknowledged(events, WriteConcern(w=3, wtimeout=WAIT_MS), "all")
            stale = _read(lagging)
            waits = _waits_for_its_writes(client, lagging)
        with cluster.member_client(secondaries[0]) as caught_up:
            later = _read_causally(client, caught_up, _PATIENCE_S * 1000)
    return [
        Claim(
            "a write that all three members must acknowledge is not, while one of them lags",
            waited == 64 and "all" in later,
            f"error {waited} after {WAIT_MS} ms; the write itself stays and is on the member later",
            {"code": waited},
        ),
        Claim(
            "a plain read of a secondary that lags misses what was written",
            "all" not in stale and "before" in stale,
            f"it showed {', '.join(sorted(stale))}",
        ),
        Claim(
            "a causally consistent session reads its own writes from that secondary, and waits until it can",
            waits and {"all", "own"} <= later,
            "it gave no old state: it waited" + (", then had its own write" if "own" in later else ""),
        ),
    ]


@contextmanager
def _applies_nothing(member: Client) -> Iterator[None]:
    """The member receives writes and applies none, for the block; it goes on answering."""
    member.admin.command("fsync", lock=True)
    try:
        yield
    finally:
        member.admin.command("fsyncUnlock")


def _on(member: Client) -> Collection[dict[str, Any]]:
    return member[DATABASE].get_collection("lagging", read_preference=ReadPreference.SECONDARY_PREFERRED)


def _read(member: Client) -> set[str]:
    return {each["_id"] for each in _on(member).find({}, max_time_ms=10_000)}


def _waits_for_its_writes(client: Client, member: Client) -> bool:
    """Whether a causal session on *member*, after a write, would rather fail than show an old state."""
    try:
        return "own" in _read_causally(client, member, WAIT_MS, write="own")
    except ExecutionTimeout:
        return True


def _read_causally(client: Client, member: Client, longest_ms: float, *, write: str = "") -> set[str]:
    """What *member* shows a session that has made the last write of *client*'s."""
    with client.start_session() as writer, member.start_session(causal_consistency=True) as reader:
        if write:
            client[DATABASE]["lagging"].insert_one({"_id": write}, session=writer)
        else:
            client[DATABASE]["lagging"].find_one(session=writer)
        reader.advance_cluster_time(writer.cluster_time or {})
        if writer.operation_time is not None:
            reader.advance_operation_time(writer.operation_time)
        found = _on(member).find({}, session=reader, max_time_ms=int(longest_ms))
        return {each["_id"] for each in found}


# A primary that dies


def lose_the_primary(server: MongoServer, cluster: MongoCluster) -> Observed:
    """Cut the primary off, write to it, kill it, let the others go on, and bring it back.

    A primary that is cut off steps down within a second or so; where it did so before all was written,
    it is tried again. Raises EngineError where that fails several times.
    """
    for _ in range(_TRIES):
        observed = Observed()
        with server.client() as client:
            primary, secondaries = _complete(client)
            database = client[DATABASE]
            for name in ("kept", "left", "right"):
                database.drop_collection(name)
                database.create_collection(name, write_concern=_ALL)
            for concern in _CONCERNS:
                _write(observed, database["kept"], concern, f"together, {concern}", 20_000)
            _commit(client)
        try:
            with cluster.member_client(primary, serverSelectionTimeoutMS=2_000) as alone:
                _leave_open(alone)
                for member in secondaries:
                    cluster.kill(member)
                _write_alone(observed, alone[DATABASE]["kept"])
        except AutoReconnect:  # it is no primary any more
            for member in secondaries:
                cluster.start(member)
            continue
        cluster.kill(primary)
        for member in secondaries:
            cluster.start(member)
        _look_after_failover(observed, server)
        cluster.start(primary)
        _await(partial(_has_caught_up, cluster, primary), "the old primary to catch up")
        observed.found_on_old_primary = _kept_on(cluster, primary)
        return observed
    raise EngineError("a primary that was cut off stepped down too early, three times: is the machine busy?")


_CONCERNS: Mapping[str, Mapping[str, Any]] = {"w: 1": {"w": 1, "j": True}, "w: majority": {"w": "majority"}}


def _write(
    observed: Observed, collection: Collection[dict[str, Any]], concern: str, key: str, wait_ms: int
) -> None:
    """Write *key* with *concern*; note whether the server acknowledged it."""
    code = _acknowledged(collection, WriteConcern(**_CONCERNS[concern], wtimeout=wait_ms), key)
    if code is None:
        observed.acknowledged.setdefault(concern, set()).add(key)
    else:
        observed.refused[concern] = code


def _acknowledged(collection: Collection[dict[str, Any]], concern: WriteConcern, key: str) -> int | None:
    """None where the write was acknowledged in time, else the server's code."""
    try:
        collection.with_options(write_concern=concern).insert_one({"_id": key})
    except WTimeoutError as exc:
        return exc.code
    return None


def _commit(client: Client) -> None:
    with client.start_session() as session, session.start_transaction(write_concern=_MAJORITY):
        for name in ("left", "right"):
            client[DATABASE][name].insert_one({"_id": "committed"}, session=session)


def _leave_open(client: Client) -> None:
    """A transaction that has written to both collections and is neither committed nor aborted."""
    session = client.start_session()
    session.start_transaction()
    for name in ("left", "right"):
        client[DATABASE][name].insert_one({"_id": "open"}, session=session)


def _write_alone(observed: Observed, kept: Collection[dict[str, Any]]) -> None:
    """Write to a primary that has lost its secondaries, and read what was written."""
    _write(observed, kept, "w: 1", "alone, w: 1", WAIT_MS)
    for level in ("local", "majority"):
        found = kept.with_options(read_concern=ReadConcern(level)).find_one({"_id": "alone, w: 1"})
        observed.seen[level] = found is not None
    try:
        found = kept.with_options(read_concern=ReadConcern("linearizable")).find_one(
            {"_id": "alone, w: 1"}, max_time_ms=WAIT_MS // 2
        )
        observed.seen["linearizable"] = found is not None
    except (ExecutionTimeout, OperationFailure):  # no answer, or it is no primary any more
        observed.seen["linearizable"] = False
    try:
        _write(observed, kept, "w: majority", "alone, w: majority", WAIT_MS // 2)
    except (AutoReconnect, OperationFailure) as exc:
        observed.refused["w: majority"] = getattr(exc, "code", None) or 0


def _look_after_failover(observed: Observed, server: MongoServer) -> None:
    with server.client(serverSelectionTimeoutMS=int(_PATIENCE_S * 1000)) as client:
        kept = client[DATABASE].get_collection("kept", write_concern=_MAJORITY)
        kept.insert_one({"_id": "after"})
        observed.found = {each["_id"] for each in kept.find({})}
        for name in ("left", "right"):
            found = {each["_id"] for each in client[DATABASE][name].find({})}
            observed.committed_left += "committed" in found
            observed.uncommitted_left += "open" in found


def _kept_on(cluster: MongoCluster, number: int) -> set[str]:
    """What a member shows by itself, whatever it has become; nothing while it is not ready to be read.

    It closes its connections while it rolls back, so each look has a client of its own.
    """
    try:
        with cluster.member_client(number, serverSelectionTimeoutMS=2_000) as member:
            kept = member[DATABASE].get_collection("kept", read_preference=ReadPreference.SECONDARY_PREFERRED)
            return {each["_id"] for each in kept.find({}, max_time_ms=2_000)}
    except PyMongoError:
        return set()


def _has_caught_up(cluster: MongoCluster, number: int) -> bool:
    return "after" in _kept_on(cluster, number)


def _await(there: Any, what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not there():
        if time.monotonic() > deadline:
            raise EngineError(f"a private replica set has not got {what} after {_PATIENCE_S:g} s")
        time.sleep(0.05)


def _complete(client: Client) -> tuple[int, list[int]]:
    """The number of the primary and those of the two secondaries, once all are there."""
    _await(lambda: sorted(_states(client)) == ["PRIMARY", "SECONDARY", "SECONDARY"], "three members")
    states = _states(client)
    return states.index("PRIMARY"), [at for at, state in enumerate(states) if state == "SECONDARY"]


def _states(client: Client) -> list[str]:
    return [each["stateStr"] for each in client.admin.command("replSetGetStatus")["members"]]


# What follows from it


def claims_of(observed: Observed) -> list[Claim]:
    """The claims that hold or do not, after what was *observed*."""
    lost = observed.lost("w: 1")
    given_up = lost - observed.found_on_old_primary
    return [
        survives(observed, "w: majority"),
        Claim(
            "a write that the primary alone acknowledged is lost with it, although it was in its journal",
            bool(lost),
            f"acknowledged and lost: {', '.join(sorted(lost)) or 'nothing'}",
            {"lost": len(lost)},
        ),
        Claim(
            "the old primary gives up what it alone had when it comes back",
            bool(given_up) and "after" in observed.found_on_old_primary,
            f"it no longer has {', '.join(sorted(given_up)) or 'nothing'}, and has what came after",
        ),
        Claim(
            "readConcern local shows what is rolled back later, majority does not",
            observed.seen.get("local") is True and observed.seen.get("majority") is False and bool(lost),
            ", ".join(f"{level}: {'seen' if seen else 'not seen'}" for level, seen in observed.seen.items()),
        ),
        Claim(
            "a linearizable read is not answered by a primary that is cut off",
            observed.seen.get("linearizable") is False,
            "no answer" if not observed.seen.get("linearizable") else "it answered",
        ),
        Claim(
            "a transaction that was committed survives the primary, one that was not leaves nothing",
            observed.committed_left == 2 and observed.uncommitted_left == 0,
            f"of two writes each: {observed.committed_left} of the committed one, "
            f"{observed.uncommitted_left} of the open one",
        ),
    ]


def survives(observed: Observed, concern: str) -> Claim:
    """Whether all that was acknowledged with the write concern *concern* is there after the primary died."""
    lost, acknowledged = observed.lost(concern), observed.acknowledged.get(concern, set())
    refused = observed.refused.get(concern)
    return Claim(
        f"what is acknowledged with {concern} survives the loss of the primary",
        bool(acknowledged) and not lost,
        f"acknowledged {len(acknowledged)}, lost {len(lost)}"
        + (f"; the one written when cut off was not acknowledged ({refused})" if refused is not None else ""),
        {"acknowledged": len(acknowledged), "lost": len(lost)},
    )
