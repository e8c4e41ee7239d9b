/* Calls each function of the kernel table on five buffers and writes what it left in them. */
#define BUFFER 66560
#define BUFFERS 5

typedef void kernel(void *, void *, void *, void *, void *, float);
extern kernel *const table[];

static unsigned char pristine[BUFFERS][BUFFER] __attribute__((aligned(64)));
static unsigned char buffers[BUFFERS][BUFFER] __attribute__((aligned(64)));

static long system_call(long number, long a, const void *b, long c) {
  register long a0 __asm__("a0") = a;
  register const void *a1 __asm__("a1") = b;
  register long a2 __asm__("a2") = c;
  register long a7 __asm__("a7") = number;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}

void *memcpy(void *target, const void *source, unsigned long size) {
  for (unsigned long i = 0; i < size; i++) ((char *)target)[i] = ((const char *)source)[i];
  return target;
}

void *memset(void *target, int value, unsigned long size) {
  for (unsigned long i = 0; i < size; i++) ((char *)target)[i] = value;
  return target;
}

/* Floats between -2 and 2 with a few bits of fraction; as bytes and integers they vary as well. */
static void fill(void) {
  unsigned long state = 88172645463325252ul;
  for (int b = 0; b < BUFFERS; b++) {
    float *numbers = (float *)pristine[b];
    for (int i = 0; i < BUFFER / 4; i++) {
      state ^= state << 13, state ^= state >> 7, state ^= state << 17;
      numbers[i] = (float)((int)(state >> 40) - (1 << 23)) * 0x1p-22f;
    }
  }
}

void _start(void) {
  fill();
  for (int k = 0; table[k]; k++) {
    memcpy(buffers, pristine, sizeof buffers);
    table[k](buffers[0], buffers[1], buffers[2], buffers[3], buffers[4], 1.75f);
    system_call(64, 1, buffers, sizeof buffers);
  }
  system_call(93, 0, 0, 0);
}
