# User and supervisor mode: what they may not touch, delegation, interrupts, returns.
        .include "environment.inc"
        PROGRAM 3
        la t0, handler          # the handler below replaces the common one
        csrw mtvec, t0
        li s0, 0                # exceptions seen, one digit of four bits each
        la a0, in_user
        csrw mepc, a0
        li a0, 3 << 11
        csrc mstatus, a0
        mret
        .option norvc
in_user:
        csrr a0, mscratch       # illegal: digit 2
        csrr a0, cycle          # not enabled: digit 2
        mret                    # digit 2
        wfi                     # digit 2
        ebreak                  # digit 3
        li a7, 1
        ecall                   # digit 8, back to machine mode
        CHECK 2, s0, 0x222238

        csrwi mcounteren, 7     # counters for supervisor mode
        li a0, 1 << 2           # illegal instructions go to supervisor mode
        csrw medeleg, a0
        csrr a1, medeleg
        CHECK 3, a1, 4
        la a0, supervisor_handler
        csrw stvec, a0
        la a0, in_supervisor
        csrw mepc, a0
        li a0, 3 << 11
        csrc mstatus, a0
        li a0, 1 << 11
        csrs mstatus, a0
        mret
in_supervisor:
        li s0, 0
        csrr a0, cycle
        csrr a0, mstatus        # handled here: digit 7
        sfence.vma
        csrr a0, sstatus
        csrw satp, zero
        ebreak                  # digit 3, by machine mode
        csrr a1, sstatus
        li a7, 1
        ecall                   # digit 9
        CHECK 4, s0, 0x739
        # Trapping of virtual memory and returns: illegal, to be seen by machine mode again.
        csrwi medeleg, 0
        li a0, 1 << 20 | 1 << 22 | 1 << 21
        csrs mstatus, a0
        la a0, 1f
        csrw mepc, a0
        li a0, 3 << 11
        csrc mstatus, a0
        li a0, 1 << 11
        csrs mstatus, a0
        mret
1:      li s0, 0
        sfence.vma
        csrr a0, satp
        sret
        wfi
        li a7, 1
        ecall
        CHECK 5, s0, 0x22229

        # A software interrupt, vectored; it is taken where it is enabled.
        li s0, 0
        la a0, vectors + 1
        csrw mtvec, a0
        csrwi mideleg, 0
        csrci mstatus, 8
        csrwi mip, 2
        csrwi mie, 2
        csrr a1, mip
        andi a1, a1, 2          # a timer may be pending as well
        CHECK 6, a1, 2
        CHECK 7, s0, 0
        csrsi mstatus, 8
        CHECK 8, s0, 1
        la a0, handler
        csrw mtvec, a0
        END

        .balign 4
vectors:
        .option push
        .option norvc
        j fail
        j interrupt
        .option pop
interrupt:
        csrr a1, mcause
        li a2, 1 << 63 | 1
        bne a1, a2, fail
        csrwi mip, 0
        addi s0, s0, 1
        mret

        .balign 4
handler:
        csrr t0, mcause
        li t1, 11
        beq t0, t1, report
        slli s0, s0, 4
        or s0, s0, t0
        csrr t1, mepc
        addi t1, t1, 4
        csrw mepc, t1
        li t2, 2
        beq t0, t2, 1f
        li t2, 3
        beq t0, t2, 1f
        li t1, 3 << 11          # after a call go on in machine mode
        csrs mstatus, t1
1:      mret

        .balign 4
supervisor_handler:
        slli s0, s0, 4
        ori s0, s0, 7
        csrr t1, sepc
        addi t1, t1, 4
        csrw sepc, t1
        sret
