/* A moment written in sound, so that it outlives transcoding between µ-law and A-law: sixteen samples, each
 * at one of sixteen levels that both laws tell apart. */
#include <stdint.h>
#include <stdlib.h>

#define PCMU 0
#define PCMA 8
#define STAMP 16 /* octets */

static unsigned char stamp_level[2][16];   /* by law, and four bits */
static unsigned char stamp_nibble[2][256]; /* by law, and octet */

static unsigned char ulaw(int sample) {
    int sign = sample < 0 ? 0x80 : 0, magnitude = abs(sample) + 132, exponent = 7;
    if (magnitude > 32767) magnitude = 32767;
    while (exponent > 0 && !(magnitude & (0x80 << exponent))) exponent--;
    return (unsigned char)~(sign | exponent << 4 | (magnitude >> (exponent + 3) & 15));
}

static unsigned char alaw(int sample) {
    int sign = sample < 0 ? 0 : 0x80, magnitude = abs(sample), exponent = 7;
    if (magnitude > 32767) magnitude = 32767;
    while (exponent > 0 && !(magnitude & (0x80 << exponent))) exponent--;
    int mantissa = magnitude >> (exponent ? exponent + 3 : 4) & 15;
    return (unsigned char)((sign | exponent << 4 | mantissa) ^ 0x55);
}

/* Sixteen levels: eight magnitudes, each about twice the one before, in both signs. */
static int level(int nibble) {
    int magnitude = (198 << (nibble & 7)) - 132;
    return nibble & 8 ? -magnitude : magnitude;
}

/* A level keeps its sign, and is nearest to itself however a law rounds it. */
static void make_stamps(void) {
    for (int law = 0; law < 2; law++) {
        for (int n = 0; n < 16; n++) stamp_level[law][n] = (law ? alaw : ulaw)(level(n));
        for (int sample = -32767, nearest = 15; sample <= 32767; sample++) {
            for (int n = 0; n < 16; n++)
                if (abs(level(n) - sample) < abs(level(nearest) - sample)) nearest = n;
            stamp_nibble[law][(law ? alaw : ulaw)(sample)] = nearest;
        }
    }
}

static void write_stamp(unsigned char *payload, int type, int64_t moment) {
    for (int i = 0; i < STAMP; i++, moment >>= 4) payload[i] = stamp_level[type == PCMA][moment & 15];
}

static int64_t read_stamp(const unsigned char *payload, int type) {
    int64_t moment = 0;
    for (int i = STAMP; i-- > 0;) moment = moment << 4 | stamp_nibble[type == PCMA][payload[i]];
    return moment;
}
