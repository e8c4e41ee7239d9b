# Machine mode: control registers, and what every kind of exception leaves in them.
        .include "environment.inc"
        .option norvc
        PROGRAM 3
        csrr a0, misa
        srli a0, a0, 62
        CHECK 2, a0, 2
        csrr a0, mhartid
        CHECK 3, a0, 0
        li a0, -1
        csrw mscratch, a0
        csrrci a1, mscratch, 5
        CHECK 4, a1, -1
        csrr a1, mscratch
        CHECK 5, a1, -6
        csrwi minstret, 0
        csrr a1, minstret
        CHECK 6, a1, 0
        csrr a1, minstret
        CHECK 7, a1, 4          # csrr, and li, li, bne of the check
        csrw mepc, a0
        csrr a1, mepc
        CHECK 8, a1, -2
        csrr a1, satp
        CHECK 9, a1, 0
        li a0, 2 << 11          # mode 2 does not exist: MPP keeps its value
        csrr a1, mstatus
        csrs mstatus, a0
        csrr a2, mstatus
        srli a2, a2, 11
        andi a2, a2, 3
        xori a2, a2, 2
        beqz a2, fail

        EXPECT 20, 2, 0, unimp
        EXPECT 21, 2, 0, .word 0
        EXPECT 22, 2, 0, csrw mhartid, zero
        EXPECT 23, 2, 0, csrwi 0x744, 8
        EXPECT 24, 5, 0, lw a0, 0(zero)
        EXPECT 25, 5, 0x7fffffffffffffff, lb a0, 0(s2)
        EXPECT 26, 7, 0x7ffffffffffffff8, sd a0, 0(s2)
        EXPECT 27, 7, 1, sb a0, 1(zero)
        la s2, misplaced
        la a1, misplaced
        li gp, 28
        li s1, 6
        la s3, 7f
        li s4, 0
7:      amoadd.w a0, a0, (a1)
        beqz s4, fail
        li s1, 4
        la s3, 7f
        li s4, 0
7:      lr.d a0, (a1)
        beqz s4, fail
        li gp, 29
        la a0, 7f
        li s1, 3
        la s3, 7f
        la s2, 7f
        li s4, 0
7:      ebreak
        beqz s4, fail

        li gp, 30          # a jump to nowhere: mepc and mtval are the target
        li s1, 1
        li s2, 0x7000
        li s3, 0x7000
        li s4, 0
        la s5, 8f
        jalr ra, 0(s2)
8:      beqz s4, fail

        # With mstatus.FS off float instructions and CSRs are illegal, and have no effect.
        li a0, 3 << 13
        csrc mstatus, a0
        EXPECT 31, 2, 0, fadd.s fa0, ft1, fa0, dyn
        EXPECT 32, 2, 0, csrr a0, fflags
        la a1, word
        EXPECT 33, 2, 0, fsw fa0, 0(a1)
        lw a0, 0(a1)
        CHECK 34, a0, 0x77
        li a0, 3 << 13
        csrs mstatus, a0
        fsw fa0, 0(a1)
        csrr a0, mstatus
        srli a0, a0, 63
        CHECK 35, a0, 1
        li a0, 3 << 9
        csrc mstatus, a0
        EXPECT 36, 2, 0, vsetivli zero, 4, e32, m1, tu, mu
        EXPECT 37, 2, 0, csrr a0, vlenb
        li a0, 3 << 9
        csrs mstatus, a0

        # A reserved rounding mode makes dynamic rounding illegal, not static rounding.
        csrwi frm, 5
        EXPECT 38, 2, 0, fadd.s fa0, ft1, fa0, dyn
        fadd.s fa0, ft1, fa0, rtz
        csrwi frm, 0
        csrwi mscratch, 0

        # Faults in the middle of straight code: what came before counts, what follows doesn't.
        li a0, 1
        li gp, 40
        li s1, 5
        li s2, 8
        la s3, 7f
        li s4, 0
        li a2, 0
        addi a0, a0, 1
        li a2, 5
7:      ld a0, 8(zero)
        addi a2, a2, 1
        CHECK 41, a0, 2
        CHECK 42, a2, 6
        END

        .balign 4
machine_handler:
        csrr t0, mcause
        bne t0, s1, fail
        li t1, 2
        bne t0, t1, 1f
        lhu s2, 0(s3)           # an illegal instruction's word is its mtval
        lhu t1, 2(s3)
        slli t1, t1, 16
        or s2, s2, t1
1:      csrr t0, mtval
        bne t0, s2, fail
        csrr t0, mepc
        bne t0, s3, fail
        li s4, 1
        li t1, 1
        beq s1, t1, 2f
        addi t0, t0, 4
        csrw mepc, t0
        mret
2:      csrw mepc, s5
        mret
        .data
        .balign 64
        .byte 0
misplaced: .byte 1, 2, 3, 4
        .balign 8
word:   .word 0x77
