/* The far ends of many RTP legs, cheap enough not to be the limit of what is measured.
 *
 *   rtp_load far  ADDRESS SECONDS SPEECH < ports  one G.711 packet per leg and 20 ms to each port, from one
 *                                             socket, in which somebody speaks for that share of the time (0 to
 *                                             1); prints how punctual the packets that come back are
 *   rtp_load live ADDRESS                     the same for legs that come one by one: "add PORT" on stdin begins
 *                                             one, "bridged PORT TYPE" one that is bridged with another such, with
 *                                             its payload type (0 or 8); "measure SECONDS" counts what comes from
 *                                             then on, reports, ends
 *   rtp_load pairs ADDRESS SECONDS PAIRS < ports  as far, but the first 2 * PAIRS legs are bridged two and two; the
 *                                             first two seconds do not count
 *   rtp_load echo ADDRESS                     sends every packet back where it came from, until stdin ends
 *   rtp_load loop ADDRESS LEGS SECONDS  the bare minimum of a server to compare with: a socket per leg, and
 *                                             each 5 ms a quarter of them receives and sends one packet each
 *
 * But for `far` the ends speak all the time.
 *
 * Arrival times are the kernel's, so a late read here is not mistaken for a late packet. A leg's schedule is its
 * own: the median of (arrival - RTP timestamp); a packet is punctual within 5 ms of it. The packets of bridged
 * legs carry the time at which each was sent, so that the delay that the server adds is known. Linux only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "rtp_stamp.h"

#define MAX_LEGS 4096
#define FRAME_NS 20000000LL
#define SLICE_NS 1000000LL
#define PACKET 172
#define BATCH 64
#define CYCLE 16000 /* samples of sound until it begins again */

struct leg {
    struct sockaddr_in to;
    int type, bridged;
    uint16_t sequence;
    uint32_t timestamp;
    int64_t *deviation; /* ns, by packet */
    int received, capacity;
    uint32_t last; /* timestamp received */
    int64_t passed;       /* since the first, in samples */
};

static struct leg legs[MAX_LEGS];
static int64_t *delays;    /* ns, of packets from leg to leg */
static long delay_count, delay_capacity, sent_count;
static int64_t count_from = INT64_MAX; /* CLOCK_REALTIME */
static int64_t latest;     /* ns behind its schedule that this program was at its worst */
static int by_port[65536];
static int leg_count;
static unsigned char audio[2][CYCLE]; /* by law */

static int64_t now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void sleep_until(int64_t at) {
    struct timespec t = {at / 1000000000LL, at % 1000000000LL};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
    }
}

/* Something like talk: harmonics under an envelope that rises and falls, but never to where nobody would look
 * for a key in it. Where nobody speaks there is a line's noise, -60 dBm0: a telephone is never digitally silent. */
static void make_audio(double speech) {
    uint32_t noise = 1;
    for (int i = 0; i < CYCLE; i++) {
        double t = i / 8000.0, envelope = 0.65 - 0.35 * cos(2 * M_PI * t), value = 0;
        for (int h = 1; h < 12; h++) value += sin(2 * M_PI * 140 * h * t + h) / h;
        noise = noise * 1664525 + 1013904223;
        int sample = i < speech * CYCLE ? (int)(3000 * envelope * value) : (int)(noise >> 16) % 57 - 28;
        audio[0][i] = ulaw(sample);
        audio[1][i] = alaw(sample);
    }
}

static void fill(unsigned char *packet, struct leg *leg, int number) {
    packet[0] = 0x80;
    packet[1] = leg->type;
    packet[2] = leg->sequence >> 8;
    packet[3] = leg->sequence & 255;
    uint32_t timestamp = htonl(leg->timestamp), ssrc = htonl(0x10000 + number);
    memcpy(packet + 4, &timestamp, 4);
    memcpy(packet + 8, &ssrc, 4);
    memcpy(packet + 12, audio[leg->type == PCMA] + (leg->timestamp + number * 160) % CYCLE, 160);
    leg->sequence++;
    leg->timestamp += 160;
}

static void note(struct leg *leg, const unsigned char *packet, int64_t arrival) {
    uint32_t timestamp;
    memcpy(&timestamp, packet + 4, 4);
    timestamp = ntohl(timestamp);
    if (leg->received == 0) leg->last = timestamp;
    leg->passed += (int32_t)(timestamp - leg->last);
    leg->last = timestamp;
    if (leg->received < leg->capacity) leg->deviation[leg->received++] = arrival - leg->passed * FRAME_NS / 160;
}

