/*
 * libvirt's own client, asked for times: `client URI`, then on each line of its input
 *   VERB UNITS MILLISECONDS
 * with the VERB serial, parallel (by UNITS threads on the one connection), latency or list (UNITS is how many domains
 * there must be). A line of numbers answers: nanoseconds of one call; for latency, of the median and of the slowest in
 * a hundred.
 */
#include <inttypes.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static virConnectPtr conn;

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, virGetLastErrorMessage());
    exit(1);
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void call(void)
{
    unsigned long version;
    if (virConnectGetLibVersion(conn, &version) < 0)
        fail("virConnectGetLibVersion");
}

static void list(int domains)
{
    virDomainPtr *all;
    int n = virConnectListAllDomains(conn, &all, 0);
    if (n < 0)
        fail("virConnectListAllDomains");
    if (n != domains) {
        fprintf(stderr, "%d domains instead of %d\n", n, domains);
        exit(1);
    }
    for (int i = 0; i < n; i++)
        virDomainFree(all[i]);
    free(all);
}

/* What each thread does, until the clock has passed `end`. */
struct work {
    uint64_t end;
    uint64_t calls;
};

static void *calls_until(void *opaque)
{
    struct work *work = opaque;
    do {
        for (int i = 0; i < 20; i++)
            call();
        work->calls += 20;
    } while (now() < work->end);
    return NULL;
}

static double parallel(int threads, uint64_t ns)
{
    pthread_t ids[threads];
    struct work works[threads];
    uint64_t begin = now(), calls = 0;
    for (int i = 0; i < threads; i++) {
        works[i] = (struct work){.end = begin + ns};
        if (pthread_create(&ids[i], NULL, calls_until, &works[i]) != 0)
            fail("pthread_create");
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        calls += works[i].calls;
    }
    return (double)(now() - begin) / (double)calls;
}

static double serial(uint64_t ns)
{
    uint64_t begin = now();
    struct work work = {.end = begin + ns};
    calls_until(&work);
    return (double)(now() - begin) / (double)work.calls;
}

static double lists(int domains, uint64_t ns)
{
    uint64_t begin = now(), took;
    int n = 0;
    do {
        list(domains);
        n++;
        took = now() - begin;
    } while (took < ns);
    return (double)took / n;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void latency(uint64_t ns)
{
    size_t room = 1 << 20, n = 0;
    uint64_t *took = malloc(room * sizeof(*took));
    uint64_t begin = now(), last = begin;
    if (took == NULL)
        exit(1);
    while (n < room && last - begin < ns) {
        call();
        uint64_t t = now();
        took[n++] = t - last;
        last = t;
    }
    qsort(took, n, sizeof(*took), ascending);
    printf("%" PRIu64 " %" PRIu64 "\n", took[n / 2], took[n * 99 / 100]);
    free(took);
}

int main(int argc, char **argv)
{
    char verb[16];
    int units, ms;
    if (argc != 2)
        return 2;
    conn = virConnectOpen(argv[1]);
    if (conn == NULL)
        fail("virConnectOpen");
    while (scanf("%15s %d %d", verb, &units, &ms) == 3) {
        uint64_t ns = (uint64_t)ms * 1000000u;
        if (strcmp(verb, "serial") == 0)
            printf("%f\n", serial(ns));
        else if (strcmp(verb, "parallel") == 0)
            printf("%f\n", parallel(units, ns));
        else if (strcmp(verb, "list") == 0)
            printf("%f\n", lists(units, ns));
        else if (strcmp(verb, "latency") == 0)
            latency(ns);
        else
            return 2;
        fflush(stdout);
    }
    virConnectClose(conn);
    return 0;
}
