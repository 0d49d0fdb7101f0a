"""The 5x5 convolution of stride 2 of the DCGAN and its transpose, as sums of small convolutions of
stride 1 without padding or dilation, or as one matrix product where one side has few channels.

XLA's CPU back end runs such convolutions at the speed of matrix products. Strided, padded and
dilated ones, which plain differentiation makes of them, can be ten to fifty times slower there, and
so can those with a single channel. Each of the two layers names the other as its gradient, which it
is. That makes them differentiable in reverse mode only, to any order.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

_KERNEL = 5
#: With so few channels, the 25 taps side by side cost less memory than the other side's channels.
_FEW = 2
#: And with so few output pixels they cost less time than four convolutions.
_SMALL = 9


def _padding(size: int) -> tuple[int, int, int]:
    """Output size, and zeros before and after, of a SAME convolution of stride 2."""
    out = -(-size // 2)
    total = max(2 * (out - 1) + _KERNEL - size, 0)
    return out, total // 2, total - total // 2


def _pad_same(x: Float[Array, "n h w c"]) -> Float[Array, "n h2 w2 c"]:
    rows, columns = (_padding(size)[1:] for size in x.shape[1:3])
    return jnp.pad(x, ((0, 0), rows, columns, (0, 0)))


def _convolve(
    x: Float[Array, "n h w cin"], kernel: Float[Array, "kh kw cin cout"]
) -> Float[Array, "n h2 w2 cout"]:
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=numbers)


def _kernel_gradient(
    x: Float[Array, "n h w cin"], gradient: Float[Array, "n h2 w2 cout"]
) -> Float[Array, "5 5 cin cout"]:
    """Gradient of `conv_stride2` with respect to its kernel: one matrix product for each tap.

    XLA's own, a convolution over the batch, is as fast at the top level of a program, and a hundred
    times slower inside a `lax.scan`.
    """
    _, rows, columns, features = gradient.shape
    channels = x.shape[-1]
    taps = _taps(x, rows, columns)
    if channels <= _FEW:
        flat = jnp.concatenate(taps, axis=-1).reshape(-1, _KERNEL**2 * channels)
        product = flat.T @ gradient.reshape(-1, features)
    else:
        # Computed as "oi" and transposed: faster than "io".
        turned = [jnp.einsum("nhwi,nhwo->oi", tap, gradient) for tap in taps]
        product = jnp.stack(turned).transpose(0, 2, 1)
    return product.reshape(_KERNEL, _KERNEL, channels, features)


def _taps(x: Float[Array, "n h w c"], rows: int, columns: int) -> list[Float[Array, "n h2 w2 c"]]:
    """What each of the 25 entries of the kernel meets, row by row."""
    x = _pad_same(x)
    return [
        x[:, i : i + 2 * rows : 2, j : j + 2 * columns : 2]
        for i in range(_KERNEL)
        for j in range(_KERNEL)
    ]


@jax.custom_vjp
def conv_stride2(
    x: Float[Array, "n h w cin"], kernel: Float[Array, "5 5 cin cout"]
) -> Float[Array, "n h2 w2 cout"]:
    """Convolution of stride 2 with SAME padding: equal to `lax.conv_general_dilated` (NHWC, HWIO).

    Even rows of the kernel only meet even rows of the padded input, odd rows odd rows, and so for
    columns: the result is the sum of four convolutions of stride 1.

    Args:
      x: (n, h, w, cin), h and w at least 2.
      kernel: (5, 5, cin, cout).

    Returns:
      (n, ceil(h / 2), ceil(w / 2), cout).
    """
    rows, columns = (_padding(size)[0] for size in x.shape[1:3])
    if x.shape[-1] <= _FEW or rows * columns <= _SMALL:
        flat = jnp.concatenate(_taps(x, rows, columns), axis=-1)
        return flat @ kernel.reshape(-1, kernel.shape[-1])
    x = _pad_same(x)
    first, *others = [
        _convolve(x[:, row::2, column::2], kernel[row::2, column::2])
        for row in range(2)
        for column in range(2)
    ]
    return sum(others, start=first)


def _phase(parity: int, size: int) -> tuple[int, int, int]:
    """Which outputs of a transposed convolution the kernel's taps of one parity make.

    Output y is the sum over x[o] * kernel[i] with y + before = 2 o + i. For i = 2 u + parity that
    is x[m - u], m = (y + before - parity) / 2: a convolution of x, of stride 1.

    Returns:
      The first such y, their number, and the first x that they need.
    """
    _, before, _ = _padding(size)
    first = (parity - before) % 2
    taps = len(range(parity, _KERNEL, 2))
    return first, (size - first + 1) // 2, (first + before - parity) // 2 - (taps - 1)


def _overlap_add(x: Array, kernel: Array, out_size: tuple[int, int]) -> Array:
    """`conv_transpose_stride2` tap by tap: each pixel's products, put where they belong."""
    n, *_, channels = x.shape
    features = kernel.shape[2]
    flat = kernel.transpose(3, 0, 1, 2).reshape(channels, -1)
    products = (x @ flat).reshape(*x.shape[:3], _KERNEL, _KERNEL, features)
    zero = np.zeros((), x.dtype)
    before = [_padding(size)[1] for size in out_size]
    spread: list[tuple[int, int, int]]
    out = jnp.zeros((n, *out_size, features), x.dtype)
    for i in range(_KERNEL):
        for j in range(_KERNEL):
            spread = [(0, 0, 0)]
            for place, start, size, count in zip(
                (i, j), before, out_size, x.shape[1:3], strict=True
            ):
                first = place - start  # may be negative: lax.pad then crops
                spread.append((first, size - first - 2 * count + 1, 1))
            out = out + lax.pad(products[:, :, :, i, j], zero, [*spread, (0, 0, 0)])
    return out


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv_transpose_stride2(
    x: Float[Array, "n h w cin"],
    kernel: Float[Array, "5 5 cout cin"],
    out_size: tuple[int, int],
) -> Float[Array, "n h2 w2 cout"]:
    """Transposed convolution: the gradient of `conv_stride2` with respect to its input.

    Equal to TensorFlow's `conv2d_transpose` of stride 2 with SAME padding. Output pixels whose row
    and column have the same parity share their taps: each of the four sets is a convolution of
    stride 1 of `x` itself, and the four are interleaved.

    Args:
      x: (n, h, w, cin).
      kernel: (5, 5, cout, cin).
      out_size: height and width of the result, each 2h - 1 or 2h.

    Returns:
      (n, *out_size, cout).

    Raises:
      ValueError: `conv_stride2` does not take `out_size` to x's height and width.
    """
    shape = x.shape[1:3]
    if tuple(_padding(size)[0] for size in out_size) != shape:
        raise ValueError(f"{shape} cannot be upsampled by 2 to {out_size}")
    if kernel.shape[2] <= _FEW:
        return _overlap_add(x, kernel, out_size)
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    # A convolution proper flips the kernel; lax correlates.
    flipped = kernel.transpose(0, 1, 3, 2)
    out = jnp.zeros((), x.dtype)
    for row in range(2):
        for column in range(2):
            taps = flipped[row::2, column::2][::-1, ::-1]
            corner, spread = [slice(None)], [(0, 0, 0)]
            for parity, size, n_taps in zip((row, column), out_size, taps.shape[:2], strict=True):
                first, count, start = _phase(parity, size)
                corner.append(slice(start + 1, start + count + n_taps))
                spread.append((first, size - first - 2 * count + 1, 1))
            part = _convolve(x[tuple(corner)], taps)
            out = out + lax.pad(part, np.zeros((), x.dtype), [*spread, (0, 0, 0)])
    return out


def _conv_forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return conv_stride2(x, kernel), (x, kernel)


def _conv_backward(saved: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, kernel = saved
    height, width = x.shape[1:3]
    return (
        conv_transpose_stride2(gradient, kernel, (height, width)),
        _kernel_gradient(x, gradient),
    )


def _transpose_forward(
    x: Array, kernel: Array, out_size: tuple[int, int]
) -> tuple[Array, tuple[Array, Array]]:
    return conv_transpose_stride2(x, kernel, out_size), (x, kernel)


def _transpose_backward(
    out_size: tuple[int, int], saved: tuple[Array, Array], gradient: Array
) -> tuple[Array, Array]:
    del out_size
    x, kernel = saved
    return conv_stride2(gradient, kernel), _kernel_gradient(gradient, x)


conv_stride2.defvjp(_conv_forward, _conv_backward)
conv_transpose_stride2.defvjp(_transpose_forward, _transpose_backward)
