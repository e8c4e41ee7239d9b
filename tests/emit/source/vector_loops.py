"""Hand-written RV64GCV loops of public-key and symmetric cryptography, and of numerics."""

SCALE = """\
    # y = a x, z += y: a0 x, a1 z, a2 the end of x
scale:
    vsetivli zero, 4, e32, m1, ta, ma
1:  vle32.v v8, (a0)
    vle32.v v9, (a1)
    vfmul.vf v8, v8, fa0
    vfadd.vv v9, v9, v8
    vse32.v v9, (a1)
    addi a0, a0, 16
    addi a1, a1, 16
    bne a0, a2, 1b
    ret
"""

MONTGOMERY = """\
    /* butterflies with Montgomery products of 16-bit words, twiddle factors in registers:
       a0 lower half, a1 upper half, a2 end of the lower half, a3 zeta, a4 zeta q^-1, a5 q */
    .text
    .globl butterflies
    .type butterflies, @function
    .balign 4
butterflies:
    vsetivli    zero, 8, e16, m1, ta, ma
.Lagain:
    vle16.v     v0, (a0)
    vle16.v     v1, (a1)
    vmul.vx     v2, v1, a4          # low half of b zeta q^-1
    vmulh.vx    v3, v1, a3
    vmulh.vx    v4, v2, a5
    vsub.vv     v5, v3, v4          // the product
    vadd.vv     v6, v0, v5
    vsub.vv     v7, v0, v5
    vse16.v     v6, (a0)
    vse16.v     v7, (a1)
    addi        a0, a0, 16
    addi        a1, a1, 16
    bltu        a0, a2, .Lagain
    ret
    .size butterflies, . - butterflies
"""

BARRETT = """\
.macro barrett x, t
    vmulh.vx \\t, \\x, a3
    vssra.vi \\t, \\t, 10
    vmul.vx  \\t, \\t, a4
    vsub.vv  \\x, \\x, \\t
.endm
reduce:
    csrwi vxrm, 0
    vsetivli zero, 16, e16, m2, ta, ma
1:
    vle16.v v8, (a0)
    addi    t0, a0, 32
    vle16.v v12, (t0)
    barrett v8, v10
    barrett v12, v14
    vse16.v v8, (a0)
    vse16.v v12, (t0)
    addi a0, a0, 64
    addi a1, a1, -1
    bgtz a1, 1b
    ret
"""

CHACHA = """\
.macro rotated x, t, left, right
    vsll.vi \\t, \\x, \\left
    vsrl.vi \\x, \\x, \\right
    vor.vv  \\x, \\x, \\t
.endm
.macro quarter a, b, c, d, t
    vadd.vv \\a, \\a, \\b
    vxor.vv \\d, \\d, \\a
    rotated \\d, \\t, 16, 16
    vadd.vv \\c, \\c, \\d
    vxor.vv \\b, \\b, \\c
    rotated \\b, \\t, 12, 20
    vadd.vv \\a, \\a, \\b
    vxor.vv \\d, \\d, \\a
    rotated \\d, \\t, 8, 24
    vadd.vv \\c, \\c, \\d
    vxor.vv \\b, \\b, \\c
    rotated \\b, \\t, 7, 25
.endm
rounds:
    vsetivli zero, 4, e32, m1, ta, ma
    li   t0, 10
loop:
    quarter v0, v4, v8,  v12, v16
    quarter v1, v5, v9,  v13, v17
    addi t0, t0, -1
    bnez t0, loop
    ret
"""

THETA = """\
    # column parities of Keccak, four states at once: a0 columns, a1 parities, a2 how many
theta:
    vsetivli zero, 2, e64, m1, ta, ma
    li t6, 80
loop:
    vle64.v v0, (a0)
    add t0, a0, t6
    vle64.v v1, (t0)
    add t1, t0, t6
    vle64.v v2, (t1)
    add t2, t1, t6
    vle64.v v3, (t2)
    vxor.vv v4, v0, v1
    vxor.vv v5, v2, v3
    vxor.vv v4, v4, v5
    vsll.vi v6, v4, 1
    li t3, 63
    vsrl.vx v7, v4, t3
    vor.vv v6, v6, v7
    vse64.v v6, (a1)
    addi a0, a0, 16
    addi a1, a1, 16
    addi a2, a2, -1
    bne zero, a2, loop
    ret
"""

PRODUCT = """\
    # one row of a product of polynomials: a0 += fa0 .. of a1, widened
row:
    vsetivli zero, 4, e16, mf2, ta, ma
again:
    lh   t0, 0(a3)
    vle16.v v1, (a1)
    vwmul.vx v2, v1, t0
    vsetivli zero, 4, e32, m1, ta, ma
    vle32.v v3, (a0)
    vadd.vv v3, v3, v2
    vse32.v v3, (a0)
    vsetivli zero, 4, e16, mf2, ta, ma
    addi a1, a1, 8
    addi a0, a0, 16
    addi a3, a3, 2
    addi a4, a4, -1
    bnez a4, again
    ret
"""

VECTOR_LOOPS = {
    "scale": SCALE,
    "montgomery": MONTGOMERY,
    "barrett": BARRETT,
    "chacha": CHACHA,
    "theta": THETA,
    "product": PRODUCT,
}
