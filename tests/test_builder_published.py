"""The dataset of the published chunks."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
import tensorflow_datasets as tfds
from whole_dataset import everything

from data_prep.blocks import done_block, make_block, open_stage
from data_prep.exogan_spectra import Builder
from data_prep.pkgz import ChunkError, Entry
from data_prep.plans import PublishedPlan, find_chunks
from data_prep.write_chunk import write_chunk
from exogan_jax.files.dataset import dataset_layout
from exogan_jax.layout import PUBLISHED

PARAMETERS = PUBLISHED.parameters


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Three chunks of 40 spectra each, numbered so that names and numbers sort differently."""
    folder = tmp_path_factory.mktemp("chunks")
    rng = np.random.default_rng(0)
    for number in (2, 10, 1):
        theta = np.float64(PARAMETERS.sample(jax.random.key(number), 40))
        entries = [Entry(f"{i}", rng.uniform(0.006, 0.03, 515), t) for i, t in enumerate(theta)]
        write_chunk(folder / f"chunck_{number}.pkgz", entries)
    return folder


def osf(data_dir, chunks, **options):
    builder = Builder(config="osf", data_dir=data_dir, **options)
    return builder, tfds.download.DownloadConfig(manual_dir=chunks)


class TestPublished:
    @pytest.mark.parametrize("processes", [1, 2])
    def test_all_spectra_of_all_chunks(self, published, tmp_path, processes):
        builder, config = osf(tmp_path, published, processes=processes)
        builder.download_and_prepare(download_config=config)
        depth, _ = everything(builder.data_dir)
        assert len(depth) == 120
        plan = PublishedPlan(find_chunks(published))
        assert [path.name for path in plan.chunks] == [f"chunck_{i}.pkgz" for i in (1, 2, 10)]
        made = [plan.make(i) for i in range(3)]
        order = np.lexsort(np.concatenate([x.theta for x in made]).T)
        np.testing.assert_array_equal(depth, np.concatenate([x.depth for x in made])[order])
        assert dataset_layout(builder.data_dir) == PUBLISHED
        assert "CC BY 4.0" in builder.info.redistribution_info.license

    def test_a_bad_chunk_is_fatal_and_named_or_left_out(self, published, tmp_path):
        chunks = tmp_path / "chunks"
        chunks.mkdir()
        for path in published.iterdir():
            body = path.read_bytes()
            cut = path.name == "chunck_2.pkgz"
            (chunks / path.name).write_bytes(body[: len(body) // 2] if cut else body)
        builder, config = osf(tmp_path / "data", chunks)
        with pytest.raises(ChunkError, match=r"chunck_2\.pkgz.*truncated"):
            builder.download_and_prepare(download_config=config)
        assert done_block(builder.stage, 0) and not done_block(builder.stage, 1)

        problems = []
        builder, config = osf(
            tmp_path / "data", chunks, skip_bad=True, on_block=lambda b, n: problems.append(b)
        )
        builder.download_and_prepare(download_config=config)
        assert len(everything(builder.data_dir)[0]) == 80
        assert "chunck_2.pkgz" in problems[1].problem
        metadata = json.loads((Path(builder.data_dir) / "metadata.json").read_text())
        assert "chunck_2.pkgz" in metadata["skipped"][0]

    def test_a_failed_build_goes_on_at_the_next_chunk(self, published, tmp_path):
        builder, config = osf(tmp_path, published)
        plan = PublishedPlan(find_chunks(published))
        open_stage(builder.stage, plan)
        make_block(plan, 0, builder.stage)
        before = {path: path.stat().st_mtime_ns for path in builder.stage.glob("block-00000*")}
        make_block(plan, 0, builder.stage)
        after = {path: path.stat().st_mtime_ns for path in builder.stage.glob("block-00000*")}
        assert before == after
        builder.download_and_prepare(download_config=config)
        theta = everything(builder.data_dir)[1]
        assert len(np.unique(theta, axis=0)) == len(theta) == 120

    def test_a_spectrum_twice_in_a_chunk_is_refused(self, tmp_path):
        theta = np.array([-3.0, -4.5, -8.0, -1.0, 1.2, 1.1, 1500.0])
        entries = [Entry("a", np.full(515, 0.01), theta)] * 2
        write_chunk(tmp_path / "chunck_0.pkgz", entries)
        with pytest.raises(ChunkError, match="'a' occurs twice"):
            PublishedPlan((tmp_path / "chunck_0.pkgz",)).make(0)
