# User mode: code written at run time, atomics.
        .include "environment.inc"
        PROGRAM 0
        la s0, code
        jalr s0
        CHECK 2, a0, 1
        la a1, other
        lw a1, 0(a1)
        sw a1, 0(s0)
        fence rw, rw
        fence.tso
        fence.i
        jalr s0
        CHECK 3, a0, 2
        la s1, word
        li a1, 5
        amoadd.d a0, a1, (s1)
        CHECK 4, a0, 10
        lr.d a0, (s1)
        CHECK 5, a0, 15
        sc.d a2, a1, (s1)
        CHECK 6, a2, 0
        sc.d a2, a1, (s1)
        CHECK 7, a2, 1
        lr.w.aq a0, (s1)
        li a1, 5
        sc.w.rl a2, a1, (s1)
        CHECK 9, a2, 0
        addi a3, s1, 8
        lr.d.aqrl a0, (s1)
        sc.d.aqrl a2, zero, (a3)        # another address: fails and stores nothing
        CHECK 10, a2, 1
        ld a0, 0(a3)
        CHECK 11, a0, 0x77
        li a1, -3
        amominu.w a0, a1, (s1)
        amomax.w a0, a1, (s1)
        ld a0, 0(s1)
        CHECK 8, a0, 5
        END
        .balign 4
        .option norvc
code:   li a0, 1
        ret
        .data
        .balign 8
other:  .word 0x00200513 # li a0, 2
        .word 0
word:   .dword 10, 0x77