/* A packet of a partner's: how long the server had it. */
static void note_delay(const unsigned char *packet, int64_t arrival) {
    int64_t sent = read_stamp(packet + 12, packet[1] & 0x7f);
    if (sent >= count_from && arrival >= sent && arrival - sent < 1000000000LL && delay_count < delay_capacity)
        delays[delay_count++] = arrival - sent;
}

static void receive_all(int fd) {
    static unsigned char data[BATCH][2048];
    static struct sockaddr_in from[BATCH];
    static char control[BATCH][64];
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    for (;;) {
        for (int i = 0; i < BATCH; i++) {
            parts[i] = (struct iovec){data[i], sizeof data[i]};
            memset(&messages[i], 0, sizeof messages[i]);
            messages[i].msg_hdr.msg_iov = &parts[i];
            messages[i].msg_hdr.msg_iovlen = 1;
            messages[i].msg_hdr.msg_name = &from[i];
            messages[i].msg_hdr.msg_namelen = sizeof from[i];
            messages[i].msg_hdr.msg_control = control[i];
            messages[i].msg_hdr.msg_controllen = sizeof control[i];
        }
        int count = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
        if (count <= 0) return;
        for (int i = 0; i < count; i++) {
            int index = by_port[ntohs(from[i].sin_port)];
            struct cmsghdr *c = CMSG_FIRSTHDR(&messages[i].msg_hdr);
            if (index < 0 || !c || messages[i].msg_len < 12 || data[i][1] >= 192) continue;
            struct timespec t;
            memcpy(&t, CMSG_DATA(c), sizeof t);
            note(&legs[index], data[i], t.tv_sec * 1000000000LL + t.tv_nsec);
            if (legs[index].bridged && messages[i].msg_len == PACKET)
                note_delay(data[i], t.tv_sec * 1000000000LL + t.tv_nsec);
        }
    }
}

/* A bridged leg's packet, alone, so that it carries the time of its own sending. */
static void send_stamped(int fd, struct leg *leg, int number) {
    unsigned char packet[PACKET];
    fill(packet, leg, number);
    int64_t now = now_ns(CLOCK_REALTIME);
    write_stamp(packet + 12, leg->type, now);
    sendto(fd, packet, PACKET, 0, (struct sockaddr *)&leg->to, sizeof leg->to);
    sent_count += now >= count_from;
}

/* One packet of every twentieth leg. */
static void send_slice(int fd, int slice) {
    static unsigned char data[BATCH][PACKET];
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    int filled = 0;
    for (int i = slice; i < leg_count; i += 20) {
        if (legs[i].bridged) {
            send_stamped(fd, &legs[i], i);
            continue;
        }
        fill(data[filled], &legs[i], i);
        parts[filled] = (struct iovec){data[filled], PACKET};
        memset(&messages[filled], 0, sizeof messages[filled]);
        messages[filled].msg_hdr.msg_iov = &parts[filled];
        messages[filled].msg_hdr.msg_iovlen = 1;
        messages[filled].msg_hdr.msg_name = &legs[i].to;
        messages[filled].msg_hdr.msg_namelen = sizeof legs[i].to;
        if (++filled == BATCH) {
            sendmmsg(fd, messages, filled, 0);
            filled = 0;
        }
    }
    if (filled) sendmmsg(fd, messages, filled, 0);
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* How punctual the legs are that are not bridged, and then how long the packets of the others took.
 * `window`: seconds for which each leg must have been heard; 0 for as long as it was. */
static void report(double window) {
    long expected = 0, received = 0, punctual = 0, silent = 0;
    double worst = 1, largest = 0;
    for (int i = 0; i < leg_count; i++) {
        struct leg *leg = &legs[i];
        if (leg->bridged) continue;
        if (!leg->received) {
            silent++;
            worst = 0;
            continue;
        }
        int should = fmax((int)(leg->passed / 160) + 1, (int)(window * 50) - 1), good = 0;
        qsort(leg->deviation, leg->received, sizeof(int64_t), compare);
        int64_t median = leg->deviation[leg->received / 2];
        for (int k = 0; k < leg->received; k++) {
            double off = fabs((leg->deviation[k] - median) / 1e6);
            good += off <= 5.0;
            largest = fmax(largest, off);
        }
        expected += should;
        received += leg->received;
        punctual += good;
        worst = fmin(worst, (double)good / should);
    }
    printf("{\"expected\": %ld, \"received\": %ld, \"punctual\": %ld, \"silent_legs\": %ld, "
           "\"worst_leg\": %.5f, \"largest_deviation_ms\": %.2f, \"load_cpu_seconds\": %.3f, ",
           expected, received, punctual, silent, worst, largest, cpu_seconds());
    qsort(delays, delay_count, sizeof *delays, compare);
#define SHARE(p) (delay_count ? delays[(long)((delay_count - 1) * (p))] / 1e6 : 0.0)
    printf("\"relay\": {\"sent\": %ld, \"received\": %ld, \"delay_median_ms\": %.3f, \"delay_p99_ms\": %.3f, "
           "\"delay_max_ms\": %.3f, \"load_late_ms\": %.2f, \"load_cpu_seconds\": %.3f}}\n",
           sent_count, delay_count, SHARE(0.5), SHARE(0.99), SHARE(1.0), latest / 1e6, cpu_seconds());
}

/* The one socket of all far ends; its port is printed. Below 0: it cannot be had. */
static int open_socket(const char *address, struct sockaddr_in *local) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 8 << 20, on = 1;
    socklen_t length = sizeof *local;
    *local = (struct sockaddr_in){.sin_family = AF_INET};
    inet_pton(AF_INET, address, &local->sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)local, sizeof *local)) return perror("bind"), -1;
    getsockname(fd, (struct sockaddr *)local, &length);
    printf("%d\n", ntohs(local->sin_port));
    fflush(stdout);
    memset(by_port, -1, sizeof by_port);
    return fd;
}

