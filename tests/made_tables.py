"""Tables of spectra as people might write them, made by hypothesis, with what they mean."""

import io
import re
from typing import NamedTuple

import numpy as np
from astropy.table import Table
from hypothesis import strategies as st

NAMES = {
        "wavelength": ["wavelength", "wave", "wl", "Wavelength", "CENTRALWAVELNG", "wv_center",
        "central wavelength", "lambda", "Bin center", "WAVELENGTH", "bin_center", "lam",
        "wavelengths", "centralwavelng", "wave_mid"],
        "half_width": ["half_width", "wave_err", "Bin half-width", "hw", "wavelength half width",
        "bin_half_width", "wl_err", "bin_halfwidth", "wave_error"],
        "full_width": ["full_width", "FWHM", "full bin width", "wavelength full width"],
        "width": ["width", "bin_width", "wv_wdth", "BANDWIDTH", "bin size", "delta wavelength",
        "dlam", "bandwidth", "wlgrid_width"],
        "low_edge": ["waveMin", "wl_low", "bin_left", "lambda_min", "wavelength lower edge",
        "wave_low", "bin_low", "wavelength_start", "lam_lower"],
        "high_edge": ["waveMax", "wl_high", "bin_right", "lambda_max", "wavelength upper edge",
        "wave_up", "bin_high", "wavelength_end", "lam_upper"],
        "depth": ["depth", "tr_depth", "transit_depth", "PL_TRANDEP", "yval", "(Rp/Rs)^2",
        "tdepth", "Transit depth", "rprs2", "spectrum", "plntransdep", "(Rp/R*)**2", "rp^2_value",
        "transit_depths"],
        "rp_rs": ["rp_rs", "Rp/Rs", "Rp/R*", "RpRs", "PL_RATROR", "radius ratio", "plnratror",
        "rp_over_rs"],
        "error": ["error", "err", "sigma", "uncertainty", "depth_err", "tran_unc", "unc",
        "e_Depth", "1sigma", "errors", "transit_depth_error", "std"],
        "error_up": ["err_up", "depth_errpos", "errorpos", "upper error", "error +", "sigma_plus",
        "+err", "errup", "uncertainty_upper"],
        "error_low": ["err_low", "depth_errneg", "errorneg", "lower error", "error -",
        "sigma_minus", "-err", "errlow", "uncertainty_lower"],
        "instrument": ["instrument", "detector", "inst", "instrname", "order"],
        "quality": ["quality", "flag", "dq", "Bad pixel column?"],
        "junk": ["airmass", "x_pos", "comment_id", "n_used_frames", "chi2", "model"],
}  # fmt: skip
VALUES = ("depth", "rp_rs", "error", "error_up", "error_low")
PAIRS = list(zip(NAMES["error_up"], NAMES["error_low"], strict=True))
EDGES = list(zip(NAMES["low_edge"], NAMES["high_edge"], strict=True))
LENGTHS = {"um": 1.0, "nm": 1e3, "Angstrom": 1e4, "m": 1e-6, "cm": 1e-4}
DEPTHS = {"": 1.0, "%": 1e2, "ppm": 1e6, "per mille": 1e3}
SPELT = {"um": ["um", "micron", "microns", "μm", "µm"], "nm": ["nm"], "Angstrom": ["Angstrom"],
         "m": ["m"], "cm": ["cm"], "%": ["%", "percent"], "ppm": ["ppm"],
         "per mille": ["per mille", "1e-3"],
         "": [""]}  # fmt: skip


class Made(NamedTuple):
    """A table, and what a reader should make of it."""

    columns: list[tuple[str, str, np.ndarray]]  # name, unit, values (n,) in the file's units
    wavelength_um: np.ndarray
    half_width_um: np.ndarray | None  # None where no reader could know it
    depth: np.ndarray
    sigma: np.ndarray
    instrument: np.ndarray | None
    clear: bool  # whether names and units leave no doubt, so that it must be read


