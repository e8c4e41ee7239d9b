"""The fixed top-level folders, the package map, the links and the wheel's list are one thing."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]
PACKAGE_DIR: dict[str, str] = SETUPTOOLS["package-dir"]
LINKED = sorted(name for name in PACKAGE_DIR if name != "oxegg")
LINE_LIMIT = 600


def source_files() -> Iterator[Path]:
    for folder in (*PACKAGE_DIR.values(), "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not any(parent.is_symlink() for parent in path.parents):
                yield path


def packages_on_disk() -> list[str]:
    found: set[str] = set()
    for package, folder in PACKAGE_DIR.items():
        top = ROOT / folder
        for init in top.rglob("__init__.py"):
            parts = init.parent.relative_to(top).parts
            if not any(parent.is_symlink() for parent in init.parents):
                found.add(".".join((package, *parts)))
    return sorted(found)


def test_every_package_is_in_the_wheel() -> None:
    assert packages_on_disk() == SETUPTOOLS["packages"], "edit [tool.setuptools] packages"


@pytest.mark.parametrize("package", LINKED)
def test_link_points_where_the_map_does(package: str) -> None:
    link = ROOT / package.replace(".", "/")
    assert link.is_symlink()
    assert link.resolve() == ROOT / PACKAGE_DIR[package]


def test_every_folder_with_code_is_a_package() -> None:
    folders = {path.parent for path in source_files() if not path.is_relative_to(ROOT / "tests")}
    assert {folder for folder in folders if not (folder / "__init__.py").exists()} == set()


def test_package_data_exists_and_nothing_else_is_left_out() -> None:
    data: dict[str, list[str]] = SETUPTOOLS["package-data"]
    packed = {
        path
        for package, patterns in data.items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).resolve().glob(pattern)
    }
    wanted = {path for folder in PACKAGE_DIR.values() for path in (ROOT / folder).rglob("*.toml")}
    assert ROOT / "oxegg/py.typed" in packed
    assert wanted - packed == set()


def test_no_file_is_too_long() -> None:
    lengths = {str(path): len(path.read_text().splitlines()) for path in source_files()}
    assert {name: lines for name, lines in lengths.items() if lines > LINE_LIMIT} == {}


def test_relative_and_bare_imports_are_banned_by_the_linter() -> None:
    banned = PYPROJECT["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]
    assert sorted(banned) == [package.removeprefix("oxegg.") for package in LINKED]


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path)
        for path in source_files()
        if path.read_text().strip() and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert silent == []
