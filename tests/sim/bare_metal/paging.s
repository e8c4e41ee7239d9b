# Virtual memory (Sv39): translation of data and code, permissions, and what a page fault leaves.
        .include "environment.inc"
        .include "virtual_memory.inc"
        .option norvc
        PROGRAM 3
        # 0: small pages; 2: this program as one page of 1 GiB, where it lies.
        ENTRY root, 2, 0x80000000, V|R|W|X|AD
        ENTRY root, 0, middle, V
        ENTRY root, 1, 0x80001000, V|R|W|AD     # its address is no multiple of 1 GiB
        ENTRY middle, 0, leaves, V
        ENTRY leaves, 1, first, V|R|W|AD
        ENTRY leaves, 2, second, V|R|W|AD
        ENTRY leaves, 3, first, V|R|W|AD        # the first page again
        ENTRY leaves, 4, first, V|R|W|U|AD
        ENTRY leaves, 5, first, V|R|AD
        ENTRY leaves, 6, first, V|X|AD
        ENTRY leaves, 7, first, V|R|W|ACCESSED  # not dirty
        ENTRY leaves, 8, first, V|R|W           # not accessed
        ENTRY leaves, 9, first, V|W|AD          # reserved
        ENTRY leaves, 10, code, V|R|X|U|AD
        ENTRY leaves, 11, code, V|R|X|AD
        ENTRY leaves, 12, first, V|R|W|AD|1 << 54
        la t0, root
        srli t0, t0, 12
        li t1, SATP
        or t0, t0, t1
        csrw satp, t0
        csrr t1, satp
        li gp, 2
        bne t0, t1, fail
        li t2, 5 << 60          # this mode does not exist: nothing changes
        csrw satp, t2
        csrr t1, satp
        li gp, 3
        bne t0, t1, fail
        sfence.vma

        # Machine mode itself has no virtual memory; with MPRV its data has supervisor mode's.
        la a0, first
        li a1, 0x1122334455667788
        sd a1, 0(a0)
        SUPERVISOR_DATA
        li a2, 0x1000
        ld a3, 0(a2)
        CHECK 4, a3, 0x1122334455667788
        li a4, 0x3000
        lw a3, 4(a4)
        CHECK 5, a3, 0x11223344
        li a5, -3
        sb a5, 1(a4)
        lhu a3, 0(a2)
        CHECK 6, a3, 0xfd88
        amoadd.w a3, a5, (a2)
        CHECK 7, a3, 0x5566fd88
        lr.d a3, (a4)
        sc.d a6, a1, (a4)
        CHECK 8, a6, 0
        ld a3, 0(a2)
        CHECK 9, a3, 0x1122334455667788
        fld f1, 0(a4)
        fsd f1, 8(a2)
        ld a3, 8(a4)
        CHECK 10, a3, 0x1122334455667788
        DATA_EXPECT 20, 13, 0x0, lb a0, 0(s2)
        DATA_EXPECT 21, 15, 0x5008, sd a0, 0(s2)
        DATA_EXPECT 22, 13, 0x6000, lw a0, 0(s2)
        DATA_EXPECT 23, 13, 0x4000, lw a0, 0(s2)
        DATA_EXPECT 24, 15, 0x9000, sw a0, 0(s2)
        DATA_EXPECT 25, 13, 0x40000000, ld a0, 0(s2)
        DATA_EXPECT 26, 13, 0x4000000000, ld a0, 0(s2)
        DATA_EXPECT 27, 13, 0xc000, lb a0, 0(s2)
        DATA_EXPECT 28, 15, 0x5000, amoor.w a0, zero, (s2)
        DATA_EXPECT 32, 15, 0x7000, sw a0, 0(s2)
        DATA_EXPECT 33, 13, 0x8000, lw a0, 0(s2)
        SUPERVISOR_DATA
        li a7, 0x7000
        lw a3, 0(a7)
        CHECK 34, a3, 0x55667788
        li a7, 0x5000
        lw a3, 0(a7)
        CHECK 29, a3, 0x55667788
        li t0, SUM | MXR
        csrs mstatus, t0
        li a7, 0x4000
        lw a3, 0(a7)
        CHECK 30, a3, 0x55667788
        li a7, 0x6000
        lw a3, 4(a7)
        CHECK 31, a3, 0x11223344
        li t0, MPRV | SUM | MXR
        csrc mstatus, t0

        # Supervisor mode runs here, and at another address.
        ENTER 1, supervisor
supervisor:
        li t1, 0xb000
        jalr ra, t1, 0
        CHECK 40, a0, 41
        li t1, 0x1010
        li t0, 77
        sd t0, 0(t1)
        li t1, 0x3010
        ld t0, 0(t1)
        CHECK 41, t0, 77
        la s5, 1f
        EXPECT 42, 12, 0xa000, jalr ra, s2, 0
1:      la s5, 1f
        EXPECT 43, 12, 0x1000, jalr ra, s2, 0
1:      # A page is another one after the entry has changed and a fence.
        li t0, 55
        la t1, second
        sd t0, 16(t1)
        ENTRY leaves, 3, second, V|R|W|AD
        sfence.vma
        li t1, 0x3010
        ld t0, 0(t1)
        CHECK 44, t0, 55
        # New code at an old address.
        la t0, code
        li t1, 0x02b00513       # li a0, 43
        sw t1, 0(t0)
        fence.i
        li t1, 0xb000
        jalr ra, t1, 0
        CHECK 45, a0, 43
        # User mode runs user pages; the return to this page is a page fault.
        li gp, 46
        li s1, 12
        la s2, 2f
        mv ra, s2
        la s5, 3f
        li a0, 0
        li t0, 0xa000
        csrw sepc, t0
        li t0, 1 << 8
        csrc sstatus, t0
        sret
2:      j fail
3:      CHECK 47, a0, 43
        END

machine_handler:
        csrr t0, mcause
        bne t0, s1, fail
        csrr t0, mtval
        bne t0, s2, fail
        li s4, 1
        csrr t0, mepc
        li t1, 12
        beq s1, t1, 2f
        bne t0, s3, fail
        addi t0, t0, 4
        csrw mepc, t0
        mret
2:      bne t0, s2, fail
        csrw mepc, s5
        li t0, 1 << 11
        csrs mstatus, t0        # back to supervisor mode
        mret
        .data
        .balign 4096
root:   .zero 4096
middle: .zero 4096
leaves: .zero 4096
first:  .zero 4096
second: .zero 4096
code:   li a0, 41
        ret
        .zero 4096
