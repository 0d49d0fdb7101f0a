"""The TFDS dataset: what is in it, and that the same bytes come about in every way of making it.

The first tests check what TFDS's own DatasetBuilderTestCase does, which needs TensorFlow.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import EntryPoint
from pathlib import Path

import jax
import numpy as np
import pytest
import tensorflow_datasets as tfds
import xarray as xr
from whole_dataset import everything

import exogan_jax
from data_prep import build
from data_prep.blocks import done_block, make_block, open_stage
from data_prep.exogan_spectra import Builder
from data_prep.exogan_spectra.exogan_spectra_dataset_builder import simulated_config
from data_prep.plans import SimulatedPlan, table_fingerprint
from exogan_jax import cli
from exogan_jax.files.dataset import RecordSource, dataset_layout
from exogan_jax.files.opacities import EMBEDDED, load_opacities
from exogan_jax.layout import PUBLISHED, Layout
from exogan_jax.physics.forward import forward_model, simulate
from exogan_jax.physics.split import SPLITS, split_fraction

N, BLOCK = 230, 50
PARAMETERS = PUBLISHED.parameters
PLAN = SimulatedPlan(N, block_size=BLOCK)


def simulated(data_dir, **options):
    return Builder(config=simulated_config(N, block_size=BLOCK), data_dir=data_dir, **options)


def command(data_dir):
    """The same by the command, in a process of its own."""
    module = [sys.executable, "-m", "data_prep.build", "build", "simulated"]
    return [*module, "--n", str(N), "--block", str(BLOCK), "--data-dir", str(data_dir)]


def digest(folder):
    """The bytes of all files, by name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path(folder).iterdir()
        if ".array_record" in path.name
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    builder = simulated(tmp_path_factory.mktemp("built"))
    builder.download_and_prepare()
    return builder


class TestWhatIsInIt:
    def test_it_is_registered_documented_and_licensed(self, built):
        assert "exogan_spectra" in tfds.list_builders(with_community_datasets=False)
        info = built.info
        assert "transmission spectra" in info.description.lower()
        assert "ExoGAN" in info.citation and "CC0" in info.redistribution_info.license
        assert {"simulated", "osf"} <= set(Builder.builder_configs)
        assert Builder.VERSION in built.supported_versions or built.version == Builder.VERSION

    def test_tfds_reads_it_without_tensorflow(self, built):
        code = (
            "import sys, tensorflow_datasets as tfds\n"
            f"builder = tfds.builder_from_directory({str(built.data_dir)!r})\n"
            "source = builder.as_data_source(split='train')\n"
            "print(len(source), source[0]['depth'].shape, source[0]['theta'].dtype)\n"
            "assert 'tensorflow' not in sys.modules\n"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        expected = built.info.splits["train"].num_examples
        assert run.stdout.split("\n")[-2] == f"{expected} (515,) float32"

    def test_tfds_and_our_reader_agree(self, built):
        for split in SPLITS:
            theirs, ours = built.as_data_source(split=split), RecordSource(built.data_dir, split)
            assert len(theirs) == len(ours) == built.info.splits[split].num_examples
            read = ours.read(range(len(ours)))
            for i, example in enumerate(theirs):
                np.testing.assert_array_equal(example["depth"], read.depth[i])
                np.testing.assert_array_equal(example["theta"], read.theta[i])

    def test_splits_are_the_hash_of_the_parameters_and_cover_the_whole(self, built):
        low = 0.0
        for split, high in SPLITS.items():
            source = RecordSource(built.data_dir, split)
            fraction = split_fraction(source.read(range(len(source))).theta, PARAMETERS)
            assert np.all((fraction >= low) & (fraction < high))
            low = high
        theta = everything(built.data_dir)[1]
        assert len(np.unique(theta, axis=0)) == len(theta) == N

    def test_spectra_are_the_forward_models(self, built):
        depth, theta = everything(built.data_dir)
        assert np.all(theta >= PARAMETERS.lower) and np.all(theta <= PARAMETERS.upper)
        model = forward_model(load_opacities("published"), PARAMETERS)
        expected = simulate(model, jax.numpy.asarray(theta[:10]))
        np.testing.assert_allclose(depth[:10], expected, rtol=1e-6)

    def test_metadata_say_where_it_is_from(self, built):
        metadata = json.loads((Path(built.data_dir) / "metadata.json").read_text())
        assert metadata["source"] == "simulated" and metadata["seed"] == 0
        assert metadata["opacities"] == "published"
        assert metadata["opacities_fingerprint"] == table_fingerprint("published")
        assert Layout.from_json(metadata["layout"]) == dataset_layout(built.data_dir) == PUBLISHED

    @pytest.mark.parametrize("name", EMBEDDED)
    def test_a_tables_fingerprint_is_the_one_that_its_file_records(self, name):
        path = Path(exogan_jax.__file__).parent / "assets" / EMBEDDED[name]
        with xr.open_dataset(path, engine="h5netcdf") as table:
            assert table_fingerprint(name) == table.attrs["fingerprint"]
            assert table_fingerprint(str(path)) == table.attrs["fingerprint"]

    def test_nothing_is_left_behind(self, built):
        assert not built.stage.exists()
        assert not list(Path(built.data_dir).glob("*.part"))
        assert not list(Path(built.data_dir).glob(".*"))


class TestTheSameBytes:
    def test_in_another_order_and_by_two_makers(self, built, tmp_path):
        builder = simulated(tmp_path)
        open_stage(builder.stage, PLAN)
        for block in (4, 1, 3):
            make_block(PLAN, block, builder.stage)
        builder.download_and_prepare()
        assert digest(builder.data_dir) == digest(built.data_dir)

    def test_in_two_processes_at_once_by_the_command(self, built, tmp_path):
        parts = [subprocess.Popen([*command(tmp_path), "--part", f"{i}/2"]) for i in range(2)]
        assert [part.wait(timeout=300) for part in parts] == [0, 0]
        made = []
        builder = simulated(tmp_path, on_block=lambda block, total: made.append(block))
        builder.download_and_prepare()
        assert len(made) == 5
        assert digest(builder.data_dir) == digest(built.data_dir)

    def test_resumed_after_a_kill(self, built, tmp_path):
        stage = simulated(tmp_path).stage
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command(tmp_path), **quiet)
        try:
            until = time.monotonic() + 300
            while not done_block(stage, 0):
                assert time.monotonic() < until and process.poll() is None
                time.sleep(0.01)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        builder = simulated(tmp_path)
        left = Path(builder.data_dir).parent.glob("incomplete.*")
        assert list(left)
        builder.download_and_prepare()
        assert digest(builder.data_dir) == digest(built.data_dir)
        assert [path.name for path in Path(builder.data_dir).parent.iterdir()] == ["1.0.0"]

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    @pytest.mark.filterwarnings("ignore::FutureWarning")
    def test_on_beams_direct_runner(self, built, tmp_path):
        from apache_beam.options.pipeline_options import PipelineOptions

        builder = simulated(tmp_path)
        config = tfds.download.DownloadConfig(
            beam_runner="DirectRunner", beam_options=PipelineOptions([])
        )
        builder.download_and_prepare(download_config=config)
        assert digest(builder.data_dir) == digest(built.data_dir)

    def test_another_seed_is_another_dataset(self):
        assert not np.array_equal(
            PLAN.make(0).theta, SimulatedPlan(N, 1, "published", BLOCK).make(0).theta
        )


