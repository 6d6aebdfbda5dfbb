"""The notebooks: found, asked for their parameters, and run in parallel."""

from workbench.notebooks.parameters import ParameterValues, check_parameters
from workbench.notebooks.progress import progress_display
from workbench.notebooks.reading import SOURCE_KINDS, available, for_source, read, select
from workbench.notebooks.runner import run
from workbench.proof.runs import Notebook, NotebookRun, Parameter, Progress, ProgressListener

__all__ = [
    "SOURCE_KINDS",
    "Notebook",
    "NotebookRun",
    "Parameter",
    "ParameterValues",
    "Progress",
    "ProgressListener",
    "available",
    "check_parameters",
    "for_source",
    "progress_display",
    "read",
    "run",
    "select",
]
