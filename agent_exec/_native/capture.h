/* capture.h - the first and last bytes of a stream, and where the rest went. */
#ifndef AX_CAPTURE_H
#define AX_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

struct ax_capture {
    /* Set by the owner. */
    size_t head_limit, tail_limit;
    int spill_fd;       /* -1: none */
    uint64_t spill_cap; /* bytes */

    char *head, *tail;
    size_t head_size, head_room;
    size_t tail_size, tail_room; /* tail is a ring once it has reached tail_limit */
    size_t tail_start;
    uint64_t dropped, spilled;
    int spill_error; /* errno of the first failed write; nothing is written after it */
};

void ax_capture_feed(struct ax_capture *capture, const char *bytes, size_t size);
void ax_capture_copy_tail(const struct ax_capture *capture, char *out);
void ax_capture_clear(struct ax_capture *capture);

#endif
