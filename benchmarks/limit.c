/* The physical limit: finds frames, unmasks them and makes `str` or `bytes`, or makes frames, and checks nothing but
 * whether a frame is complete.
 *
 * What an engine costs above this is what its rules, its state and its interface cost. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

static void mask(unsigned char *restrict to, const unsigned char *restrict from, size_t size, uint64_t key)
{
    size_t index = 0;

    for (; index + 8 <= size; index += 8) {
        uint64_t word;
        memcpy(&word, from + index, 8);
        word ^= key;
        memcpy(to + index, &word, 8);
    }
    for (; index < size; index++)
        to[index] = from[index] ^ ((const unsigned char *)&key)[index & 7];
}

static uint64_t doubled(const unsigned char *key)
{
    uint64_t word;

    memcpy(&word, key, 4);
    memcpy((unsigned char *)&word + 4, key, 4);
    return word;
}

/* One message from the payload of a frame. */
static PyObject *message_from(const unsigned char *payload, Py_ssize_t size, int is_text, uint64_t key)
{
    PyObject *message = is_text ? PyUnicode_New(size, 127) : PyBytes_FromStringAndSize(NULL, size);

    if (message != NULL)
        mask(is_text ? PyUnicode_DATA(message) : PyBytes_AS_STRING(message), payload, (size_t)size, key);
    return message;
}

/* Append the message of the frame at ``at`` to a list; return where the next frame begins, ``at`` itself if this one is
 * not complete, or NULL with an exception. */
static const unsigned char *decode_frame(const unsigned char *at, const unsigned char *end, PyObject *messages)
{
    const unsigned char *frame = at;
    int is_masked, extended;
    uint64_t size, key = 0;
    PyObject *message;

    if (end - at < 2)
        return frame;
    is_masked = at[1] >> 7;
    size = at[1] & 127;
    extended = size == 126 ? 2 : size == 127 ? 8 : 0;
    if (end - at < 2 + extended + 4 * is_masked)
        return frame;
    at += 2;
    for (size = extended ? 0 : size; extended; extended--)
        size = size << 8 | *at++;
    if (is_masked) {
        key = doubled(at);
        at += 4;
    }
    if ((uint64_t)(end - at) < size)
        return frame;
    message = message_from(at, (Py_ssize_t)size, (frame[0] & 15) == 1, key);
    if (message == NULL || PyList_Append(messages, message) < 0) {
        Py_XDECREF(message);
        return NULL;
    }
    Py_DECREF(message);
    return at + size;
}

/* decode(data, messages): append the messages of the complete frames to the list; return their size on the wire. */
static PyObject *decode(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    const unsigned char *at, *end, *next;
    Py_buffer data;
    Py_ssize_t used;

    (void)module, (void)count;
    if (PyObject_GetBuffer(arguments[0], &data, PyBUF_SIMPLE))
        return NULL;
    at = data.buf;
    end = at + data.len;
    while (at < end && (next = decode_frame(at, end, arguments[1])) != at) {
        if (next == NULL) {
            PyBuffer_Release(&data);
            return NULL;
        }
        at = next;
    }
    used = at - (const unsigned char *)data.buf;
    PyBuffer_Release(&data);
    return PyLong_FromSsize_t(used);
}

static int extended_size(Py_ssize_t size)
{
    return size < 126 ? 0 : size < 65536 ? 2 : 8;
}

/* The UTF-8 of a text, or what is in bytes. */
static const unsigned char *content(PyObject *message, Py_ssize_t *size)
{
    if (PyUnicode_Check(message))
        return (const unsigned char *)PyUnicode_AsUTF8AndSize(message, size);
    *size = PyBytes_GET_SIZE(message);
    return (const unsigned char *)PyBytes_AS_STRING(message);
}

/* Write the frame of a message; return where it ends. */
static unsigned char *encode_frame(unsigned char *to, PyObject *message, PyObject *masking_key)
{
    Py_ssize_t size;
    const unsigned char *payload = content(message, &size);
    int is_masked = masking_key != Py_None, extended = extended_size(size);
    uint64_t key = 0;

    *to++ = PyUnicode_Check(message) ? 0x81 : 0x82;
    *to++ = (unsigned char)(is_masked << 7 | (extended == 0 ? size : extended == 2 ? 126 : 127));
    for (; extended; extended--)
        *to++ = (unsigned char)(size >> (8 * (extended - 1)));
    if (is_masked) {
        memcpy(to, PyBytes_AS_STRING(masking_key), 4);
        key = doubled(to);
        to += 4;
    }
    mask(to, payload, (size_t)size, key);
    return to + size;
}

/* encode(messages, key): their frames behind one another, masked if ``key`` is not None. */
static PyObject *encode(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    Py_ssize_t index, size, whole = 0, many = PyList_GET_SIZE(arguments[0]);
    PyObject *frames;
    unsigned char *to;

    (void)module, (void)count;
    for (index = 0; index < many; index++) {
        if (content(PyList_GET_ITEM(arguments[0], index), &size) == NULL)
            return NULL;
        whole += 2 + extended_size(size) + (arguments[1] != Py_None ? 4 : 0) + size;
    }
    frames = PyBytes_FromStringAndSize(NULL, whole);
    if (frames == NULL)
        return NULL;
    to = (unsigned char *)PyBytes_AS_STRING(frames);
    for (index = 0; index < many; index++)
        to = encode_frame(to, PyList_GET_ITEM(arguments[0], index), arguments[1]);
    return frames;
}

static PyMethodDef functions[] = {
    {"decode", (PyCFunction)(void (*)(void))decode, METH_FASTCALL, NULL},
    {"encode", (PyCFunction)(void (*)(void))encode, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef limit = {PyModuleDef_HEAD_INIT, "limit", NULL, 0, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_limit(void)
{
    return PyModule_Create(&limit);
}