static void add_leg(const struct sockaddr_in *local, int port, int type, int bridged, double seconds) {
    if (port <= 0 || port > 65535 || leg_count == MAX_LEGS) return;
    struct leg *leg = &legs[leg_count];
    leg->type = type;
    leg->bridged = bridged;
    leg->to = *local;
    leg->to.sin_port = htons(port);
    leg->capacity = (int)(seconds * 50) + 500;
    leg->deviation = calloc(leg->capacity, sizeof(int64_t));
    by_port[port] = leg_count++;
}

/* The next millisecond: send what is due, take what has come. */
static void step(int fd, int64_t at, int slice) {
    sleep_until(at);
    latest = fmax(latest, now_ns(CLOCK_MONOTONIC) - at);
    send_slice(fd, slice);
    receive_all(fd);
}

/* From a moment on, for so many seconds, the delays of packets count. */
static void count_delays(int64_t from, double seconds) {
    delay_capacity = (long)(leg_count * (seconds + 1) * 50);
    delays = calloc(delay_capacity + 1, sizeof *delays);
    count_from = from;
    latest = 0;
}

/* What is still under way. */
static void receive_rest(int fd) {
    for (int i = 0; i < 50; i++) {
        usleep(2000);
        receive_all(fd);
    }
}

/* All legs from the beginning on; the first `bridged` ones are. */
static int far_ends(const char *address, double seconds, int bridged) {
    struct sockaddr_in local;
    int fd = open_socket(address, &local), port;
    if (fd < 0) return 1;
    while (scanf("%d", &port) == 1)
        add_leg(&local, port, PCMU, leg_count < bridged, seconds);
    count_delays(now_ns(CLOCK_REALTIME) + 2000000000LL, seconds);
    int64_t at = now_ns(CLOCK_MONOTONIC), end = at + (int64_t)(seconds * 1e9);
    for (int slice = 0; at < end; slice = (slice + 1) % 20, at += SLICE_NS) step(fd, at, slice);
    receive_rest(fd);
    report(0);
    return 0;
}

/* What was packed into the socket's buffer before now does not count. */
static void begin_measuring(double seconds) {
    for (int i = 0; i < leg_count; i++) {
        struct leg *leg = &legs[i];
        leg->received = 0;
        leg->passed = 0;
        if ((int)(seconds * 50) + 500 > leg->capacity) {
            leg->capacity = (int)(seconds * 50) + 500;
            leg->deviation = realloc(leg->deviation, leg->capacity * sizeof(int64_t));
        }
    }
}

/* The next line of stdin if it is there, else NULL; `ended` at its end. */
static const char *next_line(int *ended) {
    static char line[64];
    static int filled;
    char byte;
    ssize_t size;
    while ((size = read(0, &byte, 1)) == 1) {
        if (byte == '\n') {
            line[filled] = 0;
            filled = 0;
            return line;
        }
        if (filled < (int)sizeof line - 1) line[filled++] = byte;
    }
    *ended = size == 0;
    return NULL;
}

