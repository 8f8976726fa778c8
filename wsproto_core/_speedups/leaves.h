/* The inner loops of the native leaves: bytes only, no Python object, no state.
 *
 * Every pointer may be unaligned: words are moved by memcpy, which compilers turn into single, and vectorised,
 * instructions. `from` and `to` do not overlap. */

#ifndef WSPROTO_CORE_LEAVES_H
#define WSPROTO_CORE_LEAVES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WSPROTO_HIGH_BITS UINT64_C(0x8080808080808080)

/* GCC and Clang can compile a function for machines that have more than others, and ask at run time. */
#if defined(__GNUC__) && defined(__x86_64__)
#define WSPROTO_HAS_AVX2
#define WSPROTO_ALWAYS_INLINE __attribute__((always_inline))
#else
#define WSPROTO_ALWAYS_INLINE
#endif

/* First byte, length byte, the longest extended length, masking key. */
enum { WSPROTO_MAX_HEADER = 14 };

/* The room for frames that come one behind the other, in bytes: more than most are, and soon outgrown by many. */
enum { WSPROTO_SEVERAL_FRAMES = 4096 };

/* For each byte of a message that has come, so many of those that were announced find their place. */
enum { WSPROTO_FORESIGHT = 16 };

/* From this size on, in bytes, a copy gains from wider words what it costs to ask for them. */
enum { WSPROTO_LONG_COPY = 128 };

/* From this size on, in bytes, a view of a text is cheaper than a copy. */
enum { WSPROTO_LONG_TEXT = 4096 };

/* What wsproto_copy does, in the widest words that the function has which this becomes a part of. */
static inline WSPROTO_ALWAYS_INLINE int wsproto_copy_words(unsigned char *__restrict to,
                                                           const unsigned char *__restrict from, size_t size,
                                                           const unsigned char *key)
{
    unsigned char twice[8] = {0};
    uint64_t key_word, seen = 0;
    size_t index = 0;

    if (key != NULL) {
        memcpy(twice, key, 4);
        memcpy(twice + 4, key, 4);
    }
    memcpy(&key_word, twice, 8);
    for (; size - index >= 8; index += 8) {
        uint64_t word;
        memcpy(&word, from + index, 8);
        word ^= key_word;
        seen |= word;
        memcpy(to + index, &word, 8);
    }
    for (; index < size; index++) {
        to[index] = from[index] ^ twice[index & 7];
        seen |= to[index];
    }
    return (seen & WSPROTO_HIGH_BITS) == 0;
}

#ifdef WSPROTO_HAS_AVX2
/* In words of 32 bytes, as fast as memcpy; not every x86-64 has them. */
__attribute__((target("avx2"))) static int wsproto_copy_avx2(unsigned char *__restrict to,
                                                             const unsigned char *__restrict from, size_t size,
                                                             const unsigned char *key)
{
    return wsproto_copy_words(to, from, size, key);
}
#endif

/* Write `size` bytes of `from` to `to`: combined with the four bytes of `key` (RFC 6455 section 5.3), or as they are
 * if `key` is NULL. Return whether all that was written is ASCII. */
static inline int wsproto_copy(unsigned char *__restrict to, const unsigned char *__restrict from, size_t size,
                               const unsigned char *key)
{
#ifdef WSPROTO_HAS_AVX2
    if (size >= WSPROTO_LONG_COPY && __builtin_cpu_supports("avx2"))
        return wsproto_copy_avx2(to, from, size, key);
#endif
    return wsproto_copy_words(to, from, size, key);
}

/* How many bytes of the character at `at` have come, of the `*size` that it has; -1 if no valid text has them (RFC 3629).
 * There are `left` bytes, one at least. */