def _bins(rng, n, kind):
    """Wavelengths [um] and half widths, of bins that touch or not."""
    if kind == "touching":
        edges = rng.uniform(0.4, 2) * np.cumprod(np.r_[1, 1 + rng.uniform(0.01, 0.1, n)])
        return (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    w = rng.uniform(0.4, 2) * np.cumprod(1 + rng.uniform(0.02, 0.08, n))
    return w, 0.004 * w * rng.uniform(0.5, 1, n)


def _documented(parts):
    """The order of columns in which codes that write no header put them."""
    order = ["low_edge", "high_edge"] if parts[0][0] != "wavelength" else ["wavelength"]
    order += ["half_width", "low_edge", "high_edge", "depth", "rp_rs", "error", "error_up"]
    return sorted(parts, key=lambda part: [*order, "error_low", "full_width"].index(part[0]))


@st.composite
def made(draw, headless=False):
    """A `Made`."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 30))
    kind = draw(st.sampled_from(["touching", "apart"]))
    permuted = draw(st.booleans())
    if headless and permuted:  # an order that no code writes: only bins that touch tell the widths
        n, kind = n + 4, "touching"
    w, half = _bins(rng, n, kind)
    length = draw(st.sampled_from(list(LENGTHS)))
    unit = draw(st.sampled_from(list(DEPTHS)))
    if headless and draw(st.booleans()):
        length, unit = "um", ""
    said = draw(st.booleans()) or length in ("m", "cm")
    # Numbers up to 0.04 without a unit are fractions: that is documented, and no doubt of a reader.
    shallowest = -3.3 if unit == "%" and (headless or not said) else -3.5
    depth = 10 ** rng.uniform(shallowest, -1.6) * (1 + 0.05 * rng.normal(size=n).clip(-3, 3))
    sigma = depth * 10 ** rng.uniform(-2.2, -0.5) * rng.uniform(0.8, 1.2, n)
    shuffled = draw(st.booleans()) and not headless
    if shuffled:
        order = rng.permutation(n)
        w, half, depth, sigma = w[order], half[order], depth[order], sigma[order]
    lunit, dunit = SPELT[length], SPELT[unit]
    lunit = draw(st.sampled_from(lunit)) if said else ""
    dunit = draw(st.sampled_from(dunit)) if said else ""
    parts: list[tuple[str, str, np.ndarray]] = []
    a, b = LENGTHS[length], DEPTHS[unit]

    def name(role):
        return role if headless else draw(st.sampled_from(NAMES[role]))

    bins = draw(st.sampled_from(["none", "half_width", "full_width", "width", "edges", "only"]))
    known = bins != "none"
    if bins != "only":
        parts.append((name("wavelength"), lunit, w * a))
    if bins in ("edges", "only"):
        low, high = ("low_edge", "high_edge") if headless else draw(st.sampled_from(EDGES))
        parts += [(low, lunit, (w - half) * a), (high, lunit, (w + half) * a)]
    elif bins != "none":
        ambiguous = bins == "width"
        as_half = bins == "half_width" or (ambiguous and kind == "touching" and draw(st.booleans()))
        if ambiguous and n < 4:
            as_half = False
        if headless and bins == "width" and not permuted:
            bins = "half_width" if as_half else "full_width"
        parts.append((name(bins), lunit, (half if as_half else 2 * half) * a))
    ratio = draw(st.booleans()) and not headless
    value, error = depth * b, sigma * b
    if ratio:
        value, error = np.sqrt(depth) * b, sigma / (2 * np.sqrt(depth)) * b
    parts.append((name("rp_rs" if ratio else "depth"), dunit, value))
    of_depth = "depth", "tran", "Depth", "transit"  # errors that are not of Rp/Rs by their names
    if draw(st.booleans()):
        names = [x for x in NAMES["error"] if not (ratio and any(word in x for word in of_depth))]
        parts.append(("error" if headless else draw(st.sampled_from(names)), dunit, error))
    else:
        pairs = [x for x in PAIRS if not (ratio and "depth" in x[0])]
        up, low = ("error_up", "error_low") if headless else draw(st.sampled_from(pairs))
        sign = draw(st.sampled_from([1, -1]))
        parts += [(up, dunit, 1.25 * error), (low, dunit, sign * 0.75 * error)]
    instrument = None
    if draw(st.booleans()) and not headless:
        instrument = np.array([f"inst{i}" for i in rng.integers(0, 3, n)])
        parts.append((name("instrument"), "", instrument))
    keep = np.ones(n, bool)
    if draw(st.booleans()):  # rows that lack a value
        keep = rng.random(n) > 0.2
        keep |= ~keep.any()
        lacks = draw(st.sampled_from(range(len(parts))))
        measured = parts[lacks][0] in {x for role in VALUES for x in (role, *NAMES[role])}
        if measured and not headless:
            gaps = np.where(keep, parts[lacks][2], np.nan)
            parts[lacks] = (*parts[lacks][:2], gaps)
        else:
            keep[:] = True
    if draw(st.booleans()) and not headless:
        flags = (rng.random(n) < 0.2).astype(int)
        keep = keep & (flags == 0) if not flags[keep].all() else keep
        parts.append((name("quality"), "", flags))
    if draw(st.booleans()) and not headless:
        parts.append((name("junk"), "", rng.normal(size=n)))
    documented = headless and not permuted
    parts = _documented(parts) if documented else draw(st.permutations(parts))
    clear = said and not headless and (unit != "" or not ratio)
    half_known = half if known else np.zeros(n)
    return Made(
        parts, w[keep], half_known[keep], depth[keep], sigma[keep],
        None if instrument is None else instrument[keep], clear,
    )  # fmt: skip


def number(x, style):
    """A number or a word as text."""
    if isinstance(x, str):
        return x
    if np.isnan(x):
        return {"repr": "nan", "e": "--", "d": "null"}[style]
    return {"repr": repr(float(x)), "e": f"{x:.15e}", "d": f"{x:.15E}".replace("E", "D")}[style]


@st.composite
def text(draw, table, csv):
    """The text of a table, with comments, separators and line ends of all kinds."""
    named = any(name for name, _, _ in table.columns) and draw(st.just(True))
    delimiter = draw(
        st.sampled_from([",", ", ", ";", "\t", "|"] if csv else [" ", "  ", "\t", "   "])
    )
    style = draw(st.sampled_from(["repr", "e", "d"]))
    wide = delimiter.strip() or delimiter in ("  ", "   ", "\t")
    brackets = draw(st.sampled_from(["()", "[]", "_", "row"]))
    brackets = "()" if brackets == "row" and not wide else brackets
    comma = delimiter in (";", "\t") and draw(st.booleans())  # a decimal comma
    names = []
    for name, unit, _ in table.columns:
        if not unit or brackets == "row":
            names.append(name)
        elif brackets == "_" and unit not in ("m", "cm", "%", "Angstrom", "1e-3"):
            names.append(f"{name}_{unit}")
        else:
            left, right = brackets if len(brackets) == 2 else "()"
            names.append(f"{name} {left}{unit}{right}")
    if not wide:
        names = [name.replace(" ", "_").replace("_(", "(").replace("_[", "[") for name in names]
    prefix = draw(st.sampled_from(["# ", "", "#"]))
    lines = [f"# {line}" for line in draw(st.lists(st.sampled_from(COMMENTS), max_size=3))]
    if named:
        if draw(st.integers(0, 5)) == 0 and not prefix:
            lines.append("Transmission spectrum of WASP-39 b")
        lines.append(prefix + delimiter.join(names))
        if brackets == "row" and any(unit for _, unit, _ in table.columns):
            units = [f"[{unit}]" if unit else "-" for _, unit, _ in table.columns]
            lines.append(prefix + delimiter.join(units))
    for row in zip(*(values for _, _, values in table.columns), strict=True):
        fields = [number(x, style) for x in row]
        lines.append(delimiter.join(x.replace(".", ",") if comma else x for x in fields))
        if draw(st.integers(0, 30)) == 0:
            lines.append(draw(st.sampled_from(["", "# a comment", "   "])))
    if draw(st.integers(0, 5)) == 0:
        lines.append(draw(st.sampled_from(["# end", "Note: errors are of one sigma"])))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return end.join(lines) + draw(st.sampled_from(["", end, end * 3]))


COMMENTS = [
    "WASP-39 b, reduced with care",
    "depths are from a joint fit, errors from its posterior",
    "2023-01-04 12:30",
    "---------------",
    "R = 100",
    "see the paper, table 2",
]


def astropy_table(table: Made) -> Table:
    """The same as an astropy table."""
    out = Table()
    for name, unit, values in table.columns:
        gaps = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
        out[name] = np.ma.masked_array(values, gaps) if gaps.any() else values
        if unit:
            out[name].unit = {"μm": "um", "µm": "um", "per mille": "1e-3"}.get(unit, unit)
    return out


def binary(table: Made, form: str) -> bytes:
    """The table in a format that carries its own description."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if form in ("ecsv", "ipac", "mrt"):
            file = io.StringIO()
            tidy = astropy_table(table)
            if form != "ecsv":
                for name in tidy.colnames:
                    plain = re.sub(r"^\+|\+$", " up ", name.replace("(Rp/R*)**2", "RpRs2"))
                    plain = re.sub(r"^-|-$", " low ", plain).strip()
                    tidy.rename_column(name, re.sub(r"[\s()/*^?-]", "_", plain))
            tidy.write(file, format=f"ascii.{form}")
            return file.getvalue().encode()
        if form == "fits":
            out = io.BytesIO()
            astropy_table(table).write(out, format="fits")
            return out.getvalue()
    import xarray as xr

    variables = {
        name.replace("/", " over "): ("point", values, {"units": unit} if unit else {})
        for name, unit, values in table.columns
    }
    if form == "hdf5":
        import h5py

        out = io.BytesIO()
        with h5py.File(out, "w") as file:
            for name, (_, values, attrs) in variables.items():
                data = values.astype("S8") if values.dtype.kind == "U" else values
                file.create_dataset(name, data=data).attrs.update(attrs)
        return out.getvalue()
    return bytes(xr.Dataset(variables).to_netcdf(engine="h5netcdf"))