static int live_ends(const char *address) {
    struct sockaddr_in local;
    int fd = open_socket(address, &local), ended = 0, port, type;
    double window = 0;
    const char *line;
    if (fd < 0) return 1;
    fcntl(0, F_SETFL, O_NONBLOCK);
    int64_t at = now_ns(CLOCK_MONOTONIC), end = INT64_MAX;
    for (int slice = 0; at < end; slice = (slice + 1) % 20, at += SLICE_NS) {
        step(fd, at, slice);
        while (!window && !ended && (line = next_line(&ended))) {
            if (sscanf(line, "add %d", &port) == 1) {
                add_leg(&local, port, PCMU, 0, 0);
            } else if (sscanf(line, "bridged %d %d", &port, &type) == 2) {
                add_leg(&local, port, type, 1, 0);
            } else if (sscanf(line, "measure %lf", &window) == 1) {
                begin_measuring(window);
                count_delays(now_ns(CLOCK_REALTIME), window);
                end = at + (int64_t)(window * 1e9);
            }
        }
        if (ended && !window) return 1;
    }
    receive_rest(fd);
    report(window);
    return 0;
}

static int echo(const char *address) {
    static unsigned char data[BATCH][2048];
    static struct sockaddr_in from[BATCH];
    struct sockaddr_in local;
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    int fd = open_socket(address, &local), ended = 0, count;
    if (fd < 0) return 1;
    fcntl(0, F_SETFL, O_NONBLOCK);
    for (int64_t at = now_ns(CLOCK_MONOTONIC); !ended; at += FRAME_NS / 4) {
        sleep_until(at);
        next_line(&ended);
        do {
            for (int i = 0; i < BATCH; i++) {
                parts[i] = (struct iovec){data[i], sizeof data[i]};
                memset(&messages[i], 0, sizeof messages[i]);
                messages[i].msg_hdr.msg_iov = &parts[i];
                messages[i].msg_hdr.msg_iovlen = 1;
                messages[i].msg_hdr.msg_name = &from[i];
                messages[i].msg_hdr.msg_namelen = sizeof from[i];
            }
            count = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
            for (int i = 0; i < count; i++) parts[i].iov_len = messages[i].msg_len;
            for (int sent = 0; sent < count;) {
                int more = sendmmsg(fd, messages + sent, count - sent, 0);
                sent += more > 0 ? more : 1; /* an ICMP error of an earlier packet */
            }
        } while (count == BATCH);
    }
    return 0;
}

static int bare_loop(const char *address, int count, double seconds) {
    static int fds[MAX_LEGS];
    static unsigned char data[2048];
    struct sockaddr_in local = {.sin_family = AF_INET}, from;
    inet_pton(AF_INET, address, &local.sin_addr);
    for (int i = 0; i < count; i++) {
        fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        local.sin_port = 0;
        if (bind(fds[i], (struct sockaddr *)&local, sizeof local)) return perror("bind"), 1;
        socklen_t length = sizeof local;
        getsockname(fds[i], (struct sockaddr *)&local, &length);
        printf("%d\n", ntohs(local.sin_port));
    }
    fflush(stdout);
    int64_t at = now_ns(CLOCK_MONOTONIC), end = at + (int64_t)(seconds * 1e9);
    for (int phase = 0; at < end; phase = (phase + 1) % 4, at += FRAME_NS / 4) {
        sleep_until(at);
        for (int i = phase; i < count; i += 4) {
            socklen_t length = sizeof from;
            ssize_t size = recvfrom(fds[i], data, sizeof data, 0, (struct sockaddr *)&from, &length);
            if (size > 0) sendto(fds[i], data, size, 0, (struct sockaddr *)&from, length);
        }
    }
    fprintf(stderr, "{\"cpu_seconds\": %.3f}\n", cpu_seconds());
    return 0;
}

int main(int argc, char **argv) {
    int far = argc == 5 && !strcmp(argv[1], "far");
    make_audio(far ? atof(argv[4]) : 1);
    make_stamps();
    if (far) return far_ends(argv[2], atof(argv[3]), 0);
    if (argc == 3 && !strcmp(argv[1], "live")) return live_ends(argv[2]);
    if (argc == 5 && !strcmp(argv[1], "pairs")) return far_ends(argv[2], atof(argv[3]), 2 * atoi(argv[4]));
    if (argc == 3 && !strcmp(argv[1], "echo")) return echo(argv[2]);
    if (argc == 5 && !strcmp(argv[1], "loop")) return bare_loop(argv[2], atoi(argv[3]), atof(argv[4]));
    fprintf(stderr, "usage: rtp_load far ADDRESS SECONDS SPEECH < ports | live ADDRESS | "
                    "pairs ADDRESS SECONDS PAIRS < ports | echo ADDRESS | "
                    "loop ADDRESS LEGS SECONDS\n");
    return 2;
}
