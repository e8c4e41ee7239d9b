"""Rays: intersections, shading, distance fields."""

from typing import Any

import numpy as np
from jaxtyping import Float32

import oxegg


def rayaabb(
    origin: Float32[np.ndarray, "xyz=3 n=4096"],
    inverse: Float32[np.ndarray, "xyz=3 n=4096"],
    low: Float32[np.ndarray, "xyz=3"],
    high: Float32[np.ndarray, "xyz=3"],
):
    """Distance at which each ray enters a box (slab test), infinite where it misses."""
    near = (low[:, None] - origin) * inverse
    far = (high[:, None] - origin) * inverse
    enter = np.minimum(near, far).max(axis=0)
    leave = np.maximum(near, far).min(axis=0)
    hit = (leave >= enter) & (leave >= 0)
    return np.where(hit, enter, np.float32(np.inf))


def _cross(a: Any, b: Any) -> Any:
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


def _dot(a: Any, b: Any) -> Any:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def raytriangle(
    origin: Float32[np.ndarray, "xyz=3 n=4096"],
    direction: Float32[np.ndarray, "xyz=3 n=4096"],
    corner: Float32[np.ndarray, "xyz=3"],
    first: Float32[np.ndarray, "xyz=3"],
    second: Float32[np.ndarray, "xyz=3"],
):
    """Distance to a triangle (Möller and Trumbore), infinite where the ray misses."""
    p = _cross(direction, second)
    scale = 1 / _dot(first, p)
    t = tuple(origin[i] - corner[i] for i in range(3))
    u = _dot(t, p) * scale
    q = _cross(t, first)
    v = _dot(direction, q) * scale
    distance = _dot(second, q) * scale
    hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (distance >= 0)
    return np.where(hit, distance, np.float32(np.inf))


def phong(
    normal: Float32[np.ndarray, "xyz=3 n=4096"],
    view: Float32[np.ndarray, "xyz=3 n=4096"],
    light: Float32[np.ndarray, "xyz=3"],
):
    """Ambient, diffuse and specular light (exponent 16) for unit vectors."""
    facing = normal[0] * light[0] + normal[1] * light[1] + normal[2] * light[2]
    mirrored = [2 * facing * normal[i] - light[i] for i in range(3)]
    shine = np.maximum(mirrored[0] * view[0] + mirrored[1] * view[1] + mirrored[2] * view[2], 0)
    squared = shine * shine
    fourth = squared * squared
    eighth = fourth * fourth
    diffuse = np.maximum(facing, 0)
    return np.float32(0.1) + np.float32(0.6) * diffuse + np.float32(0.3) * eighth * eighth


def spheretrace(
    origin: Float32[np.ndarray, "xyz=3 n=256"],
    direction: Float32[np.ndarray, "xyz=3 n=256"],
    steps: int = 64,
):
    """March along rays by the distance to a unit sphere."""

    def step(_: int, x: Any, y: Any, z: Any):
        distance = np.sqrt(x * x + y * y + z * z) - 1
        return tuple(p + distance * direction[i] for i, p in enumerate((x, y, z)))

    return oxegg.fori(steps, step, (origin[0], origin[1], origin[2]))
