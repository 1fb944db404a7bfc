/* capture.c - see capture.h. */
#define _GNU_SOURCE
#include "capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_ROOM = 4096 };

/* Grow *buffer so that `wanted` bytes fit, at most `limit`. */
static int
make_room(char **buffer, size_t *room, size_t wanted, size_t limit)
{
    size_t grown = *room > 0 ? *room : FIRST_ROOM;
    char *moved;

    if (wanted <= *room)
        return 0;
    while (grown < wanted)
        grown *= 2;
    if (grown > limit)
        grown = limit;
    moved = realloc(*buffer, grown);
    if (moved == NULL)
        return -1;
    *buffer = moved;
    *room = grown;
    return 0;
}

static void
spill(struct ax_capture *capture, const char *bytes, size_t size)
{
    if (capture->spill_fd < 0 || capture->spill_error != 0)
        return;
    if (size > capture->spill_cap - capture->spilled)
        size = (size_t)(capture->spill_cap - capture->spilled);
    while (size > 0) {
        ssize_t written = write(capture->spill_fd, bytes, size);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            capture->spill_error = errno;
            return;
        }
        bytes += written;
        size -= (size_t)written;
        capture->spilled += (uint64_t)written;
    }
}

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The tail is full: its oldest bytes give way, or the new ones where it has no room. */
static void
overwrite_oldest(struct ax_capture *capture, const char *bytes, size_t size)
{
    size_t limit = capture->tail_limit;

    capture->dropped += size;
    if (limit == 0)
        return;
    if (size > limit) {
        bytes += size - limit;
        size = limit;
    }
    while (size > 0) {
        size_t chunk = least(size, limit - capture->tail_start);

        memcpy(capture->tail + capture->tail_start, bytes, chunk);
        capture->tail_start = (capture->tail_start + chunk) % limit;
        bytes += chunk;
        size -= chunk;
    }
}

/* ax_capture_feed - take the next bytes of the stream.
 *
 * Ensures   head is the first head_limit bytes, tail the last tail_limit of what
 *           follows, dropped counts those between. Where memory is short, a limit
 *           shrinks to what is there already: fewer bytes are kept, and they are still
 *           the first and the last.
 */
void
ax_capture_feed(struct ax_capture *capture, const char *bytes, size_t size)
{
    size_t part;

    spill(capture, bytes, size);

    part = least(size, capture->head_limit - capture->head_size);
    if (part > 0 && make_room(&capture->head, &capture->head_room,
                              capture->head_size + part, capture->head_limit) < 0) {
        capture->head_limit = capture->head_size;
        part = 0;
    }
    if (part > 0) {
        memcpy(capture->head + capture->head_size, bytes, part);
        capture->head_size += part;
        bytes += part;
        size -= part;
    }

    part = least(size, capture->tail_limit - capture->tail_size);
    if (part > 0 && make_room(&capture->tail, &capture->tail_room,
                              capture->tail_size + part, capture->tail_limit) < 0) {
        capture->tail_limit = capture->tail_size;
        part = 0;
    }
    if (part > 0) {
        memcpy(capture->tail + capture->tail_size, bytes, part);
        capture->tail_size += part;
        bytes += part;
        size -= part;
    }

    if (size > 0)
        overwrite_oldest(capture, bytes, size);
}

/* Write the tail, oldest byte first, to `out` (tail_size bytes). */
void
ax_capture_copy_tail(const struct ax_capture *capture, char *out)
{
    size_t first = capture->tail_size - capture->tail_start;

    if (capture->tail_size == 0)
        return;
    memcpy(out, capture->tail + capture->tail_start, first);
    memcpy(out + first, capture->tail, capture->tail_start);
}

void
ax_capture_clear(struct ax_capture *capture)
{
    free(capture->head);
    free(capture->tail);
    capture->head = capture->tail = NULL;
    capture->head_size = capture->tail_size = 0;
}
