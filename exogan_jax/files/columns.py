"""What a column's name means: a table of words that a person can read and extend.

A name is cut into words ("tr_depth_errneg": tr, depth, errneg), `WORDS` gives each word its tags
(depth; error and low), and the tags together give the role (the lower error of a depth). Words that
say nothing are the column's label: "depth A" and "error A" belong together. To teach the program
the columns of another code, add its words.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from exogan_jax.files.units import split_unit

#: The roles that a column can have, as `--columns` takes them, and what they mean.
ROLES = {
    "wavelength": "bin centre",
    "wavenumber": "bin centre, in cm-1",
    "low_edge": "shorter end of the bin",
    "high_edge": "longer end of the bin",
    "half_width": "half of the bin's width",
    "full_width": "the bin's width",
    "width": "the bin's width, half or full: as the bins touch",
    "depth": "(Rp/Rs)^2",
    "rp_rs": "Rp/Rs, squared on reading",
    "error": "1-sigma error",
    "error_up": "1-sigma error upward",
    "error_low": "1-sigma error downward, either sign",
    "instrument": "name of the instrument, detector or order",
    "quality": "0 where the point is good",
    "good": "0 where the point is bad",
    "limit": "0 where the value is no limit",
    "planet": "name of the planet",
    "star_radius": "in R_sun",
}
#: Roles of columns that are left out.
IGNORED, DIFFERENCE, UNKNOWN = "ignored", "difference", ""

#: Tag -> words that carry it. Two tags: "error+low". Sources: Eureka! (wavelength, bin_width,
#: tr_depth, tr_depth_errneg), FIREFLy (wv_center, wv_wdth, tran_unc), exoTEDRF and supreme-SPOON
#: (wave, wave_err, dppm, dppm_err, order), stctm (wave, waveMin, waveMax, yval, yerrLow, yerrUpp),
#: Pyrat Bay (depth, uncert, half width, filter), the Exoplanet Archive (CENTRALWAVELNG, PL_TRANDEP,
#: PL_TRANDEPERR1), VizieR (e_Depth), and tables in papers.
WORDS = {
    "wave": "wavelength wavelengths wave waves wl wls wlen wln wvl wvln wv wav wavs wavel wavelen "
    "wavelng wavelgth lambda lambdas lam lmbda λ wlgrid wavegrid wlum",
    "wave+centre": "centralwavelng centralwavelength wavcen wavecenter wavecentre wlcenter "
    "wlcentre wlmid lambda0",
    "wavenumber": "wavenumber wavenumbers wn wno wnumber wngrid",
    "centre": "center centre centers centres central cen mid middle midpoint midpoints ctr",
    "bin": "bin bins channel channels",
    "edge": "edge edges bound bounds boundary limit",
    "width": "width widths wdth wdths wid size sizes binwidth binwidths bandwidth binsize bw dbin "
    "spacing",
    "wave+width": "dlam dlambda dwave dwav dwl dwvl dwavelength wlwidth wavewidth wlerr waveerr "
    "werr xerr deltalambda deltawave deltawavelength wlbin δλ wlbinwidth",
    "half+width": "halfwidth halfwidths hw hwhm binhalfwidth halfbin semiwidth",
    "full+width": "fullwidth fullwidths fwhm fw",
    "half": "half semi",
    "full": "full total whole",
    "delta": "delta δ",
    "wave+min": "wavemin wlmin lambdamin wavelengthmin wavelow wllow waveleft wlstart xmin",
    "wave+max": "wavemax wlmax lambdamax wavelengthmax wavehigh wlhigh waveright wlend xmax wlupp",
    "min": "min minimum start begin left from blue",
    "max": "max maximum end stop right to red",
    "low": "low lower lo minus neg negative down dn dw downward lowerr",
    "up": "up upper upp plus pos positive hi high upward uperr",
    "depth": "depth depths trdepth tdepth trandep transitdepth transitdepths td dppm depthppm "
    "rprs2 rp2rs2 absorption yval",
    "transit": "tr tran trans transit transits transmission tspec transmspec spectrum spec "
    "transpec",
    "ratio": "rprs rpr rors ror ratror rrat radiusratio",
    "error": "err errs error errors unc uncs uncert uncerts uncertainty uncertainties sigma sig "
    "sigmas std stds stddev stdev stdv σ deviation precision 1sigma 1σ sd rms errorbar "
    "errorbars dev",
    "depth+error": "derr deptherr deptherror dpptherr depthunc yerr yunc deptherrs derror "
    "tderr trerr ddepth trandeperr trdeptherr dppmerr",
    "depth+error+up": "trandeperr1 yerrupp yerrup yerrpos yerrhigh depthup derrup",
    "depth+error+low": "trandeperr2 yerrlow yerrlo yerrneg derrlow",
    "ratio+error": "rprserr rprserror rprsunc rorerr",
    "ratio+error+up": "ratrorerr1",
    "ratio+error+low": "ratrorerr2",
    "error+up": "errpos errup errupp errupper errhi errhigh errplus errp uncup uncupper "
    "sigmaup errorup errorupper errorplus errorpos ep eup",
    "error+low": "errneg errlow errlo errlower errminus errm errdown uncdown unclow unclower "
    "sigmalow errorlow errorlower errorminus errorneg em elow",
    "limit": "trandeplim lim ulim",
    "instrument": "instrument instruments inst instr instname instrname instrumentname detector "
    "detectors det grating disperser mode telescope facility dataset observatory nrs",
    "filter": "filter bandpass passband band",
    "order": "order orders spectralorder",
    "quality": "quality flag flags dq dqflag mask masked bad badpix badpixel badpixels outlier "
    "outliers rejected qflag",
    "good": "good valid use used ok",
    "planet": "planetname plname",
    "ignored": "ecl eclipse emission fpfs fp model models fit bestfit residual residuals ecldepth "
    "resolution snr flux chi2 authors author url reference ref bibcode doi link comment comments",
    "difference": "relative differential rel diff difference",
}
#: Words that say nothing about the role, and do not tell spectra apart.
FILLERS = set(
    "of in the and column columns col value values val val. data observed obs measured median mean "
    "best pl planet planetary number no 1 sq squared radius length with for per array is val units "
    "unit name star stellar exoplanet points point pixel pixels".split()
)
_EXACT = {
    "x": "wavelength",
    "y": "depth",
    "dx": "half_width",
    "rp_value": "rp_rs",  # Eureka!, whose rp is in stellar radii
    "rp_errorneg": "error_low",
    "rp_errorpos": "error_up",
    "stellar_radius": "star_radius",
    "star_radius": "star_radius",
    "st_rad": "star_radius",
    "r_star": "star_radius",
    "rstar": "star_radius",
    "pl_name": "planet",
    "planet": "planet",
    "planet_name": "planet",
    "target": "planet",
    "target_name": "planet",
    "object": "planet",
}
_TAGS: dict[str, frozenset[str]] = {}
for _tags, _words in WORDS.items():
    for _word in _words.split():
        _TAGS[_word] = _TAGS.get(_word, frozenset()) | frozenset(_tags.split("+"))

# Rp/Rs in all its spellings, with a square or without: R_p/R_*, rp_over_rs, (Rp/R*)^2, Rp^2/Rs^2.
_SQUARE = r"(?:\^?\{?2\}?|\*\*\s*2|²|[\s_]?sq\w*)"
_RATIO = re.compile(
    rf"[(\[]*\s*r_?(?:p|pl|planet)({_SQUARE})?\s*(?:/|_?over_?|_|\s+)?\s*"
    rf"r_?(?:s(?:tar)?|\*|⋆|★)(?![a-z])({_SQUARE})?\s*[)\]]*\s*({_SQUARE})?",
    re.IGNORECASE,
)


class Named(NamedTuple):
    """What a column's name says."""

    role: str  # one of ROLES, IGNORED, DIFFERENCE, UNKNOWN
    label: str  # words that tell this spectrum from others in the table
    unit: str  # as in `units`, "" if the name has none
    of: str  # of an error: "depth", "rp_rs", or "" if the name does not say


