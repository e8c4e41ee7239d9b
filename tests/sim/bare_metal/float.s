# User mode: results and accrued exceptions of float instructions, rounding modes, NaN boxes.
        .include "environment.inc"
.macro FLAGS n, value
        csrrw a3, fflags, zero
        CHECK \n, a3, \value
.endm
        PROGRAM 0
        la s0, data
        flw fa0, 0(s0)          # 1.0
        flw fa1, 4(s0)          # 3.0
        fdiv.s fa2, fa0, fa1, rne
        fmv.x.w a0, fa2
        CHECK 2, a0, 0x3eaaaaab
        FLAGS 3, 1
        fdiv.s fa2, fa0, fa1, rtz
        fmv.x.w a0, fa2
        CHECK 4, a0, 0x3eaaaaaa
        csrwi frm, 3
        fdiv.s fa2, fa0, fa1
        fmv.x.w a0, fa2
        CHECK 5, a0, 0x3eaaaaab
        csrwi frm, 2
        fdiv.s fa2, fa0, fa1, dyn
        fmv.x.w a0, fa2
        CHECK 6, a0, 0x3eaaaaaa
        csrwi fcsr, 0
        fmv.w.x fa3, zero
        fdiv.s fa2, fa0, fa3
        FLAGS 7, 8
        fdiv.s fa2, fa3, fa3
        fmv.x.w a0, fa2
        CHECK 8, a0, 0x7fc00000
        FLAGS 9, 16
        flw fa4, 8(s0)          # the largest number
        fadd.s fa2, fa4, fa4
        FLAGS 10, 5
        flw fa5, 12(s0)         # the smallest normal number
        fmul.s fa2, fa5, fa2
        csrwi fflags, 0
        flw fa6, 16(s0)         # 0.75
        flw fa7, 20(s0)         # smallest subnormal
        fmul.s fa2, fa7, fa6
        FLAGS 11, 3
        # Rounded to a normal number, but with unbounded exponents it would stay below: tiny.
        flw ft0, 24(s0)         # 1 - 2^-24
        fmul.s fa2, fa5, ft0
        fmv.x.w a0, fa2
        CHECK 12, a0, 0x00800000
        FLAGS 13, 3
        # A little more, and it rounds up in any case: not tiny.
        flw ft6, 56(s0)         # 2^-75
        flw ft7, 60(s0)         # 2^-76
        fnmsub.s fa2, ft6, ft7, fa5
        fmv.x.w a0, fa2
        CHECK 32, a0, 0x00800000
        FLAGS 33, 1
        flw ft1, 28(s0)         # a signaling NaN
        feq.s a0, ft1, fa0
        CHECK 14, a0, 0
        FLAGS 15, 16
        fmin.s fa2, ft1, fa0
        fmv.x.w a0, fa2
        CHECK 16, a0, 0x3f800000
        FLAGS 17, 16
        flw ft2, 32(s0)         # a quiet NaN
        feq.s a0, ft2, fa0
        FLAGS 18, 0
        flt.s a0, ft2, fa0
        FLAGS 19, 16
        fcvt.w.s a0, ft2
        CHECK 20, a0, 0x7fffffff
        FLAGS 21, 16
        fcvt.wu.s a0, fa6, rtz
        CHECK 22, a0, 0
        FLAGS 23, 1
        fsqrt.s fa2, fa1
        fmv.x.w a0, fa2
        CHECK 24, a0, 0x3fddb3d7
        # (1 + 2^-12)^2 - 2^-80: rounding the product first would give a tie.
        flw ft3, 36(s0)
        flw ft4, 40(s0)
        csrwi fflags, 0
        fmadd.s fa2, ft3, ft3, ft4
        fmv.x.w a0, fa2
        CHECK 25, a0, 0x3f801000
        FLAGS 26, 1
        fld ft5, 48(s0)         # a double is no NaN-boxed single
        fadd.s fa2, ft5, fa0
        fmv.x.w a0, fa2
        CHECK 27, a0, 0x7fc00000
        FLAGS 28, 0
        fmv.x.d a0, fa2
        CHECK 29, a0, 0xffffffff7fc00000
        fcvt.d.s fa2, fa0
        fcvt.h.d fa3, fa2
        fmv.x.h a0, fa3
        CHECK 30, a0, 0x3c00
        li a1, 2
        csrw fcsr, a1
        csrr a0, fcsr
        CHECK 31, a0, 2
        END
        .data
        .balign 64
data:   .word 0x3f800000, 0x40400000, 0x7f7fffff, 0x00800000
        .word 0x3f400000, 0x00000001, 0x3f7fffff, 0x7f800001
        .word 0x7fc00000, 0x3f800800, 0x97800000, 0
        .dword 0x3ff0000000000000
        .word 0x1a000000, 0x19800000
