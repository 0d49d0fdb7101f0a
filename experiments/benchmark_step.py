"""Time of the paper's training step, against TensorFlow in the same run.

python -m experiments.benchmark_step [--tensorflow-python PYTHON] [--repeats 5]

PYTHON is an interpreter that imports tensorflow (`pip install tensorflow`, in an environment of its
own). Both train the paper's DCGAN on the same batch of 64 arrays in float32: one step of the
discriminator, two of the generator, Adam. TensorFlow runs it as one compiled graph (`tf.function`).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from functools import partial

import jax
from rich.console import Console

from exogan_jax.gan.nets import networks
from exogan_jax.gan.step import Training, init, step
from exogan_jax.layout import PUBLISHED

TENSORFLOW = """
import json, sys, time
import tensorflow as tf

batch_size, repeats, xla = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "xla"
SIZES = (3, 5, 9, 17, 33)
leaky = lambda x: tf.nn.leaky_relu(x, 0.2)


class Norm(tf.Module):
    def __init__(self, n):
        self.scale, self.offset = tf.Variable(tf.ones(n)), tf.Variable(tf.zeros(n))
        self.mean = tf.Variable(tf.zeros(n), trainable=False)
        self.variance = tf.Variable(tf.ones(n), trainable=False)

    def __call__(self, x):
        y, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            x, self.scale, self.offset, epsilon=1e-5, is_training=True)
        self.mean.assign(0.9 * self.mean + 0.1 * mean)
        self.variance.assign(0.9 * self.variance + 0.1 * variance)
        return y


def weight(*shape):
    return tf.Variable(tf.random.normal(shape, stddev=0.02))


class Generator(tf.Module):
    def __init__(self):
        f = [512, 256, 128, 64, 1]
        self.w, self.b = weight(100, 9 * 512), tf.Variable(tf.zeros(9 * 512))
        self.kernels = [weight(5, 5, o, i) for i, o in zip(f, f[1:])]
        self.biases = [tf.Variable(tf.zeros(o)) for o in f[1:]]
        self.norms = [Norm(n) for n in f[:-1]]

    def __call__(self, z):
        x = tf.nn.relu(self.norms[0](tf.reshape(z @ self.w + self.b, (-1, 3, 3, 512))))
        for i, (kernel, bias) in enumerate(zip(self.kernels, self.biases)):
            side = SIZES[i + 1]
            shape = (batch_size, side, side, kernel.shape[2])
            x = tf.nn.conv2d_transpose(x, kernel, shape, 2) + bias
            if i < 3:
                x = tf.nn.relu(self.norms[i + 1](x))
        return tf.sigmoid(x)


class Discriminator(tf.Module):
    def __init__(self):
        f = [1, 64, 128, 256, 512]
        self.kernels = [weight(5, 5, i, o) for i, o in zip(f, f[1:])]
        self.biases = [tf.Variable(tf.zeros(o)) for o in f[1:]]
        self.norms = [Norm(n) for n in f[2:]]
        self.w, self.b = weight(9 * 512, 1), tf.Variable(tf.zeros(1))

    def __call__(self, x):
        for i, (kernel, bias) in enumerate(zip(self.kernels, self.biases)):
            x = tf.nn.conv2d(x, kernel, 2, "SAME") + bias
            x = leaky(x if i == 0 else self.norms[i - 1](x))
        return (tf.reshape(x, (batch_size, -1)) @ self.w + self.b)[:, 0]


g, d = Generator(), Discriminator()
g_opt, d_opt = (tf.keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2))
for opt, net in ((g_opt, g), (d_opt, d)):
    opt.build(net.trainable_variables)
cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits


def latents():
    return tf.random.uniform((batch_size, 100), -1.0, 1.0)


@tf.function(jit_compile=xla)
def step(batch):
    with tf.GradientTape() as tape:
        real, fake = d(batch), d(g(latents()))
        loss = tf.reduce_mean(cross_entropy(tf.ones_like(real), real))
        loss += tf.reduce_mean(cross_entropy(tf.zeros_like(fake), fake))
    v = d.trainable_variables
    d_opt.apply_gradients(zip(tape.gradient(loss, v), v))
    for _ in range(2):
        with tf.GradientTape() as tape:
            fake = d(g(latents()))
            loss = tf.reduce_mean(cross_entropy(tf.ones_like(fake), fake))
        v = g.trainable_variables
        g_opt.apply_gradients(zip(tape.gradient(loss, v), v))
    return loss


batch = tf.random.uniform((batch_size, 33, 33, 1))
step(batch).numpy()
times = []
for _ in range(repeats):
    began = time.perf_counter()
    step(batch).numpy()
    times.append(time.perf_counter() - began)
parameters = sum(int(tf.size(v)) for v in g.trainable_variables + d.trainable_variables)
print(json.dumps({"version": tf.__version__, "times": times, "parameters": parameters}))
"""


def tensorflow_times(
    python: str, batch_size: int, repeats: int, xla: bool
) -> tuple[str, int, list]:
    """TensorFlow's version, number of parameters, and seconds of each step."""
    arguments = [str(batch_size), str(repeats), "xla" if xla else "plain"]
    command = [python, "-c", TENSORFLOW, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{python} failed:\n{done.stderr[-2000:]}")
    found = json.loads(done.stdout.strip().split("\n")[-1])
    return found["version"], found["parameters"], found["times"]


def our_times(batch_size: int, repeats: int) -> tuple[int, list[float]]:
    """Number of parameters, and seconds of each step."""
    training = Training(networks("paper", PUBLISHED), PUBLISHED.parameters)
    run = jax.jit(partial(step, training=training), donate_argnums=1)
    state = init(jax.random.key(0), training)
    n = sum(x.size for x in jax.tree.leaves((state.generator.params, state.discriminator.params)))
    images = jax.random.uniform(jax.random.key(1), (batch_size, *training.networks.shape))
    batch = jax.vmap(PUBLISHED.values)(images)
    state, _ = jax.block_until_ready(run(jax.random.key(2), state, batch))
    times = []
    for i in range(repeats):
        began = time.perf_counter()
        state, _ = jax.block_until_ready(run(jax.random.key(i), state, batch))
        times.append(time.perf_counter() - began)
    return n, times


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--tensorflow-python", help="interpreter that imports tensorflow")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5, help="steps of each, in turns of five")
    args = parser.parse_args(argv)
    console = Console()
    n, ours = our_times(args.batch, args.repeats)
    median = statistics.median(ours)
    console.print(
        f"jax {jax.__version__}: {median:.3f} s per step, best {min(ours):.3f}, {n} parameters"
    )
    if not args.tensorflow_python:
        return
    for xla in (False, True):
        version, m, theirs = tensorflow_times(args.tensorflow_python, args.batch, args.repeats, xla)
        if m != n:
            raise SystemExit(f"the networks differ: {n} and {m} parameters")
        name = f"tensorflow {version}{', XLA' if xla else ''}"
        other = statistics.median(theirs)
        console.print(f"{name}: {other:.3f} s per step, best {min(theirs):.3f}")
        console.print(f"  ratio {median / other:.2f}, of the best {min(ours) / min(theirs):.2f}")
    again = statistics.median(our_times(args.batch, args.repeats)[1])
    console.print(f"jax again: {again:.3f} s a step")


if __name__ == "__main__":
    main()
