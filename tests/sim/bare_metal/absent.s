# Machine mode: what is reserved, absent or read-only traps or keeps its value; counters count.
        .include "environment.inc"
        .option norvc
        PROGRAM 3
        # Instructions of extensions that this hart lacks, and reserved words.
        EXPECT 2, 2, 0, .insn i 0x0f, 2, x0, a0, 4      # cbo.zero (a0)
        EXPECT 3, 2, 0, .insn r 0x33, 1, 5, a0, a0, a0  # clmul
        EXPECT 4, 2, 0, .insn r 0x73, 4, 0x30, x0, a0, x0       # hlv.b
        EXPECT 5, 2, 0, .word 0x7b200073                # dret
        EXPECT 6, 2, 0, .word 0xffffffff
        EXPECT 7, 2, 0, .insn r 0x53, 5, 0, fa0, fa0, fa0       # a reserved rounding mode
        EXPECT 8, 2, 0, .insn i 0x03, 7, a0, 0(a0)      # a load of no width
        EXPECT 9, 2, 0, .insn r 0x57, 2, 0x2d, x1, x2, x3       # a reserved vector word
        # Control registers that don't exist or can't be written.
        EXPECT 10, 2, 0, csrr a0, 0x5c0
        EXPECT 11, 2, 0, csrr a0, 0x600                 # hstatus
        EXPECT 12, 2, 0, csrr a0, 0x7b0                 # dcsr
        EXPECT 13, 2, 0, csrrw a0, 0x3a1, zero          # pmpcfg1 is RV32's
        EXPECT 14, 2, 0, csrw cycle, zero
        EXPECT 15, 2, 0, csrsi instret, 1
        EXPECT 16, 2, 0, csrw vl, zero
        EXPECT 17, 2, 0, csrw vtype, zero
        EXPECT 18, 2, 0, csrw vlenb, zero
        csrrs a0, cycle, zero                           # reads only
        csrrci a0, vl, 0
        csrr a0, misa
        li a1, 1 << 3
        csrc misa, a1
        csrw misa, a0
        csrr a2, misa
        li gp, 19
        bne a0, a2, fail
        # Counters go up, also those that are written.
        csrw mcycle, zero
        csrr a0, mcycle
        div a1, a0, a0
        add a1, a1, a1
        csrr a1, mcycle
        li gp, 20
        bgeu a0, a1, fail
        csrwi minstret, 5
        csrr a0, instret
        CHECK 21, a0, 5
        csrr a0, mhpmcounter3
        csrr a0, mhpmevent31
        csrw mhpmcounter3, zero

        # vill: what depends on vtype is illegal, whole registers and configuration are not.
        vsetvli a0, zero, e64, mf8, ta, ma
        CHECK 30, a0, 0
        csrr a0, vtype
        CHECK 31, a0, 1 << 63
        csrr a0, vl
        CHECK 32, a0, 0
        EXPECT 33, 2, 0, vadd.vv v1, v2, v3
        EXPECT 34, 2, 0, vmv.x.s a0, v1
        EXPECT 35, 2, 0, vle8.v v1, (sp)
        la a0, word
        vl1re8.v v1, (a0)
        vs1r.v v1, (a0)
        vsetivli a0, 3, e16, m2, ta, ma
        CHECK 36, a0, 3
        # Registers of a group that isn't aligned, overlaps, a masked write to the mask.
        EXPECT 37, 2, 0, .insn r 0x57, 0, 1, x1, x2, x4         # vadd.vv v1, v4, v2
        EXPECT 38, 2, 0, .insn r 0x57, 0, 0, x0, x2, x4         # vadd.vv v0, v4, v2, v0.t
        EXPECT 39, 2, 0, .insn r 0x57, 2, 0x61, x4, x2, x4      # vwaddu.vv v4, v4, v2
        # A vl of zero: nothing is written, but vmv.x.s still reads.
        li a1, 0x1234
        vmv.s.x v2, a1
        vsetivli a0, 0, e16, m1, ta, ma
        vmv.v.i v2, 1
        vmv.x.s a0, v2
        CHECK 40, a0, 0x1234
        # Keeping vl needs the same ratio; vsetvl with x0, x0 keeps it.
        vsetivli zero, 3, e16, m1, ta, ma
        vsetvli zero, zero, e32, m2, ta, ma
        csrr a0, vl
        CHECK 41, a0, 3
        li a0, -1
        vsetvli a0, a0, e8, m1, ta, ma
        csrr a1, vlenb
        li gp, 42
        bne a0, a1, fail
        csrwi vstart, 2
        vsetivli zero, 1, e8, m1, ta, ma
        csrr a0, vstart
        CHECK 43, a0, 0
        csrwi vxrm, 7
        csrr a0, vxrm
        CHECK 44, a0, 3
        csrwi vcsr, 7
        csrr a0, vxsat
        CHECK 45, a0, 1
        # Wide control registers keep what can be written of them.
        li a0, -1
        csrw frm, a0
        csrr a0, frm
        CHECK 46, a0, 7
        csrw fflags, a0
        csrr a0, fcsr
        CHECK 47, a0, 0xe7
        csrw fcsr, zero
        END

        .balign 4
machine_handler:
        csrr t0, mcause
        bne t0, s1, fail
        csrr t0, mepc
        bne t0, s3, fail
        li s4, 1
        addi t0, t0, 4
        csrw mepc, t0
        mret
        .data
        .balign 64
word:   .zero 1024
