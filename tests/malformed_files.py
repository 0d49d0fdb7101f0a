"""Files of each format that must be refused: what they hold is wrong, damaged, or no spectrum."""

import io
import pickle
import re
import zipfile

import made_tables
import numpy as np

N = 12
W = np.linspace(1.0, 2.1, N)
DEPTH = 0.014 + 2e-4 * np.sin(6 * W)
ERROR = np.full(N, 5e-5)
BAD_ROW = 7


def columns(**changes):
    """Name, unit and values of a good table's columns, some changed; None leaves one out."""
    table = {
        "wavelength": ("um", W),
        "half_width": ("um", np.full(N, 0.05)),
        "depth": ("%", 100 * DEPTH),
        "error": ("%", 100 * ERROR),
    }
    for name, change in changes.items():
        unit = table.get(name, ("",))[0]
        if isinstance(change, tuple):
            unit, change = change
        table[name] = (unit, change)
    return [(name, *rest) for name, rest in table.items() if rest[1] is not None]


def at_row(values, value, row=BAD_ROW):
    """The values with one of another."""
    return np.array([value if i == row else x for i, x in enumerate(values)])


def write(form, table):
    """The content of a file of a format."""
    if form in ("text", "csv"):
        delimiter = " " if form == "text" else ","
        lines = [delimiter.join(f"{name}[{unit}]" if unit else name for name, unit, _ in table)]
        for row in zip(*(values for _, _, values in table), strict=True):
            lines.append(delimiter.join(made_tables.number(x, "repr") for x in row))
        return ("\n".join(lines) + "\n").encode()
    made = made_tables.Made(table, W, 0 * W, DEPTH, ERROR, None, True)
    return made_tables.binary(made, form)


#: Columns with a fault -> what the message says, and whether it names the row.
FAULTS = {
    "infinite depth": ({"depth": at_row(100 * DEPTH, np.inf)}, "inf", True),
    "infinite error": ({"error": at_row(100 * ERROR, np.inf)}, "inf", True),
    "infinite wavelength": ({"wavelength": at_row(W, np.inf)}, "inf", True),
    "infinite width": ({"half_width": at_row(np.full(N, 0.05), np.inf)}, "inf", True),
    "wide as the spectrum": ({"half_width": np.full(N, 50.0)}, "half width of 50", True),
    "negative width": ({"half_width": at_row(np.full(N, 0.05), -0.05)}, "negative", True),
    "a flag as width": ({"half_width": (np.arange(N) % 2) * 1.0}, "a flag?", True),
    "negative error": ({"error": at_row(100 * ERROR, -0.005)}, "not positive", True),
    "no error": ({"error": at_row(100 * ERROR, 0.0)}, "not positive", True),
    "errors in ppm": ({"error": 1e6 * ERROR}, "above the depth", True),
    "errors of 1e-9": ({"error": 1e-4 * ERROR}, "below 0.1 ppm", True),
    "negative depth": ({"depth": at_row(100 * DEPTH, -1.4)}, "not positive", True),
    "no depth": ({"depth": at_row(100 * DEPTH, 0.0)}, "not positive", True),
    "depth of the star": ({"depth": at_row(100 * DEPTH, 140.0)}, "1 or more", True),
    "depths of half the star": ({"depth": 4000 * DEPTH}, "stellar radii", True),
    "depths of nothing": (
        {"depth": ("ppm", DEPTH), "error": ("ppm", ERROR)}, "less than the Moon's", True,
    ),
    "nothing measured": ({"depth": np.full(N, np.nan)}, "every row has a missing value", False),
    "negative wavelength": ({"wavelength": at_row(W, -1.7)}, "not positive", True),
    "wavelength 0": ({"wavelength": at_row(W, 0.0)}, "not positive", True),
    "wavelengths in mm": ({"wavelength": 1e-3 * W}, "", True),
    "wavelengths in nm": ({"wavelength": 1e3 * W}, "no wavelength within", True),
    "no column of errors": ({"error": None}, "no column of errors is known", False),
    "no column of depths": ({"depth": None}, "no column of depths is known", False),
    "no column of wavelengths": ({"wavelength": None}, "no column of wavelengths", False),
    "two columns of errors": ({"sigma": ("%", 200 * ERROR)}, "could hold the errors", False),
    "the width as depth": ({"depth": 1.0 * W}, "looks like the bins' width", True),
    "words as depths": ({"depth": np.array(["deep"] * N)}, "", False),
}  # fmt: skip


