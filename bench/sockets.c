/* What it takes to receive and send packets, and nothing else: 172 octets a stream and 20 ms, both ways.
 *
 *   sockets peers COUNT SECONDS   the other side: a socket per stream, each of which sends
 *   sockets own COUNT SECONDS     a socket per stream: recvfrom and sendto for each packet
 *   sockets shared COUNT SECONDS  one socket for all, 64 packets a call: recvmmsg, a look-up of the sender's port,
 *                                 sendmmsg
 *
 * Each prints its ports, a line a stream, and reads where the streams of the other side are from stdin. Streams
 * are divided into four phases, 5 ms apart. At the end: {"cpu_seconds": ..., "received": ..., "sent": ...}.
 * Linux only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define MOST 4096
#define PACKET 172
#define BATCH 64
#define PHASES 4
#define STEP_NS 5000000LL

static int sockets[MOST], by_port[65536], count;
static struct sockaddr_in peers[MOST];
static unsigned char heard[MOST][PACKET], packet[PACKET];
static long received, sent;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void sleep_until(int64_t at) {
    struct timespec t = {at / 1000000000LL, at % 1000000000LL};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
    }
}

static double cpu_seconds(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static int open_socket(void) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), room = 4 << 20;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof here)) exit((perror("a socket"), 1));
    return fd;
}

static int port_of(int fd) {
    struct sockaddr_in here;
    socklen_t length = sizeof here;
    getsockname(fd, (struct sockaddr *)&here, &length);
    return ntohs(here.sin_port);
}

static void meet(void) {
    for (int i = 0; i < count; i++) printf("%d\n", port_of(sockets[i]));
    fflush(stdout);
    for (int i = 0, port; i < count && scanf("%d", &port) == 1; i++) {
        peers[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        peers[i].sin_port = htons(port);
        by_port[port] = i;
    }
}

static void own(int phase) {
    struct sockaddr_in from;
    for (int i = phase; i < count; i += PHASES) {
        socklen_t length = sizeof from;
        while (recvfrom(sockets[i], heard[i], PACKET, 0, (struct sockaddr *)&from, &length) > 0) received++;
        sent += sendto(sockets[i], packet, PACKET, 0, (struct sockaddr *)&peers[i], sizeof peers[i]) == PACKET;
    }
}

static void shared(int phase) {
    static unsigned char data[BATCH][PACKET];
    static struct sockaddr_in from[BATCH];
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    int there;
    do {
        memset(messages, 0, sizeof messages);
        for (int i = 0; i < BATCH; i++) {
            parts[i] = (struct iovec){data[i], PACKET};
            messages[i].msg_hdr = (struct msghdr){&from[i], sizeof from[i], &parts[i], 1, NULL, 0, 0};
        }
        there = recvmmsg(sockets[0], messages, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < there; i++) memcpy(heard[by_port[ntohs(from[i].sin_port)]], data[i], PACKET);
        if (there > 0) received += there;
    } while (there == BATCH);
    for (int i = phase; i < count;) {
        int filled = 0;
        struct iovec part = {packet, PACKET};
        memset(messages, 0, sizeof messages);
        for (; filled < BATCH && i < count; i += PHASES, filled++)
            messages[filled].msg_hdr = (struct msghdr){&peers[i], sizeof peers[i], &part, 1, NULL, 0, 0};
        int gone = sendmmsg(sockets[0], messages, filled, 0);
        if (gone > 0) sent += gone;
    }
}

int main(int argc, char **argv) {
    int is_shared = argc == 4 && !strcmp(argv[1], "shared");
    if (argc != 4 || (!is_shared && strcmp(argv[1], "own") && strcmp(argv[1], "peers")))
        return fprintf(stderr, "usage: sockets peers|own|shared COUNT SECONDS\n"), 2;
    count = atoi(argv[2]) < MOST ? atoi(argv[2]) : MOST;
    int first = open_socket();
    for (int i = 0; i < count; i++) sockets[i] = is_shared || i == 0 ? first : open_socket();
    memset(packet, 0x55, sizeof packet);
    meet();
    double began = cpu_seconds();
    int64_t at = now_ns(), end = at + (int64_t)(atof(argv[3]) * 1e9);
    for (int phase = 0; at < end; phase = (phase + 1) % PHASES, at += STEP_NS) {
        sleep_until(at);
        if (is_shared) shared(phase); else own(phase);
    }
    printf("{\"cpu_seconds\": %.4f, \"received\": %ld, \"sent\": %ld}\n", cpu_seconds() - began, received, sent);
    return 0;
}