class TestStage:
    def test_another_plan_is_refused_in_the_same_folder(self, tmp_path):
        open_stage(tmp_path, PLAN)
        open_stage(tmp_path, PLAN)
        with pytest.raises(ValueError, match="another seed"):
            open_stage(tmp_path, SimulatedPlan(N, 1, block_size=BLOCK))

    def test_a_block_with_a_missing_or_cut_file_is_made_again(self, tmp_path):
        whole = make_block(PLAN, 4, tmp_path)
        assert done_block(tmp_path, 4) == whole and sum(whole.lengths.values()) == 30
        file = next(tmp_path.glob("*-train.array_record"))
        before = file.read_bytes()
        file.write_bytes(before[:-10])
        assert done_block(tmp_path, 4) is None
        make_block(PLAN, 4, tmp_path)
        assert file.read_bytes() == before

    @pytest.mark.parametrize("options", [{"n_spectra": 0}, {"n_spectra": 5, "seed": -1}])
    def test_impossible_plans_are_refused(self, options):
        with pytest.raises(ValueError, match="n_spectra"):
            SimulatedPlan(**options)


@pytest.mark.filterwarnings("ignore:label\\(\\) is deprecated:DeprecationWarning")  # TFDS's own
class TestCommand:
    def test_it_builds_and_says_where(self, tmp_path, capsys, monkeypatch, built):
        arguments = ["simulated", "--n", str(N), "--block", str(BLOCK)]
        assert cli.main(["data", "build", *arguments, "--data-dir", str(tmp_path)]) == 0
        last = capsys.readouterr().out.strip().split("\n")[-1]
        assert "'train': " in last and str(tmp_path) in last
        assert digest(last.split(": ")[0]) == digest(built.data_dir)
        assert build.main(["build", *arguments, "--data-dir", str(tmp_path)]) == 0  # there already

    @pytest.mark.parametrize(
        "arguments",
        [
            ["osf"],
            ["osf", "--chunks", "x", "--n", "3"],
            ["osf", "--chunks", "x", "--layout", "y"],
            ["simulated", "--chunks", "x"],
            ["simulated", "--n", "0"],
            ["simulated", "--part", "2/2"],
            ["simulated", "--seed", "-1"],
        ],
    )
    def test_options_that_do_not_fit_are_refused(self, arguments, tmp_path):
        with pytest.raises(SystemExit) as stopped:
            build.main(["build", *arguments, "--data-dir", str(tmp_path)])
        assert stopped.value.code == 2

    def test_bad_input_is_one_line(self, tmp_path, capsys):
        arguments = ["--data-dir", str(tmp_path / "data")]
        for chunks in ("missing", "empty"):
            (tmp_path / "empty").mkdir(exist_ok=True)
            status = build.main(["build", "osf", "--chunks", str(tmp_path / chunks), *arguments])
            assert status == 2
            line = capsys.readouterr().err.strip().split("\n")[-1]
            assert line.startswith("exogan: error: ") and str(tmp_path / chunks) in line
        status = build.main(["build", "simulated", "--opacities", "no.nc", *arguments])
        assert status == 2 and "no.nc" in capsys.readouterr().err

    def test_without_the_data_tools_it_says_what_to_install(self, monkeypatch, capsys):
        monkeypatch.setattr("importlib.metadata.entry_points", lambda **query: ())
        assert cli.main(["data", "build"]) == 2
        assert "prep" in capsys.readouterr().err

    def test_the_help_names_the_command_only_where_it_can_run(self, monkeypatch, capsys):
        def help_text():
            with pytest.raises(SystemExit):
                cli.main(["--help"])
            return capsys.readouterr().out

        assert "build datasets" in help_text()
        # As in a wheel, which declares the command and does not hold its package.
        elsewhere = EntryPoint("data", "no_such_package.build:main", "exogan.commands")
        monkeypatch.setattr("exogan_jax.extra_commands.entry_points", lambda **query: (elsewhere,))
        assert "build datasets" not in help_text()