def _binaries(content):
    """Name -> bytes that are no table: cut, overwritten, in another encoding, or something else."""
    npz, archive = io.BytesIO(), io.BytesIO()
    np.savez(npz, wavelength=W, depth=DEPTH)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("spectrum.csv", b"wavelength,depth,error\n")
    npy = io.BytesIO()
    np.save(npy, np.array([{"depth": 1}], object))
    rng = np.random.default_rng(0)
    return {
        "empty": b"",
        "blank": b" \n\t\r\n \n",
        "utf-16": content.decode("latin-1").encode("utf-16"),
        "utf-16-be": b"\xfe\xff" + content.decode("latin-1").encode("utf-16-be"),
        "utf-32": content.decode("latin-1").encode("utf-32"),
        "noise": rng.bytes(3000),
        "nulls": bytes(2000),
        "nulls before": bytes(64) + content,
        "pickle": pickle.dumps({"wavelength": [1.0]}, protocol=4),
        "old pickle": pickle.dumps({"wavelength": [1.0]}, protocol=0),
        "npy of objects": npy.getvalue(),
        "npz": npz.getvalue(),
        "zip": archive.getvalue(),
        "gzip": b"\x1f\x8b\x08\x00" + content,
        "pdf": b"%PDF-1.5\n1 0 obj\n<<>>\nendobj\n",
        "web page": b"<!DOCTYPE html><html><body><p>404</p></body></html>",
        "JSON": b'{"wavelength": [1, 2], "depth": [0.01, 0.01]}',
        "words": b"The spectrum is on request.\nBest wishes,\nthe authors\n",
        "a long line": b"1 " * 20_000_00,
    }


def _of_text(content):
    """Name -> damaged text."""
    lines = content.decode().splitlines()
    first = next(i for i, line in enumerate(lines) if re.match(r"\s*1\.0", line))

    def row(change, i=first + 3):
        return "\n".join([*lines[:i], change(lines[i]), *lines[i + 1 :]]).encode()

    return {
        "header alone": "\n".join(lines[:first]).encode(),
        "half of the first row": "\n".join([*lines[:first], lines[first][:4]]).encode(),
        "a word among numbers": row(lambda x: x.replace(x.split("1.")[-1][:3], "a.b", 1)),
        "half a row": row(lambda x: re.sub(r"..[ ,]+[^ ,]+\s*$", "", x)),
        "two rows in one": row(lambda x: f"{x} {x}"),
        "half": "\n".join(lines[: first + 4]).rstrip()[:-9].encode(),
    }


def _of_ecsv(content):
    """Name -> an ECSV that would make objects, run code, or never end."""
    text = content.decode()
    head, line = text.split("# datatype:", 1)[0], "# meta: {meta}\n# schema: astropy-2.0"

    def meta(value):
        return text.replace("# schema: astropy-2.0", line.format(meta=value)).encode()

    return {
        "runs code": meta("!!python/object/apply:os.system ['touch pwned']"),
        "imports": meta("!!python/module:os"),
        "a name of Python": meta("!!python/name:os.system"),
        "an object": meta("!!python/object/new:subprocess.Popen [['touch', 'pwned']]"),
        "a verbatim tag": meta("!<tag:yaml.org,2002:python/object/apply:os.system> ['true']"),
        "no YAML": (head + "# datatype: [{name: [}\nwavelength\n1\n").encode(),
        "other names": text.replace("{name: depth", "{name: deepness").encode(),
        "other types": text.replace("datatype: float64", "datatype: complex128").encode(),
        "no types": text.replace("datatype: float64", "datatype: parsec").encode(),
        "deep": meta("[" * 5000 + "]" * 5000),
        "tag behind quotes": meta("{a: it's, b: !numpy.ndarray {buffer: x}, c: it's}"),
    }


