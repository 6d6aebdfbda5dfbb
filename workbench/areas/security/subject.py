"""What is looked at: tables, whose design is proved, or collections, whose server is reviewed."""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from workbench.areas.security.posture import PostureReview, prove_posture, review_mongodb_posture
from workbench.catalog.reflect import reflect
from workbench.documents.source import DocumentSource, open_documents
from workbench.engines.postgres import engine
from workbench.errors import SourceError
from workbench.proof.looked_at import looked_at
from workbench.proof.results import LookedAt
from workbench.source import OpenSource, Options, Source, open_source, resolve


@dataclass
class Subject:
    """A source that is open: *rows* of tables, or *collections* of a MongoDB at *url*, password and all."""

    source: Source
    rows: OpenSource | None = None
    collections: DocumentSource | None = None
    timeout_s: float = 300.0
    url: str = field(default="", repr=False)
    _held: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, repr=False)

    @property
    def looked_at(self) -> LookedAt:
        """The source in the report's words."""
        if self.rows is not None:
            return looked_at(self.rows, reflect(self.rows.connection))
        if self.collections is None:
            raise SourceError(f"{self.source.spec} is not open")
        catalog = self.collections.catalog
        return LookedAt(
            source=self.source.title,
            server=self.collections.looked_at_on,
            database=catalog.database,
            loaded="read by commands that cannot write",
            collections=len(catalog.collections),
            size_bytes=sum(each.size_bytes or 0 for each in catalog.collections),
        )

    def close(self) -> None:
        """Give everything back; twice does no harm."""
        self._held.close()


@contextlib.contextmanager
def open_subject(spec: str, options: Options | None = None) -> Iterator[Subject]:
    """*spec* open during the block. Raises SourceError and its kinds; a dump has no roles to look at."""
    source, options = resolve(spec), options or Options()
    if source.kind == "dump":
        raise SourceError(f"{spec}: a dump has neither roles nor settings: name the server it was taken from")
    with contextlib.ExitStack() as stack:
        if source.kind == "collections":
            documents = stack.enter_context(open_documents(spec, timeout_s=options.timeout_s))
            yield Subject(source, collections=documents, timeout_s=options.timeout_s, url=spec)
        else:
            server = stack.enter_context(engine())
            yield Subject(source, rows=stack.enter_context(open_source(spec, server, options)))


def hold_subject(spec: str, options: Options | None = None) -> Subject:
    """For a notebook: *spec* open until `close()` or the end of the process."""
    with contextlib.ExitStack() as stack:
        subject = stack.enter_context(open_subject(spec, options))
        subject._held = stack.pop_all()
    atexit.register(subject.close)
    return subject


def review_subject(subject: Subject) -> PostureReview:
    """How the subject's server and database stand; what can be tried is tried in a private cluster.

    Raises SourceError and its kinds.
    """
    if subject.rows is not None:
        return prove_posture(subject.rows)
    return review_mongodb_posture(subject.url, timeout_s=subject.timeout_s)
