"""The same training step on one device, on many, and on many hosts. The only file that names
devices.

`sharded` compiles with `jax.jit` over a mesh: the batch is split, the state replicated, and XLA
inserts the communication. `mapped` compiles the steps of a `Training` of `axis_name=AXIS` with
`jax.pmap`: each device runs its part, averages gradients and batch statistics. Both agree with
one device to float tolerance, because every replica takes its part of the same latents.
`use_device` is for retrievals, whose processes have a device each.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from exogan_jax.gan.step import GANInfo, GANState

AXIS = "batch"
#: key, state, depth (steps, n, w), theta (steps, n, d) -> state, mean diagnostics: `loop.steps`
Run = Callable[[jax.Array, GANState, jax.Array, jax.Array], tuple[GANState, GANInfo]]


class Compiled(NamedTuple):
    """A compiled run over stacks of batches, and how to put its arguments on the devices."""

    init: Callable[[Callable[[jax.Array], GANState], jax.Array], GANState]  # init, key -> state
    place: Callable[[Any], jax.Array]  # this process's (steps, n, ...) of the whole batch
    run: Run  # donates the state
    to_one: Callable[[GANState], GANState]  # to checkpoint, evaluate or ship
    from_one: Callable[[GANState], GANState]  # its inverse


def connect(
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
    environment: Mapping[str, str] = os.environ,
) -> bool:
    """Connects the processes of several hosts; call it before any other JAX function.

    Args:
      coordinator: HOST:PORT of process 0; None finds it, and the numbers, in the environment of
        SLURM, Open MPI or a TPU pod.
      processes: how many there are.
      process: which this is.
      environment: where to look.

    Returns:
      whether there is more than one.

    Raises:
      ValueError: some of the three are given, and not all.
    """
    given = [x is not None for x in (coordinator, processes, process)]
    if any(given):
        if not all(given):
            raise ValueError("coordinator, processes and process belong together: give all three")
        jax.distributed.initialize(coordinator, processes, process)
        return jax.process_count() > 1
    tasks = [environment.get(name, "1") for name in ("SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE")]
    pod = environment.get("TPU_WORKER_HOSTNAMES", "")
    if any(task.isdecimal() and int(task) > 1 for task in tasks) or "," in pod:
        jax.distributed.initialize()
    return jax.process_count() > 1


def use_device(name: str | None, number: int = 0) -> None:
    """Computes on one device from now on.

    Args:
      name: "cpu", "gpu", "tpu", or one of several as "gpu:1"; None: what JAX chooses.
      number: of this process among several, which share out the devices of a kind.

    Raises:
      ValueError: there is no such device; says which there are.
    """
    kind, _, index = (name or jax.default_backend()).partition(":")
    try:
        devices = jax.local_devices(backend=kind)
    except RuntimeError:
        devices = []
    chosen = int(index) if index.isdecimal() else number % max(len(devices), 1)
    if (index and not index.isdecimal()) or chosen >= len(devices):
        there = ", ".join(f"{d.platform}:{d.id}" for d in jax.local_devices())
        raise ValueError(f"there is no device {name!r} here; there are {there}")
    jax.config.update("jax_default_device", devices[chosen])


def mesh() -> Mesh:
    """All devices of all processes, along the batch."""
    return Mesh(np.asarray(jax.devices()), (AXIS,))


def check_batch(batch_size: int) -> None:
    """Raises ValueError where the devices cannot share a batch evenly."""
    if batch_size % jax.device_count():
        raise ValueError(
            f"{jax.device_count()} devices cannot share batches of {batch_size} evenly"
        )


def sharded(run: Run, over: Mesh | None = None) -> Compiled:
    """Compiles with `jax.jit`: state replicated, batches split.

    Args:
      run: `loop.steps` of a `Training` without `axis_name`.
      over: the mesh; None: all devices.
    """
    over = mesh() if over is None else over
    everywhere = NamedSharding(over, PartitionSpec())
    split = NamedSharding(over, PartitionSpec(None, AXIS))
    compiled = jax.jit(
        run,
        in_shardings=(everywhere, everywhere, split, split),
        out_shardings=everywhere,
        donate_argnums=1,
    )

    def place(local: Any) -> jax.Array:
        if isinstance(local, jax.Array):  # simulated on a device of this process
            return jax.device_put(local, split)
        return jax.make_array_from_process_local_data(split, np.asarray(local))

    return Compiled(
        init=lambda init, key: jax.jit(init, out_shardings=everywhere)(key),
        place=place if jax.process_count() == 1 else _place_across(split),
        run=compiled,
        to_one=lambda state: state,
        from_one=lambda state: jax.device_put(state, everywhere),
    )


def _place_across(split: NamedSharding) -> Callable[[Any], jax.Array]:
    """Joins the parts of all processes, wherever they were made."""

    def place(local: Any) -> jax.Array:
        return jax.make_array_from_process_local_data(split, np.asarray(local))

    return place


def mapped(run: Run) -> Compiled:
    """Compiles with `jax.pmap` over the devices of this process.

    Args:
      run: `loop.steps` of a `Training` with `axis_name=AXIS`, its networks too where they
        normalise batches.
    """
    n = jax.local_device_count()
    compiled = jax.pmap(run, axis_name=AXIS, in_axes=(None, 0, 0, 0), donate_argnums=1)

    def place(local: Any) -> jax.Array:
        x = jnp.asarray(local)
        steps, size, *rest = x.shape
        return jnp.moveaxis(x.reshape(steps, n, size // n, *rest), 1, 0)

    def first(tree: Any) -> Any:
        return jax.tree.map(lambda x: x[0], tree)

    def from_one(state: GANState) -> GANState:
        return jax.tree.map(lambda x: jnp.stack([x] * n), state)

    def call(
        key: jax.Array, state: GANState, depth: jax.Array, theta: jax.Array
    ) -> tuple[GANState, GANInfo]:
        state, info = compiled(key, state, depth, theta)
        return state, first(info)

    return Compiled(
        init=lambda init, key: from_one(jax.jit(init)(key)),
        place=place,
        run=call,
        to_one=first,
        from_one=from_one,
    )


def any_process(flag: bool) -> bool:
    """Whether the flag is set in any process; all must ask."""
    if jax.process_count() == 1:
        return flag
    from jax.experimental.multihost_utils import process_allgather

    return bool(np.any(process_allgather(np.asarray(flag))))


def from_first(value: np.ndarray) -> np.ndarray:
    """The first process's value, in all; all must ask."""
    if jax.process_count() == 1:
        return value
    from jax.experimental.multihost_utils import broadcast_one_to_all

    return np.asarray(broadcast_one_to_all(value))
