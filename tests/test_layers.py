"""The layers against XLA's own convolutions, in value and gradient."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from exogan_jax.gan.layers import conv_stride2, conv_transpose_stride2

NUMBERS = ("NHWC", "HWIO", "NHWC")


def reference_conv(x, kernel):
    return lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=NUMBERS)


def reference_transpose(x, kernel, out_size):
    shape = jax.ShapeDtypeStruct((x.shape[0], *out_size, kernel.shape[2]), x.dtype)
    (out,) = jax.linear_transpose(lambda y: reference_conv(y, kernel), shape)(x)
    return out


def draw(seed, *shapes):
    keys = jax.random.split(jax.random.key(seed), len(shapes))
    # The scale of the DCGAN's sums: of order one.
    return [
        jax.random.normal(k, s) / np.sqrt(25 * s[2]) ** (len(s) == 4 and s[0] == 5)
        for k, s in zip(keys, shapes, strict=True)
    ]


def value_and_gradients(conv, x, kernel):
    def loss(x, kernel):
        out = conv(x, kernel)
        return jnp.sin(out).sum(), out

    # Compiled at once: operation by operation it takes ten times as long.
    (_, out), gradients = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))(x, kernel)
    return out, *gradients


@pytest.mark.parametrize("size", [33, 17, 9, 5, 8])
def test_conv_equals_lax_in_value_and_gradient(size):
    x, kernel = draw(size, (2, size, size, 3), (5, 5, 3, 4))
    ours = value_and_gradients(conv_stride2, x, kernel)
    theirs = value_and_gradients(reference_conv, x, kernel)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("size", "out"), [(3, 5), (5, 9), (9, 17), (17, 33), (4, 8)])
def test_transpose_equals_lax_in_value_and_gradient(size, out):
    x, kernel = draw(size, (2, size, size, 4), (5, 5, 3, 4))
    ours, theirs = (
        value_and_gradients(lambda x, k, f=f: f(x, k, (out, out)), x, kernel)
        for f in (conv_transpose_stride2, reference_transpose)
    )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5)


def test_the_two_are_adjoint():
    x, y, kernel = draw(0, (2, 9, 9, 3), (2, 5, 5, 4), (5, 5, 3, 4))
    left = (conv_stride2(x, kernel) * y).sum()
    right = (x * conv_transpose_stride2(y, kernel, (9, 9))).sum()
    np.testing.assert_allclose(left, right, rtol=1e-4)


def test_second_derivatives_exist():
    # R1 differentiates the gradient of the discriminator.
    x, kernel = draw(3, (1, 5, 5, 2), (5, 5, 2, 2))

    def penalty(kernel, conv):
        gradient = jax.grad(lambda x: jnp.tanh(conv(x, kernel)).sum())(x)
        return jnp.square(gradient).sum()

    ours, theirs = (
        jax.jit(jax.grad(partial(penalty, conv=conv)))(kernel)
        for conv in (conv_stride2, reference_conv)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-4)


def test_jit_and_vmap_agree():
    x, kernel = draw(4, (3, 2, 9, 9, 3), (5, 5, 3, 4))
    batch = jax.jit(jax.vmap(conv_stride2, (0, None)))(x, kernel)
    np.testing.assert_allclose(batch[1], conv_stride2(x[1], kernel), atol=1e-6)
    y, kernel = draw(5, (3, 2, 5, 5, 4), (5, 5, 3, 4))
    up = jax.jit(jax.vmap(lambda a: conv_transpose_stride2(a, kernel, (9, 9))))(y)
    np.testing.assert_allclose(up[2], conv_transpose_stride2(y[2], kernel, (9, 9)), atol=1e-6)


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="cannot be upsampled"):
        conv_transpose_stride2(jnp.zeros((1, 3, 3, 2)), jnp.zeros((5, 5, 2, 2)), (7, 7))
