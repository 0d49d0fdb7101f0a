"""The 5x5 stride-2 convolution of the DCGAN and its transpose, written as matrix products.

XLA's CPU back end has no fast path for strided or dilated convolutions, nor for their gradients:
the same layers through `lax.conv_general_dilated` are an order of magnitude slower there.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

_KERNEL = 5


def _padding(size: int) -> tuple[int, int, int]:
    """Output size and the zeros before and after of a SAME convolution of stride 2."""
    out = -(-size // 2)
    total = max(2 * (out - 1) + _KERNEL - size, 0)
    return out, total // 2, total - total // 2


def conv_stride2(
    x: Float[Array, "n h w cin"], kernel: Float[Array, "5 5 cin cout"]
) -> Float[Array, "n h2 w2 cout"]:
    """Convolution of stride 2 with SAME padding: equal to `lax.conv_general_dilated` (NHWC, HWIO).

    Args:
      x: (n, h, w, cin).
      kernel: (5, 5, cin, cout).

    Returns:
      (n, ceil(h / 2), ceil(w / 2), cout).
    """
    rows, top, bottom = _padding(x.shape[1])
    columns, left, right = _padding(x.shape[2])
    padded = jnp.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    taps = [
        padded[:, i : i + 2 * rows - 1 : 2, j : j + 2 * columns - 1 : 2]
        for i in range(_KERNEL)
        for j in range(_KERNEL)
    ]
    return jnp.concatenate(taps, axis=-1) @ kernel.reshape(-1, kernel.shape[-1])


def conv_transpose_stride2(
    x: Float[Array, "n h w cin"],
    kernel: Float[Array, "5 5 cout cin"],
    out_size: tuple[int, int],
) -> Float[Array, "n h2 w2 cout"]:
    """Transposed convolution: the gradient of `conv_stride2` with respect to its input.

    Equal to TensorFlow's `conv2d_transpose` of stride 2 with SAME padding. Output pixels of the
    same parity share their taps, so each of the four parities is a small convolution of `x`
    itself; the four results are interleaved.

    Args:
      x: (n, h, w, cin).
      kernel: (5, 5, cout, cin).
      out_size: height and width of the result, each 2h - 1 or 2h.

    Returns:
      (n, *out_size, cout).

    Raises:
      ValueError: `conv_stride2` does not take `out_size` to x's height and width.
    """
    n, h, w, _ = x.shape
    (rows, top, _), (columns, left, _) = _padding(out_size[0]), _padding(out_size[1])
    if (rows, columns) != (h, w):
        raise ValueError(f"({h}, {w}) cannot be upsampled by 2 to {out_size}")
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))

    def taps(parity: int, before: int) -> list[tuple[int, int]]:
        # Output 2m + parity = 2o + i - before joins input o = m + shift with kernel row i.
        return [
            (i, (parity + before - i) // 2)
            for i in range(_KERNEL)
            if (parity + before - i) % 2 == 0
        ]

    def phase(row: int, column: int) -> Float[Array, "n h w cout"]:
        pairs = [(a, b) for a in taps(row, top) for b in taps(column, left)]
        patches = [padded[:, 1 + r : 1 + r + h, 1 + c : 1 + c + w] for (_, r), (_, c) in pairs]
        weights = [kernel[i, j].T for (i, _), (j, _) in pairs]
        return jnp.concatenate(patches, axis=-1) @ jnp.concatenate(weights)

    phases = jnp.stack([jnp.stack([phase(r, c) for c in range(2)], axis=3) for r in range(2)], 2)
    out = phases.reshape(n, 2 * h, 2 * w, -1)
    return out[:, : out_size[0], : out_size[1]]
