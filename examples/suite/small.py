"""Small fixed sizes: quaternions, 3x3 and 4x4 matrices."""

import numpy as np
from jaxtyping import Float32


def quatmul(a: Float32[np.ndarray, "n=64 wxyz=4"], b: Float32[np.ndarray, "n=64 wxyz=4"]):
    aw, ax, ay, az = a.T
    bw, bx, by, bz = b.T
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def mat3mul(a: Float32[np.ndarray, "i=3 k=3"], b: Float32[np.ndarray, "k=3 j=3"]):
    return a @ b


def mat4mul(a: Float32[np.ndarray, "i=4 k=4"], b: Float32[np.ndarray, "k=4 j=4"]):
    return a @ b


def mat3det(m: Float32[np.ndarray, "i=3 j=3"]):
    (a, b, c), (d, e, f), (g, h, i) = m
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def mat3inv(m: Float32[np.ndarray, "i=3 j=3"]):
    (a, b, c), (d, e, f), (g, h, i) = m
    first = [e * i - f * h, f * g - d * i, d * h - e * g]
    adjugate = np.array(
        [
            [first[0], c * h - b * i, b * f - c * e],
            [first[1], a * i - c * g, c * d - a * f],
            [first[2], b * g - a * h, a * e - b * d],
        ]
    )
    return adjugate * (1 / (a * first[0] + b * first[1] + c * first[2]))


def cross3(a: Float32[np.ndarray, "xyz=3"], b: Float32[np.ndarray, "xyz=3"]):
    return np.cross(a, b)


def mat4vec(m: Float32[np.ndarray, "r=4 k=4"], v: Float32[np.ndarray, "n=64 k=4"]):
    return v @ m.T
