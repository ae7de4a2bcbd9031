/*
 * libvirt's own client, asked for times: `client URI POOL VOLUME`, then on each line of its input
 *   VERB BYTES MILLISECONDS
 * with the VERB up or down. A number answers: nanoseconds from the call to the confirmed end. The bytes come from memory
 * that nobody fills and go nowhere.
 */
#include <inttypes.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static virConnectPtr conn;
static virStorageVolPtr volume;

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

static int source(virStreamPtr stream, char *data, size_t room, void *opaque)
{
    uint64_t *left = opaque;
    size_t n = room < *left ? room : *left;
    (void)stream;
    (void)data;
    *left -= n;
    return (int)n;
}

static int sink(virStreamPtr stream, const char *data, size_t length, void *opaque)
{
    uint64_t *left = opaque;
    (void)stream;
    (void)data;
    *left -= length;
    return (int)length;
}

static uint64_t transfer(int up, uint64_t bytes)
{
    uint64_t left = bytes, begin = now();
    virStreamPtr stream = virStreamNew(conn, 0);
    if (stream == NULL)
        fail("virStreamNew");
    if ((up ? virStorageVolUpload(volume, stream, 0, bytes, 0) : virStorageVolDownload(volume, stream, 0, bytes, 0)) < 0)
        fail("virStorageVolUpload or Download");
    if ((up ? virStreamSendAll(stream, source, &left) : virStreamRecvAll(stream, sink, &left)) < 0)
        fail("virStreamSendAll or RecvAll");
    if (virStreamFinish(stream) < 0)
        fail("virStreamFinish");
    virStreamFree(stream);
    if (left != 0) {
        fprintf(stderr, "%" PRIu64 " bytes are missing\n", left);
        exit(1);
    }
    return now() - begin;
}

int main(int argc, char **argv)
{
    char verb[16];
    uint64_t bytes;
    int ms;
    virStoragePoolPtr pool;
    if (argc != 4)
        return 2;
    conn = virConnectOpen(argv[1]);
    if (conn == NULL)
        fail("virConnectOpen");
    pool = virStoragePoolLookupByName(conn, argv[2]);
    if (pool == NULL)
        fail("virStoragePoolLookupByName");
    volume = virStorageVolLookupByName(pool, argv[3]);
    if (volume == NULL)
        fail("virStorageVolLookupByName");
    while (scanf("%15s %" SCNu64 " %d", verb, &bytes, &ms) == 3) {
        if (strcmp(verb, "up") != 0 && strcmp(verb, "down") != 0)
            return 2;
        printf("%" PRIu64 "\n", transfer(strcmp(verb, "up") == 0, bytes));
        fflush(stdout);
    }
    virStorageVolFree(volume);
    virStoragePoolFree(pool);
    virConnectClose(conn);
    return 0;
}
