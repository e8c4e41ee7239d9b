"""Running a job in a process that can be killed, keeping the last result it sent."""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Literal

from oxegg.errors import OxeggError

LOOK_EVERY = 0.1  # seconds between looks at the child's clock
PATIENCE = 10  # the child may take that many times its seconds where others take the processors
Status = Literal["finished", "time", "memory"]


def run_in_child(
    job: Callable[[Callable[[Any], None]], None], *, seconds: float, memory_mb: int
) -> tuple[Any, Status]:
    """Fork, run ``job(send)``, return (last object sent or None, how it ended).

    A running egglog iteration can't be interrupted and egglog has no limits of its own, hence
    the process boundary. The parent must not have loaded egglog before the fork: 13.2 hangs.
    ``seconds`` are the child's own: what else the machine does must not change the result.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(job, sender, memory_mb), daemon=True)
    process.start()
    sender.close()
    deadline = time.monotonic() + PATIENCE * seconds
    last: Any = None
    status: Status = "memory"
    try:
        while True:
            if not receiver.poll(LOOK_EVERY):
                if _cpu_seconds(process.pid) > seconds or time.monotonic() > deadline:
                    status = "time"
                    break
                continue
            tag, payload = receiver.recv()
            if tag == "error":
                raise payload
            if tag == "end":
                status = "finished"
                break
            last = payload
    except EOFError:
        status = "memory"
    finally:
        process.kill()
        process.join()
        receiver.close()
    return last, status


def _child(
    job: Callable[[Callable[[Any], None]], None], sender: Connection, memory_mb: int
) -> None:
    os.environ["RUST_BACKTRACE"] = "0"
    used = _address_space()
    limit = used + memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    try:
        job(lambda payload: sender.send(("result", payload)))
        sender.send(("end", None))
    except MemoryError:
        pass
    except OxeggError as error:
        sender.send(("error", error))
    except Exception as error:  # a bug must not look like a lack of memory
        sender.send(("error", RuntimeError(f"{type(error).__name__} while saturating: {error}")))
    finally:
        sender.close()
        os._exit(0)  # dropping an e-graph after a fork can hang in egglog 13.2


def _cpu_seconds(pid: int | None) -> float:
    """Processor time of a process: fields 14 and 15 of proc_pid_stat(5)."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _address_space() -> int:
    """Bytes of address space that the parent's libraries already take."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
