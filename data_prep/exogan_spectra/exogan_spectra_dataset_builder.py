"""`exogan_spectra`: transmission spectra and the parameters of their atmospheres.

exogan data build simulated --n 1000000 --data-dir DIR     # spectra of the forward model
exogan data build osf --chunks FOLDER --data-dir DIR       # the published chunck_*.pkgz files

or, where TensorFlow, apache-beam and mlcroissant are installed (TFDS's own command needs them, this
builder does not), for the configurations below, the chunks lying in DIR/downloads/manual:

tfds build data_prep/exogan_spectra --config simulated --data_dir DIR --file_format array_record

A killed build goes on where it was when the same command is given again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data_prep.blocks import Block, link_block, make_block, open_stage, record_format
from data_prep.plans import Plan, PublishedPlan, SimulatedPlan, find_chunks
from exogan_jax import __version__
from exogan_jax.layout import PUBLISHED, Layout
from exogan_jax.physics.split import SPLITS

_LICENSES = {
    "osf": "CC BY 4.0",  # https://osf.io/6dxps
    "simulated": "CC0 1.0: made by this program",
}
_DESCRIPTION = """
Transmission spectra of isothermal atmospheres with {gases}, and the parameters that made them.
`depth` is (Rp/Rs)^2 for a star of 1 R_sun, on {n} wavelengths of {low:.2f}-{high:.2f} um; `theta`
is {theta}. Splits are a hash of the parameters. The metadata's "layout" holds wavelengths and
parameters, for `exogan_jax.Layout.from_json`.
"""
_CITATION = """
@article{ZingalesWaldmann2018,
  author = {{Zingales}, Tiziano and {Waldmann}, Ingo P.},
  title = {{ExoGAN}: Retrieving Exoplanetary Atmospheres Using Deep Convolutional Generative
    Adversarial Networks},
  journal = {The Astronomical Journal},
  volume = {156},
  number = {6},
  pages = {268},
  year = {2018},
  doi = {10.3847/1538-3881/aae77c}
}
"""


@dataclasses.dataclass
class SpectraConfig(tfds.core.BuilderConfig):
    """What a dataset is made from."""

    n_spectra: int | None = None  # to simulate; None: the published chunks
    seed: int = 0
    opacities: str = "published"  # as for `exogan_jax.load_opacities`
    block_size: int = 10_000  # spectra a shard
    chunk: int = 2  # as for `exogan_jax.simulate`
    layout: Layout = PUBLISHED  # of the problem


def simulated_config(n_spectra: int, **options: Any) -> SpectraConfig:
    """A configuration with a name of its own; `options` are those of `SpectraConfig`."""
    config = SpectraConfig(name="", n_spectra=n_spectra, **options)
    config.name = f"simulated_{n_spectra}_seed{config.seed}"
    if config.opacities != SpectraConfig.opacities:
        config.name += f"_{Path(config.opacities).stem}"
    if config.layout != PUBLISHED:
        digest = hashlib.sha256(config.layout.to_json().encode()).hexdigest()
        config.name += f"_layout{digest[:8]}"
    if config.block_size != SpectraConfig.block_size:
        config.name += f"_block{config.block_size}"
    return config


def describe(layout: Layout) -> str:
    """What a dataset of a problem holds."""
    wavelength, parameters = layout.wavelength_um, layout.parameters
    return _DESCRIPTION.format(
        gases=", ".join(gas.upper() for gas in parameters.gases),
        n=layout.n_wavelength,
        low=wavelength.min(),
        high=wavelength.max(),
        theta=", ".join(f"{p.name} [{p.unit}]" for p in parameters),
    )


class Builder(tfds.core.ShardBasedBuilder):
    """See the module's docstring."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First."}  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put the chunck_*.pkgz files of the published training set (https://osf.io/6dxps) here."
    )
    BUILDER_CONFIGS = [  # noqa: RUF012
        SpectraConfig(name="simulated", n_spectra=1_000_000),
        SpectraConfig(name="osf"),
    ]

    def __init__(
        self,
        *,
        processes: int = 1,
        skip_bad: bool = False,
        on_block: Callable[[Block, int], None] | None = None,
        file_format: str = "array_record",
        **kwargs: Any,
    ) -> None:
        """Makes a builder.

        Args:
          processes: that read chunks side by side. Simulation uses all cores in one.
          skip_bad: leave out chunks that cannot be read; otherwise they end the build.
          on_block: called with each finished block and the number of blocks.
          file_format: "array_record" and no other.
          **kwargs: of TFDS's builders: `config`, `data_dir`, ...
        """
        super().__init__(file_format=file_format, **kwargs)
        if self.info.file_format != tfds.core.FileFormat.ARRAY_RECORD:
            raise ValueError("exogan_spectra is written as array_record only")
        self._processes, self._skip_bad, self._on_block = processes, skip_bad, on_block

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        features = {
            name: tfds.features.Tensor(shape=(n,), dtype=np.float32)
            for name, n in record_format(config.layout).features.items()
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=describe(config.layout),
            features=tfds.features.FeaturesDict(features),
            homepage="https://github.com/ucl-exoplanets/ExoGAN_public",
            citation=_CITATION,
            license=_LICENSES["osf" if config.n_spectra is None else "simulated"],
            metadata=tfds.core.MetadataDict(),
        )

    def plan(self, manual_dir: Path | None = None) -> Plan:
        """What the dataset is made of; `manual_dir` holds the chunks, for the published set."""
        c = self.builder_config
        if c.n_spectra is not None:
            return SimulatedPlan(c.n_spectra, c.seed, c.opacities, c.block_size, c.chunk, c.layout)
        assert manual_dir is not None
        return PublishedPlan(find_chunks(manual_dir))

    @property
    def stage(self) -> Path:
        """Where blocks are kept until all are done."""
        name = f".{self.builder_config.name}-{self.version}-blocks"
        return Path(self.data_dir_root) / self.name / name

    def _download_and_prepare(
        self,
        dl_manager: tfds.download.DownloadManager,
        download_config: tfds.download.DownloadConfig | None = None,
    ) -> None:
        published = self.builder_config.n_spectra is None
        plan = self.plan(Path(dl_manager.manual_dir) if published else None)
        open_stage(self.stage, plan)
        make = partial(make_block, plan, stage=self.stage, skip_bad=self._skip_bad)
        if download_config and (download_config.beam_runner or download_config.beam_options):
            run_on_beam(make, plan.n_blocks, download_config)
            finished: Iterable[Block] = map(make, range(plan.n_blocks))  # all done: reads markers
        elif published and self._processes > 1:
            finished = side_by_side(make, plan.n_blocks, self._processes)
        else:
            finished = map(make, range(plan.n_blocks))
        blocks = []
        for block in finished:
            blocks.append(block)
            if self._on_block:
                self._on_block(block, plan.n_blocks)
        blocks.sort()
        self._assemble(blocks)
        self.info.metadata.update(
            plan.describe()
            | {"made_by": f"exogan_jax {__version__}"}
            | {"skipped": [block.problem for block in blocks if block.problem]}
        )

    def _assemble(self, blocks: list[Block]) -> None:
        infos = []
        n_bytes = record_format(self.builder_config.layout).n_bytes
        for split in SPLITS:
            template = self._get_filename_template(split_name=split)
            filled = [block for block in blocks if block.lengths[split]]
            if not filled:
                raise ValueError(f"no spectra fall into {split}: the dataset is too small")
            for i, block in enumerate(filled):
                path = Path(template.sharded_filepath(shard_index=i, num_shards=len(filled)))
                link_block(self.stage, block.number, split, path)
            lengths = [block.lengths[split] for block in filled]
            infos.append(
                tfds.core.SplitInfo(
                    name=split,
                    shard_lengths=lengths,
                    num_bytes=sum(lengths) * n_bytes,
                    filename_template=template,
                )
            )
        self.info.set_splits(tfds.core.splits.SplitDict(infos))

    def _shard_iterators_per_split(self, dl_manager: tfds.download.DownloadManager) -> Any:
        raise NotImplementedError("blocks are written by `make_block`, all splits of one at once")

    def _post_download_and_prepare_hook(self) -> None:
        shutil.rmtree(self.stage, ignore_errors=True)
        # What killed builds were putting together.
        for folder in Path(self.data_dir).parent.glob(f"incomplete.*_{self.version}"):
            shutil.rmtree(folder, ignore_errors=True)


def side_by_side(make: Callable[[int], Block], n_blocks: int, processes: int) -> Iterator[Block]:
    """Makes blocks in several processes, and yields them as they are done."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(make, block) for block in range(n_blocks)]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def run_on_beam(
    make: Callable[[int], Block], n_blocks: int, config: tfds.download.DownloadConfig
) -> None:
    """Makes blocks on an Apache Beam runner; its workers must share the dataset's folder."""
    import apache_beam as beam

    with beam.Pipeline(runner=config.beam_runner, options=config.beam_options) as pipeline:
        numbers = pipeline | "numbers" >> beam.Create(range(n_blocks))
        spread = numbers | "spread" >> beam.Reshuffle()
        _ = spread | "make" >> beam.Map(make)
