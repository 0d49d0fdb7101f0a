"""Streams of batches: what an epoch holds, positions, parts, and the simulator's."""

import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax import grid
from exogan_jax.files.dataset import (
    ArraySource,
    Part,
    RecordSource,
    find_shards,
    simulate_stack,
    simulated_stream,
    stream,
)
from exogan_jax.files.records import Spectra, pack
from exogan_jax.physics.opacity import load_opacities
from exogan_jax.physics.prior import simulate

N = 60


def numbered(n=N):
    """Spectra whose first depth is their number."""
    depth = np.zeros((n, grid.N_WAVELENGTH), np.float32)
    depth[:, 0] = np.arange(n)
    return Spectra(depth, np.tile(np.float32(np.arange(n)[:, None]), (1, grid.N_PARAMETERS)))


def numbers(batches):
    return np.concatenate([np.asarray(b.depth)[..., 0].ravel() for b in batches])


def take(dataset, n):
    return list(itertools.islice(iter(dataset), n))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A split in three files."""
    from array_record.python.array_record_module import ArrayRecordWriter

    path = tmp_path_factory.mktemp("dataset")
    for i, rows in enumerate(np.array_split(np.arange(N), 3)):
        name = f"exogan_spectra-train.array_record-{i:05d}-of-00003"
        writer = ArrayRecordWriter(str(path / name), "group_size:1")
        for record in pack(Spectra(*(x[rows] for x in numbered()))):
            writer.write(record)
        writer.close()
    return path


@pytest.fixture(params=["arrays", "records"])
def source(request, folder):
    return ArraySource(numbered()) if request.param == "arrays" else RecordSource(folder)


def test_an_epoch_holds_every_spectrum_once_with_its_theta(source):
    batches = take(stream(source, batch_size=6, steps=2), 5)
    assert batches[0].depth.shape == (2, 6, 515) and batches[0].theta.shape == (2, 6, 7)
    assert sorted(numbers(batches)) == list(range(N))
    for batch in batches:
        np.testing.assert_array_equal(batch.theta[..., 3], batch.depth[..., 0])


def test_epochs_and_seeds_differ_in_order_and_repeat_exactly(source):
    two = numbers(take(stream(source, batch_size=10, seed=3), 12))
    assert not np.array_equal(two[:N], two[N:])
    assert sorted(two[N:]) == list(range(N))
    np.testing.assert_array_equal(two, numbers(take(stream(source, batch_size=10, seed=3), 12)))
    assert not np.array_equal(two, numbers(take(stream(source, batch_size=10, seed=4), 12)))


def test_a_batch_may_span_two_epochs(source):
    order = numbers(take(stream(source, batch_size=7), 60))
    for epoch in order.reshape(-1, N):
        assert sorted(epoch) == list(range(N))


def test_without_shuffling_the_order_is_the_sources(source):
    order = numbers(take(stream(source, batch_size=8, shuffle=False), 15))
    np.testing.assert_array_equal(order, np.arange(120) % N)


def test_the_number_of_steps_does_not_change_the_batches(source):
    one = numbers(take(stream(source, batch_size=6), 12))
    three = numbers(take(stream(source, batch_size=6, steps=3), 4))
    np.testing.assert_array_equal(one, three)


def test_the_parts_of_processes_make_the_whole_batch(source):
    whole = take(stream(source, batch_size=6, steps=2), 4)
    parts = [take(stream(source, batch_size=6, steps=2, part=Part(i, 3)), 4) for i in range(3)]
    for i, batch in enumerate(whole):
        together = np.concatenate([part[i].depth for part in parts], axis=1)
        np.testing.assert_array_equal(together, batch.depth)


def test_a_position_is_saved_and_restored_as_json(source):
    iterator = iter(stream(source, batch_size=6))
    for _ in range(13):
        next(iterator)
    saved = json.loads(json.dumps(iterator.get_state()))
    expected = numbers([next(iterator) for _ in range(5)])
    restored = iter(stream(source, batch_size=6))
    restored.set_state(saved)
    np.testing.assert_array_equal(numbers([next(restored) for _ in range(5)]), expected)


def test_a_position_is_saved_and_restored_by_orbax(source, tmp_path):
    import grain
    import orbax.checkpoint as ocp

    iterator = iter(stream(source, batch_size=6))
    for _ in range(4):
        next(iterator)
    with ocp.CheckpointManager(tmp_path) as manager:
        manager.save(4, args=ocp.args.Composite(data=grain.checkpoint.CheckpointSave(iterator)))
        manager.wait_until_finished()
        expected = numbers([next(iterator) for _ in range(3)])
        restored = iter(stream(source, batch_size=6))
        arguments = grain.checkpoint.CheckpointRestore(restored)
        manager.restore(4, args=ocp.args.Composite(data=arguments))
    np.testing.assert_array_equal(numbers([next(restored) for _ in range(3)]), expected)


def test_what_cannot_be_shared_evenly_or_is_empty_is_refused():
    with pytest.raises(ValueError, match="3 processes"):
        stream(ArraySource(numbered()), batch_size=8, part=Part(0, 3))
    with pytest.raises(ValueError, match="no spectra"):
        stream(ArraySource(numbered(0)), batch_size=8)


def test_missing_files_are_named(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="exogan_spectra-test"):
        find_shards(folder, "test")
    for path in find_shards(folder, "train")[:2]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(FileNotFoundError, match="shard 2 of 3"):
        find_shards(tmp_path, "train")


class TestSimulated:
    def test_elements_are_the_simulators_own_spectra(self):
        table = load_opacities()
        first, second = take(simulated_stream(table, batch_size=4, steps=2), 2)
        assert first.depth.shape == (2, 4, 515)
        assert not np.array_equal(first.theta, second.theta)
        theta = np.asarray(first.theta).reshape(8, 7)
        assert np.all(theta >= grid.LOWER) and np.all(theta <= grid.UPPER)
        expected = simulate(theta, table)
        np.testing.assert_allclose(first.depth.reshape(8, 515), expected, rtol=1e-6)

    def test_position_and_parts(self):
        table = load_opacities()
        whole = iter(simulated_stream(table, batch_size=4))
        next(whole)
        saved = whole.get_state()
        expected = next(whole)
        for i in range(2):
            part = iter(simulated_stream(table, batch_size=4, part=Part(i, 2)))
            part.set_state(saved)
            mine = slice(2 * i, 2 * i + 2)
            found = next(part)
            np.testing.assert_array_equal(found.theta, expected.theta[:, mine])
            np.testing.assert_allclose(found.depth, expected.depth[:, mine], rtol=1e-6)

    def test_a_stack_under_jit_is_the_stack(self):
        table = load_opacities()
        key, i = jax.random.key(3), jnp.uint32(5)

        def make(key, i):
            return simulate_stack(key, i, table, batch_size=2, steps=1)

        plain, compiled = make(key, i), jax.jit(make)(key, i)
        np.testing.assert_array_equal(plain.theta, compiled.theta)
        np.testing.assert_allclose(plain.depth, compiled.depth, rtol=1e-6)
