# User mode: arithmetic, jumps, loads and stores of all sizes, misaligned ones among them.
        .include "environment.inc"
        PROGRAM 0
        li a0, 0x7fffffff
        addiw a1, a0, 1
        CHECK 2, a1, 0xffffffff80000000
        li a0, -7
        li a1, 2
        div a2, a0, a1
        CHECK 3, a2, -3
        rem a2, a0, a1
        CHECK 4, a2, -1
        div a2, a0, zero
        CHECK 5, a2, -1
        mulhu a2, a0, a0
        CHECK 6, a2, 0xfffffffffffffff2

        la s0, data
        ld a0, 0(s0)
        CHECK 10, a0, 0x0807060504030201
        lw a0, 1(s0)
        CHECK 11, a0, 0x05040302
        lhu a0, 7(s0)
        CHECK 12, a0, 0xf908
        lh a0, 7(s0)
        CHECK 13, a0, 0xfffffffffffff908
        ld a0, 3(s0)
        CHECK 14, a0, 0xfbfaf90807060504
        ld a0, 60(s0)           # over the end of a line
        CHECK 15, a0, 0x2f2e2d2c3f3e3d3c
        li a1, 0x1122334455667788
        sd a1, 13(s0)
        ld a0, 8(s0)
        CHECK 16, a0, 0x667788fdfcfbfaf9
        ld a0, 16(s0)
        CHECK 17, a0, 0x1f1e1d1122334455
        sh a1, 21(s0)
        ld a0, 16(s0)
        CHECK 18, a0, 0x1f77881122334455
        flw ft0, 1(s0)
        fmv.x.w a0, ft0
        CHECK 19, a0, 0x05040302

        la a1, target
        jalr a0, 1(a1)          # bit 0 of the target is cleared
        .option push
        .option norvc
        j fail
        .option pop
target: la a2, target - 4       # the jump to fail takes four bytes
        sub a0, a0, a2
        CHECK 20, a0, 0
        END
        .data
        .balign 64
data:   .dword 0x0807060504030201, 0xfffefdfcfbfaf9, 0x1f1e1d1c1b1a1918, 0
        .dword 0, 0, 0, 0x3f3e3d3c00000000
        .dword 0x2f2e2d2c
