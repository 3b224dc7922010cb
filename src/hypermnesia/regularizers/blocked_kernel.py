"""What :class:`BlockedStep` does to the columns of a readout, compiled by numba; imported only where it is needed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, no_type_check

import numba
import numpy as np
import torch

_IN_CACHE = 256 * 1024
"""Bytes that a block of three matrices may take: a part of the second-level cache of any machine."""

# OpenMP's threads are those of torch. Others would share the cores with them, which do not sleep at once between two
# operations.
numba.config.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]  # type: ignore[attr-defined]  # set by name


def _compiled(**options: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function, and keep what was compiled for later processes where there is a folder to write to.

    What is compiled has no annotations, which a checker of types at run time would follow into a wrapper.

    Sums may be reordered, so that they are made of vectors; what is not finite stays so. Python runs on meanwhile.
    """
    options = {"nogil": True, **options}

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        fast: dict[str, Any] = {"error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz"}, **options}
        try:
            return numba.njit(cache=True, **fast)(function)  # type: ignore[no-any-return]
        except RuntimeError:
            return numba.njit(**fast)(function)  # type: ignore[no-any-return]

    return compiled


def take_step(
    readout: Any,
    gradient: Any,
    average: Any,
    square: Any,
    snapshot: Any,
    parts: Any,
    coefficients: Any,
    numbers: tuple[Any, ...],
) -> Any:
    """Take Adam's step of a readout, block by block, with as many threads as torch has.

    Args:
        readout: A, `[height, columns]`; changed, as are the averages.
        gradient: Gradient of the task loss by A.
        average: Adam's average of gradients.
        square: Adam's average of squared gradients.
        snapshot: A*.
        parts: First column, and that after the last, of each part, `[parts, 2]`.
        coefficients: For each part the matrix that times [ΔA; A*] gives the regularizer's gradient,
            `[parts, height, 2 · height]`.
        numbers: Adam's numbers of the step: β₁, 1-β₁, β₂, 1-β₂, rate and root of the corrections of both averages, ε,
            weight decay into the gradient, and the factor of a decoupled one.

    Returns:
        For each part the inner products of ΔA with ΔA and with A*, `[parts, height, 2 · height]`; of the symmetric ones
        with ΔA only the upper half.
    """
    height, _ = readout.shape
    width = max(64, _IN_CACHE // (3 * height * readout.itemsize) // 64 * 64)
    threads = min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
    products = np.zeros((threads, *coefficients.shape), readout.dtype)
    matrices = (readout, gradient, average, square, snapshot)
    arguments = (matrices, parts, coefficients, products, width, numbers)
    if threads == 1:
        _of_thread(0, *arguments)
    else:
        of_torch, of_numba = torch.get_num_threads(), numba.get_num_threads()
        numba.set_num_threads(threads)
        try:
            _of_all_threads(*arguments)
        finally:
            numba.set_num_threads(of_numba)
            if torch.get_num_threads() != of_torch:  # numba's first call gives OpenMP all threads there are
                torch.set_num_threads(of_torch)
    return products.sum(0)


@_compiled()
@no_type_check
def _of_thread(thread, matrices, parts, coefficients, products, width, numbers):
    """Take the step of a thread's columns."""
    readout, gradient, average, square, snapshot = matrices
    threads, (height, length) = len(products), readout.shape
    first, last = length * thread // threads, length * (thread + 1) // threads
    keep1, add1, keep2, add2, size, root, epsilon, decay, shrink = numbers
    tiny = np.finfo(readout.dtype).tiny
    differences = np.empty((2 * height, width), readout.dtype)  # [ΔA; A*]
    slopes = np.empty((height, width), readout.dtype)  # of task loss and regularizer
    for part in range(len(parts)):
        start, stop = max(first, parts[part, 0]), min(last, parts[part, 1])
        for left in range(start, stop, width):
            right = min(left + width, stop)
            n = right - left
            for i in range(height):
                a, g, s = readout[i, left:right], gradient[i, left:right], snapshot[i, left:right]
                m, v = average[i, left:right], square[i, left:right]
                difference, before, slope = differences[i], differences[height + i], slopes[i]
                for c in range(n):
                    slope[c] = g[c] + decay * a[c]
                    mean = keep1 * m[c] + add1 * slope[c]
                    variance = keep2 * v[c] + add2 * slope[c] * slope[c]
                    difference[c] = shrink * a[c] - size * mean / (math.sqrt(variance) * root + epsilon) - s[c]
                    before[c] = s[c]
            _add_products(differences, products[thread, part], n)
            _add_combinations(differences, coefficients[part], slopes, n)
            for i in range(height):
                a, slope = readout[i, left:right], slopes[i]
                m, v = average[i, left:right], square[i, left:right]
                for c in range(n):
                    mean = keep1 * m[c] + add1 * slope[c]
                    variance = keep2 * v[c] + add2 * slope[c] * slope[c]
                    a[c] = shrink * a[c] - size * mean / (math.sqrt(variance) * root + epsilon)
                    # Averages of gradients that are zero for long become denormal numbers, with which a CPU is slow.
                    m[c] = 0 if abs(mean) < tiny else mean
                    v[c] = 0 if variance < tiny else variance


@_compiled(parallel=True)
@no_type_check
def _of_all_threads(matrices, parts, coefficients, products, width, numbers):
    for thread in numba.prange(len(products)):
        _of_thread(thread, matrices, parts, coefficients, products, width, numbers)


@_compiled()
@no_type_check
def _add_products(rows, products, n):
    """Add the inner products of the upper rows with all rows, two times four at once so that registers are reused."""
    height, many = products.shape
    for i in range(0, height, 2):
        x, y = rows[i], rows[min(i + 1, height - 1)]
        for j in range(i // 4 * 4, many, 4):
            p, q, r, s = rows[j], rows[min(j + 1, many - 1)], rows[min(j + 2, many - 1)], rows[min(j + 3, many - 1)]
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = rows.dtype.type(0)
            for c in range(n):
                a0 += x[c] * p[c]
                a1 += x[c] * q[c]
                a2 += x[c] * r[c]
                a3 += x[c] * s[c]
                b0 += y[c] * p[c]
                b1 += y[c] * q[c]
                b2 += y[c] * r[c]
                b3 += y[c] * s[c]
            for k, upper, lower in ((0, a0, b0), (1, a1, b1), (2, a2, b2), (3, a3, b3)):
                if j + k < many:
                    products[i, j + k] += upper
                    if i + 1 < height:
                        products[i + 1, j + k] += lower


@_compiled()
@no_type_check
def _add_combinations(rows, coefficients, sums, n):
    """Add to each sum the combination of rows that its coefficients give, two sums and four rows at once."""
    height, many = coefficients.shape
    fours = many // 4 * 4
    for i in range(0, height, 2):
        first, second = sums[i], sums[min(i + 1, height - 1)]
        of_first, of_second = coefficients[i], coefficients[min(i + 1, height - 1)]
        if i + 1 == height:
            for k in range(many):
                row, a = rows[k], of_first[k]
                for c in range(n):
                    first[c] += a * row[c]
            break
        for k in range(0, fours, 4):
            p, q, r, s = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
            a0, a1, a2, a3 = of_first[k], of_first[k + 1], of_first[k + 2], of_first[k + 3]
            b0, b1, b2, b3 = of_second[k], of_second[k + 1], of_second[k + 2], of_second[k + 3]
            for c in range(n):
                first[c] += a0 * p[c] + a1 * q[c] + a2 * r[c] + a3 * s[c]
                second[c] += b0 * p[c] + b1 * q[c] + b2 * r[c] + b3 * s[c]
        for k in range(fours, many):
            row, a, b = rows[k], of_first[k], of_second[k]
            for c in range(n):
                first[c] += a * row[c]
                second[c] += b * row[c]
