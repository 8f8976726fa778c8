"""The native leaves as the compiled transport calls them."""

cpdef accept(sock)
cpdef receive(sock, memory)
cpdef Py_ssize_t send(sock, data) except -1
