"""The report: results and executed notebooks as a folder of pages. It decides nothing."""

from workbench.report.context import ReportContext
from workbench.report.display import show_findings, show_sql, show_table
from workbench.report.folder import staged
from workbench.report.site import write_site

__all__ = ["ReportContext", "show_findings", "show_sql", "show_table", "staged", "write_site"]
