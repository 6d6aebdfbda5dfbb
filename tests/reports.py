"""Small notebooks and the reports that are made of them, for the tests of the report."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import nbformat

from workbench import notebooks
from workbench.proof.runs import NotebookRun
from workbench.report import ReportContext, write_site

HOSTILE = (
    "<script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=2>",
    '"><svg onload=window.pwned=3>',
    "</code></pre></details><script>window.pwned=4</script>",
    "a\"b'c`d|e*f_g[h](javascript:window.pwned=5)",
    "{{ 7*7 }}{% raw %}",
    "🛒 naïve 表 @all &amp; &lt;b&gt;",
    "two\nlines -- drop",
    "x" * 300,
)

FINDINGS = """
from datetime import date
from decimal import Decimal
from workbench.proof.findings import Evidence, Finding
from workbench.proof.results import AreaResults, LeftOut, LookedAt, StoodIn
from workbench.report import show_findings, show_sql, show_table

engine = "PostgreSQL 18.6, embedded"

def finding(name, check="missing_primary_key", severity="error", verified=True):
    measured = {"rows": 12, "ratio": float("nan"), "most": float("inf"), "day": date(2026, 1, 2),
                "price": Decimal("9.90"), name: name, "plan": "Seq Scan\\n  Filter: " + name}
    return Finding("oltp", check, severity, "public." + name, "no primary key on " + name,
                   "Because of " + name, "alter table " + name + "\\n  add primary key (id);", verified,
                   "" if verified else "no rows in " + name,
                   (Evidence("fix-closes-finding", "tried on " + name, engine, measured),))

results = AreaResults("oltp", "OLTP " + names[0])
results.add_findings(finding(name) for name in names)
results.add_findings(finding(name, "wide_row", "info", False) for name in names[:2])
results.looked_at = LookedAt(
    names[0], engine, names[1], "by psql", tuple(names), 12, 3456, True, 1 << 20, names[2],
    (StoodIn(names[0], names[1], (3, 9)),), (LeftOut(1204, names[0], names[1]),))
results.add_fact("Tables " + names[0], 12, names[1])
results.add_proof("check on " + names[0], True, engine, detail=names[1])
results.add_proof("unique " + names[0], False, engine, detail=names[1])
results.add_proof("hidden " + names[0], "not proved", engine,
                  why_not="lacks " + names[1], how_to="get " + names[2])
results.add_artifact(names[0] + ".sql", "select 1;", "all of " + names[1])
"""

SHOWN = """
import pandas
show_findings(results.findings)
show_table([{name: name for name in names}], caption=names[0])
show_table(pandas.DataFrame({"name": names}))
show_sql("select '" + names[0] + "' -- ```")
print(names)
"""

PICTURE = """
from IPython.display import SVG, HTML, Markdown, display
picture = ('<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
           ' width="1400pt" height="90pt" viewBox="0 0 1400 90" onload="window.pwned=6">'
           '<defs><clipPath id="a"><rect width="9" height="9"/></clipPath></defs>'
           '<script>window.pwned=7</script><g clip-path="url(#a)" id="b">'
           '<a xlink:href="javascript:window.pwned=8"><text x="9" y="20">orders</text></a>'
           '<image href="https://example.org/x.png"/><use href="#b"/></g>'
           '<foreignObject><iframe src="https://example.org"></iframe></foreignObject></svg>')
results.add_artifact("model.svg", picture, "The model", cover=True)
display(SVG(picture)); display(SVG(picture))
display(HTML('<b onclick="window.pwned=9">bold</b><script>window.pwned=10</script><iframe src="https://example.org">'
             '</iframe><a href="javascript:window.pwned=11">link</a><style>body{display:none}</style>'
             '<form action="https://example.org"><input type="text"></form><img src="https://example.org/y.png">'))
display(Markdown("<script>window.pwned=12</script> ![y](https://example.org/y.png) *emphasis*"))
"""


def write_notebook(folder: Path, name: str, *cells: str) -> Path:
    """A notebook of *cells*: prose begins with # and a space, the parameters with # parameters."""
    made = nbformat.v4.new_notebook()
    for cell in cells:
        text = dedent(cell).strip("\n")
        if text.startswith("# parameters\n"):
            made.cells.append(
                nbformat.v4.new_code_cell(text.partition("\n")[2], metadata={"tags": ["parameters"]})
            )
        elif text.startswith(("# ", "## ")):
            made.cells.append(nbformat.v4.new_markdown_cell(text))
        else:
            made.cells.append(nbformat.v4.new_code_cell(text))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.ipynb"
    nbformat.write(made, path)
    return path


def write_notebooks(folder: Path) -> list[notebooks.Notebook]:
    """A notebook with findings, hostile names and pictures, and one that fails in its second cell."""
    write_notebook(
        folder,
        "01_oltp_model",
        "# OLTP *model*\n\nIs the model sound?",
        "# parameters\nscale = 0.01  # 1 is about 1M order items",
        f"names = {HOSTILE!r}",
        "## Findings\n\n" + "\n\n".join(HOSTILE),
        FINDINGS,
        SHOWN,
        "## Findings\n\nThe same heading a second time.",
        PICTURE,
        "_ = results.save()",
    )
    write_notebook(
        folder,
        "06_security",
        "# Security\n\nWho may see what?",
        "print('before the failure')",
        "policy = 1\nassert policy == 2, 'another tenant <b>reads</b>'",
        "## After\n\nThe rest.",
        "print('never')",
    )
    return notebooks.available(folder)


def context(title: str = "shop.sql") -> ReportContext:
    return ReportContext(
        title=title,
        command="workbench report --source shop.sql --seed 1",
        version="0.1.0",
        engines=("PostgreSQL 18.6, embedded",),
        started=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        elapsed_s=65.2,
        settings={"seed": 1, "scale": 0.01},
    )


def make_report(folder: Path, *, title: str = HOSTILE[0]) -> tuple[Path, list[NotebookRun]]:
    """A report of `write_notebooks` in *folder*/report, with its runs."""
    out = folder / "report"
    found = write_notebooks(folder / "notebooks")
    runs = notebooks.run(found, notebooks.check_parameters(found, {"scale": "2"}), out, jobs=2)
    write_site(out, runs, context(title))
    return out, runs
