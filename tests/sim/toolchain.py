"""External tools of the tests: an assembler with linker, and Spike. All are optional."""

import shutil
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent / "bare_metal"
CLANG = shutil.which("clang-22") or shutil.which("clang")
EXTENSIONS = "rv64imafdcv_zicsr_zifencei_zba_zbb_zbs_zicond_zfh_zvfh_zvfbfmin_zvfbfwma"
needs_clang = pytest.mark.skipif(CLANG is None, reason="clang is not installed")


def assemble_program(source: Path, target: Path, *options: str) -> Path:
    """Assemble and link one of the bare-metal sources (or another beside their include file)."""
    command = [
        str(CLANG), "--target=riscv64", f"-march={EXTENSIONS}", "-mabi=lp64d", "-nostdlib",
        "-static", "-fuse-ld=lld", f"-Wl,-T,{SOURCES / 'link.ld'}", f"-I{SOURCES}", *options,
        "-o", str(target), str(source),
    ]  # fmt: skip
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return target


@cache
def spike() -> Path | None:
    """Spike's executable, from the package ``spike`` or the system, if it is installed."""
    beside = Path(sysconfig.get_path("scripts")) / "spike"
    found = beside if beside.exists() else shutil.which("spike")
    return Path(found) if found else None


def spike_environment(folder: Path) -> dict[str, str]:
    """Environment variables for Spike: without a dtc on the path, ours stands in."""
    path = "/usr/bin:/bin"
    if shutil.which("dtc", path=path) is None:
        stand_in = folder / "dtc"
        source = (Path(__file__).parent / "device_tree.py").read_text().split("\n", 1)[1]
        stand_in.write_text(f"#!{sys.executable}\n{source}")
        stand_in.chmod(0o755)
        path = f"{folder}:{path}"
    return {"PATH": path}


def run_spike(program: Path, folder: Path, vlen: int = 256, *options: str) -> int:
    """Exit code of Spike for a bare-metal program."""
    isa = f"--isa={EXTENSIONS}_zicntr_zvl{vlen}b"
    command = [str(spike()), isa, *options, str(program)]
    found = subprocess.run(
        command, env=spike_environment(folder), timeout=300, capture_output=True, check=False
    )
    return found.returncode
