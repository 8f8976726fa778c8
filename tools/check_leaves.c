/* Holds the inner loops of the native leaves against naive ones, in blocks of exactly the size that they may touch, at
 * every offset: built with sanitizers, or run under valgrind, one byte too far is an error. See check_leaves.py. */

#include <stdio.h>
#include <stdlib.h>

#include "leaves.h"

enum { MAX_SIZE = 300, MAX_OFFSET = 17, TEXTS = 200000, MAX_TEXT = 24 };

static unsigned char noise[MAX_SIZE];

static void demand(int is_so, const char *what, size_t size, size_t offset)
{
    if (!is_so) {
        fprintf(stderr, "%s is wrong: size %zu, offset %zu\n", what, size, offset);
        exit(1);
    }
}

/* The last `size` bytes of a block, which begin at any alignment. */
static unsigned char *block(size_t size, size_t offset)
{
    unsigned char *start = malloc(size + offset + 1);

    if (start == NULL)
        exit(2);
    return start;
}

/* wsproto_copy, or the same as it is where a machine has nothing better. */
typedef int copying(unsigned char *to, const unsigned char *from, size_t size, const unsigned char *key);

static void check_copy(copying *copy, size_t size, size_t offset, const unsigned char *key)
{
    unsigned char *from_block = block(size, offset), *to_block = block(size, MAX_OFFSET - offset);
    unsigned char *from = from_block + offset + 1, *to = to_block + (MAX_OFFSET - offset) + 1;
    int is_ascii, expected = 1;
    size_t index;

    if (size > 0)
        memcpy(from, noise, size);
    is_ascii = copy(to, from, size, key);
    for (index = 0; index < size; index++) {
        unsigned char byte = noise[index] ^ (key == NULL ? 0 : key[index % 4]);
        demand(to[index] == byte, "wsproto_copy", size, offset);
        expected &= byte < 0x80;
    }
    demand(is_ascii == expected, "what wsproto_copy says of ASCII", size, offset);
    free(from_block);
    free(to_block);
}

/* How many bytes of the character at `at` are there and right, by the table of RFC 3629 section 4; 0 if they are wrong.
 */
static size_t right_bytes(const unsigned char *at, size_t left, size_t *size)
{
    static const unsigned char table[9][6] = {
        {0x00, 0x7F, 1, 0, 0, 0},       {0xC2, 0xDF, 2, 0x80, 0xBF, 0}, {0xE0, 0xE0, 3, 0xA0, 0xBF, 0},
        {0xE1, 0xEC, 3, 0x80, 0xBF, 0}, {0xED, 0xED, 3, 0x80, 0x9F, 0}, {0xEE, 0xEF, 3, 0x80, 0xBF, 0},
        {0xF0, 0xF0, 4, 0x90, 0xBF, 0}, {0xF1, 0xF3, 4, 0x80, 0xBF, 0}, {0xF4, 0xF4, 4, 0x80, 0x8F, 0},
    };
    size_t row, index;

    for (row = 0; row < 9; row++) {
        if (at[0] < table[row][0] || at[0] > table[row][1])
            continue;
        *size = table[row][2];
        if (*size > 1 && left > 1 && (at[1] < table[row][3] || at[1] > table[row][4]))
            return 0;
        for (index = 2; index < *size && index < left; index++)
            if (at[index] < 0x80 || at[index] > 0xBF)
                return 0;
        return *size < left ? *size : left;
    }
    return 0;
}

static void check_utf8(const unsigned char *content, size_t size, size_t offset)
{
    unsigned char *start = block(size, offset), *text = start + offset + 1;
    size_t complete, expected = 0, whole = 0, present = 1;
    int valid;

    if (size > 0)
        memcpy(text, content, size);
    while (expected < size && (present = right_bytes(text + expected, size - expected, &whole)) == whole && present)
        expected += whole;
    complete = wsproto_complete_utf8(text, size, &valid);
    demand(valid == (present > 0), "what wsproto_complete_utf8 says of validity", size, offset);
    demand(complete == expected, "wsproto_complete_utf8", size, offset);
    free(start);
}

static void check_header(uint64_t length, const unsigned char *key)
{
    size_t extended = length < 126 ? 0 : length < 65536 ? 2 : 8, size = 2 + extended + (key == NULL ? 0 : 4), index;
    unsigned char *header = malloc(size);
    uint64_t read = 0;

    if (header == NULL)
        exit(2);
    demand(wsproto_header(header, 0x81, length, key) == size, "the size of wsproto_header", size, 0);
    for (index = 2; index < 2 + extended; index++)
        read = read << 8 | header[index];
    demand(extended == 0 || read == length, "the length of wsproto_header", size, 0);
    demand(header[0] == 0x81 && (header[1] >> 7) == (key != NULL), "wsproto_header", size, 0);
    demand((header[1] & 127) == (extended == 0 ? length : extended == 2 ? 126 : 127), "wsproto_header", size, 0);
    demand(key == NULL || memcmp(header + size - 4, key, 4) == 0, "the key of wsproto_header", size, 0);
    free(header);
}

int main(void)
{
    static const unsigned char key[4] = {0x37, 0xFA, 0x21, 0x3D}, leads[] = {0x41, 0x80, 0xBF, 0xC1, 0xC3, 0xE0, 0xE2, 0xED,
                                                                             0xF0, 0xF1, 0xF4, 0xF5, 0x9F, 0xA0, 0x90, 0x8F};
    size_t size, offset, index, round;

    srand(6455);
    for (size = 0; size < MAX_SIZE; size++) {
        for (index = 0; index < MAX_SIZE; index++)
            noise[index] = (unsigned char)(rand() >> 7) & (size % 3 ? 0xFF : 0x7F);
        for (offset = 0; offset < MAX_OFFSET; offset++) {
            check_copy(wsproto_copy, size, offset, key);
            check_copy(wsproto_copy, size, offset, NULL);
            check_copy(wsproto_copy_words, size, offset, key);
            check_copy(wsproto_copy_words, size, offset, NULL);
        }
    }
    for (round = 0; round < TEXTS; round++) {
        unsigned char text[MAX_TEXT];
        size = (size_t)rand() % MAX_TEXT;
        for (index = 0; index < size; index++)
            text[index] = rand() & 64 ? 'a' : leads[(size_t)(rand() >> 5) % sizeof leads];
        check_utf8(text, size, round % MAX_OFFSET);
    }
    for (round = 0; round < 64; round++) {
        check_header((UINT64_C(1) << round) - 1, key);
        check_header((UINT64_C(1) << round) - 1, NULL);
    }
    check_header(126, NULL);
    check_header(65536, key);
    puts("the native leaves touch what is theirs, and are right");
    return 0;
}