def _words(name: str) -> list[str]:
    """The words of a name, Rp/Rs and its square as rprs and rprs2."""
    plain = re.sub(r"[$\\{}]|mathrm|\\rm|text(?=\{)", "", unicodedata.normalize("NFKC", name))
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain)
    plain = _RATIO.sub(lambda m: " rprs2 " if any(m.groups()) else " rprs ", plain)
    plain = re.sub(r"(?i)\brp(\^|\*\*)2", " rprs2 ", plain)
    words = [word for word in re.split(r"[^\w*σλδ²]+|_+", plain) if word]
    folded = [word if word in ("E",) else word.casefold() for word in words]
    joined: list[str] = []
    for word in folded:  # "wave length", "half width", "bad pixel"
        if joined and joined[-1] + word in _TAGS and word not in _TAGS:
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _tags(word: str, first: bool) -> frozenset[str]:
    if first and word in ("e", "E", "u"):  # VizieR: e_Depth, and E_Depth for the upper error
        return frozenset({"error"} | ({"up"} if word == "E" else set()))
    return _TAGS.get(word, frozenset())


def _bin_role(tags: set[str]) -> str:
    """The role of a column that speaks of wavelengths or bins."""
    if "half" in tags or ("error" in tags and "full" not in tags):
        return "half_width"
    if "full" in tags and ("width" in tags or "bin" in tags):
        return "full_width"
    if tags & {"width", "delta"}:
        return "width"
    if tags & {"min", "low"}:
        return "low_edge"
    if tags & {"max", "up"}:
        return "high_edge"
    return "wavelength" if tags & {"wave", "centre"} else UNKNOWN


