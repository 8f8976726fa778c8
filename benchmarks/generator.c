/* The load: many WebSocket clients in one thread, without a rule. It reads frames only to count them.
 *
 *     generator MODE PORT PID CONNECTIONS WINDOW WARMUP SECONDS SLEEP REQUEST FRAME
 *
 * echo      keeps WINDOW messages in flight on each connection
 * fanout    sends one message on the first connection whenever every connection has got WINDOW
 * churn     connects, opens, sends FRAME, waits for the end, and begins anew, CONNECTIONS at a time
 * hold      opens all, has one FRAME answered on each, says so and does nothing until its input ends
 *
 * REQUEST and FRAME are files with the bytes to send; an empty one is left out. PID is the server, whose CPU time is
 * taken where the measurement begins and ends. With SLEEP 0 it never sleeps: it stands for a network, and a network has
 * nobody whom the server must wake. Where both share a core it must: for so many milliseconds at most. It prints one
 * line of JSON. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 20, BLOCK_SIZE = 1 << 18, EVENTS = 1024, SOURCES = 16, HEADER_SIZE = 14 };

struct bytes {
    unsigned char *data;
    size_t size;
};

struct connection {
    int fd;
    int is_open, waits_for_room;
    int head_matched; /* how much of the empty line that ends a response */
    size_t position;  /* in the block of frames */
    uint64_t owed;    /* bytes to send */
    unsigned char header[HEADER_SIZE];
    size_t header_size;
    uint64_t payload_left, message_size;
};

static const char *mode;
static struct sockaddr_in server;
static struct bytes request, frame, block;
static struct connection *connections;
static uint64_t connection_count, window, messages, payload_bytes, ends;
static clockid_t server_clock;
static int poller, nap;
static unsigned char buffer[READ_SIZE];

static void fail(const char *what)
{
    fprintf(stderr, "generator: %s: %s\n", what, errno ? strerror(errno) : "not as expected");
    exit(1);
}

