/* The physical limit: finds frames, unmasks them and makes `str` or `bytes`, or makes frames, and checks nothing.
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

/* decode(data): the messages of whole frames, of which ``data`` consists. All text is ASCII. */
static PyObject *decode(PyObject *module, PyObject *data)
{
    const unsigned char *at = (const unsigned char *)PyBytes_AS_STRING(data), *end = at + PyBytes_GET_SIZE(data);
    PyObject *messages = PyList_New(0);

    (void)module;
    while (messages != NULL && at < end) {
        int is_text = (at[0] & 15) == 1, is_masked = at[1] >> 7, bytes;
        uint64_t size = at[1] & 127, key = 0;
        PyObject *message;

        at += 2;
        bytes = size == 126 ? 2 : size == 127 ? 8 : 0;
        for (size = bytes ? 0 : size; bytes; bytes--)
            size = size << 8 | *at++;
        if (is_masked) {
            key = doubled(at);
            at += 4;
        }
        message = is_text ? PyUnicode_New((Py_ssize_t)size, 127) : PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
        if (message == NULL || PyList_Append(messages, message) < 0) {
            Py_XDECREF(message);
            Py_CLEAR(messages);
            break;
        }
        mask(is_text ? PyUnicode_DATA(message) : PyBytes_AS_STRING(message), at, size, key);
        at += size;
        Py_DECREF(message);
    }
    return messages;
}

/* encode(text, key): the frame of a text, masked if ``key`` is not None. */
static PyObject *encode(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(arguments[0], &size);
    int is_masked = arguments[1] != Py_None, extended = size < 126 ? 0 : size < 65536 ? 2 : 8, index;
    PyObject *frame = PyBytes_FromStringAndSize(NULL, 2 + extended + 4 * is_masked + size);
    unsigned char *to;
    uint64_t key = 0;

    (void)module, (void)count;
    if (text == NULL || frame == NULL) {
        Py_XDECREF(frame);
        return NULL;
    }
    to = (unsigned char *)PyBytes_AS_STRING(frame);
    *to++ = 0x81;
    *to++ = (unsigned char)(is_masked << 7 | (extended == 0 ? size : extended == 2 ? 126 : 127));
    for (index = extended; index; index--)
        *to++ = (unsigned char)(size >> (8 * (index - 1)));
    if (is_masked) {
        memcpy(to, PyBytes_AS_STRING(arguments[1]), 4);
        key = doubled(to);
        to += 4;
    }
    mask(to, (const unsigned char *)text, (size_t)size, key);
    return frame;
}

static PyMethodDef functions[] = {
    {"decode", decode, METH_O, NULL},
    {"encode", (PyCFunction)(void (*)(void))encode, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef limit = {PyModuleDef_HEAD_INIT, "limit", NULL, 0, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_limit(void)
{
    return PyModule_Create(&limit);
}
