"""How many workers of which size a cluster gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from initialization.errors import ClusterError

MAX_CPUS = 64
"""For one worker; no network here gains from more threads."""
MAX_LISTED = 4


@dataclass(frozen=True)
class ClusterSettings:
    """Where to extract and how; None leaves the choice to what the cluster has."""

    address: str | None = None
    """HOST:PORT, or "auto" on a machine of the cluster; None starts Ray on this machine for the length of the run."""
    workers: int | None = None
    cpus: int | None = None
    """For each worker."""
    gpus: float | None = None
    """For each worker; 0.5 lets two workers share one."""


@dataclass(frozen=True)
class Machine:
    """What a machine of the cluster has to give."""

    cpus: int
    gpus: int = 0


@dataclass(frozen=True)
class Pool:
    """The workers of a run."""

    workers: int
    cpus: int
    """For each."""
    gpus: float
    """For each."""
    machines: int

    def __str__(self) -> str:
        each = f"{self.gpus:g} GPU" if self.gpus else f"{self.cpus} CPU{'s' * (self.cpus != 1)}"
        where = f"{self.machines} machine{'s' * (self.machines != 1)}"
        return f"{self.workers} worker{'s' * (self.workers != 1)} of {each} on {where}"


def plan_pool(settings: ClusterSettings, machines: Sequence[Machine], own_threads: int | None) -> Pool:
    """How many workers of which size: one for each GPU; without GPUs, each with the threads that this process uses.

    Args:
        own_threads: Threads of the network in this process. As many in a worker give bit-identical features.

    Raises:
        ClusterError: the machines are too small for what was asked for.
    """
    gpus = settings.gpus if settings.gpus is not None else float(any(machine.gpus for machine in machines))
    usable = [machine for machine in machines if machine.gpus >= gpus and machine.cpus >= 1]
    # Sharing what there is among the workers asked for; without GPUs and a wish, as large as this process.
    wanted = settings.workers or (_room(usable, 1, gpus) if gpus else None)
    cpus = settings.cpus
    if cpus is None and wanted is None:
        cpus = min([own_threads or MAX_CPUS, *(machine.cpus for machine in usable)])
    elif cpus is None:
        fitting = (cpus for cpus in range(MAX_CPUS, 1, -1) if _room(usable, cpus, gpus) >= (wanted or 1))
        cpus = next(fitting, 1)
    room = _room(usable, cpus, gpus)
    workers = settings.workers or room
    if not 1 <= workers <= room:
        each = f"{cpus} CPUs" + f" and {gpus:g} GPUs" * bool(gpus)
        there = ", ".join(f"{machine.cpus} CPUs and {machine.gpus} GPUs" for machine in machines[:MAX_LISTED])
        raise ClusterError(
            f"found room for {room} workers of {each} each, expected {max(1, workers)}; the machines have {there}"
            f"{', ...' * (len(machines) > MAX_LISTED)}: ask for less with --ray-workers, --ray-cpus or --ray-gpus"
        )
    return Pool(workers, cpus, gpus, len(usable))


def _room(machines: Sequence[Machine], cpus: int, gpus: float) -> int:
    """How many workers of that size fit."""
    return sum(min(machine.cpus // cpus, int(machine.gpus / gpus) if gpus else MAX_CPUS) for machine in machines)


def check_address(address: str | None) -> None:
    """Whether an address is of the kind that can be joined.

    Raises:
        ClusterError: it is not.
    """
    if address is not None and "://" in address:
        raise ClusterError(
            f"--ray-address: found {address!r}, expected HOST:PORT or auto: run init_session.py on a machine of the "
            "cluster, as it needs the same folders as the workers (see docs/cluster.md)"
        )