static inline int wsproto_character(const unsigned char *at, size_t left, int *size)
{
    unsigned char lead = at[0], least = 0x80, most = 0xBF;
    int index;

    if (lead < 0x80) {
        *size = 1;
        return 1;
    }
    *size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (lead < 0xC2 || lead > 0xF4)
        return -1;
    if (lead == 0xE0)
        least = 0xA0; /* shorter forms exist */
    else if (lead == 0xED)
        most = 0x9F; /* surrogates */
    else if (lead == 0xF0)
        least = 0x90; /* shorter forms exist */
    else if (lead == 0xF4)
        most = 0x8F; /* beyond U+10FFFF */
    for (index = 1; index < *size && (size_t)index < left; index++) {
        if (at[index] < least || at[index] > most)
            return -1;
        least = 0x80;
        most = 0xBF;
    }
    return index;
}

/* How many leading bytes of `text` are complete characters. `*valid` is cleared at the first byte that no valid text
 * can contain there. */
static inline size_t wsproto_complete_utf8(const unsigned char *text, size_t size, int *valid)
{
    size_t index = 0;

    *valid = 1;
    while (index < size) {
        int present, whole;
        uint64_t word;
        if (size - index >= 8) {
            memcpy(&word, text + index, 8);
            if ((word & WSPROTO_HIGH_BITS) == 0) {
                index += 8;
                continue;
            }
        }
        present = wsproto_character(text + index, size - index, &whole);
        if (present < whole) {
            *valid = present > 0;
            return index;
        }
        index += (size_t)whole;
    }
    return index;
}

/* Write a frame header to `to`, which has room for the longest; return its size (RFC 6455 section 5.2). `key` may be
 * NULL. */
static inline size_t wsproto_header(unsigned char *to, unsigned char first, uint64_t length, const unsigned char *key)
{
    unsigned char mask_bit = key == NULL ? 0 : 0x80;
    size_t extended = length < 126 ? 0 : length < 0x10000 ? 2 : 8;
    size_t index;

    to[0] = first;
    to[1] = (unsigned char)(mask_bit | (extended == 0 ? length : extended == 2 ? 126 : 127));
    for (index = 0; index < extended; index++)
        to[2 + index] = (unsigned char)(length >> (8 * (extended - 1 - index)));
    if (key == NULL)
        return 2 + extended;
    memcpy(to + 2 + extended, key, 4);
    return 6 + extended;
}

/* What stands before and behind the target of an ordinary request. */
enum { WSPROTO_BEFORE_TARGET = 4, WSPROTO_BEHIND_TARGET = 9 };

/* Where the target of the request ends that is `head`; NULL if that is no ordinary one, or has no empty line at its end.
 */
static inline const unsigned char *wsproto_target_end(const unsigned char *head, size_t size)
{
    static const char before[] = "GET ", behind[] = " HTTP/1.1\r\n", last[] = "\r\n\r\n";
    const unsigned char *at = head + WSPROTO_BEFORE_TARGET, *end = head + size;

    if (size < sizeof before + sizeof behind + sizeof last || memcmp(head, before, sizeof before - 1) != 0)
        return NULL;
    if (memcmp(end - 4, last, sizeof last - 1) != 0)
        return NULL;
    while (*at > ' ' && *at < 0x7F) /* the empty line stops it */
        at++;
    if (at == head + WSPROTO_BEFORE_TARGET || (size_t)(end - at) < sizeof behind - 1)
        return NULL;
    return memcmp(at, behind, sizeof behind - 1) == 0 ? at : NULL;
}

/* Where the name of a field ends, a colon and one blank behind it; NULL if it does not. An empty line is below. */
static inline const unsigned char *wsproto_name_end(const unsigned char *name)
{
    const unsigned char *at = name;

    while ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') || *at == '-' ||
           *at == '_')
        at++;
    return at != name && at[0] == ':' && at[1] == ' ' ? at : NULL;
}

/* Where the value of a field ends, and the line; NULL if it does not, or has blanks around it. An empty line is below. */
static inline const unsigned char *wsproto_value_end(const unsigned char *value)
{
    const unsigned char *at = value;

    while (*at >= ' ' && *at < 0x7F)
        at++;
    if (at == value || value[0] == ' ' || at[-1] == ' ')
        return NULL;
    return at[0] == '\r' && at[1] == '\n' ? at : NULL;
}

#endif
