# Vector loads and stores through virtual memory: pages in another order than in physical memory.
        .include "environment.inc"
        .include "virtual_memory.inc"
        .option norvc
        PROGRAM 3
        ENTRY root, 2, 0x80000000, V|R|W|X|AD
        ENTRY root, 0, middle, V
        ENTRY middle, 0, leaves, V
        ENTRY leaves, 1, second, V|R|W|AD
        ENTRY leaves, 2, first, V|R|W|AD
        ENTRY leaves, 4, second, V|R|AD         # page 3 is absent, page 4 is not writable
        TRANSLATE root
        ENTER 1, supervisor
supervisor:

        # Unit stride over the end of page 1: 8 bytes in second, 8 in first.
        vsetivli zero, 16, e8, m1, ta, ma
        vid.v v8
        li a0, 0x1ff8
        vse8.v v8, (a0)
        vle8.v v9, (a0)
        vmsne.vv v10, v8, v9
        vcpop.m a1, v10
        CHECK 2, a1, 0
        ld a3, 0(a0)
        CHECK 3, a3, 0x0706050403020100
        li a0, 0x2000
        ld a3, 0(a0)
        CHECK 4, a3, 0x0f0e0d0c0b0a0908

        # Strides, indices, segments, masks and whole registers.
        vsetivli zero, 4, e32, m1, ta, ma
        vid.v v8
        vadd.vi v8, v8, 5
        li a0, 0x1c00
        li a1, 0x300
        vsse32.v v8, (a0), a1           # 0x1c00, 0x1f00, 0x2200, 0x2500
        li a2, 0x2200
        lw a3, 0(a2)
        CHECK 5, a3, 7
        vlse32.v v9, (a0), a1
        vmsne.vv v10, v8, v9
        vcpop.m a2, v10
        CHECK 6, a2, 0
        vid.v v11
        vmul.vx v11, v11, a1
        vluxei32.v v9, (a0), v11
        vmsne.vv v10, v8, v9
        vcpop.m a2, v10
        CHECK 7, a2, 0
        li a0, 0x1ff0
        vadd.vi v9, v8, 10
        vsseg2e32.v v8, (a0)
        li a0, 0x2000
        ld a3, 0(a0)
        CHECK 8, a3, 17 << 32 | 7
        li a0, 0x1ff0
        vlseg2e32.v v12, (a0)
        vmsne.vv v10, v9, v13
        vcpop.m a2, v10
        CHECK 9, a2, 0
        vmv.v.i v0, 5
        vsuxei32.v v9, (a0), v11, v0.t  # elements 0 and 2
        lw a3, 0(a0)
        CHECK 10, a3, 15
        li a2, 0x25f0
        lw a3, 0(a2)
        CHECK 11, a3, 17
        li a0, 0x1ff8
        vs1r.v v9, (a0)
        vl1re8.v v14, (a0)
        vmsne.vv v10, v9, v14
        vcpop.m a2, v10
        CHECK 12, a2, 0
        vsetivli zero, 13, e8, m1, ta, ma
        vmv.v.i v0, 9
        li a0, 0x1fff
        vsm.v v0, (a0)
        vlm.v v15, (a0)
        li a1, 0x2000
        lbu a3, 0(a1)
        CHECK 13, a3, 9

        # A fault-only-first load ends before the absent page 3; its first element must be there.
        vsetivli zero, 16, e8, m1, ta, ma
        li a0, 0x2ffb
        vle8ff.v v8, (a0)
        csrr a1, vl
        CHECK 14, a1, 5
        vsetivli zero, 16, e8, m1, ta, ma
        EXPECT 15, 13, 0x3000, vle8ff.v v8, (s2)
        csrwi vstart, 0
        csrr a1, vl
        CHECK 16, a1, 16
        vsetivli zero, 4, e32, m1, ta, ma
        vmv.v.i v0, 2
        li a0, 0x2ffc
        vle32.v v8, (a0)                # the handler lets page 3 be read: executed again
        CHECK 17, s5, 1
        EXPECT 18, 15, 0x4000, vse32.v v8, (s2)
        csrwi vstart, 0
        li a0, 0x3ffc
        li a1, 4
        vlse32.v v9, (a0), a1
        EXPECT 19, 15, 0x4000, vse32.v v9, (a0), v0.t
        csrwi vstart, 0

        # What comes before the element at fault has happened, and vstart is its number.
        vid.v v8
        vadd.vi v8, v8, 9
        li a0, 0x2ff8
        li a1, 0x1010
        EXPECT 20, 15, 0x4008, vsse32.v v8, (a0), a1
        csrr a2, vstart
        CHECK 21, a2, 1
        csrwi vstart, 0
        lw a3, 0(a0)
        CHECK 22, a3, 9
        vmv.v.i v9, -1
        li a0, 0x4ff8
        EXPECT 23, 13, 0x5000, vle32.v v9, (a0)
        csrr a2, vstart
        CHECK 24, a2, 2
        csrwi vstart, 0
        vmv.x.s a2, v9
        li gp, 25
        li a3, -1
        beq a2, a3, fail
        vslidedown.vi v9, v9, 2
        vmv.x.s a2, v9
        CHECK 26, a2, -1
        vmv.v.i v0, 10                  # elements 1 and 3
        li a0, 0x4fec
        li a1, 8
        EXPECT 27, 13, 0x5004, vlse32.v v9, (a0), a1, v0.t
        csrr a2, vstart
        CHECK 28, a2, 3
        csrwi vstart, 0
        END

machine_handler:
        csrr t0, mtval
        li t1, 0x3000
        bne t0, t1, 1f
        li t1, 15
        beq gp, t1, 1f
        ENTRY leaves, 3, first, V|R|AD
        sfence.vma
        li s5, 1
        j 2f
1:      csrr t1, mcause
        bne t1, s1, fail
        bne t0, s2, fail
        csrr t0, mepc
        bne t0, s3, fail
        li s4, 1
        addi t0, t0, 4
        csrw mepc, t0
2:      mret
        .data
        .balign 4096
root:   .zero 4096
middle: .zero 4096
leaves: .zero 4096
first:  .zero 4096
second: .zero 4096
