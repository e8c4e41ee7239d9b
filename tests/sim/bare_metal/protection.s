# Physical memory protection: ranges of all kinds, for user mode's data and code, and locked ones.
        .include "environment.inc"
        .include "virtual_memory.inc"
        .equ READ, 1
        .equ WRITE, 2
        .equ EXECUTE, 4
        .equ RANGE, 1 << 3
        .equ FOUR, 2 << 3
        .equ POWER, 3 << 3
        .equ LOCKED, 1 << 7
.macro ADDRESS number, place:vararg
        la t0, \place
        srli t0, t0, 2
        csrw pmpaddr\number, t0
.endm
        # 2^n bytes from a place that is a multiple of as many.
.macro NATURAL number, place, bytes
        la t0, \place
        srli t0, t0, 2
        ori t0, t0, (\bytes) / 8 - 1
        csrw pmpaddr\number, t0
.endm
.macro CONFIGURE configs:vararg
        li t0, \configs
        csrw pmpcfg0, t0
        sfence.vma
.endm
        # Machine mode's data accesses as user mode's.
.macro USER_DATA
        li t0, 3 << 11
        csrc mstatus, t0
        li t0, MPRV
        csrs mstatus, t0
.endm
.macro MACHINE_DATA
        li t0, MPRV
        csrc mstatus, t0
.endm
.macro REFUSED n, code, instruction:vararg
        USER_DATA
        li gp, \n
        li s1, \code
        li s4, 0
        la s3, 7f
7:      \instruction
        beqz s4, fail
.endm
        .option norvc
        PROGRAM 3
        li a0, -1
        csrw pmpaddr3, a0
        csrr a1, pmpaddr3
        CHECK 2, a1, (1 << 54) - 1
        la s2, data
        la s6, data + 64

        # Entry 0: 64 bytes that can only be read; entry 3: all of memory.
        NATURAL 0, data, 64
        CONFIGURE (POWER | READ) | (POWER | 7) << 24
        USER_DATA
        ld a0, 8(s2)
        CHECK 3, a0, 0x1817161514131211
        sd a0, 64(s2)
        REFUSED 4, 7, sd a0, 0(s2)
        REFUSED 5, 7, amoor.d a0, zero, (s2)
        vsetivli zero, 4, e32, m1, ta, ma
        USER_DATA
        vle32.v v8, (s2)
        REFUSED 6, 7, vse32.v v8, (s2)
        csrwi vstart, 0

        # Entry 0 denies 4 bytes; an access that is partly among them fails as well.
        ADDRESS 0, data + 8
        CONFIGURE FOUR | (POWER | 7) << 24
        USER_DATA
        lw a0, 12(s2)
        CHECK 7, a0, 0x18171615
        addi s2, s2, 8
        REFUSED 8, 5, lb a0, 0(s2)
        REFUSED 9, 5, ld a0, 0(s2)
        addi s2, s2, -8
        MACHINE_DATA
        lw a0, 8(s2)                    # machine mode is free, if not for such an access
        CHECK 10, a0, 0x14131211
        addi s2, s2, 8
        li s1, 5
        la s3, 1f
        li s4, 0
1:      ld a0, 0(s2)
        beqz s4, fail
        addi s2, s2, -8

        # Entries 0 and 1: a range from data + 16 to data + 32 for execution only.
        ADDRESS 0, data + 16
        ADDRESS 1, data + 32
        CONFIGURE (RANGE | EXECUTE) << 8 | (POWER | 7) << 24
        USER_DATA
        ld a0, 8(s2)
        ld a0, 32(s2)
        addi s2, s2, 24
        REFUSED 11, 5, ld a0, 0(s2)
        addi s2, s2, -24

        # Without an entry that fits, only machine mode has access.
        MACHINE_DATA
        CONFIGURE 0
        ld a0, 0(s2)
        REFUSED 12, 5, ld a0, 0(s2)
        MACHINE_DATA

        # User mode runs this program, but not the code at code.
        NATURAL 0, code, 64
        CONFIGURE (POWER | READ | WRITE) | (POWER | 7) << 24
        ENTER 0, user
user:   la s2, code
        li gp, 13
        li s1, 1
        la s3, code
        li s4, 0
        la s5, 1f
        jalr ra, s2
1:      beqz s4, fail
        CONFIGURE (POWER | EXECUTE) | (POWER | 7) << 24
        ENTER 0, again
again:  la s2, code
        jalr ra, s2
        CHECK 14, a0, 41
        li gp, 15
        li s1, 5
        la s3, 1f
        la s5, 2f
        li s4, 0
1:      lw a0, 0(s2)
2:      beqz s4, fail

        # Page tables are read as supervisor mode reads: behind a protected one nothing is found.
        NATURAL 0, root, 4096
        CONFIGURE POWER | (POWER | 7) << 24
        ENTRY root, 2, 0x80000000, V|R|W|X|AD
        TRANSLATE root
        SUPERVISOR_DATA
        la s2, data
        li gp, 16
        li s1, 7
        la s3, 1f
        li s4, 0
1:      sw a0, 0(s2)
        beqz s4, fail
        csrw satp, zero
        MACHINE_DATA

        # Locked entries bind machine mode too, and neither they nor the range's start can change.
        ADDRESS 1, data + 64
        ADDRESS 2, data + 128
        li t0, (LOCKED | RANGE | READ) << 16 | (POWER | 7) << 24
        csrw pmpcfg0, t0
        addi s2, s2, 64
        ld a0, 0(s2)
        li gp, 17
        li s1, 7
        la s3, 1f
        li s4, 0
1:      sd a0, 0(s2)
        beqz s4, fail
        csrw pmpaddr1, zero
        csrw pmpaddr2, zero
        csrw pmpcfg0, zero
        csrr a0, pmpcfg0
        CHECK 18, a0, (LOCKED | RANGE | READ) << 16
        csrr a0, pmpaddr1
        la a1, data + 64
        srli a1, a1, 2
        li gp, 19
        bne a0, a1, fail
        li gp, 20
        la s3, 1f
        li s4, 0
1:      sd a0, 0(s2)
        beqz s4, fail
        li t0, (POWER | 7) << 24
        csrw pmpcfg0, t0
        END

        # Goes on behind the instruction at fault, or at s5 in machine mode.
machine_handler:
        csrr t0, mcause
        bne t0, s1, fail
        csrr t0, mtval
        bne t0, s2, fail
        csrr t0, mepc
        bne t0, s3, fail
        li s4, 1
        addi t0, t0, 4
        beqz s5, 1f
        mv t0, s5
        li s5, 0
        li t1, 3 << 11
        csrs mstatus, t1
1:      csrw mepc, t0
        mret
        .data
        .balign 4096
root:   .zero 4096
data:   .dword 0x0807060504030201, 0x1817161514131211, 3, 4, 5, 6, 7, 8
        .zero 64
code:   li a0, 41
        ret
        .balign 64