def _of_hdf5():
    """Name -> an HDF5 file with what no table holds."""
    import h5py

    def file_of(fill):
        out = io.BytesIO()
        with h5py.File(out, "w") as file:
            fill(file)
        return out.getvalue()

    def good(file, **changes):
        for name, _, values in columns(**changes):
            file[name] = values

    def objects(file):
        good(file)
        file.create_dataset("more", (1,), dtype=h5py.vlen_dtype(np.uint8))

    def references(file):
        good(file)
        file.create_dataset("more", (1,), dtype=h5py.ref_dtype)

    def endless(file):
        good(file)
        file.create_dataset("more", (10**9,), dtype="f8", chunks=(10**6,))

    def outside(file):
        good(file, depth=None)
        file["depth"] = h5py.ExternalLink("/etc/passwd", "/")

    def dangling(file):
        good(file, depth=None)
        file["depth"] = h5py.SoftLink("/nowhere")

    def circle(file):
        group = file.create_group("a")
        group["again"] = file["/"]
        group["self"] = group

    def images(file):
        file["image"] = np.ones((5, 5))

    def numbers(file):
        for name in ("wavelength", "depth", "error"):
            file[name] = 1.0

    def lengths(file):
        file["wavelength"], file["depth"], file["error"] = W, DEPTH[:7], ERROR[:5]

    def complexes(file):
        good(file, depth=DEPTH * 1j)

    makers = (objects, references, endless, outside, dangling, circle, images, numbers, lengths)
    return {maker.__name__: file_of(maker) for maker in (*makers, complexes)}


def _of_fits(content):
    """Name -> a damaged FITS file."""
    block = 2880

    def set_to(key, old, new):
        before, after = (f"{key:8s}= {value:>20}".encode() for value in (old, new))
        assert before in content
        return content.replace(before, after)

    return {
        "no primary header": content[block:],
        "primary header alone": content[:block],
        "no rows": content[: 2 * block],
        "column of nothing": content.replace(b"TFORM1  = 'D       '", b"TFORM1  = 'Q       '"),
        "no number of fields": set_to("TFIELDS", 4, "?"),
        "rows without end": set_to("NAXIS2", 12, 999999999999),
        "rows of nothing": set_to("NAXIS1", 32, 0),
        "negative rows": set_to("NAXIS2", 12, -12),
    }


def malformed(form, folder):
    """Files that must be refused: path, what the message says ("" for anything), and whether it
    names the row.
    """
    content = write(form, columns())
    files = {}
    for name, (changes, cause, row) in FAULTS.items():
        if form == "mrt" and cause == "inf":  # astropy's writer has none
            continue
        if form == "mrt" and name == "nothing measured":  # nor keeps it to its columns
            cause = "is in none of the columns"
        files[name] = (write(form, columns(**changes)), cause, row)
    files |= {name: (data, "", False) for name, data in _binaries(content).items()}
    others = {}
    if form in ("text", "csv", "ecsv", "ipac", "mrt"):
        others |= _of_text(content)
    if form == "ecsv":
        others |= _of_ecsv(content)
    if form == "hdf5":
        others |= _of_hdf5()
    if form == "fits":
        others |= _of_fits(content)
    if form in ("text", "csv", "fits"):
        renamed = content.replace(b"half_width", b"depth" if form != "fits" else b"depth     ")
        others["two columns of a name"] = renamed.replace(b"depth[um]", b"depth[%]")
    if form in ("fits", "hdf5", "netcdf"):
        share = {f"cut {i}": content[: len(content) * i // 12] for i in range(1, 9)}
        others |= share | {"hole": content[:600] + content[1400:]}
    files |= {name: (data, "", False) for name, data in others.items()}
    out = []
    for name, (data, cause, row) in files.items():
        path = folder / f"{name.replace(' ', '_').replace('/', '_')}.dat"
        path.write_bytes(data)
        out.append((path, cause, row))
    with (folder / "huge.dat").open("wb") as file:
        file.write(content)
        file.truncate(2**26 + 2**20)
    thousand = folder / "thousand.dat"
    thousand.mkdir()
    for i in range(1000):
        (thousand / f"{i}.dat").write_bytes(b"")
    out += [(folder / "huge.dat", "", False), (thousand, "is a folder", False)]
    return [*out, (folder / "absent.dat", "no such file", False)]
