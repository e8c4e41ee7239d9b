# User mode: vector configuration, tails and masks, vstart, fixed point.
        .include "environment.inc"
        PROGRAM 0
        csrr s1, vlenb
        vsetvli a0, zero, e8, m1, ta, ma
        bne a0, s1, fail
        li a1, 1 << 8           # reserved bits set: vill
        vsetvl a0, zero, a1
        CHECK 2, a0, 0
        csrr a0, vtype
        CHECK 3, a0, 1 << 63
        vsetivli a0, 3, e32, m1, tu, mu
        CHECK 4, a0, 3
        la s0, data
        vle32.v v8, (s0)
        vmv.v.i v9, 7
        vsetivli a0, 4, e32, m1, tu, mu
        vmv.v.i v9, 5
        vsetivli a0, 3, e32, m1, tu, mu
        vadd.vi v9, v8, 1
        vsetivli a0, 4, e32, m1, tu, mu
        la s2, buffer
        vse32.v v9, (s2)
        lw a0, 8(s2)
        CHECK 5, a0, 4
        lw a0, 12(s2)           # the tail is undisturbed
        CHECK 6, a0, 5
        # vstart: elements before it keep their values, and it becomes 0 again.
        vmv.v.i v10, 0
        csrwi vstart, 2
        vadd.vi v10, v10, 9
        csrr a0, vstart
        CHECK 7, a0, 0
        vse32.v v10, (s2)
        lw a0, 4(s2)
        CHECK 8, a0, 0
        lw a0, 8(s2)
        CHECK 9, a0, 9
        sw zero, 0(s2)
        csrwi vstart, 1
        vse32.v v9, (s2)
        lw a0, 0(s2)
        CHECK 10, a0, 0
        lw a0, 4(s2)
        CHECK 11, a0, 3
        csrwi vstart, 3
        vmv.v.i v11, 1          # two instructions: only the first starts at 3
        vmv.v.i v12, 1
        vsetivli zero, 1, e32, m1, tu, mu
        vmv.x.s a0, v12
        CHECK 12, a0, 1

        vsetivli zero, 4, e8, m1, ta, ma
        csrwi vcsr, 0
        li a1, 100
        vmv.v.x v8, a1
        vsadd.vv v9, v8, v8
        vmv.x.s a0, v9
        CHECK 13, a0, 127
        csrr a0, vxsat
        CHECK 14, a0, 1
        csrr a0, vcsr
        CHECK 15, a0, 1
        li a1, 5
        vmv.v.x v8, a1
        csrwi vxrm, 0           # to nearest, up
        vssrl.vi v9, v8, 1
        vmv.x.s a0, v9
        CHECK 16, a0, 3
        csrwi vxrm, 1           # to nearest, even
        vssrl.vi v9, v8, 1
        vmv.x.s a0, v9
        CHECK 17, a0, 2
        csrwi vxrm, 3           # to odd
        vssrl.vi v9, v8, 1
        vmv.x.s a0, v9
        CHECK 18, a0, 3

        END
        .data
        .balign 64
data:   .word 1, 2, 3, 4
buffer: .word 0, 0, 0, 0, 0, 0, 0, 0