static double seconds_of(clockid_t clock)
{
    struct timespec time;

    if (clock_gettime(clock, &time))
        fail("clock");
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double now(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

static struct bytes file(const char *path)
{
    struct bytes content = {NULL, 0};
    FILE *stream = fopen(path, "rb");
    long size;

    if (stream == NULL || fseek(stream, 0, SEEK_END) || (size = ftell(stream)) < 0)
        fail(path);
    rewind(stream);
    content.size = (size_t)size;
    content.data = malloc(content.size + 1);
    if (content.data == NULL || fread(content.data, 1, content.size, stream) != content.size)
        fail(path);
    fclose(stream);
    return content;
}

/* As many frames behind one another as are sent at once. */
static struct bytes repeated(struct bytes one, uint64_t most)
{
    struct bytes all = {NULL, 0};
    uint64_t count = one.size ? BLOCK_SIZE / one.size : 0, index;

    count = count < 1 ? 1 : count > most ? most : count;
    all.data = malloc(count * one.size + 1);
    if (all.data == NULL)
        fail("memory");
    for (index = 0; index < count; index++, all.size += one.size)
        memcpy(all.data + all.size, one.data, one.size);
    return all;
}

/* --- one connection ---------------------------------------------------------------------------------------------- */

static void watch(struct connection *it, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = it};

    if (epoll_ctl(poller, operation, it->fd, &event))
        fail("epoll_ctl");
}

static void dial(struct connection *it)
{
    struct sockaddr_in source = {.sin_family = AF_INET};
    int yes = 1;

    memset(it, 0, sizeof *it);
    /* From several addresses: one has too few ports for all that is opened and closed here. */
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)((it - connections) % SOURCES));
    it->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (it->fd < 0)
        fail("socket");
    setsockopt(it->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    setsockopt(it->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (bind(it->fd, (struct sockaddr *)&source, sizeof source))
        fail("bind");
    if (connect(it->fd, (struct sockaddr *)&server, sizeof server))
        fail("connect");
    if (request.size && send(it->fd, request.data, request.size, MSG_NOSIGNAL) != (ssize_t)request.size)
        fail("request");
    it->is_open = request.size == 0;
    if (fcntl(it->fd, F_SETFL, O_NONBLOCK))
        fail("fcntl");
    watch(it, EPOLL_CTL_ADD, EPOLLIN);
}

/* Whether the response is complete with these bytes; nothing follows it, for no server here speaks first. */
static int hear_response(struct connection *it, const unsigned char *at, size_t size)
{
    const unsigned char *end = at + size;

    if (it->header_size < 12) {
        size_t part = size < 12 - it->header_size ? size : 12 - it->header_size;
        memcpy(it->header + it->header_size, at, part);
        it->header_size += part;
        if (it->header_size == 12 && memcmp(it->header, "HTTP/1.1 101", 12) != 0) {
            errno = 0;
            fail("response");
        }
    }
    for (; at < end; at++)
        it->head_matched = *at == "\r\n\r\n"[it->head_matched] ? it->head_matched + 1 : *at == '\r';
    it->is_open = it->head_matched == 4;
    if (it->is_open)
        it->header_size = 0;
    return it->is_open;
}

static size_t needed_header(const struct connection *it)
{
    size_t length = it->header_size < 2 ? 0 : it->header[1] & 127;

    return 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + (it->header_size < 2 ? 0 : (it->header[1] >> 7) * 4);
}

static uint64_t announced_size(const unsigned char *header)
{
    uint64_t size = header[1] & 127;
    int index, extended = size == 126 ? 2 : size == 127 ? 8 : 0;

    for (index = 0, size = extended ? 0 : size; index < extended; index++)
        size = size << 8 | header[2 + index];
    return size;
}

/* Count the messages that end in these bytes. */
static uint64_t hear_frames(struct connection *it, const unsigned char *at, size_t size)
{
    const unsigned char *end = at + size;
    uint64_t finished = 0, part;

    while (at < end) {
        if (it->payload_left == 0) {
            it->header[it->header_size++] = *at++;
            if (it->header_size < needed_header(it))
                continue;
            it->payload_left = announced_size(it->header);
            if (!(it->header[0] & 8))
                it->message_size += it->payload_left;
        }
        part = (uint64_t)(end - at) < it->payload_left ? (uint64_t)(end - at) : it->payload_left;
        at += part;
        it->payload_left -= part;
        if (it->payload_left == 0) {
            it->header_size = 0;
            if ((it->header[0] & 0x88) == 0x80) { /* the last frame of a message */
                finished++;
                payload_bytes += it->message_size;
                it->message_size = 0;
            }
        }
    }
    return finished;
}

static void transmit(struct connection *it)
{
    while (it->owed) {
        uint64_t size = block.size - it->position;
        ssize_t sent = send(it->fd, block.data + it->position, size < it->owed ? size : it->owed, MSG_NOSIGNAL);

        if (sent < 0 && errno == EAGAIN)
            break;
        if (sent < 0)
            fail("send");
        it->owed -= (uint64_t)sent;
        it->position = (it->position + (uint64_t)sent) % block.size;
    }
    if (it->waits_for_room != (it->owed > 0)) {
        it->waits_for_room = it->owed > 0;
        watch(it, EPOLL_CTL_MOD, it->waits_for_room ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}

static void owe(struct connection *it, uint64_t count)
{
    it->owed += count * frame.size;
    transmit(it);
}

/* Read once; 0 at the end of the connection. */
static int hear(struct connection *it, uint64_t *finished)
{
    ssize_t size = recv(it->fd, buffer, sizeof buffer, 0);

    *finished = 0;
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return 1;
    if (size <= 0)
        return 0;
    if (it->is_open)
        *finished = hear_frames(it, buffer, (size_t)size);
    else
        hear_response(it, buffer, (size_t)size);
    messages += *finished;
    return 1;
}

/* --- what the modes do at an event ------------------------------------------------------------------------------- */

static void on_echo(struct connection *it, uint32_t events)
{
    uint64_t finished = 0;

    if (events != EPOLLOUT && !hear(it, &finished)) {
        errno = 0;
        fail("the server has closed");
    }
    owe(it, finished);
}

static void on_fanout(struct connection *it, uint32_t events)
{
    uint64_t before = messages / (connection_count * window), finished;

    (void)events;
    if (!hear(it, &finished)) {
        errno = 0;
        fail("the server has closed");
    }
    if (messages / (connection_count * window) > before)
        owe(connections, 1);
}

static void on_churn(struct connection *it, uint32_t events)
{
    uint64_t finished;
    int was_open = it->is_open;

    (void)events;
    if (hear(it, &finished)) {
        if (it->is_open && !was_open)
            owe(it, 1);
        return;
    }
    ends++;
    if (!it->is_open) {
        errno = 0;
        fail("closed before it was open");
    }
    close(it->fd);
    dial(it);
}

/* --- the loop ---------------------------------------------------------------------------------------------------- */

typedef void (*handler)(struct connection *, uint32_t);

struct reading {
    double time, server_time, own_time;
    uint64_t messages, ends;
};

/* Handle events for so long, until something has come back and the server has done something, which may have answered
 * before; where connections come and go, others may do that for it. Return for how long it looked for work in vain. */
static double run(handler handle, double seconds)
{
    static struct epoll_event events[EVENTS];
    double time = now(), deadline = time + seconds, server_time = strcmp(mode, "churn") ? seconds_of(server_clock) : -1;
    double idle = 0;
    uint64_t before = messages + ends;

    while (time < deadline || messages + ends == before || seconds_of(server_clock) == server_time) {
        double later;
        int count = epoll_wait(poller, events, EVENTS, nap), index;

        if (count < 0 && errno != EINTR)
            fail("epoll_wait");
        for (index = 0; index < count; index++)
            handle(events[index].data.ptr, events[index].events);
        later = now();
        if (count <= 0 && nap == 0)
            idle += later - time;
        time = later;
    }
    return idle;
}

static struct reading reading(void)
{
    struct reading it = {now(), seconds_of(server_clock), seconds_of(CLOCK_PROCESS_CPUTIME_ID), messages, ends};

    return it;
}

static void measure(handler handle, double warmup, double seconds)
{
    struct reading before, after;
    double idle;

    run(handle, warmup);
    before = reading();
    idle = run(handle, seconds);
    after = reading();
    printf("{\"messages\": %lu, \"ends\": %lu, \"seconds\": %.6f, \"server_seconds\": %.6f, \"busy_seconds\": %.6f, "
           "\"payload_size\": %.3f}\n",
           after.messages - before.messages, after.ends - before.ends, after.time - before.time,
           after.server_time - before.server_time, after.own_time - before.own_time - idle,
           messages ? (double)payload_bytes / (double)messages : 0);
}

/* Sleep until there is something to read, and read it; meanwhile send what is owed. */
static uint64_t await(struct connection *it)
{
    struct pollfd ready = {.fd = it->fd, .events = it->owed ? POLLIN | POLLOUT : POLLIN};
    uint64_t finished;

    if (poll(&ready, 1, -1) < 0)
        fail("poll");
    transmit(it);
    if (!hear(it, &finished)) {
        errno = 0;
        fail("the server has closed");
    }
    return finished;
}

/* Open one after the other, so that no queue of the server overflows. Where there is no response to wait for, only an
 * echo tells that the server has accepted. */
static void open_all(void)
{
    uint64_t index;

    for (index = 0; index < connection_count; index++) {
        dial(&connections[index]);
        while (!connections[index].is_open)
            await(&connections[index]);
        if (request.size == 0 && !strcmp(mode, "echo")) {
            owe(&connections[index], 1);
            while (!await(&connections[index]))
                continue;
        }
    }
}

static void hold(void)
{
    uint64_t index;

    for (index = 0; frame.size && index < connection_count; index++) {
        owe(&connections[index], 1);
        while (!await(&connections[index]))
            continue;
    }
    puts("{}");
    fflush(stdout);
    while (read(STDIN_FILENO, buffer, sizeof buffer) > 0)
        continue;
}

static void start(void)
{
    uint64_t index;

    if (!strcmp(mode, "churn")) {
        for (index = 0; index < connection_count; index++)
            dial(&connections[index]);
        return;
    }
    open_all();
    if (!strcmp(mode, "fanout"))
        owe(connections, 1);
    for (index = 0; !strcmp(mode, "echo") && index < connection_count; index++)
        owe(&connections[index], window);
}

int main(int count, char **arguments)
{
    if (count != 11) {
        fprintf(stderr, "generator MODE PORT PID CONNECTIONS WINDOW WARMUP SECONDS SLEEP REQUEST FRAME\n");
        return 2;
    }
    mode = arguments[1];
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)atoi(arguments[2]));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if ((errno = clock_getcpuclockid(atoi(arguments[3]), &server_clock)) != 0)
        fail("the server's clock");
    connection_count = strtoul(arguments[4], NULL, 10);
    window = strtoul(arguments[5], NULL, 10);
    nap = atoi(arguments[8]);
    request = file(arguments[9]);
    frame = file(arguments[10]);
    block = repeated(frame, window);
    connections = calloc(connection_count, sizeof *connections);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || poller < 0)
        fail("memory");
    start();
    if (!strcmp(mode, "hold"))
        hold();
    else
        measure(!strcmp(mode, "echo") ? on_echo : !strcmp(mode, "fanout") ? on_fanout : on_churn,
                strtod(arguments[6], NULL), strtod(arguments[7], NULL));
    return 0;
}
