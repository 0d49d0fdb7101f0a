"""Streams of batches: what an epoch holds, positions, parts, and the simulator's."""

import dataclasses
import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fake_results import OTHER

from exogan_jax import forward_model, load_opacities, simulate
from exogan_jax.files.dataset import (
    ArraySource,
    Part,
    RecordSource,
    dataset_layout,
    find_shards,
    simulate_stack,
    simulated_stream,
    stream,
)
from exogan_jax.files.records import RecordFormat, Spectra
from exogan_jax.layout import PUBLISHED, Layout
from exogan_jax.parameters import Parameters

N = 60


def numbered(n=N, layout=PUBLISHED):
    """Spectra whose first depth is their number."""
    depth = np.zeros((n, layout.n_wavelength), np.float32)
    depth[:, 0] = np.arange(n)
    return Spectra(depth, np.tile(np.float32(np.arange(n)[:, None]), (1, len(layout.parameters))))


def write_split(path, spectra, n_files=3):
    """A split `train`, as TFDS names its files."""
    from array_record.python.array_record_module import ArrayRecordWriter

    form = RecordFormat(spectra.depth.shape[1], spectra.theta.shape[1])
    for i, rows in enumerate(np.array_split(np.arange(len(spectra.theta)), n_files)):
        name = f"exogan_spectra-train.array_record-{i:05d}-of-{n_files:05d}"
        writer = ArrayRecordWriter(str(path / name), "group_size:1")
        for record in form.pack(Spectra(*(x[rows] for x in spectra))):
            writer.write(record)
        writer.close()


def numbers(batches):
    return np.concatenate([np.asarray(b.depth)[..., 0].ravel() for b in batches])


def take(dataset, n):
    return list(itertools.islice(iter(dataset), n))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A split in three files, of a dataset that does not tell of its layout."""
    path = tmp_path_factory.mktemp("dataset")
    write_split(path, numbered())
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


class TestLayout:
    def write(self, path, text):
        (path / "metadata.json").write_text(text)
        return path

    def test_a_dataset_without_one_is_the_published(self, folder, tmp_path):
        assert dataset_layout(folder) == PUBLISHED
        assert dataset_layout(self.write(tmp_path, json.dumps({"seed": 3}))) == PUBLISHED
        assert RecordSource(folder, layout=PUBLISHED).layout == PUBLISHED

    def test_a_dataset_of_another_problem_is_read_as_that(self, tmp_path):
        self.write(tmp_path, json.dumps({"layout": OTHER.to_json(), "seed": 3}))
        write_split(tmp_path, numbered(layout=OTHER))
        assert dataset_layout(tmp_path) == OTHER
        for source in (RecordSource(tmp_path), RecordSource(tmp_path, "train", OTHER)):
            (batch,) = take(stream(source, batch_size=6, shuffle=False), 1)
            assert batch.depth.shape == (1, 6, 120) and batch.theta.shape == (1, 6, 5)
            np.testing.assert_array_equal(numbers([batch]), np.arange(6))

    @pytest.mark.parametrize("text", ["", "[]", "{", '{"layout": 3}', '{"layout": "{}"}'])
    def test_nonsense_is_refused(self, tmp_path, text):
        with pytest.raises(ValueError, match=r"metadata\.json: does not tell of a layout"):
            dataset_layout(self.write(tmp_path, text))

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"wavelength_um": OTHER.wavelength_um[:-1], "sections": (0, 119)}, "120 wave.*119"),
            ({"wavelength_um": OTHER.wavelength_um * 1.01}, "0.8 um where 0.808 um is wanted"),
            ({"parameters": Parameters(OTHER.parameters[i] for i in range(4))}, "log10_cloud, not"),
            (
                {
                    "parameters": Parameters(
                        dataclasses.replace(p, upper=p.upper * 2) if p.role == "mass" else p
                        for p in OTHER.parameters
                    )
                },
                "mass with upper 300.0, not 600.0",
            ),
        ],
        ids=["count", "wavelengths", "parameters", "bounds"],
    )
    def test_another_problem_is_refused_with_the_difference(self, tmp_path, changes, message):
        self.write(tmp_path, json.dumps({"layout": OTHER.to_json()}))
        write_split(tmp_path, numbered(6, OTHER))
        fields = {
            name: getattr(OTHER, name)
            for name in ("wavelength_um", "sections", "parameters", "depth_range")
        }
        with pytest.raises(ValueError, match=message):
            RecordSource(tmp_path, "train", Layout(**fields | changes))

    def test_sections_may_differ(self, tmp_path):
        """They are how a network sees a spectrum, not what a dataset holds."""
        self.write(tmp_path, json.dumps({"layout": OTHER.to_json()}))
        write_split(tmp_path, numbered(6, OTHER))
        other = Layout(OTHER.wavelength_um, (0, 60, 120), OTHER.parameters)
        assert len(RecordSource(tmp_path, "train", other)) == 6


@pytest.fixture(scope="module")
def model():
    return forward_model(load_opacities(), PUBLISHED.parameters)


class TestSimulated:
    def test_elements_are_the_simulators_own_spectra(self, model):
        first, second = take(simulated_stream(model, batch_size=4, steps=2), 2)
        assert first.depth.shape == (2, 4, 515)
        assert not np.array_equal(first.theta, second.theta)
        theta = np.asarray(first.theta).reshape(8, 7)
        assert np.all(theta >= model.parameters.lower) and np.all(theta <= model.parameters.upper)
        expected = jax.jit(simulate)(model, theta)
        np.testing.assert_allclose(first.depth.reshape(8, 515), expected, rtol=1e-6)

    def test_position_and_parts(self, model):
        whole = iter(simulated_stream(model, batch_size=4))
        next(whole)
        saved = whole.get_state()
        expected = next(whole)
        for i in range(2):
            part = iter(simulated_stream(model, batch_size=4, part=Part(i, 2)))
            part.set_state(saved)
            mine = slice(2 * i, 2 * i + 2)
            found = next(part)
            np.testing.assert_array_equal(found.theta, expected.theta[:, mine])
            np.testing.assert_allclose(found.depth, expected.depth[:, mine], rtol=1e-6)

    def test_a_stack_under_jit_is_the_stack(self, model):
        key, i = jax.random.key(3), jnp.uint32(5)

        def make(key, i):
            return simulate_stack(key, i, model, batch_size=2, steps=1)

        plain, compiled = make(key, i), jax.jit(make)(key, i)
        np.testing.assert_allclose(plain.theta, compiled.theta, rtol=3e-7)
        np.testing.assert_allclose(plain.depth, compiled.depth, rtol=1e-6)

    def test_wavelengths_and_clouds_are_the_models(self, model):
        """A problem with clouds on some of the wavelengths goes through the same stream."""
        parameters = Parameters((*PUBLISHED.parameters, OTHER.parameters[4]))
        cloudy = forward_model(load_opacities(), parameters, points=slice(100, 140, 4))
        (batch,) = take(simulated_stream(cloudy, batch_size=3), 1)
        assert batch.depth.shape == (1, 3, 10) and batch.theta.shape == (1, 3, 8)
        clear = jax.jit(simulate)(model, batch.theta[0, :, :7])[:, 100:140:4]
        assert np.all(batch.depth[0] >= clear * (1 - 1e-6)) and np.any(
            batch.depth[0] > clear * 1.01
        )