def _role(tags: set[str]) -> str:
    """The role that a set of tags gives."""
    if "difference" in tags:
        return DIFFERENCE
    if "ignored" in tags:
        return IGNORED
    value = tags & {"depth", "ratio", "transit"}
    if "wavenumber" in tags:
        return "wavenumber" if tags <= {"wavenumber", "bin", "centre"} else UNKNOWN
    if tags & {"quality", "good"}:
        return "good" if "good" in tags else "quality"
    if not value and tags & {"wave", "width", "half", "edge", "bin"}:
        role = _bin_role(tags)
        if role or "edge" not in tags:
            return role
    if "limit" in tags and "error" not in tags:
        return "limit"
    if "error" in tags:
        if "up" in tags or "max" in tags:
            return "error_up"
        return "error_low" if tags & {"low", "min"} else "error"
    if tags & {"instrument", "order", "filter"} and not value:
        return "instrument"
    if "planet" in tags:
        return "planet"
    if value and tags & {"min", "max", "delta", "width", "half"}:
        return UNKNOWN  # a bound, a difference, or an error? The user must say
    if value and tags & {"up", "low"}:  # an error, or a bound: the numbers tell (`points`)
        return "error_up" if "up" in tags else "error_low"
    if "ratio" in tags:
        return UNKNOWN if "depth" in tags else "rp_rs"
    return "depth" if value else UNKNOWN


@lru_cache(maxsize=4096)
def describe(name: str) -> Named:
    """What a name says of its column.

    >>> describe("tr_depth_errneg").role, describe("Bin half-width").role
    ('error_low', 'half_width')
    >>> describe("depth A"), describe("Rp/R* error").of
    (Named(role='depth', label='A', unit='', of=''), 'rp_rs')
    """
    bare, unit = split_unit(name)
    exact = re.sub(r"\W+", "_", bare.strip()).casefold().strip("_")
    if exact in _EXACT:
        return Named(_EXACT[exact], "", unit, "rp_rs" if exact.startswith("rp_err") else "")
    if re.search(r"(depth|\))\s*[-−–]\s*(the\s+)?mean", bare, re.IGNORECASE):
        return Named(DIFFERENCE, "", unit, "")
    words = _words(bare)
    tags: set[str] = set()
    label = []
    for i, word in enumerate(words):
        found = _tags(word, i == 0 and len(words) > 1)
        stem = re.fullmatch(r"([^\W\d]+)(\d+)", word)
        if not found and stem and _TAGS.get(stem[1]):  # depth1, err2
            found = _TAGS[stem[1]]
            label.append(stem[2])
        elif not found and word not in FILLERS:
            label.append(word)
        tags |= found
    if "error" in tags and {"m", "p"} & set(words):  # err_m, err_p
        tags |= {"low"} if "m" in words else {"up"}
        label = [word for word in label if word not in ("m", "p")]
    if "error" in tags and not re.search(r"\+\s*/\s*-|±", bare):
        if re.search(r"\+", bare):
            tags.add("up")
        elif re.search(r"^\s*[-−]|[-−]\s*$", bare):
            tags.add("low")
    if "dppm" in exact and not unit:
        unit = "ppm"
    role = _role(tags)
    if role == UNKNOWN:
        label = []
    of = ""
    if role.startswith("error"):
        of = "rp_rs" if "ratio" in tags else "depth" if tags & {"depth", "transit"} else ""
    raw = {part.casefold(): part for part in re.split(r"[\W_]+", bare)}
    return Named(role, " ".join(raw.get(word, word) for word in label), unit, of)
