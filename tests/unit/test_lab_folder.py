"""Which folder `workbench lab` opens."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench import lab, sql
from workbench.errors import BadInput


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The notebooks as an installed package has them; the current folder is an empty one."""
    shipped = tmp_path / "site-packages" / "_bundled" / "notebooks"
    shipped.mkdir(parents=True)
    (shipped / "01_oltp_model.ipynb").write_text("as shipped")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(sql, "asset_root", lambda name: shipped)
    return shipped


def test_a_checkout_is_opened_in_place() -> None:
    """In a checkout the notebooks of the checkout are opened."""
    assert lab.notebook_folder() == Path(__file__).parent.parent.parent / "notebooks"


def test_an_installed_package_is_copied(installed: Path) -> None:
    """The notebooks of an installed package are opened as a copy where the command was given."""
    opened = lab.notebook_folder()

    assert opened == Path.cwd() / "workbench-notebooks"
    assert (opened / "01_oltp_model.ipynb").read_text() == "as shipped"
    assert opened not in installed.parents


def test_an_edited_copy_is_kept(installed: Path) -> None:
    """A second call opens the copy as its owner left it."""
    copy = lab.notebook_folder() / "01_oltp_model.ipynb"
    copy.write_text("edited")

    lab.notebook_folder()

    assert copy.read_text() == "edited"


def test_a_named_folder_with_files_gets_none(installed: Path, tmp_path: Path) -> None:
    """A folder that is named and has files is opened as it is."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "my.ipynb").write_text("mine")

    assert lab.notebook_folder(mine) == mine
    assert [found.name for found in mine.iterdir()] == ["my.ipynb"]


def test_a_named_folder_that_is_not_there_is_filled(installed: Path, tmp_path: Path) -> None:
    """A folder that is not there yet is made, and gets the notebooks."""
    assert [found.name for found in lab.notebook_folder(tmp_path / "new").iterdir()] == [
        "01_oltp_model.ipynb"
    ]


def test_a_file_is_refused(installed: Path) -> None:
    """A file in the folder's place is refused by name."""
    with pytest.raises(BadInput, match=r"01_oltp_model\.ipynb: is a file"):
        lab.notebook_folder(installed / "01_oltp_model.ipynb")
