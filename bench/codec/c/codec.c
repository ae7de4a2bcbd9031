/*
 * Times rpcgen's code over libtirpc as libvirt uses it: XDR in memory, into a buffer that is there, and back with
 * xdr_free.
 *
 *   codec TYPE check FILE OUT       decodes FILE, encodes it again to OUT
 *   codec TYPE encode|decode FILE MS   prints nanoseconds per operation: the median of several stretches by the
 *                                      clock on the wall, and processor time
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "netmessage.h"
#include "remote.h"

#define TYPE(name) { #name, (xdrproc_t)xdr_##name, sizeof(name) },
static const struct type {
    const char *name;
    xdrproc_t proc;
    size_t size;
} types[] = {
#include "types.inc"
};

enum { STRETCHES = 5 };

static char *bytes, *out;
static u_int length;
static void *value;
static const struct type *type;

static void die(const char *what)
{
    fprintf(stderr, "codec: %s: %s\n", type ? type->name : "", what);
    exit(1);
}

static void decode(void)
{
    XDR x;
    memset(value, 0, type->size);
    xdrmem_create(&x, bytes, length, XDR_DECODE);
    if (!type->proc(&x, value))
        die("does not decode");
    xdr_destroy(&x);
}

static void decode_and_free(void)
{
    decode();
    xdr_free(type->proc, value);
}

static u_int encode(void)
{
    XDR x;
    u_int end;
    xdrmem_create(&x, out, length, XDR_ENCODE);
    if (!type->proc(&x, value))
        die("does not encode");
    end = xdr_getpos(&x);
    xdr_destroy(&x);
    return end;
}

static void encode_only(void)
{
    encode();
}

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static double stretch(void (*run)(void), long count)
{
    double began = now(CLOCK_MONOTONIC);
    for (long i = 0; i < count; i++)
        run();
    return now(CLOCK_MONOTONIC) - began;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        die("TYPE check|encode|decode FILE OUT|MS");
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (strcmp(types[i].name, argv[1]) == 0)
            type = &types[i];
    if (!type)
        die("unknown type");

    FILE *file = fopen(argv[3], "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        die("cannot read");
    length = ftell(file);
    rewind(file);
    bytes = malloc(length);
    out = malloc(length);
    value = malloc(type->size);
    if (!bytes || !out || !value || fread(bytes, 1, length, file) != length)
        die("cannot read");
    fclose(file);

    int decoding = strcmp(argv[2], "decode") == 0;
    if (!decoding)
        decode();
    if (strcmp(argv[2], "check") == 0) {
        file = fopen(argv[4], "wb");
        u_int end = encode();
        if (!file || fwrite(out, 1, end, file) != end || fclose(file) != 0)
            die("cannot write");
        return 0;
    }

    void (*run)(void) = decoding ? decode_and_free : encode_only;
    double part = atof(argv[4]) * 1e6 / STRETCHES, took;
    long count = 1;
    while ((took = stretch(run, count)) < part / 4)
        count *= 2;
    count = count * (part / took) + 1;
    double per[STRETCHES], cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < STRETCHES; i++)
        per[i] = stretch(run, count) / count;
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    qsort(per, STRETCHES, sizeof(*per), ascending);
    printf("%.3f %.3f\n", per[STRETCHES / 2], cpu / count / STRETCHES);
    return 0;
}
