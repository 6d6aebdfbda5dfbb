"""The notebooks: found, asked for their parameters, and run in parallel."""

from workbench.notebooks.parameters import ParameterValues, check_parameters
from workbench.notebooks.progress import progress_display
from workbench.notebooks.reading import available, read, select
from workbench.notebooks.runner import run
from workbench.proof.runs import Notebook, NotebookRun, Parameter, Progress, ProgressListener

__all__ = [
    "Notebook",
    "NotebookRun",
    "Parameter",
    "ParameterValues",
    "Progress",
    "ProgressListener",
    "available",
    "check_parameters",
    "progress_display",
    "read",
    "run",
    "select",
]
